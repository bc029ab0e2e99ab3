//! The doctor tries sound and camera: what is measured is what was played, what is chosen is what is used, and each fault is
//! a sentence with what to do. It ends by itself whatever the devices do.

use std::f64::consts::TAU;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};

use crate::equipment::{Camera, Equipment, Layout, SoundServer};
use crate::host::Lab;
use crate::lab;
use crate::program::{self, figure};

/// What is played into the microphone: hertz, and its peak in decibels of full scale.
const HERTZ: f64 = 440.0;
const PEAK_DB: f64 = -12.04;
/// Below the peak, for a sine.
const MEAN_DB: f64 = PEAK_DB - 3.01;
/// How far off a level may be.
const OFF_DB: f64 = 3.0;
const RATE: u32 = 48_000;
/// The notes of the test sound, hertz.
const NOTES: [f64; 2] = [660.0, 880.0];
/// All that the doctor does, with devices that do not answer, takes less.
const BOUND: Duration = Duration::from_secs(60);

/// Two minutes of the tone, longer than the doctor may take: 48 kHz, 16 bit, mono.
fn tone(path: &Path) {
    let peak = 10.0_f64.powf(PEAK_DB / 20.0) * 32_768.0;
    #[expect(clippy::cast_possible_truncation, reason = "a quarter of full scale")]
    let data: Vec<u8> = (0..RATE * 120)
        .flat_map(|n| (((f64::from(n) * TAU * HERTZ / f64::from(RATE)).sin() * peak) as i16).to_le_bytes())
        .collect();
    let length = u32::try_from(data.len()).expect("short");
    let mut file = Vec::from(*b"RIFF");
    file.extend((36 + length).to_le_bytes());
    file.extend(*b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend([1, 0, 1, 0]);
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * 2).to_le_bytes());
    file.extend([2, 0, 16, 0]);
    file.extend(*b"data");
    file.extend(length.to_le_bytes());
    file.extend(data);
    std::fs::write(path, file).expect("the lab's folder can be written");
}

/// How loud a tone of `hertz` is in each tenth of a second of a recording without a head, in decibels of full scale.
fn loud(recording: &Path, hertz: f64) -> Vec<f64> {
    let bytes = std::fs::read(recording).expect("the recording can be read");
    let samples: Vec<f64> =
        bytes.chunks_exact(2).map(|b| f64::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect();
    let part = |part: &[f64]| {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in (0_u32..).zip(part) {
            let turn = f64::from(n) * TAU * hertz / f64::from(RATE);
            (re, im) = (re + sample * turn.cos(), im + sample * turn.sin());
        }
        // The mean power of the tone.
        let share = (re * re + im * im) * 2.0 / 4_800.0_f64.powi(2);
        10.0 * share.max(1e-12).log10()
    };
    samples.chunks_exact(4_800).map(part).collect()
}

/// Runs the doctor with these words, and its lines with `--json`.
fn doctor(lab: &Lab, equipment: &Equipment, words: &[&str]) -> Output {
    let mut command = lab.command(1, program::program());
    command.arg("doctor").args(words).arg("--profile").arg(lab.folder().join("profile"));
    command.envs(equipment.variables().iter().map(|(name, value)| (name, value)));
    let since = lets_meet::clock::now();
    let out = command.output().expect("the program starts");
    let took = since.elapsed();
    figure(&format!("doctor {}", words.join(" ")), took.as_secs_f64(), "s", "60");
    assert!(took < BOUND, "it ended after {took:?}");
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(!stderr.contains("panicked"), "{stderr}");
    out
}

fn check<'a>(found: &'a [Value], name: &str) -> &'a Value {
    let mut all = found.iter().filter(|event| event["event"] == "check" && event["name"] == name);
    let check = all.next().unwrap_or_else(|| panic!("no check '{name}' in {found:?}"));
    assert!(all.next().is_none(), "one check '{name}': {found:?}");
    check
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// A fault is said in a sentence, with another that says what to do.
fn says(check: &Value, detail: &str, hint: &str) {
    let text = |field: &str| check[field].as_str().unwrap_or_default().to_owned();
    assert_eq!(check["ok"], false, "{check}");
    assert!(text("detail").contains(detail), "'{detail}' in {check}");
    assert!(text("hint").contains(hint) && text("hint").ends_with('.'), "'{hint}' in {check}");
}

#[test]
fn the_doctor_measures_what_is_said_plays_it_back_and_a_test_sound() {
    let lab = lab!(1);
    let cameras = lab.folder().join("cameras");
    let server = SoundServer::start(&lab.folder().join("sound.log"));
    let _camera = Camera::plug_in(&cameras, 0, "Desk Camera", Layout::Yuyv, (320, 180, 30));
    let equipment = Equipment::none(&cameras).with_sound(&server);
    let (said, recording) = (lab.folder().join("tone.wav"), lab.folder().join("played.raw"));
    tone(&said);
    let (voice, recorder) = (server.speak(&said), server.hear(&recording));
    let found = program::lines(&doctor(&lab, &equipment, &["--sound", "--camera", "--json"]));
    drop((voice, recorder));

    let sound = check(&found, "sound");
    assert_eq!((&sound["ok"], &sound["hint"]), (&json!(true), &Value::Null), "{sound}");
    let figures = &sound["figures"];
    assert_eq!((&figures["device"], &figures["played"]), (&json!("Test_Microphone"), &json!(true)), "{sound}");
    for (name, expect) in [("peak_db", PEAK_DB), ("level_db", MEAN_DB)] {
        let measured = number(&figures[name]);
        figure(&format!("doctor, {name} of a tone of {expect:.1} dB"), measured - expect, "dB", "3");
        assert!((measured - expect).abs() <= OFF_DB, "{name} is {measured} and was {expect:.1}: {sound}");
    }
    // The meter moved meanwhile, and showed the same.
    let levels: Vec<&Value> = found.iter().filter(|event| event["event"] == "level").collect();
    let left: Vec<u64> = levels.iter().filter_map(|level| level["left_ms"].as_u64()).collect();
    assert_eq!(left, (0..12).rev().map(|n| n * 250).collect::<Vec<_>>());
    let near = levels.iter().filter(|level| (number(&level["peak_db"]) - PEAK_DB).abs() <= OFF_DB).count();
    assert!(near >= 10, "{near} of 12 levels are near: {levels:?}");

    // It was played back as loud, then the notes.
    let speaker = check(&found, "speaker");
    assert!(speaker["ok"] == true && speaker["detail"].as_str().is_some_and(|it| it.contains("Test_Speaker")));
    let again = loud(&recording, HERTZ);
    let like = again.iter().filter(|db| (*db - MEAN_DB).abs() <= OFF_DB).count();
    assert!(like >= 20, "{like} tenths of a second hold what was said: {again:.0?}");
    let last = again.iter().rposition(|db| (*db - MEAN_DB).abs() <= OFF_DB).expect("just counted");
    for note in NOTES {
        let heard = loud(&recording, note).iter().rposition(|db| *db > -30.0);
        assert!(heard.is_some_and(|at| at > last), "the note of {note} Hz comes after it: {heard:?}, {last}");
    }

    let camera = check(&found, "camera");
    let figures = &camera["figures"];
    assert!(camera["ok"] == true, "{camera}");
    assert_eq!(
        (&figures["device"], &figures["width"], &figures["height"], &figures["fps"]),
        (&json!("Desk Camera"), &json!(320), &json!(180), &json!(30.0))
    );
    assert!((5.0..=40.0).contains(&number(&figures["pictures"])), "{camera}");
}

#[test]
fn the_doctor_tries_the_devices_that_were_chosen() {
    let lab = lab!(1);
    let cameras = lab.folder().join("cameras");
    let server = SoundServer::start(&lab.folder().join("sound.log"));
    let (_mic, _kitchen) = (server.plug_in_microphone("Headset"), server.plug_in_speaker("Kitchen"));
    let _desk = Camera::plug_in(&cameras, 0, "Desk Camera", Layout::Yuyv, (320, 180, 30));
    let _door = Camera::plug_in(&cameras, 2, "Door Camera", Layout::Yuyv, (160, 90, 15));
    let equipment = Equipment::none(&cameras).with_sound(&server);
    let (said, there, elsewhere) =
        (lab.folder().join("tone.wav"), lab.folder().join("there.raw"), lab.folder().join("elsewhere.raw"));
    tone(&said);
    let beside = (server.speak(&said), server.listen("Kitchen", &there), server.hear(&elsewhere));
    let words = ["--sound", "--microphone", "Headset", "--speaker", "device:Kitchen", "--camera", "/dev/video2"];
    // For a person who reads it elsewhere: plain lines.
    let out = doctor(&lab, &equipment, &words);
    drop(beside);
    let text = String::from_utf8_lossy(&out.stdout);
    let said = |words: &str| text.lines().filter(|line| line.contains(words)).count();
    for words in ["Recording 2 [", "Recording 1 [", "Recording 0 [", "     Playing", "Headset: it is well heard"] {
        assert_eq!(said(words), 1, "'{words}' in {text}");
    }
    assert!(said("test sound was played on Kitchen") == 1 && said("Door Camera: 160x90, 15 pictures") == 1, "{text}");
    assert!(!text.contains('\r'), "a line moves in a terminal only");
    let heard = |recording: &Path| loud(recording, HERTZ).iter().filter(|db| **db > -30.0).count();
    assert!(heard(&there) >= 20 && heard(&elsewhere) == 0, "{} and {}", heard(&there), heard(&elsewhere));

    // What is not there is said, and what has no effect is refused.
    let words = ["--sound", "--microphone", "Nowhere", "--speaker", "none", "--json"];
    let out = doctor(&lab, &equipment, &words);
    let found = program::lines(&out);
    says(check(&found, "sound"), "There is no microphone called 'Nowhere'.", "lets-meet devices");
    assert!(found.iter().all(|event| event["name"] != "speaker"), "none was wanted");
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(doctor(&lab, &equipment, &["--microphone", "Headset"]).status.code(), Some(2));
}

#[test]
fn silence_and_what_is_missing_or_frozen_are_said_with_what_to_do() {
    let lab = lab!(1);
    let cameras = lab.folder().join("cameras");
    let camera = Camera::plug_in(&cameras, 0, "Desk Camera", Layout::Yuyv, (320, 180, 30));
    camera.begin("frozen");
    let mut server = SoundServer::start(&lab.folder().join("sound.log"));
    let equipment = Equipment::none(&cameras).with_sound(&server);
    let out = doctor(&lab, &equipment, &["--sound", "--camera", "--json"]);
    let found = program::lines(&out);
    let sound = check(&found, "sound");
    says(sound, "nothing was heard", "Check that it is not muted");
    assert_eq!((number(&sound["figures"]["peak_db"]), number(&sound["figures"]["level_db"])), (-90.0, -90.0));
    assert_eq!(check(&found, "speaker")["ok"], true, "the speaker is another matter");
    let frozen = check(&found, "camera");
    says(frozen, "Desk Camera", "");
    assert_eq!(out.status.code(), Some(1));

    // No sound server at all.
    server.stop();
    camera.begin("unplugged");
    let out = doctor(&lab, &equipment, &["--sound", "--camera", "--json"]);
    let found = program::lines(&out);
    for (name, kind) in [("sound", "microphone"), ("speaker", "speaker"), ("camera", "camera")] {
        says(check(&found, name), &format!("No {kind} was found."), "Plug one in");
    }
    assert_eq!(out.status.code(), Some(1));
}
