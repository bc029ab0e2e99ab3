//! The window as a whole: what happens to it, and what it asks of the engine and the disk.

mod arming;
mod dialogs;
mod flows;
mod names;
mod pictures;
mod sections;
mod sounds;
mod stages;
mod starts;
mod tab;

use std::time::Duration;

use iced::futures::future::{self, BoxFuture};
use iced::futures::{StreamExt as _, executor};
use iced_test::Simulator;

use super::*;
use crate::engine::Detached;
use crate::id::{Instance, PeerId, RoomName};
use crate::meeting::{
    Audience, ConversationId, MessageId, Nearby, NearbyMeeting, NearbyPerson, Person, Trust, Warning, WarningCode,
};
use crate::share::{ChatText, DisplayName};
use crate::stats::{Kinds, Link, Peer, Rates, Stats};
use crate::ui::action::Meet;
use crate::ui::choices::Panel;
use crate::ui::panel::chat;
use crate::ui::panel::recipients;
use crate::ui::theme;
use crate::ui::when::TEST_NOON;

/// An engine that never comes up.
#[derive(Debug)]
struct Nothing;

impl super::super::Launcher for Nothing {
    fn launch(&self, _: &Choices, _: Goal) -> BoxFuture<'static, Result<Handle, Trouble>> {
        Box::pin(future::pending())
    }

    fn rename(&self, _: &DisplayName) -> Result<(), Trouble> {
        Ok(())
    }

    fn is_hidden(&self, _: &Choices) -> bool {
        false
    }

    fn handed_over(&self) -> BoxFuture<'static, Option<handover::Message>> {
        Box::pin(future::pending())
    }

    fn stopped(&self) -> BoxFuture<'static, ()> {
        Box::pin(future::pending())
    }
}

fn person(n: u8, name: &str) -> Person {
    Person { peer: PeerId::from_bytes([n; 32]), name: DisplayName::new(name) }
}

fn room(name: &str) -> RoomName {
    RoomName::new(name).expect("a room")
}

/// Runs a task to its end.
async fn run(task: Task<Message>) -> Vec<Message> {
    let stream = iced_test::runtime::task::into_stream(task).expect("it does something");
    let told = |action| match action {
        iced_test::runtime::Action::Output(message) => Some(message),
        _ => None,
    };
    stream.filter_map(|action| future::ready(told(action))).collect().await
}

struct Bench {
    app: App,
    folder: tempfile::TempDir,
    // Held until another takes its place: the meeting goes on as long.
    engine: Option<Detached>,
}

impl Bench {
    fn new(theme: theme::Choice, meet: Option<Meet>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let choices = Choices { theme, reduced_motion: true, ..Choices::default() };
        let start = Start {
            profile: folder.path().to_owned(),
            remembered: choices.clone(),
            choices,
            launcher: Arc::new(Nothing),
            meet,
            link: None,
            remark: None,
            map: None,
        };
        let (app, _) = App::new(Arc::new(start));
        Self { app, folder, engine: None }
    }

    fn lobby(theme: theme::Choice) -> Self {
        let mut bench = Self::new(theme, None);
        let listen = vec!["10.0.0.1:48190".parse().expect("an address")];
        bench.event(Event::Lobby { me: person(5, "Mira"), listen });
        bench
    }

    /// With three people in sight, two of them in a meeting.
    fn company(&mut self) {
        let near = |n: u8, name: &str, trust, rooms: &[&str]| NearbyPerson {
            person: person(n, name),
            handle: name.to_owned(),
            trust,
            rooms: rooms.iter().map(|name| room(name)).collect(),
            addresses: Vec::new(),
        };
        let people = vec![
            near(0, "Ana", Trust::Verified, &["standup"]),
            near(1, "Bo", Trust::New, &["standup"]),
            near(2, "Cy", Trust::Changed, &[]),
        ];
        let here = vec![person(0, "Ana"), person(1, "Bo")];
        let meetings = vec![NearbyMeeting { room: room("standup"), people: here, addresses: Vec::new() }];
        self.event(Event::Nearby(Nearby { people, meetings }));
    }

    /// In a meeting with nobody else.
    fn alone(theme: theme::Choice) -> Self {
        let meet = Meet {
            room: room("standup"),
            connect: Vec::new(),
            invite: None,
            camera: false,
            microphone: true,
            call: None,
        };
        let mut bench = Self::new(theme, Some(meet));
        bench.app.model.me = Some(person(5, "Mira"));
        bench.engine = Some(bench.connect());
        bench
    }

    /// In a meeting with three others.
    fn meeting(theme: theme::Choice) -> Self {
        let mut bench = Self::alone(theme);
        for (n, name) in [(0, "Ana"), (1, "Bo"), (2, "Cy")] {
            bench.event(Event::Joined(person(n, name)));
        }
        bench
    }

    fn event(&mut self, event: Event) {
        let generation = self.app.session.generation();
        let _ = self.app.update(Message::Event(generation, Box::new(event)));
    }

    fn panel(&mut self, panel: Panel) {
        let _ = self.app.perform(Action::ShowPanel(panel));
    }

    fn rates(&mut self) {
        let kinds = |scale: u64| Kinds {
            audio: 40_000 * scale,
            video: 800_000 * scale,
            file: 0,
            chat: 900,
            control: 9_000,
            total: 849_900 * scale,
        };
        let link = Link { rtt_ms: Some(1.2), loss: Some(0.0), jitter_ms: Some(0.1), ..Link::default() };
        let peers = (0..3).map(|n| (PeerId::from_bytes([n; 32]), Peer { link: link.clone(), ..Peer::default() }));
        for scale in [1, 3, 2, 4, 3, 5, 2, 3] {
            let rates = Rates { sent: kinds(scale), received: kinds(scale + 1) };
            self.event(Event::Stats(Box::new(Stats { rates, peers: peers.clone().collect(), ..Stats::default() })));
        }
    }

    /// With an engine behind it that does nothing; what comes to it is read there.
    fn connect(&mut self) -> Detached {
        let (handle, mut engine) = Handle::detached(64);
        let generation = self.app.session.generation();
        let _ = self.app.update(Message::Started(generation, Ok(handle)));
        assert_eq!(engine.commands(), [Command::State]);
        engine
    }

    fn window(&mut self, event: window::Event) {
        let _ = self.app.update(Message::Window(event));
    }

    /// In the meeting's chat.
    fn chat(&mut self, message: chat::Message) {
        let _ = self.app.update(Message::Meeting(meeting::Message::Chat(message)));
    }

    /// Somebody says something at this time, in Unix milliseconds.
    fn says(&mut self, from: Person, words: &str, to: Audience, sent_at: u64) {
        let conversation = ConversationId::from_bytes([0; 16]);
        let id = MessageId { author: from.peer, instance: Instance::from_u64(1), conversation, counter: sent_at };
        let text = ChatText::new(words).expect("a line");
        self.event(Event::Chat { id, from, text, to, sent_at, late: false });
    }

    /// A command was carried out.
    fn answer(&mut self, command: Command, done: Done) {
        self.answered(command, Ok(done));
    }

    fn answered(&mut self, command: Command, result: Result<Done, Failure>) {
        let generation = self.app.session.generation();
        let _ = self.app.update(Message::Answered(generation, Box::new((command, result))));
    }

    fn see(&self) -> Simulator<'_, Message> {
        let settings = iced::Settings {
            fonts: theme::FONTS.into_iter().map(Into::into).collect(),
            default_font: theme::REGULAR,
            ..iced::Settings::default()
        };
        Simulator::with_size(settings, self.app.size, self.app.view())
    }

    fn sees(&self, words: &str) -> bool {
        self.see().find(words).is_ok()
    }
}

#[test]
fn choices_are_written_in_the_order_in_which_they_were_made() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut bench = Bench::new(theme::Choice::Dark, None);
    let writes: Vec<_> = [125, 150, 175]
        .into_iter()
        .map(|text_percent| {
            let choices = Choices { text_percent, ..bench.app.choices.clone() };
            bench.app.session.save(&bench.app.start, &choices)
        })
        .collect();
    // The last one first.
    for write in writes.into_iter().rev() {
        runtime.block_on(run(write));
    }
    assert_eq!(Choices::load(bench.folder.path()).text_percent, 175);
}

#[test]
fn commands_reach_the_engine_in_their_order_whatever_order_their_tasks_run_in() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    let mut engine = bench.connect();
    // Space is pressed and let go.
    let microphone = |on| Command::Microphone { on, source: None };
    let down = bench.app.perform(Action::Engine(microphone(true)));
    let up = bench.app.perform(Action::Engine(microphone(false)));
    let forget = Command::Forget { peer: person(0, "Ana").peer.to_string() };
    let both = Action::Engine(forget.clone()).and(Action::Engine(Command::KnownPeople));
    let list = bench.app.perform(both);
    assert_eq!(engine.commands(), [microphone(true), microphone(false), forget, Command::KnownPeople]);
    for (task, answers) in [(list, 2), (up, 1), (down, 1)] {
        let told = executor::block_on(run(task));
        assert!(
            told.iter().all(|message| matches!(message, Message::Answered(..))) && told.len() == answers,
            "{told:?}"
        );
    }
    assert!(engine.commands().is_empty());
}

#[test]
fn the_state_is_asked_for_once_at_a_time_and_again_after_what_changed_meanwhile() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    let mut engine = bench.connect();
    for n in [6, 7] {
        bench.event(Event::Joined(person(n, "Di")));
    }
    assert!(engine.commands().is_empty(), "the first one is on its way");
    bench.answer(Command::State, Done::Ok);
    assert_eq!(engine.commands(), [Command::State]);
    bench.answer(Command::State, Done::Ok);
    assert!(engine.commands().is_empty(), "nothing changed since");
    bench.event(Event::Joined(person(8, "Ed")));
    assert_eq!(engine.commands(), [Command::State]);
}

#[test]
fn the_state_is_asked_for_when_a_device_of_ours_ends_and_its_button_shows_that() {
    let warn = |code, person| {
        let (message, hint) = ("It happened.".to_owned(), String::new());
        Event::Warning(Warning { code, person, message, hint })
    };
    for code in [WarningCode::SourceFailed, WarningCode::NoCamera, WarningCode::NoMicrophone, WarningCode::NoSpeaker] {
        let mut bench = Bench::meeting(theme::Choice::Dark);
        let mut engine = bench.connect();
        bench.answer(Command::State, Done::Ok);
        // It was asked for while the others came in.
        engine.commands();
        bench.answer(Command::State, Done::Ok);
        bench.event(warn(code, Some(person(0, "Ana"))));
        bench.event(warn(WarningCode::Other, None));
        assert!(engine.commands().is_empty(), "{code}: nothing of ours ended");
        bench.event(warn(code, None));
        assert_eq!(engine.commands(), [Command::State], "{code}");
    }
}

#[test]
fn a_file_dropped_in_a_meeting_waits_and_goes_only_to_those_who_are_chosen() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    let mut engine = bench.connect();
    bench.panel(Panel::Chat);
    let bo = person(1, "Bo");
    bench.chat(chat::Message::To(recipients::Message::Toggle(bo.clone())));
    for path in ["/tmp/salary.ods", "/tmp/notes.txt"] {
        bench.window(window::Event::FileDropped(path.into()));
    }
    assert!(engine.commands().is_empty(), "nothing goes by itself");
    assert!(bench.sees("2 files: salary.ods and notes.txt"));
    bench.chat(chat::Message::SendStaged);
    let send = |path: &str| Command::SendFile { path: path.into(), to: vec![bo.peer.to_string()] };
    assert_eq!(engine.commands(), [send("/tmp/salary.ods"), send("/tmp/notes.txt")]);
    // With no panel open it waits in the chat, still for Bo.
    let _ = bench.app.update(Message::Meeting(meeting::Message::ClosePanel));
    bench.window(window::Event::FileDropped("/tmp/plan.pdf".into()));
    assert!(engine.commands().is_empty() && bench.sees("plan.pdf"));
}

#[test]
fn files_picked_for_everybody_wait_too_since_the_picker_may_outlive_its_meeting() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    let mut engine = bench.connect();
    let picked = session::Outcome::Picked(vec!["/tmp/salary.ods".into()], Vec::new());
    let _ = bench.app.update(Message::Done(picked));
    assert!(engine.commands().is_empty() && bench.sees("salary.ods"));
}

#[test]
fn files_dropped_in_the_lobby_are_asked_about_together() {
    let mut bench = Bench::lobby(theme::Choice::Dark);
    bench.company();
    for path in ["/tmp/a.txt", "/tmp/b.txt"] {
        bench.window(window::Event::FileDropped(path.into()));
    }
    assert_eq!(bench.app.dialogs.len(), 1);
    assert!(bench.sees("a.txt and 1 more"));
}

#[test]
fn the_theme_of_the_system_is_followed_where_that_was_chosen() {
    let mut bench = Bench::lobby(theme::Choice::System);
    let ground = |bench: &Bench| bench.app.look().colours.ground;
    let dark = ground(&bench);
    let _ = bench.app.update(Message::Light(true));
    let light = ground(&bench);
    assert_ne!(dark, light);
    let _ = bench.app.update(Message::Light(false));
    assert_eq!(ground(&bench), dark);
    for (choice, expect) in [(theme::Choice::Dark, dark), (theme::Choice::Light, light)] {
        bench.app.choices.theme = choice;
        for prefers_light in [true, false] {
            let _ = bench.app.update(Message::Light(prefers_light));
            assert_eq!(ground(&bench), expect, "{choice:?}");
        }
    }
}

#[test]
fn the_desktop_tells_only_while_nobody_looks_and_only_when_chosen() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    assert!(!bench.app.notifies());
    bench.window(window::Event::Unfocused);
    assert!(bench.app.notifies());
    bench.app.choices.notifications = false;
    assert!(!bench.app.notifies());
    bench.app.choices.notifications = true;
    bench.window(window::Event::Focused);
    assert!(!bench.app.notifies());
}

#[test]
fn the_size_of_the_window_is_remembered() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut bench = Bench::lobby(theme::Choice::Dark);
    bench.window(window::Event::Resized(Size::new(1000.0, 700.0)));
    let close = bench.app.update(Message::Window(window::Event::CloseRequested));
    runtime.block_on(run(close));
    assert_eq!(Choices::load(bench.folder.path()).window, (1000.0, 700.0));
}

#[test]
fn what_was_said_while_the_chat_was_closed_is_counted_until_it_is_opened() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    assert!(!bench.sees("2"));
    for words in ["Morning!", "Shall we?"] {
        bench.says(person(0, "Ana"), words, Audience::Room, TEST_NOON);
    }
    assert!(bench.sees("2"));
    bench.panel(Panel::Chat);
    assert!(bench.sees("Shall we?"));
    let _ = bench.app.update(Message::Meeting(meeting::Message::ClosePanel));
    assert!(!bench.sees("2"), "it was read");
}

#[test]
fn nothing_is_drawn_anew_while_nothing_moves() {
    let mut bench = Bench::lobby(theme::Choice::Dark);
    let _engine = bench.connect();
    assert_eq!(bench.app.pace(), Some(Duration::from_secs(1)), "alone: the network is looked at soon");
    bench.company();
    assert_eq!(bench.app.pace(), None);
    // A toast goes by itself.
    let _ = bench.app.perform(Action::Toast(Toast::new(Tone::Plain, "Hello")));
    assert_eq!(bench.app.pace(), Some(Duration::from_millis(500)));
    let _ = bench.app.update(Message::Tick(clock::now() + Duration::from_secs(60)));
    assert_eq!(bench.app.pace(), None);
    // The clock in the bar of a meeting, and no more.
    assert_eq!(Bench::meeting(theme::Choice::Dark).app.pace(), Some(Duration::from_secs(1)));
}
