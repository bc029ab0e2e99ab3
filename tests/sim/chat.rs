//! Chat among several meetings in virtual time: who sees what, once, in order, through cuts, restarts and absences.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use lets_meet::framing::Message;
use lets_meet::id::{Instance, LinkKey, PeerId, RoomName};
use lets_meet::identity::Identity;
use lets_meet::known::names::Names;
use lets_meet::known::trust::Book;
use lets_meet::meeting::{
    Answer, Audience, Code, Command, Config, Done, Event, Failure, LeftReason, Linked, Meeting, MessageId, Output,
    Settings,
};
use lets_meet::share::DisplayName;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::net::{self, Conn, Net, Path, Site};

struct Member {
    site: Site,
    identity: Arc<Identity>,
    name: String,
    key: LinkKey,
    meeting: Meeting,
    events: Vec<Event>,
    runs: u64,
}

/// Several meetings of one room, and the links between them.
struct Hall {
    net: Net<(LinkKey, Message)>,
    members: Vec<Member>,
    links: BTreeMap<(usize, usize), Conn>,
    // Share of messages that the mesh refuses.
    refuse: f64,
    rng: StdRng,
    messages: u64,
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

impl Hall {
    fn new(seed: u64, names: &[&str]) -> Self {
        let mut hall = Self {
            net: Net::new(seed),
            members: Vec::new(),
            links: BTreeMap::new(),
            refuse: 0.0,
            rng: StdRng::seed_from_u64(seed),
            messages: 0,
        };
        for name in names {
            hall.add(name);
        }
        hall
    }

    /// A hall where everybody is linked to everybody.
    fn linked(seed: u64, names: &[&str]) -> Self {
        let mut hall = Self::new(seed, names);
        for a in 0..names.len() {
            for b in a + 1..names.len() {
                hall.link(a, b);
            }
        }
        hall.run(Duration::from_secs(1));
        hall
    }

    fn add(&mut self, name: &str) -> usize {
        let identity = Arc::new(Identity::generate());
        let site = self.net.site();
        let (meeting, key) = start(&identity, name, 1, self.members.len());
        self.members.push(Member { site, identity, name: name.to_owned(), key, meeting, events: Vec::new(), runs: 1 });
        self.members.len() - 1
    }

    /// The process dies and starts again with the same identity. What it has seen is forgotten by the test, too.
    fn restart(&mut self, who: usize) {
        let member = &mut self.members[who];
        member.runs += 1;
        (member.meeting, member.key) = start(&member.identity, &member.name, member.runs, who);
        member.events.clear();
        self.links.retain(|(a, b), _| *a != who && *b != who);
    }

    fn id(&self, who: usize) -> PeerId {
        self.members[who].key.peer
    }

    fn linked_message(&self, who: usize) -> Linked {
        let member = &self.members[who];
        let public_key = member.identity.public_key();
        Linked { key: member.key, public_key, name: DisplayName::new(&member.name) }
    }

    /// A link comes up; what was on the way on an older one is lost.
    fn link(&mut self, a: usize, b: usize) {
        let conn = self.net.open(self.members[a].site, self.members[b].site);
        self.links.insert(pair(a, b), conn);
        let now = self.net.now();
        let (hello_a, hello_b) = (self.linked_message(a), self.linked_message(b));
        self.members[a].meeting.on_linked(now, hello_b);
        self.members[b].meeting.on_linked(now, hello_a);
        self.drain(a);
        self.drain(b);
    }

    /// The link is silent for a while; what is on the way is lost.
    fn cut(&mut self, a: usize, b: usize) {
        self.links.remove(&pair(a, b));
    }

    fn suspect(&mut self, a: usize, b: usize) {
        let now = self.net.now();
        for (x, y) in [(a, b), (b, a)] {
            let peer = self.id(y);
            self.members[x].meeting.on_suspected(now, peer);
            self.drain(x);
        }
    }

    /// A new link between the same runs takes the place of the silent one.
    fn recover(&mut self, a: usize, b: usize) {
        let conn = self.net.open(self.members[a].site, self.members[b].site);
        self.links.insert(pair(a, b), conn);
        let now = self.net.now();
        for (x, y) in [(a, b), (b, a)] {
            let peer = self.id(y);
            self.members[x].meeting.on_recovered(now, peer);
            self.drain(x);
        }
    }

    fn leave(&mut self, a: usize, b: usize, reason: LeftReason) {
        self.cut(a, b);
        let now = self.net.now();
        for (x, y) in [(a, b), (b, a)] {
            let peer = self.id(y);
            self.members[x].meeting.on_left(now, peer, reason);
            self.drain(x);
        }
    }

    fn drain(&mut self, who: usize) {
        let now = self.net.now();
        while let Some(output) = self.members[who].meeting.poll_output() {
            match output {
                Output::Send { to, message } => {
                    if self.refuse > 0.0 && self.rng.random_bool(self.refuse) {
                        self.members[who].meeting.on_refused(now, to);
                        continue;
                    }
                    let Some(other) = self.members.iter().position(|member| member.key.peer == to) else { continue };
                    let Some(conn) = self.links.get(&pair(who, other)) else { continue };
                    self.messages += 1;
                    self.net.send(*conn, self.members[who].site, (self.members[who].key, message));
                }
                Output::Event(event) => self.members[who].events.push(event),
                _ => {}
            }
        }
        if let Some(at) = self.members[who].meeting.poll_timeout() {
            self.net.timer(self.members[who].site, at);
        }
    }

    fn run(&mut self, time: Duration) {
        let until = self.net.now() + time;
        while let Some(event) = self.net.next(until) {
            let who = self.members.iter().position(|member| member.site == event.at()).expect("a member's site");
            let now = self.net.now();
            match event {
                net::Event::Message { conn, from, message: (key, message), .. } => {
                    let other = self.members.iter().position(|member| member.site == from).expect("a member's site");
                    if self.links.get(&pair(who, other)) == Some(&conn) {
                        self.members[who].meeting.on_message(now, key, &message);
                    }
                }
                net::Event::Timer { .. } => self.members[who].meeting.on_timeout(now),
                net::Event::Datagram { .. } | net::Event::Closed { .. } => {}
            }
            self.drain(who);
        }
    }

    fn try_say(&mut self, who: usize, text: &str, to: &[&str]) -> Result<MessageId, Failure> {
        let command = Command::Say { text: text.into(), to: to.iter().map(|to| (*to).to_owned()).collect() };
        let now = self.net.now();
        let answer = self.members[who].meeting.on_command(now, 1_000, command);
        self.drain(who);
        match answer? {
            Answer::Done(Done::Said(id)) => Ok(id),
            other => panic!("no answer to a line: {other:?}"),
        }
    }

    fn say(&mut self, who: usize, text: &str, to: &[&str]) -> MessageId {
        self.try_say(who, text, to).unwrap_or_else(|failure| panic!("{text}: {failure}"))
    }

    /// Texts that `who` saw, in order.
    fn seen(&self, who: usize) -> Vec<String> {
        let text = |event: &Event| match event {
            Event::Chat { text, .. } => Some(text.as_str().to_owned()),
            _ => None,
        };
        self.members[who].events.iter().filter_map(text).collect()
    }

    /// Texts of one author that `who` saw, in order.
    fn seen_of(&self, who: usize, author: usize) -> Vec<String> {
        let author = self.id(author);
        let text = |event: &Event| match event {
            Event::Chat { text, from, .. } if from.peer == author => Some(text.as_str().to_owned()),
            _ => None,
        };
        self.members[who].events.iter().filter_map(text).collect()
    }

    fn late(&self, who: usize) -> Vec<bool> {
        let late = |event: &Event| match event {
            Event::Chat { late, .. } => Some(*late),
            _ => None,
        };
        self.members[who].events.iter().filter_map(late).collect()
    }

    fn warnings(&self, who: usize) -> Vec<&'static str> {
        let code = |event: &Event| match event {
            Event::Warning(warning) => Some(warning.code.as_str()),
            _ => None,
        };
        self.members[who].events.iter().filter_map(code).collect()
    }

    /// The last that was said of who has confirmed `id`.
    fn delivered(&self, who: usize, id: MessageId) -> BTreeSet<PeerId> {
        let list = |event: &Event| match event {
            Event::Delivered { id: of, to } if *of == id => Some(to.iter().map(|person| person.peer).collect()),
            _ => None,
        };
        self.members[who].events.iter().rev().find_map(list).unwrap_or_default()
    }

    fn full_id(&self, who: usize) -> String {
        self.id(who).to_string()
    }
}

fn start(identity: &Arc<Identity>, name: &str, run: u64, who: usize) -> (Meeting, LinkKey) {
    let instance = Instance::from_u64(run * 1000 + u64::try_from(who).expect("small"));
    let meeting = Meeting::new(Config {
        identity: Arc::clone(identity),
        instance,
        name: DisplayName::new(name),
        room: RoomName::new("hall").expect("valid"),
        seed: run,
        known: Names::new(),
        trust: Book::new(),
        settings: Settings::default(),
    });
    (meeting, LinkKey { peer: identity.peer_id(), instance })
}

const SOON: Duration = Duration::from_millis(200);

#[test]
fn a_line_to_the_room_reaches_all_once_and_is_confirmed() {
    let mut hall = Hall::linked(1, &["Ann", "Bob", "Cid"]);
    let id = hall.say(0, "hello", &[]);
    hall.run(SOON);
    assert_eq!(hall.seen(0), Vec::<String>::new(), "own lines give no event");
    for who in [1, 2] {
        assert_eq!(hall.seen(who), ["hello"]);
        assert_eq!(hall.late(who), [false]);
        let event = hall.members[who].events.iter().find(|event| matches!(event, Event::Chat { .. }));
        let Some(Event::Chat { id: seen, from, to, sent_at, .. }) = event else { panic!("no line") };
        assert_eq!((*seen, from.peer, to, *sent_at), (id, hall.id(0), &Audience::Room, 1_000));
    }
    assert_eq!(hall.delivered(0, id), [hall.id(1), hall.id(2)].into());
    // Delivered is cumulative.
    let lists = hall.members[0].events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count();
    assert_eq!(lists, 2);
}

#[test]
fn a_private_line_is_seen_by_exactly_its_recipients() {
    let mut hall = Hall::linked(2, &["Ann", "Bob", "Cid", "Dan"]);
    let one = hall.say(0, "only bob", &["Bob"]);
    let two = hall.say(0, "bob and cid", &["Bob", "cid"]);
    hall.run(Duration::from_secs(30));
    assert_eq!(hall.seen(1), ["only bob", "bob and cid"]);
    assert_eq!(hall.seen(2), ["bob and cid"]);
    assert_eq!(hall.seen(3), Vec::<String>::new());
    assert_eq!(hall.delivered(0, one), [hall.id(1)].into());
    assert_eq!(hall.delivered(0, two), [hall.id(1), hall.id(2)].into());
    let people: Vec<BTreeSet<PeerId>> = hall.members[2]
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Chat { to: Audience::People(people), .. } => Some(people.iter().map(|p| p.peer).collect()),
            _ => None,
        })
        .collect();
    let expect: BTreeSet<PeerId> = [hall.id(1), hall.id(2)].into();
    assert_eq!(people, [expect]);
    // A newcomer gets nothing of it, from nobody.
    let eve = hall.add("Eve");
    for who in 0..4 {
        hall.link(who, eve);
    }
    hall.run(Duration::from_secs(30));
    assert_eq!(hall.seen(eve), Vec::<String>::new());
}

#[test]
fn what_was_said_during_a_cut_arrives_once_and_late() {
    let mut hall = Hall::linked(3, &["Ann", "Bob", "Cid"]);
    let before = hall.say(0, "before", &[]);
    hall.run(SOON);
    hall.cut(0, 1);
    hall.say(0, "lost on the way", &[]);
    hall.run(Duration::from_secs(2));
    hall.suspect(0, 1);
    let private = hall.say(0, "private meanwhile", &["Bob"]);
    let during = hall.say(0, "room meanwhile", &[]);
    hall.say(1, "from the other side", &[]);
    hall.run(Duration::from_secs(3));
    assert_eq!(hall.seen_of(2, 0), ["before", "lost on the way", "room meanwhile"]);
    assert_eq!(hall.seen_of(2, 1), ["from the other side"]);
    hall.recover(0, 1);
    hall.run(SOON);
    let mut seen = hall.seen(1);
    seen.sort();
    assert_eq!(seen, ["before", "lost on the way", "private meanwhile", "room meanwhile"]);
    assert_eq!(hall.seen_of(0, 1), ["from the other side"]);
    assert_eq!(hall.late(1), [false, true, true, true]);
    assert!(hall.delivered(0, before).contains(&hall.id(1)));
    assert_eq!(hall.delivered(0, private), [hall.id(1)].into());
    assert_eq!(hall.delivered(0, during), [hall.id(1), hall.id(2)].into());
    let reconnects: Vec<_> = hall.members[1]
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Reconnecting { after_ms, .. } => Some(("reconnecting", *after_ms)),
            Event::Reconnected { after_ms, .. } => Some(("reconnected", *after_ms)),
            Event::Left { .. } => Some(("left", 0)),
            _ => None,
        })
        .collect();
    assert_eq!(reconnects, [("reconnecting", 2000), ("reconnected", 5000)]);
    hall.run(Duration::from_secs(60));
    assert_eq!(hall.seen(1).len(), 4, "nothing twice");
}

#[test]
fn who_was_away_gets_what_was_said_meanwhile() {
    let mut hall = Hall::linked(4, &["Ann", "Bob", "Cid"]);
    hall.leave(0, 1, LeftReason::Timeout);
    hall.leave(1, 2, LeftReason::Timeout);
    hall.say(0, "one", &[]);
    hall.say(2, "two", &[]);
    // By name nobody who is away is meant, by id the line waits.
    let failure = hall.try_say(0, "x", &["Bob"]).expect_err("Bob is away");
    assert_eq!(failure.code, Code::UnknownPeer);
    let bob = hall.full_id(1);
    let private = hall.say(0, "for bob", &[&bob]);
    hall.run(Duration::from_secs(60));
    assert!(hall.delivered(0, private).is_empty());
    hall.link(0, 1);
    hall.link(1, 2);
    hall.run(SOON);
    let mut seen = hall.seen(1);
    seen.sort();
    assert_eq!(seen, ["for bob", "one", "two"]);
    assert_eq!(hall.delivered(0, private), [hall.id(1)].into());
}

#[test]
fn a_private_line_does_not_wait_for_ever() {
    let mut hall = Hall::linked(5, &["Ann", "Bob"]);
    hall.leave(0, 1, LeftReason::Timeout);
    let bob = hall.full_id(1);
    hall.say(0, "too late", &[&bob]);
    hall.run(Duration::from_secs(300));
    hall.say(0, "in time", &[&bob]);
    hall.run(Duration::from_secs(400));
    assert_eq!(hall.warnings(0), ["undelivered"]);
    hall.link(0, 1);
    hall.run(SOON);
    assert_eq!(hall.seen(1), ["in time"]);
}

#[test]
fn a_late_joiner_gets_what_was_said_to_the_room_also_by_who_left() {
    let mut hall = Hall::linked(6, &["Ann", "Bob", "Cid"]);
    for n in 0..150 {
        hall.say(n % 3, &format!("line {n}"), &[]);
    }
    hall.say(0, "private", &["Bob"]);
    hall.run(Duration::from_secs(1));
    hall.leave(0, 1, LeftReason::Goodbye);
    hall.leave(0, 2, LeftReason::Goodbye);
    let dan = hall.add("Dan");
    hall.link(1, dan);
    hall.link(2, dan);
    hall.run(Duration::from_secs(5));
    for author in 0..3 {
        let expect: Vec<String> = (0..150).filter(|n| n % 3 == author).map(|n| format!("line {n}")).collect();
        assert_eq!(hall.seen_of(dan, author), expect);
    }
    assert!(hall.late(dan).iter().all(|late| *late));
    // The name of an author who is not here comes with the lines.
    let ann = hall.id(0);
    let named = hall.members[dan]
        .events
        .iter()
        .any(|event| matches!(event, Event::Chat { from, .. } if from.peer == ann && from.name.as_str() == "Ann"));
    assert!(named);
}

#[test]
fn two_halves_merge() {
    for seed in net::seeds(3) {
        let mut hall = Hall::linked(seed, &["Ann", "Bob", "Cid", "Dan"]);
        for (a, b) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
            hall.leave(a, b, LeftReason::Timeout);
        }
        for n in 0..100 {
            hall.say(n % 4, &format!("{n}"), &[]);
            hall.run(Duration::from_millis(30));
        }
        // One link is enough for all to get all: others' lines are passed on.
        hall.link(1, 2);
        hall.run(Duration::from_secs(20));
        for who in 0..4 {
            for author in (0..4).filter(|author| *author != who) {
                let expect: Vec<String> = (0..100).filter(|n| n % 4 == author).map(|n| n.to_string()).collect();
                assert_eq!(hall.seen_of(who, author), expect, "{who} of {author}");
            }
        }
    }
}

#[test]
fn a_restarted_author_counts_anew_and_nothing_is_lost_or_doubled() {
    let mut hall = Hall::linked(7, &["Ann", "Bob", "Cid"]);
    let first = hall.say(0, "first run", &[]);
    hall.say(1, "from bob", &["Ann"]);
    hall.run(SOON);
    hall.restart(0);
    hall.link(0, 1);
    hall.link(0, 2);
    let second = hall.say(0, "second run", &[]);
    // Between two conversations no order is promised.
    hall.run(SOON);
    hall.say(0, "private again", &["Bob"]);
    hall.run(Duration::from_secs(20));
    assert_eq!((first.counter, second.counter), (1, 1));
    assert_ne!(first.instance, second.instance);
    assert_eq!(hall.seen_of(1, 0), ["first run", "second run", "private again"]);
    assert_eq!(hall.seen_of(2, 0), ["first run", "second run"]);
    // The new run has everything that it may have; its own earlier lines are not shown to itself.
    assert_eq!(hall.seen(0), ["from bob"]);
    // Same person, one seat: no one left and no one joined.
    let joins = hall.members[1].events.iter().filter(|e| matches!(e, Event::Joined(_))).count();
    let lefts = hall.members[1].events.iter().filter(|e| matches!(e, Event::Left { .. })).count();
    assert_eq!((joins, lefts), (2, 0));
}

#[test]
fn who_joins_after_an_author_restarted_gets_both_runs() {
    let mut hall = Hall::linked(8, &["Ann", "Bob"]);
    hall.say(0, "first run", &[]);
    hall.run(SOON);
    hall.restart(0);
    hall.link(0, 1);
    hall.say(0, "second run", &[]);
    hall.run(SOON);
    let cid = hall.add("Cid");
    hall.link(0, cid);
    hall.link(1, cid);
    hall.run(Duration::from_secs(10));
    let seen: BTreeSet<String> = hall.seen(cid).into_iter().collect();
    assert_eq!(seen, ["first run".to_owned(), "second run".to_owned()].into());
    assert_eq!(hall.seen(cid).len(), 2);
}

#[test]
fn any_mix_of_cuts_and_refusals_loses_and_doubles_nothing() {
    for seed in net::seeds(8) {
        let names = ["Ann", "Bob", "Cid", "Dan", "Eve"];
        let mut hall = Hall::linked(seed, &names);
        hall.net.set_all(Path::WIFI);
        hall.refuse = 0.1;
        let mut rng = StdRng::seed_from_u64(seed);
        let mut said: BTreeMap<(usize, usize), Vec<String>> = BTreeMap::new();
        let mut down: BTreeSet<(usize, usize)> = BTreeSet::new();
        for step in 0..200 {
            let (a, b) = (rng.random_range(0..5), rng.random_range(0..5));
            match rng.random_range(0..10) {
                0 if a != b && down.insert(pair(a, b)) => {
                    hall.cut(a, b);
                    hall.suspect(a, b);
                }
                1 | 2 if down.remove(&pair(a, b)) => hall.recover(a, b),
                3 if a != b => {
                    let text = format!("{step} to {b}");
                    let to = hall.full_id(b);
                    hall.say(a, &text, &[&to]);
                    said.entry((a, b)).or_default().push(text);
                }
                _ => {
                    let text = format!("{step}");
                    hall.say(a, &text, &[]);
                    for other in (0..5).filter(|other| *other != a) {
                        said.entry((a, other)).or_default().push(text.clone());
                    }
                }
            }
            hall.run(Duration::from_millis(rng.random_range(0..300)));
        }
        for (a, b) in down {
            hall.recover(a, b);
        }
        hall.refuse = 0.0;
        hall.run(Duration::from_secs(120));
        for ((author, reader), mut expect) in said {
            // Order holds in each conversation.
            for private in [true, false] {
                let of = |texts: &[String]| -> Vec<String> {
                    texts.iter().filter(|text| text.contains("to") == private).cloned().collect()
                };
                assert_eq!(of(&hall.seen_of(reader, author)), of(&expect), "{reader} of {author}");
            }
            let mut seen = hall.seen_of(reader, author);
            seen.sort();
            expect.sort();
            assert_eq!(seen, expect);
        }
    }
}

#[test]
fn ten_thousand_lines_are_bounded_and_an_honest_burst_arrives() {
    let mut hall = Hall::linked(9, &["Ann", "Bob", "Cid"]);
    for n in 0..1500 {
        hall.say(0, &format!("{n}"), &[]);
    }
    hall.run(Duration::from_secs(30));
    let expect: Vec<String> = (0..1500).map(|n| n.to_string()).collect();
    assert_eq!(hall.seen(1), expect);
    assert_eq!(hall.seen(2), expect);
    assert_eq!(hall.warnings(1), Vec::<&str>::new());

    // A face that never stops is told to wait.
    let result = (0..10_000).map(|_| hall.try_say(0, "again", &[])).find_map(Result::err);
    assert_eq!(result.map(|failure| failure.code), Some(Code::TooFast));
    let sent = hall.messages;
    hall.run(Duration::from_secs(120));
    assert!(hall.messages - sent < 10_000, "{} messages", hall.messages - sent);
    let (lines, bytes) = hall.members[1].meeting.chat().kept();
    assert!(lines <= 10_000 && bytes <= 8 * 1024 * 1024, "{lines} lines, {bytes} bytes");
}

#[test]
fn an_idle_room_is_silent() {
    let mut hall = Hall::linked(10, &["Ann", "Bob", "Cid", "Dan"]);
    hall.say(0, "x", &[]);
    hall.run(Duration::from_secs(60));
    let before = hall.messages;
    hall.run(Duration::from_secs(600));
    assert_eq!(hall.messages - before, 0);
}

#[test]
fn two_bobs_are_never_guessed_between() {
    let mut hall = Hall::linked(11, &["Ann", "Bob", "BOB"]);
    let failure = hall.try_say(0, "x", &["bob"]).expect_err("two of them");
    assert_eq!(failure.code, Code::AmbiguousPeer);
    assert_eq!(failure.candidates.len(), 2);
    // All or nobody.
    assert!(hall.try_say(0, "x", &[&hall.full_id(1), "bob"]).is_err());
    hall.run(SOON);
    assert!(hall.seen(1).is_empty() && hall.seen(2).is_empty());
    let handle = hall.members[0]
        .meeting
        .state()
        .people
        .iter()
        .find(|p| p.person.peer == hall.id(2))
        .expect("here")
        .handle
        .clone();
    hall.say(0, "for the second", &[&handle]);
    hall.run(SOON);
    assert_eq!((hall.seen(1).len(), hall.seen(2)), (0, vec!["for the second".to_owned()]));
}

#[test]
fn an_impostor_who_comes_after_gets_nothing_by_name() {
    let mut hall = Hall::linked(12, &["Ann", "Bob"]);
    hall.say(0, "for bob", &["Bob"]);
    hall.run(SOON);
    hall.leave(0, 1, LeftReason::Goodbye);
    let impostor = hall.add("bob");
    hall.link(0, impostor);
    hall.run(SOON);
    assert_eq!(hall.warnings(0), ["name-key-changed"]);
    let failure = hall.try_say(0, "secret", &["Bob"]).expect_err("another key");
    assert_eq!(failure.code, Code::NameKeyChanged);
    // Bob returns, and still the name alone is not enough.
    hall.link(0, 1);
    hall.run(SOON);
    assert_eq!(hall.try_say(0, "secret", &["Bob"]).expect_err("two").code, Code::AmbiguousPeer);
    hall.leave(0, impostor, LeftReason::Goodbye);
    assert_eq!(hall.try_say(0, "secret", &["Bob"]).expect_err("collided").code, Code::NameKeyChanged);
    hall.run(SOON);
    assert!(hall.seen(impostor).is_empty());
}

#[test]
fn twenty_people_talk_and_the_messages_stay_few() {
    let names: Vec<String> = (0..20).map(|n| format!("P{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut hall = Hall::linked(13, &names);
    hall.run(Duration::from_secs(20));
    let before = hall.messages;
    for n in 0..100 {
        hall.say(n % 20, &format!("{n}"), &[]);
        hall.run(Duration::from_millis(500));
    }
    hall.run(Duration::from_secs(20));
    for who in 0..20 {
        assert_eq!(hall.seen(who).len(), 95);
        assert!(hall.late(who).iter().all(|late| !late));
    }
    // Each line goes to 19 and is confirmed by 19; the rest is gossip.
    let each = (hall.messages - before) / 100;
    println!("{each} messages for a line to 19 others");
    assert!(each < 150, "{each} messages for a line to 19 others");
}
