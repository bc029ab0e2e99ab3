//! Sans-IO. What was said to the room, by everybody, as far as it is kept: so that anyone can fill a gap.
//!
//! Bounds. At most [`MAX_LINES`] lines and [`MAX_BYTES`] bytes in all; above, the author who holds most loses its
//! oldest line, so that who floods forgets itself first. At most [`MAX_RUNS`] runs of one author, [`MAX_STRANGERS`]
//! authors that were never linked to us (anybody could have invented them), [`MAX_AUTHORS`] that were. A linked author
//! above that takes the place of the one that was quiet for longest. A stranger takes the place of one whom another
//! passed on, of the peer that passed on most, so that nobody fills the places with inventions; one of whoever has
//! most itself is refused. Those who have left count as one. An old run above its bound is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::id::{Instance, PeerId};
use crate::identity::PublicKey;
use crate::meeting::wire;

use super::run::Run;

/// Lines kept of the whole room.
pub const MAX_LINES: usize = 10_000;
/// Bytes kept of the whole room.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Runs kept of one author.
pub const MAX_RUNS: usize = 16;
/// Authors kept that were never linked to us.
pub const MAX_STRANGERS: usize = 128;
/// Authors kept that were linked to us.
pub const MAX_AUTHORS: usize = 1024;

/// A run of an author.
pub type RunId = (PeerId, Instance);

/// How we know of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Its author is linked to us in this run.
    Direct,
    /// This peer passed it on.
    Passed(PeerId),
}

/// Whether there is a place for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// There is none.
    None,
    /// There is.
    Free,
    /// All of this author was forgotten for it.
    Of(PeerId),
}

#[derive(Debug, Clone)]
struct Author {
    key: PublicKey,
    linked: bool,
    // Who told us of it, for one that was never linked.
    passer: Option<PeerId>,
    touched: Instant,
    bytes: usize,
    runs: BTreeMap<Instance, (Run, Instant)>,
}

/// The room's lines.
#[derive(Debug, Clone, Default)]
pub struct History {
    authors: BTreeMap<PeerId, Author>,
    lines: usize,
    bytes: usize,
}

impl History {
    /// The run, if anything of it is known.
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.authors.get(&id.0)?.runs.get(&id.1).map(|(run, _)| run)
    }

    /// The counter that the run is to go on with.
    pub fn next(&self, id: RunId) -> u64 {
        self.run(id).map_or(1, Run::next)
    }

    /// The author's key, if anything of it is known.
    pub fn key(&self, author: PeerId) -> Option<PublicKey> {
        self.authors.get(&author).map(|author| author.key)
    }

    /// All runs, by author.
    pub fn runs(&self) -> impl Iterator<Item = (RunId, &Run)> {
        self.authors.iter().flat_map(|(peer, author)| author.runs.iter().map(|(i, (run, _))| ((*peer, *i), run)))
    }

    /// Lines kept of everybody.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// Bytes kept of everybody.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes place for a run; `linked` are all who are here.
    pub fn admit(
        &mut self,
        now: Instant,
        id: RunId,
        key: PublicKey,
        origin: Origin,
        linked: &BTreeSet<PeerId>,
    ) -> Place {
        let (peer, instance) = id;
        let (direct, passer) = match origin {
            Origin::Direct => (true, None),
            Origin::Passed(passer) => (false, Some(passer)),
        };
        let mut place = Place::Free;
        if !self.authors.contains_key(&peer) {
            let counts = |author: &&Author| author.linked == direct;
            let (limit, same) =
                (if direct { MAX_AUTHORS } else { MAX_STRANGERS }, self.authors.values().filter(counts));
            if same.count() >= limit {
                let gone = passer.map_or_else(|| self.quietest(linked), |passer| self.crowding(passer, linked));
                let Some(gone) = gone else { return Place::None };
                self.forget(gone);
                place = Place::Of(gone);
            }
            let author = Author { key, linked: direct, passer, touched: now, bytes: 0, runs: BTreeMap::new() };
            self.authors.insert(peer, author);
        }
        let Some(author) = self.authors.get_mut(&peer) else { return Place::None };
        author.linked |= direct;
        author.touched = now;
        if author.runs.contains_key(&instance) {
            return place;
        }
        if author.runs.len() >= MAX_RUNS {
            let oldest = author.runs.iter().min_by_key(|(_, (_, touched))| *touched).map(|(i, _)| *i);
            let gone = oldest.filter(|_| direct).and_then(|i| author.runs.remove(&i));
            let Some((run, _)) = gone else { return Place::None };
            author.bytes -= run.bytes();
            self.bytes -= run.bytes();
            self.lines -= run.len();
        }
        author.runs.insert(instance, (Run::default(), now));
        place
    }

    fn quietest(&self, linked: &BTreeSet<PeerId>) -> Option<PeerId> {
        let gone = self.authors.iter().filter(|(peer, author)| author.linked && !linked.contains(peer));
        gone.min_by_key(|(_, author)| author.touched).map(|(peer, _)| *peer)
    }

    // The quietest stranger of whoever passed on most, if that is more than `passer` has.
    fn crowding(&self, passer: PeerId, linked: &BTreeSet<PeerId>) -> Option<PeerId> {
        // How many strangers each passed on, and when the quietest of them was last touched.
        type Passed = (usize, Option<(Instant, PeerId)>);
        let mut passed: BTreeMap<Option<PeerId>, Passed> = BTreeMap::new();
        for (peer, author) in self.authors.iter().filter(|(peer, author)| !author.linked && !linked.contains(peer)) {
            let (count, quietest) = passed.entry(author.passer.filter(|passer| linked.contains(passer))).or_default();
            *count += 1;
            let this = (author.touched, *peer);
            *quietest = Some(quietest.map_or(this, |quietest| quietest.min(this)));
        }
        let own = passed.get(&Some(passer)).map_or(0, |(count, _)| *count);
        let (most, quietest) = passed.into_values().max_by_key(|(count, _)| *count)?;
        quietest.filter(|_| most > own).map(|(_, peer)| peer)
    }

    fn forget(&mut self, peer: PeerId) {
        if let Some(author) = self.authors.remove(&peer) {
            self.bytes -= author.bytes;
            self.lines -= author.runs.values().map(|(run, _)| run.len()).sum::<usize>();
        }
    }

    /// Adds the line to come of an admitted run.
    pub fn push(&mut self, now: Instant, id: RunId, line: wire::Line) {
        let Some(author) = self.authors.get_mut(&id.0) else { return };
        let Some((run, touched)) = author.runs.get_mut(&id.1) else { return };
        let weight = super::run::weight(&line);
        run.push(now, line);
        *touched = now;
        author.touched = now;
        author.bytes += weight;
        self.bytes += weight;
        self.lines += 1;
        // Overflow: whoever holds most loses its oldest line.
        while (self.lines > MAX_LINES || self.bytes > MAX_BYTES) && self.drop_one() {}
    }

    fn drop_one(&mut self) -> bool {
        let Some(author) = self.authors.values_mut().max_by_key(|author| author.bytes) else { return false };
        let runs = author.runs.values_mut().filter(|(run, _)| !run.is_empty());
        let Some((run, _)) = runs.min_by_key(|(_, touched)| *touched) else { return false };
        let Some(weight) = run.drop_oldest() else { return false };
        author.bytes -= weight;
        self.bytes -= weight;
        self.lines -= 1;
        true
    }

    /// The run goes on at `next`: what lies between is kept nowhere.
    pub fn skip_to(&mut self, id: RunId, next: u64) {
        let Some(author) = self.authors.get_mut(&id.0) else { return };
        let Some((run, _)) = author.runs.get_mut(&id.1) else { return };
        let (bytes, lines) = (run.bytes(), run.len());
        run.skip_to(next);
        let (bytes, lines) = (bytes - run.bytes(), lines - run.len());
        author.bytes -= bytes;
        self.bytes -= bytes;
        self.lines -= lines;
    }
}
