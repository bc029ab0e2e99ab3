//! Raw media: one picture, ten milliseconds of sound. Pictures come from a pool, since a 1280x720 picture is 1.4 MB
//! and 30 of them a second would keep the allocator busy.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::slot::Slot;

/// Samples a second, everywhere inside.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples of one [`AudioFrame`]: 10 ms.
pub const FRAME_SAMPLES: usize = 480;

/// Ten milliseconds of mono sound at 48 kHz, -1.0 to 1.0.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioFrame {
    /// The samples.
    pub samples: [f32; FRAME_SAMPLES],
    /// When its first sample was captured, by [`crate::clock::host_micros`].
    pub captured: u64,
}

#[derive(Debug, Default)]
struct Free(Mutex<Vec<Vec<u8>>>);

/// Recycles picture buffers. Keeps at most `keep` unused ones; more are freed.
#[derive(Debug, Clone)]
pub struct Pool {
    free: Arc<Free>,
    keep: usize,
}

impl Pool {
    /// A pool that keeps up to `keep` unused buffers.
    pub fn new(keep: usize) -> Self {
        Self { free: Arc::default(), keep }
    }

    /// A picture of the given size with unspecified content. Width and height are rounded down to even, at least 2.
    pub fn picture(&self, width: u16, height: u16) -> VideoFrame {
        let (width, height) = ((width & !1).max(2), (height & !1).max(2));
        let luma = usize::from(width) * usize::from(height);
        let mut data = self.free.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        data.resize(luma * 3 / 2, 0);
        VideoFrame { width, height, captured: 0, data, home: Some(self.clone()) }
    }
}

/// One I420 picture (BT.601 limited range): the Y plane, then U and V at half width and height, rows without padding.
#[derive(Debug)]
pub struct VideoFrame {
    width: u16,
    height: u16,
    /// When it was captured, by [`crate::clock::host_micros`] of the machine that captured it, on our clock where that
    /// is known; 0 where not.
    pub captured: u64,
    data: Vec<u8>,
    home: Option<Pool>,
}

impl VideoFrame {
    /// Pixels across; even.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Pixels down; even.
    pub fn height(&self) -> u16 {
        self.height
    }

    /// All three planes, end to end.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// All three planes, to write.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The Y, U and V planes.
    pub fn planes(&self) -> (&[u8], &[u8], &[u8]) {
        let luma = usize::from(self.width) * usize::from(self.height);
        let (y, chroma) = self.data.split_at(luma);
        let (u, v) = chroma.split_at(luma / 4);
        (y, u, v)
    }

    /// The Y, U and V planes, to write.
    pub fn planes_mut(&mut self) -> (&mut [u8], &mut [u8], &mut [u8]) {
        let luma = usize::from(self.width) * usize::from(self.height);
        let (y, chroma) = self.data.split_at_mut(luma);
        let (u, v) = chroma.split_at_mut(luma / 4);
        (y, u, v)
    }
}

impl Drop for VideoFrame {
    fn drop(&mut self) {
        if let Some(pool) = self.home.take() {
            let mut free = pool.free.0.lock().unwrap_or_else(PoisonError::into_inner);
            if free.len() < pool.keep {
                free.push(std::mem::take(&mut self.data));
            }
        }
    }
}

/// Somewhere pictures of one track are looked at. Called on the track's own thread: never blocks.
pub trait Screen: Send + Sync + fmt::Debug {
    /// Somebody looks. What nobody else needs either is not even captured.
    fn watched(&self) -> bool;

    /// Takes the newest picture.
    fn show(&self, picture: &Arc<VideoFrame>);
}

impl Screen for Slot<Arc<VideoFrame>> {
    fn watched(&self) -> bool {
        !self.is_closed()
    }

    fn show(&self, picture: &Arc<VideoFrame>) {
        self.put(Arc::clone(picture));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_have_their_sizes() {
        let frame = Pool::new(1).picture(641, 361);
        assert_eq!((frame.width(), frame.height()), (640, 360));
        let (y, u, v) = frame.planes();
        assert_eq!((y.len(), u.len(), v.len()), (640 * 360, 320 * 180, 320 * 180));
    }

    #[test]
    fn a_dropped_picture_is_used_again() {
        let pool = Pool::new(1);
        let first = pool.picture(64, 64);
        let at = first.data().as_ptr();
        drop(first);
        assert_eq!(pool.picture(64, 64).data().as_ptr(), at);
    }
}
