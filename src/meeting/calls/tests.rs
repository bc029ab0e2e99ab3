//! Sans-IO. Calls between two people, in virtual time.

use std::collections::VecDeque;

use super::*;
use crate::known::names::Names;
use crate::known::trust::Book;
use crate::meeting::Person;
use crate::share::DisplayName;
use crate::sighting::{Sighting, Source};

/// One end: what it sees, its calls, and what came out.
struct Side {
    key: LinkKey,
    sight: Sight,
    calls: Calls,
    here: Option<RoomName>,
    events: Vec<Event>,
    answers: Vec<Result<Done, Failure>>,
    released: Vec<LinkKey>,
}

fn peer(n: u8) -> PeerId {
    PeerId::from_bytes([n; 32])
}

fn address(n: u8) -> SocketAddr {
    ([127, 0, 0, n], 48190).into()
}

fn side(n: u8, name: &str, known: &[u8], rules: Rules) -> Side {
    let mut names = Names::new();
    for other in known {
        names.record(&DisplayName::new(&format!("P{other}")), peer(*other));
    }
    let me = Person { peer: peer(n), name: DisplayName::new(name) };
    Side {
        key: LinkKey { peer: peer(n), instance: Instance::from_u64(n.into()) },
        sight: Sight::new(me, names, Book::new()),
        calls: Calls::new(peer(n), rules, [n; 32]),
        here: None,
        events: Vec::new(),
        answers: Vec::new(),
        released: Vec::new(),
    }
}

impl Side {
    fn sees(&mut self, n: u8) {
        self.sight.on_sighting(Sighting {
            peer: Some(peer(n)),
            instance: Some(Instance::from_u64(n.into())),
            name: Some(DisplayName::new(&format!("P{n}"))),
            addresses: vec![address(n)],
            rooms: Vec::new(),
            source: Source::Mdns,
            gone: false,
        });
    }

    fn rings(&self) -> Vec<CallId> {
        let ring = |event: &Event| match event {
            Event::Ring { call, .. } => Some(*call),
            _ => None,
        };
        self.events.iter().filter_map(ring).collect()
    }

    fn ends(&self) -> Vec<(Direction, CallEnd)> {
        let end = |event: &Event| match event {
            Event::CallEnded { direction, reason, .. } => Some((*direction, *reason)),
            _ => None,
        };
        self.events.iter().filter_map(end).collect()
    }
}

/// Ann (1) and Bob (2), who see each other. Links come up when one dials, unless cut.
struct Table {
    now: Instant,
    sides: [Side; 2],
    linked: bool,
    cut: bool,
    wire: VecDeque<(usize, Message)>,
}

fn table_of(ann: Rules, bob: Rules) -> Table {
    let mut sides = [side(1, "P1", &[2], ann), side(2, "P2", &[1], bob)];
    sides[0].sees(2);
    sides[1].sees(1);
    Table { now: crate::clock::now(), sides, linked: false, cut: false, wire: VecDeque::new() }
}

fn table() -> Table {
    table_of(Rules::default(), Rules::default())
}

impl Table {
    fn place(&mut self, at: usize) -> Place {
        match self.sides[at].here.clone() {
            Some(room) => Place { room, meeting: true },
            None => self.sides[at].calls.fresh_place(),
        }
    }

    fn call(&mut self, at: usize) -> CallId {
        let place = self.place(at);
        let (now, side) = (self.now, &mut self.sides[at]);
        let who = peer(2 - u8::try_from(at).expect("0 or 1")).to_string();
        side.calls.call(now, &side.sight, place, &who).expect("it rings")
    }

    fn link(&mut self) {
        self.linked = true;
        for at in [0, 1] {
            let other = self.sides[1 - at].key;
            let (now, side) = (self.now, &mut self.sides[at]);
            let name = side.sight.person(other.peer).name;
            side.sight.on_linked(other, name, Some(([127, 0, 0, 9], 9).into()));
            side.calls.on_linked(now, &side.sight, other, true);
        }
    }

    fn unlink(&mut self) {
        self.linked = false;
        self.wire.clear();
        for at in [0, 1] {
            let other = self.sides[1 - at].key;
            let (now, side) = (self.now, &mut self.sides[at]);
            side.sight.on_unlinked(other);
            side.calls.on_unlinked(now, &side.sight, other);
        }
    }

    /// What both want is done; messages wait on the wire.
    fn drain(&mut self) {
        for at in [0, 1] {
            while let Some(out) = self.sides[at].calls.poll_output() {
                match out {
                    Out::Send { message, .. } if self.linked => self.wire.push_back((1 - at, message)),
                    Out::Send { .. } => {}
                    Out::Reach { .. } if self.cut || self.linked => {}
                    Out::Reach { .. } => self.link(),
                    Out::Event(event) => self.sides[at].events.push(event),
                    Out::Answered { result, .. } => self.sides[at].answers.push(result),
                    Out::Release(key) => self.sides[at].released.push(key),
                }
            }
        }
    }

    /// Until nothing moves any more.
    fn run(&mut self) {
        self.drain();
        self.drain();
        while let Some((to, message)) = self.wire.pop_front() {
            let from = self.sides[1 - to].key;
            let (now, side) = (self.now, &mut self.sides[to]);
            side.calls.on_message(now, &side.sight, side.here.as_ref(), from, &message);
            self.drain();
        }
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next = self.sides.iter().filter_map(|side| side.calls.poll_timeout()).min().filter(|at| *at <= end);
            self.now = next.unwrap_or(end);
            for side in &mut self.sides {
                side.calls.on_timeout(self.now, &side.sight);
            }
            self.run();
            if next.is_none() {
                return;
            }
        }
    }

    fn answer(&mut self, at: usize, call: CallId) {
        let (now, side) = (self.now, &mut self.sides[at]);
        side.calls.answer(now, &side.sight, call).expect("it rings");
    }

    fn decline(&mut self, at: usize, call: CallId) {
        let (now, side) = (self.now, &mut self.sides[at]);
        side.calls.decline(now, &side.sight, call).expect("it rings");
    }
}

const ANSWERED: CallEnd = CallEnd::Answered;

#[test]
fn a_call_that_is_taken_brings_both_to_one_room() {
    let mut table = table();
    let call = table.call(0);
    table.run();
    assert_eq!(table.sides[1].rings(), [call]);
    table.answer(1, call);
    assert!(table.sides[1].answers.is_empty(), "not before the caller says that it is on");
    table.run();
    assert_eq!(table.sides[0].ends(), [(Direction::Out, ANSWERED)]);
    assert_eq!(table.sides[1].ends(), [(Direction::In, ANSWERED)]);
    let Some(Event::CallEnded { room: there, connect: to_bob, .. }) = table.sides[0].events.last() else { panic!() };
    let [Ok(Done::Answered { room: here, connect: to_ann })] = &table.sides[1].answers[..] else { panic!("no answer") };
    assert_eq!(there, here);
    assert!(here.is_call());
    let proven: SocketAddr = ([127, 0, 0, 9], 9).into();
    assert_eq!(to_ann, &[(proven, Some(peer(1))), (address(1), Some(peer(1)))]);
    assert_eq!(to_bob, &[(proven, Some(peer(2))), (address(2), Some(peer(2)))]);
}

#[test]
fn a_call_is_declined_busy_taken_back_or_never_answered() {
    let mut table = table();
    let call = table.call(0);
    table.run();
    table.decline(1, call);
    table.run();
    assert_eq!(table.sides[0].ends(), [(Direction::Out, CallEnd::Declined)]);
    assert_eq!(table.sides[1].ends(), [(Direction::In, CallEnd::Declined)]);

    let mut table = self::table();
    let call = table.call(0);
    table.run();
    table.decline(0, call);
    table.run();
    assert_eq!(table.sides[0].ends(), [(Direction::Out, CallEnd::Cancelled)]);
    assert_eq!(table.sides[1].ends(), [(Direction::In, CallEnd::Cancelled)]);

    let mut table = self::table();
    table.call(0);
    table.run();
    table.pass(RING_FOR - Duration::from_millis(1));
    assert_eq!(table.sides[0].ends(), []);
    table.pass(Duration::from_millis(1));
    assert_eq!(table.sides[0].ends(), [(Direction::Out, CallEnd::Timeout)]);
    assert_eq!(table.sides[1].ends(), [(Direction::In, CallEnd::Timeout)]);
    // The link that was made for it goes, too.
    table.pass(LINGER);
    assert_eq!(table.sides[0].released, [table.sides[1].key]);
    assert!(table.sides[1].released.is_empty());

    // Bob calls Cid; nobody knows yet where that ends.
    let mut table = self::table();
    table.sides[1].sees(3);
    let place = table.place(1);
    let (now, bob) = (table.now, &mut table.sides[1]);
    bob.calls.call(now, &bob.sight, place, &peer(3).to_string()).expect("it rings");
    while bob.calls.poll_output().is_some() {}
    table.call(0);
    table.run();
    assert_eq!(table.sides[0].ends(), [(Direction::Out, CallEnd::Busy)]);
    assert!(table.sides[1].rings().is_empty());
}

#[test]
fn a_call_right_after_a_declined_one_rings_and_closes_the_link_of_both() {
    let mut table = table();
    let first = table.call(0);
    table.run();
    table.decline(1, first);
    table.run();
    table.pass(LINGER / 2);
    let second = table.call(0);
    table.run();
    assert_eq!(table.sides[1].rings(), [first, second]);
    table.pass(LINGER);
    assert!(table.sides[0].released.is_empty(), "it rings over this link");
    table.decline(1, second);
    table.run();
    table.pass(LINGER);
    assert_eq!(table.sides[0].released, [table.sides[1].key]);
}

#[test]
fn who_cannot_be_linked_does_not_answer() {
    let mut table = table();
    table.cut = true;
    table.call(0);
    table.run();
    table.pass(LINK_PATIENCE);
    assert_eq!(table.sides[0].ends(), [(Direction::Out, CallEnd::Timeout)]);
    assert!(table.sides[0].events.iter().any(|event| matches!(event, Event::Warning(_))));
}

#[test]
fn a_run_that_takes_no_calls_is_passed_over() {
    let mut table = table();
    table.cut = true;
    let call = table.call(0);
    table.run();
    // What answers first is Bob's `receive`: it knows nothing of calls, and nothing else of his is in sight.
    let deaf = LinkKey { peer: peer(2), instance: Instance::from_u64(2) };
    let (now, ann) = (table.now, &mut table.sides[0]);
    ann.sight.on_linked(deaf, DisplayName::new("P2"), Some(address(2)));
    let other = Sighting {
        peer: Some(peer(2)),
        instance: Some(Instance::from_u64(22)),
        name: None,
        addresses: vec![address(22)],
        rooms: Vec::new(),
        source: Source::Mdns,
        gone: false,
    };
    ann.sight.on_sighting(other.clone());
    ann.calls.on_linked(now, &ann.sight, deaf, false);
    let reach = Out::Reach { peer: peer(2), addresses: vec![address(22)], except: vec![deaf.instance] };
    assert_eq!(ann.calls.poll_output(), Some(reach));
    let window = LinkKey { instance: Instance::from_u64(22), ..deaf };
    ann.calls.on_linked(now, &ann.sight, window, true);
    assert!(matches!(ann.calls.poll_output(), Some(Out::Send { to, .. }) if to == window));
    ann.calls.decline(now, &ann.sight, call).expect("it rings");

    let mut table = self::table();
    table.cut = true;
    table.call(0);
    table.run();
    let (now, ann) = (table.now, &mut table.sides[0]);
    ann.calls.on_linked(now, &ann.sight, deaf, false);
    table.run();
    assert_eq!(table.sides[0].ends(), [(Direction::Out, CallEnd::Timeout)], "nothing of his takes calls");
}

#[test]
fn a_caller_that_dies_rings_no_more() {
    let mut table = table();
    let call = table.call(0);
    table.run();
    table.cut = true;
    table.unlink();
    table.run();
    assert_eq!(table.sides[1].ends(), [(Direction::In, CallEnd::Cancelled)]);
    let (now, bob) = (table.now, &mut table.sides[1]);
    let failure = bob.calls.answer(now, &bob.sight, call).expect_err("nobody is there");
    assert_eq!(failure.code, Code::UnknownCall);
}

#[test]
fn a_taken_call_that_is_said_again_over_another_link_is_taken_again() {
    let mut bob = side(2, "P2", &[1], Rules::default());
    let now = crate::clock::now();
    let ring = Ring { call: CallId::from_u64(7), room: RoomName::of_call([1; 16]), meeting: false };
    let message = Message::new(wire::RING, &ring);
    let link = |instance| LinkKey { peer: peer(1), instance: Instance::from_u64(instance) };
    let said = |bob: &mut Side, from: LinkKey| {
        assert_eq!(bob.calls.on_message(now, &bob.sight, None, from, &message), Heard::Fine);
        let mut sent = Vec::new();
        while let Some(out) = bob.calls.poll_output() {
            if let Out::Send { to, message } = out {
                sent.push((to, message.decode::<RingAnswer>().expect("an answer").word));
            }
        }
        sent
    };
    assert_eq!(said(&mut bob, link(1)), []);
    assert_eq!(said(&mut bob, link(2)), [], "a person decides");
    bob.calls.answer(now, &bob.sight, ring.call).expect("it rings");
    let take = |instance| (link(instance), wire::TAKE.to_owned());
    assert_eq!(said(&mut bob, link(3)), [take(2), take(3)], "the first word may be gone with its link");
}

#[test]
fn a_callee_that_comes_back_rings_again() {
    let mut table = table();
    let call = table.call(0);
    table.run();
    table.unlink();
    table.run();
    assert_eq!(table.sides[1].rings(), [call, call]);
    assert_eq!(table.sides[1].ends(), [(Direction::In, CallEnd::Cancelled)]);
    assert_eq!(table.sides[0].ends(), []);
}

#[test]
fn a_call_that_is_taken_while_it_is_taken_back_is_not_taken() {
    let mut table = table();
    let call = table.call(0);
    table.run();
    table.answer(1, call);
    table.decline(0, call);
    table.run();
    assert_eq!(table.sides[0].ends(), [(Direction::Out, CallEnd::Cancelled)]);
    assert_eq!(table.sides[1].ends(), [(Direction::In, CallEnd::Cancelled)]);
    assert!(matches!(&table.sides[1].answers[..], [Err(failure)] if failure.code == Code::UnknownCall));
}

#[test]
fn a_caller_that_never_confirms_is_given_up() {
    let mut table = table();
    let call = table.call(0);
    table.run();
    table.answer(1, call);
    table.drain();
    table.wire.clear();
    table.pass(GO_WITHIN);
    assert!(matches!(&table.sides[1].answers[..], [Err(failure)] if failure.code == Code::UnknownCall));
}

#[test]
fn two_who_call_each_other_are_connected() {
    let mut table = table();
    table.call(0);
    table.call(1);
    table.run();
    let mut rooms = Vec::new();
    for side in &table.sides {
        assert_eq!(side.ends(), [(Direction::Out, ANSWERED)]);
        assert!(side.rings().is_empty());
        let Some(Event::CallEnded { room, .. }) = side.events.last() else { panic!("{:?}", side.events) };
        rooms.push(room.clone());
    }
    assert!(rooms[0] == rooms[1] && rooms[0].is_call());
}

#[test]
fn who_is_called_back_from_a_meeting_is_asked_before_it_goes_there() {
    let check = |ann: Option<&str>, bob: Option<&str>, winner: usize| {
        let mut table = table();
        table.sides[0].here = ann.map(|room| RoomName::new(room).expect("valid"));
        table.sides[1].here = bob.map(|room| RoomName::new(room).expect("valid"));
        let calls = [table.call(0), table.call(1)];
        table.run();
        let (asked, call) = (1 - winner, calls[winner]);
        assert_eq!(table.sides[winner].ends(), [], "{ann:?} {bob:?}");
        assert_eq!(table.sides[asked].ends(), [(Direction::Out, CallEnd::Cancelled)]);
        assert_eq!((table.sides[asked].rings(), table.sides[winner].rings()), (vec![call], Vec::new()));
        table.answer(asked, call);
        table.run();
        assert_eq!(table.sides[winner].ends(), [(Direction::Out, ANSWERED)]);
        assert!(matches!(&table.sides[asked].answers[..], [Ok(Done::Answered { room, .. })]
            if Some(room.as_str()) == [ann, bob][winner]));
    };
    check(Some("a"), None, 0);
    check(None, Some("b"), 1);
    check(Some("a"), Some("b"), 0);
    // What is said of the room does not matter, only what room it is.
    for meeting in [false, true] {
        let mut bob = side(2, "P2", &[1], Rules::default());
        bob.sees(1);
        let (now, place) = (crate::clock::now(), bob.calls.fresh_place());
        bob.calls.call(now, &bob.sight, place, &peer(1).to_string()).expect("it rings");
        let from = LinkKey { peer: peer(1), instance: Instance::from_u64(1) };
        let ring = Ring { call: CallId::from_u64(5), room: RoomName::new("trap").expect("valid"), meeting };
        bob.calls.on_message(now, &bob.sight, None, from, &Message::new(wire::RING, &ring));
        let out: Vec<Out> = std::iter::from_fn(|| bob.calls.poll_output()).collect();
        assert!(!out.iter().any(|out| matches!(out, Out::Send { message, .. } if message.kind == wire::RING_ANSWER)));
        assert!(out.iter().any(|out| matches!(out, Out::Event(Event::Ring { .. }))), "{out:?}");
    }
}

#[test]
fn somebody_met_before_rings_in_place_of_a_stranger() {
    let mut bob = side(2, "P2", &[1, 3], Rules::default());
    let now = crate::clock::now();
    let from = |n: u8| LinkKey { peer: peer(n), instance: Instance::from_u64(n.into()) };
    let mut ring = |n: u8| {
        bob.calls.on_message(now, &bob.sight, None, from(n), &hostile_ring(n.into()));
        std::iter::from_fn(|| bob.calls.poll_output()).collect::<Vec<Out>>()
    };
    let busy = |to: u8| {
        let answer = RingAnswer { call: CallId::from_u64(to.into()), word: wire::BUSY.to_owned() };
        Out::Send { to: from(to), message: Message::new(wire::RING_ANSWER, &answer) }
    };
    assert!(matches!(ring(7).as_slice(), [Out::Event(Event::Ring { .. })]));
    assert_eq!(ring(8), [busy(8)], "one stranger is as good as another");
    let out = ring(1);
    assert_eq!(out.first(), Some(&busy(7)));
    assert!(matches!(
        &out[1..],
        [
            Out::Event(Event::CallEnded { direction: Direction::In, reason: CallEnd::Busy, .. }),
            Out::Event(Event::Ring { trust: Trust::Known, .. })
        ]
    ));
    assert_eq!(ring(3), [busy(3)], "nobody waits for two who were met");
    assert_eq!(ring(9), [busy(9)]);
}

#[test]
fn a_call_that_may_not_be_taken_holds_the_place_of_no_other() {
    let mut bob = side(2, "P2", &[1], Rules::default());
    let mut book = Book::new();
    let aliases = vec![crate::known::trust::Alias::Name(DisplayName::new("P9"))];
    book.apply(&crate::known::trust::Edit::Verified { peer: peer(8), at: 1, aliases }).expect("room");
    bob.sight = Sight::new(bob.sight.me().clone(), Names::new(), book);
    bob.sees(9);
    let now = crate::clock::now();
    let from = LinkKey { peer: peer(9), instance: Instance::from_u64(9) };
    bob.calls.on_message(now, &bob.sight, None, from, &hostile_ring(9));
    assert!(matches!(bob.calls.poll_output(), Some(Out::Event(Event::Ring { trust: Trust::Changed, .. }))));
    let answer = bob.calls.answer(now, &bob.sight, CallId::from_u64(9));
    assert_eq!(answer.map_err(|failure| failure.code), Err(Code::VerifiedKeyChanged));
    assert!(matches!(
        bob.calls.poll_output(),
        Some(Out::Event(Event::CallEnded { direction: Direction::In, reason: CallEnd::Declined, .. }))
    ));
    assert_eq!((bob.calls.poll_output(), bob.calls.incoming.is_none()), (None, true), "nothing is said to the caller");
}

#[test]
fn whoever_sits_in_the_room_already_takes_the_call_by_itself() {
    let mut table = table();
    let room = RoomName::new("Stand-up").ok();
    table.sides[0].here.clone_from(&room);
    table.sides[1].here = room;
    table.call(0);
    table.run();
    assert_eq!(table.sides[0].ends(), [(Direction::Out, ANSWERED)]);
    assert!(table.sides[1].events.is_empty());
}

#[test]
fn one_call_at_a_time_is_made() {
    let mut table = table();
    table.sides[0].sees(3);
    let call = table.call(0);
    let place = table.place(0);
    let (now, ann) = (table.now, &mut table.sides[0]);
    let again = ann.calls.call(now, &ann.sight, place.clone(), &peer(3).to_string());
    assert_eq!(again.map_err(|failure| failure.code), Err(Code::Calling));
    table.run();
    let (now, bob) = (table.now, &mut table.sides[1]);
    let back = bob.calls.call(now, &bob.sight, place, &peer(1).to_string());
    assert_eq!(back.map_err(|failure| failure.code), Err(Code::Calling));
    // Whoever takes a call takes back the own one.
    table.answer(1, call);
    table.run();
    assert_eq!(table.sides[1].ends(), [(Direction::In, ANSWERED)]);
}

fn hostile_ring(n: u64) -> Message {
    let room = RoomName::new("trap").expect("valid");
    Message::new(wire::RING, &Ring { call: CallId::from_u64(n), room, meeting: false })
}

#[test]
fn rings_of_strangers_can_be_silenced() {
    let rules = Rules { silence_unknown: true, ..Rules::default() };
    let mut bob = side(2, "P2", &[1], rules);
    let now = crate::clock::now();
    let ring = |bob: &mut Side, n: u8| {
        let from = LinkKey { peer: peer(n), instance: Instance::from_u64(n.into()) };
        bob.calls.on_message(now, &bob.sight, None, from, &hostile_ring(n.into()))
    };
    ring(&mut bob, 7);
    assert_eq!(bob.calls.poll_output(), None, "not even busy is said");
    ring(&mut bob, 1);
    assert!(matches!(bob.calls.poll_output(), Some(Out::Event(Event::Ring { trust: Trust::Known, .. }))));
}

#[test]
fn who_rings_too_often_is_not_heard() {
    let mut bob = side(2, "P2", &[1], Rules::default());
    let now = crate::clock::now();
    let from = |n: u8| LinkKey { peer: peer(n), instance: Instance::from_u64(n.into()) };
    let mut heard = 0;
    for n in 0..1000 {
        let fine = bob.calls.on_message(now, &bob.sight, None, from(1), &hostile_ring(n)) == Heard::Fine;
        heard += u32::from(fine);
        if let Some(incoming) = &bob.calls.incoming {
            let call = incoming.call;
            bob.calls.decline(now, &bob.sight, call).expect("it rings");
        }
    }
    assert_eq!(heard, RINGS);
    // Fresh keys are all strangers together.
    let mut strangers = 0;
    for n in 10..200 {
        let fine = bob.calls.on_message(now, &bob.sight, None, from(n), &hostile_ring(n.into())) == Heard::Fine;
        strangers += u32::from(fine);
    }
    assert_eq!(strangers, STRANGERS);
    // Somebody known is heard all the same, once it may ring again, in place of the stranger who rings.
    let later = now + RING_EVERY.max(ringers::PAUSE);
    bob.calls.on_message(later, &bob.sight, None, from(1), &hostile_ring(5000));
    let last = std::iter::from_fn(|| bob.calls.poll_output()).last();
    assert!(matches!(last, Some(Out::Event(Event::Ring { from, .. })) if from.peer == peer(1)));
}

#[test]
fn words_that_belong_to_no_call_do_nothing() {
    let mut table = table();
    let call = table.call(0);
    table.run();
    let eve = LinkKey { peer: peer(9), instance: Instance::from_u64(9) };
    let answer = |word: &str| Message::new(wire::RING_ANSWER, &RingAnswer { call, word: word.into() });
    let end = |word: &str| Message::new(wire::RING_END, &RingEnd { call, word: word.into() });
    for message in [answer(wire::TAKE), answer(wire::DECLINE), end(wire::GO), end(wire::CANCELLED), end("x")] {
        for side in &mut table.sides {
            side.calls.on_message(table.now, &side.sight, None, eve, &message);
        }
    }
    // Bob says what only a caller says, and the other way round; and `go` before anything was taken.
    for message in [end(wire::CANCELLED), answer("later")] {
        let (ann, from) = (&mut table.sides[0], LinkKey { peer: peer(2), instance: Instance::from_u64(2) });
        ann.calls.on_message(table.now, &ann.sight, None, from, &message);
    }
    for message in [answer(wire::TAKE), end(wire::GO)] {
        let (bob, from) = (&mut table.sides[1], LinkKey { peer: peer(1), instance: Instance::from_u64(1) });
        bob.calls.on_message(table.now, &bob.sight, None, from, &message);
    }
    table.run();
    assert_eq!((table.sides[0].ends(), table.sides[1].ends()), (vec![], vec![]));
    let malformed = Message { kind: wire::RING, body: vec![0xff].into() };
    let bob = &mut table.sides[1];
    assert!(matches!(bob.calls.on_message(table.now, &bob.sight, None, eve, &malformed), Heard::Malformed(_)));
}

proptest::proptest! {
    #[test]
    fn any_words_in_any_order_leave_at_most_one_call_each_way(
        steps in proptest::collection::vec((0_u8..9, 0_u8..4, 0_u64..4), 0..60)
    ) {
        let mut bob = side(2, "P2", &[1], Rules::default());
        for n in [1, 3, 4] {
            bob.sees(n);
        }
        let mut now = crate::clock::now();
        let mut open = 0_i32;
        for (what, who, n) in steps {
            let from = LinkKey { peer: peer(who), instance: Instance::from_u64(who.into()) };
            let call = CallId::from_u64(n);
            let answer = |word: &str| Message::new(wire::RING_ANSWER, &RingAnswer { call, word: word.into() });
            let end = |word: &str| Message::new(wire::RING_END, &RingEnd { call, word: word.into() });
            let message = match what {
                0 => Some(hostile_ring(n)),
                1 => Some(answer(wire::TAKE)),
                2 => Some(answer(wire::BUSY)),
                3 => Some(end(wire::GO)),
                4 => Some(end(wire::CANCELLED)),
                _ => None,
            };
            if let Some(message) = message {
                bob.calls.on_message(now, &bob.sight, None, from, &message);
            }
            match what {
                5 => drop(bob.calls.answer(now, &bob.sight, call)),
                6 => bob.calls.on_unlinked(now, &bob.sight, from),
                7 => bob.calls.on_linked(now, &bob.sight, from, n > 0),
                8 => {
                    now += Duration::from_secs(n * 4);
                    bob.calls.on_timeout(now, &bob.sight);
                    let place = bob.calls.fresh_place();
                    let _ = bob.calls.call(now, &bob.sight, place, &peer(who).to_string());
                }
                _ => {}
            }
            while let Some(out) = bob.calls.poll_output() {
                match out {
                    Out::Event(Event::Ring { .. }) => open += 1,
                    Out::Event(Event::CallEnded { direction: Direction::In, .. }) => open -= 1,
                    _ => {}
                }
                proptest::prop_assert!((0..=1).contains(&open), "each ring ends once");
            }
        }
    }
}
