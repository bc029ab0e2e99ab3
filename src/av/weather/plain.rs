//! The sender's choice of copies against the jitter buffer, without a codec, over hundreds of seeds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Path;
use crate::av::jitter::audio::{Adjust, Audio, Step};
use crate::av::jitter::outage::Outage;
use crate::av::packet::audio::{Audio as Packet, Level};
use crate::av::publish::redundancy::Redundancy;

const FRAME_US: i64 = 10_000;
/// Microseconds between a deadline of the sender and one of the listener.
const PHASE_US: i64 = 4321;

/// What the listener heard.
#[derive(Debug, Default)]
struct Heard {
    frames: u32,
    concealed: u32,
    underruns: u32,
    /// Longest that was made up in one go, in frames.
    longest: u32,
    run: u32,
    /// From capture of a frame's first sample to its playout, in microseconds.
    delays: Vec<i64>,
    /// Copies that were sent.
    copies: usize,
    /// Second of each frame that was made up.
    bad: Vec<i64>,
}

impl Heard {
    fn step(&mut self, buffer: &mut Audio, ahead: &mut u32, now: i64) {
        let duration = match buffer.pull() {
            Step::Idle(duration) | Step::Pause(duration) => duration,
            Step::Frame { payload, duration, .. } => {
                let n = i64::from_be_bytes(payload[..].try_into().expect("ours"));
                self.frames += 1;
                self.run = 0;
                self.delays.push(now - n * FRAME_US);
                duration
            }
            Step::Conceal { duration, empty } => {
                self.concealed += 1;
                self.run += 1;
                self.longest = self.longest.max(self.run);
                self.underruns += u32::from(empty && self.run == 1);
                self.bad.push(now / 1_000_000);
                duration
            }
        };
        *ahead += u32::from(duration);
    }

    /// As a track does it, without the samples; a period is half a frame.
    fn pull(&mut self, buffer: &mut Audio, ahead: &mut u32, due: Instant, now: i64) {
        match buffer.adjust(due, *ahead) {
            Adjust::Keep | Adjust::Shorten(0..240) => {}
            Adjust::Skip => *ahead = 0,
            Adjust::Lengthen => {
                if *ahead >= 480 || buffer.ready() {
                    *ahead += 240;
                }
            }
            Adjust::Shorten(_) => {
                while *ahead < 720 && buffer.ready() {
                    self.step(buffer, ahead, now);
                }
                if *ahead >= 720 {
                    *ahead -= 240;
                    buffer.on_shortened(240);
                }
            }
        }
        while *ahead < 480 {
            self.step(buffer, ahead, now);
        }
        *ahead -= 480;
    }

    /// Of a thousand frames so many were made up.
    fn permille(&self) -> f64 {
        1000.0 * f64::from(self.concealed) / f64::from((self.frames + self.concealed).max(1))
    }

    /// The delay that 95 of 100 frames do not exceed, in milliseconds.
    fn p95(&mut self) -> i64 {
        self.delays.sort_unstable();
        self.delays.get(self.delays.len() * 95 / 100).copied().unwrap_or(0) / 1000
    }
}

/// A call of so many seconds. The sender hears once a second what was lost in the last ten.
fn call(path: Path, seconds: i64) -> Heard {
    changing(seconds, |_| path)
}

/// The same over a path that may be another one each second.
fn changing(seconds: i64, path_of: impl Fn(i64) -> Path) -> Heard {
    let epoch = crate::clock::now();
    let at = |us: i64| epoch + Duration::from_micros(u64::try_from(us).expect("positive"));
    let (mut buffer, mut outage, mut redundancy) = (Audio::new(epoch), Outage::default(), Redundancy::new(epoch));
    let (mut heard, mut ahead) = (Heard::default(), 0);
    let mut waiting: BTreeMap<(i64, i64), Packet> = BTreeMap::new();
    let mut lost: Vec<bool> = Vec::new();
    let mut path = path_of(0);
    for n in 0..seconds * 100 {
        let now = n * FRAME_US + PHASE_US;
        while let Some(first) = waiting.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((arrived, _), packet) = first.remove_entry();
            outage.on_packet(packet.sequence);
            buffer.on_packet(at(arrived), &packet);
        }
        heard.pull(&mut buffer, &mut ahead, at(now), now);
        if n % 100 == 0 {
            let of_late = &lost[lost.len().saturating_sub(1000)..];
            let count = of_late.iter().filter(|lost| **lost).count();
            let share = f64::from(u32::try_from(count).expect("small"))
                / f64::from(u32::try_from(of_late.len().max(1)).expect("small"));
            redundancy.on_path(at(now), share, Duration::from_millis(10 * u64::from(outage.packets())));
            let next = path_of(n / 100);
            path = Path { seed: path.seed, left: path.left, ..next };
        }
        let of = |n: i64| Bytes::copy_from_slice(&n.to_be_bytes());
        let backs = redundancy.backs().filter(|back| i64::from(*back) <= n);
        let copies: Vec<(u8, Bytes)> = backs.map(|back| (back, of(n - i64::from(back)))).collect();
        heard.copies += copies.len();
        let timestamp = u32::try_from(n * 480 % (1 << 32)).expect("32 bits");
        let sequence = u16::try_from(n % 65_536).expect("16 bits");
        let packet = Packet::with_copies(sequence, timestamp, Level::SILENCE, 480, Some(of(n)), &copies);
        let transit = path.transit();
        lost.push(transit.is_none());
        if let Some(transit) = transit {
            waiting.insert(((n + 1) * FRAME_US + transit, n), packet.expect("fits"));
        }
    }
    heard
}

/// Mean and worst of a thousand frames made up, longest gap in milliseconds, and the mean over seeds of the 95th percentile of
/// delay.
#[expect(clippy::print_stdout, reason = "a simulation's figures are for its reader")]
fn over_seeds(seeds: u32, seconds: i64, path: impl Fn(u32) -> Path) -> (f64, f64, u32, i64) {
    let (mut sum, mut worst, mut longest, mut late, mut copies, mut underruns) = (0.0, 0.0f64, 0, 0, 0, 0);
    for seed in 1..=seeds {
        let mut heard = call(path(seed), seconds);
        let made_up = heard.permille();
        sum += made_up;
        worst = worst.max(made_up);
        longest = longest.max(heard.longest * 10);
        late += heard.p95();
        copies += heard.copies;
        underruns += heard.underruns;
    }
    let late = late / i64::from(seeds);
    let mean = sum / f64::from(seeds);
    let each = f64::from(u32::try_from(copies).expect("small"))
        / f64::from(seeds)
        / f64::from(u32::try_from(seconds * 100).expect("small"));
    let path = path(0);
    println!(
        "{:>4.1} % in bursts of {}, jitter {} us: made up {mean:.2}, worst {worst:.2} of 1000, longest {longest} ms, \
         p95 {late} ms, {each:.2} copies, {underruns} underruns",
        path.loss * 100.0,
        path.burst,
        path.jitter_us
    );
    (mean, worst, longest, late)
}

#[test]
fn losses_are_filled_over_hundreds_of_seeds() {
    let check = |loss: f32, burst: u32, most: f64, delay: i64| {
        let (mean, worst, longest, late) = over_seeds(60, 60, |seed| Path::new(seed, loss, burst));
        assert!(mean <= most && worst <= 2.0 * most, "{loss} {burst}: {mean} {worst}");
        assert!(late <= delay, "{loss} {burst}: {late} ms");
        if burst == 1 && loss <= 0.1 {
            assert!(longest <= 60, "{loss}: {longest} ms");
        }
    };
    check(0.01, 1, 1.0, 65);
    check(0.05, 1, 5.0, 65);
    check(0.1, 1, 10.0, 75);
    check(0.2, 1, 30.0, 85);
    check(0.05, 4, 10.0, 95);
    check(0.05, 6, 10.0, 115);
}

#[test]
fn a_clean_path_carries_no_copies_after_ten_seconds() {
    let heard = call(Path::new(1, 0.0, 1), 60);
    assert_eq!((heard.concealed, heard.underruns), (0, 0));
    assert!((900..1200).contains(&heard.copies), "{}", heard.copies);
}

#[test]
fn jitter_of_30_ms_never_runs_dry() {
    let path = |seed| Path { jitter_us: 30_000, ..Path::new(seed, 0.0, 1) };
    for seed in 1..=60 {
        let mut heard = call(path(seed), 65);
        assert!(heard.bad.iter().all(|second| *second < 5), "{seed}: {:?}", heard.bad);
        assert!(heard.p95() <= 120, "{seed}: {} ms", heard.p95());
    }
}

#[test]
fn jitter_and_loss_together_are_waited_for() {
    let (mean, _, longest, late) = over_seeds(40, 60, |seed| Path { jitter_us: 30_000, ..Path::new(seed, 0.02, 1) });
    assert!(mean <= 5.0 && longest <= 60 && late <= 120, "{mean} {longest} {late}");
}

#[test]
fn a_queue_that_fills_and_drains_interrupts_once_for_each_step() {
    // The queue of a narrow link: 200 ms more from the tenth second on, none from the thirtieth, again from the fiftieth.
    for seed in 1..=60 {
        let heard = changing(70, |second| {
            let path = Path::new(seed, 0.0, 1);
            let full = (10..30).contains(&second) || second >= 50;
            Path { delay_us: if full { 220_000 } else { 20_000 }, ..path }
        });
        assert!(heard.underruns <= 2, "{seed}: {} underruns, {:?}", heard.underruns, heard.bad);
    }
}
