//! Sans-IO. What a face (window, command line, script) may ask of a meeting, and how it is answered.
//!
//! A [`Command`] is data: words that a person typed are kept as they are where only the meeting can judge them (WHO,
//! chat text, names). It is answered at once by [`Answer::Done`] or a [`Failure`](super::Failure), or the meeting has
//! checked it, resolved its people to keys, and hands it on as [`Work`] for a shell (disk, devices, rendezvous); then
//! the engine gives the final answer with one of the [`Done`] values.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::av::spec;
use crate::av::spec::voice::{Change, Sources, Wish};
use crate::id::{CallId, PeerId, RoomName, TransferId, Username};
use crate::invite::Invite;
use crate::known::trust::Edit;
use crate::known::words::Words;
use crate::media::{TrackKind, View};

use super::event::Person;
use super::message_id::MessageId;
use super::shares::Accept;
use super::state::{KnownPerson, State};

/// One wish. Every `to`, `peer` here is WHO as `cli.md` defines it.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// What is done with what others send unasked, from now on. Only the window has it: scripts say it at the start.
    Privacy {
        /// Offered files.
        files: Accept,
        /// Calls of keys that were never met make no sound.
        silence_unknown: bool,
    },
    /// `chat`: a line to the room (no recipients) or to exactly these people.
    Say {
        /// What was typed.
        text: String,
        /// WHO; empty or `room:THIS` is the room.
        to: Vec<String>,
    },
    /// `send-file`: offers a file, one transfer for each recipient.
    SendFile {
        /// The file.
        path: PathBuf,
        /// WHO; empty or `room:THIS` is everybody present.
        to: Vec<String>,
    },
    /// `accept-file`.
    AcceptFile(TransferId),
    /// `decline-file`.
    DeclineFile(TransferId),
    /// `cancel-file`, either side.
    CancelFile(TransferId),
    /// `camera`: on or off (mute: the track stays), with `source` also from where.
    Camera {
        /// Pictures flow.
        on: bool,
        /// A new source; `None` keeps the one in use.
        source: Option<spec::Camera>,
    },
    /// `mic`.
    Microphone {
        /// Sound flows.
        on: bool,
        /// A new source; `None` keeps the one in use.
        source: Option<spec::Microphone>,
    },
    /// `speaker`.
    Speaker {
        /// Others are heard.
        on: bool,
        /// A new sink; `None` keeps the one in use.
        sink: Option<spec::Speaker>,
    },
    /// `screen`: shares a display or window, or ends that (the track goes).
    Screen {
        /// It is shared.
        on: bool,
        /// What; `None` is the one of the last time.
        source: Option<spec::Screen>,
    },
    /// `screen-audio`: what is heard with what is shared, now and the next time.
    ScreenAudio(spec::ScreenAudio),
    /// `quality`: caps what the camera sends.
    Quality(spec::Quality),
    /// `voice`: how the microphone is processed.
    Voice {
        /// What changes.
        change: Change,
        /// Of which sources; what was asked for all of them stays so.
        sources: Sources,
    },
    /// `view`: what is asked of one peer's pictures.
    View {
        /// WHO.
        peer: String,
        /// Of its camera or its screen; `None`: of both.
        track: Option<TrackKind>,
        /// How large.
        size: View,
    },
    /// `volume` of one peer, 0 (silent) to 2 (twice as loud), 1 as sent.
    Volume {
        /// WHO.
        peer: String,
        /// The factor.
        value: f32,
    },
    /// `call`: rings somebody in sight. From a meeting it is a call into this meeting.
    Call {
        /// WHO.
        who: String,
    },
    /// `answer`: takes a call that rings here.
    Answer(CallId),
    /// `decline`: refuses a call that rings here, or takes back the one that rings there.
    Decline(CallId),
    /// `hand`: raise or lower one's hand.
    Hand {
        /// Raised.
        up: bool,
    },
    /// `react`: one emoji, shown to everybody for a moment.
    React {
        /// What was typed.
        emoji: String,
    },
    /// `invite`: a link to this room.
    Invite,
    /// `rename`: a new display name.
    Rename(String),
    /// `claim`: a username at the rendezvous.
    Claim(String),
    /// `release`: gives a username back to the rendezvous.
    Release(String),
    /// `words`: the safety words of this person's key and ours.
    Words {
        /// WHO.
        peer: String,
    },
    /// `verify`: the words were compared and are the same: this key is trusted. Answered by the words.
    Verify {
        /// WHO.
        peer: String,
    },
    /// `forget`: the key is as if it had never been met.
    Forget {
        /// WHO, also one who is only known.
        peer: String,
    },
    /// `trust-changed`: this other key is accepted for the name of somebody verified. It is known from now on.
    TrustChanged {
        /// WHO.
        peer: String,
    },
    /// `known`: all keys that are known or verified.
    KnownPeople,
    /// `state`: everything as data.
    State,
    /// `leave`.
    Leave,
}

impl Command {
    /// The word after `do`, also in `ok` and `error`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Privacy { .. } => "privacy",
            Self::Say { .. } => "chat",
            Self::SendFile { .. } => "send-file",
            Self::AcceptFile(_) => "accept-file",
            Self::DeclineFile(_) => "decline-file",
            Self::CancelFile(_) => "cancel-file",
            Self::Camera { .. } => "camera",
            Self::Microphone { .. } => "mic",
            Self::Speaker { .. } => "speaker",
            Self::Screen { .. } => "screen",
            Self::ScreenAudio(_) => "screen-audio",
            Self::Quality(_) => "quality",
            Self::Voice { .. } => "voice",
            Self::View { .. } => "view",
            Self::Volume { .. } => "volume",
            Self::Call { .. } => "call",
            Self::Answer(_) => "answer",
            Self::Decline(_) => "decline",
            Self::Hand { .. } => "hand",
            Self::React { .. } => "react",
            Self::Invite => "invite",
            Self::Rename(_) => "rename",
            Self::Claim(_) => "claim",
            Self::Release(_) => "release",
            Self::Words { .. } => "words",
            Self::Verify { .. } => "verify",
            Self::Forget { .. } => "forget",
            Self::TrustChanged { .. } => "trust-changed",
            Self::KnownPeople => "known",
            Self::State => "state",
            Self::Leave => "leave",
        }
    }
}

/// How the meeting takes a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Carried out; this is the answer.
    Done(Done),
    /// Checked; the engine carries it out and answers.
    Work(Work),
}

/// Why nothing more is to be said: the data of an `ok`.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// Nothing to add.
    Ok,
    /// The line was taken and got this id. `delivered` events follow.
    Said(MessageId),
    /// These offers were made.
    Offered(Vec<(Person, TransferId)>),
    /// It rings there from now on; a [`CallEnded`](super::Event::CallEnded) follows.
    Calling(CallId),
    /// The caller waits in this room: the face leaves where it is and goes there, trying these addresses.
    Answered {
        /// Where the call goes on.
        room: RoomName,
        /// Where the caller may be reached.
        connect: Vec<(SocketAddr, Option<PeerId>)>,
    },
    /// This username is ours now.
    Claimed(Username),
    /// This username is ours no more.
    Released(Username),
    /// Compare these with the other side.
    Words(Words),
    /// The answer to `known`, by name.
    KnownPeople(Vec<KnownPerson>),
    /// The invitation, as link (`Display`) and as short text.
    Invited(Invite),
    /// The answer to `state`.
    State(Box<State>),
}

/// A checked command that needs a shell. What it changes is told back: transfers by `Meeting::on_file`, tracks by
/// `Meeting::set_track`, the speaker, quality, voice and volume by `Meeting::on_setting`, a username by
/// `Meeting::on_username`.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Offer `path` to each of these, then answer [`Done::Offered`].
    Offer {
        /// The file, unchecked.
        path: PathBuf,
        /// Keys, resolved once. At least one, no doubles.
        to: Vec<Person>,
    },
    /// Accept this offer (it exists and waits).
    Accept {
        /// Who offers.
        peer: PeerId,
        /// What.
        transfer: TransferId,
    },
    /// Decline this offer (it exists and waits).
    Decline {
        /// Who offers.
        peer: PeerId,
        /// What.
        transfer: TransferId,
    },
    /// Cancel this transfer (it exists and has not ended).
    Cancel {
        /// The other side.
        peer: PeerId,
        /// What.
        transfer: TransferId,
    },
    /// Start, replace, mute or unmute the camera.
    Camera {
        /// Pictures flow.
        on: bool,
        /// A new source.
        source: Option<spec::Camera>,
    },
    /// Start, replace, mute or unmute the microphone.
    Microphone {
        /// Sound flows.
        on: bool,
        /// A new source.
        source: Option<spec::Microphone>,
    },
    /// Replace, mute or unmute the speaker.
    Speaker {
        /// Others are heard.
        on: bool,
        /// A new sink.
        sink: Option<spec::Speaker>,
    },
    /// Begin, change or end sharing.
    Screen {
        /// It is shared.
        on: bool,
        /// What.
        source: Option<spec::Screen>,
    },
    /// Share that sound with a screen.
    ScreenAudio(spec::ScreenAudio),
    /// Cap the camera.
    Quality(spec::Quality),
    /// Process the microphone so.
    Voice(Wish),
    /// Set one peer's volume; `value` is 0 to 2.
    Volume {
        /// Whose.
        peer: PeerId,
        /// The factor.
        value: f32,
    },
    /// A call is taken; what becomes of it comes as `Output::Answered`, which is the answer.
    Answer(CallId),
    /// Tell the mesh the new name (the meeting has taken it), then answer [`Done::Ok`].
    Rename(crate::share::DisplayName),
    /// Put an invitation together, then answer [`Done::Invited`].
    Invite,
    /// Claim at the rendezvous, then `Meeting::on_own_username` and answer [`Done::Claimed`].
    Claim(Username),
    /// Give it back to the rendezvous, then `Meeting::on_own_username` and answer [`Done::Released`].
    Release(Username),
    /// Make the words to compare with this key, which takes some 20 ms, then answer [`Done::Words`].
    Words(PeerId),
    /// Write this decision into the profile, then `Meeting::on_decided`; answer [`Done::Words`] to who was verified, else
    /// [`Done::Ok`].
    Decide(Edit),
    /// Say goodbye and end; answer [`Done::Ok`] first.
    Leave,
}
