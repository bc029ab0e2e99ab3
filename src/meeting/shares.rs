//! Sans-IO. Transfers as the meeting sees them: what happens to an offer, and who sends what to whom for `state`. The
//! transfers themselves are made elsewhere; their news comes in as [`FileEvent`]s.
//!
//! Bounds: [`MAX_RUNNING`] transfers that run and [`MAX_ENDED`] that have ended are remembered. Above, the one that
//! ended first is forgotten; of more running ones nothing is remembered (they cannot be accepted by a command).

use std::collections::{BTreeMap, VecDeque};

use crate::id::{PeerId, TransferId};
use crate::known::trust::Trust;

use super::event::{Direction, FileEvent, FileStage};
use super::failure::{Code, Failure};

/// Running transfers that are remembered.
pub const MAX_RUNNING: usize = 1024;
/// Ended transfers that are remembered.
pub const MAX_ENDED: usize = 64;

/// What happens to a file that somebody offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Accept {
    /// A person decides.
    #[default]
    Ask,
    /// Accepted from keys that were verified, asked for from all others: the rule that may be stored.
    Verified,
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
            Self::Verified => "verified",
            Self::All => "all",
            Self::None => "none",
        }
    }
}

/// What a command does to a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Takes an offer.
    Accept,
    /// Refuses an offer.
    Decline,
    /// Ends it, from either side.
    Cancel,
}

/// What the rule says of a new offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Take it now.
    Accept,
    /// Refuse it now.
    Decline,
    /// Nothing to do: no offer to us, or a person decides.
    Wait,
}

/// A transfer id is drawn by its sender: the key needs both sides and the direction.
type Key = (TransferId, PeerId, Direction);

/// All transfers.
#[derive(Debug, Clone)]
pub struct Shares {
    accept: Accept,
    running: BTreeMap<Key, (u64, FileEvent)>,
    // Overflow: the one that ended first is dropped.
    ended: VecDeque<FileEvent>,
    count: u64,
}

impl Shares {
    /// None yet.
    pub fn new(accept: Accept) -> Self {
        Self { accept, running: BTreeMap::new(), ended: VecDeque::new(), count: 0 }
    }

    /// Another rule, for offers that come from now on.
    pub fn set_rule(&mut self, accept: Accept) {
        self.accept = accept;
    }

    /// News of a transfer. `trust`: how far the key at its other end is trusted.
    pub fn on_file(&mut self, event: &FileEvent, trust: Trust) -> Verdict {
        let key = (event.transfer, event.person.peer, event.direction);
        if event.stage.is_end() {
            self.running.remove(&key);
            self.ended.push_back(event.clone());
            if self.ended.len() > MAX_ENDED {
                self.ended.pop_front();
            }
            return Verdict::Wait;
        }
        let known = self.running.get(&key).map(|(count, _)| *count);
        if known.is_none() && self.running.len() >= MAX_RUNNING {
            return Verdict::Wait;
        }
        self.count += 1;
        self.running.insert(key, (known.unwrap_or(self.count), event.clone()));
        match (event.direction, &event.stage, self.accept) {
            (Direction::In, FileStage::Offer, Accept::All) if known.is_none() => Verdict::Accept,
            (Direction::In, FileStage::Offer, Accept::Verified) if known.is_none() && trust == Trust::Verified => {
                Verdict::Accept
            }
            (Direction::In, FileStage::Offer, Accept::None) if known.is_none() => Verdict::Decline,
            _ => Verdict::Wait,
        }
    }

    /// Whose transfer a command means, if the command makes sense.
    pub fn find(&self, transfer: TransferId, verb: Verb) -> Result<PeerId, Failure> {
        let mut found = self.running.iter().filter(|((id, ..), _)| *id == transfer);
        let (Some(((_, peer, direction), (_, event))), None) = (found.next(), found.next()) else {
            let message = format!("No transfer '{transfer}' is running.");
            return Err(Failure::new(Code::UnknownTransfer, message, "The state command lists them."));
        };
        let offered = *direction == Direction::In && event.stage == FileStage::Offer;
        if verb == Verb::Cancel || offered {
            return Ok(*peer);
        }
        let message = format!("The transfer '{transfer}' is no offer that waits for an answer.");
        Err(Failure::new(Code::WrongTransferState, message, "It can only be cancelled."))
    }

    /// True when a transfer with `peer` runs or waits.
    pub fn runs_with(&self, peer: PeerId) -> bool {
        self.running.keys().any(|(_, other, _)| *other == peer)
    }

    /// Those that ended, then those that run, each oldest first.
    pub fn list(&self) -> Vec<FileEvent> {
        let mut running: Vec<&(u64, FileEvent)> = self.running.values().collect();
        running.sort_by_key(|(count, _)| *count);
        self.ended.iter().cloned().chain(running.into_iter().map(|(_, event)| event.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meeting::Person;
    use crate::share::{DisplayName, FileName};

    fn event(id: u64, direction: Direction, stage: FileStage) -> FileEvent {
        let person = Person { peer: PeerId::from_bytes([1; 32]), name: DisplayName::new("Bob") };
        let file = FileName::new("a.txt");
        FileEvent { transfer: TransferId::from_u64(id), person, direction, file, size: 3, stage }
    }

    fn failed() -> FileStage {
        FileStage::Failed { reason: "cancelled", resumable: false }
    }

    #[test]
    fn the_rule_answers_each_new_offer_to_us_once() {
        let check_from = |trust, accept, direction, expect| {
            let mut shares = Shares::new(accept);
            assert_eq!(shares.on_file(&event(1, direction, FileStage::Offer), trust), expect, "{trust:?} {accept:?}");
            assert_eq!(shares.on_file(&event(1, direction, FileStage::Offer), trust), Verdict::Wait);
        };
        let check = |accept, direction, expect| check_from(Trust::New, accept, direction, expect);
        check_from(Trust::Verified, Accept::Verified, Direction::In, Verdict::Accept);
        check_from(Trust::Verified, Accept::Verified, Direction::Out, Verdict::Wait);
        for trust in [Trust::New, Trust::Known, Trust::Changed] {
            check_from(trust, Accept::Verified, Direction::In, Verdict::Wait);
        }
        check(Accept::Ask, Direction::In, Verdict::Wait);
        check(Accept::All, Direction::In, Verdict::Accept);
        check(Accept::None, Direction::In, Verdict::Decline);
        check(Accept::All, Direction::Out, Verdict::Wait);
    }

    #[test]
    fn another_rule_holds_from_the_next_offer_on() {
        let mut shares = Shares::new(Accept::Verified);
        let offer = |n| event(n, Direction::In, FileStage::Offer);
        assert_eq!(shares.on_file(&offer(1), Trust::Verified), Verdict::Accept);
        shares.set_rule(Accept::Ask);
        assert_eq!(shares.on_file(&offer(2), Trust::Verified), Verdict::Wait);
    }

    #[test]
    fn commands_find_only_what_they_can_change() {
        let mut shares = Shares::new(Accept::Ask);
        let id = TransferId::from_u64;
        shares.on_file(&event(1, Direction::In, FileStage::Offer), Trust::New);
        shares.on_file(&event(2, Direction::Out, FileStage::Offer), Trust::New);
        shares.on_file(&event(3, Direction::In, FileStage::Offer), Trust::New);
        shares.on_file(&event(3, Direction::In, FileStage::Accepted), Trust::New);
        let code = |result: Result<PeerId, Failure>| result.map_err(|failure| failure.code).err();
        assert_eq!(code(shares.find(id(1), Verb::Accept)), None);
        assert_eq!(code(shares.find(id(2), Verb::Accept)), Some(Code::WrongTransferState));
        assert_eq!(code(shares.find(id(2), Verb::Cancel)), None);
        assert_eq!(code(shares.find(id(3), Verb::Decline)), Some(Code::WrongTransferState));
        assert_eq!(code(shares.find(id(4), Verb::Cancel)), Some(Code::UnknownTransfer));
        shares.on_file(&event(1, Direction::In, failed()), Trust::New);
        assert_eq!(code(shares.find(id(1), Verb::Cancel)), Some(Code::UnknownTransfer));
        assert_eq!(shares.list().iter().map(|e| e.transfer.as_u64()).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn a_flood_of_offers_is_bounded() {
        let mut shares = Shares::new(Accept::Ask);
        for n in 0..5000 {
            shares.on_file(&event(n, Direction::In, FileStage::Offer), Trust::New);
        }
        assert_eq!(shares.list().len(), MAX_RUNNING);
        for n in 0..5000 {
            shares.on_file(&event(n, Direction::In, failed()), Trust::New);
        }
        assert_eq!(shares.list().len(), MAX_ENDED);
    }
}
