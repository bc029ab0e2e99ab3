//! The local microphone track, and in the same way the sound of a shared screen: one thread that reads the source every 10 ms,
//! encodes once for all listeners, and sends what the sender makes of it (`sender`): frames with copies of earlier ones where packets are lost, and pauses.
//!
//! Time is kept by deadlines counted from the start, so the track never drifts against the host clock; a thread that was
//! held up catches up frame by frame and loses nothing. Time also goes on while the track is muted or nobody listens:
//! timestamps are a clock, not a count of packets. Listeners are told of a mute by pause packets, so that they conceal nothing.
//!
//! Encoding costs 23 us of CPU for each 10 ms of sound, whatever the number of listeners. 48 kbit/s of Opus with one
//! copy and headers are 110 kbit/s of datagrams for each listener (measured).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::av::Error;
use crate::av::capture::sound::{self, Sound};
use crate::av::devices::{Bell, Device, Fate};
use crate::av::guard::watch;
use crate::av::loudness::Loudness;
use crate::av::outlets::Outlets;
use crate::av::packet::audio::Audio as Packet;
use crate::av::packet::clock::Clock;
use crate::av::process::level::Meter;
use crate::av::process::voice::{Processing, Processor};
use crate::av::publish::sender::{Sender, Wish};
use crate::av::spec;
use crate::av::spec::voice::Voice;
use crate::clock;
use crate::frame::FRAME_SAMPLES;
use crate::media::{self, Bitrate, Codec, PacketKind, Priority, TrackInfo, TrackKind, View};
use crate::slot::Shared;
use crate::stats;
use crate::task;

/// Frames of 10 ms: a frame can be sent only when it is full.
const FRAME_US: u64 = 10_000;
/// Measured on speech: correlation with what was spoken 0.993 (24 kbit/s: 0.977, 64: 0.996).
const BITRATE: Bitrate = Bitrate::from_bps(48_000);
/// The same for what programs play, which may be music.
const SCREEN_BITRATE: Bitrate = Bitrate::from_bps(96_000);
/// A frame that waited longer in a send queue is too late for any listener.
const WORTH: Duration = Duration::from_millis(200);
/// A thread that was stopped longer than this leaves the time out instead of catching up.
const MOST_BEHIND: u64 = 100;
/// Frames between two clock packets: 1 s.
const EVERY: u64 = 100;
/// Frames between two looks at the path.
const LOOK: u64 = 10;

/// What the thread and the handle share.
#[derive(Debug)]
struct Wishes {
    on: AtomicBool,
    stop: AtomicBool,
    /// In ten-thousandths.
    loss: AtomicU32,
    /// In milliseconds.
    outage: AtomicU32,
    voice: Shared<Voice>,
    /// The thread has ended.
    over: AtomicBool,
}

/// One of the two sound tracks.
#[derive(Debug, Clone, Copy)]
struct Which {
    kind: TrackKind,
    bitrate: Bitrate,
    /// Of its thread.
    name: &'static str,
    /// In words.
    what: &'static str,
}

const MICROPHONE: Which =
    Which { kind: TrackKind::Microphone, bitrate: BITRATE, name: "microphone", what: "the microphone" };
const SCREEN: Which = Which {
    kind: TrackKind::ScreenAudio,
    bitrate: SCREEN_BITRATE,
    name: "screen-audio",
    what: "the sound of the shared screen",
};

/// A running microphone track. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Microphone {
    which: Which,
    wishes: Arc<Wishes>,
    /// Of the source.
    source: Option<Fate>,
    device: Option<Device>,
    /// Of the thread.
    fate: Fate,
    /// Of the voice processing, which goes on all the same.
    processing: Fate,
    thread: Option<JoinHandle<()>>,
}

impl Microphone {
    /// Opens the source and starts the track, on. Errors tell what is wrong with the source. Sound goes to everybody in
    /// `outlets` whose view is not `None`: subscribe listeners with [`View::Large`]. `loudness` follows what is sent, or
    /// would be if somebody listened.
    pub fn start(spec: &spec::Microphone, outlets: Outlets, loudness: Loudness) -> Result<Self, Error> {
        let microphone = Self::run(MICROPHONE, sound::open(spec)?, &Processing::none(), outlets, loudness)?;
        microphone.set_on(true);
        Ok(microphone)
    }

    /// As [`Microphone::start`], with the voice processed before it is sent, and muted from the first frame on.
    pub fn start_processed(
        spec: &spec::Microphone,
        processing: &Processing,
        outlets: Outlets,
        loudness: Loudness,
    ) -> Result<Self, Error> {
        Self::run(MICROPHONE, sound::open(spec)?, processing, outlets, loudness)
    }

    /// The sound of a shared screen: nothing is done to it. A track of its own, with more bits.
    pub fn of_screen(spec: spec::ScreenAudio, outlets: Outlets) -> Result<Self, Error> {
        let sound = sound::open_screen(spec)?;
        let track = Self::run(SCREEN, sound, &Processing::none(), outlets, Loudness::default())?;
        track.set_on(true);
        Ok(track)
    }

    fn run(
        which: Which,
        source: Box<dyn Sound>,
        processing: &Processing,
        outlets: Outlets,
        loudness: Loudness,
    ) -> Result<Self, Error> {
        let (of_source, device) = (source.fate(), source.device().cloned());
        let (fate, broke) = (Fate::default(), Fate::default());
        let wishes = Arc::new(Wishes {
            // Whoever is muted while it is opened stays so, however late the opening thread is.
            on: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            loss: AtomicU32::new(0),
            outage: AtomicU32::new(0),
            voice: Shared::new(processing.voice),
            over: AtomicBool::new(false),
        });
        let (shared, told, heard) = (Arc::clone(&wishes), fate.clone(), loudness.clone());
        // Checked here, so that the caller hears of a codec that does not work; the thread makes its own.
        drop(Sender::new(which.bitrate, 0, 0, clock::now())?);
        let (processing, of_processing) = (processing.clone(), broke.clone());
        let work = move || {
            watch(which.what, &told, || {
                let processor = Processor::new(&processing, of_processing);
                Capture::start(which, source, processor, outlets, &shared, loudness)?.run()
            });
            shared.over.store(true, Ordering::Relaxed);
            heard.hush();
        };
        let thread = task::thread(which.name, work).map_err(Error::Thread)?;
        Ok(Self { which, wishes, source: of_source, device, fate, processing: broke, thread: Some(thread) })
    }

    /// Why the source or the track ended by itself, told once; `None` while it runs.
    pub fn trouble(&self) -> Option<Error> {
        self.source.as_ref().and_then(Fate::take).or_else(|| self.fate.take())
    }

    /// Rings `bell` when there is a [`Microphone::trouble`].
    pub fn ring(&self, bell: &Bell) {
        for fate in self.source.iter().chain([&self.fate]) {
            fate.ring(bell);
        }
    }

    /// That the voice processing broke and was made anew, told once. The track goes on.
    pub fn processing_trouble(&self) -> Option<Error> {
        self.processing.take()
    }

    /// Which device gives its sound, if one does.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_ref()
    }

    /// What is announced to the others; changes with [`Microphone::set_on`].
    pub fn info(&self) -> TrackInfo {
        let (on, codec) = (self.wishes.on.load(Ordering::Relaxed), Codec::Opus.name().to_owned());
        TrackInfo { kind: self.which.kind, on, width: 0, height: 0, codec }
    }

    /// Mutes (listeners are told, nothing is encoded) or goes on. Time goes on either way.
    pub fn set_on(&self, on: bool) {
        self.wishes.on.store(on, Ordering::Relaxed);
    }

    /// Processes the voice in another way from the next frame on.
    pub fn set_voice(&self, voice: Voice) {
        self.wishes.voice.set(voice);
    }

    /// Tells the worst loss of the links that carry this track, 0 to 1: the more is lost, the more copies ride along.
    pub fn set_loss(&self, loss: f64) {
        let parts = (0..10_000u32).find(|n| f64::from(*n) >= loss * 10_000.0).unwrap_or(10_000);
        self.wishes.loss.store(parts, Ordering::Relaxed);
    }

    /// Tells how long the worst of those links usually loses packets in one go: copies reach as far. Zero: not known.
    pub fn set_outage(&self, outage: Duration) {
        self.wishes.outage.store(u32::try_from(outage.as_millis()).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// What was asked of it last: of the voice, and the loss in parts of ten thousand.
    #[cfg(test)]
    pub fn told(&self) -> (Voice, u32) {
        (self.wishes.voice.get(), self.wishes.loss.load(Ordering::Relaxed))
    }

    /// What is sent to a listener; `None` while muted.
    pub fn sending(&self) -> Option<stats::Sending> {
        let over = self.wishes.over.load(Ordering::Relaxed);
        (!over && self.wishes.on.load(Ordering::Relaxed)).then(|| stats::Sending {
            target_bps: Some(self.which.bitrate.bps()),
            codec: Some(Codec::Opus.name().to_owned()),
            ..stats::Sending::default()
        })
    }

    /// Ends the track: listeners are told, and the thread is waited for (at most a frame).
    pub fn stop(mut self) {
        self.wishes.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Microphone {
    fn drop(&mut self) {
        self.wishes.stop.store(true, Ordering::Relaxed);
    }
}

/// The thread's state.
struct Capture<'a> {
    which: Which,
    source: Box<dyn Sound>,
    processor: Processor,
    outlets: Outlets,
    wishes: &'a Wishes,
    sender: Sender,
    meter: Meter,
    loudness: Loudness,
    start: Instant,
    start_host: u64,
    group: u32,
    // Somebody listened to the frame before.
    heard: bool,
}

impl<'a> Capture<'a> {
    fn start(
        which: Which,
        source: Box<dyn Sound>,
        processor: Processor,
        outlets: Outlets,
        wishes: &'a Wishes,
        loudness: Loudness,
    ) -> Result<Self, Error> {
        Ok(Self {
            which,
            source,
            processor,
            outlets,
            wishes,
            // A restarted track is far from the old time line, which tells listeners that it is a new one.
            sender: Sender::new(which.bitrate, rand::random(), rand::random(), clock::now())?,
            meter: Meter::default(),
            loudness,
            start: clock::now(),
            start_host: clock::host_micros(),
            group: 0,
            heard: false,
        })
    }

    fn run(&mut self) -> Result<(), Error> {
        let mut samples = [0.0f32; FRAME_SAMPLES];
        let mut frame = 0u64;
        while !self.wishes.stop.load(Ordering::Relaxed) {
            // A frame can be sent when its last sample was captured.
            let due = self.start + Duration::from_micros((frame + 1) * FRAME_US);
            let now = clock::now();
            if let Some(early) = due.checked_duration_since(now) {
                std::thread::sleep(early);
            }
            let behind = u64::try_from(now.saturating_duration_since(due).as_millis()).unwrap_or(0) / 10;
            if behind > MOST_BEHIND {
                tracing::warn!(frames = behind, "a thread of sound was stopped for long and skips");
                self.source.skip(behind);
                self.sender.on_gap();
                frame += behind;
            }
            if frame.is_multiple_of(LOOK) {
                let loss = f64::from(self.wishes.loss.load(Ordering::Relaxed)) / 10_000.0;
                let outage = self.wishes.outage.load(Ordering::Relaxed);
                self.sender.on_path(now, loss, Duration::from_millis(u64::from(outage)));
            }
            let captured = self.start_host + frame * FRAME_US;
            let wall = clock::unix_micros().wrapping_sub(clock::host_micros()).wrapping_add(captured);
            self.source.read(wall, &mut samples);
            self.processor.set(self.wishes.voice.get());
            self.processor.slip(self.source.slipped());
            // Also while it is muted: whoever speaks again has no echo at once.
            self.processor.process(&mut samples, clock::host_micros().saturating_sub(self.source.delay()));
            let heard = [View::Small, View::Large].into_iter().any(|view| self.outlets.wants(view));
            if heard && (frame.is_multiple_of(EVERY) || !self.heard) {
                self.send_clock(frame, captured.saturating_sub(self.source.delay() + self.processor.latency()));
            }
            self.heard = heard;
            let on = self.wishes.on.load(Ordering::Relaxed);
            let level = self.meter.measure(&samples);
            if on {
                self.loudness.hear(clock::now(), level);
            } else {
                self.loudness.hush();
            }
            if heard {
                let wish = if on { Wish::On } else { Wish::Muted };
                let packet = self.sender.frame(frame, level, &samples, wish)?;
                packet.into_iter().for_each(|packet| self.send(&packet));
            } else {
                self.sender.on_gap();
            }
            frame += 1;
        }
        self.loudness.hush();
        let last: Vec<Packet> = self.sender.end(frame).collect();
        last.iter().for_each(|packet| self.send(packet));
        Ok(())
    }

    fn send(&mut self, packet: &Packet) {
        self.put(PacketKind::Audio, Priority::Audio, WORTH, packet.encode());
    }

    /// Says when the sound of a timestamp was captured: what the decoder gives there was said a look-ahead earlier.
    fn send_clock(&mut self, frame: u64, captured: u64) {
        let host_micros = captured.saturating_sub(u64::from(self.sender.lookahead()) * 125 / 6);
        let body = Clock { timestamp: u64::from(self.sender.timestamp(frame)), host_micros }.encode();
        self.put(PacketKind::Clock, Priority::Feedback, 5 * WORTH, body);
    }

    fn put(&mut self, kind: PacketKind, priority: Priority, worth: Duration, body: Bytes) {
        let group = self.group;
        self.group = group.wrapping_add(1);
        let expires = clock::now() + worth;
        let track = self.which.kind.id();
        self.outlets.send_all(&media::Packet { kind, track, priority, group, expires, body });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::av::packet::audio::Level;

    /// Has a defect.
    struct Broken;

    impl Sound for Broken {
        fn read(&mut self, _wall: u64, _out: &mut [f32; FRAME_SAMPLES]) {
            panic!("as a driver's library may")
        }
    }

    /// Everything that is sent, in order, with its moment.
    #[derive(Debug, Default)]
    struct Listener(Mutex<Vec<(Instant, Packet)>>);

    impl media::Outlet for Listener {
        fn send(&self, packet: media::Packet) {
            if packet.kind == PacketKind::Audio {
                let packet = Packet::parse(&packet.body).expect("a packet of ours");
                self.0.lock().expect("nobody panicked").push((clock::now(), packet));
            }
        }
    }

    impl Listener {
        fn heard(&self) -> Vec<(Instant, Packet)> {
            self.0.lock().expect("nobody panicked").clone()
        }

        fn wait(&self, what: &str, fact: impl Fn(&[(Instant, Packet)]) -> bool) -> Vec<(Instant, Packet)> {
            let deadline = clock::now() + Duration::from_secs(10);
            loop {
                let heard = self.heard();
                if fact(&heard) {
                    return heard;
                }
                assert!(clock::now() < deadline, "{what}: {heard:?}");
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn nothing_that_is_said_after_a_mute_leaves() {
        for voice in [Voice::OFF, Voice::ON] {
            let (outlets, listener) = (Outlets::new(), Arc::new(Listener::default()));
            outlets.set(crate::id::PeerId::from_bytes([7; 32]), View::Large, Arc::clone(&listener) as _);
            let processing = Processing { voice, ..Processing::none() };
            let tone = Box::new(sound::Tone::default());
            let microphone = Microphone::run(MICROPHONE, tone, &processing, outlets, Loudness::new()).expect("started");
            microphone.set_on(true);
            listener.wait("sound", |heard| heard.len() >= 20);
            microphone.set_on(false);
            let (muted, before) = (clock::now(), listener.heard().len());
            let pauses = |heard: &[(Instant, Packet)]| heard.iter().filter(|(_, p)| p.frame.is_none()).count();
            // Those at once, and one of those that come each second.
            let heard = listener.wait("pauses", |heard| pauses(heard) > 3);
            let first = heard.iter().position(|(_, packet)| packet.frame.is_none()).expect("counted");
            // The frame under way was captured before the mute.
            assert!(first <= before + 1, "{first} {before}");
            assert!(heard[first..].iter().all(|(_, packet)| packet.frame.is_none() && packet.level == Level::SILENCE));
            // What rides along is what was sent before, and rides once.
            let sent: Vec<&Bytes> = heard[..first].iter().filter_map(|(_, packet)| packet.frame.as_ref()).collect();
            assert!(heard[first].1.copies().all(|(_, copy)| sent.contains(&copy)));
            assert!(heard[first + 1..].iter().all(|(_, packet)| packet.copies().count() == 0));
            let took = heard[first].0.saturating_duration_since(muted);
            println!("muted after {:.1} ms", took.as_secs_f64() * 1e3);
            // Three times the goal, for a machine that is busy.
            assert!(took < Duration::from_millis(300), "{took:?}");
            microphone.stop();
        }
    }

    /// Sounds from its first frame on, and is read by a thread that was not told anything yet.
    #[test]
    fn a_microphone_that_is_opened_for_a_muted_person_lets_nothing_out() {
        for voice in [Voice::OFF, Voice::ON] {
            let (outlets, listener) = (Outlets::new(), Arc::new(Listener::default()));
            outlets.set(crate::id::PeerId::from_bytes([7; 32]), View::Large, Arc::clone(&listener) as _);
            let processing = Processing { voice, ..Processing::none() };
            let tone = Box::new(sound::Tone::default());
            let microphone = Microphone::run(MICROPHONE, tone, &processing, outlets, Loudness::new()).expect("started");
            // Those at once, and one of those that come each second.
            let heard = listener.wait("pauses", |heard| heard.len() > 3);
            assert!(heard.iter().all(|(_, packet)| {
                packet.frame.is_none() && packet.copies().count() == 0 && packet.level == Level::SILENCE
            }));
            microphone.stop();
        }
    }

    #[test]
    fn push_to_talk_lets_out_what_is_said_while_it_is_pressed() {
        for voice in [Voice::OFF, Voice::ON] {
            let (outlets, listener) = (Outlets::new(), Arc::new(Listener::default()));
            outlets.set(crate::id::PeerId::from_bytes([7; 32]), View::Large, Arc::clone(&listener) as _);
            let processing = Processing { voice, ..Processing::none() };
            let tone = Box::new(sound::Tone::default());
            let microphone = Microphone::run(MICROPHONE, tone, &processing, outlets, Loudness::new()).expect("started");
            let sounds = |heard: &[(Instant, Packet)]| heard.iter().filter(|(_, p)| p.frame.is_some()).count();
            for round in 0..8 {
                let before = listener.heard().len();
                microphone.set_on(true);
                // Sometimes for one frame only, and released in the middle of the next.
                let heard = listener.wait("sound", |heard| sounds(&heard[before..]) > round % 3);
                let first = heard[before..].iter().find(|(_, packet)| packet.frame.is_some()).expect("waited for");
                assert_eq!(first.1.copies().count(), 0, "nothing of the time before rides along");
                microphone.set_on(false);
                let released = listener.heard().len();
                let ends = |heard: &[(Instant, Packet)]| heard.iter().filter(|(_, p)| p.frame.is_none()).count();
                let heard = listener.wait("a pause", |heard| ends(&heard[released.saturating_sub(1)..]) >= 3);
                let pause =
                    heard[before..].iter().rposition(|(_, packet)| packet.frame.is_some()).map(|at| before + at);
                // The frame under way was captured before.
                assert!(pause.is_some_and(|last| last <= released), "{pause:?} {released}");
            }
            microphone.stop();
        }
    }

    #[test]
    fn a_source_that_panics_is_a_trouble_of_its_track() {
        let microphone =
            Microphone::run(MICROPHONE, Box::new(Broken), &Processing::none(), Outlets::new(), Loudness::new())
                .expect("started");
        microphone.set_on(true);
        let deadline = clock::now() + Duration::from_secs(10);
        while microphone.sending().is_some() {
            assert!(clock::now() < deadline, "the thread ends");
            std::thread::yield_now();
        }
        assert!(matches!(microphone.trouble(), Some(Error::Crashed { what: "the microphone" })));
        assert!(microphone.trouble().is_none(), "told once");
        microphone.stop();
    }
}
