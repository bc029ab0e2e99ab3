//! The words in `code` of an `error` that ends a run: one table, so that a bare string is no code. `docs/protocol.md`
//! lists them; scripts rely on them.

use serde::Serialize;

use crate::meeting;

/// One such word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Word(&'static str);

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        $($(#[$doc])* pub const $name: Word = Word($word);)*

        #[cfg(test)]
        const ALL: &[Word] = &[$($name,)*];
    };
}

words! {
    /// The words on the command line are wrong.
    USAGE = "usage",
    /// The contract knows it, this version does not carry it out.
    NOT_YET = "not-available-yet",
    /// A defect, or a system that gives nothing.
    INTERNAL = "internal",
    /// Something on disk.
    STATE = "state",
    /// The socket.
    NETWORK = "network",
    /// Multicast does not work.
    DISCOVERY_FAILED = "discovery-failed",
    /// There is no display, or no window can be opened on it.
    DISPLAY = "display",
    /// A source or sink cannot be opened.
    SOURCE_FAILED = "source-failed",
    /// In sight, or at least known, and there is no answer.
    UNREACHABLE = "unreachable",
    /// Words were shown, and nobody said that they are the same.
    NOT_CONFIRMED = "not-confirmed",
    /// Another key answered than the one that was expected.
    WRONG_KEY = "wrong-key",
    /// A person said no, or cannot be asked.
    DECLINED = "declined",
    /// The call rang and nobody took it.
    NO_ANSWER = "no-answer",
    /// Whom one calls has another call that rings.
    BUSY = "busy",
    /// Somebody else holds the username.
    NAME_TAKEN = "name-taken",
    /// Nobody holds the name.
    UNKNOWN_NAME = "unknown-name",
    /// The rendezvous asks to wait.
    LIMITED = "limited",
    /// The rendezvous does not answer.
    RENDEZVOUS_UNREACHABLE = "rendezvous-unreachable",
    /// Another key than the pinned one answered.
    RENDEZVOUS_KEY_CHANGED = "rendezvous-key-changed",
    /// A record that its owner did not sign.
    RENDEZVOUS_NOT_BELIEVED = "rendezvous-not-believed",
    /// The service refuses for another reason.
    RENDEZVOUS_REFUSED = "rendezvous-refused",
}

impl From<meeting::Code> for Word {
    fn from(code: meeting::Code) -> Self {
        Self(code.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_on_the_page() {
        let page = include_str!("../../docs/protocol.md");
        let page = page.split_once("## Codes that scripts rely on").expect("the section").1;
        let errors = page.split_once("`code` of a `warning`").expect("the section").0;
        for Word(word) in ALL.iter().copied().chain(meeting::Code::ALL.iter().map(|code| Word::from(*code))) {
            assert!(errors.contains(&format!("`{word}`")), "{word} is not on docs/protocol.md");
        }
    }
}
