//! Safety words beside the loops: each takes some 20 ms of a processor, and they are made one after another, on a thread
//! for what blocks, once for each key.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::id::PeerId;
use crate::meeting::Words;

/// Words that are kept. Overflow: all are forgotten, and made again when they are asked for.
const MAX_KEPT: usize = 64;

/// The words of our key with others, as far as they were asked for.
#[derive(Debug, Clone)]
pub struct Wordbook {
    me: PeerId,
    // At most MAX_KEPT.
    found: Arc<Mutex<BTreeMap<PeerId, Words>>>,
}

impl Wordbook {
    /// Without any yet.
    pub fn new(me: PeerId) -> Self {
        Self { me, found: Arc::default() }
    }

    /// The words to compare with `peer`. Blocks while they are made, and while others are.
    pub fn with(&self, peer: PeerId) -> Words {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(words) = found.get(&peer) {
            return *words;
        }
        if found.len() >= MAX_KEPT {
            found.clear();
        }
        let words = Words::between(self.me, peer);
        found.insert(peer, words);
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_made_once_and_shared_by_all_copies() {
        let peer = |n| PeerId::from_bytes([n; 32]);
        let book = Wordbook::new(peer(1));
        assert_eq!(book.clone().with(peer(2)), Words::between(peer(1), peer(2)));
        let kept = |book: &Wordbook| book.found.lock().expect("no panic").len();
        assert_eq!(kept(&book), 1);
        assert_eq!(book.with(peer(2)), Words::between(peer(2), peer(1)));
        assert_eq!(kept(&book), 1);
    }
}
