//! `lets-meet` without a command: the window. Here the command line's options and the profile become what the window
//! starts engines with.

use std::path::PathBuf;
use std::sync::Arc;

use iced::futures::future::BoxFuture;

use super::args::{Common, Window};
use super::output::Output;
use super::setup::{self, Setup};
use super::{Exit, Failure, code};
use crate::av::spec;
use crate::engine::{self, Handle};
use crate::meeting::{Accept, Settings};
use crate::mesh::Visibility;
use crate::ui::action::Meet;
use crate::ui::choices::Choices;
use crate::ui::session::{Goal, Trouble};
use crate::ui::{self, Launcher, Start};

/// Opens the window and stays until it is closed.
pub fn run(common: &Common, window: &Window, _output: &Output) -> Result<Exit, Failure> {
    if !crate::platform::has_display() {
        let message = "No display here. Use lets-meet join ROOM.";
        return Err(Failure::new(Exit::Device, code::DISPLAY, message));
    }
    ui::backend::choose();
    let setup = Setup::load(common)?;
    let profile = setup.profile.dir().to_owned();
    let choices = Choices::load(&profile);
    let room = window.room.as_deref().map(crate::id::RoomName::new).transpose();
    let room = room.map_err(|error| Failure::usage(format!("{error}.")))?;
    let meet = room.map(|room| Meet {
        room,
        connect: Vec::new(),
        camera: window.camera.is_some() || choices.camera_on,
        microphone: window.mic.is_some() || choices.microphone_on,
        call: false,
    });
    let launcher = Arc::new(Local { common: common.clone(), window: window.clone(), setup });
    let start = Start { profile, choices, launcher, meet, link: window.link.clone(), map: window.map.clone() };
    ui::run(start).map_err(|error| {
        Failure::new(
            Exit::Device,
            code::DISPLAY,
            format!("The window cannot be opened: {error}; use lets-meet join ROOM."),
        )
    })?;
    Ok(Exit::Done)
}

/// Starts engines on this machine.
#[derive(Debug)]
struct Local {
    common: Common,
    window: Window,
    setup: Setup,
}

impl Local {
    fn meeting(&self, choices: &Choices, meet: Meet) -> Result<engine::Config, Trouble> {
        let wrong = |message: String| Trouble { message, hint: "Choose it again in the settings.".to_owned() };
        // What was said on the command line goes before what was chosen.
        let camera: spec::Camera = self
            .window
            .camera
            .clone()
            .map_or_else(|| choices.camera.parse(), Ok)
            .map_err(|e: spec::ParseError| wrong(format!("{e}.")))?;
        let microphone: spec::Microphone = self
            .window
            .mic
            .clone()
            .map_or_else(|| choices.microphone.parse(), Ok)
            .map_err(|e: spec::ParseError| wrong(format!("{e}.")))?;
        let speaker: spec::Speaker = self
            .window
            .speaker
            .clone()
            .map_or_else(|| choices.speaker.parse(), Ok)
            .map_err(|e: spec::ParseError| wrong(format!("{e}.")))?;
        let quality: spec::Quality = choices.quality.parse().unwrap_or_default();
        let camera = if meet.camera { camera } else { spec::Camera::None };
        let settings = Settings {
            camera: camera.clone(),
            camera_on: meet.camera,
            microphone: microphone.clone(),
            microphone_on: meet.microphone,
            speaker: speaker.clone(),
            speaker_on: true,
            quality,
            files: Accept::Ask,
            ..Settings::default()
        };
        let download_dir = self.download_dir(choices)?;
        let mut endpoint = setup::endpoint_config(&self.common);
        if endpoint.port.is_none() {
            endpoint.port = choices.port;
        }
        if endpoint.interfaces.is_empty() {
            endpoint.interfaces.clone_from(&choices.interfaces);
        }
        let typed = self.common.connect.iter().map(|connect| (connect.address, connect.peer));
        Ok(engine::Config {
            profile: self.setup.profile.clone(),
            identity: Arc::clone(&self.setup.identity),
            name: self.setup.name.clone(),
            room: meet.room,
            seats: self.setup.config.seats,
            endpoint,
            connect: meet.connect.into_iter().chain(typed).collect(),
            visibility: self.visibility(choices, meet.call),
            rendezvous: self.service(choices)?.map(|service| (service, None)),
            media: engine::MediaConfig {
                camera,
                microphone,
                speaker,
                quality,
                max_bitrate: None,
                dump_video: None,
                dump_audio: None,
            },
            settings,
            download_dir,
        })
    }

    fn visibility(&self, choices: &Choices, call: bool) -> Visibility {
        if self.common.hidden || !choices.announce || call { Visibility::Hidden } else { Visibility::Open }
    }

    fn service(&self, choices: &Choices) -> Result<Option<engine::Service>, Trouble> {
        let chosen = Some(choices.rendezvous.as_str()).filter(|text| !text.is_empty());
        let Some(text) = self.common.rendezvous.as_deref().or(chosen) else { return Ok(None) };
        setup::service(text).map(Some).map_err(|failure| Trouble {
            message: failure.message,
            hint: "Correct the rendezvous in the settings, or leave it empty.".to_owned(),
        })
    }

    fn download_dir(&self, choices: &Choices) -> Result<PathBuf, Trouble> {
        let folder = choices.download_dir.clone().or_else(|| self.setup.config.download_dir.clone());
        folder.ok_or_else(|| Trouble {
            message: "This account has no home folder for drops.".to_owned(),
            hint: "Choose a folder for received files in the settings.".to_owned(),
        })
    }
}

impl Launcher for Local {
    fn launch(&self, choices: &Choices, goal: Goal) -> BoxFuture<'static, Result<Handle, Trouble>> {
        match goal {
            Goal::Lobby => Box::pin(async { Err(Trouble { message: String::new(), hint: String::new() }) }),
            Goal::Meeting(meet) => {
                let config = self.meeting(choices, meet);
                Box::pin(async move { engine::start(config?).await.map_err(Trouble::from) })
            }
        }
    }

    fn stopped(&self) -> BoxFuture<'static, ()> {
        Box::pin(super::interrupted())
    }
}
