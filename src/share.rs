//! Words that people share: names, chat text, file names, progress. Parsed once, at the edge: what exists here is safe
//! to show in a terminal and to join to a folder.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest chat line, in bytes of UTF-8.
pub const MAX_CHAT_BYTES: usize = 16 * 1024;
/// Longest file name, in bytes of UTF-8: what common file systems take, with room for a suffix.
pub const MAX_FILE_NAME_BYTES: usize = 200;

/// True for characters that move the cursor, hide or reorder text: controls, direction marks and overrides
/// (UAX #9), zero-width characters and fillers (Default_Ignorable_Code_Point of UAX #44), the byte order mark, tags and
/// unassigned line separators.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// `text` without control and direction characters, trimmed.
pub fn visible(text: &str) -> String {
    text.chars().filter(|c| !is_invisible(*c)).collect::<String>().trim().to_owned()
}

/// Marks on one letter that stay: the most that a script writes. A tower of them would lie over what stands above.
const MAX_MARKS: usize = 4;

/// `text` with at most [`MAX_MARKS`] marks in a row.
fn low(text: &str) -> String {
    let mut marks = 0;
    let stays = |c: &char| {
        marks = if crate::id::is_mark(*c) { marks + 1 } else { 0 };
        marks <= MAX_MARKS
    };
    text.chars().filter(stays).collect()
}

/// The name a person chose to be shown as: 1 to 64 visible characters. Not unique, proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct DisplayName(String);

impl DisplayName {
    /// Keeps the visible characters of `text`, at most 64. What has none becomes "Someone".
    pub fn new(text: &str) -> Self {
        let clean: String = low(&visible(text)).chars().take(64).collect();
        let clean = clean.trim();
        Self(if clean.is_empty() { "Someone".to_owned() } else { clean.to_owned() })
    }

    /// `name#digits`: the name cut so that the digits are always seen.
    pub fn with_digits(&self, digits: &str) -> Self {
        let room = 64_usize.saturating_sub(digits.chars().count() + 1);
        let name: String = self.0.chars().take(room).collect();
        Self::new(&format!("{}#{digits}", name.trim_end()))
    }

    /// The name to show.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which two names collide.
    pub fn folded(&self) -> String {
        crate::id::fold(&self.0)
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for DisplayName {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<DisplayName> for String {
    fn from(name: DisplayName) -> Self {
        name.0
    }
}

/// Text that cannot be a chat line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TextError {
    /// Nothing visible in it; say something.
    #[error("a message needs at least one visible character")]
    Empty,
    /// Longer than [`MAX_CHAT_BYTES`]; split it.
    #[error("a message is at most {MAX_CHAT_BYTES} bytes; split it, or drop it as a file")]
    TooLong,
}

/// One chat line. Line breaks and tabs stay, other control and direction characters are removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChatText(String);

impl ChatText {
    /// Checks `text`.
    pub fn new(text: &str) -> Result<Self, TextError> {
        if text.len() > MAX_CHAT_BYTES {
            return Err(TextError::TooLong);
        }
        // Joiners stay: emoji and several scripts are written with them.
        let joins = |c: &char| matches!(c, '\u{180b}'..='\u{180d}' | '\u{200c}' | '\u{200d}' | '\u{fe0f}');
        let keep = |c: &char| matches!(c, '\n' | '\t') || joins(c) || !is_invisible(*c);
        let clean: String = text.chars().filter(keep).collect();
        if visible(&clean).is_empty() { Err(TextError::Empty) } else { Ok(Self(clean)) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ChatText {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        Self::new(&text)
    }
}

impl From<ChatText> for String {
    fn from(text: ChatText) -> Self {
        text.0
    }
}

/// Longest emoji, in characters: couples with two skin tones have ten.
const MAX_EMOJI: usize = 10;

/// Text that is not one emoji.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a reaction is one emoji")]
pub struct NoEmoji;

/// One emoji (UTS #51): a picture, a flag or a keycap, with its joiners and skin tones and nothing beside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Emoji(String);

impl Emoji {
    /// Checks `text`.
    pub fn new(text: &str) -> Result<Self, NoEmoji> {
        let characters: Vec<char> = text.chars().take(MAX_EMOJI + 1).collect();
        if characters.len() <= MAX_EMOJI && is_emoji(&characters) { Ok(Self(text.to_owned())) } else { Err(NoEmoji) }
    }

    /// The emoji.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// True for one emoji sequence: elements that zero-width joiners tie together.
fn is_emoji(text: &[char]) -> bool {
    text.split(|c| *c == '\u{200d}').all(is_emoji_element)
}

fn is_emoji_element(text: &[char]) -> bool {
    match text {
        // Keycaps.
        ['0'..='9' | '#' | '*', '\u{fe0f}', '\u{20e3}'] => true,
        // Flags of countries, and of their parts by tags.
        ['\u{1f1e6}'..='\u{1f1ff}', '\u{1f1e6}'..='\u{1f1ff}'] => true,
        ['\u{1f3f4}', tags @ .., '\u{e007f}'] => {
            !tags.is_empty()
                && tags.iter().all(|tag| matches!(tag, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}'))
        }
        [picture] | [picture, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}'] => is_pictograph(*picture),
        _ => false,
    }
}

/// The blocks in which pictographs lie; a few signs beside them are let through.
fn is_pictograph(c: char) -> bool {
    matches!(c,
        '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2194}'..='\u{21aa}'
        | '\u{231a}'..='\u{23ff}' | '\u{24c2}' | '\u{25aa}'..='\u{27bf}' | '\u{2934}' | '\u{2935}'
        | '\u{2b05}'..='\u{2b55}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}'
        | '\u{1f000}'..='\u{1f1e5}' | '\u{1f200}'..='\u{1faff}')
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Emoji {
    type Error = NoEmoji;

    fn try_from(text: String) -> Result<Self, NoEmoji> {
        Self::new(&text)
    }
}

impl From<Emoji> for String {
    fn from(emoji: Emoji) -> Self {
        emoji.0
    }
}

/// A name for a file in the download folder: one path component that stays in its folder on every common system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct FileName(String);

impl FileName {
    /// Makes a safe name of whatever `text` holds: the last path component, visible characters, none of the
    /// characters that some file system reserves, no leading or trailing dots and spaces, no device names of
    /// Windows, at most [`MAX_FILE_NAME_BYTES`] with the extension kept. What has nothing left is "file".
    pub fn new(text: &str) -> Self {
        let last =
            text.rsplit(['/', '\\']).find(|part| !part.is_empty() && *part != "." && *part != "..").unwrap_or("");
        let clean: String = low(&visible(last))
            .chars()
            .map(|c| if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c })
            .collect();
        let clean = clean.trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']);
        let mut name = shorten(clean);
        if name.is_empty() {
            name = "file".to_owned();
        }
        if is_device_name(&name) {
            name.insert(0, '_');
        }
        Self(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name with `-n` before its extension, for a folder that already has it.
    pub fn numbered(&self, n: u32) -> String {
        match self.0.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => format!("{stem}-{n}.{extension}"),
            _ => format!("{}-{n}", self.0),
        }
    }
}

fn shorten(name: &str) -> String {
    if name.len() <= MAX_FILE_NAME_BYTES {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 16 => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let mut end = MAX_FILE_NAME_BYTES - extension.len();
    while !stem.is_char_boundary(end.min(stem.len())) {
        end -= 1;
    }
    format!("{}{extension}", stem[..end.min(stem.len())].trim_end_matches(['.', ' ']))
}

fn is_device_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix)
            .is_some_and(|n| n.chars().count() == 1 && n.chars().all(|c| c.is_ascii_digit() || "¹²³".contains(c)))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for FileName {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes that arrived (receiver) or that the receiver confirmed (sender).
    pub done: u64,
    /// Bytes in all.
    pub size: u64,
    /// Bytes a second, over the last seconds.
    pub rate: u64,
    /// Milliseconds to go at this rate; `None` while the rate is unknown.
    pub eta_ms: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_lose_what_cannot_be_seen() {
        let check = |input: &str, expect: &str| assert_eq!(DisplayName::new(input).as_str(), expect, "{input:?}");
        check("  Bo  ", "Bo");
        check("a\u{202e}b\u{7}\u{1b}[31mc", "ab[31mc");
        check("\u{200b}\u{feff}", "Someone");
        // Fillers, joiners and selectors that show nothing.
        for hidden in
            "\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}\u{180f}\u{3164}\u{ffa0}\u{1bca0}\u{1d173}".chars()
        {
            check(&format!("B{hidden}ob"), "Bob");
            check(&hidden.to_string(), "Someone");
        }
        check(&"x".repeat(100), &"x".repeat(64));
        // A tower of marks is cut; what is written with several stays.
        check(&format!("Bo{}b", "\u{301}".repeat(60)), &format!("Bo{}b", "\u{301}".repeat(4)));
        let hebrew = "\u{5e9}\u{5c1}\u{5bc}\u{5b8}\u{591}\u{5dc}\u{5d5}\u{5b9}\u{5dd}";
        check(hebrew, hebrew);
        let tower = FileName::new(&format!("a{}.txt", "\u{20dd}".repeat(60)));
        assert_eq!(tower.as_str(), format!("a{}.txt", "\u{20dd}".repeat(4)));
    }

    #[test]
    fn chat_keeps_line_breaks_and_drops_escapes() {
        assert_eq!(ChatText::new("a\nb\u{1b}c").map(String::from), Ok("a\nbc".to_owned()));
        assert_eq!(ChatText::new("\u{1b}\n "), Err(TextError::Empty));
        assert_eq!(ChatText::new(&"x".repeat(MAX_CHAT_BYTES + 1)), Err(TextError::TooLong));
    }

    #[test]
    fn a_reaction_is_one_emoji() {
        for good in ["👍", "❤️", "🎉", "👍🏽", "👨‍👩‍👧‍👦", "🇧🇩", "4️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👩🏽‍❤️‍💋‍👨🏿", "🏳️‍🌈", "❓"]
        {
            assert_eq!(Emoji::new(good).map(String::from), Ok(good.to_owned()));
        }
        let long = "👍\u{200d}".repeat(2000) + "👍";
        let tags = format!("🏴{}\u{e007f}", "\u{e0061}".repeat(40));
        for bad in [
            "",
            " ",
            "a",
            "7",
            "👍👍",
            "👍 ",
            "👍\u{200d}",
            "\u{200d}👍",
            "\u{fe0f}",
            "👍\n",
            "\u{1b}[31m",
            "👍\u{202e}",
            "\u{1f1e6}",
            "👍\u{fe0f}\u{fe0f}",
            "🏴\u{e007f}",
            "\u{e0061}",
            "٤\u{fe0f}\u{20e3}",
            &long,
            &tags,
        ] {
            assert_eq!(Emoji::new(bad), Err(NoEmoji), "{bad:?}");
        }
    }

    #[test]
    fn file_names_cannot_leave_their_folder() {
        let check = |input: &str, expect: &str| assert_eq!(FileName::new(input).as_str(), expect, "{input:?}");
        check("report.pdf", "report.pdf");
        check("../../x", "x");
        check("/etc/passwd", "passwd");
        check("C:\\temp\\a.txt", "a.txt");
        check("..", "file");
        check("", "file");
        check(".bashrc", "bashrc");
        check("con.txt", "_con.txt");
        check("LPT1", "_LPT1");
        check("a:b*c?.txt", "a_b_c_.txt");
        check("x\u{202e}gpj.exe", "xgpj.exe");
        check("name. . ", "name");
        let long = FileName::new(&format!("{}.tar", "é".repeat(300)));
        assert!(long.as_str().len() <= MAX_FILE_NAME_BYTES && long.as_str().ends_with(".tar"));
    }

    #[test]
    fn numbered_names_keep_the_extension() {
        assert_eq!(FileName::new("a.txt").numbered(2), "a-2.txt");
        assert_eq!(FileName::new("a").numbered(1), "a-1");
    }

    proptest::proptest! {
        #[test]
        fn any_file_name_is_one_safe_component(text in ".{0,400}") {
            let name = FileName::new(&text);
            let name = name.as_str();
            proptest::prop_assert!(!name.is_empty() && name.len() <= MAX_FILE_NAME_BYTES + 1);
            proptest::prop_assert!(!name.contains(['/', '\\', '\0']) && !name.starts_with('.'));
        }
    }
}
