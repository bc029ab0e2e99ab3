//! Keys with the name of somebody verified, met without a meeting: no file comes from them or goes to them before it is
//! decided about.

use super::{Event, Visit};
use crate::clock;
use crate::id::LinkKey;
use crate::meeting::{Edit, Failure, Person, Trust, Warning, WarningCode};

/// Keys that were warned about. Overflow: forgotten, and warned about once more.
const MAX_WARNED: usize = 256;

impl Visit {
    /// A decision about a key was written down.
    pub fn on_decided(&mut self, edit: &Edit) {
        self.sight.on_decided(edit);
        let links: Vec<LinkKey> = self.links.values().copied().chain(self.unwelcome.iter().copied()).collect();
        links.into_iter().for_each(|link| self.weigh(link));
    }

    /// The link is new, or bears another name: files may use it, or may not.
    pub(super) fn on_name(&mut self, link: LinkKey) {
        self.weigh(link);
        if !self.unwelcome.contains(&link) {
            self.drops.on_linked(link);
        }
    }

    fn weigh(&mut self, link: LinkKey) {
        if self.sight.trust(link.peer) != Trust::Changed {
            if self.unwelcome.remove(&link) {
                self.drops.on_linked(link);
            }
            return;
        }
        if !self.unwelcome.insert(link) {
            return;
        }
        self.drops.on_withheld(link);
        let person = self.sight.person(link.peer);
        // So that it can be decided about without a link.
        self.remember(&person);
        if self.warned.len() >= MAX_WARNED {
            self.warned.clear();
        }
        if self.warned.insert(link.peer) && self.alarms.take(clock::now()) {
            let (message, hint) = self.sight.warning(link.peer);
            let code = WarningCode::VerifiedKeyChanged;
            self.told.push_back(Event::Warning(Warning { code, person: Some(person), message, hint }));
        }
    }

    /// False while nothing is taken from `link`, for nothing may be answered.
    pub(super) fn takes_files(&self, link: LinkKey) -> bool {
        !self.unwelcome.contains(&link)
    }

    /// Whom `who` means among those in sight, if all of them may get something.
    pub fn resolve(&self, who: &str) -> Result<Vec<Person>, Failure> {
        let people = self.sight.resolve_all(who)?;
        people.iter().try_for_each(|person| self.sight.allows(person.peer))?;
        Ok(people)
    }
}
