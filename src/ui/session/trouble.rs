//! Why no engine runs, in words, and where that can be mended.

use crate::engine::Error;
use crate::ui::text;

/// Why an engine did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What happened and what to do, in sentences.
    pub message: String,
    /// What to do, where it is known apart.
    pub hint: String,
    /// Where that can be done.
    pub way: Way,
}

/// Where a trouble can be mended, beside trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// Nowhere in this window.
    #[default]
    Again,
    /// In the settings.
    Settings,
    /// The doctor says more.
    Doctor,
}

impl Trouble {
    /// What happened, and what to do.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), way: Way::Again }
    }

    /// Where to do it.
    #[must_use]
    pub fn way(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    /// Both in one.
    pub fn words(&self) -> String {
        if self.hint.is_empty() { self.message.clone() } else { format!("{} {}", self.message, self.hint) }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        text::trouble(&error)
    }
}

/// What is answered for a start that nobody waits for any more.
pub(super) fn given_up() -> Trouble {
    Trouble::new(text::GIVEN_UP, "")
}
