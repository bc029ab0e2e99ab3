//! `lets-meet` without a command: the window. Here the command line's options and the profile become what the window
//! starts engines with. A profile that cannot be read is said in the window, with a way on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use iced::futures::future::BoxFuture;

use super::args::{Common, Window};
use super::output::Output;
use super::setup::{self, Setup};
use super::{Exit, Failure, code};
use crate::av::spec;
use crate::config::Profile;
use crate::engine::{self, Handle};
use crate::handover;
use crate::id::Username;
use crate::media::Bitrate;
use crate::meeting::{Accept, Settings};
use crate::mesh::Visibility;
use crate::share::DisplayName;
use crate::ui::action::Meet;
use crate::ui::choices::Choices;
use crate::ui::session::{Goal, Trouble, Way};
use crate::ui::{self, Launcher, Start};

/// Opens the window and stays until it is closed.
pub fn run(common: &Common, window: &Window, _output: &Output) -> Result<Exit, Failure> {
    if !crate::platform::has_display() {
        let message = "No display here. Use lets-meet join ROOM.";
        return Err(Failure::new(Exit::Device, code::DISPLAY, message));
    }
    ui::backend::choose();
    let profile = Profile::open(common.profile.clone()).map(|profile| profile.dir().to_owned());
    let remembered = profile.as_deref().map(Choices::load).unwrap_or_default();
    let broken = profile.as_deref().ok().is_some_and(|profile| Choices::read(profile).is_err());
    let remark = broken.then(|| ui::text::CHOICES_LOST.to_owned());
    // What was said on the command line goes before what was chosen, in this run.
    let mut choices = remembered.clone();
    if let Some(camera) = &window.camera {
        choices.camera = camera.to_string();
    }
    if let Some(microphone) = &window.mic {
        choices.microphone = microphone.to_string();
    }
    if let Some(speaker) = &window.speaker {
        choices.speaker = speaker.to_string();
    }
    if let Some(rendezvous) = &common.rendezvous {
        choices.rendezvous.clone_from(rendezvous);
    }
    if !common.interface.is_empty() {
        choices.interfaces.clone_from(&common.interface);
    }
    // Any port is no choice to be shown.
    choices.port = common.port.filter(|port| *port > 0).or(choices.port);
    let room = window.room.as_deref().map(crate::id::RoomName::new).transpose();
    let room = room.map_err(|error| Failure::usage(format!("{error}.")))?;
    let meet = room.map(|room| meet(room, window, &choices));
    let listener = match profile.as_deref().ok().map(handover::listen) {
        Some(Ok(listener)) => Some(listener),
        Some(Err(handover::Error::Taken)) => return hand_over(profile.as_deref().ok(), window),
        Some(Err(error)) => {
            tracing::debug!(%error, "no handover");
            None
        }
        None => None,
    };
    let launcher = Arc::new(Local(Arc::new(Inner {
        port: Mutex::new(None),
        common: common.clone(),
        setup: Mutex::new(None),
        name: Mutex::new(None),
        listener,
    })));
    let (link, map) = (window.link.clone(), window.map.clone());
    let start = Start { profile: profile.unwrap_or_default(), choices, remembered, launcher, meet, link, remark, map };
    ui::run(start).map_err(|error| {
        Failure::new(
            Exit::Device,
            code::DISPLAY,
            format!("The window cannot be opened: {error}; use lets-meet join ROOM."),
        )
    })?;
    Ok(Exit::Done)
}

/// The meeting that is gone into at the start. Naming a device switches it on; a microphone that is on only while Space is
/// held stays off even so.
fn meet(room: crate::id::RoomName, window: &Window, choices: &Choices) -> Meet {
    let wanted = Choices { microphone_on: window.mic.is_some() || choices.microphone_on, ..choices.clone() };
    Meet {
        room,
        connect: Vec::new(),
        invite: None,
        camera: window.camera.is_some() || choices.camera_on,
        microphone: wanted.starts_heard(),
        call: None,
    }
}

/// A window runs on this profile: it comes to the front, with the link if there is one.
fn hand_over(profile: Option<&Path>, window: &Window) -> Result<Exit, Failure> {
    let message = window.link.clone().map_or(handover::Message::Raise, handover::Message::Open);
    match profile.map(|profile| handover::send(profile, &message)) {
        Some(Err(error)) => Err(Failure::new(Exit::Device, code::DISPLAY, format!("{error}."))),
        _ => Ok(Exit::Done),
    }
}

/// Starts engines on this machine.
#[derive(Debug)]
struct Local(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    common: Common,
    // Read at the first start, and again until it can be read.
    setup: Mutex<Option<Arc<Setup>>>,
    // The last one: whoever was told of it finds us there.
    port: Mutex<Option<u16>>,
    // Chosen in the window.
    name: Mutex<Option<DisplayName>>,
    // What second starts say.
    listener: Option<handover::Listener>,
}

impl Inner {
    /// The profile. Blocks on the disk.
    fn setup(&self) -> Result<Arc<Setup>, Trouble> {
        let mut kept = self.setup.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(setup) = kept.as_ref() {
            return Ok(Arc::clone(setup));
        }
        let setup = Setup::load(&self.common).map(Arc::new).map_err(profile)?;
        *kept = Some(Arc::clone(&setup));
        Ok(setup)
    }

    fn name(&self, setup: &Setup) -> DisplayName {
        let chosen = self.name.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.clone().unwrap_or_else(|| setup.name.clone())
    }

    /// What the command line says of interfaces is among the choices of this run.
    fn endpoint(&self, choices: &Choices) -> crate::endpoint::Config {
        let typed = setup::endpoint_config(&self.common);
        crate::endpoint::Config { port: choices.port.or(typed.port), interfaces: choices.interfaces.clone() }
    }

    fn lobby(&self, choices: &Choices) -> Result<engine::LobbyConfig, Trouble> {
        let setup = self.setup()?;
        let mut settings = Settings { files: accept(choices), ..Settings::default() };
        settings.calls.silence_unknown = choices.silence_unknown || setup.config.silence_unknown;
        Ok(engine::LobbyConfig {
            profile: setup.profile.clone(),
            identity: Arc::clone(&setup.identity),
            name: self.name(&setup),
            endpoint: self.endpoint(choices),
            connect: self.common.connect.iter().map(|connect| (connect.address, connect.peer)).collect(),
            visibility: self.visibility(choices, None),
            rendezvous: service(choices)?,
            settings,
            download_dir: Self::download_dir(choices, &setup)?,
        })
    }

    fn meeting(&self, choices: &Choices, meet: Meet) -> Result<engine::Config, Trouble> {
        let setup = self.setup()?;
        let wrong = |error: spec::ParseError| {
            Trouble::new(format!("{error}."), "Choose it again in the settings.").way(Way::Settings)
        };
        let camera: spec::Camera = choices.camera.parse().map_err(wrong)?;
        let microphone: spec::Microphone = choices.microphone.parse().map_err(wrong)?;
        let speaker: spec::Speaker = choices.speaker.parse().map_err(wrong)?;
        let quality: spec::Quality = choices.quality.parse().unwrap_or_default();
        let voice = spec::voice::Wish { voice: choices.voice(), ..Default::default() };
        let camera = if meet.camera { camera } else { spec::Camera::None };
        let mut settings = Settings {
            camera: camera.clone(),
            camera_on: meet.camera,
            microphone: microphone.clone(),
            microphone_on: meet.microphone,
            speaker: speaker.clone(),
            speaker_on: true,
            quality,
            voice,
            files: accept(choices),
            ..Settings::default()
        };
        settings.calls.silence_unknown = choices.silence_unknown || setup.config.silence_unknown;
        let typed = self.common.connect.iter().map(|connect| (connect.address, connect.peer));
        Ok(engine::Config {
            profile: setup.profile.clone(),
            identity: Arc::clone(&setup.identity),
            name: self.name(&setup),
            room: meet.room,
            seats: setup.config.seats,
            endpoint: self.endpoint(choices),
            connect: meet.connect.into_iter().chain(typed).collect(),
            visibility: self.visibility(choices, meet.call.as_deref()),
            rendezvous: service(choices)?.map(|service| (service, Username::new(&choices.username).ok())),
            media: engine::MediaConfig {
                camera,
                microphone,
                speaker,
                screen: spec::Screen::None,
                screen_audio: spec::ScreenAudio::Off,
                quality,
                muted: !meet.microphone,
                voice,
                max_bitrate: choices.most_video.map(Bitrate::from_bps),
                dump_video: None,
                dump_audio: None,
                lenient: true,
            },
            settings,
            download_dir: Self::download_dir(choices, &setup)?,
        })
    }

    fn visibility(&self, choices: &Choices, call: Option<&str>) -> Visibility {
        if self.common.hidden || !choices.announce || call.is_some() { Visibility::Hidden } else { Visibility::Open }
    }

    fn download_dir(choices: &Choices, setup: &Setup) -> Result<PathBuf, Trouble> {
        let folder = choices.download_dir.clone().or_else(|| setup.config.download_dir.clone());
        folder.ok_or_else(|| {
            let hint = "Choose a folder for received files in the settings.";
            Trouble::new("This account has no home folder for drops.", hint).way(Way::Settings)
        })
    }
}

/// What happens to offered files.
fn accept(choices: &Choices) -> Accept {
    if choices.accept_verified { Accept::Verified } else { Accept::Ask }
}

/// The rendezvous; what the command line says of it is among the choices of this run.
fn service(choices: &Choices) -> Result<Option<engine::Service>, Trouble> {
    if choices.rendezvous.is_empty() {
        return Ok(None);
    }
    setup::service(&choices.rendezvous).map(Some).map_err(|failure| {
        Trouble::new(failure.message, "Correct the rendezvous in the settings, or leave it empty.").way(Way::Settings)
    })
}

/// The sentence of a profile that cannot be used, which the profile's own error says in two halves.
fn profile(failure: Failure) -> Trouble {
    let (message, hint) = match failure.message.split_once("; ") {
        Some((message, hint)) => (format!("{message}."), hint.to_owned()),
        None => (failure.message, "Check that the folder may be read and written.".to_owned()),
    };
    let sentence = |text: &str| {
        let mut chars = text.chars();
        let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        first + chars.as_str()
    };
    let dot = if hint.ends_with('.') { "" } else { "." };
    Trouble::new(sentence(&message), format!("{}{dot}", sentence(&hint)))
}

/// Remembers the port of what has started.
fn kept(inner: &Inner, result: Result<Handle, engine::Error>) -> Result<Handle, Trouble> {
    let handle = result.map_err(Trouble::from)?;
    *inner.port.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle.port());
    Ok(handle)
}

impl Launcher for Local {
    fn launch(&self, choices: &Choices, goal: Goal) -> BoxFuture<'static, Result<Handle, Trouble>> {
        let (inner, choices) = (Arc::clone(&self.0), choices.clone());
        let ended = || Trouble::new("The profile could not be read.", "Try again.");
        let port = Arc::clone(&self.0);
        Box::pin(async move {
            let last = *port.port.lock().unwrap_or_else(PoisonError::into_inner);
            match goal {
                Goal::Lobby => {
                    let config = ui::session::blocking(move || inner.lobby(&choices)).await;
                    let config = config.ok_or_else(ended)??;
                    kept(&port, engine::lobby_near(last, config).await)
                }
                Goal::Meeting(meet) => {
                    if choices.port.is_some() {
                        // It may be ours for a moment longer, also where this start is given up.
                        *port.port.lock().unwrap_or_else(PoisonError::into_inner) = choices.port;
                    }
                    let invite = meet.invite.clone();
                    let config = ui::session::blocking(move || inner.meeting(&choices, *meet)).await;
                    let config = config.ok_or_else(ended)??;
                    let started = match &invite {
                        Some(invite) => engine::start_invited(config, invite).await,
                        None => engine::start_near(last, config).await,
                    };
                    kept(&port, started)
                }
            }
        })
    }

    fn call_me(&self, name: &DisplayName) {
        *self.0.name.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.clone());
    }

    fn rename(&self, name: &DisplayName) -> Result<(), Trouble> {
        *self.0.name.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.clone());
        let setup = self.0.setup()?;
        let hint = "The name holds until the window is closed. Check that the profile folder may be written.";
        setup.profile.set_name(name).map_err(|error| Trouble::new(format!("{error}."), hint))
    }

    fn is_hidden(&self, choices: &Choices) -> bool {
        self.0.visibility(choices, None) == Visibility::Hidden
    }

    fn handed_over(&self) -> BoxFuture<'static, Option<handover::Message>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            match &inner.listener {
                Some(listener) => listener.next().await,
                None => None,
            }
        })
    }

    fn stopped(&self) -> BoxFuture<'static, ()> {
        Box::pin(super::interrupted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meeting_named_at_the_start_keeps_to_push_to_talk() {
        let check = |choices: Choices, mic: Option<&str>, heard: bool| {
            let mic = mic.map(|mic| mic.parse().expect("a microphone"));
            let window = Window { mic, ..Window::default() };
            let room = crate::id::RoomName::new("standup").expect("a room");
            assert_eq!(meet(room, &window, &choices).microphone, heard, "{choices:?}");
        };
        let silent = || Choices { microphone_on: false, ..Choices::default() };
        check(Choices::default(), None, true);
        check(silent(), None, false);
        check(silent(), Some("tone"), true);
        check(Choices { push_to_talk: true, ..Choices::default() }, None, false);
        check(Choices { push_to_talk: true, ..Choices::default() }, Some("tone"), false);
    }
}
