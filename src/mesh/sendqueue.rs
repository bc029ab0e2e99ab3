//! Sans-IO. What waits to be sent as datagrams on one link: voice first, then feedback, then what is repaired, then
//! pictures.
//!
//! The network below has no priorities and drops by its own rule, so the order and the dropping are decided here, and
//! below it is handed little at a time. A packet that is late is worth nothing; a picture of which one packet is late
//! is dropped whole, since the rest of it would only delay the next one.

use std::collections::VecDeque;
use std::time::Instant;

use crate::media::{Packet, Priority, TrackId};

/// Half a second of voice at 10 ms a packet, from a few tracks.
const MAX_AUDIO: usize = 128;
/// Reports and requests.
const MAX_FEEDBACK: usize = 128;
/// More than the repair of a large keyframe.
const MAX_REPAIR: usize = 512;
/// A large keyframe and some pictures.
const MAX_VIDEO: usize = 1024;
/// Groups of which later packets are refused; older ones have no packets to come.
const MAX_DROPPED_GROUPS: usize = 16;

/// What was dropped since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Packets that were late, or whose picture was.
    pub late: u64,
    /// Packets for which there was no room.
    pub full: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct SendQueue {
    // Overflow: the oldest packet is dropped.
    audio: VecDeque<Packet>,
    // Overflow: the oldest packet is dropped.
    feedback: VecDeque<Packet>,
    // Overflow: the oldest packet is dropped.
    repair: VecDeque<Packet>,
    // Overflow: the oldest picture is dropped whole.
    video: VecDeque<Packet>,
    dropped_groups: VecDeque<(TrackId, u32)>,
    dropped: Dropped,
}

impl SendQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues a packet, or drops it (or older ones) by the rules above.
    pub fn push(&mut self, packet: Packet) {
        match packet.priority {
            Priority::Audio => push_bounded(&mut self.audio, MAX_AUDIO, packet, &mut self.dropped),
            Priority::Feedback => push_bounded(&mut self.feedback, MAX_FEEDBACK, packet, &mut self.dropped),
            Priority::Repair => push_bounded(&mut self.repair, MAX_REPAIR, packet, &mut self.dropped),
            Priority::Video => self.push_video(packet),
        }
    }

    fn push_video(&mut self, packet: Packet) {
        if self.dropped_groups.contains(&(packet.track, packet.group)) {
            self.dropped.late += 1;
            return;
        }
        if self.video.len() >= MAX_VIDEO
            && let Some(oldest) = self.video.front()
        {
            let group = (oldest.track, oldest.group);
            self.dropped.full += self.drop_group(group);
            if group == (packet.track, packet.group) {
                self.dropped.full += 1;
                return;
            }
        }
        self.video.push_back(packet);
    }

    fn drop_group(&mut self, group: (TrackId, u32)) -> u64 {
        let before = self.video.len();
        self.video.retain(|packet| (packet.track, packet.group) != group);
        if self.dropped_groups.len() >= MAX_DROPPED_GROUPS {
            self.dropped_groups.pop_front();
        }
        self.dropped_groups.push_back(group);
        (before - self.video.len()) as u64
    }

    /// The next packet to send.
    pub fn pop(&mut self, now: Instant) -> Option<Packet> {
        for queue in [&mut self.audio, &mut self.feedback, &mut self.repair] {
            while let Some(packet) = queue.pop_front() {
                if packet.expires > now {
                    return Some(packet);
                }
                self.dropped.late += 1;
            }
        }
        while let Some(packet) = self.video.pop_front() {
            if packet.expires > now {
                return Some(packet);
            }
            self.dropped.late += 1 + self.drop_group((packet.track, packet.group));
        }
        None
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        [&self.audio, &self.feedback, &self.repair, &self.video].iter().all(|queue| queue.is_empty())
    }

    /// Forgets everything that waits: the link is gone.
    pub fn clear(&mut self) {
        self.audio.clear();
        self.feedback.clear();
        self.repair.clear();
        self.video.clear();
    }

    /// What was dropped.
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }
}

fn push_bounded(queue: &mut VecDeque<Packet>, limit: usize, packet: Packet, dropped: &mut Dropped) {
    if queue.len() >= limit {
        queue.pop_front();
        dropped.full += 1;
    }
    queue.push_back(packet);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::PacketKind;
    use bytes::Bytes;
    use std::time::Duration;

    fn packet(now: Instant, priority: Priority, group: u32, lives_ms: u64) -> Packet {
        Packet {
            kind: PacketKind::Video,
            track: TrackId::CAMERA,
            priority,
            group,
            expires: now + Duration::from_millis(lives_ms),
            body: Bytes::from_static(b"x"),
        }
    }

    fn drain(queue: &mut SendQueue, now: Instant) -> Vec<(Priority, u32)> {
        std::iter::from_fn(|| queue.pop(now)).map(|packet| (packet.priority, packet.group)).collect()
    }

    #[test]
    fn voice_goes_first_and_pictures_last() {
        let now = crate::clock::now();
        let mut queue = SendQueue::new();
        queue.push(packet(now, Priority::Video, 1, 100));
        queue.push(packet(now, Priority::Repair, 5, 100));
        queue.push(packet(now, Priority::Feedback, 2, 100));
        queue.push(packet(now, Priority::Audio, 3, 100));
        queue.push(packet(now, Priority::Audio, 4, 100));
        let expect = [
            (Priority::Audio, 3),
            (Priority::Audio, 4),
            (Priority::Feedback, 2),
            (Priority::Repair, 5),
            (Priority::Video, 1),
        ];
        assert_eq!(drain(&mut queue, now), expect);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_late_picture_is_dropped_whole_with_what_comes_later_of_it() {
        let now = crate::clock::now();
        let mut queue = SendQueue::new();
        queue.push(packet(now, Priority::Video, 1, 10));
        queue.push(packet(now, Priority::Video, 1, 500));
        queue.push(packet(now, Priority::Video, 2, 500));
        let later = now + Duration::from_millis(20);
        assert_eq!(drain(&mut queue, later), vec![(Priority::Video, 2)]);
        queue.push(packet(now, Priority::Video, 1, 500));
        assert_eq!(drain(&mut queue, later), vec![]);
        assert_eq!(queue.dropped(), Dropped { late: 3, full: 0 });
    }

    #[test]
    fn late_voice_is_dropped_alone() {
        let now = crate::clock::now();
        let mut queue = SendQueue::new();
        queue.push(packet(now, Priority::Audio, 1, 10));
        queue.push(packet(now, Priority::Audio, 1, 500));
        assert_eq!(drain(&mut queue, now + Duration::from_millis(20)).len(), 1);
    }

    #[test]
    fn a_full_queue_drops_its_oldest_picture() {
        let now = crate::clock::now();
        let mut queue = SendQueue::new();
        for group in 0..205 {
            for _ in 0..5 {
                queue.push(packet(now, Priority::Video, group, 100));
            }
        }
        let groups = drain(&mut queue, now);
        assert_eq!(groups.first(), Some(&(Priority::Video, 1)));
        assert_eq!(groups.last(), Some(&(Priority::Video, 204)));
        assert_eq!(queue.dropped().full, 5);
    }

    #[test]
    fn one_endless_picture_does_not_grow_the_queue() {
        let now = crate::clock::now();
        let mut queue = SendQueue::new();
        for _ in 0..5000 {
            queue.push(packet(now, Priority::Video, 1, 100));
            queue.push(packet(now, Priority::Audio, 1, 100));
        }
        assert!(drain(&mut queue, now).len() <= MAX_VIDEO + MAX_AUDIO);
    }
}
