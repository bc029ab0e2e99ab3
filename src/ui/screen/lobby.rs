//! The lobby: you, who and what is nearby, and the ways into a meeting.

mod empty;
mod files;
mod nearby;
#[cfg(test)]
mod tests;
mod you;

use std::time::{Duration, Instant};

use iced::widget::{Row, column, container, row, scrollable, space};
use iced::{Alignment, Background, Border, Element, Length};

use crate::engine::devices::{Devices, Kind as DeviceKind};
use crate::id::RoomName;
use crate::meeting::{Person, Trust, Warning, WarningCode};
use crate::ui::action::{self, Action};
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::dialog::{self, Dialog, join};
use crate::ui::icon::Icon;
use crate::ui::model::Model;
use crate::ui::notices;
use crate::ui::panel::transfer;
use crate::ui::session::{Session, Trouble, Way};
use crate::ui::text;
use crate::ui::text::lobby as words;
use crate::ui::theme::{GAP, GRID, LOBBY, Look, PAD, Size, YOU};
use crate::ui::toast::{Toast, Tone};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::divider;
use crate::ui::widget::{card, field, label, quiet, strong, title};

/// How long nobody may be in sight before the network is looked at: three times the time in which somebody is found.
const ALONE: Duration = Duration::from_secs(3);
/// Meetings of before that are offered, and characters of their names.
const RECENT: usize = 4;
const RECENT_NAME: usize = 24;
/// How often the meter moves.
const METER: Duration = Duration::from_millis(100);

/// Its state.
#[derive(Debug, Default)]
pub struct Lobby {
    // What was typed; until then the suggestion holds.
    room: Option<String>,
    name: Option<String>,
    devices: Option<Devices>,
    pickers: bool,
    camera: bool,
    // Why the camera that was to be seen is not.
    no_camera: Option<String>,
    alone_since: Option<Instant>,
    checked: bool,
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {
    /// The name of the meeting to start.
    Room(String),
    /// Start it.
    Start,
    /// Join this one in sight.
    Join(RoomName),
    /// Forget the meetings that one was in.
    Forget,
    /// The dialog for links, codes and addresses.
    JoinBy,
    /// Ring this person (WHO, name).
    Call(String, String),
    /// Send files to these; none asks whom.
    Drop(Vec<String>),
    /// Be sure of this person's key.
    Sure(Person, Trust),
    /// One's own name is typed.
    Name(String),
    /// It is done.
    NameDone,
    /// Camera on or off, now and in the next meeting.
    Camera,
    /// One's own picture, for a camera that is on.
    See,
    /// Microphone on or off in the next meeting.
    Microphone,
    /// The pickers are opened or closed.
    Pickers,
    /// A device was picked, as `av::spec` writes it.
    Pick(DeviceKind, String),
    /// Play the test sound, or end it.
    Test,
    /// Record the microphone and play it back, or end that.
    Record,
    /// Look at the network.
    Doctor,
    /// Look again, without a dialog.
    Check,
    /// Open the settings.
    Settings,
    /// Start the lobby again.
    Again,
    /// On a file.
    Transfer(transfer::Message),
    /// Forget the transfers that ended.
    Clear,
}

impl Lobby {
    /// With the name of a meeting that was typed before.
    pub fn typed(room: Option<String>) -> Self {
        Self { room, ..Self::default() }
    }

    /// The name of a meeting that was typed.
    pub fn room_typed(&self) -> Option<String> {
        self.room.clone()
    }

    /// One thing that was done.
    pub fn update(&mut self, message: Message, model: &mut Model, choices: &Choices) -> Action {
        match message {
            Message::Room(room) => {
                self.room = Some(room);
                Action::None
            }
            Message::Start => match RoomName::new(&self.room(model)) {
                Ok(room) => self.rename(model).and(Action::Meet(action::meet_nearby(room, model, choices))),
                Err(_) => Action::Toast(Toast::new(Tone::Caution, words::BAD_ROOM)),
            },
            // A name that was typed counts, also where nobody pressed its tick.
            Message::Join(room) => self.rename(model).and(Action::Meet(action::meet_nearby(room, model, choices))),
            Message::Forget => Action::Choose(Box::new(Choices { rooms: Vec::new(), ..choices.clone() })),
            Message::JoinBy => self.rename(model).and(Action::Open(Box::new(Dialog::Join(join::Join::default())))),
            Message::Call(who, name) => self.rename(model).and(Action::Call(who, name)),
            Message::Drop(to) => self.rename(model).and(Action::PickFiles(to)),
            Message::Sure(person, trust) => dialog::sure(person, trust),
            Message::Name(name) => {
                self.name = Some(name);
                Action::None
            }
            Message::NameDone => self.rename(model),
            Message::Camera => {
                (self.camera, self.no_camera) = (!choices.camera_on, None);
                let choices = Choices { camera_on: !choices.camera_on, ..choices.clone() };
                Action::Choose(Box::new(choices)).and(self.preview())
            }
            Message::See => {
                (self.camera, self.no_camera) = (true, None);
                self.preview()
            }
            Message::Microphone => {
                Action::Choose(Box::new(Choices { microphone_on: !choices.microphone_on, ..choices.clone() }))
            }
            Message::Pickers => {
                self.pickers = !self.pickers;
                let list = if self.pickers { Action::ListDevices } else { Action::None };
                list.and(self.preview())
            }
            Message::Pick(kind, spec) => {
                let mut choices = choices.clone();
                match kind {
                    DeviceKind::Camera => (choices.camera, self.no_camera) = (spec, None),
                    DeviceKind::Microphone => choices.microphone = spec,
                    DeviceKind::Speaker => choices.speaker = spec,
                    // Chosen anew each time it is shared.
                    DeviceKind::Screen => {}
                }
                Action::Choose(Box::new(choices)).and(self.preview())
            }
            Message::Test => Action::TestSound,
            Message::Record => Action::RecordSound,
            Message::Doctor => Action::Doctor,
            Message::Check => Action::Check,
            Message::Settings => Action::Settings(true),
            Message::Again => Action::Again,
            Message::Transfer(message) => transfer::perform(message),
            Message::Clear => {
                model.transfers.clear_ended();
                Action::None
            }
        }
    }

    fn preview(&self) -> Action {
        Action::Preview { camera: self.camera, microphone: self.pickers }
    }

    fn rename(&mut self, model: &Model) -> Action {
        let Some(typed) = self.name.take() else { return Action::None };
        let name = crate::share::DisplayName::new(&typed);
        let same = model.me.as_ref().is_some_and(|me| me.name == name);
        if same || typed.trim().is_empty() { Action::None } else { Action::Rename(name.as_str().to_owned()) }
    }

    /// The name of the meeting that one click starts.
    fn room(&self, model: &Model) -> String {
        if let Some(room) = &self.room {
            return room.clone();
        }
        let name = model.me.as_ref().map(|me| words::room_of(me.name.as_str())).unwrap_or_default();
        let taken = |name: &str| {
            let id = RoomName::new(name).ok().map(|room| room.id());
            model.nearby.meetings.iter().any(|meeting| Some(meeting.room.id()) == id)
        };
        if !taken(&name) {
            return name;
        }
        (2..100).map(|n| format!("{name} {n}")).find(|name| !taken(name)).unwrap_or(name)
    }

    /// Pickers of devices are open.
    pub fn shows_devices(&self) -> bool {
        self.pickers
    }

    /// The system's devices are known.
    pub fn on_devices(&mut self, devices: Devices) {
        self.devices = Some(devices);
    }

    /// Time went on.
    pub fn on_tick(&mut self, now: Instant, model: &Model, session: &mut Session) -> Action {
        let said = self.on_troubles(&session.preview_mut().troubles());
        if session.handle().is_none() || !model.nearby.people.is_empty() {
            self.alone_since = None;
            return said;
        }
        let since = *self.alone_since.get_or_insert(now);
        if !self.checked && now.saturating_duration_since(since) >= ALONE {
            self.checked = true;
            return said.and(Action::Check);
        }
        said
    }

    /// What went wrong with the preview. A camera that fails is closed, and its place says why.
    fn on_troubles(&mut self, troubles: &[Warning]) -> Action {
        let said = troubles.iter().map(|trouble| Action::Toast(notices::warning(trouble)));
        let said = Action::Many(said.collect());
        // A source that failed is the camera where no microphone is open.
        let camera = troubles.iter().find(|trouble| match trouble.code {
            WarningCode::NoCamera => true,
            WarningCode::SourceFailed => !self.pickers,
            _ => false,
        });
        let Some(trouble) = camera.filter(|_| self.camera) else { return said };
        (self.no_camera, self.camera) = (Some(text::warning(trouble)), false);
        said.and(self.preview())
    }

    /// The model changed by an event.
    pub fn on_model_changed(&mut self, model: &Model) {
        if !model.nearby.people.is_empty() {
            self.alone_since = None;
        }
    }

    /// How often it wants time: not at all while nothing is to be looked at.
    pub fn pace(&self, model: &Model, session: &Session) -> Option<Duration> {
        if self.pickers {
            return Some(METER);
        }
        let alone = session.handle().is_some() && model.nearby.people.is_empty();
        // An open camera may fail at any time.
        (self.camera || alone && !self.checked).then_some(Duration::from_secs(1))
    }

    /// The picture of it.
    pub fn view<'a>(&'a self, context: Context<'a>, session: &'a Session) -> Element<'a, Message> {
        let look = context.look;
        // Larger text leaves less room, as a smaller window does.
        let narrow = context.size.width / look.text_scale < 720.0;
        let you = you::view(self, context, session);
        let meet = self.meet(context, session);
        let page: Element<'a, Message> = if narrow {
            column![meet, you].spacing(GAP).into()
        } else {
            let wide = look.scaled(YOU).min(context.size.width * 0.36);
            row![container(you).width(wide), container(meet).width(Length::Fill)].spacing(GAP).into()
        };
        let page = container(page).padding(GAP).max_width(look.scaled(LOBBY));
        let page = scrollable(container(page).center_x(Length::Fill)).height(Length::Fill);
        column![top(context, session), divider(look), page].into()
    }

    /// The right side: what to do, and with whom.
    fn meet<'a>(&'a self, context: Context<'a>, session: &'a Session) -> Element<'a, Message> {
        let mut parts = vec![self.head(context)];
        if let Some(trouble) = session.trouble() {
            parts.push(trouble_card(look_of(context), trouble));
        }
        if !context.hidden && session.trouble().is_none() {
            parts.extend(nearby::view(context));
        } else if session.trouble().is_none() {
            parts.push(hidden(context.look));
            parts.extend(nearby::view(context));
        }
        let nobody = context.model.nearby.people.is_empty();
        if nobody && session.trouble().is_none() {
            parts.push(empty::view(context, session));
        }
        parts.extend(files::view(context));
        column(parts).spacing(GAP).into()
    }

    /// The ways into a meeting that are always there.
    fn head<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let join = button::with_words(look, Kind::Plain, words::JOIN_BY)
            .icon(Icon::Code)
            .id("join-by")
            .on_press(Message::JoinBy);
        let name = field::line(look, "room", text::MEETING_NAME, &self.room(context.model))
            .on_input(Message::Room)
            .on_submit(Message::Start)
            .width(Length::Fill);
        let start = button::with_words(look, Kind::Primary, text::START_MEETING)
            .icon(Icon::Plus)
            .id("start")
            .on_press(Message::Start);
        let first = row![title(look, words::MEET).width(Length::Fill), join].align_y(Alignment::Center).spacing(GRID);
        let second = row![name, start].spacing(GRID).align_y(Alignment::Center);
        column![first, second, recent(context)].spacing(PAD).into()
    }
}

/// The meetings that one was in last and that are not on screen already: one press starts them, or joins whoever is there.
fn recent<'a>(context: Context<'a>) -> Option<Element<'a, Message>> {
    let look = context.look;
    let near = |room: &RoomName| context.model.nearby.meetings.iter().any(|meeting| meeting.room.id() == room.id());
    let known = context.choices.rooms.iter().filter_map(|name| RoomName::new(name).ok());
    let mut rooms = known.filter(|room| !near(room)).take(RECENT).peekable();
    rooms.peek()?;
    let rooms = rooms.map(|room| {
        let name = crate::ui::widget::label::shortened(room.as_str(), RECENT_NAME);
        let id = format!("recent {}", room.as_str());
        button::with_words(look, Kind::Plain, name).small().id(id).on_press(Message::Join(room)).into()
    });
    let forget = button::with_icon(look, Kind::Quiet, Icon::Close, words::FORGET_ROOMS).small().id("forget-rooms");
    let all = std::iter::once(quiet(look, words::RECENT).into()).chain(rooms);
    let all = all.chain([Element::from(forget.on_press(Message::Forget))]);
    Some(Row::with_children(all).spacing(GRID).align_y(Alignment::Center).wrap().vertical_spacing(GRID).into())
}

fn look_of(context: Context<'_>) -> Look {
    context.look
}

/// The bar across the top: the program, how it stands, the doctor and the settings.
fn top<'a>(context: Context<'a>, session: &'a Session) -> Element<'a, Message> {
    let look = context.look;
    let c = look.colours;
    let people = context.model.nearby.people.len();
    let (words, colour) = if session.trouble().is_some() {
        (words::NOT_RUNNING.to_owned(), c.danger)
    } else if session.is_starting() {
        (words::STARTING.to_owned(), c.caution)
    } else if people == 0 {
        (words::status(0), c.quiet)
    } else {
        (words::status(people), c.good)
    };
    let dot = container(space()).width(GRID).height(GRID).style(move |_| container::Style {
        background: Some(Background::Color(colour)),
        border: Border { radius: (GRID / 2.0).into(), ..Border::default() },
        ..Default::default()
    });
    let status = row![dot, quiet(look, words)].spacing(GRID).align_y(Alignment::Center);
    let doctor =
        button::with_icon(look, Kind::Quiet, Icon::Doctor, words::CHECK_NETWORK).id("doctor").on_press(Message::Doctor);
    let settings =
        button::with_icon(look, Kind::Quiet, Icon::Settings, text::SETTINGS).id("settings").on_press(Message::Settings);
    let name =
        row![Icon::App.coloured(look, Size::Title, c.accent), strong(look, text::APP).size(look.size(Size::Large))];
    let all = row![
        name.spacing(GRID).align_y(Alignment::Center).width(Length::Fill),
        status,
        row![doctor, settings].spacing(GRID / 2.0)
    ];
    container(all.spacing(PAD).align_y(Alignment::Center)).padding([GRID, GAP]).width(Length::Fill).into()
}

/// The engine did not start: what happened, what to do, and the ways on.
fn trouble_card<'a>(look: Look, trouble: &Trouble) -> Element<'a, Message> {
    let icon = Icon::Warning.coloured(look, Size::Title, look.colours.danger);
    let what = column![strong(look, trouble.message.clone()), label(look, trouble.hint.clone())].spacing(GRID);
    let again = button::with_words(look, Kind::Primary, words::TRY_AGAIN).id("again").on_press(Message::Again);
    let way = match trouble.way {
        Way::Again => None,
        Way::Settings => Some(
            button::with_words(look, Kind::Plain, words::OPEN_SETTINGS).id("way-settings").on_press(Message::Settings),
        ),
        Way::Doctor => {
            Some(button::with_words(look, Kind::Plain, words::CHECK_NETWORK).id("way-doctor").on_press(Message::Doctor))
        }
    };
    let ways = Row::with_children([Some(again), way].into_iter().flatten().map(Element::from)).spacing(GRID).wrap();
    let inside = row![icon, column![what, ways].spacing(PAD).width(Length::Fill)].spacing(PAD);
    card(look, inside).width(Length::Fill).into()
}

/// Nobody sees us, as was chosen.
fn hidden<'a>(look: Look) -> Element<'a, Message> {
    let icon = Icon::EyeOff.coloured(look, Size::Large, look.colours.caution);
    let settings = button::with_words(look, Kind::Plain, words::OPEN_SETTINGS)
        .small()
        .id("hidden-settings")
        .on_press(Message::Settings);
    let inside = row![icon, label(look, words::HIDDEN).width(Length::Fill), settings];
    card(look, inside.spacing(PAD).align_y(Alignment::Center)).width(Length::Fill).into()
}
