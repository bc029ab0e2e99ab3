//! Any order of messages: held back, overtaken, doubled, lost. In the end everybody has every line once, each author's
//! in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lets_meet::framing::Message;
use lets_meet::id::{Instance, LinkKey, RoomName};
use lets_meet::identity::Identity;
use lets_meet::known::names::Names;
use lets_meet::known::trust::Book;
use lets_meet::meeting::{Command, Config, Event, Linked, Meeting, Output, Settings};
use lets_meet::share::DisplayName;
use proptest::prelude::*;

const PEERS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    /// This peer speaks, to the room or to the next peer alone.
    Say(usize, bool),
    /// One of the messages on the way arrives, whichever was sent first.
    Deliver(usize),
    /// It arrives, and will again.
    Double(usize),
    /// It never arrives.
    Lose(usize),
    /// Time passes.
    Wait(u16),
    /// The link of these two is replaced.
    Relink(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..PEERS, any::<bool>()).prop_map(|(who, private)| Step::Say(who, private)),
        6 => any::<usize>().prop_map(Step::Deliver),
        2 => any::<usize>().prop_map(Step::Double),
        2 => any::<usize>().prop_map(Step::Lose),
        2 => (0..4000_u16).prop_map(Step::Wait),
        1 => (0..PEERS).prop_map(Step::Relink),
    ]
}

struct Room {
    now: Instant,
    meetings: Vec<Meeting>,
    keys: Vec<LinkKey>,
    on_the_way: Vec<(usize, usize, Message)>,
    // (reader, author, private) -> texts.
    seen: BTreeMap<(usize, usize, bool), Vec<u32>>,
    said: BTreeMap<(usize, usize, bool), Vec<u32>>,
    count: u32,
}

impl Room {
    fn new() -> Self {
        let identities: Vec<Arc<Identity>> = (0..PEERS).map(|_| Arc::new(Identity::generate())).collect();
        let keys: Vec<LinkKey> =
            identities.iter().map(|i| LinkKey { peer: i.peer_id(), instance: Instance::from_u64(1) }).collect();
        let config = |identity: &Arc<Identity>| Config {
            identity: Arc::clone(identity),
            instance: Instance::from_u64(1),
            name: DisplayName::new("Same"),
            room: RoomName::new("hall").expect("valid"),
            seed: 1,
            known: Names::new(),
            trust: Book::new(),
            settings: Settings::default(),
        };
        let mut room = Self {
            now: lets_meet::clock::now(),
            meetings: identities.iter().map(|identity| Meeting::new(config(identity))).collect(),
            keys,
            on_the_way: Vec::new(),
            seen: BTreeMap::new(),
            said: BTreeMap::new(),
            count: 0,
        };
        for a in 0..PEERS {
            for b in (0..PEERS).filter(|b| *b != a) {
                let public_key = identities[b].public_key();
                let linked = Linked { key: room.keys[b], public_key, name: DisplayName::new("Same") };
                room.meetings[a].on_linked(room.now, linked);
            }
            room.drain(a);
        }
        room
    }

    fn index(&self, peer: lets_meet::id::PeerId) -> usize {
        self.keys.iter().position(|key| key.peer == peer).expect("one of us")
    }

    fn drain(&mut self, who: usize) {
        while let Some(output) = self.meetings[who].poll_output() {
            match output {
                Output::Send { to, message } => {
                    let to = self.index(to);
                    self.on_the_way.push((who, to, message));
                }
                Output::Event(Event::Chat { from, text, to, .. }) => {
                    let private = to != lets_meet::meeting::Audience::Room;
                    let author = self.index(from.peer);
                    let text = text.as_str().parse().expect("a number");
                    self.seen.entry((who, author, private)).or_default().push(text);
                }
                _ => {}
            }
        }
    }

    fn say(&mut self, who: usize, private: bool) {
        self.count += 1;
        let other = (who + 1) % PEERS;
        let to = if private { vec![self.keys[other].peer.to_string()] } else { Vec::new() };
        let command = Command::Say { text: self.count.to_string(), to };
        self.meetings[who].on_command(self.now, 0, command).expect("said");
        for reader in (0..PEERS).filter(|reader| *reader != who && (!private || *reader == other)) {
            self.said.entry((reader, who, private)).or_default().push(self.count);
        }
        self.drain(who);
    }

    fn deliver(&mut self, from: usize, to: usize, message: &Message) {
        let key = self.keys[from];
        self.meetings[to].on_message(self.now, key, message);
        self.drain(to);
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        for who in 0..PEERS {
            self.meetings[who].on_timeout(self.now);
            self.drain(who);
        }
    }

    fn relink(&mut self, a: usize) {
        let b = (a + 1) % PEERS;
        let (peer_a, peer_b) = (self.keys[a].peer, self.keys[b].peer);
        self.meetings[a].on_recovered(self.now, peer_b);
        self.meetings[b].on_recovered(self.now, peer_a);
        self.drain(a);
        self.drain(b);
    }

    fn settle(&mut self) {
        self.on_the_way.clear();
        (0..PEERS).for_each(|who| self.relink(who));
        for _ in 0..400 {
            for (from, to, message) in std::mem::take(&mut self.on_the_way) {
                self.deliver(from, to, &message);
            }
            self.wait(Duration::from_millis(100));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn every_line_comes_once_and_in_order_whatever_happens_to_messages(
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let mut room = Room::new();
        for step in steps {
            let waiting = room.on_the_way.len();
            match step {
                Step::Say(who, private) => room.say(who, private),
                Step::Deliver(which) if waiting > 0 => {
                    let (from, to, message) = room.on_the_way.remove(which % waiting);
                    room.deliver(from, to, &message);
                }
                Step::Double(which) if waiting > 0 => {
                    let (from, to, message) = room.on_the_way[which % waiting].clone();
                    room.deliver(from, to, &message);
                }
                Step::Lose(which) if waiting > 0 => drop(room.on_the_way.remove(which % waiting)),
                Step::Wait(millis) => room.wait(Duration::from_millis(millis.into())),
                Step::Relink(who) => room.relink(who),
                _ => {}
            }
            for (key, seen) in &room.seen {
                let said = &room.said[key];
                prop_assert_eq!(&said[..seen.len().min(said.len())], &seen[..], "a prefix of what was said");
            }
        }
        room.settle();
        prop_assert_eq!(&room.seen, &room.said);
    }
}
