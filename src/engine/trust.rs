//! Trust, carried out: decisions go to the profile before they count, and files neither come from nor go to a key that
//! is withheld. What such a key offers it offers again by itself, until its offer expires.

use super::Reply;
use super::actor::{Actor, Later};
use super::failure::sentence;
use super::words::Wordbook;
use crate::clock;
use crate::id::{LinkKey, PeerId};
use crate::known;
use crate::meeting::{Code, Done, Edit, Failure, Trust};
use crate::share::DisplayName;

impl Actor {
    /// Writes a decision down, then it counts.
    pub(super) fn decide(&self, edit: Edit, reply: Reply) {
        let (store, sender) = (self.parts.known.clone(), self.later.0.clone());
        let words = self.parts.words.clone();
        self.parts.services.spawn(async move {
            let result = write(store, words, edit).await;
            let _ = sender.send(Later::Decided(result, reply)).await;
        });
    }

    /// Makes the words to compare with a key, beside the loop.
    pub(super) fn tell_words(&self, peer: PeerId, reply: Reply) {
        let words = self.parts.words.clone();
        self.parts.services.spawn_blocking(move || drop(reply.send(Ok(Done::Words(words.with(peer))))));
    }

    /// It is written.
    pub(super) fn on_decision(&mut self, result: Result<(Edit, Done), Failure>, reply: Reply) {
        let result = result.map(|(edit, done)| {
            self.meeting.on_decided(clock::now(), &edit);
            let welcome = |link: &LinkKey| self.meeting.trust(link.peer) != Trust::Changed;
            for link in self.unwelcome.extract_if(.., welcome) {
                self.parts.drops.on_visitor(link);
            }
            done
        });
        let _ = reply.send(result);
    }

    /// The link of a participant is new, and the meeting knows of it: media and files go over it, unless the key is
    /// withheld.
    pub(super) fn wire(&mut self, peer: PeerId) {
        if self.meeting.is_withheld(peer) {
            return;
        }
        self.rewire(peer);
        if let Some((link, _)) = self.seated.get(&peer) {
            self.parts.drops.on_linked(*link);
        }
    }

    /// Somebody without a seat is linked.
    pub(super) fn on_visitor(&mut self, link: LinkKey, name: &DisplayName) {
        if self.meeting.on_visitor(clock::now(), link.peer, name) == Trust::Changed {
            self.unwelcome.insert(link);
            self.parts.drops.on_withheld(link);
        } else {
            self.parts.drops.on_visitor(link);
        }
    }

    /// Somebody without a seat takes another name.
    pub(super) fn on_visitor_renamed(&mut self, peer: PeerId, name: &DisplayName) {
        for link in self.meeting.links_of(peer) {
            self.on_visitor(link, name);
        }
    }

    /// False while nothing is taken from `link`, for nothing may be answered.
    pub(super) fn takes_files(&self, link: LinkKey) -> bool {
        !self.unwelcome.contains(&link) && !self.meeting.is_withheld(link.peer)
    }

    /// Files stop at once for this key.
    pub(super) fn withhold(&self, peer: PeerId) {
        if let Some((link, _)) = self.seated.get(&peer) {
            self.parts.drops.on_withheld(*link);
        }
    }
}

/// Writes a decision into the profile, and makes the answer to it.
pub async fn write(store: known::Store, words: Wordbook, edit: Edit) -> Result<(Edit, Done), Failure> {
    let decide = move || {
        store.decide(&edit)?;
        let verified = matches!(edit, Edit::Verified { .. });
        let done = if verified { Done::Words(words.with(edit.peer())) } else { Done::Ok };
        Ok((edit, done))
    };
    let result: Result<Result<_, known::Error>, _> = tokio::task::spawn_blocking(decide).await;
    match result {
        Ok(result) => result.map_err(|error| failure(&error)),
        Err(_) => Err(Failure::new(Code::Internal, "The profile could not be written.", "")),
    }
}

/// Why a decision was not written.
pub fn failure(error: &known::Error) -> Failure {
    let text = error.to_string();
    let (message, hint) = text.split_once("; ").unwrap_or((&text, "Free space or mend the profile"));
    Failure::new(Code::DiskFailed, sentence(message), sentence(hint))
}
