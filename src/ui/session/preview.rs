//! The own camera and microphone in the lobby, before anybody else sees or hears of them; the test sound and the ring.
//!
//! Opening and closing devices blocks, so both happen in tasks, one after the other: whoever has the gate has the
//! devices. A meeting starts only after [`Stage::close`] has had it.

use std::sync::Arc;
use std::time::Duration;

use iced::Task;
use tokio::sync::Mutex;

use super::{Message, Outcome, blocking};
use crate::av::spec;
use crate::engine::pictures::Pictures;
use crate::engine::preview::{Heard, Preview, play_test_sound, record_and_play};
use crate::meeting::{Failure, Warning};
use crate::slot::Shared;
use crate::ui::choices::Choices;
use crate::ui::text;
use crate::ui::toast::{Toast, Tone};

/// How long the microphone is recorded.
const RECORDED: Duration = Duration::from_secs(3);

type Gate = Arc<Mutex<Option<Preview>>>;

/// What is to be open.
#[derive(Debug, Clone, Default, PartialEq)]
struct Wanted {
    camera: Option<spec::Camera>,
    microphone: Option<spec::Microphone>,
}

impl Wanted {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// A preview was started or ended.
#[derive(Debug, Clone)]
pub struct Started {
    has: Wanted,
    pictures: Option<Pictures>,
}

/// What runs of it.
#[derive(Debug, Default)]
pub struct Stage {
    gate: Gate,
    wanted: Wanted,
    has: Wanted,
    pictures: Option<Pictures>,
    busy: bool,
    recording: Option<Recording>,
}

/// A recording that runs.
#[derive(Debug, Clone)]
struct Recording {
    /// True ends it.
    stop: Shared<bool>,
    /// The microphone is not opened again after it: a meeting is about to.
    closed: Shared<bool>,
}

impl Stage {
    /// Starts, changes or ends it.
    pub fn want(&mut self, choices: &Choices, camera: bool, microphone: bool) -> Task<Message> {
        let camera = if camera { choices.camera.parse().ok() } else { None };
        let microphone = if microphone { choices.microphone.parse().ok() } else { None };
        self.wanted = Wanted {
            camera: camera.filter(|source| *source != spec::Camera::None),
            microphone: microphone.filter(|source| *source != spec::Microphone::None),
        };
        self.follow()
    }

    /// Opens and closes until what is open is what is wanted.
    fn follow(&mut self) -> Task<Message> {
        if self.busy || self.wanted == self.has {
            return Task::none();
        }
        self.busy = true;
        let (gate, wanted) = (Arc::clone(&self.gate), self.wanted.clone());
        let run = async move {
            let mut open = gate.lock_owned().await;
            let old = open.take();
            let next = wanted.clone();
            let preview = blocking(move || {
                drop(old);
                (!next.is_nothing()).then(|| Preview::start(next.camera, next.microphone))
            });
            *open = preview.await.flatten();
            let pictures = open.as_ref().filter(|_| wanted.camera.is_some()).map(Preview::pictures);
            Started { has: wanted, pictures }
        };
        Task::perform(run, |started| Message::Done(Outcome::Previewing(started)))
    }

    /// It was done; what was wanted since is done next.
    pub fn on_started(&mut self, started: Started) -> Task<Message> {
        self.busy = false;
        self.has = started.has;
        self.pictures = started.pictures;
        self.follow()
    }

    /// Records the chosen microphone, plays it on the chosen speaker, and says how loud it was. Nothing is kept. The
    /// microphone of the meter is closed meanwhile. While it runs, it is ended instead.
    pub fn record(&mut self, choices: &Choices) -> Task<Message> {
        if let Some(recording) = &self.recording {
            recording.stop.set(true);
            return Task::none();
        }
        let microphone = choices.microphone.parse::<spec::Microphone>().unwrap_or(spec::Microphone::None);
        let speaker = choices.speaker.parse::<spec::Speaker>().unwrap_or(spec::Speaker::None);
        let recording = Recording { stop: Shared::new(false), closed: Shared::new(false) };
        self.recording = Some(recording.clone());
        let gate = Arc::clone(&self.gate);
        let run = async move {
            let mut open = gate.lock_owned().await;
            let old = open.take();
            let trial = blocking(move || {
                let mut preview = old;
                let metered = preview.as_mut().is_some_and(Preview::release_microphone);
                let result = record_and_play(&microphone, &speaker, RECORDED, &recording.stop);
                if metered && !recording.closed.get() {
                    preview.iter_mut().for_each(|preview| preview.hear(&microphone));
                }
                (preview, result)
            });
            let (preview, result) = trial.await.unwrap_or((None, Ok(None)));
            *open = preview;
            result
        };
        Task::perform(run, |result| Message::Done(Outcome::Recorded(result)))
    }

    /// It is over; says what was heard.
    pub fn on_recorded(&mut self, result: Result<Option<Heard>, Failure>) -> Option<Toast> {
        self.recording = None;
        match result {
            Ok(None) => None,
            Err(failure) => Some(Toast::new(Tone::Caution, text::failure(&failure))),
            Ok(Some(heard)) => {
                let (words, hint) = heard.words();
                let tone = if hint.is_empty() { Tone::Good } else { Tone::Caution };
                Some(Toast::new(tone, text::lobby::heard(words, hint)))
            }
        }
    }

    /// True while the microphone is recorded and played back.
    pub fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Gives the devices back; the answer is there when they are free. A recording ends at once.
    pub fn close(&mut self) -> impl Future<Output = ()> + Send + 'static {
        if let Some(recording) = &self.recording {
            recording.closed.set(true);
            recording.stop.set(true);
        }
        self.wanted = Wanted::default();
        self.has = Wanted::default();
        self.pictures = None;
        let gate = Arc::clone(&self.gate);
        async move {
            let old = gate.lock_owned().await.take();
            blocking(move || drop(old)).await;
        }
    }

    /// The own picture, while the camera is shown.
    pub fn pictures(&self) -> Option<&Pictures> {
        self.pictures.as_ref().filter(|_| self.wanted.camera.is_some())
    }

    /// How loud the microphone is, 0 to 1, while the meter runs.
    pub fn level(&self) -> Option<f32> {
        self.has.microphone.as_ref()?;
        self.gate.try_lock().ok()?.as_ref().map(Preview::level)
    }

    /// What could not be opened since the last call.
    pub fn troubles(&mut self) -> Vec<Warning> {
        let Ok(mut open) = self.gate.try_lock() else { return Vec::new() };
        open.as_mut().map(Preview::troubles).unwrap_or_default()
    }
}

/// Plays the test sound on the chosen speaker.
pub fn test_sound(choices: &Choices) -> Task<Message> {
    let speaker = choices.speaker.parse::<spec::Speaker>().unwrap_or(spec::Speaker::None);
    Task::perform(blocking(move || play_test_sound(&speaker)), |result| {
        Message::Done(match result {
            Some(Err(failure)) => Outcome::Say(Toast::new(Tone::Caution, text::failure(&failure))),
            Some(Ok(())) | None => Outcome::Nothing,
        })
    })
}

/// Rings: the same notes, and no word where there is no speaker.
pub fn ring(choices: &Choices) -> Task<Message> {
    let Ok(speaker) = choices.speaker.parse::<spec::Speaker>() else { return Task::none() };
    if speaker == spec::Speaker::None {
        return Task::none();
    }
    Task::perform(blocking(move || play_test_sound(&speaker)), |_| Message::Done(Outcome::Nothing))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(stage: &Stage, wanted: Wanted) -> Option<Pictures> {
        let mut open = Arc::clone(&stage.gate).lock_owned().await;
        *open = Some(Preview::start(wanted.camera, wanted.microphone));
        open.as_ref().map(Preview::pictures)
    }

    #[tokio::test]
    async fn a_meeting_waits_until_the_camera_is_free() {
        let mut stage = Stage::default();
        let choices = Choices { camera: "testcard:64x36@30".to_owned(), ..Choices::default() };
        drop(stage.want(&choices, true, false));
        assert!(stage.busy && stage.pictures().is_none());
        let has = stage.wanted.clone();
        let pictures = run(&stage, has.clone()).await;
        drop(stage.on_started(Started { has, pictures }));
        assert!(stage.pictures().is_some() && stage.level().is_none());
        stage.close().await;
        assert!(stage.gate.lock().await.is_none() && stage.pictures().is_none());
    }

    #[tokio::test]
    async fn a_recording_is_ended_by_a_second_press_and_by_a_meeting() {
        let mut stage = Stage::default();
        let choices = Choices { microphone: "tone".to_owned(), speaker: "none".to_owned(), ..Choices::default() };
        drop(stage.record(&choices));
        let Recording { stop, closed } = stage.recording.clone().expect("it runs");
        assert!(stage.is_recording() && !stop.get());
        drop(stage.record(&choices));
        assert!(!closed.get(), "the meter goes on after it");
        assert!(stop.get() && stage.is_recording(), "told to end, and no second one beside it");
        assert!(stage.on_recorded(Ok(None)).is_none() && !stage.is_recording());
        drop(stage.record(&choices));
        let Recording { stop, closed } = stage.recording.clone().expect("it runs");
        // Whoever records has the gate: the meeting waits for it, and has told it to end.
        let gate = Arc::clone(&stage.gate).lock_owned().await;
        let closing = stage.close();
        assert!(stop.get() && closed.get());
        drop(gate);
        closing.await;
        let heard = record_and_play(&spec::Microphone::Tone, &spec::Speaker::None, RECORDED / 20, &Shared::new(false));
        let toast = stage.on_recorded(heard).expect("said");
        assert_eq!(toast.tone, Tone::Good);
    }

    #[test]
    fn nothing_is_opened_that_was_not_chosen() {
        let mut stage = Stage::default();
        let choices = Choices { camera: "none".to_owned(), microphone: "none".to_owned(), ..Choices::default() };
        drop(stage.want(&choices, true, true));
        assert!(!stage.busy && stage.wanted.is_nothing());
    }
}
