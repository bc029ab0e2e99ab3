//! Chat against peers who lie: nothing forged is shown, nothing is doubled, nothing grows without bound, and the
//! meeting goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lets_meet::framing::Message;
use lets_meet::id::{Instance, LinkKey, PeerId, RoomId, RoomName};
use lets_meet::identity::Identity;
use lets_meet::known::names::Names;
use lets_meet::known::trust::Book;
use lets_meet::meeting::chat::line;
use lets_meet::meeting::wire::{self, Entry, Have, Line, Lines, Want};
use lets_meet::meeting::{Command, Config, ConversationId, Event, LeftReason, Linked, Meeting, Output, Settings};
use lets_meet::share::DisplayName;

/// One honest meeting, and others whose every word is made up by the test.
struct Victim {
    now: Instant,
    me: PeerId,
    meeting: Meeting,
    events: Vec<Event>,
    sent: Vec<(PeerId, Message)>,
}

struct Liar {
    identity: Identity,
    key: LinkKey,
}

fn room() -> RoomId {
    RoomName::new("hall").expect("valid").id()
}

fn liar() -> Liar {
    let identity = Identity::generate();
    let key = LinkKey { peer: identity.peer_id(), instance: Instance::from_u64(7) };
    Liar { identity, key }
}

impl Liar {
    fn line(&self, n: u64, text: &str) -> Line {
        signed(&self.identity, self.key.instance, room(), n, text)
    }

    fn lines(&self, base: u64, lines: Vec<Line>) -> Lines {
        Lines {
            author: self.key.peer,
            instance: self.key.instance,
            key: Some(self.identity.public_key()),
            people: None,
            base,
            late: false,
            lines,
        }
    }
}

fn signed(identity: &Identity, instance: Instance, room: RoomId, n: u64, text: &str) -> Line {
    named(identity, instance, room, "Liar", n, text)
}

fn named(identity: &Identity, instance: Instance, room: RoomId, name: &str, n: u64, text: &str) -> Line {
    let mut line = Line { n, at: 5, name: name.into(), text: text.into(), signature: None };
    line.signature = Some(identity.sign(&line::signed(room, identity.peer_id(), instance, &line)));
    line
}

impl Victim {
    fn new() -> Self {
        let identity = Arc::new(Identity::generate());
        let me = identity.peer_id();
        let meeting = Meeting::new(Config {
            identity,
            instance: Instance::from_u64(1),
            name: DisplayName::new("Ann"),
            room: RoomName::new("hall").expect("valid"),
            seed: 1,
            known: Names::new(),
            trust: Book::new(),
            settings: Settings::default(),
        });
        Self { now: lets_meet::clock::now(), me, meeting, events: Vec::new(), sent: Vec::new() }
    }

    fn link(&mut self, liar: &Liar, name: &str) {
        let public_key = liar.identity.public_key();
        self.meeting.on_linked(self.now, Linked { key: liar.key, public_key, name: DisplayName::new(name) });
        self.drain();
        self.hear(liar, wire::HAVE, &Have { full: true, more: false, ask: false, entries: Vec::new() });
    }

    fn hear<T: serde::Serialize>(&mut self, from: &Liar, kind: u16, body: &T) {
        self.meeting.on_message(self.now, from.key, &Message::new(kind, body));
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.meeting.poll_output() {
            match output {
                Output::Send { to, message } => self.sent.push((to, message)),
                Output::Event(event) => self.events.push(event),
                _ => {}
            }
        }
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.meeting.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.meeting.on_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    fn seen(&self) -> Vec<&str> {
        let text = |event: &'_ Event| matches!(event, Event::Chat { .. });
        self.events
            .iter()
            .filter(|event| text(event))
            .map(|event| match event {
                Event::Chat { text, .. } => text.as_str(),
                _ => "",
            })
            .collect()
    }

    fn authors(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for event in &self.events {
            if let Event::Chat { from, .. } = event {
                names.push(from.name.as_str());
            }
        }
        names
    }

    fn warnings(&self) -> Vec<&'static str> {
        let code = |event: &Event| match event {
            Event::Warning(warning) => Some(warning.code.as_str()),
            _ => None,
        };
        self.events.iter().filter_map(code).collect()
    }

    fn warned(&self, of: &Liar) -> usize {
        let about = |event: &&Event| match event {
            Event::Warning(warning) => warning.person.as_ref().is_some_and(|person| person.peer == of.key.peer),
            _ => false,
        };
        self.events.iter().filter(about).count()
    }

    fn wants(&mut self) -> Vec<(PeerId, Want)> {
        let sent = std::mem::take(&mut self.sent);
        let wants = sent.into_iter().filter(|(_, message)| message.kind == wire::WANT);
        wants.map(|(to, message)| (to, message.decode().expect("own message"))).collect()
    }

    fn say(&mut self, text: &str, to: &[String]) -> bool {
        let command = Command::Say { text: text.into(), to: to.to_vec() };
        let result = self.meeting.on_command(self.now, 1, command);
        self.drain();
        result.is_ok()
    }
}

fn offer(author: PeerId, instance: Instance, base: u64, next: u64) -> Have {
    let conversation = *ConversationId::room(room()).as_bytes();
    Have { full: false, more: false, ask: false, entries: vec![Entry { author, instance, conversation, base, next }] }
}

#[test]
fn a_line_that_its_author_did_not_sign_is_refused() {
    let (mallory, bob) = (liar(), liar());
    let other_room = RoomName::new("other").expect("valid").id();
    let genuine = bob.lines(1, vec![bob.line(1, "genuine")]);
    let forgeries = [
        // Signed by the wrong key, under Bob's.
        Lines { lines: vec![mallory.line(1, "x")], ..genuine.clone() },
        // Under the liar's own key.
        Lines { key: Some(mallory.identity.public_key()), lines: vec![mallory.line(1, "x")], ..genuine.clone() },
        // Another text, counter, time or name under a genuine signature.
        Lines { lines: vec![Line { text: "x".into(), ..bob.line(1, "genuine") }], ..genuine.clone() },
        Lines { lines: vec![Line { n: 1, ..bob.line(2, "genuine") }], ..genuine.clone() },
        Lines { lines: vec![Line { at: 6, ..bob.line(1, "genuine") }], ..genuine.clone() },
        Lines { lines: vec![Line { name: "Ann".into(), ..bob.line(1, "genuine") }], ..genuine.clone() },
        // Said in another room, or in another run.
        Lines { lines: vec![signed(&bob.identity, bob.key.instance, other_room, 1, "x")], ..genuine.clone() },
        Lines { lines: vec![signed(&bob.identity, Instance::from_u64(8), room(), 1, "x")], ..genuine.clone() },
        Lines { lines: vec![Line { signature: None, ..bob.line(1, "genuine") }], ..genuine.clone() },
    ];
    for forgery in forgeries {
        let mut victim = Victim::new();
        victim.link(&mallory, "Mallory");
        victim.hear(&mallory, wire::HAVE, &offer(bob.key.peer, bob.key.instance, 1, 2));
        assert_eq!(victim.wants().len(), 1);
        victim.hear(&mallory, wire::LINES, &forgery);
        assert!(victim.seen().is_empty(), "{forgery:?}");
        assert_eq!(victim.warnings(), ["forged"]);
        // The genuine one still comes through, also from the same peer.
        victim.hear(&mallory, wire::HAVE, &offer(bob.key.peer, bob.key.instance, 1, 2));
        victim.hear(&mallory, wire::LINES, &genuine);
        assert_eq!(victim.seen(), ["genuine"]);
    }
}

#[test]
fn a_passed_line_never_bears_the_name_of_somebody_else_here() {
    let (mallory, bob) = (liar(), liar());
    let long = "x".repeat(64);
    for (taken, said) in [("Bob", "bOB"), ("Bob", "Ann"), (long.as_str(), long.as_str())] {
        let mut victim = Victim::new();
        victim.link(&mallory, "Mallory");
        victim.link(&bob, taken);
        let puppet = liar();
        let lines = (1..=2).map(|n| named(&puppet.identity, puppet.key.instance, room(), said, n, "x")).collect();
        victim.hear(&mallory, wire::HAVE, &offer(puppet.key.peer, puppet.key.instance, 1, 3));
        victim.hear(&mallory, wire::LINES, &puppet.lines(1, lines));
        let digits = &puppet.key.peer.to_string()[..8];
        assert_eq!(victim.authors(), vec![format!("{}#{digits}", said.get(..55).unwrap_or(said)); 2]);
        assert_eq!(victim.warnings(), ["name-collision"], "once for the author");
        // Bob himself keeps his name, and so does somebody absent whose name is only its own.
        victim.hear(&bob, wire::LINES, &bob.lines(1, vec![bob.line(1, "me")]));
        let cid = liar();
        victim.hear(&mallory, wire::HAVE, &offer(cid.key.peer, cid.key.instance, 1, 2));
        victim.hear(&mallory, wire::LINES, &cid.lines(1, vec![cid.line(1, "x")]));
        assert_eq!(victim.authors()[2..], [taken, "Liar"]);
        assert_eq!(victim.warnings().len(), 1);
    }
}

#[test]
fn a_name_that_was_here_is_told_apart_too_when_its_lines_are_passed_on() {
    let (mallory, bob, puppet) = (liar(), liar(), liar());
    let mut victim = Victim::new();
    victim.link(&mallory, "Mallory");
    victim.link(&bob, "Bob");
    victim.link(&puppet, "Bob");
    victim.meeting.on_left(victim.now, puppet.key.peer, LeftReason::Goodbye);
    victim.drain();
    victim.hear(&mallory, wire::HAVE, &offer(puppet.key.peer, puppet.key.instance, 1, 2));
    victim.hear(&mallory, wire::LINES, &puppet.lines(1, vec![puppet.line(1, "x")]));
    assert_eq!(victim.authors(), [format!("Bob#{}", &puppet.key.peer.to_string()[..8])]);
}

#[test]
fn replays_and_lines_that_nobody_asked_for_are_ignored() {
    let (mallory, bob) = (liar(), liar());
    let mut victim = Victim::new();
    victim.link(&mallory, "Mallory");
    let genuine = bob.lines(1, vec![bob.line(1, "genuine")]);
    victim.hear(&mallory, wire::LINES, &genuine);
    assert!(victim.seen().is_empty(), "not asked for");
    victim.link(&bob, "Bob");
    for _ in 0..3 {
        victim.hear(&bob, wire::LINES, &genuine);
        victim.hear(&mallory, wire::LINES, &genuine);
    }
    assert_eq!(victim.seen(), ["genuine"]);
    assert_eq!(victim.warnings(), Vec::<&str>::new());
}

#[test]
fn private_lines_come_only_from_their_author_to_their_recipients() {
    let (mallory, bob) = (liar(), liar());
    let mut victim = Victim::new();
    victim.link(&mallory, "Mallory");
    victim.link(&bob, "Bob");
    let mut people = vec![victim.me, bob.key.peer];
    people.sort();
    let line = Line { n: 1, at: 0, name: String::new(), text: "psst".into(), signature: None };
    let private = Lines { key: None, people: Some(people.clone()), ..bob.lines(1, vec![line]) };
    // Passed on, not to us, unsorted, with doubles, too few, too many.
    victim.hear(&mallory, wire::LINES, &private);
    let mut without = vec![bob.key.peer, mallory.key.peer];
    without.sort();
    let unsorted: Vec<PeerId> = people.iter().rev().copied().collect();
    let mut many: Vec<PeerId> = (0..100).map(|n| PeerId::from_bytes([n; 32])).chain(people.clone()).collect();
    many.sort();
    for people in [without, unsorted, vec![people[0], people[0], people[1]], vec![bob.key.peer], Vec::new(), many] {
        victim.hear(&bob, wire::LINES, &Lines { people: Some(people), ..private.clone() });
    }
    assert!(victim.seen().is_empty());
    victim.hear(&bob, wire::LINES, &private);
    assert_eq!(victim.seen(), ["psst"]);
    assert_eq!(victim.warnings(), ["bad-input", "bad-input"], "once for each of the two");
}

#[test]
fn keys_that_come_and_go_make_nobody_here_be_shown_twice() {
    let bob = liar();
    let mut victim = Victim::new();
    victim.link(&bob, "Bob");
    let me = victim.me;
    let psst = |author: &Liar| {
        let mut people = vec![me, author.key.peer];
        people.sort();
        let line = Line { n: 1, at: 0, name: String::new(), text: "psst".into(), signature: None };
        Lines { key: None, people: Some(people), ..author.lines(1, vec![line]) }
    };
    victim.hear(&bob, wire::LINES, &psst(&bob));
    for _ in 0..300 {
        let puppet = liar();
        victim.wait(Duration::from_millis(10));
        victim.link(&puppet, "Puppet");
        victim.hear(&puppet, wire::LINES, &psst(&puppet));
        victim.meeting.on_left(victim.now, puppet.key.peer, LeftReason::Goodbye);
        victim.drain();
    }
    assert_eq!(victim.seen().len(), 301);
    victim.hear(&bob, wire::LINES, &psst(&bob));
    assert_eq!(victim.seen().len(), 301, "Bob's line is not shown again");
}

#[test]
fn broken_forms_are_dropped_and_the_rest_goes_on() {
    let bob = liar();
    let mut victim = Victim::new();
    victim.link(&bob, "Bob");
    let broken = [
        bob.lines(1, vec![bob.line(0, "zero")]),
        bob.lines(1, vec![bob.line(u64::MAX, "max")]),
        bob.lines(1, vec![bob.line(1, "a"), bob.line(3, "gap")]),
        bob.lines(1, vec![bob.line(2, "a"), bob.line(1, "back")]),
        bob.lines(1, vec![bob.line(1, &"x".repeat(20_000))]),
        bob.lines(1, (1..=100).map(|n| bob.line(n, "x")).collect()),
    ];
    for lines in &broken {
        victim.hear(&bob, wire::LINES, lines);
    }
    for kind in [wire::LINES, wire::HAVE, wire::WANT, wire::TRACKS, wire::VIEWS] {
        victim.hear(&bob, kind, &"not a map");
        victim.hear(&bob, kind, &vec![vec![0; 10]; 10]);
    }
    victim.hear(&bob, wire::HAVE, &offer(victim.me, Instance::from_u64(1), 9, 2));
    victim.hear(
        &bob,
        wire::HAVE,
        &Have {
            entries: vec![offer(bob.key.peer, bob.key.instance, 1, 2).entries[0].clone(); 300],
            ..offer(bob.key.peer, bob.key.instance, 1, 1)
        },
    );
    // Nothing to see in it: it counts and is not shown.
    victim.hear(&bob, wire::LINES, &bob.lines(1, vec![bob.line(1, "\u{202e}\u{200b}"), bob.line(2, "fine")]));
    assert_eq!(victim.seen(), ["fine"]);
    assert_eq!(victim.warnings(), ["bad-input"], "one clear warning");
    assert!(victim.say("still here", &[]));
}

#[test]
fn a_kind_from_the_future_is_counted_and_ignored() {
    let bob = liar();
    let mut victim = Victim::new();
    victim.link(&bob, "Bob");
    for kind in [67, 99, 127] {
        victim.hear(&bob, kind, &"anything");
    }
    assert_eq!(victim.meeting.unknown_messages(), 3);
    assert_eq!(victim.warnings(), ["unknown-message"]);
}

#[test]
fn a_flood_of_genuine_lines_is_bounded_and_said_once() {
    let bob = liar();
    let mut victim = Victim::new();
    victim.link(&bob, "Bob");
    for n in 1..=10_000 {
        let line = bob.line(n, "spam");
        victim.hear(&bob, wire::LINES, &bob.lines(1, vec![line]));
    }
    let seen = victim.seen().len();
    assert!((2000..2100).contains(&seen), "{seen} lines");
    assert_eq!(victim.warnings(), ["flood"]);
    assert_eq!(victim.meeting.chat().kept().0, seen);
    // A minute later it may go on where it was.
    victim.wait(Duration::from_secs(60));
    let next = u64::try_from(seen).expect("small") + 1;
    victim.hear(&bob, wire::LINES, &bob.lines(1, vec![bob.line(next, "again")]));
    assert_eq!(victim.seen().len(), seen + 1);
}

#[test]
fn messages_with_nothing_in_them_cost_little_and_are_bounded() {
    let (mallory, bob, unasked) = (liar(), liar(), liar());
    let mut victim = Victim::new();
    victim.link(&mallory, "Mallory");
    let same = offer(bob.key.peer, bob.key.instance, 1, 2);
    victim.hear(&mallory, wire::HAVE, &same);
    let before = victim.meeting.chat().scans();
    for _ in 0..10_000 {
        victim.hear(&mallory, wire::LINES, &mallory.lines(1, Vec::new()));
        victim.hear(&mallory, wire::LINES, &unasked.lines(1, Vec::new()));
        victim.hear(&mallory, wire::HAVE, &same);
    }
    assert_eq!(victim.meeting.chat().scans(), before);
    assert_eq!(victim.warnings(), ["flood"]);
    // Later it is heard again.
    victim.wait(Duration::from_secs(60));
    victim.hear(&mallory, wire::LINES, &mallory.lines(1, vec![mallory.line(1, "hello")]));
    assert_eq!(victim.seen(), ["hello"]);
}

#[test]
fn empty_lines_alone_are_a_flood() {
    let mallory = liar();
    let mut victim = Victim::new();
    victim.link(&mallory, "Mallory");
    for _ in 0..10_000 {
        victim.hear(&mallory, wire::LINES, &mallory.lines(1, Vec::new()));
    }
    assert_eq!(victim.warnings(), ["flood"]);
}

#[test]
fn large_lines_push_out_only_their_own_author() {
    let (bob, mallory) = (liar(), liar());
    let mut victim = Victim::new();
    victim.link(&bob, "Bob");
    victim.link(&mallory, "Mallory");
    victim.hear(&bob, wire::LINES, &bob.lines(1, vec![bob.line(1, "small")]));
    let long = "x".repeat(16_000);
    for n in 1..=1000 {
        victim.hear(&mallory, wire::LINES, &mallory.lines(1, vec![mallory.line(n, &long)]));
    }
    let (_, bytes) = victim.meeting.chat().kept();
    assert!(bytes <= 8 * 1024 * 1024, "{bytes} bytes");
    // Bob's line can still be passed on.
    victim.sent.clear();
    let want = Want { author: bob.key.peer, instance: bob.key.instance, from: 1 };
    victim.hear(&mallory, wire::WANT, &want);
    let answers: Vec<Lines> =
        victim.sent.iter().filter(|(_, m)| m.kind == wire::LINES).map(|(_, m)| m.decode().expect("own")).collect();
    assert_eq!(answers.iter().map(|lines| lines.lines.len()).collect::<Vec<_>>(), [1]);
}

#[test]
fn invented_authors_are_bounded() {
    let mallory = liar();
    let mut victim = Victim::new();
    victim.link(&mallory, "Mallory");
    // Offers without end are not remembered without end.
    for n in 0..100_u64 {
        let mut have = offer(mallory.key.peer, mallory.key.instance, 1, 2);
        let mut id = [0; 32];
        have.entries = (0..200_u8)
            .map(|m| {
                id[..8].copy_from_slice(&n.to_be_bytes());
                id[8] = m;
                Entry { author: PeerId::from_bytes(id), instance: Instance::from_u64(n), ..have.entries[0].clone() }
            })
            .collect();
        victim.hear(&mallory, wire::HAVE, &have);
    }
    assert!(victim.wants().len() < 10, "one request at a time");

    let mut victim = Victim::new();
    victim.link(&mallory, "Mallory");
    for _ in 0..200 {
        let puppet = liar();
        victim.hear(&mallory, wire::HAVE, &offer(puppet.key.peer, puppet.key.instance, 1, 2));
        victim.hear(&mallory, wire::LINES, &puppet.lines(1, vec![puppet.line(1, "puppet")]));
    }
    assert_eq!(victim.seen().len(), 128);
    assert_eq!(victim.warnings(), ["flood"]);
    // Who is really here is still heard.
    let bob = liar();
    victim.link(&bob, "Bob");
    victim.hear(&bob, wire::LINES, &bob.lines(1, vec![bob.line(1, "hello")]));
    assert_eq!(victim.seen().last(), Some(&"hello"));
}

#[test]
fn invented_authors_take_no_place_from_what_somebody_else_passes_on() {
    let (mallory, honest) = (liar(), liar());
    let mut victim = Victim::new();
    victim.link(&mallory, "Mallory");
    victim.link(&honest, "Honest");
    let pass = |victim: &mut Victim, passer: &Liar, text: &str| {
        let author = liar();
        victim.hear(passer, wire::HAVE, &offer(author.key.peer, author.key.instance, 1, 2));
        victim.hear(passer, wire::LINES, &author.lines(1, vec![author.line(1, text)]));
        victim.wait(Duration::from_millis(50));
    };
    for _ in 0..200 {
        pass(&mut victim, &mallory, "puppet");
    }
    assert_eq!(victim.seen().len(), 128);
    for n in 0..40 {
        pass(&mut victim, &honest, &format!("absent {n}"));
    }
    assert_eq!(victim.seen().len(), 128 + 40, "nobody is lost and no puppet comes twice");
    assert_eq!(victim.warned(&honest), 0);
    assert_eq!(victim.warned(&mallory), 1);
    // Whoever passes on most takes nothing from others, however often it tries.
    for _ in 0..100 {
        pass(&mut victim, &mallory, "puppet");
    }
    assert_eq!(victim.seen().len(), 128 + 40);
    assert_eq!(victim.meeting.chat().kept().0, 128);
}

#[test]
fn who_claims_to_have_more_than_it_gives_hides_nothing() {
    let (mallory, honest, bob) = (liar(), liar(), liar());
    let mut victim = Victim::new();
    victim.link(&mallory, "Mallory");
    victim.link(&honest, "Honest");
    let all: Vec<Line> = (1..=10).map(|n| bob.line(n, &format!("{n}"))).collect();
    // Both say that they have everything of Bob, who is away; the liar gives only the last line.
    victim.hear(&mallory, wire::HAVE, &offer(bob.key.peer, bob.key.instance, 1, 11));
    victim.hear(&honest, wire::HAVE, &offer(bob.key.peer, bob.key.instance, 1, 11));
    for _ in 0..20 {
        for (to, want) in victim.wants() {
            if to == mallory.key.peer {
                victim.hear(&mallory, wire::LINES, &bob.lines(10, vec![all[9].clone()]));
            } else {
                let from = usize::try_from(want.from).expect("small") - 1;
                victim.hear(&honest, wire::LINES, &bob.lines(1, all[from..].to_vec()));
            }
        }
        victim.wait(Duration::from_secs(1));
    }
    assert_eq!(victim.seen(), (1..=10).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn silence_instead_of_an_answer_costs_only_seconds() {
    let (mallory, honest, bob) = (liar(), liar(), liar());
    let mut victim = Victim::new();
    victim.link(&mallory, "Mallory");
    victim.link(&honest, "Honest");
    victim.hear(&mallory, wire::HAVE, &offer(bob.key.peer, bob.key.instance, 1, 100));
    victim.hear(&honest, wire::HAVE, &offer(bob.key.peer, bob.key.instance, 2, 3));
    let mut waited = 0;
    while victim.wants().iter().all(|(to, _)| *to != honest.key.peer) {
        victim.wait(Duration::from_secs(1));
        waited += 1;
        assert!(waited < 10, "the honest one is never asked");
    }
    // It has nothing before the second line, and nobody has: that is said and the rest is taken.
    victim.hear(&honest, wire::LINES, &bob.lines(2, vec![bob.line(2, "two")]));
    assert_eq!(victim.seen(), ["two"]);
}

#[test]
fn confirmations_of_what_was_never_said_do_nothing() {
    let bob = liar();
    let mut victim = Victim::new();
    victim.link(&bob, "Bob");
    let mine = |conversation: [u8; 16], next| Have {
        full: false,
        more: false,
        ask: false,
        entries: vec![Entry {
            author: PeerId::from_bytes([0; 32]),
            instance: Instance::from_u64(1),
            conversation,
            base: 1,
            next,
        }],
    };
    let me = victim.me;
    let room = *ConversationId::room(room()).as_bytes();
    for conversation in [room, [9; 16]] {
        let mut have = mine(conversation, 1 << 40);
        have.entries[0].author = me;
        victim.hear(&bob, wire::HAVE, &have);
    }
    assert!(victim.say("first", &[]));
    victim.wait(Duration::from_secs(1));
    let delivered = victim.events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count();
    assert_eq!(delivered, 0);
    let lines = victim.sent.iter().filter(|(_, message)| message.kind == wire::LINES).count();
    assert_eq!(lines, 1);
}
