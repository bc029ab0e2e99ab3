//! Real frames of Opus from [`Sender`] to [`Track`]: how well speech is understood over a lossy path and across pauses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Path, speech, stoi};
use crate::av::jitter::outage::Outage;
use crate::av::packet::audio::{Audio as Packet, Level};
use crate::av::playback::track::Track;
use crate::av::process::level::Meter;
use crate::av::publish::sender::{Sender, Wish};
use crate::clock;
use crate::frame::FRAME_SAMPLES;
use crate::media::{Arrival, Bitrate, ClockMap, PacketKind, TrackId};
use crate::slot::{Ring, Shared};
use crate::stats;

/// What becomes of speech.
struct Call {
    heard: Vec<f32>,
    figures: stats::Audio,
    /// Packets that were sent, and of them those that say a pause.
    packets: usize,
    pauses: usize,
}

/// Says `said` over `path`; `pausing`: silent frames as they are, else all of them as if they were loud.
fn call(said: &[f32], mut path: Path, pausing: bool) -> Call {
    let (epoch, inbox, figures) = (clock::now(), Ring::new(256), Arc::default());
    let map = Shared::new(ClockMap::Same);
    let mut track = Track::new(epoch, inbox.clone(), map, Arc::clone(&figures)).expect("a track");
    let mut sender = Sender::new(Bitrate::from_bps(48_000), 65_500, u32::MAX - 48_000, epoch).expect("a sender");
    let (mut meter, mut outage) = (Meter::default(), Outage::default());
    let mut waiting: BTreeMap<(i64, u64), Packet> = BTreeMap::new();
    let (mut packets, mut pauses, mut lost) = (0, 0, Vec::new());
    let mut heard = Vec::with_capacity(said.len());
    let at = |us: i64| epoch + Duration::from_micros(u64::try_from(us).expect("positive"));
    for (n, samples) in (0u64..).zip(said.as_chunks::<FRAME_SAMPLES>().0) {
        let start = i64::try_from(n).expect("small") * 10_000;
        let now = start + 4321;
        while let Some(first) = waiting.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((arrived, _), packet) = first.remove_entry();
            outage.on_packet(packet.sequence);
            let (kind, track, arrived_host) = (PacketKind::Audio, TrackId::MICROPHONE, 0);
            let (arrived, body) = (at(arrived), packet.encode());
            inbox.push(Arrival { kind, track, sequence: 0, sent: 0, arrived, arrived_host, body });
        }
        let mut out = [0.0; FRAME_SAMPLES];
        track.receive();
        track.pull(at(now), 0, &mut out);
        heard.extend_from_slice(&out);
        if n % 100 == 0 {
            let of_late: &[bool] = &lost[lost.len().saturating_sub(1000)..];
            let count = |n: usize| f64::from(u32::try_from(n).expect("small"));
            let share = count(of_late.iter().filter(|lost| **lost).count()) / count(of_late.len().max(1));
            sender.on_path(at(now), share, Duration::from_millis(10 * u64::from(outage.packets())));
        }
        let level = if pausing { meter.measure(samples) } else { Level::new(20, true) };
        let Some(packet) = sender.frame(n, level, samples, Wish::On).expect("encoded") else { continue };
        packets += 1;
        pauses += usize::from(packet.frame.is_none());
        let transit = path.transit();
        lost.push(transit.is_none());
        if let Some(transit) = transit {
            waiting.insert((start + 10_000 + transit, n), packet);
        }
    }
    let figures = figures.lock().expect("no panic").read();
    Call { heard, figures, packets, pauses }
}

fn understood(said: &[f32], call: &Call) -> f64 {
    stoi::understood(&stoi::resample(said), &stoi::resample(&call.heard))
}

#[test]
fn speech_is_understood_at_20_percent_loss() {
    let said = speech(20);
    let clean = understood(&said, &call(&said, Path::new(1, 0.0, 1), true));
    println!("clean: {clean:.3}");
    assert!(clean > 0.95, "{clean}");
    for (loss, burst, least) in [(0.05, 1, 0.93), (0.2, 1, 0.85), (0.05, 6, 0.9)] {
        for seed in 1..=2 {
            let call = call(&said, Path::new(seed, loss, burst), true);
            let score = understood(&said, &call);
            println!("{loss} in bursts of {burst}: {score:.3} {:?}", call.figures);
            assert!(score >= least, "{seed}: {score}");
        }
    }
}

#[test]
fn pauses_are_not_sent_and_cost_no_syllable() {
    let said = speech(20);
    let path = Path::new(3, 0.0, 1);
    let (with, without) = (call(&said, path, true), call(&said, path, false));
    let ratio = understood(&said, &with) / understood(&said, &without);
    println!("{ratio:.3} of what is understood without, {} of {} packets", with.packets, without.packets);
    assert!(ratio >= 0.98, "{ratio}");
    // In each pause of 700 ms about 300 are silence, said three times at once.
    assert!(without.packets - with.packets > 6 * 20, "{} {}", with.packets, without.packets);
    assert!((18..=30).contains(&with.pauses), "{}", with.pauses);
    assert_eq!(with.figures.concealed_ms, 0, "{:?}", with.figures);
}

#[test]
fn the_first_syllable_after_silence_is_whole() {
    // Silence, then a tone that begins at once, in the middle of a frame.
    let onset = 5 * 48_000 + 200;
    let said: Vec<f32> = (0..6 * 48_000u32)
        .map(|i| {
            let phase = f32::from(u16::try_from(i % 480).expect("small")) / 480.0 * 4.0 * std::f32::consts::TAU;
            if i < onset { 0.0 } else { 0.3 * phase.sin() }
        })
        .collect();
    let begins = |call: &Call| call.heard.iter().position(|s| s.abs() > 0.05).expect("heard");
    for seed in 1..=5 {
        let path = Path::new(seed, 0.0, 1);
        let (with, without) = (call(&said, path, true), call(&said, path, false));
        assert!(with.packets < 150, "{}", with.packets);
        let off = begins(&with).abs_diff(begins(&without));
        assert!(off <= 480, "{off} samples");
        assert_eq!(with.figures.concealed_ms, 0);
    }
}

#[test]
fn lost_packets_around_a_pause_are_no_loss() {
    let said = speech(20);
    for seed in 1..=3 {
        let call = call(&said, Path::new(seed, 0.1, 1), true);
        println!("{:?}", call.figures);
        // Ten in a thousand.
        assert!(call.figures.concealed_ms * 100 <= call.figures.played_ms, "{seed}: {:?}", call.figures);
    }
}
