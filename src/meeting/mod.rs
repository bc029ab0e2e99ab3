//! Sans-IO. What a meeting decides: who is in it, who is meant by a name, what is said to whom and who has it, which
//! tracks there are and who watches them, what happens to offered files.
//!
//! [`Meeting`] is a plain state machine. What happened on links goes in by `on_linked`, `on_message`, ..; what a face
//! wishes goes in by [`Meeting::on_command`]; what is to be done comes out of [`Meeting::poll_output`], drained until
//! `None` after every input. Time is passed in. It knows neither sockets nor codecs: messages are `framing::Message`s
//! for a peer, tracks are words about tracks.

mod command;
mod event;
mod failure;
mod message_id;
pub mod shares;
mod state;

use std::sync::Arc;
use std::time::Instant;

pub use command::{Answer, Command, Done, Work};
pub use event::{Audience, Direction, Event, FileEvent, FileStage, LeftReason, Person, Warning};
pub use failure::{Code, Failure, WarningCode};
pub use message_id::{ConversationId, MessageId};
pub use state::{PersonState, Presence, Settings, State};

use crate::framing::Message;
use crate::id::{Instance, LinkKey, PeerId, RoomName, TransferId, Username};
use crate::identity::{Identity, PublicKey};
use crate::known::names::Names;
use crate::media::{TrackInfo, TrackKind, View};
use crate::share::DisplayName;

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
    /// The cap on the camera.
    Quality(crate::av::spec::Quality),
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
    /// Write into the profile that this key used this name (it was linked under it).
    Remember {
        /// The key.
        peer: PeerId,
        /// The name.
        name: DisplayName,
    },
}

/// A meeting, as one participant sees it.
#[derive(Debug)]
pub struct Meeting {
    config: Config,
}

impl Meeting {
    /// Takes a seat in the room, alone so far.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// A participant's link is up: new, or again after a cut.
    pub fn on_linked(&mut self, now: Instant, linked: Linked) {
        let _ = (now, linked);
    }

    /// Nothing was heard of it for a while.
    pub fn on_suspected(&mut self, now: Instant, peer: PeerId) {
        let _ = (now, peer);
    }

    /// It is heard again, over the old link or a new one of the same run.
    pub fn on_recovered(&mut self, now: Instant, peer: PeerId) {
        let _ = (now, peer);
    }

    /// It is gone.
    pub fn on_left(&mut self, now: Instant, peer: PeerId, reason: LeftReason) {
        let _ = (now, peer, reason);
    }

    /// A message of a kind in [`KINDS`] came from a participant.
    pub fn on_message(&mut self, now: Instant, from: LinkKey, message: &Message) {
        let _ = (now, from, message);
    }

    /// The mesh would not take a message for `peer` (its queue is full or its link is gone): it is made again later.
    pub fn on_refused(&mut self, now: Instant, peer: PeerId) {
        let _ = (now, peer);
    }

    /// A participant took another display name.
    pub fn on_renamed(&mut self, now: Instant, peer: PeerId, name: DisplayName) {
        let _ = (now, peer, name);
    }

    /// A rendezvous confirmed that `peer` owns this username, or no longer does.
    pub fn on_username(&mut self, now: Instant, peer: PeerId, username: Option<Username>) {
        let _ = (now, peer, username);
    }

    /// A rendezvous confirmed our own username, or we lost it.
    pub fn on_own_username(&mut self, username: Option<Username>) {
        let _ = username;
    }

    /// One of our own tracks exists like this now: everybody is told.
    pub fn set_track(&mut self, now: Instant, info: TrackInfo) {
        let _ = (now, info);
    }

    /// One of our own tracks is gone (its source is `none`).
    pub fn remove_track(&mut self, now: Instant, kind: TrackKind) {
        let _ = (now, kind);
    }

    /// A shell changed something that `state` shows.
    pub fn on_setting(&mut self, setting: Setting) {
        let _ = setting;
    }

    /// News of a transfer, `person.name` as far as the shell knows it.
    pub fn on_file(&mut self, now: Instant, event: FileEvent) {
        let _ = (now, event);
    }

    /// A face wishes something. `wall_ms` is the Unix time for `sent_at`.
    pub fn on_command(&mut self, now: Instant, wall_ms: u64, command: Command) -> Result<Answer, Failure> {
        let _ = (now, wall_ms);
        Err(Failure::not_available_yet(command.name()))
    }

    /// A deadline passed. A late or needless call does no harm.
    pub fn on_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// What is to be done, one at a time; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When `on_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Everything as data, the answer to [`Command::State`].
    pub fn state(&self) -> State {
        State {
            me: self.person(self.config.identity.peer_id()),
            instance: self.config.instance,
            username: None,
            room: self.config.room.clone(),
            people: Vec::new(),
            tracks: Vec::new(),
            transfers: Vec::new(),
            settings: self.config.settings.clone(),
        }
    }

    /// `peer` with the name it goes by.
    pub fn person(&self, peer: PeerId) -> Person {
        Person { peer, name: self.config.name.clone() }
    }
}
