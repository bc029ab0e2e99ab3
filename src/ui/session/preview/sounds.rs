//! Sounds of the window itself: the test sound, the recording that is played back, the ring. One runs at a time; the
//! recording has the microphone's gate and the speaker's, the others the speaker's alone.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use iced::Task;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::super::{Message, Outcome, blocking};
use super::{Gate, Stage};
use crate::av::spec::{Microphone, Speaker};
use crate::engine::preview::sound::{self, Heard, Step};
use crate::meeting::Failure;
use crate::slot::Shared;
use crate::ui::choices::Choices;
use crate::ui::text;
use crate::ui::toast::{Toast, Tone};

/// How long the microphone is recorded.
const RECORDED: Duration = Duration::from_secs(3);

/// Which sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// Two notes.
    Test,
    /// The microphone, recorded and played back. Nothing is kept.
    Recording,
    /// The same notes for a call; no word where there is no speaker.
    Ring,
}

/// How far what a person tries is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The devices are opened.
    Beginning,
    /// The microphone is recorded, for so many seconds from now on.
    Recording(u64),
    /// The recording is played back.
    Playing,
    /// The test sound is played.
    Notes,
}

/// One that runs.
#[derive(Debug)]
pub(super) struct Run {
    number: u64,
    sound: Sound,
    // As they were chosen.
    microphone: String,
    speaker: String,
    step: Shared<Option<Step>>,
    stop: CancellationToken,
}

impl Run {
    /// It goes on with these choices, where the microphone is `shown` or not.
    pub(super) fn suits(&self, choices: &Choices, shown: bool) -> bool {
        let hears = self.sound != Sound::Recording || shown && self.microphone == choices.microphone;
        hears && self.speaker == choices.speaker
    }

    /// How loud the recording is, 0 to 1.
    pub(super) fn loudness(&self) -> Option<f32> {
        match (self.sound, self.step.get()) {
            _ if self.stop.is_cancelled() => None,
            (Sound::Recording, Some(Step::Recording { loudness, .. })) => Some(loudness),
            // The microphone is closed while it is played.
            (Sound::Recording, _) => Some(0.0),
            _ => None,
        }
    }

    fn at(&self) -> Option<At> {
        match (self.sound, self.step.get()) {
            _ if self.stop.is_cancelled() => None,
            (Sound::Ring, _) => None,
            (Sound::Test, _) => Some(At::Notes),
            (Sound::Recording, None) => Some(At::Beginning),
            (Sound::Recording, Some(Step::Playing)) => Some(At::Playing),
            (Sound::Recording, Some(Step::Recording { left, .. })) => {
                let seconds = left.as_millis().div_ceil(1_000).max(1);
                Some(At::Recording(u64::try_from(seconds).unwrap_or(1)))
            }
        }
    }
}

impl Stage {
    /// How far the test sound or the recording is, while one runs.
    pub fn sounds(&self) -> Option<At> {
        self.sound.as_ref().and_then(Run::at)
    }

    /// Begins this sound; whatever else sounds ends. Where it runs already a press ends it, and a ring goes on.
    pub fn sound(&mut self, sound: Sound, choices: &Choices) -> Task<Message> {
        let microphone = choices.microphone.parse().unwrap_or(Microphone::None);
        let speaker = choices.speaker.parse().unwrap_or(Speaker::None);
        if sound == Sound::Ring && speaker == Speaker::None {
            return Task::none();
        }
        let again = self.sound.as_ref().is_some_and(|run| run.sound == sound && !run.stop.is_cancelled());
        if again && sound == Sound::Ring {
            return Task::none();
        }
        self.stop_sound();
        if again {
            return Task::none();
        }
        self.sounds += 1;
        let (number, stop) = (self.sounds, self.life.child_token());
        let step = Shared::new(None);
        let watched = Watched { step: step.clone(), stop: stop.clone() };
        let (chosen, through) = (choices.microphone.clone(), choices.speaker.clone());
        self.sound = Some(Run { number, sound, microphone: chosen, speaker: through, step, stop });
        let gate = Arc::clone(&self.speaker);
        if sound == Sound::Recording {
            let (ears, life) = (Arc::clone(&self.microphone.gate), self.life.clone());
            let run = record((ears, gate), (microphone, speaker), watched, life);
            Task::perform(run, move |heard| Message::Done(Outcome::Sounded(number, heard.and_then(told))))
        } else {
            let ring = sound == Sound::Ring;
            Task::perform(play(gate, speaker, watched), move |failure| {
                let said = failure.filter(|_| !ring).map(|failure| caution(&failure));
                Message::Done(Outcome::Sounded(number, said))
            })
        }
    }

    /// It is over. False for one that another took the place of, or that was stopped: nothing is to be said of it.
    pub fn on_sounded(&mut self, number: u64) -> bool {
        let Some(run) = self.sound.take_if(|run| run.number == number) else { return false };
        !run.stop.is_cancelled()
    }

    /// Ends what sounds within 10 ms and what its devices take to be closed.
    pub(super) fn stop_sound(&self) {
        if let Some(run) = &self.sound {
            run.stop.cancel();
        }
    }
}

/// Where a sound says how far it is, and hears whether to go on.
#[derive(Debug, Clone)]
struct Watched {
    step: Shared<Option<Step>>,
    stop: CancellationToken,
}

impl Watched {
    fn on_step(&self, step: Step) -> ControlFlow<()> {
        self.step.set(Some(step));
        if self.stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Records and plays back, between the meter that gave the microphone away and the one that gets it back: while the lobby
/// goes on. `None` when it was stopped.
async fn record(
    (ears, mouth): (Gate, Arc<Mutex<()>>),
    (microphone, speaker): (Microphone, Speaker),
    watched: Watched,
    life: CancellationToken,
) -> Option<Result<Heard, Failure>> {
    let mut open = ears.lock_owned().await;
    let _speaker = mouth.lock_owned().await;
    if watched.stop.is_cancelled() {
        return None;
    }
    let old = open.take();
    let meter = old.as_ref().map(|open| open.is.clone());
    let stop = watched.stop.clone();
    let tried = blocking(move || {
        drop(old);
        let recorded = sound::record(&microphone, RECORDED, &mut |step| watched.on_step(step))?;
        let heard = recorded.heard();
        // Who wants to hear nothing sees what was heard.
        if speaker != Speaker::None && !watched.stop.is_cancelled() {
            sound::play_back(&recorded, &speaker, &mut |step| watched.on_step(step))?;
        }
        Ok(heard)
    });
    let tried = tried.await;
    if let Some(meter) = meter.filter(|_| !life.is_cancelled()) {
        *open = blocking(move || meter.open()).await.flatten();
    }
    tried.filter(|_| !stop.is_cancelled())
}

/// Plays the notes; gives why not.
async fn play(mouth: Arc<Mutex<()>>, speaker: Speaker, watched: Watched) -> Option<Failure> {
    let _speaker = mouth.lock_owned().await;
    if watched.stop.is_cancelled() {
        return None;
    }
    blocking(move || sound::play_notes(&speaker, &mut |step| watched.on_step(step))).await?.err()
}

fn told(tried: Result<Heard, Failure>) -> Option<Toast> {
    Some(match tried {
        Ok(heard) => {
            let (words, hint) = heard.words();
            let tone = if hint.is_empty() { Tone::Good } else { Tone::Caution };
            Toast::new(tone, text::lobby::heard(words, hint))
        }
        Err(failure) => caution(&failure),
    })
}

fn caution(failure: &Failure) -> Toast {
    Toast::new(Tone::Caution, text::failure(failure))
}
