//! From a source to a file, in real time: microphone -> packets -> a link in memory, as bad as wanted -> playback -> WAV.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Config, INBOX, Playback};
use crate::av::outlets::Outlets;
use crate::av::publish::Microphone;
use crate::av::spec;
use crate::clock;
use crate::id::PeerId;
use crate::media::{Arrival, ClockMap, Outlet, Packet, View};
use crate::slot::{Ring, Shared};
use crate::stats;
use crate::task;

const SENDER: PeerId = PeerId::from_bytes([7; 32]);

/// What a link does to packets.
#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    loss_percent: u32,
    delay_ms: u32,
    jitter_ms: u32,
}

/// A link in memory: packets wait on a thread until they are due.
#[derive(Debug)]
struct Link {
    weather: Weather,
    waiting: Mutex<(u32, BTreeMap<(Instant, u64), Packet>)>,
    out: Ring<Arrival>,
    sent: Mutex<(u64, u64)>,
}

fn draw(seed: &mut u32) -> u32 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    *seed >> 16
}

impl Outlet for Link {
    fn send(&self, packet: Packet) {
        let mut sent = self.sent.lock().expect("no panic");
        sent.0 += 1;
        sent.1 += u64::try_from(packet.body.len()).expect("small");
        let mut waiting = self.waiting.lock().expect("no panic");
        if draw(&mut waiting.0) % 100 < self.weather.loss_percent {
            return;
        }
        let jitter = draw(&mut waiting.0) % (self.weather.jitter_ms + 1);
        let due = clock::now() + Duration::from_millis(u64::from(self.weather.delay_ms + jitter));
        if self.weather.delay_ms + self.weather.jitter_ms == 0 {
            self.arrive(packet);
        } else {
            waiting.1.insert((due, sent.0), packet);
        }
    }
}

impl Link {
    fn arrive(&self, packet: Packet) {
        let (arrived, arrived_host) = (clock::now(), clock::host_micros());
        let Packet { kind, track, body, .. } = packet;
        self.out.push(Arrival { kind, track, sequence: 0, sent: 0, arrived, arrived_host, body });
    }

    fn run(&self) {
        while !self.out.is_closed() {
            let now = clock::now();
            let due: Vec<Packet> = {
                let mut waiting = self.waiting.lock().expect("no panic");
                let later = waiting.1.split_off(&(now, u64::MAX));
                std::mem::replace(&mut waiting.1, later).into_values().collect()
            };
            for packet in due {
                self.arrive(packet);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A call from one microphone to one playback.
struct Call {
    microphone: Option<Microphone>,
    playback: Playback,
    inbox: Ring<Arrival>,
    link: Arc<Link>,
    dir: tempfile::TempDir,
}

impl Call {
    fn start(source: &spec::Microphone, weather: Weather) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let inbox = Ring::new(INBOX);
        let config =
            Config { speaker: spec::Speaker::Wav(dir.path().join("mix.wav")), dump: Some(dir.path().join("heard")) };
        let playback = Playback::start(config).expect("playback");
        playback.add(SENDER, inbox.clone(), Shared::new(ClockMap::Same));
        let waiting = Mutex::new((42, BTreeMap::new()));
        let link = Arc::new(Link { weather, waiting, out: inbox.clone(), sent: Mutex::default() });
        let runner = Arc::clone(&link);
        task::thread("link", move || runner.run()).expect("a thread");
        let outlets = Outlets::new();
        outlets.set(PeerId::from_bytes([9; 32]), View::Large, link.clone());
        let microphone = Some(Microphone::start(source, outlets).expect("a microphone"));
        Self { microphone, playback, inbox, link, dir }
    }

    fn stats(&self) -> stats::Audio {
        self.playback.stats(SENDER).expect("added")
    }

    /// Waits until so many milliseconds of sound were played.
    fn play(&self, ms: u64) -> stats::Audio {
        let deadline = clock::now() + Duration::from_millis(ms + 20_000);
        let from = self.stats().played_ms;
        loop {
            std::thread::sleep(Duration::from_millis(20));
            let stats = self.stats_keep();
            if stats >= from + ms {
                return self.stats();
            }
            assert!(clock::now() < deadline, "only {stats} ms were played");
        }
    }

    fn stats_keep(&self) -> u64 {
        let peers = self.playback.peers();
        let figures = Arc::clone(&peers[&SENDER].figures);
        drop(peers);
        let figures = figures.lock().expect("no panic");
        figures.played_ms()
    }

    /// Ends the call; what the listener's file holds.
    fn finish(mut self) -> Vec<f32> {
        if let Some(microphone) = self.microphone.take() {
            microphone.stop();
        }
        self.inbox.close();
        self.playback.stop();
        let own = read(&self.dir.path().join("heard").join(format!("{SENDER}.wav")));
        let mix = read(&self.dir.path().join("mix.wav"));
        assert!(mix.len().abs_diff(own.len()) <= 2 * 480, "both are time lines: {} {}", mix.len(), own.len());
        own
    }
}

fn read(path: &Path) -> Vec<f32> {
    let mut reader = hound::WavReader::open(path).expect("a valid file");
    reader.samples::<i16>().map(|s| f32::from(s.expect("a sample")) / 32_768.0).collect()
}

#[test]
fn clicks_come_through_with_nothing_made_up() {
    let call = Call::start(&spec::Microphone::Clicks, Weather::default());
    let stats = call.play(4000);
    let sent = *call.link.sent.lock().expect("no panic");
    println!("{stats:?} sent {sent:?}");
    let heard = call.finish();
    println!("{}", heard.len());
}
