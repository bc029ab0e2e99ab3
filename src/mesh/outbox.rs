//! Sans-IO. Numbers for messages, so that each arrives once and in order over links that come and go.
//!
//! Each direction of a pair of runs has its own count. The numbers are not in the messages: a stream starts with
//! "the next one is n" ([`crate::mesh::wire::Control::Resume`]) and counts on. The sender keeps what is not confirmed
//! and starts with the oldest of it on every new stream; the receiver skips what it has. Streams are whole and start
//! at or below what the receiver has, so it never sees a gap, whichever of two links is faster.

use std::collections::{BTreeMap, VecDeque};

use crate::framing::Message;

/// Messages that may wait for confirmation.
const MAX_MESSAGES: usize = 2048;
/// Bytes of them.
const MAX_BYTES: usize = 8 << 20;

/// More waits than may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The sending side.
#[derive(Debug, Default)]
pub struct Outbox {
    first: u64,
    // Overflow: refused with an error; the caller tells its own caller.
    waiting: VecDeque<Message>,
    bytes: usize,
}

impl Outbox {
    /// Takes a message for sending.
    pub fn push(&mut self, message: Message) -> Result<(), Full> {
        let bytes = self.bytes + message.body.len();
        if self.waiting.len() >= MAX_MESSAGES || bytes > MAX_BYTES {
            return Err(Full);
        }
        self.bytes = bytes;
        self.waiting.push_back(message);
        Ok(())
    }

    /// The number of the oldest unconfirmed message, or of the next one: where a new stream starts.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Message `number`, if it waits.
    pub fn get(&self, number: u64) -> Option<&Message> {
        let index = number.checked_sub(self.first)?;
        self.waiting.get(usize::try_from(index).ok()?)
    }

    /// Forgets all below `number`. False when so many were never sent: the peer is wrong.
    pub fn confirm(&mut self, number: u64) -> bool {
        let Some(count) = number.checked_sub(self.first) else { return true };
        let Ok(count) = usize::try_from(count) else { return false };
        if count > self.waiting.len() {
            return false;
        }
        for message in self.waiting.drain(..count) {
            self.bytes -= message.body.len();
        }
        self.first = number;
        true
    }
}

/// What to do with a message that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// Hand it up.
    New,
    /// It was here already.
    Again,
    /// Earlier ones are missing: the peer is wrong.
    Gap,
}

/// The receiving side.
#[derive(Debug, Default)]
pub struct Inbox {
    next: u64,
    confirmed: u64,
}

impl Inbox {
    /// A stream starts with `number`. One that starts beyond what is here leaves a hole that nobody can fill: the two
    /// sides do not remember the same past. True then.
    pub fn on_resume(&mut self, number: u64) -> bool {
        let hole = number > self.next;
        if hole {
            self.next = number;
            self.confirmed = self.confirmed.max(number);
        }
        hole
    }

    /// Message `number` came.
    pub fn on_message(&mut self, number: u64) -> Arrived {
        match number.cmp(&self.next) {
            std::cmp::Ordering::Less => Arrived::Again,
            std::cmp::Ordering::Greater => Arrived::Gap,
            std::cmp::Ordering::Equal => {
                self.next += 1;
                Arrived::New
            }
        }
    }

    /// How many are not confirmed yet.
    pub fn unconfirmed(&self) -> u64 {
        self.next - self.confirmed
    }

    /// The number to confirm, when there is something new to confirm.
    pub fn take_confirmation(&mut self) -> Option<u64> {
        let new = self.next != self.confirmed;
        self.confirmed = self.next;
        new.then_some(self.next)
    }
}

/// Peers whose count is remembered; beyond that the counts of those that are gone are merged into one.
const MAX_COUNTS: usize = 4096;

/// How often the messages to and from each peer were forgotten, by what the link is for (`K` names both): told in the
/// hello, so that the other side notices that its own memory is of another time.
#[derive(Debug)]
pub struct Generations<K> {
    counts: BTreeMap<K, u32>,
    /// Of everybody who has no count.
    floor: u32,
}

impl<K> Default for Generations<K> {
    fn default() -> Self {
        Self { counts: BTreeMap::new(), floor: 0 }
    }
}

impl<K: Ord + Copy> Generations<K> {
    /// The count to tell.
    pub fn of(&self, key: K) -> u32 {
        self.counts.get(&key).copied().unwrap_or(self.floor)
    }

    /// A link to `key` begins: its count stays as it is until the link is forgotten. `linked` tells who must be kept.
    pub fn hold(&mut self, key: K, linked: impl Fn(&K) -> bool) {
        if self.counts.len() >= MAX_COUNTS {
            let floor = &mut self.floor;
            self.counts.retain(|key, count| {
                let keep = linked(key);
                if !keep {
                    // A count never goes back, whoever has it.
                    *floor = (*floor).max(*count + 1);
                }
                keep
            });
        }
        let count = self.of(key);
        self.counts.insert(key, count);
    }

    /// What was between us and `key` is forgotten.
    pub fn forget(&mut self, key: K) {
        let count = self.of(key);
        self.counts.insert(key, count.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(n: u64) -> Message {
        Message { kind: 64, body: Bytes::copy_from_slice(&n.to_be_bytes()) }
    }

    #[test]
    fn too_much_is_refused() {
        let mut outbox = Outbox::default();
        for n in 0..2048 {
            assert_eq!(outbox.push(message(n)), Ok(()));
        }
        assert_eq!(outbox.push(message(0)), Err(Full));
        assert!(outbox.confirm(1));
        assert_eq!(outbox.push(message(0)), Ok(()));
        let mut outbox = Outbox::default();
        let big = Message { kind: 64, body: Bytes::from(vec![0; 255 * 1024]) };
        assert!((0..100).any(|_| outbox.push(big.clone()).is_err()));
    }

    #[test]
    fn confirmations_of_what_was_never_sent_are_wrong() {
        let mut outbox = Outbox::default();
        outbox.push(message(0)).expect("room");
        assert!(!outbox.confirm(2));
        assert!(outbox.confirm(1));
        assert!(outbox.confirm(0), "an old one is late, not wrong");
        assert!(!outbox.confirm(u64::MAX));
    }

    #[test]
    fn generations_only_grow_and_are_few() {
        let mut generations = Generations::default();
        generations.hold(0, |_| true);
        generations.forget(1);
        assert_eq!((generations.of(0), generations.of(1), generations.of(2)), (0, 1, 0));
        for key in 2..10_000_u32 {
            generations.hold(key, |key| *key == 0);
            generations.forget(key);
        }
        assert_eq!(generations.of(0), 0, "a link that is up is not disturbed");
        assert!(generations.of(1) > 1 && generations.of(2) > 0 && generations.of(123_456) > 0);
        assert!(generations.counts.len() <= MAX_COUNTS + 1);
    }

    proptest::proptest! {
        // Streams break anywhere; up to two live at once, each delivering at its own pace.
        #[test]
        fn each_message_arrives_once_and_in_order(steps in proptest::collection::vec(0_u8..6, 1..400)) {
            let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
            let mut streams = [0_u64; 2];
            let (mut sent, mut got) = (0, Vec::new());
            for step in steps {
                match step {
                    0 => {
                        outbox.push(message(sent)).expect("room");
                        sent += 1;
                    }
                    1 | 2 => {
                        // This stream carries one message, if there is one for it.
                        let next = &mut streams[usize::from(step - 1)];
                        if let Some(message) = outbox.get(*next) {
                            match inbox.on_message(*next) {
                                Arrived::New => got.push(message.body.clone()),
                                Arrived::Again => {}
                                Arrived::Gap => panic!("a gap"),
                            }
                            *next += 1;
                        } else {
                            // What is confirmed need not be sent: the stream starts anew.
                            *next = outbox.first();
                        }
                    }
                    3 | 4 => streams[usize::from(step - 3)] = outbox.first(),
                    _ => {
                        if let Some(number) = inbox.take_confirmation() {
                            proptest::prop_assert!(outbox.confirm(number));
                        }
                    }
                }
            }
            for number in outbox.first()..sent {
                if inbox.on_message(number) == Arrived::New {
                    got.push(outbox.get(number).expect("kept").body.clone());
                }
            }
            let expect: Vec<Bytes> = (0..sent).map(|n| message(n).body).collect();
            proptest::prop_assert_eq!(got, expect);
        }
    }
}
