//! What the speaker plays, on its way from the playback thread to the threads of microphones, which look for it in their
//! sound. One writer, any number of readers, each with a place of its own. Nothing waits, locks or allocates.
//!
//! It is what the device gets, sample by sample, also the silence that it plays when it finds nothing, so that who counts
//! the samples knows when each is heard.
//!
//! Overflow: the writer goes on over the oldest samples; a reader that was held up for longer than [`KEPT`] goes on with
//! what is still there and counts the rest as lost. Underflow: a reader gets nothing, and has no echo to look for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use crate::frame::FRAME_SAMPLES;

/// Samples that are kept: 640 ms, more than the delay that an echo may have.
pub const KEPT: usize = 64 * FRAME_SAMPLES;
/// Most samples that are written at once.
const PIECE: usize = FRAME_SAMPLES;

#[derive(Debug)]
struct Kept {
    /// Bits of the samples.
    samples: Box<[AtomicU32]>,
    /// Samples so far. The next one goes to its place modulo [`KEPT`].
    written: AtomicU64,
    /// Moment (`clock::host_micros`) at which the last of them is heard.
    heard: AtomicU64,
}

/// The writer's end. Cloning gives another handle to the same.
#[derive(Debug, Clone)]
pub struct Reference(Arc<Kept>);

impl Default for Reference {
    fn default() -> Self {
        Self::new()
    }
}

fn place(sample: u64) -> usize {
    usize::try_from(sample % KEPT as u64).unwrap_or(0)
}

impl Reference {
    /// Nothing is played yet.
    pub fn new() -> Self {
        let samples = (0..KEPT).map(|_| AtomicU32::new(0)).collect();
        Self(Arc::new(Kept { samples, written: AtomicU64::new(0), heard: AtomicU64::new(0) }))
    }

    /// Hands on what the speaker plays next; the last sample is heard at the moment `heard` (`clock::host_micros`). By one
    /// thread at a time.
    pub fn put(&self, samples: &[f32], heard: u64) {
        self.0.heard.store(heard, Ordering::Relaxed);
        for piece in samples.chunks(PIECE) {
            self.write(piece.len(), piece.iter().map(|sample| sample.to_bits()));
        }
    }

    /// Hands on that the speaker plays so many samples of silence before what comes next.
    pub fn put_silence(&self, count: usize) {
        // More than is kept says no more.
        let mut left = count.min(2 * KEPT);
        while left > 0 {
            let piece = left.min(PIECE);
            self.write(piece, std::iter::repeat_n(0, piece));
            left -= piece;
        }
    }

    fn write(&self, count: usize, bits: impl Iterator<Item = u32>) {
        let kept = &*self.0;
        let written = kept.written.load(Ordering::Relaxed);
        // Whoever sees one of these samples sees that the piece before them is over, and so that their own place is taken.
        fence(Ordering::Release);
        for (at, bits) in (written..).zip(bits) {
            if let Some(to) = kept.samples.get(place(at)) {
                to.store(bits, Ordering::Relaxed);
            }
        }
        kept.written.store(written + count as u64, Ordering::Release);
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
    /// The next samples, at most a frame; none when there are none yet.
    pub fn take<'a>(&mut self, out: &'a mut [f32; FRAME_SAMPLES]) -> &'a [f32] {
        loop {
            let written = self.kept.written.load(Ordering::Acquire);
            // The writer may be in the oldest places.
            let oldest = (written + PIECE as u64).saturating_sub(KEPT as u64);
            if self.next < oldest {
                self.lost += oldest - self.next;
                self.next = oldest;
            }
            let count = usize::try_from(written - self.next).unwrap_or(FRAME_SAMPLES).min(FRAME_SAMPLES);
            for (to, at) in out.iter_mut().take(count).zip(self.next..) {
                *to = self.kept.samples.get(place(at)).map_or(0.0, |bits| f32::from_bits(bits.load(Ordering::Relaxed)));
            }
            fence(Ordering::Acquire);
            let written = self.kept.written.load(Ordering::Relaxed);
            if count > 0 && self.next + (KEPT as u64) < written + PIECE as u64 {
                // Some were overwritten meanwhile.
                continue;
            }
            self.next += count as u64;
            return out.get(..count).unwrap_or_default();
        }
    }

    /// Moment (`clock::host_micros`) at which the newest sample is heard; 0 before the first.
    pub fn heard(&self) -> u64 {
        self.kept.heard.load(Ordering::Relaxed)
    }

    /// Leaves out what was played until now.
    pub fn skip(&mut self) {
        self.next = self.kept.written.load(Ordering::Acquire);
    }

    /// Samples that were overwritten before they were read, since the last call.
    pub fn lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
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
        reference.put(&[0.5; 470], 20_000);
        let mut second = reference.reader();
        reference.put_silence(20);
        reference.put(&[-0.25; 100], 21_000);
        let got = first.take(&mut out);
        assert_eq!((got.len(), got[469], got[470]), (480, 0.5, 0.0));
        let got = first.take(&mut out);
        assert_eq!((got.len(), got[9], got[10], first.heard()), (110, 0.0, -0.25, 21_000));
        let got = second.take(&mut out);
        assert_eq!((got.len(), got[19], got[119]), (120, 0.0, -0.25));
        assert!(first.take(&mut out).is_empty() && second.take(&mut out).is_empty());
    }

    #[test]
    fn a_reader_that_was_held_up_goes_on_with_what_is_there() {
        let (reference, mut out) = (Reference::new(), frame(0.0));
        let mut reader = reference.reader();
        for n in 0..100u16 {
            reference.put(&frame(f32::from(n)), 0);
        }
        let mut got = Vec::new();
        while let Some(first) = reader.take(&mut out).first() {
            got.push(*first);
        }
        let expect: Vec<f32> = (37..100u16).map(f32::from).collect();
        assert_eq!((got, reader.lost(), reader.lost()), (expect, 37 * 480, 0));
        reference.put_silence(usize::MAX);
        assert!(reader.take(&mut out).len() == 480 && reader.lost() > 0);
    }

    #[test]
    fn a_sample_is_in_its_order_or_not_there_while_another_thread_writes() {
        let reference = Reference::new();
        let mut reader = reference.reader();
        let writer = crate::task::thread("reference-test", move || {
            for n in 1..=20_000u16 {
                reference.put(&frame(f32::from(n))[..usize::from(n % 481)], 1);
            }
        });
        let (mut out, mut last) = (frame(0.0), 0.0);
        while last < 20_000.0 {
            for sample in reader.take(&mut out) {
                assert!(*sample >= last, "{last} {sample}");
                last = *sample;
            }
        }
        writer.expect("spawned").join().expect("no panic");
    }
}
