//! Sans-IO. Transfers as the meeting sees them: what happens to an offer, and who sends what to whom for `state`. The
//! transfers themselves are made elsewhere; their news comes in as [`FileEvent`]s.

/// What happens to a file that somebody offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Accept {
    /// A person decides.
    #[default]
    Ask,
    /// Accepted, in this run only (`--accept-files`).
    All,
    /// Declined.
    None,
}

impl Accept {
    /// The word in `state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::All => "all",
            Self::None => "none",
        }
    }
}
