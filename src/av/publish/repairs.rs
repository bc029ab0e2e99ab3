//! What one layer does against loss, shared by the thread that encodes and by whoever hears the receivers: packets kept for
//! those that ask again, and parity for links that lose. Locks are held for moments.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::av::outlets::Outlets;
use crate::av::packet::packetizer::Packets;
use crate::av::repair::amount::{Amount, Conditions, Picture};
use crate::av::repair::resend::Resend;
use crate::id::PeerId;
use crate::media::{Bitrate, Nack, Packet, PacketKind, Pictures, Priority, TrackId, View};

/// A packet that waited longer in a link's queue comes too late to repair anything.
const WORTH: Duration = Duration::from_millis(250);
/// The round trip of a link that has not told one.
const USUAL_RTT: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy, Default)]
struct Link {
    conditions: Conditions,
    /// Bits of parity that it got since they were told.
    parity: u64,
}

#[derive(Debug, Default)]
struct State {
    resend: Resend,
    amount: Amount,
    links: BTreeMap<PeerId, Link>,
    /// Bits that are left under a cap.
    room: Option<u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Repairs(Mutex<State>);

impl Repairs {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the link to a receiver is like; `None` forgets it. Say it once a second: the parity that left meanwhile was no
    /// room to spare any more, but is there to be spent again.
    pub fn set_link(&self, peer: PeerId, conditions: Option<Conditions>) {
        let links = &mut self.lock().links;
        let before = links.remove(&peer).unwrap_or_default();
        if let Some(conditions) = conditions {
            // A second without loss does not make a link good.
            let loss = conditions.loss.max(before.conditions.loss * 0.7);
            let spare = Bitrate::from_bps(conditions.spare.bps().saturating_add(before.parity));
            links.insert(peer, Link { conditions: Conditions { loss, spare, ..conditions }, parity: 0 });
        }
    }

    /// Keeps a picture that leaves at `now` for those who watch `view`, and makes its parity: the packets, and who
    /// gets them. `room`: bits that a cap leaves in this second.
    pub fn on_sent(
        &self,
        now: Instant,
        packets: &Packets,
        picture: Picture,
        room: Option<u64>,
        (outlets, view): (&Outlets, View),
    ) -> (Vec<Bytes>, Vec<PeerId>) {
        let mut state = self.lock();
        let State { resend, amount, links, .. } = &mut *state;
        resend.on_sent(now, packets.stream, packets.frame, &packets.bodies);
        let watching = |peer: &PeerId| outlets.view_of(*peer) == Some(view);
        let all = links.iter().filter(|(peer, _)| watching(peer)).map(|(_, link)| link.conditions);
        let count = amount.plan(now, picture, all);
        let afford = room.map_or(usize::MAX, |room| usize::try_from(room / picture.packet_bits.max(1)).unwrap_or(0));
        let count = count.min(afford);
        let bits = u64::try_from(count).unwrap_or(0).saturating_mul(picture.packet_bits);
        let mut receivers = Vec::new();
        for (peer, link) in links.iter_mut().filter(|(peer, link)| link.conditions.serves() && watching(peer)) {
            link.parity = link.parity.saturating_add(bits);
            receivers.push(*peer);
        }
        state.room = room;
        drop(state);
        (packets.parity(count), receivers)
    }

    /// Sends `peer` what it asks for, as far as it may have it. False when this layer never sent it.
    pub fn on_nack(&self, now: Instant, track: TrackId, peer: PeerId, nack: &Nack, outlets: &Outlets) -> bool {
        let mut state = self.lock();
        if !state.resend.knows(nack.stream()) {
            return false;
        }
        let conditions = state.links.get(&peer).copied().unwrap_or_default().conditions;
        let Conditions { loss, rtt, .. } = conditions;
        let rtt = if rtt.is_zero() { USUAL_RTT } else { rtt };
        let room = state.room;
        let again = state.resend.on_nack(now, peer, nack, rtt, (loss, room));
        if conditions.serves() {
            again.iter().for_each(|one| state.amount.on_asked(nack.stream(), one.frame));
        }
        drop(state);
        for one in again {
            let packet = Packet {
                kind: PacketKind::Video,
                track,
                priority: Priority::Repair,
                group: one.frame,
                expires: now + WORTH,
                body: one.body,
            };
            for _ in 0..one.copies {
                outlets.send_to(peer, Pictures::Half, packet.clone());
            }
        }
        true
    }

    /// What receivers asked for in vain.
    pub fn refused(&self) -> u64 {
        self.lock().resend.refused()
    }
}
