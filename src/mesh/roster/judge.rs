//! Sans-IO. Which connection gets the seat: the rules that are asked once both hellos were read.

use std::time::{Duration, Instant};

use crate::id::LinkKey;

use super::{Direction, Hello, Link, MAX_VISITORS, Refusal, Roster, Stage, Verdict};

/// Connections of one peer that wait for a decision. Overflow: refused.
const MAX_WAITING: usize = 4;
/// A second incoming link within this time of the first is the slower half of a glare, not a redial.
const FRESH: Duration = Duration::from_millis(1500);

impl Roster {
    pub(super) fn judge_visitor(&self, hello: &Hello) -> Verdict {
        let person = self.people.get(&hello.key.peer);
        if self.leaving {
            Verdict::Refuse(Refusal::Busy)
        } else if hello.key == self.config.me {
            Verdict::Refuse(Refusal::Myself)
        } else if person.is_some_and(|person| person.removed) {
            Verdict::Refuse(Refusal::Removed)
        } else if !self.visitors.contains_key(&hello.key) && self.visitors.len() >= MAX_VISITORS {
            Verdict::Refuse(Refusal::RoomFull)
        } else {
            Verdict::Seated
        }
    }

    pub(super) fn judge(&mut self, now: Instant, hello: &Hello) -> Verdict {
        let LinkKey { peer, instance } = hello.key;
        let decides = self.config.me.peer < peer;
        if self.leaving {
            return Verdict::Refuse(Refusal::Busy);
        }
        if peer == self.config.me.peer {
            return Verdict::Refuse(Refusal::Myself);
        }
        if self.config.room.is_none() {
            return Verdict::Refuse(Refusal::OtherRoom);
        }
        let person = self.people.get(&peer);
        if person.is_some_and(|person| person.removed) {
            return Verdict::Refuse(Refusal::Removed);
        }
        if person.is_some_and(|person| person.is_retired(instance)) {
            return Verdict::Refuse(Refusal::Replaced);
        }
        match person.and_then(|person| person.seated.as_ref()) {
            Some(seated) if seated.instance == instance && seated.suspected.is_none() => {
                // The end that decides refuses what is no longer needed; the other may not: it could be the choice.
                let outgoing = hello.direction != Direction::Incoming;
                if decides && (outgoing || now.saturating_duration_since(seated.since) < FRESH) {
                    return Verdict::Refuse(Refusal::Duplicate);
                }
            }
            Some(_) => {}
            None if self.is_full() => return Verdict::Refuse(Refusal::RoomFull),
            None => {}
        }
        if !self.make_room_for(peer) {
            return Verdict::Refuse(Refusal::RoomFull);
        }
        if decides {
            return Verdict::Seated;
        }
        let waiting = |link: &&Link| matches!(link.stage, Stage::Waiting { .. });
        let of_peer = self.links.values().filter(waiting).filter(|link| link.hello.key.peer == peer).count();
        let of_all = self.links.values().filter(waiting).count();
        let busy = of_peer >= MAX_WAITING || of_all >= self.config.seats.saturating_mul(2);
        if busy { Verdict::Refuse(Refusal::Busy) } else { Verdict::Wait }
    }

    // The own seat counts.
    pub(super) fn is_full(&self) -> bool {
        self.people.values().filter(|person| person.seated.is_some()).count() + 1 >= self.config.seats
    }
}
