//! Sans-IO. Messages that come in, handed to who understands them; what was wrong with them becomes one clear warning.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::framing::Message;
use crate::id::{LinkKey, PeerId};
use crate::share::{DisplayName, Emoji};

use super::event::{Audience, Event, Person};
use super::failure::WarningCode;
use super::tracks::{self, Change};
use super::{Meeting, Output, chat, hands, wire};

impl Meeting {
    /// A message of a kind in [`KINDS`] came from a participant, or one about calls from anybody linked. Other kinds and
    /// other senders are ignored.
    pub fn on_message(&mut self, now: Instant, from: LinkKey, message: &Message) {
        if wire::CALL_KINDS.contains(&message.kind) {
            return self.on_call_message(now, from, message);
        }
        if self.people.seat(from.peer).is_none_or(|seat| seat.instance != from.instance) {
            return;
        }
        // For the chat it is not linked; what it pushes it pushes again.
        if matches!(message.kind, wire::LINES | wire::HAVE | wire::WANT | wire::REACTION) && self.is_withheld(from.peer)
        {
            return;
        }
        match message.kind {
            wire::LINES => match message.decode() {
                Ok(lines) => {
                    let result = self.chat.on_lines(now, from, lines);
                    self.judge(now, from.peer, result);
                }
                Err(error) => self.bad_input(now, from.peer, &error.to_string()),
            },
            wire::HAVE => match message.decode() {
                Ok(have) => {
                    let result = self.chat.on_have(now, from, have);
                    self.judge(now, from.peer, result);
                }
                Err(error) => self.bad_input(now, from.peer, &error.to_string()),
            },
            wire::WANT => match message.decode() {
                Ok(want) => {
                    let result = self.chat.on_want(now, from, &want);
                    self.judge(now, from.peer, result);
                }
                Err(error) => self.bad_input(now, from.peer, &error.to_string()),
            },
            wire::TRACKS => match message.decode() {
                Ok(said) => {
                    let changes = self.tracks.on_tracks(now, from.peer, &said);
                    self.judge_tracks(now, from.peer, changes);
                }
                Err(error) => self.bad_input(now, from.peer, &error.to_string()),
            },
            wire::VIEWS => match message.decode() {
                Ok(said) => {
                    let changes = self.tracks.on_views(now, from.peer, &said);
                    self.judge_tracks(now, from.peer, changes);
                }
                Err(error) => self.bad_input(now, from.peer, &error.to_string()),
            },
            wire::HAND => match message.decode() {
                Ok(said) => {
                    let moved = self.hands.on_hand(now, from.peer, &said);
                    match moved {
                        Ok(moved) => self.tell_hand(from.peer, moved),
                        Err(refusal) => self.judge_hand(now, from.peer, refusal),
                    }
                }
                Err(error) => self.bad_input(now, from.peer, &error.to_string()),
            },
            wire::REACTION => match message.decode::<wire::Reaction>().map(|said| Emoji::new(&said.emoji)) {
                Ok(Ok(emoji)) => match self.hands.on_reaction(now, from.peer) {
                    Ok(()) => {
                        let person = self.person(from.peer);
                        self.event(Event::Reaction { person, emoji });
                    }
                    Err(refusal) => self.judge_hand(now, from.peer, refusal),
                },
                Ok(Err(error)) => self.bad_input(now, from.peer, &error.to_string()),
                Err(error) => self.bad_input(now, from.peer, &error.to_string()),
            },
            kind => {
                self.unknown_messages = self.unknown_messages.saturating_add(1);
                let message = format!("A message of the unknown kind {kind} came and was ignored.");
                let hint = "A newer version may be worth having.".to_owned();
                self.warn(now, WarningCode::UnknownMessage, from.peer, message, hint);
            }
        }
        self.drain_chat(now);
    }

    fn judge(&mut self, now: Instant, peer: PeerId, result: Result<(), chat::Refusal>) {
        let (code, message) = match result {
            // A late answer is nobody's fault.
            Ok(()) | Err(chat::Refusal::Unasked) => return,
            Err(chat::Refusal::Malformed) => return self.bad_input(now, peer, "against the rules of its kind"),
            Err(chat::Refusal::Forged) => {
                (WarningCode::Forged, "A line came that its author did not sign; it was dropped.")
            }
            Err(chat::Refusal::NoPlace) => {
                (WarningCode::Flood, "Lines of too many unknown authors came; the rest is dropped.")
            }
            Err(chat::Refusal::Flood) => (WarningCode::Flood, "More came than one may send; the rest is dropped."),
        };
        self.warn(now, code, peer, message.to_owned(), String::new());
    }

    fn judge_tracks(&mut self, now: Instant, peer: PeerId, result: Result<Vec<Change>, tracks::Refusal>) {
        match result {
            Ok(changes) => self.apply(peer, changes),
            Err(tracks::Refusal::Stranger) => {}
            Err(tracks::Refusal::Flood) => self.judge(now, peer, Err(chat::Refusal::Flood)),
        }
    }

    fn judge_hand(&mut self, now: Instant, peer: PeerId, refusal: hands::Refusal) {
        match refusal {
            hands::Refusal::Stranger => {}
            hands::Refusal::Malformed => self.bad_input(now, peer, "against the rules of its kind"),
            hands::Refusal::Flood => self.judge(now, peer, Err(chat::Refusal::Flood)),
        }
    }

    pub(super) fn bad_input(&mut self, now: Instant, peer: PeerId, detail: &str) {
        let message = format!("A message that cannot be read was dropped: {detail}.");
        self.warn(now, WarningCode::BadInput, peer, message, String::new());
    }

    // Who said a line. Anybody can draw a key and sign with it under any name: who is not here under a name that somebody
    // else bears or bore is told apart.
    fn author(&mut self, now: Instant, peer: PeerId, signed: DisplayName) -> Person {
        if self.people.seat(peer).is_some() {
            return self.person(peer);
        }
        let directory = &self.people.directory;
        let name = if directory.knows(peer) { directory.person(peer).name } else { signed };
        if directory.others_named(peer, &name).is_empty() {
            return Person { peer, name };
        }
        let told_apart = name.with_digits(&peer.short());
        let message = format!("Somebody who is not here is called '{name}', as another person.");
        let hint = format!("Lines of this one are shown as {told_apart}.");
        self.warn(now, WarningCode::NameCollision, peer, message, hint);
        Person { peer, name: told_apart }
    }

    /// Hands on what the chat wants done, with names beside keys.
    pub(super) fn drain_chat(&mut self, now: Instant) {
        while let Some(output) = self.chat.poll_output() {
            match output {
                chat::Output::Send { to, message } => self.out.push_back(Output::Send { to, message }),
                chat::Output::Line { id, name, text, people, sent_at, late } => {
                    let from = self.author(now, id.author, name);
                    let others = |people: BTreeSet<PeerId>| {
                        people.into_iter().filter(|peer| *peer != id.author).map(|peer| self.person(peer)).collect()
                    };
                    let to = people.map_or(Audience::Room, |people| Audience::People(others(people)));
                    self.event(Event::Chat { id, from, text, to, sent_at, late });
                }
                chat::Output::Delivered { id, to } => {
                    let to = to.into_iter().map(|peer| self.person(peer)).collect();
                    self.event(Event::Delivered { id, to });
                }
                chat::Output::Warn { code, peer, count } => {
                    let name = self.person(peer).name;
                    let (message, hint) = match code {
                        WarningCode::Undelivered => (
                            format!("{count} private lines for {name} waited too long and were given up."),
                            format!("Say it again when {name} is here."),
                        ),
                        _ => (format!("{count} lines of {name} are kept by nobody any more."), String::new()),
                    };
                    self.warn(now, code, peer, message, hint);
                }
            }
        }
    }
}
