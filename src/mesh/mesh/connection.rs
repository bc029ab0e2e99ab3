//! One QUIC connection as the actor keeps it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::TICK;
use crate::id::LinkKey;
use crate::identity::PublicKey;
use crate::mesh::link::control::{Ending, Order};
use crate::mesh::link::greet::{CLOSE_ENDED, close_code};
use crate::mesh::link::{Link, RecvStream};
use crate::mesh::roster::{CloseReason, Closed, LinkId, Seat};
use crate::mesh::wire::{Control, Hello};
use crate::mesh::{bandwidth, congestion};

/// One QUIC connection whose hellos were exchanged.
#[derive(Debug)]
pub(super) struct Connection {
    pub key: LinkKey,
    pub seat: Seat,
    pub public_key: PublicKey,
    pub connection: quinn::Connection,
    pub theirs: Hello,
    pub same_clock: bool,
    pub orders: mpsc::Sender<Order>,
    pub ending: watch::Sender<Option<Ending>>,
    /// Set when the connection is first used.
    pub used: Arc<OnceLock<Arc<Link>>>,
    /// Streams that were faster than the word that makes this connection the link.
    pub early: Vec<RecvStream>,
    pub datagrams_in: u64,
    pub sent_bytes: u64,
    pub lost_bytes: u64,
    pub file_sent: u64,
}

/// What the roster's reason is on the wire.
pub(super) fn ending_for(reason: CloseReason) -> Ending {
    let code = match reason.as_seen() {
        Closed::Lost => CLOSE_ENDED,
        Closed::Refused(refusal) => close_code(refusal),
    };
    let reason = match reason {
        CloseReason::Duplicate => "duplicate",
        CloseReason::Replaced => "replaced",
        CloseReason::Timeout => "timeout",
        CloseReason::Goodbye => "goodbye",
        CloseReason::Removed => "removed",
        CloseReason::Undecided => "undecided",
    };
    Ending { last: None, code, reason }
}

impl Connection {
    pub fn say(&self, control: Control) {
        if self.orders.try_send(Order::Say(control)).is_err() {
            tracing::debug!(peer = %self.key.peer.short(), "the peer does not read; a message of the mesh was dropped");
        }
    }

    /// Confirms the messages that came.
    pub fn confirm(&self) {
        if let Some(number) = self.used.get().and_then(|link| link.with_inbox(|inbox| inbox.take_confirmation())) {
            self.say(Control::Confirm(number));
        }
    }

    pub fn sends_files(&self) -> bool {
        self.used.get().is_some_and(|link| link.file_sent() != self.file_sent)
    }

    /// One tick: true when packets came since the last.
    pub fn look(&mut self, id: LinkId, late: Duration, sharing: u32) -> bool {
        let stats = self.connection.stats();
        let heard = stats.udp_rx.datagrams != self.datagrams_in;
        self.datagrams_in = stats.udp_rx.datagrams;
        let sent = stats.udp_tx.bytes - self.sent_bytes;
        let lost = stats.path.lost_bytes.saturating_sub(self.lost_bytes);
        (self.sent_bytes, self.lost_bytes) = (stats.udp_tx.bytes, stats.path.lost_bytes);
        if let Some(link) = self.used.get().filter(|link| link.current().is_some_and(|current| current.id == id)) {
            let file = link.file_sent();
            let used = file - self.file_sent;
            self.file_sent = file;
            if let Some(state) = congestion::state_of(&self.connection) {
                link.allowance().on_tick(bandwidth::Tick {
                    queue: state.queue(),
                    loss: bandwidth::share(lost, sent),
                    used: bandwidth::per_second(used, TICK),
                    late,
                    sharing,
                });
                link.tick(&self.connection, state.base(), used > 0);
            }
        }
        heard
    }
}
