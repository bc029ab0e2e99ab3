//! Sans-IO. Raised hands, in an order that is the same everywhere, and reactions.
//!
//! Whoever raises a hand takes a turn: one more than the highest turn that it sees raised. Hands are ordered by turn,
//! and equal turns, taken at the same moment by people who had not yet heard of one another, by key. So the order
//! needs no clock and no agreement: each hand carries its place, and whoever comes late or comes back is told the same
//! places by their owners. A hand is lowered by its owner, by a new run of it, or by its leaving.
//!
//! A turn is its owner's word: who lies about it is put first or last by everybody alike, and no more than that.
//! Reactions are shown for a moment and kept nowhere: one that is lost is lost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::bucket::Bucket;
use crate::framing::Message;
use crate::id::PeerId;
use crate::share::Emoji;

use super::command::{Answer, Done};
use super::commands::{sentence, too_fast};
use super::event::{Event, Person};
use super::failure::{Code, Failure};
use super::state::Presence;
use super::{Meeting, Output, wire};

/// Highest turn; above, hands are ordered by key alone.
pub const MAX_TURN: u64 = 1 << 32;
/// How often we raise or lower at once, and one more each..
const OWN_HANDS: (u32, Duration) = (6, Duration::from_secs(1));
/// The same of others, with room for what a bad link holds back.
const HANDS: (u32, Duration) = (20, Duration::from_millis(500));
/// How many reactions we send at once, and one more each..
const OWN_REACTIONS: (u32, Duration) = (5, Duration::from_millis(500));
/// The same of others.
const REACTIONS: (u32, Duration) = (10, Duration::from_millis(250));

/// Why a message did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// From nobody who is seated.
    Stranger,
    /// No such turn.
    Malformed,
    /// Too many changes.
    Flood,
}

/// What became of a hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It is raised, in a place that is new.
    Up,
    /// It was lowered.
    Down,
    /// Nothing that shows.
    Not,
}

impl Moved {
    fn between(before: Option<u64>, after: Option<u64>) -> Self {
        match (before, after) {
            (before, after) if before == after => Self::Not,
            (_, Some(_)) => Self::Up,
            (_, None) => Self::Down,
        }
    }
}

#[derive(Debug, Clone)]
struct Remote {
    revision: u64,
    turn: Option<u64>,
    hands: Bucket,
    reactions: Bucket,
}

/// All hands of a meeting.
#[derive(Debug, Clone)]
pub struct Hands {
    me: PeerId,
    turn: Option<u64>,
    revision: u64,
    // Made with the first use, which brings the time.
    own_hands: Option<Bucket>,
    own_reactions: Option<Bucket>,
    // Seated peers only.
    remotes: BTreeMap<PeerId, Remote>,
}

impl Hands {
    /// All down.
    pub fn new(me: PeerId) -> Self {
        Self { me, turn: None, revision: 0, own_hands: None, own_reactions: None, remotes: BTreeMap::new() }
    }

    /// `peer` is linked in a new run, which has not raised its hand yet.
    pub fn arrive(&mut self, now: Instant, peer: PeerId) -> Moved {
        let remote = Remote {
            revision: 0,
            turn: None,
            hands: Bucket::new(now, HANDS.0, HANDS.1),
            reactions: Bucket::new(now, REACTIONS.0, REACTIONS.1),
        };
        let before = self.remotes.insert(peer, remote);
        Moved::between(before.and_then(|remote| remote.turn), None)
    }

    /// `peer` is gone, and its hand with it.
    pub fn depart(&mut self, peer: PeerId) -> Moved {
        Moved::between(self.remotes.remove(&peer).and_then(|remote| remote.turn), None)
    }

    /// Raises or lowers our own hand; a hand that is raised keeps its place. `None`: too often.
    pub fn raise(&mut self, now: Instant, up: bool) -> Option<Moved> {
        if up == self.turn.is_some() {
            return Some(Moved::Not);
        }
        if !self.own_hands.get_or_insert_with(|| Bucket::new(now, OWN_HANDS.0, OWN_HANDS.1)).take(now) {
            return None;
        }
        let highest = self.remotes.values().filter_map(|remote| remote.turn).max().unwrap_or(0);
        let before = self.turn;
        self.turn = up.then(|| highest.saturating_add(1).min(MAX_TURN));
        self.revision += 1;
        Some(Moved::between(before, self.turn))
    }

    /// What is to be said of our hand, if there is something to say.
    pub fn message(&self) -> Option<Message> {
        let said = wire::Hand { revision: self.revision, turn: self.turn };
        (self.revision > 0).then(|| Message::new(wire::HAND, &said))
    }

    /// `peer` says how its hand is.
    pub fn on_hand(&mut self, now: Instant, peer: PeerId, said: &wire::Hand) -> Result<Moved, Refusal> {
        let remote = self.remotes.get_mut(&peer).ok_or(Refusal::Stranger)?;
        if said.revision <= remote.revision {
            return Ok(Moved::Not);
        }
        if said.turn.is_some_and(|turn| !(1..=MAX_TURN).contains(&turn)) {
            return Err(Refusal::Malformed);
        }
        if !remote.hands.take(now) {
            return Err(Refusal::Flood);
        }
        remote.revision = said.revision;
        let before = std::mem::replace(&mut remote.turn, said.turn);
        Ok(Moved::between(before, said.turn))
    }

    /// We react; false: too often.
    pub fn react(&mut self, now: Instant) -> bool {
        self.own_reactions.get_or_insert_with(|| Bucket::new(now, OWN_REACTIONS.0, OWN_REACTIONS.1)).take(now)
    }

    /// `peer` reacts.
    pub fn on_reaction(&mut self, now: Instant, peer: PeerId) -> Result<(), Refusal> {
        let remote = self.remotes.get_mut(&peer).ok_or(Refusal::Stranger)?;
        if remote.reactions.take(now) { Ok(()) } else { Err(Refusal::Flood) }
    }

    /// All raised hands, the first to be raised first.
    pub fn order(&self) -> Vec<PeerId> {
        let others = self.remotes.iter().filter_map(|(peer, remote)| Some((remote.turn?, *peer)));
        let mut raised: Vec<(u64, PeerId)> = others.chain(self.turn.map(|turn| (turn, self.me))).collect();
        raised.sort_unstable();
        raised.into_iter().map(|(_, peer)| peer).collect()
    }
}

impl Meeting {
    /// `hand`.
    pub(super) fn hand(&mut self, now: Instant, up: bool) -> Result<Answer, Failure> {
        let moved = self.hands.raise(now, up).ok_or_else(too_fast)?;
        if moved != Moved::Not
            && let Some(message) = self.hands.message()
        {
            let to: Vec<PeerId> = self.people.seats().map(|(peer, _)| peer).collect();
            self.out.extend(to.into_iter().map(|to| Output::Send { to, message: message.clone() }));
            self.tell_hand(self.me, moved);
        }
        Ok(Answer::Done(Done::Ok))
    }

    /// `react`, to who is here now: a reaction that comes late means something else.
    pub(super) fn react(&mut self, now: Instant, emoji: &str) -> Result<Answer, Failure> {
        let emoji = Emoji::new(emoji)
            .map_err(|error| Failure::new(Code::BadValue, sentence(&error.to_string()), "Choose one emoji."))?;
        if !self.hands.react(now) {
            return Err(too_fast());
        }
        let message = Message::new(wire::REACTION, &wire::Reaction { emoji: emoji.into() });
        let here = self.people.seats().filter(|(_, seat)| seat.presence == Presence::Linked);
        let to: Vec<PeerId> = here.map(|(peer, _)| peer).collect();
        self.out.extend(to.into_iter().map(|to| Output::Send { to, message: message.clone() }));
        Ok(Answer::Done(Done::Ok))
    }

    // A hand went up or down: the faces hear of it, with the order as it is now.
    pub(super) fn tell_hand(&mut self, peer: PeerId, moved: Moved) {
        if moved != Moved::Not {
            let (person, order) = (self.person(peer), self.raised());
            self.event(Event::Hand { person, up: moved == Moved::Up, order });
        }
    }

    pub(super) fn raised(&self) -> Vec<Person> {
        self.hands.order().into_iter().map(|peer| self.person(peer)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId::from_bytes([n; 32])
    }

    fn said(hands: &Hands) -> wire::Hand {
        hands.message().expect("something was said").decode().expect("ours")
    }

    /// Hands of `count` people who are all linked.
    fn table(now: Instant, count: u8) -> Vec<Hands> {
        let mut all: Vec<Hands> = (1..=count).map(|n| Hands::new(peer(n))).collect();
        for (hands, me) in all.iter_mut().zip(1..) {
            for other in (1..=count).filter(|n| *n != me) {
                hands.arrive(now, peer(other));
            }
        }
        all
    }

    fn tell(now: Instant, all: &mut [Hands], from: usize) {
        let (word, author) = (said(&all[from]), all[from].me);
        for to in (0..all.len()).filter(|to| *to != from) {
            all[to].on_hand(now, author, &word).expect("taken");
        }
    }

    #[test]
    fn hands_stand_in_the_order_in_which_they_were_raised() {
        let now = crate::clock::now();
        let mut all = table(now, 3);
        for who in [2, 0, 1] {
            assert_eq!(all[who].raise(now, true), Some(Moved::Up));
            assert_eq!(all[who].raise(now, true), Some(Moved::Not), "a raised hand keeps its place");
            tell(now, &mut all, who);
        }
        for hands in &all {
            assert_eq!(hands.order(), [peer(3), peer(1), peer(2)]);
        }
        all[2].raise(now, false);
        tell(now, &mut all, 2);
        all[2].raise(now, true);
        tell(now, &mut all, 2);
        for hands in &all {
            assert_eq!(hands.order(), [peer(1), peer(2), peer(3)]);
        }
    }

    #[test]
    fn hands_that_are_raised_at_once_have_one_order_everywhere() {
        let now = crate::clock::now();
        let mut all = table(now, 4);
        for who in [3, 1, 2] {
            all[who].raise(now, true);
        }
        // Each hears of the others in another order.
        for who in [1, 3, 2] {
            tell(now, &mut all, who);
        }
        all[0].raise(now, true);
        tell(now, &mut all, 0);
        for hands in &all {
            assert_eq!(hands.order(), [peer(2), peer(3), peer(4), peer(1)]);
        }
    }

    #[test]
    fn who_comes_late_or_back_sees_the_same_order() {
        let now = crate::clock::now();
        let mut all = table(now, 3);
        for who in [1, 0] {
            all[who].raise(now, true);
            tell(now, &mut all, who);
        }
        let mut late = Hands::new(peer(9));
        late.arrive(now, peer(1));
        late.arrive(now, peer(2));
        for who in [0, 1] {
            late.on_hand(now, peer(u8::try_from(who).expect("few") + 1), &said(&all[who])).expect("taken");
        }
        assert_eq!(late.order(), [peer(2), peer(1)]);
        // The link of 2 is away for a while at 3 only: its hand goes, and comes back into its place.
        assert_eq!(all[2].depart(peer(2)), Moved::Down);
        assert_eq!(all[2].order(), [peer(1)]);
        assert_eq!(all[2].arrive(now, peer(2)), Moved::Not);
        let word = said(&all[1]);
        assert_eq!(all[2].on_hand(now, peer(2), &word), Ok(Moved::Up));
        assert_eq!(all[2].order(), [peer(2), peer(1)]);
        // What is repeated changes nothing; a new run has its hand down.
        assert_eq!(all[2].on_hand(now, peer(2), &word), Ok(Moved::Not));
        assert_eq!(all[2].arrive(now, peer(2)), Moved::Down);
    }

    #[test]
    fn wrong_turns_strangers_and_floods_are_refused() {
        let now = crate::clock::now();
        let mut hands = table(now, 2).remove(0);
        let word = |revision, turn| wire::Hand { revision, turn };
        assert_eq!(hands.on_hand(now, peer(2), &word(1, Some(0))), Err(Refusal::Malformed));
        assert_eq!(hands.on_hand(now, peer(2), &word(1, Some(u64::MAX))), Err(Refusal::Malformed));
        assert_eq!(hands.on_hand(now, peer(7), &word(1, None)), Err(Refusal::Stranger));
        // The highest turn leaves room for everybody, by key.
        assert_eq!(hands.on_hand(now, peer(2), &word(1, Some(MAX_TURN))), Ok(Moved::Up));
        hands.raise(now, true);
        assert_eq!(hands.order(), [peer(1), peer(2)]);
        let taken = (2..200).filter(|n| hands.on_hand(now, peer(2), &word(*n, Some(1))).is_ok()).count();
        assert_eq!(taken, 19);
        assert_eq!((0..100).filter(|_| hands.on_reaction(now, peer(2)).is_ok()).count(), 10);
        assert_eq!(hands.on_reaction(now, peer(7)), Err(Refusal::Stranger));
        assert_eq!((0..100).filter(|_| hands.react(now)).count(), 5);
        assert!((0..100).filter(|n| hands.raise(now, n % 2 == 0).is_some()).count() < 100);
    }

    /// People of whom each pair may be linked, and what is under way between them, in order.
    struct World {
        now: Instant,
        all: Vec<Hands>,
        linked: BTreeMap<(usize, usize), Vec<wire::Hand>>,
    }

    impl World {
        fn link(&mut self, a: usize, b: usize) {
            for (from, to) in [(a, b), (b, a)] {
                self.all[to].arrive(self.now, peer(u8::try_from(from).expect("few")));
                let words = self.all[from].message().map(|message| message.decode().expect("ours"));
                self.linked.insert((from, to), words.into_iter().collect());
            }
        }

        fn cut(&mut self, a: usize, b: usize) {
            for (from, to) in [(a, b), (b, a)] {
                self.all[to].depart(peer(u8::try_from(from).expect("few")));
                self.linked.remove(&(from, to));
            }
        }

        fn raise(&mut self, who: usize, up: bool) {
            if matches!(self.all[who].raise(self.now, up), Some(Moved::Up | Moved::Down)) {
                let word = said(&self.all[who]);
                self.linked
                    .iter_mut()
                    .filter(|((from, _), _)| *from == who)
                    .for_each(|(_, way)| way.push(word.clone()));
            }
        }

        fn deliver(&mut self, from: usize, to: usize) {
            let word = self.linked.get_mut(&(from, to)).filter(|way| !way.is_empty()).map(|way| way.remove(0));
            if let Some(word) = word {
                self.all[to].on_hand(self.now, peer(u8::try_from(from).expect("few")), &word).expect("taken");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_was_cut_late_or_at_once_all_see_one_order_in_the_end(
            steps in proptest::collection::vec((0_u8..6, 0_usize..5, 0_usize..5), 0..200),
        ) {
            let now = crate::clock::now();
            let all = (0..5).map(|n| Hands::new(peer(n))).collect();
            let mut world = World { now, all, linked: BTreeMap::new() };
            for (step, a, b) in steps {
                // So that nobody is refused for being too quick.
                world.now += Duration::from_secs(1);
                match step {
                    0 | 1 if a != b && !world.linked.contains_key(&(a, b)) => world.link(a, b),
                    2 if a != b => world.cut(a, b),
                    3 => world.raise(a, true),
                    4 => world.raise(a, b == 0),
                    _ => world.deliver(a, b),
                }
            }
            for (a, b) in (0..5).flat_map(|a| (0..a).map(move |b| (a, b))) {
                if !world.linked.contains_key(&(a, b)) {
                    world.link(a, b);
                }
            }
            for (from, to) in world.linked.keys().copied().collect::<Vec<_>>() {
                while world.linked.get(&(from, to)).is_some_and(|way| !way.is_empty()) {
                    world.now += Duration::from_secs(1);
                    world.deliver(from, to);
                }
            }
            let expect = world.all[0].order();
            for hands in &world.all {
                proptest::prop_assert_eq!(&hands.order(), &expect);
            }
        }
    }
}
