//! The root of the window: holds the engine's handle, the model and the open screen, and performs what screens ask.
//!
//! ```text
//! engine --Event--> model --(screens read it)--> view
//! person --Message--> screen --Action--> app --Command--> engine
//! ```
//!
//! Engine events enter in one place ([`App::on_event`]). Nothing here blocks: disk, devices and the engine are asked in
//! tasks whose answers are messages. A number, the generation, tells which engine a message is about: what comes late
//! from the one before is dropped.

mod listen;
mod perform;
mod view;

use std::sync::Arc;
use std::time::Instant;

use iced::{Size, Task, keyboard, window};

use super::action::Action;
use super::choices::Choices;
use super::dialog::{self, Dialog};
use super::model::{Model, Notice};
use super::screen::{lobby, meeting, settings};
use super::session::preview::Sound;
use super::session::{self, Goal, Pasted, Session, Trouble};
use super::theme::Look;
use super::toast::{self, Toast, Toasts, Tone};
use super::{Start, keys, map, notices, text};
use crate::clock;
use crate::engine::Handle;
use crate::handover;
use crate::meeting::{Command, Done, Event, Failure, FileStage, WarningCode};

/// What happened.
#[derive(Debug, Clone)]
pub enum Message {
    /// In the lobby.
    Lobby(lobby::Message),
    /// In the meeting.
    Meeting(meeting::Message),
    /// In the settings.
    Settings(settings::Message),
    /// In the dialog on top.
    Dialog(dialog::Message),
    /// On a toast.
    Toast(toast::Message),
    /// An engine started, or did not.
    Started(u64, Result<Handle, Trouble>),
    /// The engine says something.
    Event(u64, Box<Event>),
    /// The engine has ended by itself.
    Ended(u64),
    /// A command was answered.
    Answered(u64, Box<(Command, Result<Done, Failure>)>),
    /// A task of the root came to something.
    Done(session::Outcome),
    /// A second start handed over.
    HandedOver(Option<handover::Message>),
    /// A key that nobody took.
    Key(keyboard::Event),
    /// The window changed.
    Window(window::Event),
    /// The system prefers light.
    Light(bool),
    /// Time went on.
    Tick(Instant),
    /// The map of the window is due.
    MapDue,
    /// What is on screen.
    Map(Vec<map::Entry>),
    /// It rings here.
    Ring,
    /// A picture is new: draw.
    Pictures,
}

/// Which screen is open below settings and dialogs.
#[derive(Debug)]
pub enum Screen {
    /// The lobby.
    Lobby(Box<lobby::Lobby>),
    /// A meeting.
    Meeting(Box<meeting::Screen>),
}

/// What lies on top of the window: a dialog, or the screen where none is open.
#[derive(Debug, Default)]
struct Top {
    // Which dialog.
    key: Option<u64>,
    // Since when; `None` before the first one.
    since: Option<Instant>,
    // Its person wanted it there.
    asked: bool,
    // What is being done is the person's wish: what is on top after it was asked for.
    asks: bool,
}

/// What every view may read.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The looks.
    pub look: Look,
    /// What was chosen.
    pub choices: &'a Choices,
    /// What is known.
    pub model: &'a Model,
    /// The running engine, for pictures and levels.
    pub handle: Option<&'a Handle>,
    /// The window, logical pixels.
    pub size: Size,
    /// The clock.
    pub now: Instant,
    /// Device pixels for a logical one.
    pub scale: f32,
    /// The engine of this screen is on its way.
    pub starting: bool,
    /// The dialog on top takes presses.
    pub armed: bool,
    /// Nobody sees us, as was chosen or said on the command line.
    pub hidden: bool,
}

/// The window.
#[derive(Debug)]
pub struct App {
    start: Arc<Start>,
    choices: Choices,
    light: bool,
    model: Model,
    session: Session,
    screen: Screen,
    settings: Option<Box<settings::Settings>>,
    // The one on top is the last. At most a handful: each is opened by a press or a ring.
    dialogs: Vec<Dialog>,
    top: Top,
    toasts: Toasts,
    size: Size,
    scale: f32,
    focused: bool,
    now: Instant,
    // The name of a meeting that was typed and is not begun.
    draft: Option<String>,
}

impl App {
    /// The first state, and what is to be done at the start.
    pub fn new(start: Arc<Start>) -> (Self, Task<Message>) {
        let choices = start.choices.clone();
        let size = Size::new(choices.window.0, choices.window.1);
        let mut app = Self {
            choices,
            light: false,
            model: Model::new(),
            session: Session::default(),
            screen: Screen::Lobby(Box::default()),
            settings: None,
            dialogs: Vec::new(),
            top: Top::default(),
            toasts: Toasts::default(),
            size,
            scale: 1.0,
            focused: true,
            now: clock::now(),
            draft: None,
            start,
        };
        let goal = app.start.meet.clone().map_or(Goal::Lobby, |meet| Goal::Meeting(Box::new(meet)));
        let mut tasks =
            vec![app.go(goal), iced::system::theme().map(|mode| Message::Light(mode == iced::theme::Mode::Light))];
        let stopped = app.start.launcher.stopped();
        tasks.push(Task::perform(stopped, |()| Message::Window(window::Event::CloseRequested)));
        tasks.push(Task::perform(app.start.launcher.handed_over(), Message::HandedOver));
        if let Some(remark) = &app.start.remark {
            let toast =
                Toast::new(Tone::Caution, remark.clone()).with(text::lobby::OPEN_SETTINGS, toast::Does::Settings);
            app.toasts.push(app.now, toast);
        }
        if let Some(link) = app.start.link.clone() {
            tasks.push(app.perform(dialog::open_link(&link)));
        }
        (app, Task::batch(tasks))
    }

    /// The looks now.
    pub fn look(&self) -> Look {
        let choices = &self.choices;
        Look::new(choices.theme, self.light, choices.text_percent, !choices.reduced_motion)
    }

    fn context(&self) -> Context<'_> {
        Context {
            look: self.look(),
            choices: &self.choices,
            model: &self.model,
            handle: self.session.handle(),
            size: self.size,
            now: self.now,
            scale: self.scale,
            starting: self.session.is_starting(),
            hidden: self.start.launcher.is_hidden(&self.choices),
            armed: self.is_armed(),
        }
    }

    /// What is on top, a dialog or what the last one left in sight, takes presses: it has been there for a moment, or was
    /// asked for.
    fn is_armed(&self) -> bool {
        let seen = |since| self.now.saturating_duration_since(since);
        self.top.asked || self.top.since.is_none_or(|since| seen(since) >= dialog::ARMED)
    }

    /// Whatever came or went on top by itself is new to who sits before it.
    fn look_at_top(&mut self) {
        let key = self.dialogs.last().map(Dialog::key);
        // A press that closes one dialog was not meant for the next.
        let asked = std::mem::take(&mut self.top.asks) && !self.dialogs.last().is_some_and(Dialog::comes_by_itself);
        if key != self.top.key {
            self.now = clock::now();
            self.top = Top { key, since: Some(self.now), asked, asks: false };
        }
    }

    /// The title bar.
    pub fn title(&self) -> String {
        text::window_title(self.model.meeting.as_ref().map(|meeting| meeting.title.as_str()))
    }

    /// One thing that happened.
    pub fn update(&mut self, message: Message) -> Task<Message> {
        let task = self.take(message);
        self.look_at_top();
        task
    }

    fn take(&mut self, message: Message) -> Task<Message> {
        match message {
            Message::Lobby(message) => {
                let Screen::Lobby(lobby) = &mut self.screen else { return Task::none() };
                let action = lobby.update(message, &mut self.model, &self.choices);
                self.perform(action)
            }
            // Until the engine runs the way out is all there is.
            Message::Meeting(message) if self.session.is_starting() && !matches!(message, meeting::Message::Leave) => {
                Task::none()
            }
            Message::Meeting(message) => {
                let Screen::Meeting(screen) = &mut self.screen else { return Task::none() };
                let action = screen.update(message, &mut self.model, &self.choices, self.now);
                if let Some(panel) = screen.open() {
                    self.toasts.forget(panel);
                }
                self.perform(action)
            }
            Message::Settings(message) => {
                let Some(settings) = &mut self.settings else { return Task::none() };
                let action = settings.update(message, &self.model, &self.choices);
                self.perform(action)
            }
            // What was meant for the one before is not for this one.
            Message::Dialog(_) if !self.is_armed() => Task::none(),
            Message::Dialog(message) => {
                let Some(dialog) = self.dialogs.last_mut() else { return Task::none() };
                let action = dialog.update(message, &self.model, &self.choices);
                self.perform(action)
            }
            Message::Toast(message) => match self.toasts.update(message) {
                Some(does) => self.perform(notices::perform(does)),
                None => Task::none(),
            },
            Message::Started(generation, result) => self.on_started(generation, result),
            Message::Event(generation, event) if generation == self.session.generation() => self.on_event(*event),
            Message::Answered(generation, answer) if generation == self.session.generation() => {
                let (command, result) = *answer;
                self.on_answer(command, result)
            }
            Message::Ended(generation) if generation == self.session.generation() => self.on_ended(),
            Message::Event(..) | Message::Answered(..) | Message::Ended(_) => Task::none(),
            Message::Done(outcome) => {
                let outcome = match self.session.on_outcome(outcome) {
                    Ok(task) => return task,
                    Err(outcome) => outcome,
                };
                let (screen, settings) = (&mut self.screen, self.settings.as_deref_mut());
                let action = session::outcome(outcome, &self.choices, screen, &mut self.model, settings);
                self.perform(action)
            }
            Message::HandedOver(message) => self.on_handed_over(message),
            Message::Key(event) => self.on_key(event),
            Message::Window(event) => self.on_window(event),
            Message::Light(light) => {
                self.light = light;
                Task::none()
            }
            Message::Tick(now) => {
                self.now = now;
                self.toasts.expire(now);
                let action = match &mut self.screen {
                    Screen::Meeting(screen) => screen.on_tick(&self.model, now),
                    Screen::Lobby(lobby) => lobby.on_tick(now, &self.model, &mut self.session),
                };
                self.perform(action)
            }
            Message::Ring => self.session.sound(Sound::Ring, &self.choices),
            Message::MapDue => map::look(self.size).map(Message::Map),
            Message::Map(entries) => session::write_map(&self.start, entries),
            Message::Pictures => {
                self.now = clock::now();
                Task::none()
            }
        }
    }

    /// Ends the engine that runs and starts the one of `goal`.
    fn go(&mut self, goal: Goal) -> Task<Message> {
        self.now = clock::now();
        // Another screen is no surprise.
        self.top.asks = true;
        match &goal {
            Goal::Lobby => {
                self.model.leave();
                // What is about the engine that ends, ends with it: a ring would go on for ever.
                self.dialogs.retain(Dialog::outlives_the_engine);
                if let Screen::Lobby(lobby) = &self.screen {
                    self.draft = lobby.room_typed();
                }
                self.screen = Screen::Lobby(Box::new(lobby::Lobby::typed(self.draft.take())));
            }
            Goal::Meeting(meet) => {
                if let Screen::Lobby(lobby) = &self.screen {
                    self.draft = lobby.room_typed();
                }
                self.model.enter(self.now, meet.room.clone());
                let hidden = self.start.launcher.is_hidden(&self.choices) || meet.call.is_some();
                if let Some(meeting) = &mut self.model.meeting {
                    meeting.announced = !hidden;
                }
                if let (Some(name), Some(meeting)) = (&meet.call, &mut self.model.meeting) {
                    meeting.title = text::dialogs::call_with(name);
                }
                self.screen = Screen::Meeting(Box::new(meeting::Screen::new(&self.choices, meet)));
                self.settings = None;
                self.dialogs.clear();
            }
        }
        self.session.go(&self.start, &self.choices, goal)
    }

    fn on_started(&mut self, generation: u64, result: Result<Handle, Trouble>) -> Task<Message> {
        if generation != self.session.generation() {
            // Two presses in a row: this engine is wanted no more.
            return result.map_or_else(|_| Task::none(), session::end);
        }
        match result {
            Ok(handle) => {
                self.draft = None;
                // One that a link led to is not joined by its name alone.
                if let Screen::Meeting(screen) = &self.screen
                    && let Some(room) = screen.room_by_name()
                {
                    self.choices.remember_room(room);
                }
                self.session.on_started(handle);
                if let Some(meeting) = &mut self.model.meeting {
                    meeting.since = clock::now();
                }
                let save = self.session.save(&self.start, &self.choices);
                Task::batch([save, self.session.greet(&self.choices, &self.screen)])
            }
            Err(trouble) => {
                let in_lobby = matches!(self.screen, Screen::Lobby(_));
                self.session.on_failed(trouble.clone());
                if in_lobby {
                    return Task::none();
                }
                self.toasts.push(self.now, notices::trouble(&trouble));
                self.go(Goal::Lobby)
            }
        }
    }

    fn on_ended(&mut self) -> Task<Message> {
        if matches!(self.screen, Screen::Lobby(_)) {
            self.model.leave();
            self.dialogs.retain(Dialog::outlives_the_engine);
            self.session.on_failed(Trouble::new(text::LOBBY_ENDED, text::LOBBY_ENDED_HINT));
            return Task::none();
        }
        // Joining again would take the seat from the run that has it now.
        let words = if self.model.warned(WarningCode::Replaced) { text::REPLACED } else { text::MEETING_ENDED };
        self.toasts.push(self.now, Toast::new(Tone::Caution, words));
        self.go(Goal::Lobby)
    }

    /// The one place where engine events come in.
    fn on_event(&mut self, event: Event) -> Task<Message> {
        self.now = clock::now();
        let stale = match &event {
            Event::Joined(_) | Event::Left { .. } | Event::Track { .. } | Event::Reconnected { .. } => true,
            // Whose name is whose, and how far a key is trusted.
            Event::Renamed(_) | Event::Trust { .. } => true,
            // A camera, microphone or speaker of ours that ended is off.
            Event::Warning(warning) => warning.is_about_own_devices(),
            _ => false,
        };
        if let Event::File(file) = &event
            && file.stage != FileStage::Offer
        {
            self.toasts.answered(file.transfer);
        }
        let at_once = notices::at_once(&event, &self.model, &self.choices, &mut self.dialogs);
        let notices = self.model.on_event(self.now, clock::unix_millis(), event);
        let mut tasks = vec![self.perform(at_once)];
        for mut notice in notices {
            self.model.tell_apart(&mut notice);
            tasks.push(self.on_notice(&notice));
        }
        match &mut self.screen {
            Screen::Meeting(screen) => {
                let action = screen.on_model_changed(&mut self.model, self.now);
                tasks.push(self.perform(action));
            }
            Screen::Lobby(lobby) => lobby.on_model_changed(&self.model),
        }
        if stale {
            // Handles, volumes and what depends on who is there come with the whole state.
            tasks.push(self.session.command(Command::State));
        }
        Task::batch(tasks)
    }

    fn on_notice(&mut self, notice: &Notice) -> Task<Message> {
        let seen = match &self.screen {
            Screen::Meeting(screen) => screen.shows(notice, &self.model),
            Screen::Lobby(_) => false,
        };
        if let Some(toast) = notices::toast(notice).filter(|_| !seen) {
            self.toasts.push(self.now, toast);
        }
        let mut tasks = Vec::new();
        if self.notifies() {
            tasks.push(self.session.notify(notice));
        }
        if let Notice::Rings(_) = notice {
            tasks.push(session::call_attention());
            tasks.push(self.session.sound(Sound::Ring, &self.choices));
        }
        Task::batch(tasks)
    }

    /// The desktop tells what happens: nobody looks at the window, and it was chosen.
    fn notifies(&self) -> bool {
        !self.focused && self.choices.notifications
    }

    fn on_answer(&mut self, command: Command, result: Result<Done, Failure>) -> Task<Message> {
        let again = if command == Command::State { self.session.on_state() } else { Task::none() };
        match result {
            Ok(Done::State(state)) => {
                self.model.on_state(&state);
                again
            }
            Ok(done) => {
                let asks = self.settings.as_mut().map_or(Action::None, |settings| settings.on_answer(&command, &done));
                if let (Done::Invited(invite), Screen::Meeting(screen)) = (&done, &mut self.screen)
                    && screen.on_invited(invite)
                {
                    return Task::none();
                }
                let action = session::answer(&command, done, &mut self.model, &self.choices, &mut self.dialogs);
                // What a command changed is seen in the state.
                let state =
                    if session::changes_state(&command) { self.session.command(Command::State) } else { Task::none() };
                let action = self.perform(action.and(asks));
                Task::batch([action, state, again])
            }
            Err(failure) => {
                dialog::failed(&command, &mut self.dialogs);
                if let Screen::Meeting(screen) = &mut self.screen {
                    screen.on_failure(&command, &mut self.model);
                }
                let said = self.settings.as_mut().is_some_and(|settings| settings.on_failure(&command, &failure));
                let toast = if said { Action::None } else { notices::failed(&command, &failure) };
                let said = self.perform(notices::name_gone(&command, &failure, &self.choices).and(toast));
                // What was shown before its answer is shown as it is.
                let state =
                    if session::changes_state(&command) { self.session.command(Command::State) } else { Task::none() };
                Task::batch([said, state, again])
            }
        }
    }

    /// A second start: this window comes to the front, and asks about the link that came with it.
    fn on_handed_over(&mut self, message: Option<handover::Message>) -> Task<Message> {
        let Some(message) = message else { return Task::none() };
        let next = Task::perform(self.start.launcher.handed_over(), Message::HandedOver);
        let front = iced::window::latest()
            .and_then(|id| Task::batch([iced::window::minimize(id, false), iced::window::gain_focus(id)]));
        let link = match message {
            handover::Message::Raise => Task::none(),
            handover::Message::Open(link) => self.perform(dialog::open_link(&link)),
        };
        Task::batch([next, front, link])
    }

    fn on_key(&mut self, event: keyboard::Event) -> Task<Message> {
        match keys::meaning(&event, !self.dialogs.is_empty() || self.settings.is_some()) {
            Some(keys::Meaning::NextFocus) => iced::widget::operation::focus_next(),
            Some(keys::Meaning::PreviousFocus) => iced::widget::operation::focus_previous(),
            Some(keys::Meaning::Settings) => self.perform(Action::Settings(self.settings.is_none())),
            Some(keys::Meaning::Shortcuts) => self.perform(Action::Open(Box::new(Dialog::Shortcuts))),
            Some(keys::Meaning::Escape) => {
                if !self.dialogs.is_empty() {
                    let closes = self.is_armed() && self.dialogs.last().is_some_and(Dialog::closes_by_escape);
                    return if closes { self.perform(Action::Close) } else { Task::none() };
                }
                if self.settings.is_some() {
                    return self.perform(Action::Settings(false));
                }
                self.screen_key(keys::Shortcut::Escape)
            }
            Some(keys::Meaning::Shortcut(shortcut)) => self.screen_key(shortcut),
            None => Task::none(),
        }
    }

    fn screen_key(&mut self, shortcut: keys::Shortcut) -> Task<Message> {
        if self.session.is_starting() {
            // There is nothing yet that a key could change.
            return Task::none();
        }
        let Screen::Meeting(screen) = &mut self.screen else { return Task::none() };
        let action = screen.on_shortcut(shortcut, &mut self.model, &self.choices, self.now);
        self.perform(action)
    }

    fn on_window(&mut self, event: window::Event) -> Task<Message> {
        match event {
            window::Event::Opened { size, .. } => {
                self.size = size;
                // Told by itself only when it changes later.
                let scale = window::latest().and_then(window::scale_factor);
                return scale.map(|scale| Message::Window(window::Event::Rescaled(scale)));
            }
            window::Event::Resized(size) => {
                self.size = size;
                self.choices.window = (size.width, size.height);
            }
            window::Event::Rescaled(scale) => self.scale = scale,
            window::Event::Focused => {
                self.focused = true;
                self.session.on_seen();
            }
            window::Event::Unfocused => {
                self.focused = false;
                // A key that is let go elsewhere is not heard of here.
                return self.screen_key(keys::Shortcut::Quiet);
            }
            window::Event::CloseRequested => return self.close(),
            window::Event::FileDropped(path) => {
                let action = match &mut self.screen {
                    Screen::Meeting(_) if self.session.is_starting() => Action::None,
                    Screen::Meeting(screen) => screen.on_pasted(Pasted::Files(vec![path]), &mut self.model),
                    Screen::Lobby(_) => dialog::on_dropped(path, &mut self.dialogs),
                };
                return self.perform(action);
            }
            _ => {}
        }
        Task::none()
    }

    /// Says goodbye first, then ends.
    fn close(&mut self) -> Task<Message> {
        let save = self.session.save(&self.start, &self.choices);
        self.session.finish().chain(save).chain(iced::exit())
    }
}

#[cfg(test)]
mod tests;
