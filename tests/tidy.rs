//! The rules of the tree, checked: who may import whom, which files decide without doing (pure), where a library or a
//! platform may be named, how long a file may be, and what must never be in the tree. The reasons are in
//! `ARCHITECTURE.md`; a rule is changed there and in the tables of `tidy/rules.rs`, in one commit.
//!
//! Each test lists every breach it finds, with the file and what to do about it.

#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use source::Source;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Fails with all breaches, one a line.
fn verdict(rule: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{rule}\n  {}\n", breaches.join("\n  "));
}

#[test]
fn imports_follow_the_matrix() {
    let mut breaches = Vec::new();
    for source in Source::all() {
        let Some((area, allowed)) = rules::area(&source.path) else {
            breaches.push(format!("{}: belongs to no area; add it to AREAS in tests/tidy/rules.rs", source.path));
            continue;
        };
        for (line, import) in source.crate_paths() {
            let fine = allowed.iter().any(|entry| rules::allows(entry, &import));
            let listed =
                rules::EXCEPTIONS.iter().any(|(file, what, _)| *file == source.path && import.starts_with(what));
            if !fine && !listed {
                breaches.push(format!("{}:{line}: {area} may not use crate::{import}", source.path));
            }
        }
    }
    verdict("Imports go against the matrix of ARCHITECTURE.md (siblings share only the vocabulary):", &breaches);
}

#[test]
fn the_window_sees_the_face_of_engine_and_meeting_and_nothing_behind_it() {
    let (_, allowed) = rules::area("src/ui/app.rs").expect("an area");
    let check = |import: &str, fine: bool| {
        assert_eq!(allowed.iter().any(|entry| rules::allows(entry, import)), fine, "{import}");
    };
    check("engine::Handle", true);
    check("engine::pictures::Key", true);
    check("meeting::Command", true);
    check("meeting::Event::Joined", true);
    check("id::PeerId", true);
    check("engine", false);
    check("engine::self", false);
    check("engine::start", false);
    check("engine::picturesque", false);
    check("engine::actor::Actor", false);
    check("meeting", false);
    check("meeting::chat::Chat", false);
    check("mesh::Visibility", false);
}

#[test]
fn exceptions_to_the_matrix_are_still_needed() {
    let sources = Source::all();
    let unused: Vec<String> = rules::EXCEPTIONS
        .iter()
        .filter(|(file, what, _)| {
            !sources.iter().any(|s| s.path == *file && s.crate_paths().iter().any(|(_, p)| p.starts_with(what)))
        })
        .map(|(file, what, _)| format!("{file} no longer uses crate::{what}: remove the line"))
        .collect();
    verdict("EXCEPTIONS of tests/tidy/rules.rs that nothing uses:", &unused);
}

#[test]
fn every_path_that_a_rule_names_exists() {
    let named = rules::named();
    assert!(named.len() > 50, "the tables name only {} paths", named.len());
    let missing: Vec<String> = named
        .iter()
        .filter(|(_, path)| !root().join(path.trim_end_matches('*')).exists())
        .map(|(table, path)| format!("{path} in {table} is no file or folder: remove it"))
        .collect();
    verdict("Paths in tests/tidy/rules.rs that are not there:", &missing);
}

#[test]
fn pure_files_stay_pure() {
    let mut breaches = Vec::new();
    for source in Source::all() {
        let marked = source.text.starts_with("//! Sans-IO.");
        let says_something = source::has_word(source.code(), "fn") && !source.text.starts_with("//! To be written.");
        if rules::must_be_pure(&source.path) && !marked && says_something {
            breaches.push(format!("{}: is pure by the map and must start with `//! Sans-IO.`", source.path));
        }
        if !marked {
            continue;
        }
        for (line, text) in source.code_lines() {
            for word in rules::IMPURE {
                if source::has_word(text, word) {
                    breaches.push(format!("{}:{line}: a Sans-IO file may not use `{word}`; pass it in", source.path));
                }
            }
        }
    }
    verdict(
        "Pure files decide and do nothing else (no tokio, sockets, files, threads, clocks, randomness, locks):",
        &breaches,
    );
}

#[test]
fn third_party_types_stay_in_their_wrappers() {
    let mut breaches = Vec::new();
    for source in Source::all() {
        for (line, text) in source.code_lines() {
            for (library, files) in rules::WRAPPERS {
                let named = text.contains(&format!("{library}::")) && source::has_word(text, library);
                let fine = files.iter().any(|file| rules::matches(file, &source.path));
                if named && !fine {
                    breaches.push(format!("{}:{line}: `{library}` is named only in {}", source.path, files.join(", ")));
                }
            }
        }
    }
    verdict("A library is named only by the files that wrap it:", &breaches);
}

#[test]
fn platform_code_stands_only_in_listed_files() {
    let mut breaches = Vec::new();
    for source in Source::all() {
        if rules::PLATFORM_FILES.iter().any(|file| rules::matches(file, &source.path)) {
            continue;
        }
        for (line, text) in source.code_lines() {
            for sign in rules::PLATFORM_SIGNS {
                if source::has_word(text, sign) {
                    breaches
                        .push(format!("{}:{line}: `{sign}` is platform code; move it to a listed file", source.path));
                }
            }
        }
    }
    verdict("Platform code stands only in PLATFORM_FILES of tests/tidy/rules.rs:", &breaches);
}

#[test]
fn no_picture_or_packet_reaches_a_face() {
    let mut breaches = Vec::new();
    for source in Source::all() {
        if !["src/ui/", "src/cli/", "src/meeting/"].iter().any(|area| source.path.starts_with(area)) {
            continue;
        }
        for (line, text) in source.code_lines() {
            for word in ["VideoFrame", "AudioFrame", "Packet", "Arrival"] {
                if source::has_word(text, word) && !rules::FRAME_FILES.contains(&source.path.as_str()) {
                    breaches.push(format!("{}:{line}: `{word}` travels on the data plane only", source.path));
                }
            }
        }
    }
    verdict(
        "Frames and packets never pass through messages of the meeting, the window or the command line:",
        &breaches,
    );
}

#[test]
fn no_file_is_over_the_cap() {
    let mut breaches = Vec::new();
    for source in Source::all() {
        let lines = source.text[..source.tests_start()].lines().count();
        if lines > rules::MAX_LINES {
            breaches.push(format!("{}: {lines} lines without its tests; is it one thought?", source.path));
        }
    }
    verdict(&format!("A file has at most {} lines without its tests:", rules::MAX_LINES), &breaches);
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<String> = Source::all()
        .iter()
        .filter(|source| !source.text.trim_start().starts_with("//!"))
        .map(|source| format!("{}: has no essay (//!) at its top", source.path))
        .collect();
    verdict("Each file says at its top what it decides and why:", &silent);
}

/// Every file of the tree that is not built or fetched.
fn tree(folder: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if matches!(name.as_ref(), "target" | ".git" | ".cache" | "proptest-regressions") {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => tree(&path, out),
            Ok(kind) if kind.is_file() => out.push(path),
            _ => {}
        }
    }
}

#[test]
fn no_machine_path_and_no_private_key_is_in_the_tree() {
    let forbidden = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("BEGIN ", "PRIVATE KEY"),
        concat!("BEGIN EC ", "PRIVATE KEY"),
    ];
    let (mut files, mut breaches) = (Vec::new(), Vec::new());
    tree(&root(), &mut files);
    assert!(files.len() > 50, "the walk of the tree found only {} files", files.len());
    for path in files {
        let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        // What make-dev-cert.sh makes is there on a developer's machine and ignored by git.
        if shown.starts_with("certs/") && !matches!(shown.as_str(), "certs/README.md" | "certs/make-dev-cert.sh") {
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).expect("a file of the tree can be read")).into_owned();
        for word in forbidden {
            if text.contains(word) {
                breaches.push(format!("{shown}: contains `{word}`"));
            }
        }
    }
    verdict("Paths of one machine and private keys are never committed:", &breaches);
}

/// The quoted words of the list that `head` opens, in the manner of TOML.
fn toml_list(text: &str, head: &str) -> BTreeSet<String> {
    let start = text.find(head).unwrap_or_else(|| panic!("deny.toml has no `{head}`")) + head.len();
    let end = start + text[start..].find(']').expect("the list ends");
    text[start..end].split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// True when `expression` (SPDX 2.1) can be met with `allowed` licences alone.
fn licence_is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    // The old way to write OR is a slash. AND binds tighter than OR; brackets are met from the inside out.
    let mut text = expression.replace('/', " OR ");
    while let Some(close) = text.find(')') {
        let open = text[..close].rfind('(').expect("brackets match");
        let word = if licence_is_met(&text[open + 1..close], allowed) { "+" } else { "-" };
        text.replace_range(open..=close, word);
    }
    text.split(" OR ")
        .any(|all| all.split(" AND ").map(str::trim).all(|one| one == "+" || (one != "-" && allowed.contains(one))))
}

#[test]
fn licence_expressions_are_understood() {
    let allowed: BTreeSet<String> = ["MIT", "Apache-2.0"].map(str::to_owned).into();
    let check = |text: &str, expect: bool| assert_eq!(licence_is_met(text, &allowed), expect, "{text}");
    check("MIT", true);
    check("MIT/GPL-3.0", true);
    check("MIT AND GPL-3.0", false);
    check("(MIT OR GPL-3.0) AND Apache-2.0", true);
    check("(MIT AND GPL-3.0) OR GPL-2.0", false);
}

#[test]
fn dependencies_keep_to_deny_toml() {
    let rules = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml can be read");
    let (allowed, banned) = (toml_list(&rules, "allow = ["), toml_list(&rules, "\ndeny = ["));
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let mut breaches = Vec::new();
    for package in metadata["packages"].as_array().expect("a list of packages") {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        if text("name") == env!("CARGO_PKG_NAME") {
            continue;
        }
        let named = format!("{} {}", text("name"), text("version"));
        if !licence_is_met(text("license"), &allowed) {
            breaches.push(format!("{named}: licence `{}` is not in deny.toml", text("license")));
        }
        if banned.contains(text("name")) {
            breaches.push(format!("{named}: is banned by deny.toml"));
        }
        if !text("source").starts_with("registry+") {
            breaches.push(format!("{named}: comes from `{}`; only registry releases are used", text("source")));
        }
    }
    verdict("Dependencies keep to deny.toml:", &breaches);
}

#[test]
fn every_dependency_is_used() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml can be read");
    let mut code = String::new();
    for source in Source::all() {
        let _ = writeln!(code, "{}", source.text);
    }
    let mut section = "";
    let mut breaches = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && !section.contains("dev-dependencies") {
            let Some((name, _)) = line.split_once('=') else { continue };
            let name = name.trim().replace('-', "_");
            let called =
                rules::CALLED.iter().find(|(package, _)| *package == name).map_or(name.as_str(), |(_, it)| *it);
            if !source::has_word(&code, called) {
                breaches.push(format!("{name} is in Cargo.toml and nowhere in src/"));
            }
        }
    }
    verdict("Each dependency is used:", &breaches);
}

#[test]
fn every_warning_of_the_mesh_is_on_the_list() {
    use lets_meet::meeting::WarningCode;
    let (mut breaches, mut found) = (Vec::new(), 0);
    for source in Source::all().into_iter().filter(|source| source.path.starts_with("src/mesh/")) {
        // As in `warn("room-full", ..)` and `Refusal::Removed => ("removed", "..")`.
        let code = &source.text[..source.tests_start()];
        let words = ["warn(\"", "=> (\"", "code: \""].into_iter().flat_map(|sign| code.split(sign).skip(1));
        for word in words.filter_map(|rest| rest.split('"').next()) {
            found += 1;
            if WarningCode::parse(word).is_none() {
                breaches.push(format!("{}: `{word}` is no WarningCode", source.path));
            }
        }
    }
    assert!(found > 5, "only {found} warnings were found");
    verdict("A warning that scripts meet as `other` says nothing:", &breaches);
}

#[test]
fn the_page_of_the_protocol_keeps_every_closed_list() {
    use lets_meet::meeting::{Code, WarningCode};
    let page = std::fs::read_to_string(root().join("docs/protocol.md")).expect("docs/protocol.md can be read");
    let words = Code::ALL.iter().map(|code| code.as_str()).chain(WarningCode::ALL.iter().map(|code| code.as_str()));
    let missing: Vec<String> =
        words.filter(|word| !page.contains(&format!("| `{word}` |"))).map(|word| format!("`{word}`")).collect();
    verdict("docs/protocol.md lists every code that scripts may meet:", &missing);
}
