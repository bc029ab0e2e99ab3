//! Sans-IO. When to dial which address.
//!
//! A *round* goes through the addresses of one target: the next one starts when the one before has failed, or 250 ms
//! after it (RFC 8305, section 5), and the first that answers ends the round. The roster starts rounds and says when
//! the next one comes; [`backoff`] gives the pauses.
//!
//! Dials are scarce: [`MAX_FLYING`] at once, and of these [`MAX_RUMOURS`] for addresses that only other peers spoke of,
//! so that a peer that invents thousands of peers neither delays honest links nor makes this process flood others.
//! Redials of suspected peers never wait for a slot.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::id::PeerId;

/// Head start of an address before the next one is tried.
pub const STAGGER: Duration = Duration::from_millis(250);
/// Dials under way at once, redials of suspected peers not counted.
pub const MAX_FLYING: usize = 24;
/// Of these for targets that only other peers spoke of.
pub const MAX_RUMOURS: usize = 8;
/// Dials under way at once to one target. Overflow: the oldest one is abandoned.
pub const MAX_PER_TARGET: usize = 6;
/// A dial without an answer is given up after this.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for redials, which come every second.
const URGENT_PATIENCE: Duration = Duration::from_secs(3);
/// The same for rumours: four round trips across the world.
const RUMOUR_PATIENCE: Duration = Duration::from_millis(1500);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One dial of one address, numbered in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(u64);

/// Whom a round is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A seat mate, by key.
    Peer(PeerId),
    /// Somebody to visit, by key.
    Visit(PeerId),
    /// Whoever answers there.
    Address(SocketAddr),
}

/// How much a round matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// A seated peer fell silent.
    Urgent,
    /// Somebody was seen.
    Normal,
    /// Another peer spoke of somebody.
    Rumour,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Dial.
    Dial(Attempt, Target, SocketAddr),
    /// Give this dial up.
    Abandon(Attempt),
    /// Every address of the round failed, the round is over.
    Exhausted(Target),
}

#[derive(Debug)]
struct Round {
    queue: VecDeque<SocketAddr>,
    next: Instant,
    urgency: Urgency,
}

#[derive(Debug)]
struct Flight {
    target: Target,
    address: SocketAddr,
    urgency: Urgency,
    until: Instant,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Dialer {
    rounds: BTreeMap<Target, Round>,
    flying: BTreeMap<Attempt, Flight>,
    // Bounded by the dials under way and the rounds: each puts at most one step here before it is gone.
    steps: VecDeque<Step>,
    dialed: u64,
}

/// The pause before round `failures` + 1: 1 s doubling to 30 s, each up to a quarter shorter or longer, so that peers
/// that lost each other at one moment do not come back at one moment.
pub fn backoff(rng: &mut StdRng, failures: u32) -> Duration {
    let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE);
    pause.mul_f64(rng.random_range(0.75..1.25))
}

impl Dialer {
    /// Starts a round, or gives a running one new addresses. Dials under way go on beside it.
    pub fn start(&mut self, now: Instant, target: Target, addresses: Vec<SocketAddr>, urgency: Urgency) {
        if addresses.is_empty() {
            return;
        }
        let queue: VecDeque<SocketAddr> = addresses.into();
        self.rounds.insert(target, Round { queue, next: now, urgency });
    }

    /// Adds addresses at the end of a running round. False if none runs.
    pub fn extend(&mut self, target: Target, addresses: &[SocketAddr]) -> bool {
        let Some(round) = self.rounds.get_mut(&target) else { return false };
        let flying: Vec<SocketAddr> = self.flying.values().filter(|f| f.target == target).map(|f| f.address).collect();
        for address in addresses {
            if !round.queue.contains(address) && !flying.contains(address) {
                round.queue.push_back(*address);
            }
        }
        round.queue.truncate(super::candidates::MAX_PER_PEER);
        true
    }

    /// Ends a round and gives its dials up, but for the one that answered.
    pub fn finish(&mut self, target: Target) {
        self.rounds.remove(&target);
        let gone: Vec<Attempt> = self.flying.iter().filter(|(_, f)| f.target == target).map(|(a, _)| *a).collect();
        for attempt in gone {
            self.flying.remove(&attempt);
            self.steps.push_back(Step::Abandon(attempt));
        }
    }

    /// Ends a round; its dials under way go on.
    pub fn calm(&mut self, target: Target) {
        self.rounds.remove(&target);
    }

    /// A dial led to a connection. `None` if it was given up before.
    pub fn on_answered(&mut self, attempt: Attempt) -> Option<(Target, SocketAddr)> {
        self.flying.remove(&attempt).map(|flight| (flight.target, flight.address))
    }

    /// A dial failed: the next address need not wait. `None` if it was given up before.
    pub fn on_failed(&mut self, now: Instant, attempt: Attempt) -> Option<(Target, SocketAddr)> {
        let flight = self.flying.remove(&attempt)?;
        if let Some(round) = self.rounds.get_mut(&flight.target) {
            round.next = now;
        }
        self.conclude(flight.target);
        Some((flight.target, flight.address))
    }

    fn conclude(&mut self, target: Target) {
        let waiting = self.rounds.get(&target).is_some_and(|round| !round.queue.is_empty());
        if !waiting && self.flying_to(target) == 0 && self.rounds.remove(&target).is_some() {
            self.steps.push_back(Step::Exhausted(target));
        }
    }

    fn flying_to(&self, target: Target) -> usize {
        self.flying.values().filter(|f| f.target == target).count()
    }

    /// True while a round runs.
    pub fn busy(&self, target: Target) -> bool {
        self.rounds.contains_key(&target)
    }

    // Urgent rounds never wait.
    fn has_slot(&self, urgency: Urgency) -> bool {
        let count = |least: Urgency| self.flying.values().filter(|f| f.urgency >= least).count();
        match urgency {
            Urgency::Urgent => true,
            Urgency::Normal => count(Urgency::Normal) < MAX_FLYING,
            Urgency::Rumour => count(Urgency::Normal) < MAX_FLYING && count(Urgency::Rumour) < MAX_RUMOURS,
        }
    }

    /// The next step; drain it before the next input.
    pub fn poll(&mut self, now: Instant) -> Option<Step> {
        if let Some(step) = self.steps.pop_front() {
            return Some(step);
        }
        let late = self.flying.iter().find(|(_, f)| f.until <= now).map(|(attempt, _)| *attempt);
        if let Some(attempt) = late {
            self.on_failed(now, attempt);
            return Some(Step::Abandon(attempt));
        }
        let due = |urgency: Urgency| {
            self.rounds
                .iter()
                .filter(|(_, round)| round.urgency == urgency && round.next <= now && !round.queue.is_empty())
                // In turn: nobody gets a second dial while others wait for the first.
                .min_by_key(|(_, round)| round.next)
                .map(|(target, _)| *target)
                .filter(|_| self.has_slot(urgency))
        };
        let target = due(Urgency::Urgent).or_else(|| due(Urgency::Normal)).or_else(|| due(Urgency::Rumour))?;
        if self.flying_to(target) >= MAX_PER_TARGET {
            let oldest = self.flying.iter().find(|(_, f)| f.target == target).map(|(attempt, _)| *attempt)?;
            self.flying.remove(&oldest);
            return Some(Step::Abandon(oldest));
        }
        let round = self.rounds.get_mut(&target)?;
        let address = round.queue.pop_front()?;
        let urgency = round.urgency;
        round.next = now + STAGGER;
        let patience = match urgency {
            Urgency::Urgent => URGENT_PATIENCE,
            Urgency::Normal => PATIENCE,
            Urgency::Rumour => RUMOUR_PATIENCE,
        };
        let attempt = Attempt(self.dialed);
        self.dialed += 1;
        self.flying.insert(attempt, Flight { target, address, urgency, until: now + patience });
        Some(Step::Dial(attempt, target, address))
    }

    /// When to poll again without an input. Rounds that wait for a slot are not in it: a slot comes free by a report
    /// or by a dial that is given up.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let slots = [Urgency::Urgent, Urgency::Normal, Urgency::Rumour].map(|urgency| self.has_slot(urgency));
        let ready = |urgency: Urgency| match urgency {
            Urgency::Urgent => slots[0],
            Urgency::Normal => slots[1],
            Urgency::Rumour => slots[2],
        };
        let rounds = self.rounds.values().filter(|r| !r.queue.is_empty() && ready(r.urgency)).map(|r| r.next);
        rounds.chain(self.flying.values().map(|f| f.until)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    fn addresses(count: u16) -> Vec<SocketAddr> {
        (1..=count).map(|port| SocketAddr::from(([10, 0, 0, 1], port))).collect()
    }

    fn peer(number: u8) -> Target {
        Target::Peer(PeerId::from_bytes([number; 32]))
    }

    fn drain(dialer: &mut Dialer, now: Instant) -> Vec<Step> {
        std::iter::from_fn(|| dialer.poll(now)).collect()
    }

    #[test]
    fn addresses_start_a_quarter_second_apart_and_a_failure_hurries_the_next() {
        let start = crate::clock::now();
        let mut dialer = Dialer::default();
        dialer.start(start, peer(1), addresses(3), Urgency::Normal);
        let [Step::Dial(first, ..)] = drain(&mut dialer, start)[..] else { panic!("one dial") };
        assert_eq!(dialer.poll_timeout(), Some(start + STAGGER));
        assert_eq!(drain(&mut dialer, start + STAGGER).len(), 1);
        dialer.on_failed(start + STAGGER, first);
        let [Step::Dial(..)] = drain(&mut dialer, start + STAGGER)[..] else { panic!("the third, at once") };
        let steps = drain(&mut dialer, start + STAGGER + PATIENCE);
        assert!(matches!(steps[..], [Step::Abandon(_), Step::Abandon(_), Step::Exhausted(_)]), "{steps:?}");
        assert_eq!(dialer.poll_timeout(), None);
    }

    #[test]
    fn the_first_answer_ends_the_round() {
        let start = crate::clock::now();
        let mut dialer = Dialer::default();
        dialer.start(start, peer(1), addresses(2), Urgency::Normal);
        let [Step::Dial(first, ..)] = drain(&mut dialer, start)[..] else { panic!("one dial") };
        let [Step::Dial(second, ..)] = drain(&mut dialer, start + STAGGER)[..] else { panic!("one dial") };
        assert!(dialer.on_answered(second).is_some());
        dialer.finish(peer(1));
        assert_eq!(drain(&mut dialer, start + STAGGER), [Step::Abandon(first)]);
        assert_eq!(dialer.on_failed(start, first), None);
    }

    #[test]
    fn rumours_leave_slots_for_others() {
        let start = crate::clock::now();
        let mut dialer = Dialer::default();
        for number in 0..100 {
            dialer.start(start, peer(number), addresses(4), Urgency::Rumour);
        }
        assert_eq!(drain(&mut dialer, start).len(), MAX_RUMOURS);
        assert!(dialer.poll_timeout().is_some_and(|at| at > start), "no busy loop while slots are taken");
        dialer.start(start, peer(200), addresses(1), Urgency::Normal);
        dialer.start(start, peer(201), addresses(1), Urgency::Urgent);
        assert_eq!(drain(&mut dialer, start).len(), 2);
    }

    #[test]
    fn pauses_double_and_stay_within_their_bounds() {
        let mut rng = StdRng::seed_from_u64(1);
        for failures in 0..100 {
            let pause = backoff(&mut rng, failures);
            let middle = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE);
            assert!(pause >= middle.mul_f64(0.75) && pause <= middle.mul_f64(1.25), "{failures}: {pause:?}");
        }
    }
}
