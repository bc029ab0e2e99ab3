//! The running engine as the root sees it, and the tasks that touch the world: each blocks nobody and ends as a message.

mod desktop;
pub mod preview;
mod system;
mod trouble;

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iced::futures::stream;
use iced::{Subscription, Task};
use tokio_util::sync::CancellationToken;

use super::action::{Action, Meet};
use super::alerts;
use super::app::{Message, Screen};
use super::choices::Choices;
use super::dialog::{self, Dialog};
use super::model::{Model, Notice};
use super::screen::meeting;
use super::screen::settings::Settings;
use super::toast::{Toast, Tone};
use super::{Start, map, notices, text, video};
use crate::engine::doctor::{self, Check};
use crate::engine::{Handle, devices};
use crate::meeting::{Code, Command, Done, Failure, Words};
use crate::share::DisplayName;

pub use desktop::{paste, pick_files, pick_folder, reveal, save_as};
pub use system::{check_devices, list_devices, list_interfaces, list_screens, own_words, watch_devices};
pub use trouble::{Trouble, Way};

/// How often it is looked who speaks.
const LISTEN: Duration = Duration::from_millis(100);

/// Where to go.
#[derive(Debug, Clone, PartialEq)]
pub enum Goal {
    /// The lobby.
    Lobby,
    /// A meeting.
    Meeting(Box<Meet>),
}

/// What was on the clipboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pasted {
    /// Copied files.
    Files(Vec<PathBuf>),
    /// Text.
    Text(String),
}

/// What a task of the root came to.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Nothing to say.
    Nothing,
    /// These files were picked for these people.
    Picked(Vec<PathBuf>, Vec<String>),
    /// This folder was picked for drops.
    Folder(PathBuf),
    /// This was on the clipboard.
    Pasted(Pasted),
    /// The system has these devices.
    Devices(devices::Devices),
    /// These displays and windows can be shared.
    Screens(Vec<devices::Device>),
    /// The doctor has looked at the network.
    Checked(Vec<Check>),
    /// The doctor has looked at cameras and sound.
    CheckedDevices(Vec<Check>),
    /// The system has these network interfaces.
    Interfaces(Vec<doctor::Interface>),
    /// The words of one's own key.
    OwnWords(Words),
    /// The preview of the lobby runs, or has ended.
    Previewing(preview::Started),
    /// A sound of this number is over, with what there is to say of it.
    Sounded(u64, Option<Toast>),
    /// The desktop showed a notification of this kind, under this number; the pause after it is over.
    Notified(alerts::Kind, Option<u32>),
    /// Something is to be said.
    Say(Toast),
}

/// How it stands.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    Starting,
    Failed(Trouble),
    Running(Handle),
}

/// Whether the state is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Asked {
    #[default]
    No,
    Once,
    // Wanted anew since.
    Again,
}

/// The engine that runs, if one does.
#[derive(Debug, Default)]
pub struct Session {
    stage: Stage,
    state: Asked,
    // Chosen while an engine started, which may have read the name before.
    renamed: Option<Command>,
    preview: preview::Stage,
    // Ends the start that is under way.
    wanted: CancellationToken,
    // Cancelled once the newest start, and what it had to end first, is over: the next one begins then.
    over: Option<CancellationToken>,
    generation: u64,
    saves: u64,
    // The newest choices that were written: two writes at once may run in any order.
    written: Arc<Mutex<u64>>,
    notifier: desktop::Notifier,
}

struct Feed(u64, Handle);

impl Hash for Feed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Session {
    /// Which engine: each start has its own number.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The handle of the one that runs.
    pub fn handle(&self) -> Option<&Handle> {
        match &self.stage {
            Stage::Running(handle) => Some(handle),
            _ => None,
        }
    }

    /// It is on its way.
    pub fn is_starting(&self) -> bool {
        matches!(self.stage, Stage::Starting)
    }

    /// Why it does not run.
    pub fn trouble(&self) -> Option<&Trouble> {
        match &self.stage {
            Stage::Failed(trouble) => Some(trouble),
            _ => None,
        }
    }

    /// Ends what runs or starts, and starts the next once that has let go of its port, seat and camera.
    pub fn go(&mut self, start: &Start, choices: &Choices, goal: Goal) -> Task<Message> {
        self.generation += 1;
        let generation = self.generation;
        self.wanted.cancel();
        self.wanted = CancellationToken::new();
        self.renamed = None;
        let over = CancellationToken::new();
        let (wanted, before) = (self.wanted.clone(), self.over.replace(over.clone()));
        let old = std::mem::replace(&mut self.stage, Stage::Starting);
        let next = start.launcher.launch(choices, goal);
        // A camera can be opened once: the preview gives it back before a meeting takes it.
        let closing = self.preview.close();
        let over = over.drop_guard();
        let run = async move {
            let _over = over;
            closing.await;
            if let Some(before) = before {
                before.cancelled().await;
            }
            if let Stage::Running(old) = old {
                old.leave().await;
            }
            // Whoever goes on before it is there wants it no more: dropped here, it ends.
            wanted.run_until_cancelled_owned(next).await
        };
        Task::perform(run, move |result| {
            Message::Started(generation, result.unwrap_or_else(|| Err(trouble::given_up())))
        })
    }

    /// It runs.
    pub fn on_started(&mut self, handle: Handle) {
        self.stage = Stage::Running(handle);
        self.state = Asked::No;
    }

    /// It does not.
    pub fn on_failed(&mut self, trouble: Trouble) {
        self.stage = Stage::Failed(trouble);
    }

    /// Carries out a command; without an engine it is answered at once, as refused. It has its place in the
    /// engine's queue when this returns: the tasks of several may run in any order. The state is asked for once at a time,
    /// or an older one could come in after a newer one.
    pub fn command(&mut self, command: Command) -> Task<Message> {
        let generation = self.generation;
        let Some(handle) = self.handle() else {
            // They come with the engine, and with what follows it.
            if command == Command::State {
                return Task::none();
            }
            if matches!(command, Command::Rename(_)) && self.is_starting() {
                self.renamed = Some(command);
                return Task::none();
            }
            let refused = Failure::new(Code::NotInMeeting, text::NO_ENGINE, text::NO_ENGINE_HINT);
            return Task::done(Message::Answered(generation, Box::new((command, Err(refused)))));
        };
        if command == Command::State && self.state != Asked::No {
            self.state = Asked::Again;
            return Task::none();
        }
        let answer = handle.submit(command.clone());
        if command == Command::State {
            self.state = Asked::Once;
        }
        let run = async move { (command, answer.await) };
        Task::perform(run, move |answer| Message::Answered(generation, Box::new(answer)))
    }

    /// Asks an engine that has just started for everything that it knows. In the lobby the username that is ours is
    /// claimed once more; a meeting does that before it starts.
    pub fn greet(&mut self, choices: &Choices, screen: &Screen) -> Task<Message> {
        let renamed = self.renamed.take().map_or_else(Task::none, |command| self.command(command));
        let state = Task::batch([renamed, self.command(Command::State)]);
        if !matches!(screen, Screen::Lobby(_)) || choices.username.is_empty() || choices.rendezvous.is_empty() {
            return state;
        }
        Task::batch([state, self.command(Command::Claim(choices.username.clone()))])
    }

    /// Offers files to these (WHO), each for itself.
    pub fn send_files(&mut self, paths: Vec<PathBuf>, to: &[String]) -> Task<Message> {
        Task::batch(paths.into_iter().map(|path| self.command(Command::SendFile { path, to: to.to_vec() })))
    }

    /// Looks at the network: what is quick at once, the announcements within seconds.
    pub fn check(&self, start: &Start, choices: &Choices, model: &mut Model) -> Task<Message> {
        if model.checkup.running {
            return Task::none();
        }
        model.checkup.running = true;
        let (interfaces, port) = (choices.interfaces.clone(), choices.port);
        let own = model.me.as_ref().map(|me| me.peer).filter(|_| !start.launcher.is_hidden(choices));
        // While an engine starts the port is its own: nobody is to take it for a look.
        let held = self.handle().map(|handle| doctor::held(handle.port(), &model.listen));
        let looks = held.is_none() && !self.is_starting();
        let run = async move {
            let wanted = interfaces.clone();
            let quick = blocking(move || (doctor::interfaces(&wanted), doctor::firewall())).await;
            let free = if looks { Some(doctor::free(port, interfaces.clone()).await) } else { None };
            let multicast = doctor::multicast(&interfaces, own).await;
            let (interfaces, firewall) = quick.unzip();
            [interfaces, held.or(free), Some(multicast), firewall].into_iter().flatten().collect()
        };
        Task::perform(run, |found| Message::Done(Outcome::Checked(found)))
    }

    /// The state was answered, or refused: asked for again where something changed since.
    pub fn on_state(&mut self) -> Task<Message> {
        match std::mem::take(&mut self.state) {
            Asked::Again => self.command(Command::State),
            Asked::No | Asked::Once => Task::none(),
        }
    }

    /// Everything that the engine says.
    pub fn events(&self) -> Subscription<Message> {
        let Some(handle) = self.handle().cloned() else { return Subscription::none() };
        Subscription::run_with(Feed(self.generation, handle), |Feed(generation, handle)| {
            let generation = *generation;
            stream::unfold(Some(handle.clone()), move |handle| async move {
                let handle = handle?;
                match handle.event().await {
                    Some(event) => Some((Message::Event(generation, Box::new(event)), Some(handle))),
                    None => Some((Message::Ended(generation), None)),
                }
            })
        })
    }

    /// Says when a picture is new.
    pub fn pictures(&self) -> Subscription<Message> {
        match &self.stage {
            // In the lobby only one's own picture moves.
            _ if self.preview.pictures().is_some() => self
                .preview
                .pictures()
                .map_or_else(Subscription::none, |pictures| video::ticks(pictures).map(|()| Message::Pictures)),
            Stage::Running(handle) => video::ticks(&handle.pictures()).map(|()| Message::Pictures),
            _ => Subscription::none(),
        }
    }

    /// Says who speaks, when that changes: looking often costs little, drawing does not.
    pub fn speaking(&self) -> Subscription<Message> {
        let Some(handle) = self.handle().cloned() else { return Subscription::none() };
        Subscription::run_with(Feed(self.generation, handle), |Feed(_, handle)| {
            stream::unfold((handle.levels(), BTreeSet::new()), |(levels, before)| async move {
                loop {
                    tokio::time::sleep(LISTEN).await;
                    let now = levels.speaking();
                    if now != before {
                        return Some((Message::Meeting(meeting::Message::Speaking(now.clone())), (levels, now)));
                    }
                }
            })
        })
    }

    /// Says which pictures are on screen and how large, when that changes.
    pub fn drawn(&self) -> Subscription<Message> {
        let Some(handle) = self.handle().cloned() else { return Subscription::none() };
        Subscription::run_with(Feed(self.generation, handle), |Feed(_, handle)| {
            let pictures = handle.pictures();
            let changes = pictures.resized();
            stream::unfold((pictures, changes), |(pictures, mut changes)| async move {
                changes.next().await;
                let drawn = pictures.drawn();
                Some((Message::Meeting(meeting::Message::Drawn(drawn)), (pictures, changes)))
            })
        })
    }

    /// Says goodbye, and gives the devices back.
    pub fn finish(&mut self) -> Task<Message> {
        self.generation += 1;
        self.wanted.cancel();
        let closing = Task::perform(self.preview.close(), |()| Message::Done(Outcome::Nothing));
        closing.chain(self.end_engine())
    }

    fn end_engine(&mut self) -> Task<Message> {
        match std::mem::take(&mut self.stage) {
            Stage::Running(handle) => end(handle),
            // What it had to end first says goodbye too.
            Stage::Starting => match self.over.take() {
                Some(over) => {
                    Task::perform(async move { over.cancelled().await }, |()| Message::Done(Outcome::Nothing))
                }
                None => Task::none(),
            },
            Stage::Idle | Stage::Failed(_) => Task::none(),
        }
    }

    /// Writes the choices down.
    pub fn save(&mut self, start: &Start, choices: &Choices) -> Task<Message> {
        if start.profile.as_os_str().is_empty() {
            // The profile could not be opened: there is nowhere to write to.
            return Task::none();
        }
        self.saves += 1;
        let (this, written) = (self.saves, Arc::clone(&self.written));
        let (folder, choices) = (start.profile.clone(), choices.to_keep(&start.choices, &start.remembered));
        let write = move || {
            let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
            if *written > this {
                return Ok(());
            }
            *written = this;
            choices.save(&folder)
        };
        Task::perform(blocking(write), |result| {
            Message::Done(match result {
                Some(Ok(())) | None => Outcome::Nothing,
                Some(Err(error)) => Outcome::Say(Toast::new(Tone::Caution, text::not_saved(&error))),
            })
        })
    }

    /// Starts, changes or ends the preview.
    pub fn preview(&mut self, choices: &Choices, camera: bool, microphone: bool) -> Task<Message> {
        self.preview.want(choices, camera, microphone)
    }

    /// Something else was chosen: what the lobby shows and hears follows.
    pub fn rechoose(&mut self, choices: &Choices) -> Task<Message> {
        self.preview.rechoose(choices)
    }

    /// Begins this sound, or ends it where it runs.
    pub fn sound(&mut self, sound: preview::Sound, choices: &Choices) -> Task<Message> {
        self.preview.sound(sound, choices)
    }

    /// Takes what is the session's own of what a task came to; the rest comes back.
    pub fn on_outcome(&mut self, outcome: Outcome) -> Result<Task<Message>, Outcome> {
        match outcome {
            Outcome::Previewing(started) => Ok(self.preview.on_started(started)),
            Outcome::Sounded(number, toast) => match self.preview.on_sounded(number) {
                true => Err(toast.map_or(Outcome::Nothing, Outcome::Say)),
                false => Err(Outcome::Nothing),
            },
            Outcome::Notified(kind, id) => Ok(self.notifier.on_shown(kind, id)),
            outcome => Err(outcome),
        }
    }

    /// Something happened that the desktop may tell.
    pub fn notify(&mut self, notice: &Notice) -> Task<Message> {
        self.notifier.on_notice(notice)
    }

    /// The window came to the front.
    pub fn on_seen(&mut self) {
        self.notifier.on_seen();
    }

    /// What the preview shows and hears.
    pub fn previewed(&self) -> &preview::Stage {
        &self.preview
    }

    /// The same, to ask it for what went wrong.
    pub fn preview_mut(&mut self) -> &mut preview::Stage {
        &mut self.preview
    }
}

/// Runs `work` where blocking is allowed; `None` when it panicked or the program ends.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Ends an engine that is wanted no more.
pub fn end(handle: Handle) -> Task<Message> {
    Task::perform(async move { handle.leave().await }, |()| Message::Done(Outcome::Nothing))
}

/// Writes the map of the window, where one is asked for.
pub fn write_map(start: &Start, entries: Vec<map::Entry>) -> Task<Message> {
    let Some(path) = start.map.clone() else { return Task::none() };
    let write = move || map::write(&path, &entries);
    Task::perform(blocking(write), |_| Message::Done(Outcome::Nothing))
}

/// Writes the new name into the profile.
pub fn rename(start: &Start, name: &str) -> Task<Message> {
    let (launcher, name) = (Arc::clone(&start.launcher), DisplayName::new(name));
    Task::perform(blocking(move || launcher.rename(&name)), |result| {
        Message::Done(match result {
            Some(Err(trouble)) => Outcome::Say(Toast::new(Tone::Caution, trouble.words())),
            Some(Ok(())) | None => Outcome::Nothing,
        })
    })
}

/// Makes the window call for its person: by the task bar, as the desktop has it.
pub fn call_attention() -> Task<Message> {
    let urgent = Some(iced::window::UserAttention::Critical);
    iced::window::latest().and_then(move |id| iced::window::request_user_attention(id, urgent))
}

/// The lobby must start anew for this change.
pub fn needs_restart(old: &Choices, new: &Choices) -> bool {
    let of = |c: &Choices| (c.announce, c.rendezvous.clone(), c.interfaces.clone(), c.port, c.download_dir.clone());
    of(old) != of(new)
}

/// After this command the state is asked for again.
pub fn changes_state(command: &Command) -> bool {
    !matches!(command, Command::State | Command::Say { .. } | Command::Invite | Command::Words { .. })
}

/// What an answer means for the window.
pub fn answer(
    command: &Command,
    done: Done,
    model: &mut Model,
    choices: &Choices,
    dialogs: &mut Vec<Dialog>,
) -> Action {
    if let Some(action) = dialog::answer(command, &done, dialogs) {
        return action;
    }
    match (command, done) {
        (Command::Answer(call), Done::Answered { room, connect }) => {
            let caller = dialogs.iter().find_map(|dialog| match dialog {
                Dialog::Ring(ring) if ring.call() == *call => Some(ring.from().name.to_string()),
                _ => None,
            });
            dialogs.retain(|dialog| !dialog.is_of(*call));
            Action::Meet(notices::call_to(&room, &connect, caller.as_deref().unwrap_or_default(), choices))
        }
        (Command::Say { text, to }, Done::Said(id)) => {
            if let Some(meeting) = &mut model.meeting {
                meeting.on_said(crate::clock::unix_millis(), id, text.clone(), to);
            }
            Action::None
        }
        (Command::React { emoji }, _) => {
            // Our own comes by no event.
            if let (Some(meeting), Some(me)) = (&mut model.meeting, &model.me) {
                meeting.reactions.push(crate::clock::now(), me.peer, emoji);
            }
            Action::None
        }
        (Command::Verify { peer }, _) => {
            let name = model.name_of(peer);
            let said =
                name.map_or_else(|| text::dialogs::VERIFIED.to_owned(), |it| text::dialogs::verified(it.as_str()));
            Action::Toast(Toast::new(Tone::Good, said))
        }
        (Command::SendFile { path, .. }, Done::Offered(offers)) => {
            model.transfers.on_offered(path, offers.into_iter().map(|(_, id)| id));
            Action::None
        }
        (Command::Claim(_), Done::Claimed(name)) if choices.username != name.as_str() => {
            Action::Choose(Box::new(Choices { username: name.to_string(), ..choices.clone() }))
        }
        (Command::Release(_), Done::Released(_)) => {
            Action::Choose(Box::new(Choices { username: String::new(), ..choices.clone() }))
        }
        _ => Action::None,
    }
}

/// What an outcome means for the window.
pub fn outcome(
    outcome: Outcome,
    choices: &Choices,
    screen: &mut Screen,
    model: &mut Model,
    settings: Option<&mut Settings>,
) -> Action {
    match outcome {
        Outcome::Nothing | Outcome::Notified(..) | Outcome::Previewing(_) | Outcome::Sounded(..) => Action::None,
        Outcome::Checked(found) => {
            (model.checkup.found, model.checkup.running) = (found, false);
            Action::None
        }
        Outcome::Screens(screens) => {
            model.screens = Some(screens);
            Action::None
        }
        Outcome::CheckedDevices(found) => {
            model.checkup.devices = found;
            Action::None
        }
        Outcome::Interfaces(list) => {
            if let Some(settings) = settings {
                settings.on_interfaces(list);
            }
            Action::None
        }
        Outcome::OwnWords(words) => {
            if let Some(settings) = settings {
                settings.on_own_words(words);
            }
            Action::None
        }
        // In the lobby a file needs a person.
        Outcome::Picked(paths, to) if to.is_empty() && matches!(screen, Screen::Lobby(_)) => {
            dialog::send_to_whom(paths)
        }
        Outcome::Picked(paths, to) => match screen {
            // Chosen for everybody, perhaps of another meeting: the dialog of the system stays open as long as it likes. They
            // wait beside the names of those who would get them.
            Screen::Meeting(screen) if to.is_empty() => screen.on_pasted(Pasted::Files(paths), model),
            _ => Action::SendFiles(paths, to),
        },
        Outcome::Folder(folder) => settings.map_or(Action::None, |settings| settings.on_folder(folder, choices)),
        Outcome::Pasted(pasted) => match screen {
            Screen::Meeting(screen) => screen.on_pasted(pasted, model),
            Screen::Lobby(_) => Action::None,
        },
        Outcome::Devices(devices) => {
            if let Screen::Lobby(lobby) = screen {
                lobby.on_devices(devices.clone());
            }
            if let Some(settings) = settings {
                settings.on_devices(devices);
            }
            Action::None
        }
        Outcome::Say(toast) => Action::Toast(toast),
    }
}
