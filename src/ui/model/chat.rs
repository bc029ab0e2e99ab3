//! Sans-IO. What was said and offered, in the order in which it came here.

use std::collections::VecDeque;

use crate::id::TransferId;
use crate::meeting::{Audience, FileEvent, MessageId, Person};
use crate::share::ChatText;

/// Entries kept; the oldest is forgotten (the engine keeps its own history for others).
pub const MOST: usize = 10_000;

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A line.
    Line(Line),
    /// A file; how far it is says the list of transfers.
    File {
        /// Which.
        transfer: TransferId,
        /// The other side.
        person: Person,
        /// Ours.
        mine: bool,
        /// Unix milliseconds, here.
        at: u64,
    },
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its id.
    pub id: MessageId,
    /// The author; `None` is oneself.
    pub from: Option<Person>,
    /// What was said.
    pub text: String,
    /// To whom.
    pub to: Audience,
    /// Unix milliseconds by the author's clock.
    pub sent_at: u64,
    /// Who confirmed it (own lines).
    pub delivered: Vec<Person>,
}

/// The chat of a meeting.
#[derive(Debug, Default)]
pub struct Chat {
    // At most MOST.
    entries: VecDeque<Entry>,
    /// Entries that came since it was last looked at.
    pub unread: usize,
    /// Counts every change: a list that is drawn anew only when this differs.
    pub version: u64,
}

impl Chat {
    /// Everything, the oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.entries.iter()
    }

    /// Somebody else's line.
    pub fn on_line(&mut self, _unix_ms: u64, id: MessageId, from: Person, text: &ChatText, to: Audience, sent_at: u64) {
        let text = text.as_str().to_owned();
        self.push(Entry::Line(Line { id, from: Some(from), text, to, sent_at, delivered: Vec::new() }));
        self.unread += 1;
    }

    /// Our own line, which the engine took.
    pub fn on_said(&mut self, unix_ms: u64, id: MessageId, text: String, to: Audience) {
        self.push(Entry::Line(Line { id, from: None, text, to, sent_at: unix_ms, delivered: Vec::new() }));
    }

    /// Who has one of our lines.
    pub fn on_delivered(&mut self, id: MessageId, to: Vec<Person>) {
        // It is one of the last ones nearly always.
        let line = self.entries.iter_mut().rev().find_map(|entry| match entry {
            Entry::Line(line) if line.id == id && line.from.is_none() => Some(line),
            _ => None,
        });
        if let Some(line) = line {
            line.delivered = to;
            self.version += 1;
        }
    }

    /// A file was offered, by us or to us.
    pub fn on_offer(&mut self, unix_ms: u64, file: &FileEvent) {
        let mine = file.direction == crate::meeting::Direction::Out;
        self.push(Entry::File { transfer: file.transfer, person: file.person.clone(), mine, at: unix_ms });
        self.unread += usize::from(!mine);
    }

    /// It was looked at.
    pub fn on_read(&mut self) {
        self.unread = 0;
    }

    fn push(&mut self, entry: Entry) {
        self.version += 1;
        if self.entries.len() >= MOST {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }
}
