//! Sans-IO. Carries out commands: words become keys and checked values, or a [`Failure`] and nothing happens.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::id::{PeerId, Username};
use crate::share::{ChatText, DisplayName, TextError};

use super::command::{Answer, Command, Done, Work};
use super::event::Person;
use super::failure::{Code, Failure};
use super::shares::Verb;
use super::who::{Reach, Who};
use super::{Meeting, Output};

/// The loudest factor of one peer's volume.
const MAX_VOLUME: f32 = 2.0;

/// Recipients of a command.
enum To {
    Room,
    People(BTreeSet<PeerId>),
}

impl Meeting {
    /// A face wishes something. `wall_ms` is the Unix time for `sent_at`.
    pub fn on_command(&mut self, now: Instant, wall_ms: u64, command: Command) -> Result<Answer, Failure> {
        match command {
            Command::Say { text, to } => self.say(now, wall_ms, &text, &to),
            Command::SendFile { path, to } => {
                let to = self.present(&to)?;
                Ok(Answer::Work(Work::Offer { path, to }))
            }
            Command::AcceptFile(transfer) => {
                let peer = self.shares.find(transfer, Verb::Accept)?;
                Ok(Answer::Work(Work::Accept { peer, transfer }))
            }
            Command::DeclineFile(transfer) => {
                let peer = self.shares.find(transfer, Verb::Decline)?;
                Ok(Answer::Work(Work::Decline { peer, transfer }))
            }
            Command::CancelFile(transfer) => {
                let peer = self.shares.find(transfer, Verb::Cancel)?;
                Ok(Answer::Work(Work::Cancel { peer, transfer }))
            }
            Command::Camera { on, source } => Ok(Answer::Work(Work::Camera { on, source })),
            Command::Microphone { on, source } => Ok(Answer::Work(Work::Microphone { on, source })),
            Command::Speaker { on, sink } => Ok(Answer::Work(Work::Speaker { on, sink })),
            Command::Quality(quality) => Ok(Answer::Work(Work::Quality(quality))),
            Command::View { peer, size } => {
                let peer = self.people.directory.resolve(&peer, Reach::Present)?;
                let changes = self.tracks.choose(peer, size);
                self.out.push_back(Output::Send { to: peer, message: self.tracks.views_message(peer) });
                self.apply(peer, changes);
                Ok(Answer::Done(Done::Ok))
            }
            Command::Volume { peer, value } => {
                let peer = self.people.directory.resolve(&peer, Reach::Present)?;
                if !(0.0..=MAX_VOLUME).contains(&value) {
                    let hint = "Use 0 (silent) to 2 (twice as loud); 1 is as sent.";
                    return Err(Failure::new(Code::BadValue, "That is no volume.", hint));
                }
                Ok(Answer::Work(Work::Volume { peer, value }))
            }
            Command::Rename(name) => self.rename(&name),
            Command::Claim(name) => match Username::new(&name) {
                Ok(name) => Ok(Answer::Work(Work::Claim(name))),
                Err(error) => Err(Failure::new(Code::BadName, sentence(&error.to_string()), "Choose another name.")),
            },
            Command::State => Ok(Answer::Done(Done::State(Box::new(self.state())))),
            Command::Leave => Ok(Answer::Work(Work::Leave)),
        }
    }

    fn say(&mut self, now: Instant, wall_ms: u64, text: &str, to: &[String]) -> Result<Answer, Failure> {
        let text = ChatText::new(text).map_err(|error| match error {
            TextError::Empty => Failure::new(Code::EmptyText, sentence(&error.to_string()), "Say something."),
            TextError::TooLong => Failure::new(Code::TextTooLong, sentence(&error.to_string()), ""),
        })?;
        let recipients = match self.recipients(to, Reach::Away)? {
            To::Room => None,
            To::People(people) => Some(people),
        };
        let name = self.people.directory.me().name.clone();
        let id = self.chat.say(now, wall_ms, &name, &text, recipients)?;
        self.drain_chat(now);
        Ok(Answer::Done(Done::Said(id)))
    }

    // Everybody whom a file is for. Somebody must be there.
    fn present(&self, to: &[String]) -> Result<Vec<Person>, Failure> {
        let people: BTreeSet<PeerId> = match self.recipients(to, Reach::Present)? {
            To::People(people) => people,
            To::Room => self.people.seats().map(|(peer, _)| peer).collect(),
        };
        if people.is_empty() {
            return Err(Failure::new(Code::UnknownPeer, "Nobody else is here.", "Wait until somebody joins."));
        }
        Ok(people.into_iter().map(|peer| self.person(peer)).collect())
    }

    // Resolved once, all or nobody.
    fn recipients(&self, to: &[String], reach: Reach) -> Result<To, Failure> {
        let mut people = BTreeSet::new();
        for who in to {
            if let Who::Room(room) = Who::parse(who)? {
                if to.len() == 1 && room.id() == self.room.id() {
                    return Ok(To::Room);
                }
                let message = format!("'room:{room}' cannot be reached here.");
                let hint = format!("Use room:{} alone, or name people.", self.room);
                return Err(Failure::new(Code::OtherRoom, message, hint));
            }
            people.insert(self.people.directory.resolve(who, reach)?);
        }
        Ok(if to.is_empty() { To::Room } else { To::People(people) })
    }

    fn rename(&mut self, name: &str) -> Result<Answer, Failure> {
        let visible = crate::share::visible(name);
        if visible.is_empty() || visible.chars().count() > 64 {
            let message = "A display name has 1 to 64 visible characters.";
            return Err(Failure::new(Code::BadName, message, "Choose another name."));
        }
        let name = DisplayName::new(&visible);
        self.people.directory.rename_me(name.clone());
        Ok(Answer::Work(Work::Rename(name)))
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}
