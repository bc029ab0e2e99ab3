//! Sans-IO. What the window knows: built from engine events, each of which enters once, by [`Model::on_event`]. Screens
//! read it and never change it. What deserves a word to the person comes back as [`Notice`].

pub mod chat;
pub mod meeting;
pub mod quality;
pub mod reactions;
pub mod traffic;
pub mod transfers;

use std::net::SocketAddr;
use std::time::Instant;

use crate::engine::devices::Device;
use crate::engine::doctor::Check;
use crate::id::{RoomName, Username};
use crate::meeting::{Audience, Event, FileEvent, FileStage, LeftReason, Nearby, Person, State, Warning, WarningCode};
use crate::share::DisplayName;
use meeting::Meeting;
use transfers::Transfers;

/// Something that deserves a word, a sound or a badge.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// Somebody came.
    Joined(Person),
    /// Somebody went.
    Left(Person, LeftReason),
    /// Somebody said something.
    Said {
        /// Who.
        from: Person,
        /// What.
        text: String,
        /// To fewer than all.
        private: bool,
    },
    /// A file is offered to us.
    Offered(FileEvent),
    /// A transfer ended.
    Ended(FileEvent),
    /// Somebody calls us.
    Rings(Person),
    /// Something degraded.
    Warning(Warning),
}

/// Everything that the window knows of the engine.
#[derive(Debug)]
pub struct Model {
    /// Oneself.
    pub me: Option<Person>,
    /// The username that the rendezvous confirmed.
    pub username: Option<Username>,
    /// Where others reach us.
    pub listen: Vec<SocketAddr>,
    /// The meeting that we are in.
    pub meeting: Option<Meeting>,
    /// Files, in the lobby and in meetings.
    pub transfers: Transfers,
    /// What was warned of in this meeting or lobby, the newest last, each once a person. At most [`MOST_WARNINGS`].
    pub warnings: Vec<Warning>,
    /// Who and what is in sight.
    pub nearby: Nearby,
    /// What can be shared, as it was asked last; `None` while that is not known.
    pub screens: Option<Vec<Device>>,
    /// What the doctor found last.
    pub checkup: Checkup,
}

/// The findings of the doctor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkup {
    /// Of the network, in the order in which they were looked at.
    pub found: Vec<Check>,
    /// Of cameras and sound: looked at only when somebody asks.
    pub devices: Vec<Check>,
    /// It is looking.
    pub running: bool,
}

/// Warnings kept for the doctor's page.
const MOST_WARNINGS: usize = 32;

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

impl Model {
    /// Knows nothing.
    pub fn new() -> Self {
        Self {
            me: None,
            username: None,
            listen: Vec::new(),
            meeting: None,
            transfers: Transfers::default(),
            warnings: Vec::new(),
            nearby: Nearby::default(),
            screens: None,
            checkup: Checkup::default(),
        }
    }

    /// We are going into this meeting: everything of the one before is forgotten.
    pub fn enter(&mut self, now: Instant, room: RoomName) {
        self.meeting = Some(Meeting::new(now, room));
        self.warnings.clear();
        self.transfers.on_engine_ended();
        // Who is in sight is told anew by the engine to come; until then it is what it was.
    }

    /// We are in no meeting.
    pub fn leave(&mut self) {
        self.meeting = None;
        self.warnings.clear();
        self.transfers.on_engine_ended();
    }

    /// Names in what is said of somebody tell them apart from others, as those on screen do.
    pub fn tell_apart(&self, notice: &mut Notice) {
        let Some(meeting) = &self.meeting else { return };
        let person = match notice {
            Notice::Joined(person) | Notice::Left(person, _) | Notice::Said { from: person, .. } => person,
            Notice::Offered(file) | Notice::Ended(file) => &mut file.person,
            // A ring says it by itself; a warning is about a key.
            Notice::Rings(_) | Notice::Warning(_) => return,
        };
        person.name = DisplayName::new(&meeting.name_of(person));
    }

    /// A warning of this kind came and still holds.
    pub fn warned(&self, code: WarningCode) -> bool {
        self.warnings.iter().any(|warning| warning.code == code)
    }

    /// What the key `who`, as commands name it, is called: somebody here or in sight.
    pub fn name_of(&self, who: &str) -> Option<&DisplayName> {
        let here = self.meeting.iter().flat_map(|meeting| meeting.people.values()).map(|other| &other.person);
        let near = self.nearby.people.iter().map(|other| &other.person);
        here.chain(near).find(|person| person.peer.to_string() == who).map(|person| &person.name)
    }

    /// The whole state, asked for after the start and after events were lost.
    pub fn on_state(&mut self, state: &State) {
        self.me = Some(state.me.clone());
        self.username.clone_from(&state.username);
        if let Some(meeting) = &mut self.meeting {
            meeting.on_state(state);
        }
        for transfer in &state.transfers {
            self.transfers.on_event(transfer);
        }
    }

    /// One event of the engine. `now` is the clock, `unix_ms` what the wall says.
    pub fn on_event(&mut self, now: Instant, unix_ms: u64, event: Event) -> Vec<Notice> {
        match event {
            Event::Ready { me, listen, .. } | Event::Lobby { me, listen } => {
                (self.me, self.listen) = (Some(me), listen);
                Vec::new()
            }
            Event::Nearby(nearby) => {
                self.nearby = nearby;
                Vec::new()
            }
            Event::Ring { from, .. } => vec![Notice::Rings(from)],
            Event::File(file) => self.on_file(unix_ms, file),
            Event::Warning(warning) => {
                if warning.code == WarningCode::NameLost {
                    self.username = None;
                }
                self.warnings.retain(|known| known.code != warning.code || known.person != warning.person);
                self.warnings.push(warning.clone());
                if self.warnings.len() > MOST_WARNINGS {
                    self.warnings.remove(0);
                }
                if let Some(meeting) = &mut self.meeting {
                    meeting.on_warning(warning.code);
                }
                vec![Notice::Warning(warning)]
            }
            Event::Chat { ref from, ref text, ref to, late, .. } => {
                let said = Notice::Said {
                    from: from.clone(),
                    text: text.as_str().to_owned(),
                    private: matches!(to, Audience::People(_)),
                };
                if let Some(meeting) = &mut self.meeting {
                    meeting.on_event(now, unix_ms, event);
                }
                // What was said before we came is history, not news.
                if late { Vec::new() } else { vec![said] }
            }
            Event::Joined(ref person) => {
                let notice = Notice::Joined(person.clone());
                if let Some(meeting) = &mut self.meeting {
                    // Those who were there before us are no news.
                    let news = meeting.is_settled(now);
                    meeting.on_event(now, unix_ms, event);
                    return if news { vec![notice] } else { Vec::new() };
                }
                Vec::new()
            }
            Event::Left { ref person, reason } => {
                let notice = Notice::Left(person.clone(), reason);
                if let Some(meeting) = &mut self.meeting {
                    meeting.on_event(now, unix_ms, event);
                }
                vec![notice]
            }
            event => {
                if let Some(meeting) = &mut self.meeting {
                    meeting.on_event(now, unix_ms, event);
                }
                Vec::new()
            }
        }
    }

    fn on_file(&mut self, unix_ms: u64, file: FileEvent) -> Vec<Notice> {
        self.transfers.on_event(&file);
        if let Some(meeting) = &mut self.meeting
            && file.stage == FileStage::Offer
        {
            meeting.chat.on_offer(unix_ms, &file);
        }
        match &file.stage {
            FileStage::Offer if file.direction == crate::meeting::Direction::In => vec![Notice::Offered(file)],
            stage if stage.is_end() => vec![Notice::Ended(file)],
            _ => Vec::new(),
        }
    }
}
