//! Sans-IO. How far a key is trusted.

/// How far a key is trusted, by what was seen of it and what its reader decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Trust {
    /// This key was never linked before this run.
    #[default]
    New,
    /// It was, or it was accepted in place of another.
    Known,
    /// Its safety words were compared.
    Verified,
    /// It comes under a name that a verified key bore, and is another key: nothing of ours goes to it until that is
    /// decided.
    Changed,
}

impl Trust {
    /// The word in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Known => "known",
            Self::Verified => "verified",
            Self::Changed => "changed",
        }
    }
}
