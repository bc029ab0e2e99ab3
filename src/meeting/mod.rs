//! Sans-IO. What a meeting decides: who is in it, who is meant by a name, what is said to whom and who has it, which
//! tracks there are and who watches them, what happens to offered files.
//!
//! [`Meeting`] is a plain state machine. What happened on links goes in by `on_linked`, `on_message`, ..; what a face
//! wishes goes in by [`Meeting::on_command`]; what is to be done comes out of [`Meeting::poll_output`], drained until
//! `None` after every input. Time is passed in. It knows neither sockets nor codecs: messages are `framing::Message`s
//! for a peer, tracks are words about tracks.

pub mod calls;
pub mod chat;
mod command;
mod commands;
mod event;
mod failure;
mod hands;
mod incoming;
pub mod lobby;
mod message_id;
pub mod nearby;
mod neighbours;
mod people;
pub mod shares;
mod state;
mod tracks;
mod trust;
pub mod who;
pub mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use calls::CallEnd;
pub use command::{Answer, Command, Done, Work};
pub use event::{Audience, Direction, Event, FileEvent, FileStage, LeftReason, Person, Warning};
pub use failure::{Code, Failure, WarningCode};
pub use message_id::{ConversationId, MessageId};
pub use nearby::{Nearby, NearbyMeeting, NearbyPerson};
pub use shares::Accept;
pub use trust::{ALARM_EVERY, ALARMS};

pub use state::{KnownPerson, PersonState, Presence, Settings, State};

pub use crate::known::trust::{Book, Edit, Trust};
pub use crate::known::words::Words;

use crate::framing::Message;
pub use crate::id::CallId;
use crate::id::{Instance, LinkKey, PeerId, RoomName, TransferId, Username};
use crate::identity::{Identity, PublicKey};
use crate::known::names::{Learned, Names};
use crate::media::{TrackInfo, TrackKind, View};
use crate::share::DisplayName;
use calls::Calls;
use chat::Chat;
use hands::Hands;
use nearby::Sight;
use people::{Came, People};
use shares::{Shares, Verdict};
use tracks::{Change, Tracks};

/// Message kinds of the meeting on the wire: 64 to 127. The mesh hands these up undecoded.
pub const KINDS: std::ops::RangeInclusive<u16> = 64..=127;

/// What a meeting starts with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Signs what we say to the room.
    pub identity: Arc<Identity>,
    /// This run.
    pub instance: Instance,
    /// Our display name.
    pub name: DisplayName,
    /// The room.
    pub room: RoomName,
    /// For choices that should differ between peers.
    pub seed: u64,
    /// Names and keys of earlier meetings, from the profile.
    pub known: Names,
    /// What was decided about keys, from the profile.
    pub trust: Book,
    /// What was chosen at the start (default view, accept rule, sources).
    pub settings: Settings,
}

/// A participant's link is up.
#[derive(Debug, Clone)]
pub struct Linked {
    /// Who, in which run.
    pub key: LinkKey,
    /// Its key, as TLS proved it.
    pub public_key: PublicKey,
    /// The name it says it has.
    pub name: DisplayName,
}

/// Something that changed in a shell by [`Work`] or by itself, for `state`.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// The camera's source and whether it sends.
    Camera(crate::av::spec::Camera, bool),
    /// The microphone's source and whether it sends.
    Microphone(crate::av::spec::Microphone, bool),
    /// The speaker's sink and whether it plays.
    Speaker(crate::av::spec::Speaker, bool),
    /// What is shared, or was last, and whether it is.
    Screen(crate::av::spec::Screen, bool),
    /// What is heard with what is shared.
    ScreenAudio(crate::av::spec::ScreenAudio),
    /// The cap on the camera.
    Quality(crate::av::spec::Quality),
    /// How the microphone is processed.
    Voice(crate::av::spec::voice::Wish),
    /// One peer's volume.
    Volume(PeerId, f32),
}

/// What a shell has to do now.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send this on the peer's control stream. If the mesh refuses it, call `Meeting::on_refused`.
    Send {
        /// To whom.
        to: PeerId,
        /// What.
        message: Message,
    },
    /// Tell the faces.
    Event(Event),
    /// The peer wants our track like this: wire (or rewire, its link may be new) its outlet. `View::None` ends it.
    Subscribe {
        /// Who watches.
        peer: PeerId,
        /// Which track of ours; it may not exist (yet).
        kind: TrackKind,
        /// How. A microphone is `Large` (wanted) or `None`.
        view: View,
    },
    /// The peer has this track, and we asked for it like this: start receiving it, or adapt. `on: false` is mute.
    Receive {
        /// Whose.
        peer: PeerId,
        /// The track now.
        info: TrackInfo,
        /// What we asked for.
        view: View,
    },
    /// The track is gone, or its peer has left: stop receiving it.
    StopReceiving {
        /// Whose.
        peer: PeerId,
        /// Which.
        kind: TrackKind,
    },
    /// Accept this offer: the accept rule says so.
    AcceptFile {
        /// Who offers.
        peer: PeerId,
        /// What.
        transfer: TransferId,
    },
    /// Decline this offer: the accept rule says so.
    DeclineFile {
        /// Who offers.
        peer: PeerId,
        /// What.
        transfer: TransferId,
    },
    /// Dial this person without a seat, even where a link to one of these runs is up already.
    Reach {
        /// Who.
        peer: PeerId,
        /// Where.
        addresses: Vec<SocketAddr>,
        /// Runs that are of no use.
        except: Vec<Instance>,
    },
    /// Send this over exactly this link, a visitor's.
    SendTo {
        /// Which.
        to: LinkKey,
        /// What.
        message: Message,
    },
    /// Close this visitor's link: nothing needs it any more.
    Dismiss(LinkKey),
    /// The answer to a command that was taken as [`Work::Answer`].
    Answered {
        /// Which call.
        call: CallId,
        /// What became of it.
        result: Result<Done, Failure>,
    },
    /// Write into the profile that this key used this name (it was linked under it).
    Remember {
        /// The key.
        peer: PeerId,
        /// The name.
        name: DisplayName,
    },
    /// Write into the profile what follows from an earlier decision.
    Decided(Edit),
    /// Nothing of ours may go to this key any more: transfers with it end, and for files its link is gone. Also when its
    /// link comes up.
    Withhold {
        /// The key.
        peer: PeerId,
    },
    /// It was decided about: for files its link is up.
    Release {
        /// The key.
        peer: PeerId,
    },
}

/// A meeting, as one participant sees it.
#[derive(Debug)]
pub struct Meeting {
    me: PeerId,
    instance: Instance,
    room: RoomName,
    username: Option<Username>,
    settings: Settings,
    people: People,
    chat: Chat,
    tracks: Tracks,
    hands: Hands,
    shares: Shares,
    // How far each participant was last said to be trusted.
    trusts: BTreeMap<PeerId, Trust>,
    sight: Sight,
    calls: Calls,
    // When each warning was last given: one a minute, a peer and a code.
    warned: BTreeMap<(PeerId, WarningCode), Instant>,
    // How often keys with the name of somebody verified may be warned about, whoever they are.
    alarms: trust::Alarms,
    unknown_messages: u64,
    // Who is to hear of our tracks again, and when: seated peers only.
    owed: BTreeMap<PeerId, Instant>,
    // Bounded by what one input can cause; drained after each.
    out: VecDeque<Output>,
}

/// Silence after which the roster suspects a peer: what `reconnecting` says.
pub const SUSPECT_AFTER: Duration = Duration::from_secs(2);
/// After the mesh refused a message, what it may have been is said again.
const REFUSED_PAUSE: Duration = Duration::from_millis(250);
/// A warning about one peer is repeated after this.
const WARN_AGAIN: Duration = Duration::from_secs(60);
/// Warnings remembered; above, all are forgotten (and may be repeated sooner).
const MAX_WARNED: usize = 1024;

impl Meeting {
    /// Takes a seat in the room, alone so far.
    pub fn new(config: Config) -> Self {
        let person = Person { peer: config.identity.peer_id(), name: config.name };
        let me = person.peer;
        // A meeting draws ids of calls from it, never a room.
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&config.seed.to_le_bytes());
        Self {
            me,
            instance: config.instance,
            username: None,
            sight: Sight::new(person.clone(), config.known.clone(), config.trust.clone()),
            calls: Calls::new(me, config.settings.calls, seed),
            people: People::new(person, config.known, config.trust),
            chat: Chat::new(config.identity, config.instance, config.room.id(), config.seed),
            room: config.room,
            hands: Hands::new(me),
            tracks: Tracks::new(config.settings.view),
            shares: Shares::new(config.settings.files),
            settings: config.settings,
            trusts: BTreeMap::new(),
            warned: BTreeMap::new(),
            alarms: trust::Alarms::default(),
            unknown_messages: 0,
            owed: BTreeMap::new(),
            out: VecDeque::new(),
        }
    }

    /// A participant's link is up: new, or again after a cut, or of a new run that took the seat over.
    pub fn on_linked(&mut self, now: Instant, linked: Linked) {
        let peer = linked.key.peer;
        if peer == self.me || linked.public_key.peer_id() != peer {
            return;
        }
        self.meet(now, peer, linked.name);
        let person = self.person(peer);
        let before = self.people.seat(peer).map(|seat| seat.instance);
        match self.people.arrive(now, linked.key) {
            Came::Joined => {
                self.event(Event::Joined(person));
                self.weigh(now, peer);
                let changes = self.tracks.arrive(now, peer);
                self.apply(peer, changes);
                self.hands.arrive(now, peer);
            }
            Came::Restarted => {
                // Same person, same seat: seen as a short absence.
                if self.people.suspect(now, peer, Duration::ZERO).is_some() {
                    self.event(Event::Reconnecting { person: person.clone(), after_ms: 0 });
                }
                self.recovered(now, peer);
                let changes = self.tracks.arrive(now, peer);
                self.apply(peer, changes);
                let moved = self.hands.arrive(now, peer);
                self.tell_hand(peer, moved);
            }
            Came::Again => {
                self.recovered(now, peer);
                let changes = self.tracks.again(peer);
                self.apply(peer, changes);
            }
        }
        // A newer run, or another link, may bear another name.
        self.weigh(now, peer);
        if self.is_withheld(peer) {
            return;
        }
        self.introduce(peer);
        self.chat.on_linked(now, linked.key);
        self.drain_chat(now);
        self.seen_seated(now, linked.key, before);
    }

    // What a peer must know of our media, at the start and whenever messages may have been lost.
    fn introduce(&mut self, peer: PeerId) {
        self.out.push_back(Output::Send { to: peer, message: self.tracks.tracks_message() });
        self.out.push_back(Output::Send { to: peer, message: self.tracks.views_message(peer) });
        self.out.extend(self.hands.message().map(|message| Output::Send { to: peer, message }));
    }

    // A key came under a name, proven by its link.
    fn meet(&mut self, now: Instant, peer: PeerId, name: DisplayName) {
        let others = self.people.directory.others_named(peer, &name);
        let learned = if self.people.directory.knows(peer) && self.people.seat(peer).is_some() {
            self.people.directory.rename(peer, name.clone())
        } else {
            self.people.directory.arrive(peer, name.clone())
        };
        if learned == Learned::Known {
            return;
        }
        self.out.push_back(Output::Remember { peer, name: name.clone() });
        // A changed key is warned about as such.
        if others.is_empty() || self.trust(peer) == Trust::Changed {
            return;
        }
        let here = others.iter().any(|other| *other == self.me || self.people.seat(*other).is_some());
        let handle = self.people.directory.handle(peer);
        let (code, message) = if here {
            (WarningCode::NameCollision, format!("Several people here are called '{name}'."))
        } else {
            (WarningCode::NameKeyChanged, format!("Somebody with a new key is called '{name}', as others before."))
        };
        self.warn(now, code, peer, message, format!("Write to this one as {handle}."));
    }

    fn recovered(&mut self, now: Instant, peer: PeerId) {
        if let Some(after) = self.people.recover(now, peer) {
            let person = self.person(peer);
            self.event(Event::Reconnected { person, after_ms: millis(after) });
        }
    }

    /// Nothing was heard of it for [`SUSPECT_AFTER`], or its link broke.
    pub fn on_suspected(&mut self, now: Instant, peer: PeerId) {
        if let Some(after) = self.people.suspect(now, peer, SUSPECT_AFTER) {
            let person = self.person(peer);
            self.event(Event::Reconnecting { person, after_ms: millis(after) });
            self.chat.on_suspected(peer);
        }
    }

    /// It is heard again, over the old link or a new one of the same run.
    pub fn on_recovered(&mut self, now: Instant, peer: PeerId) {
        if self.people.seat(peer).is_none() {
            return;
        }
        self.recovered(now, peer);
        let changes = self.tracks.again(peer);
        self.apply(peer, changes);
        self.introduce(peer);
        self.chat.on_recovered(now, peer);
        self.drain_chat(now);
    }

    /// It is gone.
    pub fn on_left(&mut self, now: Instant, peer: PeerId, reason: LeftReason) {
        let person = self.person(peer);
        let Some(instance) = self.people.seat(peer).map(|seat| seat.instance) else { return };
        self.people.depart(peer);
        self.owed.remove(&peer);
        self.trusts.remove(&peer);
        let changes = self.tracks.depart(peer);
        self.apply(peer, changes);
        let moved = self.hands.depart(peer);
        self.tell_hand(peer, moved);
        self.event(Event::Left { person, reason });
        self.chat.on_left(now, peer);
        self.drain_chat(now);
        self.seen_left(now, peer, instance);
    }

    /// Messages of unknown kinds that came.
    pub fn unknown_messages(&self) -> u64 {
        self.unknown_messages
    }

    /// The chat, for looking at its bounds.
    pub fn chat(&self) -> &Chat {
        &self.chat
    }

    fn warn(&mut self, now: Instant, code: WarningCode, peer: PeerId, message: String, hint: String) {
        let last = self.warned.get(&(peer, code));
        if last.is_some_and(|last| now.saturating_duration_since(*last) < WARN_AGAIN) {
            return;
        }
        if self.warned.len() >= MAX_WARNED {
            self.warned.clear();
        }
        self.warned.insert((peer, code), now);
        let person = Some(self.person(peer));
        self.event(Event::Warning(Warning { code, person, message, hint }));
    }

    fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    fn apply(&mut self, peer: PeerId, changes: Vec<Change>) {
        for change in changes {
            let output = match change {
                Change::Track(info) => Output::Event(Event::Track { person: self.person(peer), info }),
                Change::Receive(info, view) => Output::Receive { peer, info, view },
                Change::Stop(kind) => Output::StopReceiving { peer, kind },
                Change::Subscribe(kind, view) => Output::Subscribe { peer, kind, view },
            };
            self.out.push_back(output);
        }
    }

    /// The mesh would not take a message for `peer` (its queue is full or its link is gone): it is made again later.
    pub fn on_refused(&mut self, now: Instant, peer: PeerId) {
        if self.people.seat(peer).is_none() {
            return;
        }
        self.chat.on_refused(now, peer);
        // What was refused may have been about tracks.
        self.owed.insert(peer, now + REFUSED_PAUSE);
    }

    /// A participant took another display name.
    pub fn on_renamed(&mut self, now: Instant, peer: PeerId, name: DisplayName) {
        self.sight.on_renamed(peer, name.clone());
        if self.people.seat(peer).is_some() {
            let renamed = self.person(peer).name != name;
            self.meet(now, peer, name);
            if renamed {
                let person = self.person(peer);
                self.event(Event::Renamed(person));
            }
            self.weigh(now, peer);
        }
    }

    /// A rendezvous confirmed that `peer` owns this username, or no longer does.
    pub fn on_username(&mut self, now: Instant, peer: PeerId, username: Option<Username>) {
        self.people.directory.set_username(peer, username);
        if self.people.seat(peer).is_some() {
            self.weigh(now, peer);
        }
    }

    /// One of our own tracks exists like this now: everybody is told.
    pub fn set_track(&mut self, _now: Instant, info: TrackInfo) {
        if self.tracks.set_own(info.kind, Some(info)) {
            self.tell_tracks();
        }
    }

    /// One of our own tracks is gone (its source is `none`).
    pub fn remove_track(&mut self, _now: Instant, kind: TrackKind) {
        if self.tracks.set_own(kind, None) {
            self.tell_tracks();
        }
    }

    fn tell_tracks(&mut self) {
        let message = self.tracks.tracks_message();
        let to: Vec<PeerId> = self.people.seats().map(|(peer, _)| peer).collect();
        self.out.extend(to.into_iter().map(|to| Output::Send { to, message: message.clone() }));
    }

    /// News of a transfer, `person.name` as far as the shell knows it.
    pub fn on_file(&mut self, _now: Instant, mut event: FileEvent) {
        let peer = event.person.peer;
        if self.people.directory.knows(peer) {
            event.person = self.person(peer);
        }
        let (verdict, transfer) = (self.shares.on_file(&event, self.people.directory.trust(peer)), event.transfer);
        self.event(Event::File(event));
        match verdict {
            Verdict::Accept => self.out.push_back(Output::AcceptFile { peer, transfer }),
            Verdict::Decline => self.out.push_back(Output::DeclineFile { peer, transfer }),
            Verdict::Wait => {}
        }
    }

    /// A deadline passed. A late or needless call does no harm.
    pub fn on_timeout(&mut self, now: Instant) {
        let due: Vec<PeerId> = self.owed.iter().filter(|(_, at)| **at <= now).map(|(peer, _)| *peer).collect();
        for peer in due {
            self.owed.remove(&peer);
            if self.people.seat(peer).is_some_and(|seat| seat.presence == Presence::Linked) {
                self.introduce(peer);
            }
        }
        self.chat.on_timeout(now);
        self.drain_chat(now);
        self.calls.on_timeout(now, &self.sight);
        self.drain_calls(now);
    }

    /// What is to be done, one at a time; drain until `None`. Nothing of ours passes to a key that is withheld.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            let output = self.out.pop_front()?;
            if self.may(&output) {
                return Some(output);
            }
        }
    }

    /// When `on_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let others = [self.chat.poll_timeout(), self.calls.poll_timeout(), self.sight.poll_timeout()];
        self.owed.values().copied().chain(others.into_iter().flatten()).min()
    }

    /// Everything as data, the answer to [`Command::State`].
    pub fn state(&self) -> State {
        let directory = &self.people.directory;
        let person = |(peer, seat): (PeerId, &people::Seat)| PersonState {
            person: self.person(peer),
            handle: directory.handle(peer),
            trust: directory.trust(peer),
            username: directory.username(peer).cloned(),
            presence: seat.presence,
            name_is_unique: directory.name_is_unique(peer),
            tracks: self.tracks.of(peer),
            views: [TrackKind::Camera, TrackKind::Screen].map(|kind| (kind, self.tracks.view(peer, kind))).to_vec(),
            volume: self.people.volume(peer),
            watches: self.tracks.wishes(peer),
        };
        State {
            me: self.person(self.me),
            instance: self.instance,
            username: self.username.clone(),
            room: Some(self.room.clone()),
            people: self.people.seats().map(person).collect(),
            hands: self.raised(),
            tracks: self.tracks.own().cloned().collect(),
            transfers: self.shares.list(),
            settings: self.settings.clone(),
        }
    }

    /// How loud `peer` is to be played, where 1 is as sent.
    pub fn volume(&self, peer: PeerId) -> f32 {
        self.people.volume(peer)
    }

    /// `peer` with the name it goes by.
    pub fn person(&self, peer: PeerId) -> Person {
        let directory = &self.people.directory;
        // Who never had a seat here may have said a name at our door.
        if directory.knows(peer) { directory.person(peer) } else { self.sight.person(peer) }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
