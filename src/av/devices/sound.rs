//! Real microphones and speakers, by cpal, which is named here and in `sound/offer` alone. PulseAudio's protocol where a server answers
//! (PipeWire speaks it too), else ALSA.
//!
//! What the library does, and what follows: a callback gets as many samples as it likes, whatever was asked for, so both
//! ends work on rings. After an underrun the error callback can be flooded, so errors are only counted there; a thread
//! looks at the counts and builds the stream anew, at most once a second. Without a wish the PulseAudio half buffers for
//! two seconds: 10 ms are asked for, and more on a machine that is too busy for that. Closing may hang: the thread that owns the stream is a [`Worker`].
//!
//! The callbacks allocate nothing, free nothing, lock nothing, log nothing and call nothing of the system: what they do is
//! [`Feed`] and [`Drain`], which run without hardware under a test's allocator (`tests/realtime.rs`). They touch
//! atomics and a ring whose ends are one atomic each, and read the clock, which the kernel maps into the process. (The
//! library around them takes a lock of its own to wake its thread that asks for the latency; that is not ours to mend.)
//!
//! A stream that breaks is built anew for the same device, which was pinned when it was opened first. Which device is used
//! when that one is gone is not decided here.

mod offer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{ErrorKind, FromSample, Sample as _, SampleFormat, SizedSample};

use super::names::{is_meant_for_people, is_real_name};
use super::relief::{Relief, Seen};
use super::worker::{self, Stop, Worker};
use super::{Device, Devices, Fate, Kind};
use crate::av::Error;
use crate::av::guard::watch;
use crate::av::spec::DeviceChoice;
use crate::{clock, platform};

/// How long the list may take.
const LIST_LIMIT: Duration = Duration::from_secs(3);
/// How long a device may take to be opened, or to be given up when it fails.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// How often the thread looks at the counts.
const LOOK: Duration = Duration::from_millis(100);
/// A running stream whose callback is not called for so long (microseconds) is dead.
const SILENT: u64 = 1_000_000;
/// How long the first call may take: wireless headphones wake up slowly. A device that takes or gives nothing by then is
/// not open: somebody has it for himself alone, or it is stuck.
const FIRST_CALL: Duration = Duration::from_secs(3);
/// The same where its stream was built anew: it was awake a moment ago.
const NEXT_CALL: Duration = Duration::from_secs(1);
/// How often the first call is looked for.
const BEGIN: Duration = Duration::from_millis(5);
/// So many xruns within [`LOOK`] are a flood: the stream is built anew.
const FLOOD: u32 = 5;
/// So many late callbacks of a speaker within [`JUDGED`] double what is asked for, up to [`MOST_ASKED`].
const LATE: u32 = 4;
/// Looks over which late callbacks are counted: ten seconds.
const JUDGED: u32 = 100;
/// Most that a callback is asked to take, in units of 10 ms.
const MOST_ASKED: u32 = 4;
/// Tries to build a broken stream anew, a quarter of a second apart, before the device is given up.
const TRIES: u32 = 4;

/// Which way sound goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

impl Way {
    fn of(kind: Kind) -> Self {
        if kind == Kind::Speaker { Self::Out } else { Self::In }
    }
}

/// The microphones and speakers; `None` when the system does not answer in time.
pub fn list() -> Option<Vec<Device>> {
    let found = worker::within(LIST_LIMIT, "sound-list", || {
        let Some(host) = host() else { return Vec::new() };
        let mut all = devices_of(&host, Kind::Microphone);
        all.extend(devices_of(&host, Kind::Speaker));
        all.into_iter().map(|(device, _)| device).collect::<Vec<_>>()
    });
    if found.is_none() {
        tracing::warn!("the sound system does not say which devices there are");
    }
    found
}

/// The sound system. Once a sound server answered, only a server does: while it is away the hardware below it is not ours
/// to take, or it could not have it when it is back.
fn host() -> Option<cpal::Host> {
    static SERVED: AtomicBool = AtomicBool::new(false);
    platform::make_sound_cookie();
    let host = cpal::default_host();
    // The library's names of hosts differ between systems.
    let serves = !host.id().name().eq_ignore_ascii_case("alsa");
    let before = SERVED.fetch_or(serves, Ordering::Relaxed);
    (serves || !before).then_some(host)
}

/// The devices of one kind, with the library's own.
fn devices_of(host: &cpal::Host, kind: Kind) -> Vec<(Device, cpal::Device)> {
    let default = match Way::of(kind) {
        Way::In => host.default_input_device(),
        Way::Out => host.default_output_device(),
    };
    let default_id = default.and_then(|device| device.id().ok());
    let fits = |device: &cpal::Device| match Way::of(kind) {
        Way::In => device.supports_input(),
        Way::Out => device.supports_output(),
    };
    let all: Vec<cpal::Device> = host.devices().map(|all| all.filter(fits).collect()).unwrap_or_default();
    let described = all.into_iter().filter_map(|device| {
        let id = device.id().ok()?;
        let name = device.description().ok()?.name().to_owned();
        let words = Device::new(kind, &name, id.id(), Some(&id) == default_id.as_ref());
        is_meant_for_people(&words.id).then_some((words, device))
    });
    described.collect()
}

/// What the callbacks, the thread and the owner share.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Moment (`clock::host_micros`) of the last callback, or when the stream was built.
    called: AtomicU64,
    /// The stream's callback was called since it was built.
    began: AtomicBool,
    /// Samples a channel of the largest callback that is allowed for, at 48 kHz.
    lump: AtomicUsize,
    /// The largest callback since the thread looked last.
    peak: AtomicUsize,
    /// Times that sound broke off, or would have with less in the device's buffer, since the thread looked last.
    troubles: AtomicU32,
    /// Samples a channel of silence that a speaker played because it found nothing.
    missed: AtomicUsize,
    xruns: AtomicU32,
    /// Calls that came so late that the system's own buffer ran dry.
    late: AtomicU32,
    broken: AtomicBool,
}

impl Pulse {
    /// Samples of the largest callback that is to be allowed for, as if at 48 kHz; 10 ms before the first. Rises at once,
    /// and falls as [`Relief`] says.
    pub fn lump(&self) -> usize {
        match self.lump.load(Ordering::Relaxed) {
            0 => 480,
            lump => lump,
        }
    }

    /// Samples a channel of silence that a speaker played since the last call because it found nothing.
    pub fn missed(&self) -> usize {
        self.missed.swap(0, Ordering::Relaxed)
    }

    /// A callback with so many samples a channel.
    fn beat(&self, samples: usize, rate: u32) {
        let now = clock::host_micros();
        let since = now.saturating_sub(self.called.swap(now, Ordering::Relaxed));
        let length = u64::try_from(samples).unwrap_or(0) * 1_000_000 / u64::from(rate.max(1));
        // The system holds about two callbacks.
        if self.began.swap(true, Ordering::Relaxed) && since > 3 * length {
            self.late.fetch_add(1, Ordering::Relaxed);
            self.troubles.fetch_add(1, Ordering::Relaxed);
        }
        let at_48 = samples * 48 / usize::try_from(rate / 1000).unwrap_or(48).max(1);
        self.peak.fetch_max(at_48, Ordering::Relaxed);
        self.lump.fetch_max(at_48, Ordering::Relaxed);
    }

    /// What is there to see since the last call.
    fn seen(&self, asked: u32) -> Seen {
        let trouble = self.troubles.swap(0, Ordering::Relaxed) > 0;
        Seen { trouble, peak: self.peak.swap(0, Ordering::Relaxed), lump: self.lump.load(Ordering::Relaxed), asked }
    }

    /// Allows for callbacks of `less` in place of `lump` samples, unless there was a larger one meanwhile.
    fn ease(&self, lump: usize, less: usize) {
        let _ = self.lump.compare_exchange(lump, less, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The error callback: nothing but a count.
    fn on_error(&self, kind: ErrorKind) {
        match kind {
            ErrorKind::Xrun => {
                self.xruns.fetch_add(1, Ordering::Relaxed);
                self.troubles.fetch_add(1, Ordering::Relaxed);
            }
            ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => {}
            _ => self.broken.store(true, Ordering::Relaxed),
        }
    }
}

/// One end of the ring that a device's callback works on, made anew whenever the stream is.
pub trait End: Send + 'static {
    /// Microphone: takes one sample, the mean of the channels. False: no room, it is lost.
    fn give(&mut self, sample: f32) -> bool;
    /// Speaker: the next sample; `None`: there is none.
    fn take(&mut self) -> Option<f32>;
}

/// A microphone's callback.
#[derive(Debug)]
pub struct Feed<E> {
    end: E,
    pulse: Arc<Pulse>,
    channels: usize,
    rate: u32,
    share: f32,
}

impl<E: End> Feed<E> {
    /// For samples of so many channels, `rate` of each a second.
    pub fn new(end: E, pulse: Arc<Pulse>, channels: u16, rate: u32) -> Self {
        let channels = channels.max(1);
        Self { end, pulse, channels: usize::from(channels), rate, share: 1.0 / f32::from(channels) }
    }

    /// Takes what the device brought, the channels of a sample side by side.
    pub fn on_data<T: SizedSample>(&mut self, data: &[T])
    where
        f32: FromSample<T>,
    {
        self.pulse.beat(data.len() / self.channels, self.rate);
        for frame in data.chunks_exact(self.channels) {
            let sum: f32 = frame.iter().map(|sample| f32::from_sample(*sample)).sum();
            if !self.end.give(sum * self.share) {
                break;
            }
        }
    }
}

/// A speaker's callback.
#[derive(Debug)]
pub struct Drain<E> {
    end: E,
    pulse: Arc<Pulse>,
    channels: usize,
    rate: u32,
}

impl<E: End> Drain<E> {
    /// For samples of so many channels, `rate` of each a second.
    pub fn new(end: E, pulse: Arc<Pulse>, channels: u16, rate: u32) -> Self {
        Self { end, pulse, channels: usize::from(channels.max(1)), rate }
    }

    /// Fills what the device asks for, silence where there is nothing to play.
    pub fn on_data<T: SizedSample + FromSample<f32>>(&mut self, data: &mut [T]) {
        self.pulse.beat(data.len() / self.channels, self.rate);
        let mut missed = 0;
        for frame in data.chunks_exact_mut(self.channels) {
            let sample = self.end.take().unwrap_or_else(|| {
                missed += 1;
                0.0
            });
            // Left and right; other channels of a large set stay silent.
            let (front, rest) = frame.split_at_mut(self.channels.min(2));
            front.fill(T::from_sample(sample));
            rest.fill(T::EQUILIBRIUM);
        }
        if missed > 0 {
            self.pulse.missed.fetch_add(missed, Ordering::Relaxed);
            self.pulse.troubles.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// An open device. Dropping it closes it.
#[derive(Debug)]
pub struct Line {
    device: Device,
    rate: u32,
    pulse: Arc<Pulse>,
    fate: Fate,
    _worker: Worker,
}

impl Line {
    /// Opens the device of `kind` that `choice` means. Each time a stream is built, `end` makes the callback's end of a
    /// ring for samples at the given rate. Takes as long as the sound system does, at most [`OPEN_LIMIT`].
    pub fn open<E: End>(
        kind: Kind,
        choice: &DeviceChoice,
        end: impl FnMut(u32) -> E + Send + 'static,
    ) -> Result<Self, Error> {
        let (pulse, fate) = (Arc::<Pulse>::default(), Fate::default());
        let (tell, opened) = sync_channel(1);
        let worker = {
            let (pulse, fate, choice) = (Arc::clone(&pulse), fate.clone(), choice.clone());
            let (name, what) = match Way::of(kind) {
                Way::Out => ("speaker-device", "the driver of the speaker"),
                Way::In => ("mic-device", "the driver of the microphone"),
            };
            Worker::start(name, move |stop| {
                watch(what, &fate, || {
                    let mut keeper = Keeper { kind, choice, pinned: None, pulse, end, asked: 1 };
                    match keeper.build().and_then(|built| keeper.begin(stop, built, FIRST_CALL)) {
                        Ok(built) => {
                            let _ = tell.send(Ok((built.device.clone(), built.rate)));
                            keeper.pin(&built.device);
                            keeper.keep(stop, built)
                        }
                        Err(error) => {
                            let _ = tell.send(Err(error));
                            Ok(())
                        }
                    }
                });
            })?
        };
        let (device, rate) = match opened.recv_timeout(OPEN_LIMIT) {
            Ok(result) => result?,
            Err(_) => return Err(trouble(kind, "the sound system", "it does not answer".to_owned())),
        };
        tracing::info!(%kind, name = device.name, rate, "opened");
        Ok(Self { device, rate, pulse, fate, _worker: worker })
    }

    /// Which device it is. A default that no list shows has no id.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Samples a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// What its callback says of itself.
    pub fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    /// Where its end will be told.
    pub fn fate(&self) -> Fate {
        self.fate.clone()
    }
}

fn trouble(kind: Kind, name: &str, reason: String) -> Error {
    let hint = "plug it in again, or choose another that lets-meet devices lists";
    Error::Device { kind, name: name.to_owned(), reason, hint }
}

/// Another program has it for itself alone.
fn busy(kind: Kind, name: &str) -> Error {
    let hint = "close that program, or choose another that lets-meet devices lists";
    Error::Device { kind, name: name.to_owned(), reason: "another program uses it".to_owned(), hint }
}

struct Built {
    device: Device,
    rate: u32,
    /// Only held: dropping it closes the stream.
    stream: cpal::Stream,
}

/// The thread that owns the stream.
struct Keeper<F> {
    kind: Kind,
    choice: DeviceChoice,
    /// What was opened first: another device is not taken without a word.
    pinned: Option<DeviceChoice>,
    pulse: Arc<Pulse>,
    end: F,
    /// How much a callback is asked to take, in units of 10 ms.
    asked: u32,
}

impl<E: End, F: FnMut(u32) -> E> Keeper<F> {
    fn pin(&mut self, device: &Device) {
        self.pinned = (!device.id.is_empty()).then(|| DeviceChoice::Exact(device.id.clone()));
    }

    /// Watches the stream, and builds it anew when it breaks.
    fn keep(&mut self, stop: &Stop, built: Built) -> Result<(), Error> {
        let (name, rate) = (built.device.name.clone(), built.rate);
        let mut stream = Some(built.stream);
        let (mut calm, mut looks) = (0u32, 0u32);
        let mut relief = Relief::new(clock::now(), 0, self.asked);
        while !stop.wait(LOOK) {
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(JUDGED) {
                self.pulse.late.store(0, Ordering::Relaxed);
            }
            let late = self.kind == Kind::Speaker && self.pulse.late.load(Ordering::Relaxed) >= LATE;
            let late = late && self.asked < MOST_ASKED;
            let quiet = clock::host_micros().saturating_sub(self.pulse.called.load(Ordering::Relaxed)) > SILENT;
            let flood = self.pulse.xruns.swap(0, Ordering::Relaxed) >= FLOOD;
            let broken = self.pulse.broken.swap(false, Ordering::Relaxed);
            calm = calm.saturating_add(1);
            let seen = self.pulse.seen(self.asked);
            let eased = relief.on_look(clock::now(), seen);
            if let Some(less) = eased.lump {
                self.pulse.ease(seen.lump, less);
            }
            if let Some(asked) = eased.asked {
                self.asked = asked;
            }
            // A flood may be answered once a second: building anew costs more sound than it does.
            if !(quiet || broken || late || flood && calm > 10 || eased.asked.is_some()) {
                continue;
            }
            if late {
                self.asked *= 2;
                self.pulse.late.store(0, Ordering::Relaxed);
            }
            tracing::info!(kind = %self.kind, name, quiet, broken, flood, asked = self.asked, "the stream is built anew");
            calm = 0;
            drop(stream.take());
            let mut last = None;
            for _ in 0..TRIES {
                match self.build().and_then(|built| self.begin(stop, built, NEXT_CALL)) {
                    Ok(again) if again.rate == rate => {
                        stream = Some(again.stream);
                        break;
                    }
                    Ok(_) => last = Some(trouble(self.kind, &name, "it came back with another rate".to_owned())),
                    Err(error) => last = Some(error),
                }
                // It is not there or takes nothing, and others are: somebody else decides which one is used.
                let silent = !self.pulse.began.load(Ordering::Relaxed);
                if (silent || matches!(last, Some(Error::NoDevice { .. })))
                    && list().iter().flatten().any(|other| other.kind == self.kind)
                {
                    break;
                }
                if stop.wait(Duration::from_millis(250)) {
                    return Ok(());
                }
            }
            if stream.is_none() {
                return Err(last.unwrap_or_else(|| trouble(self.kind, &name, "it ended".to_owned())));
            }
        }
        Ok(())
    }

    /// Waits until the system calls for the first time.
    fn begin(&self, stop: &Stop, built: Built, limit: Duration) -> Result<Built, Error> {
        let deadline = clock::now() + limit;
        while !self.pulse.began.load(Ordering::Relaxed) {
            if stop.wait(BEGIN) || clock::now() > deadline {
                let what = if self.kind == Kind::Speaker { "it takes no sound" } else { "it gives no sound" };
                return Err(trouble(self.kind, &built.device.name, what.to_owned()));
            }
        }
        Ok(built)
    }

    fn build(&mut self) -> Result<Built, Error> {
        let missing = || Error::NoDevice { kind: self.kind, choice: self.choice.clone() };
        let choice = self.pinned.as_ref().unwrap_or(&self.choice);
        let host = host().ok_or_else(missing)?;
        let mut all = devices_of(&host, self.kind);
        let words = Devices::new(all.iter().map(|(words, _)| words.clone()));
        let (found, device) = match words.find(self.kind, choice) {
            Some(found) => {
                let at = all.iter().position(|(words, _)| words == found).ok_or_else(missing)?;
                all.swap_remove(at)
            }
            // ALSA's default is not always in its list.
            None if *choice == DeviceChoice::Default => {
                let default = match Way::of(self.kind) {
                    Way::In => host.default_input_device(),
                    Way::Out => host.default_output_device(),
                };
                let found = Device::new(self.kind, &format!("default {}", self.kind), "", true);
                (found, default.filter(is_real).ok_or_else(missing)?)
            }
            None => return Err(missing()),
        };
        let lost = matches!(self.choice, DeviceChoice::Default);
        let kind = self.kind;
        let failed = |error: cpal::Error| match error.kind() {
            ErrorKind::HostUnavailable | ErrorKind::DeviceNotAvailable if lost => {
                Error::NoDevice { kind, choice: DeviceChoice::Default }
            }
            ErrorKind::DeviceBusy => busy(kind, &found.name),
            ErrorKind::PermissionDenied => trouble(kind, &found.name, "this account may not use it".to_owned()),
            _ => trouble(kind, &found.name, error.to_string()),
        };
        let (config, format) = offer::settings(&device, Way::of(kind), self.asked).map_err(failed)?;
        let rate = config.sample_rate;
        let stream = self.stream(&device, config, format).map_err(failed)?;
        // What was called before it plays only filled its buffer.
        self.pulse.called.store(clock::host_micros(), Ordering::Relaxed);
        self.pulse.began.store(false, Ordering::Relaxed);
        self.pulse.broken.store(false, Ordering::Relaxed);
        stream.play().map_err(failed)?;
        Ok(Built { device: found, rate, stream })
    }

    fn stream(
        &mut self,
        device: &cpal::Device,
        config: cpal::StreamConfig,
        format: SampleFormat,
    ) -> Result<cpal::Stream, cpal::Error> {
        match (Way::of(self.kind), format) {
            (Way::In, SampleFormat::I16) => self.input::<i16>(device, config),
            (Way::In, SampleFormat::I32) => self.input::<i32>(device, config),
            (Way::In, _) => self.input::<f32>(device, config),
            (Way::Out, SampleFormat::I16) => self.output::<i16>(device, config),
            (Way::Out, SampleFormat::I32) => self.output::<i32>(device, config),
            (Way::Out, _) => self.output::<f32>(device, config),
        }
    }

    fn input<T>(&mut self, device: &cpal::Device, config: cpal::StreamConfig) -> Result<cpal::Stream, cpal::Error>
    where
        T: SizedSample,
        f32: FromSample<T>,
    {
        let mut feed =
            Feed::new((self.end)(config.sample_rate), Arc::clone(&self.pulse), config.channels, config.sample_rate);
        let failed = Arc::clone(&self.pulse);
        let on_data = move |data: &[T], _: &cpal::InputCallbackInfo| feed.on_data(data);
        device.build_input_stream(config, on_data, move |error| failed.on_error(error.kind()), Some(OPEN_LIMIT))
    }

    fn output<T>(&mut self, device: &cpal::Device, config: cpal::StreamConfig) -> Result<cpal::Stream, cpal::Error>
    where
        T: SizedSample + FromSample<f32>,
    {
        let mut drain =
            Drain::new((self.end)(config.sample_rate), Arc::clone(&self.pulse), config.channels, config.sample_rate);
        let failed = Arc::clone(&self.pulse);
        let on_data = move |data: &mut [T], _: &cpal::OutputCallbackInfo| drain.on_data(data);
        device.build_output_stream(config, on_data, move |error| failed.on_error(error.kind()), Some(OPEN_LIMIT))
    }
}

/// A default device that can really be opened: ALSA names one also where there is no sound at all.
fn is_real(device: &cpal::Device) -> bool {
    // A server without a microphone offers what its speaker plays: nobody means to send that.
    device.id().is_ok_and(|id| is_real_name(id.id()))
        && (device.default_output_config().is_ok() || device.default_input_config().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floods_are_counted_and_only_real_breaks_break() {
        let pulse = Pulse::default();
        for _ in 0..1000 {
            pulse.on_error(ErrorKind::Xrun);
        }
        pulse.on_error(ErrorKind::DeviceChanged);
        assert_eq!((pulse.xruns.load(Ordering::Relaxed), pulse.broken.load(Ordering::Relaxed)), (1000, false));
        pulse.on_error(ErrorKind::DeviceNotAvailable);
        assert!(pulse.broken.load(Ordering::Relaxed));
        assert_eq!(pulse.lump(), 480);
        pulse.beat(441, 44_100);
        assert_eq!(pulse.lump(), 481);
        let seen = pulse.seen(1);
        assert_eq!((seen.trouble, seen.peak, seen.lump), (true, 481, 481));
        let seen = pulse.seen(1);
        assert_eq!((seen.trouble, seen.peak), (false, 0), "told once");
        pulse.ease(481, 240);
        assert_eq!(pulse.lump(), 240);
        pulse.beat(960, 48_000);
        pulse.ease(240, 120);
        assert_eq!(pulse.lump(), 960, "a larger one came meanwhile");
    }
}
