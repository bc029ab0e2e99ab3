//! Sans-IO. How far we have heard each author in private conversations. The lines themselves are shown and not kept:
//! only their author passes them on.
//!
//! Bounds: [`MAX_CONVERSATIONS`] an author and [`MAX_AUTHORS`] authors; who is here is always remembered, so that keys
//! that come and go cannot push it out. Above, of those who are away the one that was quiet for longest is forgotten.
//! Shown twice can then be the lines of an author that keeps more conversations than that open, and what somebody who
//! was away while so many others wrote to us had not yet seen confirmed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::id::{Instance, PeerId};

use super::super::message_id::ConversationId;

/// Conversations remembered of one author.
pub const MAX_CONVERSATIONS: usize = 256;
/// Authors remembered.
pub const MAX_AUTHORS: usize = 256;

type Key = (Instance, ConversationId);

/// Cursors of private conversations.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    authors: BTreeMap<PeerId, BTreeMap<Key, (u64, Instant)>>,
}

impl Heard {
    /// The counter of the line to come.
    pub fn next(&self, author: PeerId, instance: Instance, conversation: ConversationId) -> u64 {
        let cursor = self.authors.get(&author).and_then(|cursors| cursors.get(&(instance, conversation)));
        cursor.map_or(1, |(next, _)| *next)
    }

    /// All lines below `next` were heard. Who is `here` is not forgotten; links bound how many that are.
    pub fn set(&mut self, now: Instant, author: PeerId, key: Key, next: u64, here: &BTreeSet<PeerId>) {
        if self.authors.len() >= MAX_AUTHORS && !self.authors.contains_key(&author) {
            let quiet = |cursors: &BTreeMap<Key, (u64, Instant)>| cursors.values().map(|(_, touched)| *touched).max();
            let away = self.authors.iter().filter(|(peer, _)| !here.contains(peer));
            let quietest = away.min_by_key(|(_, cursors)| quiet(cursors)).map(|(peer, _)| *peer);
            quietest.and_then(|peer| self.authors.remove(&peer));
        }
        let cursors = self.authors.entry(author).or_default();
        if cursors.len() >= MAX_CONVERSATIONS && !cursors.contains_key(&key) {
            let quietest = cursors.iter().min_by_key(|(_, (_, touched))| *touched).map(|(key, _)| *key);
            quietest.and_then(|key| cursors.remove(&key));
        }
        cursors.insert(key, (next, now));
    }

    /// What was heard of `author`: instance, conversation, next counter.
    pub fn of(&self, author: PeerId) -> impl Iterator<Item = (Instance, ConversationId, u64)> + '_ {
        let cursors = self.authors.get(&author).into_iter().flatten();
        cursors.map(|((instance, conversation), (next, _))| (*instance, *conversation, *next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RoomId;

    #[test]
    fn what_was_quiet_for_longest_is_forgotten_above_the_caps() {
        let start = crate::clock::now();
        let at = |n: u16| start + std::time::Duration::from_secs(n.into());
        let conversation = |n: u16| {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&n.to_be_bytes());
            ConversationId::from_bytes(id)
        };
        let author = |n: u16| {
            let mut id = [0; 32];
            id[..2].copy_from_slice(&n.to_be_bytes());
            PeerId::from_bytes(id)
        };
        let instance = Instance::from_u64(1);
        let mut heard = Heard::default();
        for n in 0..300 {
            heard.set(at(n), author(0), (instance, conversation(n)), 5, &BTreeSet::new());
        }
        assert_eq!(heard.of(author(0)).count(), MAX_CONVERSATIONS);
        assert_eq!(heard.next(author(0), instance, conversation(0)), 1);
        assert_eq!(heard.next(author(0), instance, conversation(299)), 5);
        let here = BTreeSet::from([author(1)]);
        for n in 1..400 {
            heard.set(at(1000 + n), author(n), (instance, ConversationId::room(RoomId::from_bytes([0; 32]))), 2, &here);
        }
        assert_eq!(heard.authors.len(), MAX_AUTHORS);
        assert_eq!(heard.of(author(0)).count(), 0);
        assert_eq!(heard.of(author(1)).count(), 1, "who is here is remembered");
        assert_eq!(heard.of(author(2)).count(), 0);
        assert_eq!(heard.of(author(399)).count(), 1);
    }
}
