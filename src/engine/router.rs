//! Where arriving datagrams go: the queue of their track, or the feedback queue. Wired when a track is subscribed and
//! then left alone: no datagram passes through the meeting or the engine's loop.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::id::PeerId;
use crate::media::{Arrival, Feedback, PacketKind, Sink, TrackId};
use crate::slot::Ring;

/// Datagrams kept for one track that its thread has not taken yet: a second of 1080p. Overflow: the oldest is dropped,
/// which the track sees as loss and repairs.
#[cfg(feature = "media")]
const TRACK_QUEUE: usize = 1024;
/// Feedback kept for the engine. Overflow: the oldest is dropped; receivers repeat what matters.
const FEEDBACK_QUEUE: usize = 1024;

/// A receiver speaks up to forty times a second of each of our picture tracks, and asks for what it lost between.
const WORDS_A_SECOND: u32 = 200;
/// So many may come at once.
const WORDS_AT_ONCE: u32 = 50;

/// What one receiver may still say of one track. Overflow: it is not heard until time has passed; the others are.
#[derive(Debug)]
struct Allowance {
    words: u32,
    since: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        Self { words: WORDS_AT_ONCE, since: now }
    }

    /// True for a word that is heard.
    fn take(&mut self, now: Instant) -> bool {
        let each = Duration::from_secs(1) / WORDS_A_SECOND;
        let earned = now.saturating_duration_since(self.since).as_micros() / each.as_micros().max(1);
        let earned = u32::try_from(earned).unwrap_or(u32::MAX).min(WORDS_AT_ONCE);
        if earned > 0 {
            self.words = self.words.saturating_add(earned).min(WORDS_AT_ONCE);
            self.since = if self.words == WORDS_AT_ONCE { now } else { self.since + each * earned };
        }
        self.words.checked_sub(1).map(|left| self.words = left).is_some()
    }
}

/// The queues of all subscribed tracks.
#[derive(Debug)]
pub struct Router {
    tracks: RwLock<BTreeMap<(PeerId, TrackId), Ring<Arrival>>>,
    feedback: Ring<(PeerId, TrackId, Feedback)>,
    /// As many as peers have links, two each.
    allowances: Mutex<BTreeMap<(PeerId, TrackId), Allowance>>,
}

impl Default for Router {
    fn default() -> Self {
        Self { tracks: RwLock::default(), feedback: Ring::new(FEEDBACK_QUEUE), allowances: Mutex::default() }
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
        self.allowances.lock().unwrap_or_else(PoisonError::into_inner).retain(|(owner, _), _| *owner != peer);
    }

    fn may(&self, peer: PeerId, arrival: &Arrival) -> bool {
        let mut allowances = self.allowances.lock().unwrap_or_else(PoisonError::into_inner);
        let of = allowances.entry((peer, arrival.track)).or_insert_with(|| Allowance::new(arrival.arrived));
        of.take(arrival.arrived)
    }

    /// What receivers say of our tracks.
    pub fn feedback(&self) -> &Ring<(PeerId, TrackId, Feedback)> {
        &self.feedback
    }
}

impl Sink for Router {
    fn on_arrival(&self, peer: PeerId, arrival: Arrival) {
        if arrival.kind == PacketKind::Feedback {
            // Of sound there is nothing to say.
            if !matches!(arrival.track, TrackId::CAMERA | TrackId::SCREEN) || !self.may(peer, &arrival) {
                return;
            }
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
    fn a_flood_of_one_receiver_pushes_out_no_other() {
        let router = Router::default();
        let (loud, honest) = (PeerId::from_bytes([1; 32]), PeerId::from_bytes([2; 32]));
        router.on_arrival(honest, arrival(PacketKind::Feedback, TrackId::CAMERA, &[1]));
        let first = arrival(PacketKind::Feedback, TrackId::CAMERA, &[1]);
        // A second of it.
        for n in 0..100_000u32 {
            let arrived = first.arrived + Duration::from_micros(10) * n;
            router.on_arrival(loud, Arrival { arrived, ..first.clone() });
        }
        let mut heard = BTreeMap::new();
        while let Some((peer, _, _)) = router.feedback().try_recv() {
            *heard.entry(peer).or_insert(0) += 1;
        }
        assert_eq!(heard.get(&honest), Some(&1));
        assert!((WORDS_A_SECOND..=WORDS_A_SECOND + WORDS_AT_ONCE).contains(&heard[&loud]), "{heard:?}");
        // What is said at its pace is heard whole, of each track.
        for n in 0..500u32 {
            let arrived = first.arrived + Duration::from_secs(10) + Duration::from_millis(6) * n;
            for track in [TrackId::CAMERA, TrackId::SCREEN] {
                router.on_arrival(honest, Arrival { arrived, track, ..first.clone() });
            }
        }
        assert_eq!(router.feedback().len(), 1000);
        router.on_arrival(honest, arrival(PacketKind::Feedback, TrackId::MICROPHONE, &[1]));
        assert_eq!(router.feedback().len(), 1000);
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
