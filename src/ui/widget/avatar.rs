//! A person without a picture: a circle in the colour of the key with the name's initials.

use iced::widget::{center, text};
use iced::{Background, Border, Color, Element};

use crate::id::PeerId;
use crate::ui::theme::{Look, ON_PEOPLE, PEOPLE, STRONG};

/// The colour of a key: the same on every screen.
pub fn colour(peer: PeerId) -> Color {
    PEOPLE[usize::from(peer.as_bytes()[0]) % PEOPLE.len()]
}

/// One or two letters for a name.
pub fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let first = words.next();
    match (first, words.next_back()) {
        (Some(first), Some(last)) => first.to_uppercase().chain(last.to_uppercase()).collect(),
        (Some(_), None) => {
            let letters = name.chars().filter(|c| c.is_alphanumeric()).take(2);
            letters.flat_map(char::to_uppercase).collect()
        }
        _ => "?".to_owned(),
    }
}

/// The circle, `size` pixels across.
pub fn avatar<'a, Message: 'a>(look: Look, name: &str, peer: PeerId, size: f32) -> Element<'a, Message> {
    let size = look.scaled(size);
    center(text(initials(name)).font(STRONG).size(size * 0.38).color(ON_PEOPLE))
        .width(size)
        .height(size)
        .style(move |_| iced::widget::container::Style {
            background: Some(Background::Color(colour(peer))),
            border: Border { radius: (size / 2.0).into(), ..Border::default() },
            ..Default::default()
        })
        .into()
}

#[cfg(test)]
mod tests {
    use super::initials;

    #[test]
    fn initials_are_of_the_first_and_last_word() {
        let check = |name: &str, expect: &str| assert_eq!(initials(name), expect, "{name}");
        check("Ana", "AN");
        check("Ana Maria Lopez", "AL");
        check("  ", "?");
        check("李 小龙", "李小");
        check("🙂", "?");
        check("x", "X");
    }
}
