//! `lets-meet join ROOM`: a seat without a window. With `--json` a machine talks on stdin and stdout, else a person
//! in a terminal.

pub mod json;
mod terminal;

use std::collections::VecDeque;
use std::io::{BufRead, Read as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::args::{Common, Join, JoinOptions};
use super::output::Output;
use super::setup::{self, Setup};
use super::{Exit, Failure, code};
use crate::engine::{self, Handle};
use crate::id::{CallId, PeerId, RoomName, Username};
use crate::meeting::{self, Accept, Code, Command, Done, Event, Settings, WarningCode};
use crate::mesh::Visibility;
use crate::slot;

/// Lines that wait to be carried out. Overflow: stdin is not read on until there is room.
const LINES: usize = 64;

/// Commands that are carried out while one before them waits for a person. Overflow: no line is read until it has answered.
const MOST_ASKED: usize = 64;

/// How long somebody may let us in after another said that the room is full.
const FULL_PATIENCE: Duration = Duration::from_secs(5);

/// Runs a meeting until it is left.
pub fn run(common: &Common, join: &Join, output: &Output) -> Result<Exit, Failure> {
    let room = RoomName::new(&join.room).map_err(|error| Failure::usage(format!("{error}.")))?;
    let config = config(common, room, &join.options)?;
    super::block_on(async {
        let handle = engine::start(config.clone()).await.map_err(|error| failure(&error))?;
        meet(handle, config, join.options.duration(), output).await
    })
}

/// The engine's settings from the command line and the profile.
pub fn config(common: &Common, room: RoomName, join: &JoinOptions) -> Result<engine::Config, Failure> {
    if let Some(option) = join.later() {
        return Err(Failure::later(option));
    }
    let media = join.media().map_err(|error| Failure::usage(format!("{error}.")))?;
    let Setup { profile, config, identity, name } = Setup::load(common)?;
    let download_dir = join.download_dir.clone().or(config.download_dir).ok_or_else(|| {
        Failure::new(Exit::State, code::STATE, "This account has no home folder for drops; use --download-dir DIR.")
    })?;
    // The default folder may be missing or read-only: few meetings get a file.
    for folder in [&join.download_dir, &join.dump_video, &join.dump_audio].into_iter().flatten() {
        setup::writable(folder)?;
    }
    let service = common.rendezvous.as_deref().map(setup::service).transpose()?;
    // Only a typed --name is claimed: the account's name is nobody's wish.
    let username = match (&service, &common.name) {
        (Some(_), Some(name)) => Some(Username::new(name).map_err(|error| Failure::usage(format!("{error}.")))?),
        _ => None,
    };
    let settings = Settings {
        camera: media.camera.clone(),
        camera_on: media.camera != crate::av::spec::Camera::None,
        microphone: media.mic.clone(),
        microphone_on: media.mic != crate::av::spec::Microphone::None,
        speaker: media.speaker.clone(),
        speaker_on: true,
        screen: media.screen.clone(),
        screen_on: media.screen != crate::av::spec::Screen::None,
        screen_audio: join.screen_audio,
        quality: media.quality,
        voice: join.wish(),
        view: join.view,
        files: if join.accept_files { Accept::All } else { Accept::Ask },
        calls: meeting::calls::Rules { silence_unknown: config.silence_unknown, ..Default::default() },
    };
    Ok(engine::Config {
        profile,
        identity,
        name,
        room,
        seats: config.seats,
        endpoint: setup::endpoint_config(common),
        connect: common.connect.iter().map(|connect| (connect.address, connect.peer)).collect(),
        visibility: if common.hidden { Visibility::Hidden } else { Visibility::Open },
        rendezvous: service.map(|service| (service, username)),
        media: engine::MediaConfig {
            muted: false,
            camera: media.camera,
            microphone: media.mic,
            speaker: media.speaker,
            screen: media.screen,
            screen_audio: join.screen_audio,
            quality: media.quality,
            voice: join.wish(),
            max_bitrate: join.max_bitrate,
            dump_video: join.dump_video.clone(),
            dump_audio: join.dump_audio.clone(),
            lenient: false,
        },
        settings,
        download_dir,
    })
}

/// A call was answered: the meeting goes on in another room.
struct Move {
    room: RoomName,
    connect: Vec<(SocketAddr, Option<PeerId>)>,
    /// Where the next commands go.
    there: oneshot::Sender<Handle>,
}

/// Stays in a meeting, or in the one that a call leads to, until it is left, or for so long.
pub async fn meet(
    mut handle: Handle,
    config: engine::Config,
    seconds: Option<Duration>,
    output: &Output,
) -> Result<Exit, Failure> {
    let lines = stdin_lines();
    let scope = crate::task::Scope::new();
    let mut screen = terminal::Screen::default();
    // One at a time: whoever moves waits until it is there.
    let (mover, mut moves) = mpsc::channel(1);
    let desk = Desk { handle: handle.clone(), mover, ringing: screen.ringing.clone(), output: output.clone() };
    let typed = scope.spawn(commands(desk, lines));
    let mut alone = true;
    let mut exit = Exit::Done;
    let timer = async {
        match seconds {
            Some(seconds) => tokio::time::sleep(seconds).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(timer);
    // Set while everybody who answered said that the room is full.
    let mut full: Option<tokio::time::Instant> = None;
    let interrupted = super::interrupted();
    tokio::pin!(interrupted);
    loop {
        let event = tokio::select! {
            biased;
            () = &mut interrupted => break,
            () = output.closed() => break,
            () = &mut timer => break,
            () = at(full) => {
                exit = Exit::Refused;
                output.note("lets-meet: The room is full; ask somebody to leave, or join another.");
                break;
            }
            Some(Move { room, connect, there }) = moves.recv() => {
                let old = handle;
                let config = engine::Config { room, connect, ..config.clone() };
                let entered = engine::enter(&old, config).await;
                while let Some(event) = old.event().await {
                    show(&event, &mut screen, output);
                }
                handle = entered.map_err(|error| failure(&error))?;
                (alone, full) = (true, None);
                let _ = there.send(handle.clone());
                continue;
            }
            event = handle.event() => event,
        };
        let Some(event) = event else { break };
        match &event {
            Event::Joined(_) => {
                alone = false;
                full = None;
            }
            Event::Warning(warning) => match warning.code {
                WarningCode::Replaced => exit = Exit::Refused,
                // One who says so may lie: others get time to let us in.
                WarningCode::RoomFull if alone && full.is_none() => {
                    full = Some(tokio::time::Instant::from_std(crate::clock::now() + FULL_PATIENCE));
                }
                _ => {}
            },
            _ => {}
        }
        show(&event, &mut screen, output);
        if exit == Exit::Refused {
            break;
        }
    }
    handle.leave().await;
    // Answers that are on their way, and events of the last moment.
    while let Some(event) = handle.event().await {
        show(&event, &mut screen, output);
    }
    let _ = tokio::time::timeout(Duration::from_millis(200), typed).await;
    scope.cancel();
    Ok(exit)
}

async fn at(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn show(event: &Event, screen: &mut terminal::Screen, output: &Output) {
    if output.is_json() {
        let (name, fields) = json::event(event);
        output.event(name, fields);
    } else if let Some(line) = screen.line(event) {
        output.line(&line);
    }
}

/// Where typed lines are carried out.
struct Desk {
    handle: Handle,
    mover: mpsc::Sender<Move>,
    ringing: slot::Shared<Option<CallId>>,
    output: Output,
}

impl Desk {
    /// Follows a call that was answered; false when there is no going on.
    async fn follow(&mut self, done: &Done) -> bool {
        let Done::Answered { room, connect } = done else { return true };
        let (there, arrived) = oneshot::channel();
        let (room, connect) = (room.clone(), connect.clone());
        if self.mover.send(Move { room, connect, there }).await.is_err() {
            return false;
        }
        match arrived.await {
            Ok(handle) => {
                self.handle = handle;
                true
            }
            Err(_) => false,
        }
    }
}

fn too_long() -> meeting::Failure {
    let message = format!("The line is longer than {} bytes; nothing of it was done.", json::MAX_LINE);
    meeting::Failure::new(Code::BadRequest, message, "Write a shorter line.")
}

/// Carries out typed lines one after the other, each answered before the next is read.
async fn commands(mut desk: Desk, mut lines: mpsc::Receiver<Line>) {
    let output = desk.output.clone();
    if output.is_json() {
        return machine_lines(desk, lines).await;
    }
    while let Some(line) = lines.recv().await {
        match line {
            Line::Whole(line) => {
                if typed_line(&mut desk, &line, &output).await {
                    break;
                }
            }
            Line::TooLong => output.line(&format!("! {}", too_long())),
        }
    }
}

/// A command whose answer is not there yet.
struct Asked {
    name: Option<String>,
    reference: Option<String>,
    leaves: bool,
    /// Its answer may come from a person, who takes minutes: what follows is carried out meanwhile.
    slow: bool,
    /// What follows belongs to another meeting.
    moves: bool,
    answer: Pin<Box<dyn Future<Output = Result<Done, meeting::Failure>> + Send>>,
}

impl Asked {
    /// Puts what a line asks for into the queue.
    fn of(desk: &Desk, line: Line) -> Option<Self> {
        let request = match line {
            Line::Whole(line) if line.trim().is_empty() => return None,
            Line::Whole(line) => json::parse(&line),
            Line::TooLong => json::Request { name: None, reference: None, command: Err(too_long()) },
        };
        let json::Request { name, reference, command } = request;
        let (leaves, slow, moves) = match &command {
            Ok(Command::Leave) => (true, false, true),
            Ok(Command::Screen { on: true, .. }) => (false, true, false),
            Ok(Command::Answer(_)) => (false, false, true),
            _ => (false, false, false),
        };
        let answer: Pin<Box<dyn Future<Output = _> + Send>> = match command {
            Ok(command) => Box::pin(desk.handle.submit(command)),
            Err(failure) => Box::pin(std::future::ready(Err(failure))),
        };
        Some(Self { name, reference, leaves, slow, moves, answer })
    }
}

/// Carries out a program's lines in their order, and answers them in their order: each before the next is read, unless it
/// waits for a person.
async fn machine_lines(mut desk: Desk, mut lines: mpsc::Receiver<Line>) {
    let output = desk.output.clone();
    let (mut asked, mut open) = (VecDeque::<Asked>::new(), true);
    while open || !asked.is_empty() {
        let room = asked.front().is_none_or(|first| first.slow)
            && asked.len() < MOST_ASKED
            && asked.back().is_none_or(|last| !last.moves);
        let first = async {
            match asked.front_mut() {
                Some(first) => (&mut first.answer).await,
                None => std::future::pending().await,
            }
        };
        let answer = tokio::select! {
            biased;
            answer = first => answer,
            line = lines.recv(), if open && room => {
                match line {
                    Some(line) => asked.extend(Asked::of(&desk, line)),
                    None => open = false,
                }
                continue;
            }
        };
        let Some(Asked { name, reference, leaves, .. }) = asked.pop_front() else { continue };
        let on = match answer {
            Ok(done) => {
                output.event("ok", json::ok(name.as_deref().unwrap_or_default(), reference.as_deref(), &done));
                desk.follow(&done).await
            }
            Err(failure) => {
                output.event("error", json::error(name.as_deref(), reference.as_deref(), &failure));
                true
            }
        };
        if leaves || !on {
            break;
        }
    }
}

async fn typed_line(desk: &mut Desk, line: &str, output: &Output) -> bool {
    let input = match terminal::parse(line) {
        Ok(input) => input,
        Err(failure) => {
            output.line(&format!("! {failure}"));
            return false;
        }
    };
    let command = match input {
        terminal::Input::Empty => return false,
        terminal::Input::Help => {
            output.line(terminal::HELP);
            return false;
        }
        terminal::Input::People => Command::State,
        terminal::Input::Mute => match desk.handle.command(Command::State).await {
            Ok(Done::State(state)) => Command::Microphone { on: !state.settings.microphone_on, source: None },
            _ => return true,
        },
        terminal::Input::Answer | terminal::Input::Hangup => match desk.ringing.get() {
            Some(call) if input == terminal::Input::Answer => Command::Answer(call),
            Some(call) => Command::Decline(call),
            None => {
                output.line("! No call rings.");
                return false;
            }
        },
        terminal::Input::Command(command) => command,
    };
    let leaves = command == Command::Leave;
    match desk.handle.command(command.clone()).await {
        Ok(done) => {
            if let (Done::Calling(call), None) = (&done, desk.ringing.get()) {
                desk.ringing.set(Some(*call));
            }
            if let Command::Microphone { on, .. } = command {
                output.line(if on { "* your microphone is on" } else { "* your microphone is off" });
            }
            if let Some(line) = terminal::done(&done) {
                output.line(&line);
            }
            leaves || !desk.follow(&done).await
        }
        Err(failure) => {
            output.line(&format!("! {failure}"));
            leaves
        }
    }
}

/// What was read up to a line break.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Whole(String),
    /// Over [`json::MAX_LINE`]; it was skipped.
    TooLong,
}

/// The next line; `None` at the end of the input, or when it cannot be read.
fn read_line(input: &mut impl BufRead) -> Option<Line> {
    // One more than a line may have, for its break.
    let limit = u64::try_from(json::MAX_LINE).unwrap_or(u64::MAX).saturating_add(1);
    let mut line = Vec::new();
    match input.by_ref().take(limit).read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => return None,
        Ok(_) => {}
    }
    if line.len() > json::MAX_LINE && !line.ends_with(b"\n") {
        // An input that fails here is at its end for the next call too.
        let _ = input.skip_until(b'\n');
        return Some(Line::TooLong);
    }
    Some(Line::Whole(String::from_utf8_lossy(&line).into_owned()))
}

/// Lines of stdin, read by a thread of its own (a terminal cannot be read without blocking). The thread ends with its
/// input, or with the process.
fn stdin_lines() -> mpsc::Receiver<Line> {
    let (sender, lines) = mpsc::channel(LINES);
    let reader = crate::task::thread("stdin", move || {
        let mut stdin = std::io::stdin().lock();
        while let Some(line) = read_line(&mut stdin) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    if let Err(error) = reader {
        tracing::error!(%error, "commands are not read");
    }
    lines
}

/// Why a meeting or a visit did not start, as the end of the run.
pub fn failure(error: &engine::Error) -> Failure {
    let sentence = format!("{error}.");
    match error {
        engine::Error::Endpoint(_) => Failure::new(Exit::Network, code::NETWORK, sentence),
        engine::Error::Media(_) => Failure::new(Exit::Device, code::SOURCE_FAILED, sentence),
        engine::Error::NameTaken(_) => Failure::new(Exit::Refused, code::NAME_TAKEN, sentence),
        engine::Error::Rendezvous(error) => super::name::failure(error),
        engine::Error::Invite(engine::Refused::WrongKey) => Failure::new(Exit::Refused, code::WRONG_KEY, sentence),
        engine::Error::Invite(engine::Refused::Silent) => Failure::new(Exit::NotFound, code::UNREACHABLE, sentence),
        engine::Error::State(_) => Failure::new(Exit::State, code::STATE, sentence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_one_line_and_the_next_is_read() {
        let mut input = vec![b'x'; json::MAX_LINE];
        input.push(b'\n');
        input.extend(vec![b'y'; 3 * json::MAX_LINE]);
        input.extend(b"\nlast");
        let mut input = input.as_slice();
        assert!(matches!(read_line(&mut input), Some(Line::Whole(line)) if line.len() == json::MAX_LINE + 1));
        assert_eq!(read_line(&mut input), Some(Line::TooLong));
        assert_eq!(read_line(&mut input), Some(Line::Whole("last".to_owned())));
        assert_eq!(read_line(&mut input), None);
    }
}
