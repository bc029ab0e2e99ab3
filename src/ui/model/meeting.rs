//! Sans-IO. The meeting that we are in, as the window shows it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::chat::Chat;
use super::quality::Quality;
use super::reactions::Reactions;
use super::traffic::Traffic;
use crate::av::spec::{Camera, Microphone, Screen};
use crate::id::{PeerId, RoomName};
use crate::known::trust::Trust;
use crate::media::{TrackInfo, TrackKind};
use crate::meeting::{Audience, Event, MessageId, Person, PersonState, Presence, Settings, State, WarningCode};
use crate::stats;

/// Those who are there when we come are told of within this time.
const SETTLING: Duration = Duration::from_secs(2);

/// One of the others.
#[derive(Debug, Clone)]
pub struct Participant {
    /// Who.
    pub person: Person,
    /// How surely it is there.
    pub presence: Presence,
    /// Its tracks, by kind.
    pub tracks: BTreeMap<TrackKind, TrackInfo>,
    /// The figures of the last second.
    pub stats: Option<stats::Peer>,
    /// All else that `state` says; `None` until the first answer.
    pub state: Option<PersonState>,
    /// The order in which they came: where its tile stands.
    pub order: u64,
    trust: Trust,
}

impl Participant {
    /// Its picture may be shown.
    pub fn has_picture(&self) -> bool {
        self.tracks.get(&TrackKind::Camera).is_some_and(|track| track.on)
    }

    /// It shares a screen.
    pub fn shares(&self) -> bool {
        self.tracks.get(&TrackKind::Screen).is_some_and(|track| track.on)
    }

    /// Its microphone is on.
    pub fn speaks(&self) -> bool {
        self.tracks.get(&TrackKind::Microphone).is_some_and(|track| track.on)
    }

    /// How far its key is trusted.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// How loud it is played.
    pub fn volume(&self) -> f32 {
        self.state.as_ref().map_or(1.0, |state| state.volume)
    }
}

/// Why nobody lets us in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shut {
    /// Every seat is taken.
    Full,
    /// Somebody removed us.
    Removed,
}

/// A meeting.
#[derive(Debug)]
pub struct Meeting {
    /// The room.
    pub room: RoomName,
    /// What it is called on screen: the room's name, or whom a call is with.
    pub title: String,
    /// When we came.
    pub since: Instant,
    /// The others, by key.
    pub people: BTreeMap<PeerId, Participant>,
    /// What was said.
    pub chat: Chat,
    /// What the network carried.
    pub traffic: Traffic,
    /// Own tracks, by kind.
    pub own: BTreeMap<TrackKind, TrackInfo>,
    /// What is chosen in the engine.
    pub settings: Settings,
    /// Raised hands, the first to be raised first, oneself included.
    pub hands: Vec<Person>,
    /// Reactions that are seen.
    pub reactions: Reactions,
    /// Somebody else was here.
    pub met: bool,
    /// Others in sight see the meeting.
    pub announced: bool,
    shut: Option<Shut>,
    next: u64,
}

impl Meeting {
    /// The name to show: with the first digits of the key where it could be mistaken for somebody else's.
    pub fn name_of(&self, person: &Person) -> String {
        match self.people.get(&person.peer) {
            Some(participant) => match &participant.state {
                Some(state) if !state.name_is_unique => state.handle.clone(),
                _ => participant.person.name.to_string(),
            },
            None => person.name.to_string(),
        }
    }

    /// An empty room.
    pub fn new(now: Instant, room: RoomName) -> Self {
        Self {
            title: room.as_str().to_owned(),
            room,
            since: now,
            people: BTreeMap::new(),
            chat: Chat::default(),
            traffic: Traffic::default(),
            own: BTreeMap::new(),
            settings: Settings::default(),
            hands: Vec::new(),
            reactions: Reactions::default(),
            met: false,
            announced: true,
            shut: None,
            next: 0,
        }
    }

    /// Long enough in it that who comes is news.
    pub fn is_settled(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) > SETTLING
    }

    /// The others in the order of their tiles.
    pub fn in_order(&self) -> Vec<&Participant> {
        let mut people: Vec<&Participant> = self.people.values().collect();
        people.sort_by_key(|participant| participant.order);
        people
    }

    /// Our camera sends.
    pub fn camera_on(&self) -> bool {
        self.settings.camera_on && self.settings.camera != Camera::None
    }

    /// Our microphone sends.
    pub fn microphone_on(&self) -> bool {
        self.settings.microphone_on && self.settings.microphone != Microphone::None
    }

    /// We share a screen.
    pub fn sharing(&self) -> bool {
        self.settings.screen_on && self.settings.screen != Screen::None
    }

    /// Whose screen takes the stage: `first`, if that one shares, else who came first of those who do.
    pub fn sharer(&self, first: Option<PeerId>) -> Option<&Participant> {
        let first = first.and_then(|peer| self.people.get(&peer)).filter(|one| one.shares());
        first.or_else(|| self.in_order().into_iter().find(|one| one.shares()))
    }

    /// Why nobody lets us in, while nobody else is here.
    pub fn shut(&self) -> Option<Shut> {
        self.shut.filter(|_| self.people.is_empty())
    }

    /// A warning of this kind came.
    pub fn on_warning(&mut self, code: WarningCode) {
        match code {
            // With company it is about others, or about those who are not here.
            WarningCode::RoomFull if self.people.is_empty() => self.shut = Some(Shut::Full),
            WarningCode::Removed => self.shut = Some(Shut::Removed),
            _ => {}
        }
    }

    /// The worst of all links; `None` as long as none was measured.
    pub fn quality(&self) -> Option<Quality> {
        self.people.values().filter_map(|participant| participant.stats.as_ref().and_then(Quality::of)).max()
    }

    /// All figures as JSON: the seconds of the graphs, and the peers of now by key.
    pub fn figures_json(&self) -> String {
        let peers = self.people.values().filter_map(|one| Some((&one.person, one.stats.as_ref()?)));
        self.traffic.json(peers)
    }

    fn come(&mut self, person: Person) -> &mut Participant {
        let next = self.next;
        let participant = self.people.entry(person.peer).or_insert_with(|| Participant {
            person: person.clone(),
            presence: Presence::Linked,
            tracks: BTreeMap::new(),
            stats: None,
            state: None,
            order: next,
            trust: Trust::New,
        });
        self.shut = None;
        if participant.order == next {
            self.next += 1;
        }
        participant.person = person;
        participant
    }

    /// Everything at once.
    pub fn on_state(&mut self, state: &State) {
        self.settings = state.settings.clone();
        self.hands.clone_from(&state.hands);
        self.own = state.tracks.iter().map(|track| (track.kind, track.clone())).collect();
        self.people.retain(|peer, _| state.people.iter().any(|other| other.person.peer == *peer));
        for other in &state.people {
            let participant = self.come(other.person.clone());
            participant.presence = other.presence;
            participant.tracks = other.tracks.iter().map(|track| (track.kind, track.clone())).collect();
            participant.trust = other.trust;
            participant.state = Some(other.clone());
        }
    }

    /// Our own line, which the engine took for these (WHO as typed; none is the room).
    pub fn on_said(&mut self, unix_ms: u64, id: MessageId, text: String, to: &[String]) {
        let room = to.is_empty() || to.iter().any(|who| who.starts_with("room:"));
        let meant = |participant: &&Participant| {
            to.iter().any(|who| *who == participant.person.peer.to_string() || *who == participant.person.name.as_str())
        };
        let audience = if room {
            Audience::Room
        } else {
            Audience::People(self.people.values().filter(meant).map(|participant| participant.person.clone()).collect())
        };
        let expected = match &audience {
            Audience::Room => self.people.len(),
            Audience::People(people) => people.len(),
        };
        self.chat.on_said(unix_ms, id, text, audience, expected);
    }

    /// One event.
    pub fn on_event(&mut self, now: Instant, unix_ms: u64, event: Event) {
        match event {
            Event::Joined(person) => {
                self.met = true;
                self.come(person).presence = Presence::Linked;
            }
            Event::Left { person, .. } => {
                self.people.remove(&person.peer);
            }
            Event::Reconnecting { person, .. } => self.come(person).presence = Presence::Suspected,
            Event::Reconnected { person, .. } => self.come(person).presence = Presence::Linked,
            Event::Track { person, info } => {
                if let Some(participant) = self.people.get_mut(&person.peer) {
                    participant.tracks.insert(info.kind, info);
                }
            }
            Event::Chat { id, from, text, to, sent_at, .. } => self.chat.on_line(id, from, &text, to, sent_at),
            Event::Delivered { id, to } => self.chat.on_delivered(id, to),
            Event::Trust { person, trust } => {
                if let Some(participant) = self.people.get_mut(&person.peer) {
                    participant.trust = trust;
                }
            }
            Event::Renamed(person) => {
                if let Some(participant) = self.people.get_mut(&person.peer) {
                    participant.person = person;
                }
            }
            Event::Hand { order, .. } => self.hands = order,
            Event::Reaction { person, emoji } => self.reactions.push(now, person.peer, emoji.as_str()),
            Event::Stats(stats) => {
                self.traffic.push(unix_ms, stats.rates);
                for (peer, figures) in stats.peers {
                    if let Some(participant) = self.people.get_mut(&peer) {
                        participant.stats = Some(figures);
                    }
                }
            }
            _ => {}
        }
    }
}
