//! Tests of the roster alone: any order of inputs keeps its bounds. What several rosters do together is in
//! `tests/sim/roster.rs`.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::id::RoomName;

fn id(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

fn at(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], port))
}

fn room() -> RoomName {
    RoomName::new("room").expect("valid")
}

fn roster(me: u8, seats: usize) -> Roster {
    let me = LinkKey { peer: id(me), instance: Instance::from_u64(1) };
    Roster::new(Config { me, room: Some(room().id()), seats, seed: 1 })
}

fn sighting(peer: u8, instance: u64, source: Source) -> Sighting {
    Sighting {
        peer: Some(id(peer)),
        instance: Some(Instance::from_u64(instance)),
        name: None,
        addresses: vec![at(peer, 48190)],
        rooms: vec![room()],
        source,
        gone: false,
    }
}

fn hello(link: u64, peer: u8, instance: u64) -> Hello {
    Hello {
        link: LinkId::from_u64(link),
        key: LinkKey { peer: id(peer), instance: Instance::from_u64(instance) },
        direction: Direction::Incoming,
        address: at(peer, 48190),
        seat: Seat::Room,
        name: DisplayName::new("x"),
        listen: Vec::new(),
    }
}

fn drain(roster: &mut Roster, now: Instant) -> Vec<Output> {
    std::iter::from_fn(|| roster.poll_output(now)).collect()
}

fn dials(outputs: &[Output]) -> usize {
    outputs.iter().filter(|o| matches!(o, Output::Dial { .. })).count()
}

#[test]
fn own_sightings_and_other_rooms_are_not_dialed() {
    let now = crate::clock::now();
    let mut roster = roster(1, 50);
    roster.on_sighting(now, &sighting(1, 1, Source::Mdns));
    let mut elsewhere = sighting(2, 1, Source::Mdns);
    elsewhere.rooms = vec![RoomName::new("other").expect("valid")];
    roster.on_sighting(now, &elsewhere);
    elsewhere.rooms.clear();
    roster.on_sighting(now, &elsewhere);
    let outputs = drain(&mut roster, now + Duration::from_secs(5));
    assert_eq!(dials(&outputs), 0);
    assert_eq!(roster.presence(id(2)), Some(Presence::Known));
    assert_eq!(roster.presence(id(1)), None);
}

#[test]
fn a_repeated_sighting_is_said_once() {
    let now = crate::clock::now();
    let mut roster = roster(1, 50);
    for _ in 0..3 {
        roster.on_sighting(now, &sighting(2, 1, Source::Mdns));
    }
    let said = drain(&mut roster, now).iter().filter(|o| matches!(o, Output::Sighted(_))).count();
    assert_eq!(said, 1);
}

#[test]
fn the_higher_id_waits_for_the_lower_one_to_dial() {
    let now = crate::clock::now();
    let check = |me: u8, source: Source, wait: Duration| {
        let mut roster = roster(me, 50);
        roster.on_sighting(now, &sighting(5, 1, source));
        let early = now + wait.saturating_sub(Duration::from_millis(1));
        assert_eq!(dials(&drain(&mut roster, early)), usize::from(wait.is_zero()), "{me} {source:?}");
        drain(&mut roster, now + wait);
        assert_eq!(roster.presence(id(5)), Some(Presence::Linking));
    };
    check(1, Source::Mdns, Duration::ZERO);
    check(9, Source::Mdns, GLARE_GRACE);
    check(9, Source::Manual, Duration::ZERO);
}

#[test]
fn silence_is_suspected_redialed_each_second_and_ends() {
    let start = crate::clock::now();
    let mut roster = roster(1, 50);
    assert_eq!(roster.on_hello(start, hello(1, 2, 1)), Verdict::Seated);
    drain(&mut roster, start);
    let mut dialed = Vec::new();
    let mut log = Vec::new();
    for ms in (0..9000).step_by(50) {
        for output in drain(&mut roster, start + Duration::from_millis(ms)) {
            match output {
                Output::Dial { .. } => dialed.push(ms),
                Output::Changed(change) => log.push((ms, change)),
                _ => {}
            }
        }
    }
    let key = LinkKey { peer: id(2), instance: Instance::from_u64(1) };
    let left = Change::Left { key, reason: LeaveReason::Timeout };
    assert_eq!(log, [(2000, Change::Suspected(key)), (7000, left)]);
    assert_eq!(dialed[..5], [2000, 3000, 4000, 5000, 6000]);
}

#[test]
fn a_newer_instance_replaces_the_older_which_never_comes_back() {
    let now = crate::clock::now();
    let mut roster = roster(1, 2);
    assert_eq!(roster.on_hello(now, hello(1, 2, 10)), Verdict::Seated);
    assert_eq!(roster.on_hello(now, hello(2, 2, 11)), Verdict::Seated, "the last seat, and its own");
    let outputs = drain(&mut roster, now);
    let close = Output::Close { link: LinkId::from_u64(1), reason: CloseReason::Replaced };
    assert!(outputs.contains(&close), "{outputs:?}");
    assert_eq!(roster.on_hello(now, hello(3, 2, 10)), Verdict::Refuse(Refusal::Replaced));
    assert_eq!(roster.on_hello(now, hello(4, 3, 1)), Verdict::Refuse(Refusal::RoomFull));
    assert_eq!(roster.instance(id(2)), Some(Instance::from_u64(11)));
}

#[test]
fn a_flood_of_gossip_is_cut_and_tells_of_each_peer_once() {
    let start = crate::clock::now();
    let mut roster = roster(1, 50);
    roster.on_hello(start, hello(1, 2, 1));
    drain(&mut roster, start);
    let mut sighted = 0;
    for port in 1..=1000_u16 {
        // A peer each, and one more in every message that moves about.
        let mut bytes = [9; 32];
        bytes[..2].copy_from_slice(&port.to_be_bytes());
        let entry = |peer| Entry { peer, instance: Instance::from_u64(1), name: None, addresses: vec![at(3, port)] };
        roster.on_gossip(start, LinkId::from_u64(1), &[entry(id(3))]);
        let said = drain(&mut roster, start);
        sighted += said.iter().filter(|o| matches!(o, Output::Sighted(_))).count();
        if port == 200 {
            roster.on_gossip(start, LinkId::from_u64(1), &[entry(PeerId::from_bytes(bytes))]);
            assert_eq!(roster.known(), 2, "the bucket is empty");
        }
    }
    assert_eq!(sighted, 1);
    let later = start + Duration::from_millis(50);
    let entry = Entry { peer: id(4), instance: Instance::from_u64(1), name: None, addresses: vec![at(4, 1)] };
    roster.on_gossip(later, LinkId::from_u64(1), &[entry]);
    assert_eq!(roster.known(), 3);
}

#[test]
fn who_takes_name_after_name_keeps_one_for_a_while() {
    let start = crate::clock::now();
    let mut roster = roster(1, 50);
    roster.on_hello(start, hello(1, 2, 1));
    drain(&mut roster, start);
    let rename = |roster: &mut Roster, now, n: u32| {
        roster.on_renamed(now, LinkId::from_u64(1), DisplayName::new(&format!("Ana {n}")))
    };
    let heard = (0..1000).filter(|n| rename(&mut roster, start, *n)).count();
    assert_eq!(heard, 8);
    assert!(rename(&mut roster, start + Duration::from_secs(5), 1000));
    assert!(!rename(&mut roster, start + Duration::from_secs(5), 1001));
    let nobody = roster.on_renamed(start, LinkId::from_u64(9), DisplayName::new("Eve"));
    assert!(!nobody, "a link that is no more");
}

fn ousted(outputs: &[Output]) -> usize {
    outputs.iter().filter(|o| matches!(o, Output::Changed(Change::Ousted { .. }))).count()
}

#[test]
fn one_peer_that_says_replaced_only_loses_its_own_seat() {
    let now = crate::clock::now();
    let replaced = Closed::Refused(Refusal::Replaced);
    let mut roster = roster(1, 50);
    roster.on_hello(now, hello(1, 2, 1));
    roster.on_hello(now, hello(2, 3, 1));
    drain(&mut roster, now);
    roster.on_closed(now, LinkId::from_u64(1), replaced);
    assert_eq!(ousted(&drain(&mut roster, now)), 0);
    assert_eq!((roster.instance(id(2)), roster.seated().count()), (None, 1));
    // Alone with it, its word is still one word; what it gossips is its word too.
    roster.on_goodbye(now, LinkId::from_u64(2));
    roster.on_hello(now, hello(3, 2, 1));
    let own = Entry { peer: id(1), instance: Instance::from_u64(2), name: None, addresses: vec![at(1, 9)] };
    roster.on_gossip(now, LinkId::from_u64(3), &[own]);
    roster.on_closed(now, LinkId::from_u64(3), replaced);
    assert_eq!(ousted(&drain(&mut roster, now)), 0);
    // A stranger's word is none: nobody was seated.
    roster.on_sighting(now, &sighting(4, 1, Source::Manual));
    let outputs = drain(&mut roster, now);
    let attempt = outputs.iter().find_map(|o| match o {
        Output::Dial { attempt, .. } => Some(*attempt),
        _ => None,
    });
    roster.on_dial_failed(now, attempt.expect("a dial"), DialFailure::Refused(Refusal::Replaced));
    assert_eq!(ousted(&drain(&mut roster, now)), 0);
}

#[test]
fn the_word_of_everybody_or_of_one_and_discovery_ends_the_old_run() {
    let now = crate::clock::now();
    let replaced = Closed::Refused(Refusal::Replaced);
    let mut everybody = roster(1, 50);
    everybody.on_hello(now, hello(1, 2, 1));
    everybody.on_hello(now, hello(2, 3, 1));
    everybody.on_closed(now, LinkId::from_u64(1), replaced);
    everybody.on_closed(now, LinkId::from_u64(2), replaced);
    assert_eq!(ousted(&drain(&mut everybody, now)), 1);
    for seen_first in [true, false] {
        let mut one = roster(1, 50);
        one.on_hello(now, hello(1, 2, 1));
        if seen_first {
            one.on_sighting(now, &sighting(1, 2, Source::Mdns));
        }
        one.on_closed(now, LinkId::from_u64(1), replaced);
        assert_eq!(ousted(&drain(&mut one, now)), usize::from(seen_first));
        one.on_sighting(now, &sighting(1, 2, Source::Mdns));
        assert_eq!(ousted(&drain(&mut one, now)), usize::from(!seen_first));
    }
}

#[test]
fn the_end_that_does_not_decide_waits_for_the_word() {
    let now = crate::clock::now();
    let mut roster = roster(9, 50);
    assert_eq!(roster.on_hello(now, hello(1, 2, 1)), Verdict::Wait);
    assert_eq!(drain(&mut roster, now), []);
    assert_eq!(roster.presence(id(2)), None);
    roster.on_seated(now, LinkId::from_u64(1));
    assert_eq!(roster.presence(id(2)), Some(Presence::Linked));
    // A word that never comes.
    assert_eq!(roster.on_hello(now, hello(2, 3, 1)), Verdict::Wait);
    let late = now + DECIDE_WITHIN;
    roster.on_heard(late, LinkId::from_u64(1));
    let close = Output::Close { link: LinkId::from_u64(2), reason: CloseReason::Undecided };
    assert!(drain(&mut roster, late).contains(&close));
}

#[test]
fn visitors_take_no_seat_and_are_limited() {
    let now = crate::clock::now();
    let mut roster = roster(1, 2);
    for number in 0..u8::try_from(MAX_VISITORS).expect("few") {
        let visit = Hello { seat: Seat::Visitor, ..hello(u64::from(number), 100 + number, 1) };
        assert_eq!(roster.on_hello(now, visit), Verdict::Seated);
    }
    let one_more = Hello { seat: Seat::Visitor, ..hello(99, 99, 1) };
    assert_eq!(roster.on_hello(now, one_more), Verdict::Refuse(Refusal::RoomFull));
    assert_eq!(roster.on_hello(now, hello(100, 2, 1)), Verdict::Seated);
    roster.on_closed(now, LinkId::from_u64(3), Closed::Lost);
    let key = LinkKey { peer: id(103), instance: Instance::from_u64(1) };
    assert!(drain(&mut roster, now).contains(&Output::Changed(Change::Unlinked(key))));
}

#[test]
fn a_visit_is_dialed_without_a_seat_and_given_up() {
    let start = crate::clock::now();
    let me = LinkKey { peer: id(1), instance: Instance::from_u64(1) };
    let mut roster = Roster::new(Config { me, room: None, seats: 50, seed: 1 });
    roster.reach(start, id(2), &[at(2, 1)], &[]);
    let outputs = drain(&mut roster, start);
    assert!(matches!(outputs[..], [Output::Dial { seat: Seat::Visitor, .. }]), "{outputs:?}");
    let mut count = 1;
    for second in 1..120 {
        count += dials(&drain(&mut roster, start + Duration::from_secs(second)));
    }
    assert_eq!(count, 4);
}

#[test]
fn two_who_visit_each_other_at_once_keep_the_same_connection() {
    let now = crate::clock::now();
    let key = |n: u8| LinkKey { peer: id(n), instance: Instance::from_u64(1) };
    // Peers 1 and 2 dial each other; each learns of the two connections in an order of its own.
    let kept = |me: u8, other: u8, own_first: bool| {
        let mut roster = Roster::new(Config { me: key(me), room: None, seats: 50, seed: 1 });
        roster.reach(now, id(other), &[at(other, 1)], &[]);
        let outputs = drain(&mut roster, now);
        let [Output::Dial { attempt, .. }] = outputs[..] else { panic!("{outputs:?}") };
        let made_by = |n: u8| {
            let direction = if n == me { Direction::Outgoing(attempt) } else { Direction::Incoming };
            Hello { direction, seat: Seat::Visitor, ..hello(n.into(), other, 1) }
        };
        let order = if own_first { [me, other] } else { [other, me] };
        let mut closed = Vec::new();
        for n in order {
            roster.on_hello(now, made_by(n));
            for output in drain(&mut roster, now) {
                match output {
                    Output::Close { link, .. } => closed.push(link),
                    Output::Changed(Change::Unlinked(_)) => panic!("the visit goes on"),
                    _ => {}
                }
            }
        }
        closed
    };
    let lost = vec![LinkId::from_u64(2)];
    assert_eq!(kept(1, 2, true), lost, "its own dial came first: that of the higher id is closed");
    assert_eq!(kept(1, 2, false), lost);
    assert_eq!(kept(2, 1, true), lost);
    assert_eq!(kept(2, 1, false), [], "its own dial was refused");
}

#[test]
fn a_visit_to_a_run_that_is_of_no_use_is_followed_by_another() {
    let now = crate::clock::now();
    let me = LinkKey { peer: id(1), instance: Instance::from_u64(1) };
    let mut roster = Roster::new(Config { me, room: None, seats: 50, seed: 1 });
    roster.on_hello(now, Hello { seat: Seat::Visitor, ..hello(1, 2, 5) });
    drain(&mut roster, now);
    roster.reach(now, id(2), &[at(2, 1)], &[]);
    assert_eq!(dials(&drain(&mut roster, now)), 0);
    roster.reach(now, id(2), &[at(2, 1)], &[Instance::from_u64(5)]);
    assert_eq!(dials(&drain(&mut roster, now)), 1);
    let key = LinkKey { peer: id(2), instance: Instance::from_u64(5) };
    roster.release(key);
    let outputs = drain(&mut roster, now);
    assert!(outputs.contains(&Output::Changed(Change::Unlinked(key))), "{outputs:?}");
}

#[test]
fn a_removed_peer_is_kept_away() {
    let now = crate::clock::now();
    let mut roster = roster(1, 50);
    roster.on_hello(now, hello(1, 2, 1));
    roster.remove(now, id(2));
    roster.on_sighting(now, &sighting(2, 2, Source::Mdns));
    assert_eq!(roster.on_hello(now, hello(2, 2, 2)), Verdict::Refuse(Refusal::Removed));
    assert_eq!(dials(&drain(&mut roster, now + Duration::from_secs(60))), 0);
}

#[test]
fn a_crowd_of_sightings_stays_within_the_cap() {
    let now = crate::clock::now();
    let mut roster = roster(1, 50);
    roster.on_hello(now, hello(1, 2, 1));
    for number in 0..10_000_u16 {
        let mut bytes = [9; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        let peer = Some(PeerId::from_bytes(bytes));
        roster.on_sighting(now, &Sighting { peer, ..sighting(0, 1, Source::Mdns) });
        drain(&mut roster, now);
    }
    assert_eq!(roster.known(), MAX_PEERS);
    assert_eq!(roster.presence(id(2)), Some(Presence::Linked));
}

#[derive(Debug, Clone)]
enum Input {
    Sighted(u8, u64, Source, bool),
    Typed(u8),
    Reach(u8),
    DialFailed(usize, DialFailure),
    Hello(u8, u64, Option<usize>, Seat),
    Seated(u64),
    Heard(u64),
    Goodbye(u64),
    Closed(u64, Closed),
    Gossip(u64, Vec<(u8, u64)>),
    Remove(u8),
    Wait(u64),
}

fn input() -> impl Strategy<Value = Input> {
    let peer = 0..6_u8;
    let instance = 1..4_u64;
    let link = 0..40_u64;
    let source = prop_oneof![
        Just(Source::Mdns),
        Just(Source::Manual),
        Just(Source::Gossip),
        Just(Source::Rendezvous),
        Just(Source::Cache)
    ];
    let refusal = prop_oneof![
        Just(Refusal::RoomFull),
        Just(Refusal::OtherRoom),
        Just(Refusal::Replaced),
        Just(Refusal::Duplicate),
        Just(Refusal::Myself)
    ];
    let failure = prop_oneof![
        Just(DialFailure::Unreachable),
        Just(DialFailure::WrongKey),
        refusal.clone().prop_map(DialFailure::Refused)
    ];
    let closed = prop_oneof![Just(Closed::Lost), refusal.prop_map(Closed::Refused)];
    let seat = prop_oneof![4 => Just(Seat::Room), 1 => Just(Seat::Visitor)];
    prop_oneof![
        (peer.clone(), instance.clone(), source, any::<bool>()).prop_map(|(p, i, s, g)| Input::Sighted(p, i, s, g)),
        peer.clone().prop_map(Input::Typed),
        peer.clone().prop_map(Input::Reach),
        (any::<usize>(), failure).prop_map(|(n, why)| Input::DialFailed(n, why)),
        (peer.clone(), instance.clone(), proptest::option::of(any::<usize>()), seat)
            .prop_map(|(p, i, d, s)| Input::Hello(p, i, d, s)),
        link.clone().prop_map(Input::Seated),
        link.clone().prop_map(Input::Heard),
        link.clone().prop_map(Input::Goodbye),
        (link.clone(), closed).prop_map(|(l, how)| Input::Closed(l, how)),
        (link, proptest::collection::vec((peer.clone(), instance), 0..4)).prop_map(|(l, e)| Input::Gossip(l, e)),
        peer.prop_map(Input::Remove),
        (0..3000_u64).prop_map(Input::Wait),
    ]
}

/// Plays inputs at a roster and checks after each one what must always hold.
fn play(inputs: Vec<Input>) {
    const SEATS: usize = 4;
    let start = crate::clock::now();
    let mut now = start;
    let mut roster = roster(3, SEATS);
    let mut links = 0;
    let mut open = BTreeSet::new();
    let mut visits = BTreeSet::new();
    let mut flying: Vec<Attempt> = Vec::new();
    let mut standing: BTreeMap<PeerId, Presence> = BTreeMap::new();
    for input in inputs {
        match input {
            Input::Sighted(peer, instance, source, gone) => {
                roster.on_sighting(now, &Sighting { gone, ..sighting(peer, instance, source) });
            }
            Input::Typed(peer) => {
                roster.on_sighting(now, &Sighting { peer: None, ..sighting(peer, 1, Source::Manual) });
            }
            Input::Reach(peer) => roster.reach(now, id(peer), &[at(peer, 7)], &[]),
            Input::DialFailed(which, why) if !flying.is_empty() => {
                let attempt = flying.remove(which % flying.len());
                roster.on_dial_failed(now, attempt, why);
            }
            Input::DialFailed(..) => {}
            Input::Hello(peer, instance, dial, seat) => {
                links += 1;
                let direction = match dial {
                    Some(which) if !flying.is_empty() => Direction::Outgoing(flying.remove(which % flying.len())),
                    _ => Direction::Incoming,
                };
                let hello = Hello { direction, seat, ..hello(links, peer, instance) };
                if !matches!(roster.on_hello(now, hello), Verdict::Refuse(_)) {
                    open.insert(LinkId::from_u64(links));
                    if seat == Seat::Visitor {
                        visits.insert(LinkId::from_u64(links));
                    }
                }
            }
            Input::Seated(link) => roster.on_seated(now, LinkId::from_u64(link)),
            Input::Heard(link) => roster.on_heard(now, LinkId::from_u64(link)),
            Input::Goodbye(link) => roster.on_goodbye(now, LinkId::from_u64(link)),
            Input::Closed(link, how) => {
                open.remove(&LinkId::from_u64(link));
                roster.on_closed(now, LinkId::from_u64(link), how);
            }
            Input::Gossip(link, entries) => {
                let entry = |(peer, instance): (u8, u64)| Entry {
                    peer: id(peer),
                    instance: Instance::from_u64(instance),
                    name: None,
                    addresses: vec![at(peer, 9)],
                };
                let entries: Vec<Entry> = entries.into_iter().map(entry).collect();
                roster.on_gossip(now, LinkId::from_u64(link), &entries);
            }
            Input::Remove(peer) => roster.remove(now, id(peer)),
            Input::Wait(ms) => now += Duration::from_millis(ms),
        }
        let mut outputs = 0;
        while let Some(output) = roster.poll_output(now) {
            outputs += 1;
            assert!(outputs < 1000, "the roster does not come to rest");
            match output {
                Output::Dial { attempt, .. } => flying.push(attempt),
                Output::Abandon(attempt) => flying.retain(|a| *a != attempt),
                Output::Close { link, .. } => assert!(open.remove(&link), "closes what is open, once"),
                Output::Gossip { link, entries } => {
                    assert!(open.contains(&link) && !entries.is_empty() && entries.len() <= MAX_ENTRIES);
                }
                Output::Sighted(sighting) => assert_ne!(sighting.peer, Some(id(3))),
                Output::Verify(_) => {}
                // The words about one peer come in an order that makes sense.
                Output::Changed(change) => match change {
                    Change::Linked { seat: Seat::Visitor, .. } | Change::Unlinked(_) | Change::Ousted { .. } => {}
                    Change::Linked { key, replaced, .. } => {
                        let before = standing.insert(key.peer, Presence::Linked);
                        assert_eq!(before.is_some(), replaced.is_some());
                    }
                    Change::Suspected(key) => {
                        assert_eq!(standing.insert(key.peer, Presence::Suspected), Some(Presence::Linked));
                    }
                    Change::Recovered { key, .. } => {
                        assert_eq!(standing.insert(key.peer, Presence::Linked), Some(Presence::Suspected));
                    }
                    Change::Moved { link, .. } if visits.contains(&link) => {}
                    Change::Moved { key, .. } => assert_eq!(standing.get(&key.peer), Some(&Presence::Linked)),
                    Change::Left { key, .. } => assert!(standing.remove(&key.peer).is_some()),
                },
            }
        }
        let seated: Vec<(LinkKey, Option<LinkId>)> = roster.seated().collect();
        assert!(seated.len() < SEATS);
        assert_eq!(seated.len(), standing.len());
        for (key, link) in seated {
            assert_eq!(roster.presence(key.peer), standing.get(&key.peer).copied());
            assert!(link.is_none_or(|link| open.contains(&link)), "a seat's link is open");
        }
        assert!(flying.len() <= dialer::MAX_FLYING + SEATS * dialer::MAX_PER_TARGET);
        assert!(roster.known() <= 6);
        // Time goes on by itself: whatever is planned is in the future.
        assert!(roster.poll_timeout().is_none_or(|at| at > now), "a timer that is due was not served");
    }
}

use crate::mesh::dialer;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_inputs_keeps_the_bounds(inputs in proptest::collection::vec(input(), 0..150)) {
        play(inputs);
    }
}
