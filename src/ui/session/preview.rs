//! The own camera and microphone in the lobby, before anybody else sees or hears of them.

use iced::Task;

use super::Message;
use crate::engine::pictures::Pictures;
use crate::meeting::Warning;
use crate::ui::choices::Choices;

/// A preview was started or ended.
#[derive(Debug, Clone)]
pub struct Started;

/// What runs of it.
#[derive(Debug, Default)]
pub struct Stage {}

/// This build can show one.
pub const BUILT: bool = false;

impl Stage {
    /// Starts, changes or ends it.
    pub fn want(&mut self, _choices: &Choices, _camera: bool, _microphone: bool) -> Task<Message> {
        Task::none()
    }

    /// It was done.
    pub fn on_started(&mut self, _choices: &Choices, _started: Started) -> Task<Message> {
        Task::none()
    }

    /// Gives the devices back; the answer is there when they are free.
    pub fn close(&mut self) -> impl Future<Output = ()> + Send + 'static {
        std::future::ready(())
    }

    /// The own picture, while the camera is shown.
    pub fn pictures(&self) -> Option<&Pictures> {
        None
    }

    /// How loud the microphone is, 0 to 1, while the meter runs.
    pub fn level(&self) -> Option<f32> {
        None
    }

    /// What could not be opened since the last call.
    pub fn troubles(&mut self) -> Vec<Warning> {
        Vec::new()
    }
}

/// Plays the test sound on the chosen speaker.
pub fn test_sound(_choices: &Choices) -> Task<Message> {
    Task::none()
}
