//! Engines that start slowly, not at all, or end by themselves.

use std::sync::Mutex;

use super::*;
use crate::meeting::Code;

/// What the engines did, in order.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn say(&self, what: &'static str) {
        self.0.lock().expect("no panic").push(what);
    }

    fn said(&self) -> Vec<&'static str> {
        self.0.lock().expect("no panic").clone()
    }
}

/// Says when it is dropped.
struct Start(Log);

impl Drop for Start {
    fn drop(&mut self) {
        self.0.say("the meeting is given up");
    }
}

/// Its meetings never come up, its lobby does at once.
#[derive(Debug)]
struct Slow(Log);

impl crate::ui::Launcher for Slow {
    fn launch(&self, _: &Choices, goal: Goal) -> BoxFuture<'static, Result<Handle, Trouble>> {
        let log = self.0.clone();
        Box::pin(async move {
            if goal == Goal::Lobby {
                log.say("the lobby starts");
                return Ok(Handle::detached(1).0);
            }
            log.say("the meeting starts");
            let _start = Start(log);
            future::pending().await
        })
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

fn slow() -> (App, Log) {
    let log = Log::default();
    let start = crate::ui::Start {
        profile: std::path::PathBuf::new(),
        remembered: Choices::default(),
        choices: Choices::default(),
        launcher: Arc::new(Slow(log.clone())),
        meet: None,
        link: None,
        remark: None,
        map: None,
    };
    (App::new(Arc::new(start)).0, log)
}

pub fn meet() -> Meet {
    Meet { room: room("standup"), connect: Vec::new(), invite: None, camera: true, microphone: true, call: None }
}

/// The meeting starts, its person leaves, and the tasks of both run in the order that is given.
async fn leave_while_it_starts(leave_first: bool) {
    let (mut app, log) = slow();
    // The lobby of the start never runs its task, as when the program was told where to go.
    app.session = Session::default();
    let joining = app.go(Goal::Meeting(Box::new(meet())));
    let joining = crate::task::Scope::new().spawn(run(joining));
    if !leave_first {
        while log.said().is_empty() {
            tokio::task::yield_now().await;
        }
    }
    let leaving = run(app.perform(Action::Leave));
    let (left, joined) = tokio::join!(leaving, joining);
    let expect: &[&str] = if leave_first {
        &["the lobby starts"]
    } else {
        &["the meeting starts", "the meeting is given up", "the lobby starts"]
    };
    assert_eq!(log.said(), expect);
    assert!(matches!(left.as_slice(), [Message::Started(2, Ok(_))]), "{left:?}");
    let joined = joined.expect("no panic");
    assert!(matches!(joined.as_slice(), [Message::Started(1, Err(_))]), "{joined:?}");
    // What the start that nobody wants has to say changes nothing.
    for message in left.into_iter().chain(joined) {
        let _ = app.update(message);
    }
    assert!(app.session.handle().is_some() && app.session.trouble().is_none() && app.toasts.is_empty());
}

#[tokio::test]
async fn leaving_while_a_meeting_starts_gives_it_up_before_the_lobby_starts() {
    leave_while_it_starts(false).await;
    leave_while_it_starts(true).await;
}

#[tokio::test]
async fn closing_while_a_meeting_starts_gives_it_up() {
    let (mut app, log) = slow();
    app.session = Session::default();
    let joining = crate::task::Scope::new().spawn(run(app.go(Goal::Meeting(Box::new(meet())))));
    while log.said().is_empty() {
        tokio::task::yield_now().await;
    }
    let closed = run(app.session.finish()).await;
    // One word of the devices, one of the engine.
    let nothing = |message: &Message| matches!(message, Message::Done(session::Outcome::Nothing));
    assert!(closed.len() == 2 && closed.iter().all(nothing), "{closed:?}");
    assert_eq!(log.said(), ["the meeting starts", "the meeting is given up"]);
    joining.await.expect("no panic");
}

#[test]
fn while_a_meeting_starts_there_is_nothing_to_press_but_leave() {
    let mut bench = Bench::lobby(theme::Choice::Dark);
    let _ = bench.app.perform(Action::Meet(meet()));
    assert!(bench.sees("Joining standup…"));
    let mut window = bench.see();
    assert!(window.find(iced_test::selector::id("microphone")).is_err());
    window.click(iced_test::selector::id("leave")).expect("a way back");
    assert!(window.into_messages().any(|message| matches!(message, Message::Meeting(meeting::Message::Leave))));
    // Keys and dropped files find nothing to act on either.
    let muted = bench.app.model.meeting.as_ref().map(|meeting| meeting.microphone_on());
    let _ = bench.app.screen_key(keys::Shortcut::Microphone);
    bench.window(window::Event::FileDropped("/tmp/a.txt".into()));
    assert_eq!(bench.app.model.meeting.as_ref().map(|meeting| meeting.microphone_on()), muted);
    let _engine = bench.connect();
    assert!(!bench.sees("Joining standup…") && !bench.sees("a.txt"));
}

#[test]
fn a_name_that_is_chosen_while_an_engine_starts_is_told_to_it() {
    let mut bench = Bench::lobby(theme::Choice::Dark);
    let _ = bench.app.perform(Action::Rename("Mira B".to_owned()));
    let (handle, mut engine) = Handle::detached(4);
    let generation = bench.app.session.generation();
    let _ = bench.app.update(Message::Started(generation, Ok(handle)));
    assert_eq!(engine.commands(), [Command::Rename("Mira B".to_owned()), Command::State]);
}

#[test]
fn the_question_about_a_file_goes_when_it_is_answered() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    let file = |stage| {
        let (transfer, person) = (crate::id::TransferId::from_u64(7), person(0, "Ana"));
        let file = crate::share::FileName::new("plan.pdf");
        let direction = crate::meeting::Direction::In;
        Event::File(crate::meeting::FileEvent { transfer, person, direction, file, size: 3, stage })
    };
    bench.event(file(FileStage::Offer));
    assert!(!bench.app.toasts.is_empty());
    bench.event(file(FileStage::Accepted));
    assert!(bench.app.toasts.is_empty());
}

#[test]
fn a_command_without_an_engine_is_answered() {
    let mut bench = Bench::lobby(theme::Choice::Dark);
    let command = Command::Call { who: "Ana".to_owned() };
    let told = executor::block_on(run(bench.app.perform(Action::Engine(command.clone()))));
    let [Message::Answered(_, answer)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(answer.0, command);
    assert_eq!(answer.1.as_ref().expect_err("refused").code, Code::NotInMeeting);
    let _ = bench.app.update(told.into_iter().next().expect("one"));
    assert!(!bench.app.toasts.is_empty(), "it is said");
}

#[test]
fn a_lobby_that_ends_by_itself_says_so_with_a_way_on() {
    let mut bench = Bench::lobby(theme::Choice::Dark);
    let _engine = bench.connect();
    bench.company();
    let generation = bench.app.session.generation();
    let _ = bench.app.update(Message::Ended(generation));
    assert!(bench.sees(text::LOBBY_ENDED));
    let mut window = bench.see();
    window.click(iced_test::selector::id("again")).expect("try again");
    let again = window.into_messages().collect::<Vec<_>>();
    for message in again {
        let _ = bench.app.update(message);
    }
    assert!(bench.app.session.is_starting());
}
