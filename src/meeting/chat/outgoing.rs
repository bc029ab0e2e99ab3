//! Sans-IO. What we said in one conversation in this run, who confirmed it, and how long a private line waits.
//!
//! Bounds. At most [`MAX_CONVERSATIONS`] private conversations a run: their counters must never start over, so none is
//! forgotten and one more is refused. Of all private lines at most [`MAX_BYTES`] are kept; above, the conversation
//! that holds most loses its oldest line. A private line waits [`PATIENCE`] for a recipient, then it is given up.
//! At most [`MAX_CONFIRMED`] confirming peers are remembered of a conversation; more confirm without being listed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::id::PeerId;

use super::run::Run;

/// Private conversations of one run of ours.
pub const MAX_CONVERSATIONS: usize = 1024;
/// Bytes kept of our own private lines.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// How long a private line waits for a recipient who is away.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// Peers remembered as having confirmed lines of a conversation.
pub const MAX_CONFIRMED: usize = 256;

/// To whom we speak.
#[derive(Debug, Clone)]
pub enum To {
    /// Everybody in the room. The lines are kept with the room's.
    Room,
    /// Exactly these, oneself included. The lines are kept here.
    People(BTreeSet<PeerId>, Run),
}

/// Our side of one conversation.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// To whom.
    pub to: To,
    /// For each peer: all lines below this counter are confirmed.
    confirmed: BTreeMap<PeerId, u64>,
    /// For each peer: lines below this counter were given up.
    floor: BTreeMap<PeerId, u64>,
}

impl Outgoing {
    /// Nothing was said yet.
    pub fn new(to: To) -> Self {
        Self { to, confirmed: BTreeMap::new(), floor: BTreeMap::new() }
    }

    /// True when `peer` may see it.
    pub fn includes(&self, peer: PeerId) -> bool {
        match &self.to {
            To::Room => true,
            To::People(people, _) => people.contains(&peer),
        }
    }

    /// The lowest counter that `peer` is to get.
    pub fn floor(&self, peer: PeerId) -> u64 {
        self.floor.get(&peer).copied().unwrap_or(1)
    }

    /// `peer` has all lines below `next`: the counters of those that this is news of.
    pub fn confirm(&mut self, peer: PeerId, next: u64) -> std::ops::Range<u64> {
        let floor = self.floor(peer);
        if self.confirmed.len() >= MAX_CONFIRMED && !self.confirmed.contains_key(&peer) {
            return next..next;
        }
        let before = self.confirmed.entry(peer).or_insert(1);
        let news = (*before).max(floor)..next;
        *before = (*before).max(next);
        news
    }

    /// Who has confirmed line `n`, sorted.
    pub fn confirmed(&self, n: u64) -> Vec<PeerId> {
        let has = |peer: &PeerId, next: u64| next > n && self.floor(*peer) <= n;
        self.confirmed.iter().filter(|(peer, next)| has(peer, **next)).map(|(peer, _)| *peer).collect()
    }

    /// Private lines that some recipient (not `me`) has not confirmed.
    fn waiting(&self, me: PeerId) -> impl Iterator<Item = (PeerId, u64)> + '_ {
        let people = match &self.to {
            To::Room => None,
            To::People(people, run) => Some((people, run.next())),
        };
        people.into_iter().flat_map(move |(people, next)| {
            let open = move |peer: PeerId| {
                let first = self.confirmed.get(&peer).copied().unwrap_or(1).max(self.floor(peer));
                (peer != me && first < next).then_some((peer, first))
            };
            people.iter().filter_map(move |peer| open(*peer))
        })
    }

    /// When the first waiting private line is to be given up.
    pub fn deadline(&self, me: PeerId) -> Option<Instant> {
        let To::People(_, run) = &self.to else { return None };
        self.waiting(me).filter_map(|(_, n)| Some(run.get(n.max(run.base()))?.since + PATIENCE)).min()
    }

    /// Gives up what waited too long: for each such recipient, how many lines.
    pub fn give_up(&mut self, now: Instant, me: PeerId) -> Vec<(PeerId, u64)> {
        let To::People(_, run) = &self.to else { return Vec::new() };
        let late = |n: &u64| run.get(*n).is_some_and(|kept| kept.since + PATIENCE <= now);
        let mut given_up = Vec::new();
        for (peer, first) in self.waiting(me) {
            let first = first.max(run.base());
            let until = (first..run.next()).take_while(late).last().map_or(first, |n| n + 1);
            if until > first {
                given_up.push((peer, first, until));
            }
        }
        for (peer, _, until) in &given_up {
            self.floor.insert(*peer, *until);
        }
        given_up.into_iter().map(|(peer, first, until)| (peer, until - first)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meeting::wire;

    fn peer(n: u8) -> PeerId {
        PeerId::from_bytes([n; 32])
    }

    /// Lines said a minute apart to two others.
    fn three_lines(start: Instant) -> Outgoing {
        let mut run = Run::default();
        for n in 1..=3 {
            let line = wire::Line { n, at: 0, name: String::new(), text: "x".into(), signature: None };
            run.push(start + Duration::from_secs(60 * n), line);
        }
        Outgoing::new(To::People([peer(0), peer(1), peer(2)].into(), run))
    }

    #[test]
    fn confirmations_are_cumulative_and_never_go_back() {
        let mut own = three_lines(crate::clock::now());
        assert_eq!(own.confirm(peer(1), 3), 1..3);
        assert!(own.confirm(peer(1), 2).is_empty());
        assert_eq!(own.confirm(peer(2), 2), 1..2);
        assert_eq!(own.confirmed(1), [peer(1), peer(2)]);
        assert_eq!(own.confirmed(2), [peer(1)]);
        assert!(own.confirmed(3).is_empty());
        assert!(own.includes(peer(2)) && !own.includes(peer(3)));
    }

    #[test]
    fn each_line_waits_its_own_time_for_each_recipient() {
        let start = crate::clock::now();
        let (mut own, me) = (three_lines(start), peer(0));
        let minute = |n: u64| start + Duration::from_secs(60 * n);
        own.confirm(peer(1), 2);
        assert_eq!(own.deadline(me), Some(minute(1) + PATIENCE));
        assert!(own.give_up(minute(1) + PATIENCE - Duration::from_secs(1), me).is_empty());
        assert_eq!(own.give_up(minute(2) + PATIENCE, me), [(peer(1), 1), (peer(2), 2)]);
        assert_eq!((own.floor(peer(1)), own.floor(peer(2))), (3, 3));
        assert_eq!(own.deadline(me), Some(minute(3) + PATIENCE));
        // What was given up is not said to be delivered later.
        assert_eq!(own.confirm(peer(2), 4), 3..4);
        assert_eq!(own.confirmed(2), Vec::new());
        own.confirm(peer(1), 4);
        assert_eq!(own.deadline(me), None);
    }
}
