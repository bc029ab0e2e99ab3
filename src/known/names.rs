//! Sans-IO. Which keys have used which display name.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::PeerId;

/// Folded display names, each with every key that was linked under it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    keys: BTreeMap<String, BTreeSet<PeerId>>,
}

impl Names {
    /// Knows nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys that used `folded`.
    pub fn keys(&self, folded: &str) -> impl Iterator<Item = PeerId> + '_ {
        self.keys.get(folded).into_iter().flatten().copied()
    }
}
