//! Reads the files under `src/`, well enough for the rules: comments and string contents are blanked, unit tests are
//! left off, and paths that begin with `crate::` are spelled out, also where they stand in braces.

use std::path::{Path, PathBuf};

/// One file.
pub struct Source {
    /// From the root of the tree, with forward slashes.
    pub path: String,
    /// As it is.
    pub text: String,
    /// Without tests, comments and the contents of strings; the same lines.
    code: String,
}

impl Source {
    /// All of `src/`, sorted by path.
    pub fn all() -> Vec<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let mut paths = Vec::new();
        collect(&root.join("src"), &mut paths);
        // A module of tests in a file of its own is no part of what is judged.
        paths.retain(|path| path.file_name().is_none_or(|name| name != "tests.rs"));
        paths.sort();
        assert!(paths.len() > 20, "src/ has only {} files", paths.len());
        paths.iter().map(|path| Self::read(&root, path)).collect()
    }

    fn read(root: &Path, path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a source file can be read");
        let path = path.strip_prefix(root).expect("under the root").to_string_lossy().replace('\\', "/");
        let code = blank(&text[..tests_start(&text)]);
        Self { path, text, code }
    }

    /// Where the unit tests begin, in bytes; the end where there are none.
    pub fn tests_start(&self) -> usize {
        tests_start(&self.text)
    }

    /// The code: without tests and comments, with empty strings.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The code, with line numbers from 1.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Every path that begins with `crate::`, without that, and its line. `use crate::{a, b::{c, d}}` gives `a`, `b::c`
    /// and `b::d`. A `super` that reaches the crate's root counts as `crate`.
    pub fn crate_paths(&self) -> Vec<(usize, String)> {
        let modules = self.path.matches('/').count() + usize::from(!self.path.ends_with("/mod.rs")) - 1;
        let to_root = "super::".repeat(modules);
        let mut found = Vec::new();
        // Right under the root, `super::` is as likely said by a module inside the file.
        for head in ["crate::", to_root.as_str()].into_iter().take(modules.min(2)) {
            for (at, _) in self.code.match_indices(head) {
                let before = self.code[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '$')) {
                    continue;
                }
                let line = self.code[..at].matches('\n').count() + 1;
                let mut paths = Vec::new();
                expand(&self.code[at + head.len()..], "", &mut paths);
                found.extend(paths.into_iter().map(|path| (line, path)));
            }
        }
        found
    }
}

fn collect(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("src/ can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn tests_start(text: &str) -> usize {
    ["#[cfg(test)]\nmod ", "#[cfg(all(test"].iter().filter_map(|head| text.find(head)).min().unwrap_or(text.len())
}

/// Spells out the path or braces that `rest` begins with; gives how much of `rest` that took.
fn expand(rest: &str, prefix: &str, out: &mut Vec<String>) -> usize {
    let mut path = prefix.to_owned();
    let mut at = 0;
    loop {
        let word = rest[at..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '#')).unwrap_or(rest.len() - at);
        path.push_str(&rest[at..at + word]);
        at += word;
        if rest[at..].starts_with("::") {
            at += 2;
            path.push_str("::");
            if rest[at..].starts_with('{') {
                at += 1;
                loop {
                    at += rest[at..].find(|c: char| !(c.is_whitespace() || c == ',')).unwrap_or(rest.len() - at);
                    if at >= rest.len() || rest[at..].starts_with('}') {
                        return (at + 1).min(rest.len());
                    }
                    let took = expand(&rest[at..], &path, out);
                    at += took.max(1);
                }
            }
        } else if prefix.is_empty() && path.is_empty() && rest[at..].starts_with('{') {
            // `crate::{...}`: the braces come first.
            return expand(&format!("::{}", &rest[at..]), "", out);
        } else {
            let path = path.trim_start_matches("::").trim_end_matches("::").to_owned();
            if !path.is_empty() {
                out.push(path);
            }
            // ` as name` and whatever else stands before the next comma is not ours.
            let end = rest[at..].find([',', '}', ';', '\n']).unwrap_or(0);
            return if prefix.is_empty() { at } else { at + end };
        }
    }
}

/// `text` with comments and the contents of string and character literals replaced by spaces, line by line.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw_string(rest) {
            let close = format!("\"{}", "#".repeat(hashes));
            let start = 2 + hashes;
            rest[start..].find(&close).map_or(rest.len(), |end| start + end + close.len())
        } else if c == '"' {
            string_length(rest)
        } else if c == '\'' {
            char_length(rest)
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        let (gone, left) = rest.split_at(taken.max(1));
        out.extend(gone.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = left;
    }
    out
}

fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal, or just the tick of a lifetime.
fn char_length(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => rest[2..].find('\'').map_or(1, |end| end + 3),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// True when `word` stands in `text` as a whole word (or path).
pub fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let open_front = !word.starts_with(part) || !before.is_some_and(part);
        let open_back = !word.ends_with(part) || !after.is_some_and(part);
        open_front && open_back
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let source = Source { path: "src/mesh/link.rs".into(), text: String::new(), code: blank(text) };
        source.crate_paths().into_iter().map(|(_, path)| path).collect()
    }

    #[test]
    fn imports_are_spelled_out() {
        assert_eq!(paths("use crate::media::Packet;"), ["media::Packet"]);
        assert_eq!(paths("use crate::{a, b::{c, d as e}, f};"), ["a", "b::c", "b::d", "f"]);
        assert_eq!(paths("let x = crate::clock::now() + 1; // crate::ui::x"), ["clock::now"]);
        assert_eq!(paths("let x = \"crate::ui::x\"; use super::wire::A;"), Vec::<String>::new());
        assert_eq!(paths("use super::super::av::Thing;"), ["av::Thing"]);
        assert_eq!(paths("pub(crate) fn f() {}"), Vec::<String>::new());
    }

    #[test]
    fn comments_and_strings_are_blanked() {
        assert_eq!(blank("a // b\nc"), "a     \nc");
        assert_eq!(blank("x(\"a\\\"b\", 'c', '\\n')"), "x(      ,    ,     )");
        assert_eq!(blank("fn f<'a>(x: &'a str) {}"), "fn f< a>(x: & a str) {}");
        assert_eq!(blank("r#\"tokio\"# y"), "           y");
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("use tokio::time", "tokio"));
        assert!(!has_word("use tokio_util::x", "tokio"));
        assert!(has_word("std::fs::read", "std::fs"));
    }
}
