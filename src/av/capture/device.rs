//! Real cameras, by nokhwa: V4L2 here, and what other systems have. The only file that names it.
//!
//! What the library does, and what follows: a call for a picture blocks for ever when the camera freezes, and closing may
//! too, so a thread of its own makes all calls and nobody waits for it ([`Worker`]). It panics when a driver refuses to
//! stop; the thread survives that. It lists the metadata nodes that UVC cameras have beside the real one, which have no
//! formats. It gives JPEGs with rubbish behind them, which the converter bears. It knows only rates of whole pictures a
//! second.
//!
//! A camera whose pictures nobody wants for two seconds (muted, or nobody looks) is closed, so that its light goes out
//! and others can use it; the next wish opens it again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nokhwa::Camera;
use nokhwa::utils::{ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType};

use super::frozen::Watchdog;
use super::{Format, LiveSource};
use crate::av::Error;
use crate::av::devices::worker::{self, Hold, Stop, Worker};
use crate::av::devices::{Device, Devices, Fate, Kind};
use crate::av::guard::{guard, watch};
use crate::av::process::layout::{Converter, Layout};
use crate::av::spec::{DeviceChoice, Quality};
use crate::clock;
use crate::frame::{Pool, VideoFrame};
use crate::slot::{Empty, Slot};

/// How long the list of cameras may take.
const LIST_LIMIT: Duration = Duration::from_secs(3);
/// How long a camera may take to be opened.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// After so long without anybody who wants pictures the camera is closed.
const REST_AFTER: Duration = Duration::from_secs(2);
/// Damaged pictures in a row before the camera is given up: three seconds of them at 30 a second.
const MOST_BAD: u32 = 90;
/// The layouts that we read.
const LAYOUTS: &[FrameFormat] = &[FrameFormat::MJPEG, FrameFormat::YUYV, FrameFormat::NV12];
/// Pictures a second that a camera is asked for, if it has it: as the test card.
const RATE: u32 = 30;

/// The cameras that give pictures, in the system's order; `None` when the system does not answer in time. A node is opened
/// once to see what it is, and not again while it is there: that wakes a camera up.
pub fn list() -> Option<Vec<Device>> {
    let found = worker::within(LIST_LIMIT, "camera-list", || {
        let mut nodes = nokhwa::query(ApiBackend::Auto).unwrap_or_default();
        nodes.sort_by_key(|node| node.index().as_index().unwrap_or(u32::MAX));
        let mut nodes: Vec<(CameraIndex, String, String)> =
            nodes.iter().map(|node| (node.index().clone(), node.human_name(), id_of(node.index()))).collect();
        NODES.keep(&nodes);
        nodes.retain(|(index, name, id)| NODES.is_camera(index, name, id));
        nodes.into_iter().map(|(_, name, id)| (name, id)).collect::<Vec<_>>()
    });
    if found.is_none() {
        tracing::warn!("the system does not say which cameras there are");
    }
    let found = found?;
    Some(found.iter().enumerate().map(|(at, (name, id))| Device::new(Kind::Camera, name, id, at == 0)).collect())
}

/// What is known of the nodes that are there: name and id, and whether it is a camera.
struct Nodes(Mutex<BTreeMap<(String, String), bool>>);

static NODES: Nodes = Nodes(Mutex::new(BTreeMap::new()));

impl Nodes {
    fn known(&self) -> MutexGuard<'_, BTreeMap<(String, String), bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets those that are gone: what is plugged in at their place is another.
    fn keep(&self, there: &[(CameraIndex, String, String)]) {
        self.known().retain(|(name, id), _| there.iter().any(|(_, now, place)| now == name && place == id));
    }

    /// A node with pictures in a layout that we read, or one that cannot be asked now because it is in use.
    fn is_camera(&self, index: &CameraIndex, name: &str, id: &str) -> bool {
        let key = (name.to_owned(), id.to_owned());
        if let Some(known) = self.known().get(&key) {
            return *known;
        }
        if Hold::is_taken(id) {
            return true;
        }
        let (camera, sure) = look_at(index);
        if sure {
            self.known().insert(key, camera);
        }
        camera
    }
}

/// Whether a node is a camera, and whether that will not change while it is there.
fn look_at(index: &CameraIndex) -> (bool, bool) {
    match Camera::new(index.clone(), RequestedFormat::with_formats(RequestedFormatType::None, LAYOUTS)) {
        Ok(_) => (true, true),
        // The words for: it has no such format at all. Anything else (busy, forbidden) is a camera with a trouble.
        Err(nokhwa::NokhwaError::GetPropertyError { property, error }) => {
            let none = property == "CameraFormat" || property == "FrameFormat" || error.contains("unsupported");
            (!none, none)
        }
        // As it is for a moment after it was plugged in.
        Err(nokhwa::NokhwaError::OpenDeviceError(..)) => (false, false),
        Err(_) => (true, false),
    }
}

/// The system's name of a camera.
fn id_of(index: &CameraIndex) -> String {
    match index {
        CameraIndex::Index(number) if nokhwa::native_api_backend() == Some(ApiBackend::Video4Linux) => {
            format!("/dev/video{number}")
        }
        CameraIndex::Index(number) => number.to_string(),
        CameraIndex::String(name) => name.clone(),
    }
}

/// The other way round.
fn index_of(id: &str) -> CameraIndex {
    match id.strip_prefix("/dev/video").unwrap_or(id).parse() {
        Ok(number) => CameraIndex::Index(number),
        Err(_) => CameraIndex::String(id.to_owned()),
    }
}

/// What the thread and its owner share.
#[derive(Debug, Default)]
struct State {
    /// Pictures are wanted: they are converted.
    wanted: AtomicBool,
    /// The camera is closed, since nobody wants its pictures.
    resting: AtomicBool,
    /// Moments (`clock::host_micros`) of the last sign of life: opened, or a picture.
    alive: AtomicU64,
    /// It gave a picture since it was opened.
    gave: AtomicBool,
    /// Why the thread ended.
    fate: Fate,
}

impl State {
    fn sign(&self) {
        self.alive.store(clock::host_micros(), Ordering::Relaxed);
    }
}

/// An open camera.
#[derive(Debug)]
pub struct Source {
    device: Device,
    format: Format,
    state: Arc<State>,
    pictures: Slot<VideoFrame>,
    watchdog: Watchdog,
    worker: Worker,
}

impl Source {
    /// Opens the camera that `choice` means, in the format that suits `quality` best. Takes as long as the driver does, at most [`OPEN_LIMIT`].
    pub fn open(choice: &DeviceChoice, quality: Quality) -> Result<Self, Error> {
        let missing = || Error::NoDevice { kind: Kind::Camera, choice: choice.clone() };
        let device =
            Devices::new(list().unwrap_or_default()).find(Kind::Camera, choice).cloned().ok_or_else(missing)?;
        let Device { name, id, .. } = device.clone();
        let (state, pictures) = (Arc::new(State::default()), Slot::new());
        state.sign();
        let (tell, opened) = sync_channel(1);
        let worker = {
            let (state, pictures, name) = (Arc::clone(&state), pictures.clone(), name.clone());
            Worker::start("camera-device", move |stop| {
                let fate = state.fate.clone();
                let mut driver =
                    Driver { name, id, wish: quality.of_camera(), state, pictures, converter: Converter::default() };
                watch("the driver of the camera", &fate, || {
                    driver.run(stop, tell);
                    Ok(())
                });
                driver.pictures.close();
            })?
        };
        let format = match opened.recv_timeout(OPEN_LIMIT) {
            Ok(Ok(format)) => format,
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(trouble(&name, "it does not answer".to_owned())),
        };
        Ok(Self { device, format, state, pictures, watchdog: Watchdog::default(), worker })
    }
}

impl LiveSource for Source {
    fn format(&self) -> Format {
        self.format
    }

    fn device(&self) -> Option<&Device> {
        Some(&self.device)
    }

    fn next(&mut self, wanted: bool, wait: Duration) -> Result<Option<VideoFrame>, Error> {
        self.state.wanted.store(wanted, Ordering::Relaxed);
        match self.pictures.recv_timeout(wait) {
            Ok(picture) => {
                self.watchdog.rest();
                return Ok(Some(picture));
            }
            Err(Empty::Closed) => {
                return Err(self
                    .state
                    .fate
                    .take()
                    .unwrap_or_else(|| trouble(&self.device.name, "it ended".to_owned())));
            }
            Err(Empty::Timeout) => {}
        }
        if self.state.resting.load(Ordering::Relaxed) || self.worker.is_over() {
            if !wanted || self.worker.is_over() {
                self.watchdog.rest();
            } else if self.watchdog.on_waking(wait) {
                return Err(trouble(&self.device.name, "it does not answer".to_owned()));
            }
            return Ok(None);
        }
        let (gave, alive) = (self.state.gave.load(Ordering::Relaxed), self.state.alive.load(Ordering::Relaxed));
        if self.watchdog.on_wait(self.format, gave, alive, wait) {
            return Err(trouble(&self.device.name, "it gives no pictures any more".to_owned()));
        }
        Ok(None)
    }
}

/// A camera that does not do its work.
fn trouble(name: &str, reason: String) -> Error {
    let hint = "close other programs that use it, or unplug it and plug it in again";
    Error::Device { kind: Kind::Camera, name: name.to_owned(), reason, hint }
}

/// The thread's half.
struct Driver {
    name: String,
    id: String,
    /// Pixels across and down that are wished for.
    wish: (u16, u16),
    state: Arc<State>,
    pictures: Slot<VideoFrame>,
    converter: Converter,
}

impl Driver {
    fn run(&mut self, stop: &Stop, tell: SyncSender<Result<Format, Error>>) {
        let mut tell = Some(tell);
        let mut first: Option<Format> = None;
        while !stop.asked() {
            let Some(hold) = Hold::take(&self.id) else {
                return self.end(tell, trouble(&self.name, "it is in use".to_owned()));
            };
            let (mut camera, chosen) = match self.start() {
                Ok(opened) => opened,
                Err(error) => return self.end(tell, error),
            };
            let format = *first.get_or_insert(chosen.format);
            if chosen.format != format {
                return self.end(tell, trouble(&self.name, "it came back with another format".to_owned()));
            }
            self.state.gave.store(false, Ordering::Relaxed);
            self.state.sign();
            self.state.resting.store(false, Ordering::Relaxed);
            if let Some(tell) = tell.take() {
                let _ = tell.send(Ok(format));
            }
            let shown = self.show(stop, &mut camera, chosen);
            // Closing may panic or never return: what is to be said is said before.
            if let Err(error) = shown {
                return self.end(None, error);
            }
            if stop.asked() {
                return;
            }
            self.state.resting.store(true, Ordering::Relaxed);
            // One that panics while it is closed is as closed as it gets, and nobody has asked for its pictures.
            let _ = guard("the driver of the camera", || {
                drop(camera);
                Ok(())
            });
            drop(hold);
            tracing::info!(camera = %self.name, "closed, since nobody wants its pictures");
            while !self.state.wanted.load(Ordering::Relaxed) {
                if stop.wait(Duration::from_millis(20)) {
                    return;
                }
            }
        }
    }

    fn end(&self, tell: Option<SyncSender<Result<Format, Error>>>, error: Error) {
        match tell {
            Some(tell) => drop(tell.send(Err(error))),
            None => self.state.fate.set(error),
        }
        self.pictures.close();
    }

    /// Opens the camera in the best of its formats and starts it.
    fn start(&self) -> Result<(Camera, Chosen), Error> {
        let failed = |error: nokhwa::NokhwaError| trouble(&self.name, reason(&error));
        let any = RequestedFormat::with_formats(RequestedFormatType::None, LAYOUTS);
        let mut camera = Camera::new(index_of(&self.id), any).map_err(failed)?;
        let formats = camera.compatible_camera_formats().map_err(failed)?;
        let best = choose(&formats, self.wish)
            .ok_or_else(|| trouble(&self.name, "it has no format that we read".to_owned()))?;
        if camera.camera_format() != best.wire {
            let exactly = RequestedFormat::with_formats(RequestedFormatType::Exact(best.wire), LAYOUTS);
            camera.set_camera_requset(exactly).map_err(failed)?;
        }
        camera.open_stream().map_err(failed)?;
        tracing::info!(camera = %self.name, format = %best.wire, "opened");
        Ok((camera, best))
    }

    /// Takes pictures until nobody wants them any more, or something fails.
    fn show(&mut self, stop: &Stop, camera: &mut Camera, chosen: Chosen) -> Result<(), Error> {
        let pool = Pool::new(4);
        let (mut unwanted, mut bad): (Option<Instant>, u32) = (None, 0);
        while !stop.asked() {
            let buffer = camera.frame().map_err(|error| trouble(&self.name, reason(&error)))?;
            self.state.sign();
            self.state.gave.store(true, Ordering::Relaxed);
            if !self.state.wanted.load(Ordering::Relaxed) {
                let since = *unwanted.get_or_insert_with(clock::now);
                if since.elapsed() > REST_AFTER {
                    return Ok(());
                }
                continue;
            }
            unwanted = None;
            let mut picture = pool.picture(chosen.format.width, chosen.format.height);
            picture.captured = captured(buffer.capture_timestamp());
            match self.converter.convert(chosen.layout, buffer.buffer(), &mut picture) {
                Ok(()) => {
                    bad = 0;
                    self.pictures.put(picture);
                }
                Err(error) => {
                    bad += 1;
                    tracing::debug!(camera = %self.name, %error, "a picture was left out");
                    if bad > MOST_BAD {
                        return Err(trouble(&self.name, "all its pictures are damaged".to_owned()));
                    }
                }
            }
        }
        Ok(())
    }
}

/// When a picture was captured, by the host's clock: the driver says it by the wall clock. What is not within the last
/// second is not believed.
fn captured(stamp: Option<Duration>) -> u64 {
    let now = clock::host_micros();
    let age = stamp
        .and_then(|stamp| u64::try_from(stamp.as_micros()).ok())
        .and_then(|stamp| clock::unix_micros().checked_sub(stamp))
        .filter(|age| *age < 1_000_000);
    now.saturating_sub(age.unwrap_or(0))
}

/// What the driver said, without the library's frame around it.
fn reason(error: &nokhwa::NokhwaError) -> String {
    use nokhwa::NokhwaError::{GetPropertyError, OpenDeviceError, OpenStreamError, ReadFrameError, SetPropertyError};
    let text = match error {
        OpenDeviceError(_, text) | OpenStreamError(text) | ReadFrameError(text) => text.clone(),
        GetPropertyError { error, .. } | SetPropertyError { error, .. } => error.clone(),
        other => other.to_string(),
    };
    // The numbers of Linux, as its library prints them.
    let known = [
        ("os error 16", "another program uses it"),
        ("os error 19", "it was unplugged"),
        ("os error 2)", "it was unplugged"),
        ("os error 13", "this account may not use it"),
        ("os error 1)", "this account may not use it"),
    ];
    known.iter().find(|(sign, _)| text.contains(sign)).map_or(text.clone(), |(_, words)| (*words).to_owned())
}

/// A format of a camera, in its words and in ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Chosen {
    wire: CameraFormat,
    layout: Layout,
    format: Format,
}

/// The best of a camera's formats: a fluent picture first, then the size nearest to the one that is wished for (not above
/// it, if there is one below), then the layout that costs least.
fn choose(formats: &[CameraFormat], wish: (u16, u16)) -> Option<Chosen> {
    let usable = formats.iter().filter_map(|wire| {
        let layout = match wire.format() {
            FrameFormat::NV12 => Layout::Nv12,
            FrameFormat::YUYV => Layout::Yuyv,
            FrameFormat::MJPEG => Layout::Mjpeg,
            _ => return None,
        };
        let (width, height) = (u16::try_from(wire.width()).ok()?, u16::try_from(wire.height()).ok()?);
        let even = width.is_multiple_of(2) && height.is_multiple_of(2);
        let sane =
            (64..=4096).contains(&width) && (36..=4096).contains(&height) && (1..=240).contains(&wire.frame_rate());
        let format = Format { width, height, rate: (wire.frame_rate(), 1) };
        (even && sane).then_some(Chosen { wire: *wire, layout, format })
    });
    usable.min_by_key(|chosen| {
        let (wire, wished) = (chosen.wire, u64::from(wish.0) * u64::from(wish.1));
        let fluency = match wire.frame_rate() {
            24..=60 => 0,
            61.. => 1,
            15..=23 => 2,
            _ => 3,
        };
        let area = u64::from(wire.width()) * u64::from(wire.height());
        let size = if area <= wished { wished - area } else { area.saturating_mul(4) };
        (fluency, size, wire.frame_rate().abs_diff(RATE), chosen.layout)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(layout: FrameFormat, width: u32, height: u32, rate: u32) -> CameraFormat {
        CameraFormat::new_from(width, height, layout, rate)
    }

    #[test]
    fn the_best_format_is_fluent_then_near_to_720p_then_cheap() {
        use FrameFormat::{GRAY, MJPEG, NV12, YUYV};
        let check = |formats: &[CameraFormat], expect: Option<usize>| {
            let chosen = choose(formats, Quality::Auto.of_camera()).map(|chosen| chosen.wire);
            assert_eq!(chosen, expect.map(|at| formats[at]), "{formats:?}");
        };
        // A usual webcam: raw pictures are slow when they are large.
        check(
            &[
                format(YUYV, 640, 480, 30),
                format(YUYV, 1280, 720, 10),
                format(MJPEG, 1280, 720, 30),
                format(MJPEG, 1920, 1080, 30),
            ],
            Some(2),
        );
        check(&[format(MJPEG, 640, 480, 30), format(YUYV, 640, 480, 30)], Some(1));
        check(&[format(YUYV, 640, 480, 15), format(YUYV, 1280, 720, 5)], Some(0));
        check(&[format(MJPEG, 1920, 1080, 30), format(MJPEG, 3840, 2160, 30)], Some(0));
        check(&[format(NV12, 1280, 720, 60), format(NV12, 1280, 720, 30)], Some(1));
        check(&[format(GRAY, 640, 480, 30), format(YUYV, 641, 480, 30), format(YUYV, 70_000, 480, 30)], None);
        check(&[], None);
    }

    #[test]
    fn the_format_follows_the_quality() {
        use FrameFormat::{MJPEG, YUYV};
        let formats = [
            format(YUYV, 640, 480, 30),
            format(MJPEG, 1280, 720, 30),
            format(MJPEG, 1920, 1080, 30),
            format(YUYV, 320, 240, 30),
        ];
        for (quality, at) in [(Quality::P240, 0), (Quality::P480, 1), (Quality::Auto, 1), (Quality::P1080, 2)] {
            let chosen = choose(&formats, quality.of_camera()).map(|chosen| chosen.wire);
            assert_eq!(chosen, Some(formats[at]), "{quality}");
        }
    }

    #[test]
    fn ids_and_indexes_name_the_same_camera() {
        let index = CameraIndex::Index(3);
        assert_eq!(index_of(&id_of(&index)), index);
        assert_eq!(index_of("rtsp"), CameraIndex::String("rtsp".to_owned()));
    }

    #[test]
    fn a_stamp_is_believed_within_a_second() {
        let now = clock::host_micros();
        let stamp = |ago: u64| Some(Duration::from_micros(clock::unix_micros() - ago));
        assert!(captured(stamp(100_000)) <= now - 50_000);
        assert!(captured(stamp(5_000_000)) >= now);
        assert!(captured(None) >= now);
    }
}
