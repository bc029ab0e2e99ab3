//! Sans-IO. What was said and offered, in the order in which it came here.

use std::collections::VecDeque;

use crate::id::TransferId;
use crate::meeting::{Audience, FileEvent, MessageId, Person};
use crate::share::ChatText;

/// Entries kept; the oldest is forgotten (the engine keeps its own history for others).
pub const MOST: usize = 10_000;
/// Bytes of text of all entries together; the oldest give way.
pub const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Entries of one author within this time have one head.
const TOGETHER_MS: u64 = 5 * 60_000;
/// Offers of one of our files within this time are one entry.
const AT_ONCE_MS: u64 = 2_000;
/// Entries looked through for an offer that is said again.
const RECENT: usize = 600;

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A line.
    Line(Line),
    /// A file; how far it is says the list of transfers.
    File(File),
}

impl Entry {
    /// Who made it; `None` is oneself.
    pub fn author(&self) -> Option<&Person> {
        match self {
            Self::Line(line) => line.from.as_ref(),
            Self::File(file) if file.mine => None,
            Self::File(file) => file.transfers.first().map(|(_, person)| person),
        }
    }

    /// Unix milliseconds.
    pub fn at(&self) -> u64 {
        match self {
            Self::Line(line) => line.sent_at,
            Self::File(file) => file.at,
        }
    }

    /// Bytes of what was written in it.
    fn bytes(&self) -> usize {
        match self {
            Self::Line(line) => line.text.len(),
            Self::File(file) => file.name.len(),
        }
    }

    /// It stands under the head of `before`: the same author to the same people, soon after.
    pub fn belongs_to(&self, before: &Self) -> bool {
        let to = |entry: &Self| match entry {
            Self::Line(Line { to: Audience::People(people), .. }) => Some(people.clone()),
            _ => None,
        };
        let peer = |entry: &Self| entry.author().map(|person| person.peer);
        peer(self) == peer(before) && to(self) == to(before) && self.at().abs_diff(before.at()) < TOGETHER_MS
    }
}

/// A file: one offered to us, or one of ours with all whom it was offered to.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// Which, and the other sides. Never empty.
    pub transfers: Vec<(TransferId, Person)>,
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Ours.
    pub mine: bool,
    /// Unix milliseconds, here.
    pub at: u64,
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
    /// How many it was meant for when it was said (own lines).
    pub expected: usize,
    /// Who confirmed it (own lines).
    pub delivered: Vec<Person>,
}

impl Line {
    /// The others who have it as well; `None` when everybody in the room has.
    pub fn only(&self) -> Option<&[Person]> {
        match &self.to {
            Audience::Room => None,
            Audience::People(people) => Some(people),
        }
    }
}

/// The chat of a meeting.
#[derive(Debug, Default)]
pub struct Chat {
    // At most MOST, with at most MOST_BYTES together.
    entries: VecDeque<Entry>,
    bytes: usize,
    // The key of the first entry: so many were forgotten.
    first: u64,
    /// Entries that came since it was last looked at.
    pub unread: usize,
}

impl Chat {
    /// Everything, the oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.entries.iter()
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// The one at `index`.
    pub fn get(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }

    /// A number that stays with the entry at `index` as long as it is there.
    pub fn key(&self, index: usize) -> u64 {
        self.first + index as u64
    }

    /// The entry with this key.
    pub fn by_key(&self, key: u64) -> Option<&Entry> {
        let index = usize::try_from(key.checked_sub(self.first)?).ok()?;
        self.entries.get(index)
    }

    /// Somebody else's line.
    pub fn on_line(&mut self, id: MessageId, from: Person, text: &ChatText, to: Audience, sent_at: u64) {
        let text = text.as_str().to_owned();
        self.push(Entry::Line(Line { id, from: Some(from), text, to, sent_at, expected: 0, delivered: Vec::new() }));
        self.unread += 1;
    }

    /// Our own line, which the engine took for so many.
    pub fn on_said(&mut self, unix_ms: u64, id: MessageId, text: String, to: Audience, expected: usize) {
        let line = Line { id, from: None, text, to, sent_at: unix_ms, expected, delivered: Vec::new() };
        self.push(Entry::Line(line));
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
        }
    }

    /// A file was offered, by us or to us.
    pub fn on_offer(&mut self, unix_ms: u64, file: &FileEvent) {
        let known = |entry: &Entry| match entry {
            Entry::File(known) => {
                let this =
                    |(id, person): &(TransferId, Person)| (*id, person.peer) == (file.transfer, file.person.peer);
                known.mine == (file.direction == crate::meeting::Direction::Out) && known.transfers.iter().any(this)
            }
            Entry::Line(_) => false,
        };
        if self.entries.iter().rev().take(RECENT).any(known) {
            return;
        }
        let mine = file.direction == crate::meeting::Direction::Out;
        let one = (file.transfer, file.person.clone());
        if let Some(Entry::File(last)) = self.entries.back_mut()
            && mine
            && last.mine
            && (last.name.as_str(), last.size) == (file.file.as_str(), file.size)
            && unix_ms.abs_diff(last.at) < AT_ONCE_MS
            && last.transfers.iter().all(|(_, person)| person.peer != one.1.peer)
        {
            last.transfers.push(one);
            return;
        }
        let name = file.file.as_str().to_owned();
        self.push(Entry::File(File { transfers: vec![one], name, size: file.size, mine, at: unix_ms }));
        self.unread += usize::from(!mine);
    }

    /// It was looked at.
    pub fn on_read(&mut self) {
        self.unread = 0;
    }

    fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
        while self.entries.len() > MOST || self.bytes > MOST_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.bytes();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PeerId;
    use crate::meeting::{Direction, FileStage};
    use crate::share::{DisplayName, FileName};

    fn person(number: u8) -> Person {
        Person { peer: PeerId::from_bytes([number; 32]), name: DisplayName::new(&format!("P{number}")) }
    }

    fn id(counter: u64) -> MessageId {
        let conversation = crate::meeting::ConversationId::from_bytes([0; 16]);
        MessageId { author: person(1).peer, instance: crate::id::Instance::from_u64(1), conversation, counter }
    }

    fn offer(number: u8, to: u8, direction: Direction) -> FileEvent {
        FileEvent {
            transfer: TransferId::from_u64(u64::from(number)),
            person: person(to),
            direction,
            file: FileName::new("a.txt"),
            size: 5,
            stage: FileStage::Offer,
        }
    }

    #[test]
    fn keys_stay_with_their_entries_and_the_oldest_is_forgotten() {
        let mut chat = Chat::default();
        for number in 0..MOST as u64 + 5 {
            let text = format!("{number}");
            let id = id(number);
            chat.on_said(number, id, text, Audience::Room, 1);
        }
        assert_eq!((chat.count(), chat.key(0)), (MOST, 5));
        assert_eq!(chat.by_key(4), None);
        assert_eq!(chat.by_key(7).map(Entry::at), Some(7));
        assert_eq!(chat.by_key(u64::MAX), None);
    }

    #[test]
    fn long_lines_are_forgotten_sooner() {
        let mut chat = Chat::default();
        let long = "x".repeat(crate::share::MAX_CHAT_BYTES);
        let fit = MOST_BYTES / long.len();
        for number in 0..fit as u64 + 9 {
            let (id, text) = (id(number), ChatText::new(&long).expect("not too long"));
            chat.on_line(id, person(2), &text, Audience::Room, number);
        }
        assert_eq!((chat.count(), chat.key(0), chat.bytes), (fit, 9, fit * long.len()));
        chat.on_said(1, id(7), "short".to_owned(), Audience::Room, 1);
        assert_eq!(chat.count(), fit, "the oldest gave way");
        assert_eq!(chat.bytes, chat.entries().map(Entry::bytes).sum::<usize>());
    }

    #[test]
    fn one_file_for_several_people_is_one_entry_and_said_again_nothing_new() {
        let mut chat = Chat::default();
        chat.on_offer(1000, &offer(1, 1, Direction::Out));
        chat.on_offer(1001, &offer(2, 2, Direction::Out));
        chat.on_offer(1002, &offer(2, 2, Direction::Out));
        assert_eq!((chat.count(), chat.unread), (1, 0));
        // The same file to the same person once more is another one.
        chat.on_offer(1003, &offer(3, 2, Direction::Out));
        chat.on_offer(1004, &offer(4, 2, Direction::In));
        assert_eq!((chat.count(), chat.unread), (3, 1));
    }
}
