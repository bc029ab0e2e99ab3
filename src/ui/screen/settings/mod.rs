//! The settings, over the screen: a list of sections at the left, one of them at the right. A change is kept at once
//! ([`Action::Choose`]); what is typed waits for its button, so that half an address is never used.

mod sections;
mod username;

use std::path::PathBuf;

use iced::widget::{column, container, opaque, row, scrollable};
use iced::{Alignment, Element, Length};

use crate::av::spec;
use crate::engine::devices::Devices;
use crate::engine::doctor::Interface;
use crate::meeting::{Accept, Command, Done, Failure, KnownPerson, Person, Trust, Words};
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::dialog;
use crate::ui::icon::Icon;
use crate::ui::model::Model;
use crate::ui::text;
use crate::ui::text::settings as words;
use crate::ui::theme::{self, GAP, PAD};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::title;
use username::Username;

/// Below this width the list of pages has icons alone.
const WORDS: f32 = 720.0;

/// One page of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each name says what it is")]
pub enum Section {
    Profile,
    Devices,
    Voice,
    Video,
    Network,
    Privacy,
    Appearance,
    Keys,
    Shortcuts,
}

impl Section {
    /// All of them, in the order of the list.
    pub const ALL: [Self; 9] = [
        Self::Profile,
        Self::Devices,
        Self::Voice,
        Self::Video,
        Self::Network,
        Self::Privacy,
        Self::Appearance,
        Self::Keys,
        Self::Shortcuts,
    ];

    const fn words(self) -> (&'static str, &'static str, Icon) {
        match self {
            Self::Profile => ("section-profile", words::PROFILE, Icon::Profile),
            Self::Devices => ("section-devices", words::DEVICES, Icon::Microphone),
            Self::Voice => ("section-voice", words::VOICE, Icon::Voice),
            Self::Video => ("section-video", words::VIDEO, Icon::Quality),
            Self::Network => ("section-network", words::NETWORK, Icon::Network),
            Self::Privacy => ("section-privacy", words::PRIVACY, Icon::Privacy),
            Self::Appearance => ("section-appearance", words::APPEARANCE, Icon::Appearance),
            Self::Keys => ("section-keys", words::KEYS, Icon::Key),
            Self::Shortcuts => ("section-shortcuts", text::SHORTCUTS, Icon::Keyboard),
        }
    }
}

/// Its state: the open section and what was typed and not applied yet.
#[derive(Debug)]
pub struct Settings {
    section: Section,
    devices: Option<Devices>,
    known: Option<Vec<KnownPerson>>,
    interfaces: Option<Vec<Interface>>,
    words: Option<Words>,
    name: String,
    username: Username,
    rendezvous: String,
    port: String,
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {
    /// Close.
    Close,
    /// Another section.
    Section(Section),
    /// A choice was made: these are all of them now.
    Choose(Box<Choices>),
    /// The name is typed.
    Name(String),
    /// Keep the name.
    KeepName,
    /// About the username.
    Username(username::Message),
    /// The rendezvous is typed.
    Rendezvous(String),
    /// The port is typed.
    Port(String),
    /// Use what was typed.
    ApplyNetwork,
    /// Anything for the root as it is.
    Ask(Ask),
}

/// What only the root can do.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Play the test sound.
    TestSound,
    /// Check the network.
    Doctor,
    /// Pick the folder for files.
    PickFolder,
    /// Copy this.
    Copy(String),
    /// Be sure of this key.
    Sure(Person, Trust),
    /// Forget this key (WHO).
    Forget(String),
}

impl Settings {
    /// As it opens.
    pub fn new(choices: &Choices, model: &Model) -> Self {
        Self {
            section: Section::Profile,
            devices: None,
            known: None,
            interfaces: None,
            words: None,
            username: Username::new(choices),
            name: model.me.as_ref().map(|me| me.name.to_string()).unwrap_or_default(),
            rendezvous: choices.rendezvous.clone(),
            port: choices.port.map(|port| port.to_string()).unwrap_or_default(),
        }
    }

    /// With this section open.
    #[must_use]
    pub fn at(mut self, section: Section) -> Self {
        self.section = section;
        self
    }

    /// One thing that was done.
    pub fn update(&mut self, message: Message, model: &Model, choices: &Choices) -> Action {
        match message {
            Message::Close => Action::Settings(false),
            Message::Section(section) => {
                self.section = section;
                match section {
                    Section::Keys if self.words.is_none() => Action::Engine(Command::KnownPeople).and(Action::OwnWords),
                    Section::Keys => Action::Engine(Command::KnownPeople),
                    Section::Devices => Action::ListDevices,
                    Section::Network => Action::ListInterfaces,
                    _ => Action::None,
                }
            }
            Message::Choose(chosen) => {
                let devices = live(choices, &chosen, model);
                Action::Choose(chosen).and(devices)
            }
            Message::Name(name) => {
                self.name = name;
                Action::None
            }
            Message::KeepName if self.name.trim().is_empty() => Action::None,
            Message::KeepName => Action::Rename(self.name.trim().to_owned()),
            Message::Username(username::Message::Rendezvous) => {
                self.update(Message::Section(Section::Network), model, choices)
            }
            Message::Username(message) => self.username.update(message, model),
            Message::Rendezvous(text) => {
                self.rendezvous = text;
                Action::None
            }
            Message::Port(text) => {
                self.port = text.chars().filter(char::is_ascii_digit).take(5).collect();
                Action::None
            }
            Message::ApplyNetwork => match self.network(choices) {
                Ok(choices) => Action::Choose(Box::new(choices)),
                Err(_) => Action::None,
            },
            Message::Ask(ask) => match ask {
                Ask::TestSound => Action::TestSound,
                Ask::Doctor => Action::Doctor,
                Ask::PickFolder => Action::PickFolder,
                Ask::Copy(text) => Action::Copy(text, words::COPIED),
                Ask::Sure(person, trust) => dialog::sure(person, trust),
                Ask::Forget(peer) => Action::Engine(Command::Forget { peer }),
            },
        }
    }

    /// The choices with what was typed about the network, or what is wrong with it.
    fn network(&self, choices: &Choices) -> Result<Choices, &'static str> {
        let rendezvous = self.rendezvous.trim();
        if !rendezvous.is_empty() && rendezvous.parse::<crate::engine::Service>().is_err() {
            return Err(words::RENDEZVOUS_WRONG);
        }
        let port = match self.port.as_str() {
            "" => None,
            text => match text.parse::<u16>() {
                Ok(port) if port > 0 => Some(port),
                _ => return Err(words::PORT_WRONG),
            },
        };
        Ok(Choices { rendezvous: rendezvous.to_owned(), port, ..choices.clone() })
    }

    /// Pickers of devices are shown.
    pub fn shows_devices(&self) -> bool {
        self.section == Section::Devices
    }

    /// The system's devices are known.
    pub fn on_devices(&mut self, devices: Devices) {
        self.devices = Some(devices);
    }

    /// The system's network interfaces are known.
    pub fn on_interfaces(&mut self, interfaces: Vec<Interface>) {
        self.interfaces = Some(interfaces);
    }

    /// The words of one's own key are known.
    pub fn on_own_words(&mut self, words: Words) {
        self.words = Some(words);
    }

    /// A command was carried out: it may be the answer to something asked here, or change what is shown.
    pub fn on_answer(&mut self, command: &Command, done: &Done) -> Action {
        self.username.on_answer(done);
        match command {
            Command::KnownPeople => {
                if let Done::KnownPeople(people) = done {
                    self.known = Some(people.clone());
                }
                Action::None
            }
            Command::Verify { .. } | Command::TrustChanged { .. } | Command::Forget { .. } if self.known.is_some() => {
                Action::Engine(Command::KnownPeople)
            }
            _ => Action::None,
        }
    }

    /// A command came to nothing. True when that is said here.
    pub fn on_failure(&mut self, command: &Command, failure: &Failure) -> bool {
        self.username.on_failure(command, failure)
    }

    /// A folder for drops was picked.
    pub fn on_folder(&mut self, folder: PathBuf, choices: &Choices) -> Action {
        Action::Choose(Box::new(Choices { download_dir: Some(folder), ..choices.clone() }))
    }

    /// The picture of it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let colours = look.colours;
        let close = button::with_icon(look, Kind::Quiet, Icon::Close, text::CLOSE).id("close").on_press(Message::Close);
        let head = row![title(look, text::SETTINGS).width(Length::Fill), close].align_y(Alignment::Center);
        let narrow = context.size.width < WORDS * look.text_scale.max(1.0);
        let sections = Section::ALL.into_iter().map(|section| {
            let (id, name, icon) = section.words();
            let kind = if section == self.section { Kind::Chosen } else { Kind::Quiet };
            let button = if narrow {
                button::with_icon(look, kind, icon, name).tip_beside()
            } else {
                button::with_words(look, kind, name).icon(icon).wide().left()
            };
            button.id(id).on_press(Message::Section(section)).into()
        });
        let list = container(scrollable(column(sections).spacing(theme::HALF))).width(if narrow {
            Length::Shrink
        } else {
            Length::Fixed(look.scaled(232.0))
        });
        let (_, name, _) = self.section.words();
        let page = column![title(look, name).size(look.size(theme::Size::Large)), self.section(context)]
            .spacing(PAD)
            .padding(iced::Padding { right: PAD, ..iced::Padding::ZERO })
            .max_width(look.scaled(600.0));
        // Around it as much as there is, or the line that scrolls would stand in the middle.
        let page = scrollable(container(page).width(Length::Fill)).width(Length::Fill).height(Length::Fill);
        let body = column![head, row![list, page].spacing(GAP).height(Length::Fill)].spacing(GAP);
        let sheet = container(body.max_width(look.scaled(theme::LOBBY)))
            .padding(GAP)
            .center_x(Length::Fill)
            .height(Length::Fill)
            .style(move |_| container::Style { background: Some(colours.ground.into()), ..Default::default() });
        opaque(sheet)
    }

    fn section<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        match self.section {
            Section::Profile => sections::profile(context, &self.name, &self.username),
            Section::Devices => sections::devices(context, self.devices.as_ref()),
            Section::Voice => sections::voice(context),
            Section::Video => sections::video(context),
            Section::Network => {
                let wrong = self.network(context.choices).err();
                let interfaces = self.interfaces.as_deref();
                sections::network(context, &self.rendezvous, &self.port, interfaces, wrong)
            }
            Section::Privacy => sections::privacy(context),
            Section::Appearance => sections::appearance(context),
            Section::Keys => sections::keys(context, self.known.as_deref(), self.words.as_ref()),
            Section::Shortcuts => sections::shortcuts(context),
        }
    }
}

/// What a choice changes in a running meeting at once.
fn live(old: &Choices, new: &Choices, model: &Model) -> Action {
    let mut action = Action::None;
    if (old.accept_verified, old.silence_unknown) != (new.accept_verified, new.silence_unknown) {
        let files = if new.accept_verified { Accept::Verified } else { Accept::Ask };
        action = action.and(Action::Engine(Command::Privacy { files, silence_unknown: new.silence_unknown }));
    }
    let Some(meeting) = &model.meeting else { return action };
    // Also while it is off: it is this one that comes on.
    if old.camera != new.camera
        && let Ok(source) = new.camera.parse::<spec::Camera>()
    {
        action = action.and(Action::Engine(Command::Camera { on: meeting.camera_on(), source: Some(source) }));
    }
    // From here on only Space opens it.
    let hushed = new.push_to_talk && !old.push_to_talk && meeting.microphone_on();
    let chosen = new.microphone.parse::<spec::Microphone>().ok().filter(|_| old.microphone != new.microphone);
    if hushed || chosen.is_some() {
        let on = meeting.microphone_on() && !hushed;
        action = action.and(Action::Engine(Command::Microphone { on, source: chosen }));
    }
    if old.speaker != new.speaker
        && let Ok(sink) = new.speaker.parse::<spec::Speaker>()
    {
        action = action.and(Action::Engine(Command::Speaker { on: true, sink: Some(sink) }));
    }
    if old.quality != new.quality
        && let Ok(quality) = new.quality.parse::<spec::Quality>()
    {
        action = action.and(Action::Engine(Command::Quality(quality)));
    }
    if old.voice() != new.voice() {
        let (change, sources) = (new.voice().into(), spec::voice::Sources::Devices);
        action = action.and(Action::Engine(Command::Voice { change, sources }));
    }
    action
}

#[cfg(test)]
mod tests;
