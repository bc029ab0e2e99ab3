//! Voices on their whole way: from one machine's sound server through its microphone, the network and the other machine's
//! speaker into its sound server.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::clip::{other, pystoi, source, speech};
use crate::equipment::{Equipment, SoundServer};
use crate::lab;
use crate::measure::{mean_and_percentile, samples};
use crate::program::{PATIENCE, Peer, figure};

/// A tone of 1 kHz for 30 ms between silence, to tell two recordings' time by.
fn write_mark(path: &Path) {
    let format = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, format).expect("the lab's folder can be written");
    for n in 0..24_000u16 {
        let sounds = (9_600..11_040).contains(&n);
        let value = if sounds { 0.5 * (f32::from(n) * std::f32::consts::TAU / 48.0).sin() } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, reason = "half of full scale")]
        file.write_sample((value * 32_767.0) as i16).expect("the lab's folder can be written");
    }
    file.finalize().expect("the lab's folder can be written");
}

/// What `tests/lab/speech.py` says of two recordings.
fn understood(said: &Path, heard: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/speech.py");
    // That of the system: numpy and scipy are its packages.
    let mut python = Command::new("/usr/bin/python3");
    python.arg(script).arg(said).arg(heard).env("PYTHONPATH", pystoi());
    let out = python.output().expect("/usr/bin/python3 runs: install what scripts/packages.txt lists");
    assert!(out.status.success(), "speech.py: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("JSON")
}

#[test]
fn speech_is_understood_at_the_other_side_and_in_time() {
    let lab = lab!(2);
    // One server has the microphone of one and the speaker of the other, so that both recordings have one clock. Sound
    // passes its buffers twice, as it would those of two.
    let server = SoundServer::start(&lab.folder().join("sound.log"));
    let equipment = Equipment::none(&lab.folder().join("cameras")).with_sound(&server);
    let (said, heard, mark) =
        (lab.folder().join("said.raw"), lab.folder().join("heard.raw"), lab.folder().join("mark.wav"));
    write_mark(&mark);
    let recorders = (server.listen("mouth", &said), server.listen("speaker", &heard));
    for file in [&said, &heard] {
        let deadline = lets_meet::clock::now() + PATIENCE;
        while std::fs::metadata(file).is_ok_and(|file| file.len() == 0) {
            assert!(lets_meet::clock::now() < deadline, "{} is recorded", file.display());
            std::thread::yield_now();
        }
    }
    server.mark(&mark);
    let ann = Peer::equipped(&lab, 1, "ann", "call", &["--mic", "device", "--voice", "gain=off"], &equipment);
    let bo = Peer::equipped(&lab, 2, "bo", "call", &["--speaker", "device"], &equipment);
    bo.wait_joined(&ann, PATIENCE);
    bo.wait("sound", PATIENCE, |e| {
        e["event"] == "stats" && e["peers"][&ann.id]["audio"]["played_ms"].as_u64() > Some(1500)
    });
    let voice = server.speak(&speech());
    bo.watch(20);
    drop((voice, recorders));
    let found = understood(&said, &heard);
    println!("{found}");
    let number = |value: &Value| value.as_f64().expect("a number");
    figure("speech understood from microphone to speaker (STOI)", 100.0 * number(&found["stoi"]), "%", "75");
    figure("mouth to ear with both sound servers, p95", number(&found["lag_ms"]["p95"]), "ms", "150");
    figure("loudness of speech at the other side, gain off", number(&found["level_db"]), "dB", "0");
    assert!(found["stretches"].as_u64() >= Some(8), "{found}");
    assert!(number(&found["stoi"]) >= 0.75, "{found}");
    assert!(number(&found["level_db"]).abs() <= 3.0, "{found}");
    // Three times the goal, for a machine that is busy.
    assert!(number(&found["lag_ms"]["p95"]) <= 450.0, "{found}");
}

/// Bytes of a recording so far.
fn length(path: &Path) -> usize {
    std::fs::metadata(path).map_or(0, |file| usize::try_from(file.len()).unwrap_or(0))
}

/// Decibels of a recording between two lengths of its file: of all of it, and the median of its quarter seconds.
fn levels(samples: &[f32], from: usize, to: usize) -> (f64, f64) {
    let part = samples.get(from / 2..(to / 2).min(samples.len())).unwrap_or_default();
    assert!(part.len() > 96_000, "{from} {to} {}", samples.len());
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let level = |part: &[f32]| {
        let mean = part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / part.len() as f64;
        10.0 * mean.max(1e-12).log10()
    };
    let quarters: Vec<f64> = part.as_chunks::<12_000>().0.iter().map(|quarter| level(quarter)).collect();
    (level(part), mean_and_percentile(&quarters, 50).1)
}

#[test]
fn nobody_hears_themselves_from_the_speaker_of_the_other() {
    let lab = lab!(2);
    let room = SoundServer::start(&lab.folder().join("room.log"));
    room.echo(60);
    let equipment = Equipment::none(&lab.folder().join("cameras")).with_sound(&room);
    let dump = lab.folder().join("heard");
    let with = ["--mic", "device", "--speaker", "device", "--voice", "off"];
    let mut ann = Peer::equipped(&lab, 1, "ann", "call", &with, &equipment);
    let (speech, folder) = (source(&speech()), dump.display().to_string());
    let mut bo = Peer::join(&lab, 2, "bo", "call", &["--mic", &speech, "--dump-audio", &folder]);
    bo.wait_joined(&ann, PATIENCE);
    bo.wait("sound", PATIENCE, |e| {
        e["event"] == "stats" && e["peers"][&ann.id]["audio"]["played_ms"].as_u64() > Some(500)
    });
    let heard = dump.join(format!("{}.wav", ann.id));
    bo.watch(2);
    let start = length(&heard);
    bo.watch(6);
    let end = length(&heard);
    ann.must(json!({"do": "voice", "echo": true, "noise": "off", "gain": false}));
    let state = ann.must(json!({"do": "state"}));
    assert_eq!(state["settings"]["voice"], json!({"echo": true, "noise": "off", "gain": false}));
    bo.watch(5);
    let start_again = length(&heard);
    bo.watch(8);
    let end_again = length(&heard);
    // Who sits there is heard all the same, also while the other speaks.
    let voice = room.speak(&other());
    bo.watch(2);
    let start_near = length(&heard);
    bo.watch(7);
    let end_near = length(&heard);
    drop(voice);
    for peer in [&mut ann, &mut bo] {
        assert_eq!(peer.stop().0, Some(0));
    }
    let heard = samples(&heard);
    let (before, typical_before) = levels(&heard, start, end);
    let (after, typical_after) = levels(&heard, start_again, end_again);
    let (near, _) = levels(&heard, start_near, end_near);
    println!("one's own voice comes back at {before:.1} dB, with echo cancellation at {after:.1} dB");
    println!("in a typical quarter second {typical_before:.1} dB and {typical_after:.1} dB");
    println!("who sits there is heard at {near:.1} dB over it");
    figure("one's own voice from the other's speaker falls by", before - after, "dB", "20");
    assert!(before > -45.0, "there is an echo without it: {before:.1} dB");
    assert!(near > before - 15.0, "{near:.1} dB: the microphone still hears");
    // Where a thread is held up the sound moves, and the echo is heard until it is found again: on a busy machine that may
    // happen now and then.
    let typical = typical_before - typical_after;
    assert!(typical >= 20.0 && before - after >= 7.0, "{typical:.1} dB, {before:.1} dB, then {after:.1} dB");
}
