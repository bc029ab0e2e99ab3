//! What the speaker plays, on its way from the playback thread to the threads of microphones, which look for it in their
//! sound. One writer, any number of readers, each with a place of its own. Nothing waits, locks or allocates.
//!
//! Overflow: the writer goes on over the oldest frame; a reader that was held up for longer than [`FRAMES`] goes on with
//! what is still there and counts the rest as lost. Underflow: a reader gets nothing, and has no echo to look for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use crate::frame::FRAME_SAMPLES;

/// Frames of 10 ms that are kept: 640 ms, more than the delay that an echo may have.
pub const FRAMES: usize = 64;

#[derive(Debug)]
struct Kept {
    /// Bits of the samples, frame after frame.
    samples: Box<[AtomicU32]>,
    /// Of each frame, microseconds from its writing until it is heard.
    ahead: Box<[AtomicU32]>,
    /// Frames so far. The next one goes to its place modulo [`FRAMES`].
    written: AtomicU64,
}

/// The writer's end. Cloning gives another handle to the same.
#[derive(Debug, Clone)]
pub struct Reference(Arc<Kept>);

impl Default for Reference {
    fn default() -> Self {
        Self::new()
    }
}

fn place(frame: u64) -> usize {
    usize::try_from(frame % FRAMES as u64).unwrap_or(0)
}

impl Reference {
    /// Nothing is played yet.
    pub fn new() -> Self {
        let zeros = |count: usize| (0..count).map(|_| AtomicU32::new(0)).collect();
        let (samples, ahead) = (zeros(FRAMES * FRAME_SAMPLES), zeros(FRAMES));
        Self(Arc::new(Kept { samples, ahead, written: AtomicU64::new(0) }))
    }

    /// Hands on the next 10 ms that the speaker plays, `ahead` microseconds from now. By one thread at a time.
    pub fn put(&self, samples: &[f32; FRAME_SAMPLES], ahead: u64) {
        let kept = &*self.0;
        let frame = kept.written.load(Ordering::Relaxed);
        // Whoever sees one of these samples sees that the frame before them is over, and so that its own is gone.
        fence(Ordering::Release);
        let start = place(frame) * FRAME_SAMPLES;
        for (to, sample) in kept.samples.iter().skip(start).zip(samples) {
            to.store(sample.to_bits(), Ordering::Relaxed);
        }
        if let Some(to) = kept.ahead.get(place(frame)) {
            to.store(u32::try_from(ahead).unwrap_or(u32::MAX), Ordering::Relaxed);
        }
        kept.written.store(frame + 1, Ordering::Release);
    }

    /// Reads what is played from now on.
    pub fn reader(&self) -> Reader {
        Reader { kept: Arc::clone(&self.0), next: self.0.written.load(Ordering::Acquire), lost: 0 }
    }
}

/// A reader's end.
#[derive(Debug)]
pub struct Reader {
    kept: Arc<Kept>,
    next: u64,
    lost: u64,
}

impl Reader {
    /// The next frame, and how many microseconds after its writing it is heard; `None` when there is none yet.
    pub fn take(&mut self, out: &mut [f32; FRAME_SAMPLES]) -> Option<u64> {
        loop {
            let written = self.kept.written.load(Ordering::Acquire);
            // The writer may be in the oldest place.
            let oldest = (written + 1).saturating_sub(FRAMES as u64);
            if self.next < oldest {
                self.lost += oldest - self.next;
                self.next = oldest;
            }
            if self.next >= written {
                return None;
            }
            let start = place(self.next) * FRAME_SAMPLES;
            for (to, sample) in out.iter_mut().zip(self.kept.samples.iter().skip(start)) {
                *to = f32::from_bits(sample.load(Ordering::Relaxed));
            }
            let ahead = self.kept.ahead.get(place(self.next)).map_or(0, |ahead| ahead.load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            let written = self.kept.written.load(Ordering::Relaxed);
            if self.next + FRAMES as u64 <= written {
                // It was overwritten meanwhile.
                continue;
            }
            self.next += 1;
            return Some(u64::from(ahead));
        }
    }

    /// Leaves out what was played until now.
    pub fn skip(&mut self) {
        self.next = self.kept.written.load(Ordering::Acquire);
    }

    /// Frames that were overwritten before they were read.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(value: f32) -> [f32; FRAME_SAMPLES] {
        [value; FRAME_SAMPLES]
    }

    #[test]
    fn each_reader_gets_what_is_played_from_its_beginning_on() {
        let (reference, mut out) = (Reference::new(), frame(0.0));
        let mut first = reference.reader();
        reference.put(&frame(0.5), 20_000);
        let mut second = reference.reader();
        reference.put(&frame(-0.25), 21_000);
        assert_eq!((first.take(&mut out), out[479]), (Some(20_000), 0.5));
        assert_eq!((first.take(&mut out), out[0]), (Some(21_000), -0.25));
        assert_eq!((second.take(&mut out), out[7]), (Some(21_000), -0.25));
        assert_eq!((first.take(&mut out), second.take(&mut out)), (None, None));
    }

    #[test]
    fn a_reader_that_was_held_up_goes_on_with_what_is_there() {
        let (reference, mut out) = (Reference::new(), frame(0.0));
        let mut reader = reference.reader();
        for n in 0..100u16 {
            reference.put(&frame(f32::from(n)), 0);
        }
        let mut got = Vec::new();
        while reader.take(&mut out).is_some() {
            got.push(out[0]);
        }
        let expect: Vec<f32> = (37..100u16).map(f32::from).collect();
        assert_eq!((got, reader.lost()), (expect, 37));
    }

    #[test]
    fn a_frame_is_whole_or_not_there_while_another_thread_writes() {
        let reference = Reference::new();
        let mut reader = reference.reader();
        let writer = crate::task::thread("reference-test", move || {
            for n in 1..=20_000u16 {
                reference.put(&frame(f32::from(n)), 1);
            }
        });
        let (mut out, mut last) = (frame(0.0), 0.0);
        while last < 20_000.0 {
            if reader.take(&mut out).is_some() {
                assert!(out.iter().all(|s| s.to_bits() == out[0].to_bits()) && out[0] > last, "{last} {}", out[0]);
                last = out[0];
            }
        }
        writer.expect("spawned").join().expect("no panic");
    }
}
