//! Text by its rank. Text that somebody else wrote is shaped fully (any script, any direction).

use iced::widget::Text;
use iced::widget::text;
use iced::widget::text::{IntoFragment, Wrapping};

use crate::ui::theme::{Look, MEDIUM, STRONG, Size};

/// Text.
pub fn label<'a>(look: Look, words: impl IntoFragment<'a>) -> Text<'a> {
    text(words).size(look.size(Size::Body)).color(look.colours.text).wrapping(Wrapping::WordOrGlyph)
}

/// Text that matters less.
pub fn quiet<'a>(look: Look, words: impl IntoFragment<'a>) -> Text<'a> {
    text(words).size(look.size(Size::Small)).color(look.colours.quiet).wrapping(Wrapping::WordOrGlyph)
}

/// A name, or the title of a card.
pub fn strong<'a>(look: Look, words: impl IntoFragment<'a>) -> Text<'a> {
    label(look, words).font(STRONG)
}

/// The title of a screen.
pub fn title<'a>(look: Look, words: impl IntoFragment<'a>) -> Text<'a> {
    text(words).size(look.size(Size::Title)).color(look.colours.text).font(STRONG)
}

/// The title over a list: small capitals by being written so.
pub fn section<'a>(look: Look, words: &str) -> Text<'a> {
    text(words.to_uppercase()).size(look.size(Size::Small)).color(look.colours.quiet).font(MEDIUM)
}

/// One line of text that ends in … where there is no room. `most` counts characters.
pub fn shortened(words: &str, most: usize) -> String {
    if words.chars().count() <= most {
        return words.to_owned();
    }
    let mut short: String = words.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn long_words_end_in_dots() {
        assert_eq!(shortened("Ana", 5), "Ana");
        assert_eq!(shortened("Anastasia", 5), "Anas…");
        assert_eq!(shortened("আনাস্তাসিয়া", 3).chars().count(), 3);
    }
}
