//! The meeting: top bar, stage, panel, control bar.

mod bar;
mod frame;
mod joining;
mod sharing;
mod shut;
mod stage;
#[cfg(test)]
mod tests;
mod tile;
mod toggles;
mod top;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use iced::widget::{column, container, opaque, row, stack};
use iced::{Element, Length, Point, Size};

use crate::av::spec;
use crate::engine::pictures::{Key, PixelSize};
use crate::id::PeerId;
use crate::meeting::{Command, WarningCode};
use crate::ui::action::{Action, Meet};
use crate::ui::app::Context;
use crate::ui::choices::{Choices, Layout, Panel};
use crate::ui::dialog::{self, Dialog, invite};
use crate::ui::keys::Shortcut;
use crate::ui::model::meeting::Meeting;
use crate::ui::model::{Model, Notice};
use crate::ui::panel::chat::{self, Chat};
use crate::ui::panel::files::{self, Files};
use crate::ui::panel::people::{self, People};
use crate::ui::panel::stats::{self, Stats};
use crate::ui::session::Pasted;
use crate::ui::theme::TICK_MS;

use stage::{Corner, Own};
use views::Views;

/// How the stage is laid out now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Everybody in tiles of one size.
    Grid,
    /// Who speaks is large.
    Speaker,
    /// This one is large.
    Pinned(PeerId),
}

/// A menu that rises from the control bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Menu {
    /// Emoji to react with.
    React,
    /// All else.
    More,
}

/// The invitation beside one's own picture while nobody else is here.
#[derive(Debug, Default)]
enum Invitation {
    #[default]
    Unknown,
    Asked,
    Known(invite::Invite),
}

/// Its state.
#[derive(Debug)]
pub struct Screen {
    // The way in, for another try.
    meet: Meet,
    panel: Option<Panel>,
    shown: Shown,
    pinned: Option<PeerId>,
    menu: Option<Menu>,
    own: Own,
    over_own: bool,
    talking: bool,
    // `None` is oneself. Present people only, as the engine counts them.
    speaking: BTreeSet<Option<PeerId>>,
    // Who is large while the layout follows the voices.
    loudest: Option<PeerId>,
    drawn: BTreeMap<Key, PixelSize>,
    views: Views,
    // Asked for once, when one is alone.
    invitation: Invitation,
    chat: Chat,
    people: People,
    files: Files,
    stats: Stats,
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {
    /// Leave.
    Leave,
    /// Try to get in once more.
    Again,
    /// Microphone on or off.
    Microphone,
    /// Camera on or off.
    Camera,
    /// Share a screen, or stop sharing.
    Share,
    /// Raise or lower the hand.
    Hand,
    /// React with this.
    React(String),
    /// Open this menu, or close it.
    Menu(Menu),
    /// Close the open menu.
    CloseMenu,
    /// Open this panel, or close it.
    Panel(Panel),
    /// Show this panel.
    Tab(Panel),
    /// Close the panel.
    ClosePanel,
    /// Lay the stage out like this.
    Layout(Layout),
    /// Make this one large, or no longer.
    Pin(PeerId),
    /// Cap the own picture.
    Quality(spec::Quality),
    /// Show one's own tile.
    OwnTile(bool),
    /// The own tile is held.
    OwnHeld,
    /// The pointer that holds it is here, on a stage of this size.
    OwnMoved(Point, Size),
    /// It was let go.
    OwnDropped(Size),
    /// It is to rest there.
    OwnCorner(Corner),
    /// The pointer is over it.
    OverOwn(bool),
    /// On the invitation beside one's own picture.
    Invitation(invite::Message),
    /// Show the invitation.
    Invite,
    /// Open the settings.
    Settings,
    /// Open the sheet of shortcuts.
    Shortcuts,
    /// These speak now.
    Speaking(BTreeSet<Option<PeerId>>),
    /// These pictures are on screen, so large.
    Drawn(BTreeMap<Key, PixelSize>),
    /// In the chat.
    Chat(chat::Message),
    /// In the panel of people.
    People(people::Message),
    /// In the files.
    Files(files::Message),
    /// In the figures.
    Stats(stats::Message),
}

impl Screen {
    /// At the start of a meeting.
    pub fn new(choices: &Choices, meet: &Meet) -> Self {
        Self {
            meet: meet.clone(),
            panel: choices.panel,
            shown: shown(choices.layout),
            pinned: None,
            menu: None,
            own: Own::default(),
            over_own: false,
            talking: false,
            speaking: BTreeSet::new(),
            loudest: None,
            drawn: BTreeMap::new(),
            views: Views::default(),
            invitation: Invitation::default(),
            chat: Chat::default(),
            people: People::default(),
            files: Files::default(),
            stats: Stats::default(),
        }
    }

    /// One thing that was done.
    pub fn update(&mut self, message: Message, model: &mut Model, choices: &Choices, now: Instant) -> Action {
        match message {
            Message::Leave => Action::Leave,
            Message::Again => Action::Meet(self.meet_again(model)),
            Message::Microphone => {
                self.talking = false;
                let on = !model.meeting.as_ref().is_some_and(Meeting::microphone_on);
                toggles::microphone(model, choices, on)
            }
            Message::Camera => toggles::camera(model, choices),
            Message::Share => {
                self.menu = None;
                if model.meeting.as_ref().is_some_and(Meeting::sharing) {
                    Action::Engine(Command::Screen { on: false, source: None })
                } else {
                    dialog::share()
                }
            }
            Message::Hand => Action::Engine(Command::Hand { up: !self.hand_up(model) }),
            Message::React(emoji) => {
                self.menu = None;
                Action::Engine(Command::React { emoji })
            }
            Message::Menu(menu) => {
                self.menu = if self.menu == Some(menu) { None } else { Some(menu) };
                Action::None
            }
            Message::CloseMenu => {
                self.menu = None;
                Action::None
            }
            Message::Panel(panel) if self.panel == Some(panel) => self.close_panel(choices),
            Message::Panel(panel) | Message::Tab(panel) => {
                let open = self.open_panel(panel, model);
                open.and(Action::Choose(Box::new(Choices { panel: self.panel, ..choices.clone() })))
            }
            Message::ClosePanel => self.close_panel(choices),
            Message::Layout(layout) => {
                self.shown = shown(layout);
                Action::Choose(Box::new(Choices { layout, ..choices.clone() }))
            }
            Message::Pin(peer) => {
                if self.shown == Shown::Pinned(peer) {
                    (self.shown, self.pinned) = (shown(choices.layout), None);
                } else {
                    (self.shown, self.pinned) = (Shown::Pinned(peer), Some(peer));
                }
                Action::None
            }
            Message::Quality(quality) => {
                let chosen = Choices { quality: quality.to_string(), ..choices.clone() };
                Action::Engine(Command::Quality(quality)).and(Action::Choose(Box::new(chosen)))
            }
            Message::OwnTile(own_tile) => {
                (self.over_own, self.own.held) = (false, None);
                Action::Choose(Box::new(Choices { own_tile, ..choices.clone() }))
            }
            Message::OwnHeld => {
                self.own.held = Some(stage::Held::default());
                Action::None
            }
            Message::OwnMoved(at, area) => {
                self.own.on_move(at, area);
                Action::None
            }
            Message::OwnDropped(area) => {
                self.own.on_drop(area);
                Action::None
            }
            Message::OwnCorner(corner) => {
                self.own.corner = corner;
                Action::None
            }
            Message::OverOwn(over) => {
                self.over_own = over;
                Action::None
            }
            Message::Invitation(message) => match &mut self.invitation {
                Invitation::Known(invite) => invite.update(&message),
                Invitation::Unknown | Invitation::Asked => Action::None,
            },
            Message::Invite => {
                self.menu = None;
                dialog::invite()
            }
            Message::Settings => {
                self.menu = None;
                Action::Settings(true)
            }
            Message::Shortcuts => {
                self.menu = None;
                Action::Open(Box::new(Dialog::Shortcuts))
            }
            Message::Speaking(speaking) => {
                self.on_speaking(speaking);
                Action::None
            }
            Message::Drawn(drawn) => {
                self.drawn = drawn;
                self.look_at(model, now)
            }
            Message::Chat(message) => self.chat.update(message, model, choices),
            Message::People(people::Message::OnlyTo(person)) => {
                let open = self.open_panel(Panel::Chat, model);
                self.chat.only_to(person);
                open
            }
            Message::People(message) => self.people.update(message, model, choices),
            Message::Files(message) => self.files.update(message, model, choices),
            Message::Stats(message) => self.stats.update(message, model, choices),
        }
    }

    /// A key.
    pub fn on_shortcut(&mut self, shortcut: Shortcut, model: &mut Model, choices: &Choices, now: Instant) -> Action {
        let message = match shortcut {
            Shortcut::Microphone => Message::Microphone,
            Shortcut::Camera => Message::Camera,
            Shortcut::Share => Message::Share,
            Shortcut::Hand => Message::Hand,
            Shortcut::Chat => Message::Panel(Panel::Chat),
            Shortcut::People => Message::Panel(Panel::People),
            Shortcut::Files => Message::Panel(Panel::Files),
            Shortcut::Stats => Message::Panel(Panel::Stats),
            Shortcut::Grid => Message::Layout(Layout::Grid),
            Shortcut::Speaker => Message::Layout(Layout::Speaker),
            Shortcut::Pinned => match self.to_pin(model) {
                Some(peer) => Message::Pin(peer),
                None => return Action::None,
            },
            Shortcut::Talk => {
                let silent = model.meeting.as_ref().is_some_and(|meeting| !meeting.microphone_on());
                if !silent || self.talking {
                    return Action::None;
                }
                self.talking = true;
                return toggles::microphone(model, choices, true);
            }
            Shortcut::Quiet => {
                let talked = std::mem::take(&mut self.talking);
                return if talked { toggles::microphone(model, choices, false) } else { Action::None };
            }
            Shortcut::Escape => {
                if self.menu.take().is_some() || self.own.held.take().is_some() {
                    return Action::None;
                }
                let closed = match self.panel {
                    Some(Panel::Chat) => self.chat.on_escape(),
                    Some(Panel::Files) => self.files.on_escape(),
                    Some(Panel::Stats) => self.stats.on_escape(),
                    Some(Panel::People) | None => false,
                };
                return if closed || self.panel.is_none() { Action::None } else { self.close_panel(choices) };
            }
            Shortcut::Paste => return Action::Paste,
        };
        self.update(message, model, choices, now)
    }

    /// Time went on.
    pub fn on_tick(&mut self, model: &Model, now: Instant) -> Action {
        if self.views.is_waiting() { self.look_at(model, now) } else { Action::None }
    }

    /// The model changed by an event.
    pub fn on_model_changed(&mut self, model: &mut Model, now: Instant) -> Action {
        if self.panel == Some(Panel::Chat) {
            self.chat.on_model_changed(model);
        }
        if let Some(meeting) = &model.meeting {
            self.people.on_model_changed(meeting);
        }
        let look = self.look_at(model, now);
        let alone = model.meeting.as_ref().is_some_and(|meeting| meeting.people.is_empty());
        if alone && matches!(self.invitation, Invitation::Unknown) {
            self.invitation = Invitation::Asked;
            return look.and(dialog::invite());
        }
        look
    }

    /// An invitation came. True when it was asked for here, and not to be shown in a dialog.
    pub fn on_invited(&mut self, invite: &crate::invite::Invite) -> bool {
        let asked = matches!(self.invitation, Invitation::Asked);
        if asked {
            self.invitation = Invitation::Known(invite::Invite::new(invite));
        }
        asked
    }

    /// What was on the clipboard, or dropped on the window: for the chat, or for the files where that panel is open. Files wait
    /// there for a word, and go to those who are chosen there.
    pub fn on_pasted(&mut self, pasted: Pasted, model: &mut Model) -> Action {
        if self.panel == Some(Panel::Files) {
            return self.files.on_pasted(pasted);
        }
        let open = self.open_panel(Panel::Chat, model);
        open.and(self.chat.on_pasted(pasted))
    }

    /// A command of this screen failed.
    pub fn on_failure(&mut self, command: &Command, model: &mut Model) {
        self.chat.on_failure(command);
        toggles::undo(command, model);
        if *command == Command::Invite && matches!(self.invitation, Invitation::Asked) {
            self.invitation = Invitation::Unknown;
        }
        if matches!(command, Command::Microphone { on: true, .. }) {
            self.talking = false;
        }
    }

    /// The notice is on screen already: no toast.
    pub fn shows(&self, notice: &Notice, model: &Model) -> bool {
        let shut = model.meeting.as_ref().is_some_and(|meeting| meeting.shut().is_some());
        let why = [WarningCode::RoomFull, WarningCode::Removed];
        if matches!(notice, Notice::Warning(warning) if shut && why.contains(&warning.code)) {
            return true;
        }
        matches!(
            (notice, self.panel),
            (Notice::Said { .. }, Some(Panel::Chat)) | (Notice::Offered(_), Some(Panel::Files | Panel::Chat))
        )
    }

    /// Opens a panel, or leaves it open.
    pub fn open_panel(&mut self, panel: Panel, model: &mut Model) -> Action {
        self.menu = None;
        if self.panel.replace(panel) == Some(Panel::Chat) && panel != Panel::Chat {
            self.chat.on_close();
        }
        if panel == Panel::Chat { self.chat.on_open(model) } else { Action::None }
    }

    /// How often it wants time.
    pub fn pace(&self, model: &Model, choices: &Choices, now: Instant) -> Option<Duration> {
        let seen = model.meeting.as_ref().is_some_and(|meeting| meeting.reactions.is_moving(now));
        Some(Duration::from_millis(match (seen && !choices.reduced_motion, seen || self.views.is_waiting()) {
            (true, _) => TICK_MS,
            // A reaction that stands still goes in time.
            (false, true) => 250,
            // The clock in the top bar.
            (false, false) => 1000,
        }))
    }

    /// The picture of it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let Some(meeting) = &context.model.meeting else { return column![].into() };
        if context.starting {
            return joining::view(context, meeting);
        }
        let panel = frame::view(self, context, meeting);
        let stage = if self.stats_page() {
            crate::ui::screen::stats::page(&self.stats, context).map(Message::Stats)
        } else {
            stage::view(self, context, meeting)
        };
        // What the panel covers is not drawn at all.
        let middle: Element<'a, Message> = match panel {
            // The page says all that the panel does.
            _ if self.stats_page() => stage,
            Some(panel) if frame::covers(context) => opaque(panel),
            Some(panel) => row![stage, panel].into(),
            None => stage,
        };
        let middle = stack![middle, bar::menu(self, context, meeting)].width(Length::Fill).height(Length::Fill);
        let all = column![
            top::view(self, context, meeting),
            sharing::view(context, meeting),
            container(middle).height(Length::Fill),
            bar::view(self, context, meeting)
        ];
        all.into()
    }

    /// The room, if it was not a link that led here.
    pub fn room_by_name(&self) -> Option<&crate::id::RoomName> {
        self.meet.invite.is_none().then_some(&self.meet.room)
    }

    /// The way in, with what is on now.
    fn meet_again(&self, model: &Model) -> Meet {
        let on = |is: fn(&Meeting) -> bool| model.meeting.as_ref().is_some_and(is);
        Meet { camera: on(Meeting::camera_on), microphone: on(Meeting::microphone_on), ..self.meet.clone() }
    }

    fn stats_page(&self) -> bool {
        self.panel == Some(Panel::Stats) && self.stats.is_expanded()
    }

    /// Our hand is raised.
    fn hand_up(&self, model: &Model) -> bool {
        let me = model.me.as_ref().map(|me| me.peer);
        let hands = model.meeting.iter().flat_map(|meeting| &meeting.hands);
        hands.into_iter().any(|person| Some(person.peer) == me)
    }

    /// The layout below a pin.
    fn layout(&self) -> Option<Layout> {
        match self.shown {
            Shown::Grid => Some(Layout::Grid),
            Shown::Speaker => Some(Layout::Speaker),
            Shown::Pinned(_) => None,
        }
    }

    /// Whose tile is large.
    fn featured(&self, meeting: &Meeting) -> Option<PeerId> {
        match self.shown {
            Shown::Grid => None,
            Shown::Pinned(peer) => Some(peer).filter(|peer| meeting.people.contains_key(peer)),
            Shown::Speaker => {
                let loudest = self.loudest.filter(|peer| meeting.people.contains_key(peer));
                loudest.or_else(|| meeting.in_order().first().map(|first| first.person.peer))
            }
        }
    }

    /// Whom the key of the pinned layout is about.
    fn to_pin(&self, model: &Model) -> Option<PeerId> {
        let meeting = model.meeting.as_ref()?;
        let here = |peer: &PeerId| meeting.people.contains_key(peer);
        let first = || meeting.in_order().first().map(|first| first.person.peer);
        self.pinned.filter(here).or(self.loudest.filter(here)).or_else(first)
    }

    fn on_speaking(&mut self, speaking: BTreeSet<Option<PeerId>>) {
        self.speaking = speaking;
        // Who is large stays so while it speaks: tiles that jump to and fro tell nobody anything.
        if !self.loudest.is_some_and(|peer| self.speaking.contains(&Some(peer))) {
            self.loudest = self.speaking.iter().flatten().next().copied().or(self.loudest);
        }
    }

    /// Asks for the pictures that are on screen.
    fn look_at(&mut self, model: &Model, now: Instant) -> Action {
        let Some(meeting) = &model.meeting else { return Action::None };
        // The page says how pictures come in: they go on coming while it lies over them.
        if self.stats_page() {
            return Action::None;
        }
        // Where nothing is to be seen there is nothing to ask for.
        let people = || meeting.people.values();
        let cameras = people().filter(|p| p.has_picture()).map(|p| Key::camera(p.person.peer));
        let screens = people().filter(|p| p.shares()).map(|p| Key::screen(p.person.peer));
        let there: Vec<Key> = cameras.chain(screens).collect();
        let commands = self.views.update(now, &there, &self.drawn);
        commands.into_iter().fold(Action::None, |all, command| all.and(Action::Engine(command)))
    }

    /// The panel that is open.
    pub fn open(&self) -> Option<Panel> {
        self.panel
    }

    /// A panel is open and lies over the stage.
    pub fn panel_covers(&self, context: Context<'_>) -> bool {
        self.panel.is_some() && frame::covers(context)
    }

    fn close_panel(&mut self, choices: &Choices) -> Action {
        if self.panel.take() == Some(Panel::Chat) {
            self.chat.on_close();
        }
        Action::Choose(Box::new(Choices { panel: None, ..choices.clone() }))
    }
}

fn shown(layout: Layout) -> Shown {
    match layout {
        Layout::Grid => Shown::Grid,
        Layout::Speaker => Shown::Speaker,
    }
}
