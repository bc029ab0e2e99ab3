//! What a person chose in the window and finds again at the next start: `window.json` in the profile.
//!
//! A choice is worth less than a start: a file that cannot be read gives the defaults, hidden (who chose to be may not
//! become seen by an accident), and is said; it is kept under another name before it is written anew.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::theme;
use crate::av::spec::voice::{Noise, Voice};
use crate::id::RoomName;

/// The file in the profile folder.
pub const FILE: &str = "window.json";
/// Longest file that is read.
const MAX_FILE: u64 = 1 << 20;

/// What the right panel shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each name says what it is")]
pub enum Panel {
    Chat,
    People,
    Files,
    Stats,
}

/// How the stage is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Everybody in tiles of one size.
    #[default]
    Grid,
    /// Who speaks is large.
    Speaker,
}

/// Everything that is remembered. Each field has a default, unknown ones are left out: another version may have them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choices {
    /// Which theme.
    pub theme: theme::Choice,
    /// 100 to 200.
    pub text_percent: u16,
    /// Things move as little as can be.
    pub reduced_motion: bool,
    /// Width and height of the window, logical pixels.
    pub window: (f32, f32),
    /// The right panel that was open.
    pub panel: Option<Panel>,
    /// The layout.
    pub layout: Layout,
    /// The camera, as `av::spec` writes it. `device` is the system's default.
    pub camera: String,
    /// The microphone, as `av::spec` writes it.
    pub microphone: String,
    /// The speaker, as `av::spec` writes it.
    pub speaker: String,
    /// Meetings start with the camera on.
    pub camera_on: bool,
    /// Meetings start with the microphone on.
    pub microphone_on: bool,
    /// The cap on the camera, as `av::spec::Quality` writes it.
    pub quality: String,
    /// The echo of the speaker is taken out of the microphone.
    pub echo: bool,
    /// How much noise is, as `av::spec::voice::Noise` writes it.
    pub noise: String,
    /// Quiet voices are made louder.
    pub gain: bool,
    /// Nothing of these three is done.
    pub original_sound: bool,
    /// The microphone is on only while Space is held.
    pub push_to_talk: bool,
    /// One's own tile is shown.
    pub own_tile: bool,
    /// Others find us by themselves.
    pub announce: bool,
    /// Calls of keys never met make no sound and no window.
    pub silence_unknown: bool,
    /// Desktop notifications while the window is not in front.
    pub notifications: bool,
    /// The rendezvous, as typed: `HOST[:PORT][#FINGERPRINT]`; empty is none.
    pub rendezvous: String,
    /// The username that is ours there, claimed by each engine that starts; empty is none.
    pub username: String,
    /// Only these network interfaces; empty is all.
    pub interfaces: Vec<String>,
    /// The port; `None` is the usual ones.
    pub port: Option<u16>,
    /// Files of people who were verified are received without a question.
    pub accept_verified: bool,
    /// The most that the camera sends to each person, bits a second; `None` chooses by size.
    pub most_video: Option<u64>,
    /// Where drops land; `None` is the Downloads folder.
    pub download_dir: Option<PathBuf>,
    /// The last meetings that were started or joined by name, the newest first. At most [`MOST_ROOMS`].
    pub rooms: Vec<String>,
}

/// Bounds of [`Choices::most_video`].
const LEAST_VIDEO: u64 = 100_000;
const MOST_VIDEO: u64 = 100_000_000;

/// Meetings remembered.
pub const MOST_ROOMS: usize = 8;

impl Default for Choices {
    fn default() -> Self {
        Self {
            theme: theme::Choice::System,
            text_percent: 100,
            reduced_motion: false,
            window: (1280.0, 800.0),
            panel: None,
            layout: Layout::Grid,
            camera: "device".to_owned(),
            microphone: "device".to_owned(),
            speaker: "device".to_owned(),
            // Nobody likes to be seen before they said so.
            camera_on: false,
            microphone_on: true,
            quality: "auto".to_owned(),
            echo: true,
            noise: Noise::default().to_string(),
            gain: true,
            original_sound: false,
            push_to_talk: false,
            own_tile: true,
            announce: true,
            silence_unknown: false,
            notifications: true,
            rendezvous: String::new(),
            username: String::new(),
            interfaces: Vec::new(),
            port: None,
            accept_verified: false,
            most_video: None,
            download_dir: None,
            rooms: Vec::new(),
        }
    }
}

impl Choices {
    /// Reads the file of a profile; the defaults where there is none or it cannot be read.
    pub fn load(profile: &Path) -> Self {
        Self::read(profile).unwrap_or_else(|error| {
            tracing::warn!(path = %profile.join(FILE).display(), %error, "the window's choices cannot be read");
            Self { announce: false, ..Self::default() }
        })
    }

    /// Reads the file of a profile; the defaults where there is none. The error is what is wrong with it.
    pub fn read(profile: &Path) -> Result<Self, String> {
        let path = profile.join(FILE);
        let read = || -> Result<Self, String> {
            let size = match std::fs::metadata(&path) {
                Ok(metadata) => metadata.len(),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
                Err(error) => return Err(error.to_string()),
            };
            if size > MAX_FILE {
                return Err("it is too long".to_owned());
            }
            let text = std::fs::read(&path).map_err(|error| error.to_string())?;
            serde_json::from_slice::<Self>(&text).map_err(|error| error.to_string())
        };
        read().map(Self::checked)
    }

    fn checked(mut self) -> Self {
        self.text_percent = self.text_percent.clamp(100, 200);
        let side =
            |v: f32, least: f32, default: f32| if v.is_finite() && v >= least { v.min(16_384.0) } else { default };
        self.window = (side(self.window.0, 480.0, 1280.0), side(self.window.1, 360.0, 800.0));
        self.rooms.truncate(MOST_ROOMS);
        self.most_video = self.most_video.map(|bps| bps.clamp(LEAST_VIDEO, MOST_VIDEO));
        self
    }

    /// Writes the file of a profile, whole or not at all. Blocks on the disk for a moment.
    pub fn save(&self, profile: &Path) -> std::io::Result<()> {
        let path = profile.join(FILE);
        if Self::read(profile).is_err() {
            // What could not be read may still be mended by hand. Whatever is wrong with it, it stands in the way of none.
            let _ = std::fs::rename(&path, profile.join(format!("{FILE}.bad")));
        }
        let temporary = profile.join(format!(".{FILE}.{:016x}", rand::random::<u64>()));
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        let written = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .and_then(|mut file| file.write_all(&text))
            .and_then(|()| std::fs::rename(&temporary, &path));
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }

    /// How a real microphone is processed.
    pub fn voice(&self) -> Voice {
        if self.original_sound {
            return Voice::OFF;
        }
        Voice { echo: self.echo, noise: self.noise.parse().unwrap_or_default(), gain: self.gain }
    }

    /// Whether meetings start with the microphone on: not when it is on only while Space is held.
    pub fn starts_heard(&self) -> bool {
        self.microphone_on && !self.push_to_talk
    }

    /// What is written down of these: what was named for one run only, as it stands in `start`, is what it was before,
    /// as long as nobody chose anything else since.
    #[must_use]
    pub fn to_keep(&self, start: &Self, remembered: &Self) -> Self {
        fn keep<T: Clone + PartialEq>(now: &T, start: &T, remembered: &T) -> T {
            if now == start { remembered.clone() } else { now.clone() }
        }
        Self {
            camera: keep(&self.camera, &start.camera, &remembered.camera),
            microphone: keep(&self.microphone, &start.microphone, &remembered.microphone),
            speaker: keep(&self.speaker, &start.speaker, &remembered.speaker),
            rendezvous: keep(&self.rendezvous, &start.rendezvous, &remembered.rendezvous),
            interfaces: keep(&self.interfaces, &start.interfaces, &remembered.interfaces),
            port: keep(&self.port, &start.port, &remembered.port),
            ..self.clone()
        }
    }

    /// A meeting was started or joined.
    pub fn remember_room(&mut self, room: &RoomName) {
        // That of a call is a secret of those who were called.
        if room.is_call() {
            return;
        }
        self.rooms.retain(|known| known != room.as_str());
        self.rooms.insert(0, room.as_str().to_owned());
        self.rooms.truncate(MOST_ROOMS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_found_again() {
        let folder = tempfile::tempdir().expect("folder");
        let mut choices = Choices::load(folder.path());
        assert_eq!(choices, Choices::default());
        choices.theme = theme::Choice::Contrast;
        choices.remember_room(&RoomName::new("standup").expect("valid"));
        choices.remember_room(&RoomName::of_call([5; 16]));
        assert_eq!(choices.rooms, ["standup"]);
        choices.save(folder.path()).expect("written");
        assert_eq!(Choices::load(folder.path()), choices);
    }

    #[test]
    fn a_device_named_for_one_run_is_not_remembered() {
        let remembered = Choices { camera: "device:Desk".to_owned(), ..Choices::default() };
        let start = Choices { camera: "testcard".to_owned(), ..remembered.clone() };
        let mut now = Choices { text_percent: 150, ..start.clone() };
        let kept = now.to_keep(&start, &remembered);
        assert_eq!((kept.camera.as_str(), kept.text_percent), ("device:Desk", 150));
        "device:Other".clone_into(&mut now.camera);
        assert_eq!(now.to_keep(&start, &remembered).camera, "device:Other");
        let start = Choices { port: Some(5000), interfaces: vec!["lo".to_owned()], ..Choices::default() };
        let kept = Choices { username: "ana".to_owned(), ..start.clone() }.to_keep(&start, &Choices::default());
        assert_eq!(kept, Choices { username: "ana".to_owned(), ..Choices::default() });
    }

    #[test]
    fn a_broken_file_gives_the_defaults_and_stays() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join(FILE);
        std::fs::write(&path, b"{ broken").expect("written");
        let choices = Choices::load(folder.path());
        assert_eq!(choices, Choices { announce: false, ..Choices::default() }, "nobody becomes seen by an accident");
        assert_eq!(std::fs::read(&path).expect("still there"), b"{ broken");
        choices.save(folder.path()).expect("written");
        assert_eq!(Choices::read(folder.path()), Ok(choices));
        assert_eq!(std::fs::read(folder.path().join("window.json.bad")).expect("kept"), b"{ broken");
        std::fs::write(&path, br#"{"text_percent": 900, "window": [1.0, 1e300], "most_video": 1, "later": 1}"#)
            .expect("written");
        let choices = Choices::load(folder.path());
        let expect = (200, 1280.0, Some(LEAST_VIDEO));
        assert_eq!((choices.text_percent, choices.window.0, choices.most_video), expect);
    }
}
