//! The gates: who has which device when, and that nothing stays open.

use std::path::{Path, PathBuf};
use std::time::Duration;

use iced::futures::{StreamExt as _, future};
use tokio::task::JoinHandle;

use super::*;
use crate::clock;
use crate::engine::pictures::Key;
use crate::ui::toast::Toast;

/// Runs a task to its end; nothing to do is no message.
async fn run(task: Task<Message>) -> Vec<Outcome> {
    let Some(stream) = iced_test::runtime::task::into_stream(task) else { return Vec::new() };
    let told = |action| match action {
        iced_test::runtime::Action::Output(Message::Done(outcome)) => Some(outcome),
        _ => None,
    };
    stream.filter_map(|action| future::ready(told(action))).collect().await
}

/// Runs it, and what follows from it.
async fn settle(stage: &mut Stage, task: Task<Message>) {
    let mut done = run(task).await;
    while let Some(outcome) = done.pop() {
        let Outcome::Previewing(started) = outcome else { panic!("{outcome:?}") };
        done.extend(run(stage.on_started(started)).await);
    }
}

async fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let deadline = clock::now() + Duration::from_secs(20);
    while !fact() {
        assert!(clock::now() < deadline, "{what}");
        tokio::task::yield_now().await;
    }
}

/// Begins a sound and waits until `at` says so.
async fn begin(stage: &mut Stage, sound: Sound, choices: &Choices, at: At) -> JoinHandle<Vec<Outcome>> {
    let running = crate::task::Scope::new().spawn(run(stage.sound(sound, choices)));
    until("the sound runs", || stage.sounds() == Some(at)).await;
    running
}

fn sounded(done: &[Outcome]) -> (u64, Option<Toast>) {
    match done {
        [Outcome::Sounded(number, toast)] => (*number, toast.clone()),
        other => panic!("{other:?}"),
    }
}

struct Desk {
    stage: Stage,
    choices: Choices,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let choices = Choices {
            camera: "testcard:64x36@30".to_owned(),
            microphone: "tone".to_owned(),
            speaker: format!("wav:{}", folder.path().join("played.wav").display()),
            ..Choices::default()
        };
        Self { stage: Stage::default(), choices, folder }
    }

    /// With what is shown in the lobby open.
    async fn open(camera: bool, microphone: bool) -> Self {
        let mut desk = Self::new();
        let task = desk.stage.want(&desk.choices, camera, microphone);
        settle(&mut desk.stage, task).await;
        desk
    }

    fn played(&self) -> PathBuf {
        self.folder.path().join("played.wav")
    }

    /// What is behind the gates.
    async fn holds(&self) -> (Option<spec::Camera>, Option<spec::Microphone>) {
        let camera = self.stage.camera.gate.lock().await.as_ref().and_then(|open| open.is.camera.clone());
        let microphone = self.stage.microphone.gate.lock().await.as_ref().and_then(|open| open.is.microphone.clone());
        (camera, microphone)
    }
}

fn length(path: &Path) -> u32 {
    hound::WavReader::open(path).expect("a file").duration()
}

#[tokio::test]
async fn a_meeting_waits_until_camera_and_microphone_are_free() {
    let mut desk = Desk::open(true, true).await;
    assert!(desk.stage.pictures().is_some());
    until("a level", || desk.stage.level().is_some_and(|level| level > 0.3)).await;
    assert!(matches!(desk.holds().await, (Some(_), Some(spec::Microphone::Tone))));
    desk.stage.close().await;
    assert_eq!(desk.holds().await, (None, None));
    assert!(desk.stage.pictures().is_none() && desk.stage.level().is_none());
}

#[tokio::test]
async fn nothing_is_opened_that_was_not_chosen() {
    let mut desk = Desk::new();
    (desk.choices.camera, desk.choices.microphone) = ("none".to_owned(), "none".to_owned());
    let task = desk.stage.want(&desk.choices, true, true);
    assert!(run(task).await.is_empty());
    assert_eq!(desk.holds().await, (None, None));
}

#[tokio::test]
async fn what_is_asked_for_before_the_lobby_is_left_opens_nothing_after_it() {
    let mut desk = Desk::new();
    let (opening, recording) =
        (desk.stage.want(&desk.choices, true, true), desk.stage.sound(Sound::Recording, &desk.choices));
    desk.stage.close().await;
    // Tasks run in any order: these had no turn before.
    settle(&mut desk.stage, opening).await;
    let (number, toast) = sounded(&run(recording).await);
    assert!(!desk.stage.on_sounded(number) && toast.is_none());
    assert_eq!(desk.holds().await, (None, None));
    assert!(!desk.played().exists() && !desk.stage.camera.busy && !desk.stage.microphone.busy);
    // The next lobby is as good as new.
    let task = desk.stage.want(&desk.choices, true, true);
    settle(&mut desk.stage, task).await;
    assert!(matches!(desk.holds().await, (Some(_), Some(_))));
}

#[tokio::test]
async fn each_follows_another_choice_at_once_and_leaves_the_other_alone() {
    let mut desk = Desk::open(true, true).await;
    let before = desk.stage.pictures().expect("it is shown").clone();
    let _viewer = before.view(Key::own());
    desk.choices.microphone = "clicks".to_owned();
    let task = desk.stage.rechoose(&desk.choices);
    settle(&mut desk.stage, task).await;
    assert_eq!(desk.holds().await.1, Some(spec::Microphone::Clicks));
    until("the same camera goes on", || before.latest(Key::own()).is_some()).await;
    desk.choices.camera = "testcard:128x72@30".to_owned();
    let task = desk.stage.rechoose(&desk.choices);
    settle(&mut desk.stage, task).await;
    assert_eq!(desk.holds().await.0.map(|it| it.to_string()), Some("testcard:128x72@30".to_owned()));
    let task = desk.stage.want(&desk.choices, false, false);
    settle(&mut desk.stage, task).await;
    assert_eq!(desk.holds().await, (None, None));
}

#[tokio::test]
async fn each_failure_is_a_sentence_with_what_to_do() {
    let mut desk = Desk::new();
    (desk.choices.camera, desk.choices.microphone) = ("file:no.y4m".to_owned(), "file:no.wav".to_owned());
    desk.choices.speaker = "wav:/proc/nothing/here.wav".to_owned();
    let task = desk.stage.want(&desk.choices, true, true);
    settle(&mut desk.stage, task).await;
    let troubles = desk.stage.troubles();
    assert_eq!(troubles.len(), 2, "{troubles:?}");
    assert!(troubles.iter().all(|it| it.message.ends_with('.') && it.hint.ends_with('.')), "{troubles:?}");
    assert!(desk.stage.troubles().is_empty(), "each once");
    for (sound, words) in [(Sound::Test, "Cannot write"), (Sound::Recording, "Cannot read")] {
        let (number, toast) = sounded(&run(desk.stage.sound(sound, &desk.choices)).await);
        assert!(desk.stage.on_sounded(number));
        let said = format!("{:?}", toast.expect("it is said"));
        assert!(said.contains(words) && (said.contains("hoose a folder") || said.contains("heck the path")), "{said}");
    }
    // A ring has nobody to tell.
    let (_, toast) = sounded(&run(desk.stage.sound(Sound::Ring, &desk.choices)).await);
    assert!(toast.is_none());
}

#[tokio::test]
async fn a_recording_has_the_microphone_alone_and_gives_it_back_when_it_is_stopped() {
    let mut desk = Desk::open(true, true).await;
    let recording = begin(&mut desk.stage, Sound::Recording, &desk.choices, At::Recording(3)).await;
    assert!(desk.stage.microphone.gate.try_lock().is_err() && desk.stage.speaker.try_lock().is_err());
    assert!(desk.stage.pictures().is_some() && desk.stage.camera.gate.try_lock().is_ok(), "the camera goes on");
    until("the meter shows the recording", || desk.stage.level().is_some_and(|level| level > 0.7)).await;
    // A second press.
    assert!(run(desk.stage.sound(Sound::Recording, &desk.choices)).await.is_empty());
    assert_eq!(desk.stage.sounds(), None, "it is over for who pressed");
    let (number, toast) = sounded(&recording.await.expect("it ends"));
    assert!(!desk.stage.on_sounded(number) && toast.is_none(), "nothing is said of it");
    assert!(!desk.played().exists(), "it was not played");
    assert_eq!(desk.holds().await.1, Some(spec::Microphone::Tone), "the meter has it again");
}

#[tokio::test]
async fn a_recording_counts_down_is_played_and_judged() {
    let mut desk = Desk::open(false, true).await;
    let recording = begin(&mut desk.stage, Sound::Recording, &desk.choices, At::Recording(3)).await;
    for seconds in [2, 1] {
        until("it counts down", || desk.stage.sounds() == Some(At::Recording(seconds))).await;
    }
    let (number, toast) = sounded(&recording.await.expect("it ends"));
    assert!(desk.stage.on_sounded(number) && desk.stage.sounds().is_none());
    assert!(format!("{toast:?}").contains("it is well heard"), "{toast:?}");
    assert_eq!(length(&desk.played()), 3 * 48_000);
    assert_eq!(desk.holds().await.1, Some(spec::Microphone::Tone));
}

#[tokio::test]
async fn a_meeting_ends_a_recording_at_once_and_has_its_devices() {
    let mut desk = Desk::open(true, true).await;
    let recording = begin(&mut desk.stage, Sound::Recording, &desk.choices, At::Recording(3)).await;
    desk.stage.close().await;
    assert_eq!((desk.holds().await, desk.stage.sounds()), ((None, None), None));
    assert!(desk.stage.speaker.try_lock().is_ok());
    let (number, toast) = sounded(&recording.await.expect("it ends"));
    assert!(!desk.stage.on_sounded(number) && toast.is_none());
    assert!(!desk.played().exists(), "nothing is played into the meeting");
    assert_eq!(desk.holds().await, (None, None), "no meter comes back");
}

#[tokio::test]
async fn a_recording_ends_when_another_device_is_chosen_or_nobody_sees_it() {
    for change in ["microphone", "speaker", "closed"] {
        let mut desk = Desk::open(false, true).await;
        let recording = begin(&mut desk.stage, Sound::Recording, &desk.choices, At::Recording(3)).await;
        match change {
            "microphone" => desk.choices.microphone = "clicks".to_owned(),
            "speaker" => desk.choices.speaker = "none".to_owned(),
            _ => {}
        }
        let task = desk.stage.want(&desk.choices, false, change != "closed");
        assert_eq!(desk.stage.sounds(), None, "{change}");
        let (done, ()) = (recording.await.expect("it ends"), settle(&mut desk.stage, task).await);
        assert!(sounded(&done).1.is_none() && !desk.played().exists(), "{change}");
        let expect = match change {
            "microphone" => Some(spec::Microphone::Clicks),
            "speaker" => Some(spec::Microphone::Tone),
            _ => None,
        };
        assert_eq!(desk.holds().await.1, expect, "{change}");
    }
}

#[tokio::test]
async fn presses_do_not_stack() {
    let mut desk = Desk::open(false, true).await;
    let mut tasks = Vec::new();
    // On, off, on, off, on; then the test sound takes its place.
    for _ in 0..5 {
        tasks.push(desk.stage.sound(Sound::Recording, &desk.choices));
    }
    tasks.push(desk.stage.sound(Sound::Test, &desk.choices));
    assert_eq!(desk.stage.sounds(), Some(At::Notes));
    let done = future::join_all(tasks.into_iter().map(run)).await.concat();
    assert_eq!(done.len(), 4, "a press that ends one begins none: {done:?}");
    let heard = done.iter().filter(|outcome| match outcome {
        Outcome::Sounded(number, _) => desk.stage.on_sounded(*number),
        other => panic!("{other:?}"),
    });
    assert_eq!((heard.count(), length(&desk.played())), (1, 48_000), "only the last one sounded");
}

#[tokio::test]
async fn a_ring_ends_a_recording_and_one_ring_waits_for_no_other() {
    let mut desk = Desk::open(false, true).await;
    let recording = begin(&mut desk.stage, Sound::Recording, &desk.choices, At::Recording(3)).await;
    let ring = desk.stage.sound(Sound::Ring, &desk.choices);
    assert_eq!(desk.stage.sounds(), None, "a ring is nothing that a person tries");
    assert!(run(desk.stage.sound(Sound::Ring, &desk.choices)).await.is_empty(), "it rings already");
    let (number, _) = sounded(&run(ring).await);
    assert!(desk.stage.on_sounded(number));
    assert_eq!(length(&desk.played()), 48_000);
    assert!(sounded(&recording.await.expect("it ends")).1.is_none());
    desk.choices.speaker = "none".to_owned();
    assert!(run(desk.stage.sound(Sound::Ring, &desk.choices)).await.is_empty(), "no speaker, no word");
}
