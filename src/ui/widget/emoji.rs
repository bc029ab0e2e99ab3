//! Text with emoji in colour. Many symbol fonts have emoji without colours, and the first font that has a character is
//! taken: so the font is said for them. Where it is missing the system's own is found as before.

use iced::Element;
use iced::widget::text::{Span, Wrapping};
use iced::widget::{rich_text, span};

use super::label::label;
use super::said::said;
use crate::ui::theme::{EMOJI, Look, Size};

fn starts(c: char) -> bool {
    matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{2b05}'..='\u{2b55}'
        | '\u{231a}' | '\u{231b}' | '\u{23e9}'..='\u{23fa}')
}

/// Joiners and selectors: part of what stands before them. Alone they belong to scripts that are written with them.
fn goes_on(c: char) -> bool {
    starts(c) || matches!(c, '\u{200d}' | '\u{fe0f}')
}

/// `words` cut where emoji begin and end; true is emoji.
fn cut(words: &str) -> Vec<(&str, bool)> {
    let mut parts = Vec::new();
    let (mut from, mut emoji) = (0, false);
    for (at, c) in words.char_indices() {
        let now = if emoji { goes_on(c) } else { starts(c) };
        if now != emoji {
            if at > from {
                parts.push((&words[from..at], emoji));
            }
            (from, emoji) = (at, now);
        }
    }
    if from < words.len() {
        parts.push((&words[from..], emoji));
    }
    parts
}

/// Text that somebody wrote.
pub fn written<'a, Message: 'a>(look: Look, words: &str) -> Element<'a, Message> {
    let parts = cut(words);
    if parts.iter().all(|(_, emoji)| !emoji) {
        return label(look, words.to_owned()).into();
    }
    let spans: Vec<Span<'a>> = parts
        .into_iter()
        .map(|(part, emoji)| if emoji { span(part.to_owned()).font(EMOJI) } else { span(part.to_owned()) })
        .collect();
    let text = rich_text(spans).size(look.size(Size::Body)).color(look.colours.text).wrapping(Wrapping::WordOrGlyph);
    said(words.to_owned(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_emoji_is_found_by_its_words_and_is_no_control() {
        // What a peer writes must not name anything.
        let words = "emoji-👍";
        let mut see = iced_test::simulator(written::<()>(Look::default(), words));
        assert!(see.find(words).is_ok());
        assert!(see.find(iced_test::selector::id(words)).is_err());
    }

    #[test]
    fn emoji_are_cut_out_whole_and_scripts_stay_whole() {
        assert_eq!(cut("Sure 👍🏽!"), [("Sure ", false), ("👍🏽", true), ("!", false)]);
        assert_eq!(cut("👩‍👩‍👧‍👦❤️"), [("👩‍👩‍👧‍👦❤️", true)]);
        assert_eq!(cut("🇧🇩 x"), [("🇧🇩", true), (" x", false)]);
        // A joiner inside of a word.
        let word = "ক্\u{200d}ষ";
        assert_eq!(cut(word), [(word, false)]);
        assert!(cut("").is_empty());
    }
}
