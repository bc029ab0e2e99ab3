//! Sans-IO. The sound jitter buffer against bad networks, in virtual time. Each world is drawn from a printed seed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;

use super::audio::{Adjust, Audio, Heard, Step};
use crate::av::packet::audio::{Audio as Packet, Level};

const MS: i64 = 1000;
const FRAME_US: i64 = 10 * MS;

/// A sender, a network and a listener.
#[derive(Debug, Clone)]
struct World {
    seed: u32,
    seconds: i64,
    loss_percent: u32,
    jitter_us: i64,
    drift_ppm: i64,
    copies: usize,
    sequence: u16,
    timestamp: u32,
    /// Packets of this time (microseconds) wait for its end.
    stall: std::ops::Range<i64>,
    /// Packets of this time are lost.
    cut: std::ops::Range<i64>,
    /// The sender pauses.
    mute: std::ops::Range<i64>,
    /// From here on packets take longer.
    detour: (i64, i64),
}

impl Default for World {
    fn default() -> Self {
        Self {
            seed: 1,
            seconds: 20,
            loss_percent: 0,
            jitter_us: 0,
            drift_ppm: 0,
            copies: 1,
            sequence: 100,
            timestamp: 5_000_000,
            stall: 0..0,
            cut: 0..0,
            mute: 0..0,
            detour: (i64::MAX, 0),
        }
    }
}

/// What the listener heard.
#[derive(Debug, Default)]
struct Report {
    frames: u32,
    repaired: u32,
    paused: u32,
    concealed: u32,
    underruns: u32,
    lengthened: u32,
    shortened: u32,
    skips: u32,
    late: u32,
    /// (second, delay behind the fastest packet) in microseconds, once a second.
    delays: Vec<i64>,
    /// Milliseconds from capture to playout of each frame.
    latencies: Vec<i64>,
    last: Option<u64>,
    /// Seconds in which something was concealed.
    bad_seconds: std::collections::BTreeSet<i64>,
}

fn draw(seed: &mut u32) -> i64 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    i64::from(*seed >> 8)
}

impl World {
    fn packets(&self) -> Vec<(i64, Packet)> {
        let mut seed = self.seed;
        let mut out = Vec::new();
        let mut history: Vec<Bytes> = Vec::new();
        let mut sequence = self.sequence;
        let mut paused = 0;
        for n in 0..self.seconds * 100 {
            let sent = (n + 1) * FRAME_US + (n + 1) * FRAME_US * self.drift_ppm / 1_000_000;
            let timestamp = self.timestamp.wrapping_add(u32::try_from(n * 480 % (1 << 32)).expect("short"));
            let muted = self.mute.contains(&sent);
            let payload = Bytes::copy_from_slice(&n.to_be_bytes());
            paused = if muted { paused + 1 } else { 0 };
            if paused > 3 && paused % 100 != 0 {
                continue;
            }
            let frame = (!muted).then(|| payload.clone());
            let packet = Packet::new(sequence, timestamp, Level::SILENCE, 480, frame, &history).expect("fits");
            sequence = sequence.wrapping_add(1);
            if muted {
                history.clear();
            } else {
                history.insert(0, payload);
                history.truncate(self.copies);
            }
            let lost = draw(&mut seed) % 100 < i64::from(self.loss_percent) || self.cut.contains(&sent);
            let jitter = draw(&mut seed) % (self.jitter_us + 1);
            let detour = if sent >= self.detour.0 { self.detour.1 } else { 0 };
            let arrives = if self.stall.contains(&sent) { self.stall.end } else { sent + 2 * MS + jitter + detour };
            if !lost {
                out.push((arrives, packet));
            }
        }
        out.sort_by_key(|(arrives, _)| *arrives);
        out
    }

    fn run(&self) -> Report {
        let epoch = crate::clock::now();
        let mut buffer = Audio::new(epoch);
        let mut report = Report::default();
        let mut packets = self.packets().into_iter().peekable();
        let mut ahead = 0u32;
        for tick in 0..self.seconds * 100 {
            let now = tick * FRAME_US + 4321;
            while let Some((arrives, packet)) = packets.next_if(|(arrives, _)| *arrives <= now) {
                let at = epoch + Duration::from_micros(u64::try_from(arrives).expect("positive"));
                report.late += u32::from(buffer.on_packet(at, &packet) == Heard::Late && packet.frame.is_some());
            }
            let due = epoch + Duration::from_micros(u64::try_from(now).expect("positive"));
            report.pull(&mut buffer, &mut ahead, due, now, self);
        }
        println!(
            "{self:?}\n  {} frames, {} repaired, {} concealed, {} underruns, +{} -{} skips {}, late {}, delays {:?}",
            report.frames,
            report.repaired,
            report.concealed,
            report.underruns,
            report.lengthened,
            report.shortened,
            report.skips,
            report.late,
            report.delays
        );
        report
    }
}

impl Report {
    /// What a track does in 10 ms, without the samples: a period is 240 of them.
    fn pull(&mut self, buffer: &mut Audio, ahead: &mut u32, due: Instant, now: i64, world: &World) {
        match buffer.adjust(due, *ahead) {
            Adjust::Keep => {}
            Adjust::Skip => {
                *ahead = 0;
                self.skips += 1;
            }
            Adjust::Lengthen => {
                if *ahead >= 480 || buffer.ready() {
                    *ahead += 240;
                    self.lengthened += 1;
                }
            }
            Adjust::Shorten(most) if most >= 240 => {
                while *ahead < 720 && buffer.ready() {
                    self.step(buffer, ahead, now, world);
                }
                if *ahead >= 720 {
                    *ahead -= 240;
                    self.shortened += 1;
                    buffer.on_shortened(240);
                }
            }
            Adjust::Shorten(_) => {}
        }
        if now % 1_000_000 < FRAME_US
            && let Some(delay) = buffer.current(due, *ahead)
        {
            self.delays.push(delay);
        }
        while *ahead < 480 {
            self.step(buffer, ahead, now, world);
        }
        *ahead -= 480;
    }

    fn step(&mut self, buffer: &mut Audio, ahead: &mut u32, now: i64, _world: &World) {
        let duration = match buffer.pull() {
            Step::Idle(duration) => duration,
            Step::Pause(duration) => {
                self.paused += 1;
                duration
            }
            Step::Frame { payload, duration, repaired } => {
                let n = u64::from_be_bytes(payload[..].try_into().expect("ours"));
                assert!(self.last.is_none_or(|last| n > last), "{n} after {:?}", self.last);
                self.last = Some(n);
                self.frames += 1;
                self.repaired += u32::from(repaired);
                self.latencies.push((now - i64::try_from(n).expect("small") * FRAME_US) / MS);
                duration
            }
            Step::Conceal { duration, empty } => {
                self.concealed += 1;
                self.underruns += u32::from(empty);
                self.bad_seconds.insert(now / 1_000_000);
                duration
            }
        };
        *ahead += u32::from(duration);
    }
}

#[test]
fn who_begins_with_a_pause_is_heard_from_the_first_word_on() {
    let report = World { mute: 0..3_000 * MS, ..World::default() }.run();
    assert!((270..=300).contains(&report.paused), "{}", report.paused);
    assert!(report.frames > 1695, "{}", report.frames);
    assert_eq!((report.concealed, report.late, report.skips), (0, 0, 0));
}

#[test]
fn clean_link_is_played_whole_at_one_delay() {
    let report = World::default().run();
    assert_eq!((report.concealed, report.late, report.lengthened, report.shortened), (0, 0, 0, 0));
    // All but what was skipped while warming up.
    assert!(report.frames > 1950, "{}", report.frames);
    assert!(report.delays.iter().all(|delay| (15 * MS..25 * MS).contains(delay)), "{:?}", report.delays);
    assert!(report.delays.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn sequence_and_timestamp_wrap_unnoticed() {
    let world = World { sequence: 65_000, timestamp: u32::MAX - 480_000, ..World::default() };
    let report = world.run();
    assert_eq!((report.concealed, report.late), (0, 0));
    assert!(report.frames > 1950);
}

#[test]
fn copies_fill_the_places_of_lost_packets() {
    let report = World { seconds: 60, loss_percent: 5, ..World::default() }.run();
    assert!((200..400).contains(&report.repaired), "{}", report.repaired);
    assert!(report.concealed <= 30, "{}", report.concealed);
    let two = World { seconds: 60, loss_percent: 20, copies: 2, ..World::default() }.run();
    assert!(two.concealed <= 120, "{}", two.concealed);
}

#[test]
fn jitter_of_30_ms_is_waited_for() {
    let report = World { seconds: 65, jitter_us: 30 * MS, ..World::default() }.run();
    assert_eq!(report.bad_seconds.range(5..).count(), 0, "{:?}", report.bad_seconds);
    let late = report.latencies[500..].iter().max().expect("frames");
    assert!(*late <= 70, "{late}");
}

#[test]
fn drift_of_100_ppm_is_followed_without_loss() {
    for drift_ppm in [-100, 100] {
        let report = World { seconds: 600, drift_ppm, ..World::default() }.run();
        // A fast sender is done 60 ms early.
        assert_eq!(report.bad_seconds.range(..599).count(), 0, "{drift_ppm}: {:?}", report.bad_seconds);
        assert_eq!(report.skips, 0);
        assert!(report.delays.iter().all(|delay| (10 * MS..60 * MS).contains(delay)), "{:?}", report.delays);
        // 60 ms in ten minutes are 12 periods of 5 ms.
        assert!(report.lengthened + report.shortened <= 16, "{}", report.lengthened + report.shortened);
    }
}

/// Two hours between clocks that are apart by so much.
fn hours_apart(drift_ppm: i64) {
    let seconds = 7200;
    let report = World { seconds, drift_ppm, ..World::default() }.run();
    // A fast sender is done 1.44 s early.
    assert_eq!(report.bad_seconds.range(..seconds - 2).count(), 0, "{drift_ppm}: {:?}", report.bad_seconds);
    assert_eq!(report.skips, 0);
    assert!(report.delays.iter().all(|delay| (10 * MS..60 * MS).contains(delay)), "{:?}", report.delays.iter().max());
}

#[test]
fn a_sender_200_ppm_slow_is_followed_for_two_hours() {
    hours_apart(200);
}

#[test]
fn a_sender_200_ppm_fast_is_followed_for_two_hours() {
    hours_apart(-200);
}

#[test]
fn a_stall_costs_what_it_swallowed_and_moves_nothing() {
    let report = World { stall: 10_000 * MS..10_100 * MS, ..World::default() }.run();
    assert!((1..=10).contains(&report.concealed), "{}", report.concealed);
    assert_eq!((report.lengthened, report.shortened, report.skips), (0, 0, 0));
    assert!(report.delays.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", report.delays);
}

#[test]
fn a_long_stall_counts_as_one_arrival() {
    let report = World { stall: 10_000 * MS..11_000 * MS, ..World::default() }.run();
    assert!((90..=102).contains(&report.concealed), "{}", report.concealed);
    assert!(report.delays.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", report.delays);
}

#[test]
fn a_cut_is_concealed_and_sound_returns_in_place() {
    let report = World { cut: 5_000 * MS..10_000 * MS, ..World::default() }.run();
    assert!((495..=501).contains(&report.concealed), "{}", report.concealed);
    assert!(report.delays.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", report.delays);
}

#[test]
fn a_mute_is_not_concealed() {
    let report = World { mute: 5_000 * MS..10_000 * MS, loss_percent: 0, ..World::default() }.run();
    assert_eq!(report.concealed, 0);
    assert!(report.delays.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", report.delays);
    let lossy = World { mute: 5_000 * MS..10_000 * MS, loss_percent: 10, ..World::default() }.run();
    assert!(lossy.concealed <= 40, "{}", lossy.concealed);
}

#[test]
fn lasting_delay_is_followed_at_once_and_given_back() {
    let report = World { seconds: 40, detour: (10_000_000, 100 * MS), ..World::default() }.run();
    // Packets are late until they are 5 % of ten seconds; then the buffer grows by what is made up.
    assert!(report.concealed <= 75, "{}", report.concealed);
    assert!(report.bad_seconds.iter().all(|second| (9..=11).contains(second)), "{:?}", report.bad_seconds);
    // When the old path is forgotten the delay above the new one is what it was, within what is left alone.
    assert!(*report.delays.last().expect("some") < 60 * MS, "{:?}", report.delays);
}

#[test]
fn much_too_long_a_delay_is_skipped_once() {
    let report = World { seconds: 30, detour: (0, 600 * MS), cut: 0..5_000 * MS, ..World::default() }.run();
    assert_eq!(report.concealed, 0);
    let mut short = World { seconds: 30, ..World::default() }.packets();
    // The first five seconds take half a second longer.
    for (arrives, _) in short.iter_mut().take(500) {
        *arrives += 500 * MS;
    }
    let epoch = crate::clock::now();
    let (mut buffer, mut report, mut ahead) = (Audio::new(epoch), Report::default(), 0);
    let mut packets = short.into_iter().peekable();
    for tick in 0..3000 {
        let now = tick * FRAME_US + 4321;
        while let Some((arrives, packet)) = packets.next_if(|(arrives, _)| *arrives <= now) {
            buffer.on_packet(epoch + Duration::from_micros(u64::try_from(arrives).expect("positive")), &packet);
        }
        let due = epoch + Duration::from_micros(u64::try_from(now).expect("positive"));
        report.pull(&mut buffer, &mut ahead, due, now, &World::default());
    }
    assert!(report.skips <= 1, "{}", report.skips);
    assert!(*report.latencies.last().expect("frames") < 100, "{:?}", report.latencies.last());
}

#[test]
fn restarted_sender_is_heard_again() {
    let epoch = crate::clock::now();
    let mut buffer = Audio::new(epoch);
    let old = World { seconds: 5, ..World::default() }.packets();
    let new = World { seconds: 5, sequence: 9, timestamp: 77, ..World::default() }.packets();
    let shifted = new.into_iter().map(|(arrives, packet)| (arrives + 5_500_000, packet));
    let mut packets = old.into_iter().chain(shifted).peekable();
    let (mut report, mut ahead, mut restarts) = (Report::default(), 0, 0);
    for tick in 0..1050 {
        let now = tick * FRAME_US + 4321;
        while let Some((arrives, packet)) = packets.next_if(|(arrives, _)| *arrives <= now) {
            let at = epoch + Duration::from_micros(u64::try_from(arrives).expect("positive"));
            if buffer.on_packet(at, &packet) == Heard::Restart {
                restarts += 1;
                report.last = None;
                report.frames = 0;
            }
        }
        let due = epoch + Duration::from_micros(u64::try_from(now).expect("positive"));
        report.pull(&mut buffer, &mut ahead, due, now, &World::default());
    }
    assert_eq!(restarts, 1);
    assert!(report.frames > 450, "{}", report.frames);
}

#[test]
fn a_stray_packet_of_another_time_changes_nothing() {
    let epoch = crate::clock::now();
    let mut buffer = Audio::new(epoch);
    for (n, (arrives, packet)) in (World { seconds: 2, ..World::default() }).packets().into_iter().enumerate() {
        let at = epoch + Duration::from_micros(u64::try_from(arrives).expect("positive"));
        assert_eq!(buffer.on_packet(at, &packet), Heard::New);
        if n % 10 == 0 {
            let stray = Packet::new(7, 99, Level::SILENCE, 480, Some(Bytes::from_static(b"x")), &[]).expect("fits");
            assert_eq!(buffer.on_packet(at, &stray), Heard::Strange);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// In any weather every frame is played at most once, in order, and whatever is not played is counted.
    #[test]
    fn frames_are_played_in_order_in_any_weather(
        seed: u32, timestamp: u32, sequence: u16, loss_percent in 0u32..40, jitter_ms in 0i64..80, drift_ppm in -200i64..200,
        stall_ms in 0i64..1500, mute_ms in 0i64..2000, copies in 0usize..=2,
    ) {
        let world = World {
            seed, timestamp, sequence, loss_percent, copies, drift_ppm, jitter_us: jitter_ms * MS,
            stall: 3_000 * MS..(3_000 + stall_ms) * MS, mute: 6_000 * MS..(6_000 + mute_ms) * MS, seconds: 10,
            ..World::default()
        };
        let report = world.run();
        prop_assert!(report.frames + report.concealed <= 1100);
        // Until the jitter is believed, 35 of its up to 80 ms are waited for, and what stood in a stall comes too late.
        let stalled = world.packets().iter().filter(|(arrives, _)| *arrives == world.stall.end).count();
        let arrived = world.packets().iter().filter(|(_, packet)| packet.frame.is_some()).count();
        prop_assert!(report.frames as usize * 3 >= arrived - stalled, "{} of {arrived}, {stalled} stalled", report.frames);
    }

    /// Any packets at any time: no panic, nothing grows, playout goes on.
    #[test]
    fn hostile_packets_are_bounded(
        packets in proptest::collection::vec(
            (0u64..40_000, any::<u16>(), any::<u32>(), 1u16..=24, proptest::option::of(1usize..30),
             proptest::collection::btree_set(1u8..=32, 0..=8)), 0..400),
    ) {
        let epoch = crate::clock::now();
        let mut buffer = Audio::new(epoch);
        let (mut at, mut ahead) = (0u64, 0u32);
        for (wait, sequence, timestamp, units, frame, copies) in packets {
            at += wait;
            let frame = frame.map(|n| Bytes::from(vec![1; n]));
            let copies: Vec<(u8, Bytes)> = copies.into_iter().map(|back| (back, Bytes::from_static(b"c"))).collect();
            let timestamp = if timestamp % 3 == 0 { timestamp } else { timestamp % 200_000 };
            let packet = Packet::with_copies(sequence, timestamp, Level::SILENCE, units * 120, frame, &copies).expect("fits");
            buffer.on_packet(epoch + Duration::from_micros(at), &packet);
            let due = epoch + Duration::from_micros(at);
            buffer.adjust(due, ahead);
            let mut steps = 0;
            while ahead < 480 {
                let (Step::Idle(n) | Step::Pause(n) | Step::Frame { duration: n, .. } | Step::Conceal { duration: n, .. }) = buffer.pull();
                ahead += u32::from(n);
                steps += 1;
            }
            prop_assert!(steps <= 4);
            ahead -= 480;
            prop_assert!(buffer.buffered() <= 48_000 * 8);
        }
    }
}
