//! Sans-IO. The answer to `state`: a meeting as data.

use crate::av::spec;
use crate::id::{Instance, RoomName, Username};
use crate::known::trust::Trust;
use crate::media::{TrackInfo, TrackKind, View};

use super::event::{FileEvent, Person};

/// Everything that a face may want to show.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Oneself.
    pub me: Person,
    /// This run.
    pub instance: Instance,
    /// The username that a rendezvous confirmed.
    pub username: Option<Username>,
    /// The room; `None` in the lobby.
    pub room: Option<RoomName>,
    /// Everybody seated except oneself, by key.
    pub people: Vec<PersonState>,
    /// Raised hands, the first to be raised first, oneself included.
    pub hands: Vec<Person>,
    /// Own tracks.
    pub tracks: Vec<TrackInfo>,
    /// Transfers that run, and the last ones that ended, oldest first.
    pub transfers: Vec<FileEvent>,
    /// What was chosen.
    pub settings: Settings,
}

/// Somebody whose key is known, here or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPerson {
    /// The key, with the name it was last linked under.
    pub person: Person,
    /// The shortest `name#suffix` that tells it apart.
    pub handle: String,
    /// How far it is trusted.
    pub trust: Trust,
    /// When its words were compared, in Unix milliseconds.
    pub verified_ms: Option<u64>,
}

/// How surely a participant is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// Its link is up.
    Linked,
    /// Nothing was heard for a while; it is redialled.
    Suspected,
}

impl Presence {
    /// The word in the answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Suspected => "suspected",
        }
    }
}

/// One participant.
#[derive(Debug, Clone, PartialEq)]
pub struct PersonState {
    /// Who.
    pub person: Person,
    /// The shortest `name#suffix` that is accepted as WHO.
    pub handle: String,
    /// How far its key is trusted.
    pub trust: Trust,
    /// The username that a rendezvous confirmed.
    pub username: Option<Username>,
    /// How surely it is there.
    pub presence: Presence,
    /// Its name may be used alone as WHO.
    pub name_is_unique: bool,
    /// Its tracks.
    pub tracks: Vec<TrackInfo>,
    /// What we ask of its pictures, by track.
    pub views: Vec<(TrackKind, View)>,
    /// How loud it is played.
    pub volume: f32,
    /// What it asks of ours, by track.
    pub watches: Vec<(TrackKind, View)>,
}

/// What was chosen, here.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The camera's source.
    pub camera: spec::Camera,
    /// The camera sends.
    pub camera_on: bool,
    /// The microphone's source.
    pub microphone: spec::Microphone,
    /// The microphone sends.
    pub microphone_on: bool,
    /// The speaker's sink.
    pub speaker: spec::Speaker,
    /// Others are heard.
    pub speaker_on: bool,
    /// What is shared, or was last.
    pub screen: spec::Screen,
    /// It is shared.
    pub screen_on: bool,
    /// What is heard with it.
    pub screen_audio: spec::ScreenAudio,
    /// The cap on the camera.
    pub quality: spec::Quality,
    /// How the microphone is processed.
    pub voice: spec::voice::Wish,
    /// What is asked of everybody's pictures unless told otherwise.
    pub view: View,
    /// What happens to offered files.
    pub files: super::shares::Accept,
    /// How calls are taken and made.
    pub calls: super::calls::Rules,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            camera: spec::Camera::None,
            camera_on: false,
            microphone: spec::Microphone::None,
            microphone_on: false,
            speaker: spec::Speaker::None,
            speaker_on: true,
            screen: spec::Screen::None,
            screen_on: false,
            screen_audio: spec::ScreenAudio::Off,
            quality: spec::Quality::Auto,
            voice: spec::voice::Wish::default(),
            view: View::Large,
            files: super::shares::Accept::Ask,
            calls: super::calls::Rules::default(),
        }
    }
}
