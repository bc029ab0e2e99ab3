//! Where arriving datagrams go: the queue of their track, or the feedback queue. Wired when a track is subscribed and
//! then left alone: no datagram passes through the meeting or the engine's loop.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use crate::id::PeerId;
use crate::media::{Arrival, Feedback, PacketKind, Sink, TrackId};
use crate::slot::Ring;

/// Datagrams kept for one track that its thread has not taken yet: a second of 1080p. Overflow: the oldest is dropped,
/// which the track sees as loss and repairs.
#[cfg(feature = "media")]
const TRACK_QUEUE: usize = 1024;
/// Feedback kept for the engine. Overflow: the oldest is dropped; receivers repeat what matters.
const FEEDBACK_QUEUE: usize = 256;

/// The queues of all subscribed tracks.
#[derive(Debug)]
pub struct Router {
    tracks: RwLock<BTreeMap<(PeerId, TrackId), Ring<Arrival>>>,
    feedback: Ring<(PeerId, TrackId, Feedback)>,
}

impl Default for Router {
    fn default() -> Self {
        Self { tracks: RwLock::default(), feedback: Ring::new(FEEDBACK_QUEUE) }
    }
}

impl Router {
    /// The queue of `track` of `peer`, made at first use. It outlives reconnects.
    #[cfg(feature = "media")]
    pub fn open(&self, peer: PeerId, track: TrackId) -> Ring<Arrival> {
        let mut tracks = self.tracks.write().unwrap_or_else(PoisonError::into_inner);
        tracks.entry((peer, track)).or_insert_with(|| Ring::new(TRACK_QUEUE)).clone()
    }

    /// Ends the queues of `peer`.
    #[cfg(feature = "media")]
    pub fn close(&self, peer: PeerId) {
        let mut tracks = self.tracks.write().unwrap_or_else(PoisonError::into_inner);
        tracks.retain(|(owner, _), queue| {
            if *owner == peer {
                queue.close();
            }
            *owner != peer
        });
    }

    /// What receivers say of our tracks.
    pub fn feedback(&self) -> &Ring<(PeerId, TrackId, Feedback)> {
        &self.feedback
    }
}

impl Sink for Router {
    fn on_arrival(&self, peer: PeerId, arrival: Arrival) {
        if arrival.kind == PacketKind::Feedback {
            if let Some(feedback) = Feedback::decode(&arrival.body) {
                self.feedback.push((peer, arrival.track, feedback));
            }
            return;
        }
        let tracks = self.tracks.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = tracks.get(&(peer, arrival.track)) {
            queue.push(arrival);
        }
    }
}

#[cfg(all(test, feature = "media"))]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn arrival(kind: PacketKind, track: TrackId, body: &'static [u8]) -> Arrival {
        let (now, host) = (crate::clock::now(), crate::clock::host_micros());
        let body = Bytes::from_static(body);
        Arrival { kind, track, sequence: 0, sent: 0, arrived: now, arrived_host: host, body }
    }

    #[test]
    fn datagrams_reach_the_queue_of_their_track_only() {
        let router = Router::default();
        let (a, b) = (PeerId::from_bytes([1; 32]), PeerId::from_bytes([2; 32]));
        let queue = router.open(a, TrackId::CAMERA);
        router.on_arrival(a, arrival(PacketKind::Video, TrackId::CAMERA, b"x"));
        router.on_arrival(a, arrival(PacketKind::Audio, TrackId::MICROPHONE, b"y"));
        router.on_arrival(b, arrival(PacketKind::Video, TrackId::CAMERA, b"z"));
        assert_eq!(queue.len(), 1);
        router.close(a);
        assert!(queue.is_closed());
    }

    #[test]
    fn unknown_feedback_is_dropped() {
        let router = Router::default();
        let peer = PeerId::from_bytes([1; 32]);
        router.on_arrival(peer, arrival(PacketKind::Feedback, TrackId::CAMERA, &[250]));
        assert!(router.feedback().is_empty());
        router.on_arrival(peer, arrival(PacketKind::Feedback, TrackId::CAMERA, &[1]));
        assert_eq!(router.feedback().try_recv(), Some((peer, TrackId::CAMERA, Feedback::Pli)));
    }
}
