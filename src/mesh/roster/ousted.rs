//! Sans-IO. Whether a newer run of this identity has taken the seat of this one.
//!
//! Peers say so by closing with `replaced`, and the word of one must not end this process: anybody can say it. A newer
//! run links to everybody, so that everybody says it. Therefore:
//!
//! - Who never had a seat with us is not heard.
//! - Who had one loses it here, and nothing more happens while anybody else is seated.
//! - When nobody is left, the word of two is believed. The word of one needs a second witness: discovery (not gossip,
//!   which the same peer could say as well) has seen another run of this identity in this room, before or after.
//!
//! What is left to an attacker: to end a process that is alone with two keys of his, or with one and false discovery
//! on the same network. Nobody else is in that room. A run that was replaced without a witness stays, alone.

use std::time::Instant;

use crate::id::PeerId;
use crate::sighting::{Sighting, Source};

use super::{Change, LeaveReason, Output, Roster};

impl Roster {
    /// Discovery saw this very identity.
    pub(super) fn on_own_sighting(&mut self, sighting: &Sighting) {
        let Some(instance) = sighting.instance.filter(|instance| *instance != self.config.me.instance) else { return };
        if sighting.gone {
            self.other_run = self.other_run.filter(|other| *other != instance);
            return;
        }
        let told = matches!(sighting.source, Source::Mdns | Source::Rendezvous);
        if told && (sighting.rooms.is_empty() || self.invites(sighting)) {
            self.other_run = Some(instance);
            self.judge_ousted();
        }
    }

    /// `peer` says that a newer run of this identity has the seat.
    pub(super) fn on_replaced(&mut self, now: Instant, peer: PeerId) {
        let Some(person) = self.people.get(&peer) else { return };
        if person.seated.is_none() && !person.left {
            return;
        }
        self.unseat(now, peer, LeaveReason::Removed);
        if self.ousted_by.len() < self.config.seats {
            self.ousted_by.insert(peer);
        }
        self.judge_ousted();
    }

    fn judge_ousted(&mut self) {
        let Some(by) = self.ousted_by.first().copied() else { return };
        let alone = self.people.values().all(|person| person.seated.is_none());
        let witnesses = self.ousted_by.len() + usize::from(self.other_run.is_some());
        if alone && witnesses >= 2 && !self.leaving {
            self.ousted_by.clear();
            self.outputs.push_back(Output::Changed(Change::Ousted { by }));
        }
    }
}
