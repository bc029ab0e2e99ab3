//! The thread that paces a picture source and hands each picture to whoever encodes, through a one-place slot.
//!
//! Pictures come at the source's own rate, counted from the start, whether anybody watches or not: a file that nobody
//! watched for a minute has gone on for a minute. Nothing is drawn or read while nobody wants it. A real camera has a
//! clock of its own: its pictures are passed on as they come.

use std::thread::JoinHandle;
use std::time::Duration;

use super::{Format, LiveSource, Source, VideoSource};
use crate::av::Error;
use crate::av::devices::{Bell, Device, Fate};
use crate::av::guard::watch;
use crate::clock;
use crate::frame::{Pool, VideoFrame};
use crate::slot::{Empty, Ring, Slot};
use crate::task;

/// After this many intervals without a turn on the processor the missed pictures are left out; below, they follow at
/// once.
const MAX_LATE: u64 = 2;
/// How long a live source is waited for at a time: the thread ends, and a wish is heard, within it.
const WAIT: Duration = Duration::from_millis(50);

/// How a thread is called, by what it captures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// Of the thread.
    pub thread: &'static str,
    /// In a sentence.
    pub words: &'static str,
}

/// A running source. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Capture {
    format: Format,
    device: Option<Device>,
    stop: Ring<()>,
    fate: Fate,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    /// Starts the thread. `wanted` is asked before each picture. Pictures go to `slot`, where the newest wins; it is
    /// closed when the source ends.
    pub fn start(
        name: Name,
        source: Source,
        slot: Slot<VideoFrame>,
        wanted: impl Fn() -> bool + Send + 'static,
    ) -> Result<Self, Error> {
        let (format, device) = (source.format(), source.device().cloned());
        // Nothing is ever pushed: it only ends waits. So it cannot overflow.
        let stop = Ring::new(1);
        let (ended, fate) = (stop.clone(), Fate::default());
        let told = fate.clone();
        let run = move || {
            let mut source = source;
            watch(name.words, &told, || match &mut source {
                Source::Paced(source) => run(source.as_mut(), &slot, &ended, wanted),
                Source::Live(source) => pass_on(source.as_mut(), &slot, &ended, wanted),
            });
            slot.close();
            // Last: a real camera may take its time.
            drop(source);
        };
        let thread = task::thread(name.thread, run).map_err(Error::Thread)?;
        Ok(Self { format, device, stop, fate, thread: Some(thread) })
    }

    /// Why the source ended by itself, told once; `None` while it runs.
    pub fn trouble(&self) -> Option<Error> {
        self.fate.take()
    }

    /// Rings `bell` when the source ends by itself.
    pub fn ring(&self, bell: &Bell) {
        self.fate.ring(bell);
    }

    /// Which device the source is, if it is one.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_ref()
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
            tracing::error!("a capture thread panicked");
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.close();
    }
}

fn pass_on(
    source: &mut dyn LiveSource,
    slot: &Slot<VideoFrame>,
    stop: &Ring<()>,
    wanted: impl Fn() -> bool,
) -> Result<(), Error> {
    while !stop.is_closed() {
        let wanted = wanted();
        if let Some(picture) = source.next(wanted, WAIT)?
            && wanted
        {
            slot.put(picture);
        }
    }
    Ok(())
}

fn run(
    source: &mut dyn VideoSource,
    slot: &Slot<VideoFrame>,
    stop: &Ring<()>,
    wanted: impl Fn() -> bool,
) -> Result<(), Error> {
    let format = source.format();
    let pool = Pool::new(4);
    let start = clock::now();
    let mut tick = 0;
    while let Err(Empty::Timeout) = stop.recv_until(start + format.due(tick)) {
        let current = format.tick(clock::now().saturating_duration_since(start) + Duration::from_nanos(1));
        if current > tick + MAX_LATE {
            tracing::debug!(missed = current - tick, "a capture thread had no turn");
            tick = current;
        }
        if wanted() {
            let mut picture = pool.picture(format.width, format.height);
            source.picture(tick, &mut picture)?;
            slot.put(picture);
        }
        tick += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::capture::testcard::{self, TestCard};
    use crate::av::devices::Kind;

    const CAMERA: Name = Name { thread: "camera", words: "the camera" };

    fn card() -> Source {
        Source::Paced(Box::new(TestCard::new(64, 36, 60)))
    }

    /// Gives three pictures and is pulled out.
    struct Pulled(u64);

    impl LiveSource for Pulled {
        fn format(&self) -> Format {
            Format { width: 64, height: 36, rate: (30, 1) }
        }

        fn next(&mut self, wanted: bool, _wait: Duration) -> Result<Option<VideoFrame>, Error> {
            self.0 += 1;
            let reason = "it was unplugged".to_owned();
            if self.0 > 3 {
                return Err(Error::Device { kind: Kind::Camera, name: "test".to_owned(), reason, hint: "" });
            }
            Ok(wanted.then(|| Pool::new(0).picture(64, 36)))
        }
    }

    #[test]
    fn a_live_source_that_fails_closes_the_slot_and_says_why() {
        let slot = Slot::new();
        let capture =
            Capture::start(CAMERA, Source::Live(Box::new(Pulled(0))), slot.clone(), || true).expect("started");
        let mut pictures = 0;
        while slot.recv_timeout(Duration::from_secs(10)).is_ok() {
            pictures += 1;
        }
        assert!((1..=3).contains(&pictures) && slot.is_closed());
        assert!(capture.trouble().is_some_and(|error| error.to_string().contains("unplugged")));
        assert!(capture.trouble().is_none(), "told once");
    }

    /// Has a defect.
    struct Broken;

    impl LiveSource for Broken {
        fn format(&self) -> Format {
            Format { width: 64, height: 36, rate: (30, 1) }
        }

        fn next(&mut self, _wanted: bool, _wait: Duration) -> Result<Option<VideoFrame>, Error> {
            panic!("as a driver's library may")
        }
    }

    #[test]
    fn a_source_that_panics_ends_like_one_that_fails() {
        let slot = Slot::new();
        let capture = Capture::start(CAMERA, Source::Live(Box::new(Broken)), slot.clone(), || true).expect("started");
        assert!(matches!(slot.recv_timeout(Duration::from_secs(10)), Err(Empty::Closed)));
        assert!(matches!(capture.trouble(), Some(Error::Crashed { what: "the camera" })));
        capture.stop();
    }

    #[test]
    fn pictures_come_at_their_rate_until_stopped() {
        let slot = Slot::new();
        let capture = Capture::start(CAMERA, card(), slot.clone(), || true).expect("started");
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
        let capture = Capture::start(CAMERA, card(), slot.clone(), wanted).expect("started");
        let deadline = clock::now() + Duration::from_secs(10);
        while asked.get() < 3 {
            assert!(clock::now() < deadline, "the thread asks");
            std::thread::yield_now();
        }
        capture.stop();
        assert!(slot.take().is_none());
    }
}
