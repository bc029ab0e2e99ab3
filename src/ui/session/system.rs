//! What the system is asked, off the thread that draws.

use iced::Task;

use super::{Message, Outcome, blocking};
use crate::engine::{devices, doctor};
use crate::meeting::Words;
use crate::ui::model::Model;

/// Asks the system for its devices.
pub fn list_devices() -> Task<Message> {
    Task::perform(blocking(devices::list), |devices| Message::Done(devices.map_or(Outcome::Nothing, Outcome::Devices)))
}

/// Asks the system which displays and windows can be shared.
pub fn list_screens() -> Task<Message> {
    Task::perform(blocking(devices::screens), |found| Message::Done(found.map_or(Outcome::Nothing, Outcome::Screens)))
}

/// Looks at cameras and sound.
pub fn check_devices() -> Task<Message> {
    Task::perform(blocking(doctor::devices), |found| {
        Message::Done(found.map_or(Outcome::Nothing, Outcome::CheckedDevices))
    })
}

/// Asks the system for its network interfaces.
pub fn list_interfaces() -> Task<Message> {
    Task::perform(blocking(doctor::list_interfaces), |list| {
        Message::Done(list.map_or(Outcome::Nothing, Outcome::Interfaces))
    })
}

/// Works out the words of one's own key, which takes longer than drawing a picture.
pub fn own_words(model: &Model) -> Task<Message> {
    let Some(peer) = model.me.as_ref().map(|me| me.peer) else { return Task::none() };
    Task::perform(blocking(move || Words::of(peer)), |words| {
        Message::Done(words.map_or(Outcome::Nothing, Outcome::OwnWords))
    })
}
