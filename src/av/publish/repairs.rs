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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::av::packet::EncodedPicture;
    use crate::av::packet::header::Layer;
    use crate::av::packet::packetizer::Packetizer;
    use crate::media::Outlet;

    const PEER: PeerId = PeerId::from_bytes([3; 32]);
    const VIEW: View = View::Large;

    #[derive(Debug)]
    struct Nowhere;

    impl Outlet for Nowhere {
        fn send(&self, _: Packet) {}
    }

    /// One layer and one receiver of it, whose link carries 1 Mbit/s beside the pictures and loses a fifth.
    struct Meeting {
        repairs: Repairs,
        outlets: Outlets,
        packetizer: Packetizer,
        now: Instant,
    }

    impl Meeting {
        fn new() -> Self {
            let outlets = Outlets::new();
            outlets.set(PEER, VIEW, Arc::new(Nowhere));
            let packetizer = Packetizer::new(7, Layer::Main, 0);
            Self { repairs: Repairs::default(), outlets, packetizer, now: crate::clock::now() }
        }

        /// A second of pictures after the link was told to have `spare`: bits of parity, and the stream and number of the
        /// last picture.
        fn second(&mut self, spare: u64, loss: f64) -> (u64, (u16, u32)) {
            let rtt = Duration::from_millis(40);
            self.repairs.set_link(PEER, Some(Conditions { loss, rtt, spare: Bitrate::from_bps(spare) }));
            let (mut bits, mut last) = (0, (0, 0));
            for _ in 0..30 {
                self.now += Duration::from_micros(33_333);
                let picture = EncodedPicture { data: vec![7; 5000], key: false, temporal: 0, discardable: false };
                let packets = self.packetizer.cut(&picture, 1).expect("cut");
                let shape =
                    Picture { packets: packets.bodies.len(), packet_bits: 9000, key: false, discardable: false };
                let target = (&self.outlets, VIEW);
                let (parity, receivers) = self.repairs.on_sent(self.now, &packets, shape, None, target);
                assert!(parity.is_empty() || receivers == [PEER]);
                bits += 9000 * u64::try_from(parity.len()).expect("small");
                last = (packets.stream, packets.frame);
            }
            (bits, last)
        }
    }

    #[test]
    fn parity_does_not_take_its_own_room_away() {
        let mut meeting = Meeting::new();
        let room = 1_000_000;
        let (mut parity, _) = meeting.second(room, 0.2);
        for second in 1..6 {
            let before = parity;
            // What is told to be free is what the parity of the last second left.
            (parity, _) = meeting.second(room - before, 0.2);
            assert!(parity >= room * 8 / 10 && parity <= room * 11 / 10, "second {second}: {parity} after {before}");
        }
    }

    #[test]
    fn what_a_receiver_asks_for_again_gives_more_to_those_that_parity_serves() {
        for (spare, more) in [(20_000_000, true), (0, false)] {
            let mut meeting = Meeting::new();
            let (before, (stream, newest)) = meeting.second(spare, 0.03);
            for frame in newest - 9..=newest {
                let nack = Nack::of(stream, [(frame, Some(0))]).expect("one");
                assert!(meeting.repairs.on_nack(meeting.now, TrackId::CAMERA, PEER, &nack, &meeting.outlets));
            }
            let (after, _) = meeting.second(spare, 0.03);
            assert_eq!(after > before, more, "{before} {after}");
        }
    }
}
