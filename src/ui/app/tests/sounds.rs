//! Sounds and devices of the lobby in the whole window: what its person presses, and what a meeting finds open.

use iced_test::selector::id;
use tokio::task::JoinHandle;

use super::*;
use crate::ui::text::lobby as words;

impl Bench {
    /// Presses it, and runs what it begins.
    fn begin(&mut self, name: &'static str) -> Vec<JoinHandle<Vec<Message>>> {
        let mut see = self.see();
        see.click(id(name)).unwrap_or_else(|_| panic!("{name} is not there"));
        let messages: Vec<Message> = see.into_messages().collect();
        assert!(!messages.is_empty(), "{name} does nothing");
        let tasks: Vec<_> = messages.into_iter().map(|message| self.app.update(message)).collect();
        tasks
            .into_iter()
            .filter(|task| task.units() > 0)
            .map(|task| crate::task::Scope::new().spawn(run(task)))
            .collect()
    }

    async fn until(&mut self, words: &str) {
        let deadline = clock::now() + Duration::from_secs(20);
        while !self.sees(words) {
            assert!(clock::now() < deadline, "'{words}' is not seen");
            let _ = self.app.update(Message::Tick(clock::now()));
            tokio::task::yield_now().await;
        }
    }

    /// In the lobby with a tone for a microphone, a file for a speaker, and the pickers open.
    fn trying() -> (Self, std::path::PathBuf) {
        let mut bench = Self::lobby(theme::Choice::Dark);
        let played = bench.folder.path().join("played.wav");
        bench.app.choices.microphone = "tone".to_owned();
        bench.app.choices.speaker = format!("wav:{}", played.display());
        let _ = bench.app.update(Message::Lobby(lobby::Message::Pickers));
        (bench, played)
    }
}

#[tokio::test]
async fn a_recording_is_seen_and_stopped_by_a_second_press() {
    let (mut bench, played) = Bench::trying();
    let running = bench.begin("record-sound");
    bench.until(&words::recording(3)).await;
    assert!(bench.sees(words::STOP) && bench.app.toasts.is_empty());
    let stopped = bench.begin("record-sound");
    assert!(bench.sees(words::RECORD) && !bench.sees(words::STOP));
    for task in running.into_iter().chain(stopped) {
        for message in task.await.expect("it ends") {
            let _ = bench.app.update(message);
        }
    }
    assert!(!played.exists() && bench.app.toasts.is_empty(), "nothing was played or said");
}

#[tokio::test]
async fn what_was_recorded_is_said() {
    let (mut bench, played) = Bench::trying();
    let running = bench.begin("record-sound");
    bench.until(&words::recording(1)).await;
    for task in running {
        for message in task.await.expect("it ends") {
            let _ = bench.app.update(message);
        }
    }
    assert!(played.exists() && bench.sees("Your microphone: it is well heard."));
    assert!(bench.sees(words::RECORD));
}

#[tokio::test]
async fn a_meeting_leaving_and_closing_end_what_is_tried() {
    for way in ["meeting", "lobby", "close"] {
        let (mut bench, played) = Bench::trying();
        let running = bench.begin("record-sound");
        bench.until(&words::recording(3)).await;
        let task = match way {
            "meeting" => bench.app.update(Message::Lobby(lobby::Message::Start)),
            "lobby" => bench.app.update(Message::Lobby(lobby::Message::Again)),
            _ => bench.app.update(Message::Window(window::Event::CloseRequested)),
        };
        assert_eq!(bench.app.session.previewed().sounds(), None, "{way}");
        assert_eq!(bench.app.session.previewed().level(), None, "{way}");
        // The engine of this bench never comes up, so the task is not run to its end.
        let going = crate::task::Scope::new().spawn(run(task));
        for task in running {
            for message in task.await.expect("it ends") {
                assert!(matches!(message, Message::Done(session::Outcome::Sounded(_, None))), "{way}: {message:?}");
            }
        }
        assert!(!played.exists(), "{way}: nothing is played into it");
        going.abort();
    }
}

#[tokio::test]
async fn another_device_in_the_settings_is_heard_in_the_lobby() {
    let (mut bench, _) = Bench::trying();
    let chosen = Choices { microphone: "clicks".to_owned(), ..bench.app.choices.clone() };
    assert!(bench.app.session.previewed().level().is_some());
    let _ = bench.app.perform(Action::Choose(Box::new(Choices { microphone: "none".to_owned(), ..chosen.clone() })));
    assert!(bench.app.session.previewed().level().is_none(), "none is open");
    let _ = bench.app.perform(Action::Choose(Box::new(chosen)));
    assert!(bench.app.session.previewed().level().is_some(), "another is opened");
}
