//! The thread that paces a picture source and hands each picture to whoever encodes, through a one-place slot.
//!
//! Pictures come at the source's own rate, counted from the start, whether anybody watches or not: a file that nobody
//! watched for a minute has gone on for a minute. Nothing is drawn or read while nobody wants it.

use std::thread::JoinHandle;
use std::time::Duration;

use super::{Format, VideoSource};
use crate::av::Error;
use crate::clock;
use crate::frame::{Pool, VideoFrame};
use crate::slot::{Empty, Ring, Slot};
use crate::task;

/// After this many intervals without a turn on the processor the missed pictures are left out; below, they follow at
/// once.
const MAX_LATE: u64 = 2;

/// A running source. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Capture {
    format: Format,
    stop: Ring<()>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    /// Starts the thread. `wanted` is asked before each picture. Pictures go to `slot`, where the newest wins; it is
    /// closed when the source ends.
    pub fn start(
        mut source: Box<dyn VideoSource>,
        slot: Slot<VideoFrame>,
        wanted: impl Fn() -> bool + Send + 'static,
    ) -> Result<Self, Error> {
        let format = source.format();
        // Nothing is ever pushed: it only ends waits. So it cannot overflow.
        let stop = Ring::new(1);
        let ended = stop.clone();
        let run = move || {
            run(source.as_mut(), &slot, &ended, wanted);
            slot.close();
        };
        let thread = task::thread("camera", run).map_err(Error::Thread)?;
        Ok(Self { format, stop, thread: Some(thread) })
    }

    /// What the source gives.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Ends the thread and waits for it.
    pub fn stop(mut self) {
        self.stop.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the camera thread panicked");
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.close();
    }
}

fn run(source: &mut dyn VideoSource, slot: &Slot<VideoFrame>, stop: &Ring<()>, wanted: impl Fn() -> bool) {
    let format = source.format();
    let pool = Pool::new(4);
    let start = clock::now();
    let mut tick = 0;
    while let Err(Empty::Timeout) = stop.recv_until(start + format.due(tick)) {
        let current = format.tick(clock::now().saturating_duration_since(start) + Duration::from_nanos(1));
        if current > tick + MAX_LATE {
            tracing::debug!(missed = current - tick, "camera thread had no turn");
            tick = current;
        }
        if wanted() {
            let mut picture = pool.picture(format.width, format.height);
            if let Err(e) = source.picture(tick, &mut picture) {
                tracing::warn!("the camera ended: {e}");
                return;
            }
            slot.put(picture);
        }
        tick += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::capture::testcard::{self, TestCard};

    #[test]
    fn pictures_come_at_their_rate_until_stopped() {
        let slot = Slot::new();
        let capture = Capture::start(Box::new(TestCard::new(64, 36, 60)), slot.clone(), || true).expect("started");
        let mut frames = Vec::new();
        while frames.len() < 4 {
            let picture = slot.recv_timeout(Duration::from_secs(10)).expect("a picture");
            frames.push(testcard::read(picture.planes().0, 64, 36).expect("a stamp").frame);
        }
        assert!(frames.windows(2).all(|w| w[0] < w[1]), "{frames:?}");
        capture.stop();
        assert!(slot.is_closed());
    }

    #[test]
    fn nothing_is_drawn_while_nobody_wants_it() {
        let slot = Slot::new();
        let asked = crate::slot::Shared::new(0);
        let count = asked.clone();
        let wanted = move || {
            count.set(count.get() + 1);
            false
        };
        let capture = Capture::start(Box::new(TestCard::new(64, 36, 60)), slot.clone(), wanted).expect("started");
        let deadline = clock::now() + Duration::from_secs(10);
        while asked.get() < 3 {
            assert!(clock::now() < deadline, "the thread asks");
            std::thread::yield_now();
        }
        capture.stop();
        assert!(slot.take().is_none());
    }
}
