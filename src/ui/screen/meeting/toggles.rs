//! One's own microphone and camera, switched. The model has what was asked for at once, so that a second press means
//! the other way round; a refusal takes it back.

use crate::av::spec;
use crate::meeting::Command;
use crate::ui::action::Action;
use crate::ui::choices::Choices;
use crate::ui::model::Model;
use crate::ui::text::meeting as words;
use crate::ui::toast::{Does, Toast, Tone};

/// Nothing is chosen that could be switched on.
fn choose(words: &str) -> Action {
    Action::Toast(Toast::new(Tone::Caution, words).with(words::CHOOSE, Does::Devices))
}

/// Switches the microphone.
pub fn microphone(model: &mut Model, choices: &Choices, on: bool) -> Action {
    let Some(meeting) = &mut model.meeting else { return Action::None };
    let (settings, mut source) = (&mut meeting.settings, None);
    if on && settings.microphone == spec::Microphone::None {
        // None was opened yet: the chosen one is.
        match choices.microphone.parse() {
            Ok(spec::Microphone::None) | Err(_) => return choose(words::NO_MICROPHONE),
            Ok(chosen) => {
                settings.microphone = chosen.clone();
                source = Some(chosen);
            }
        }
    }
    settings.microphone_on = on;
    Action::Engine(Command::Microphone { on, source })
}

/// Switches the camera to what it is not.
pub fn camera(model: &mut Model, choices: &Choices) -> Action {
    let Some(meeting) = &mut model.meeting else { return Action::None };
    let on = !meeting.camera_on();
    let (settings, mut source) = (&mut meeting.settings, None);
    if on && settings.camera == spec::Camera::None {
        match choices.camera.parse() {
            Ok(spec::Camera::None) | Err(_) => return choose(words::NO_CAMERA),
            Ok(chosen) => {
                settings.camera = chosen.clone();
                source = Some(chosen);
            }
        }
    }
    settings.camera_on = on;
    Action::Engine(Command::Camera { on, source })
}

/// The engine did not do it.
pub fn undo(command: &Command, model: &mut Model) {
    let Some(meeting) = &mut model.meeting else { return };
    let settings = &mut meeting.settings;
    match command {
        Command::Microphone { on, source: None } => settings.microphone_on = !on,
        Command::Microphone { on: true, source: Some(source) } if settings.microphone == *source => {
            (settings.microphone, settings.microphone_on) = (spec::Microphone::None, false);
        }
        Command::Camera { on, source: None } => settings.camera_on = !on,
        Command::Camera { on: true, source: Some(source) } if settings.camera == *source => {
            (settings.camera, settings.camera_on) = (spec::Camera::None, false);
        }
        _ => {}
    }
}
