//! The own camera and microphone in the lobby, before anybody else sees or hears of them; and sounds: the test, the
//! recording that is played back, the ring (`sounds`).
//!
//! Opening and closing devices blocks, so both happen in tasks, one after the other: camera, microphone and speaker have a
//! gate each, and whoever has it has the device. A meeting starts only after [`Stage::close`] has had all three, and what
//! was asked for before opens nothing after it.

mod sounds;

use std::sync::Arc;

use iced::Task;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{Message, Outcome, blocking};
use crate::av::spec;
use crate::engine::pictures::Pictures;
use crate::engine::preview::Preview;
use crate::meeting::Warning;
use crate::ui::choices::Choices;
use sounds::Run;

pub use sounds::{At, Sound};

type Gate = Arc<Mutex<Option<Open>>>;

/// What is to be open: a camera, or a microphone, or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
struct Wanted {
    camera: Option<spec::Camera>,
    microphone: Option<spec::Microphone>,
}

impl Wanted {
    /// Opens it, which blocks; nothing is `None`.
    fn open(self) -> Option<Open> {
        (self != Self::default())
            .then(|| Open { preview: Preview::start(self.camera.clone(), self.microphone.clone()), is: self })
    }
}

/// What is open.
#[derive(Debug)]
struct Open {
    preview: Preview,
    is: Wanted,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Camera,
    Microphone,
}

/// A preview was started or ended.
#[derive(Debug, Clone)]
pub struct Started {
    part: Part,
    has: Wanted,
    pictures: Option<Pictures>,
    // Of the lobby that asked for it.
    life: CancellationToken,
}

/// One device.
#[derive(Debug, Default)]
struct Line {
    gate: Gate,
    wanted: Wanted,
    has: Wanted,
    busy: bool,
}

impl Line {
    /// Opens and closes until what is open is what is wanted.
    fn follow(&mut self, part: Part, life: &CancellationToken) -> Task<Message> {
        if self.busy || self.wanted == self.has {
            return Task::none();
        }
        self.busy = true;
        let run = change(Arc::clone(&self.gate), part, self.wanted.clone(), life.clone());
        Task::perform(run, |started| Message::Done(Outcome::Previewing(started)))
    }
}

/// Closes what is open behind `gate` and opens this, unless the lobby is left by then.
async fn change(gate: Gate, part: Part, wanted: Wanted, life: CancellationToken) -> Started {
    let mut open = gate.lock_owned().await;
    if life.is_cancelled() {
        return Started { part, has: Wanted::default(), pictures: None, life };
    }
    let (old, next) = (open.take(), wanted.clone());
    let opening = blocking(move || {
        drop(old);
        next.open()
    });
    *open = opening.await.flatten();
    let pictures = open.as_ref().filter(|_| part == Part::Camera).map(|open| open.preview.pictures());
    Started { part, has: wanted, pictures, life }
}

/// What runs of it.
#[derive(Debug, Default)]
pub struct Stage {
    camera: Line,
    microphone: Line,
    // The loudspeaker has nothing that stays open.
    speaker: Arc<Mutex<()>>,
    // What is shown: camera, microphone.
    shown: (bool, bool),
    pictures: Option<Pictures>,
    // Ends with the lobby.
    life: CancellationToken,
    // The newest sound.
    sound: Option<Run>,
    sounds: u64,
}

impl Stage {
    /// Starts, changes or ends it.
    pub fn want(&mut self, choices: &Choices, camera: bool, microphone: bool) -> Task<Message> {
        self.shown = (camera, microphone);
        self.rechoose(choices)
    }

    /// The same with what is chosen now. A sound on a device that was chosen before ends, as does the recording when
    /// nobody sees it any more.
    pub fn rechoose(&mut self, choices: &Choices) -> Task<Message> {
        let (camera, microphone) = self.shown;
        let camera = if camera { choices.camera.parse().ok() } else { None };
        let source = if microphone { choices.microphone.parse().ok() } else { None };
        let camera = camera.filter(|source| *source != spec::Camera::None);
        self.camera.wanted = Wanted { camera, microphone: None };
        let source = source.filter(|source| *source != spec::Microphone::None);
        self.microphone.wanted = Wanted { camera: None, microphone: source };
        if self.sound.as_ref().is_some_and(|run| !run.suits(choices, microphone)) {
            self.stop_sound();
        }
        let camera = self.camera.follow(Part::Camera, &self.life);
        Task::batch([camera, self.microphone.follow(Part::Microphone, &self.life)])
    }

    /// It was done; what was wanted since is done next.
    pub fn on_started(&mut self, started: Started) -> Task<Message> {
        let line = if started.part == Part::Camera { &mut self.camera } else { &mut self.microphone };
        line.busy = false;
        // What was opened for a lobby that is left is closed by now.
        if !started.life.is_cancelled() {
            line.has = started.has;
            if started.part == Part::Camera {
                self.pictures = started.pictures;
            }
        }
        line.follow(started.part, &self.life)
    }

    /// Gives the devices back, and ends what sounds at once; the answer is there when they are free.
    pub fn close(&mut self) -> impl Future<Output = ()> + Send + 'static {
        self.life.cancel();
        self.life = CancellationToken::new();
        self.stop_sound();
        self.sound = None;
        self.shown = (false, false);
        self.pictures = None;
        let lines = [&mut self.camera, &mut self.microphone].map(|line| {
            (line.wanted, line.has) = (Wanted::default(), Wanted::default());
            Arc::clone(&line.gate)
        });
        let speaker = Arc::clone(&self.speaker);
        async move {
            for gate in lines {
                let old = gate.lock_owned().await.take();
                blocking(move || drop(old)).await;
            }
            drop(speaker.lock_owned().await);
        }
    }

    /// The own picture, while the camera is shown.
    pub fn pictures(&self) -> Option<&Pictures> {
        self.pictures.as_ref().filter(|_| self.camera.wanted.camera.is_some())
    }

    /// How loud the microphone is, 0 to 1, while it is open or to be: that of the recording, else that of the meter.
    pub fn level(&self) -> Option<f32> {
        self.microphone.wanted.microphone.as_ref()?;
        if let Some(loudness) = self.sound.as_ref().and_then(Run::loudness) {
            return Some(loudness);
        }
        let open = self.microphone.gate.try_lock().ok();
        Some(open.and_then(|open| open.as_ref().map(|open| open.preview.level())).unwrap_or(0.0))
    }

    /// What could not be opened since the last call.
    pub fn troubles(&mut self) -> Vec<Warning> {
        let mut all = Vec::new();
        for line in [&self.camera, &self.microphone] {
            // One that is being opened is asked the next time.
            let Ok(mut open) = line.gate.try_lock() else { continue };
            all.extend(open.as_mut().map(|open| open.preview.troubles()).unwrap_or_default());
        }
        all
    }
}

#[cfg(test)]
mod tests;
