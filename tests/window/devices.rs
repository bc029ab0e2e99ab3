//! A window with a real camera, microphone and speaker, as far as a machine without any can show it: the program's own way to
//! them (V4L2, PulseAudio), with the lab's equipment at its far end.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use lets_meet::av::capture::testcard;
use lets_meet::clock::now;
use serde_json::Value;

use crate::desk::{Desk, Entry, Window};
use crate::equipment::{Camera, Equipment, Layout, SoundServer};
use crate::journey::png;
use crate::shots::peer_into;

/// What is said into the microphone, in hertz.
pub const TONE: f64 = 620.0;
const RATE: u32 = 48_000;
/// How soon a window says that a camera was pulled out.
const SOON: Duration = Duration::from_secs(3);

/// What stands in the place of one's own picture in the lobby.
const CAMERA_OFF: &str = "Your camera is off";
/// Half a minute of one tone, as a WAV file.
pub fn tone(path: &Path) {
    let samples: Vec<i16> =
        (0..RATE * 30).map(|n| ((f64::from(n) * TAU * TONE / f64::from(RATE)).sin() * 9_000.0) as i16).collect();
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let length = u32::try_from(data.len()).expect("short");
    let mut file = Vec::from(*b"RIFF");
    file.extend((36 + length).to_le_bytes());
    file.extend(*b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    // Whole numbers, one channel.
    file.extend([1, 0, 1, 0]);
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * 2).to_le_bytes());
    file.extend([2, 0, 16, 0]);
    file.extend(*b"data");
    file.extend(length.to_le_bytes());
    file.extend(data);
    std::fs::write(path, file).expect("written");
}

/// How much of the last second of a recording that is being written is the tone, 0 to 1; `None` while it is silent or short.
fn share_of_tone(recording: &Path) -> Option<f64> {
    let bytes = std::fs::read(recording).ok()?;
    let samples: Vec<f64> =
        bytes.get(44..)?.chunks_exact(2).map(|b| f64::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect();
    let last = &samples[samples.len().checked_sub(RATE as usize)?..];
    let power: f64 = last.iter().map(|sample| sample * sample).sum();
    if power < 1.0 {
        return None;
    }
    // In pieces: what is stretched a little keeps its pitch and loses its phase.
    let tone: f64 = last
        .chunks_exact(2_400)
        .map(|piece| {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, sample) in (0_u32..).zip(piece) {
                let turn = f64::from(n) * TAU * TONE / f64::from(RATE);
                (re, im) = (re + sample * turn.cos(), im + sample * turn.sin());
            }
            (re * re + im * im) * 2.0 / 2_400.0
        })
        .sum();
    Some(tone / power)
}

/// The stamp of the camera's picture in a tile that shows it as a mirror does.
fn stamp(window: &Window<'_>, tile: &Entry) -> Option<u32> {
    let pixels = window.pixels(tile);
    let luma = |at: usize| {
        let (x, y) = (pixels.width - 1 - at % pixels.width, at / pixels.width);
        u8::try_from(pixels.luma(x, y)).unwrap_or(u8::MAX)
    };
    let all: Vec<u8> = (0..pixels.width * pixels.height).map(luma).collect();
    let (width, height) = (u16::try_from(pixels.width).ok()?, u16::try_from(pixels.height).ok()?);
    testcard::read(&all, width, height).map(|stamp| stamp.frame)
}

/// What a headless peer said, line by line.
struct Said(PathBuf);

impl Said {
    fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Something of these kinds that was said after the first `mark` lines.
    fn since(&self, mark: usize, fact: impl Fn(&Value) -> bool) -> bool {
        self.events().iter().skip(mark).any(fact)
    }
}

#[test]
fn a_camera_and_a_microphone_are_seen_and_heard_until_the_camera_is_pulled_out() {
    // Wide, so that one's own tile is as large as it gets.
    let desk = Desk::new(1900, 1020);
    let cameras = desk.folder().join("cameras");
    let sound = SoundServer::start(&desk.folder().join("sound.log"));
    let equipment = Equipment::none(&cameras).with_sound(&sound);
    let camera = Camera::plug_in(&cameras, 0, "Test Camera", Layout::Yuyv, (640, 360, 15));
    let variables: Vec<(&str, &str)> =
        equipment.variables().iter().map(|(name, value)| (*name, value.to_str().expect("plain"))).collect();
    let devices = ["--camera", "device", "--mic", "device", "--speaker", "device"];
    let ana = desk.program_with("ana", &devices, &variables);
    ana.resize(1880, 980);
    desk.until("a wide window", || ana.size().0 >= 1870);
    ana.settle();

    // She sees herself before the meeting, and the meeting gets the same camera.
    ana.wait_words(CAMERA_OFF);
    ana.click("camera");
    desk.until("her own picture in the lobby", || ana.words(CAMERA_OFF).is_none() && ana.find("see").is_none());
    ana.write("room", "devices");
    ana.click("start");
    ana.wait("leave");
    let (recording, said) = (desk.folder().join("heard.wav"), Said(desk.folder().join("bo.events")));
    let into = Stdio::from(std::fs::File::create(&said.0).expect("a file"));
    let sink = format!("wav:{}", recording.display());
    let _bo = peer_into(&desk, "bo", "devices", &["--speaker", &sink], into);
    let tile = ana.wait("own-tile");
    let mut first = None;
    desk.until("the camera's picture in ana's own tile", || {
        first = stamp(&ana, &tile);
        first.is_some()
    });
    desk.until("another picture of it", || stamp(&ana, &tile).is_some_and(|now| Some(now) != first));
    assert!(first.is_some_and(|number| (number as usize) < camera.pictures.len()), "{first:?}");

    // Bo gets the pictures, and hears what is said into the microphone.
    let speech = desk.folder().join("tone.wav");
    tone(&speech);
    let voice = sound.speak(&speech);
    let streams = |e: &Value| {
        let peers = e["peers"].as_object().filter(|_| e["event"] == "stats");
        let flows =
            |peer: &Value| peer["video"]["fps"].as_f64() > Some(1.0) && peer["audio"]["played_ms"].as_u64() > Some(500);
        peers.is_some_and(|peers| peers.values().any(flows))
    };
    desk.until("pictures and sound in bo's figures", || said.since(0, streams));
    desk.until("the tone in what bo hears", || share_of_tone(&recording).is_some_and(|share| share > 0.5));
    drop(voice);

    // The camera is pulled out: the window says it, and bo sees the track end.
    let gone = "Test Camera is gone";
    assert!(ana.words(gone).is_none(), "nothing is wrong yet: {:?}", ana.words(gone));
    let (mark, since) = (said.events().len(), now());
    camera.begin("unplugged");
    ana.wait_words(gone);
    let took = since.elapsed();
    println!("said after {took:?}");
    assert!(took <= SOON, "the window said it after {took:?}");
    let ended = |e: &Value| e["event"] == "track" && e["track"] == "camera" && e["on"] == false;
    desk.until("the end of the track at bo", || said.since(mark, ended));
    ana.shot(&png("unplugged"));

    // It is plugged in again: it is still wanted, so its pictures come back by themselves, and that is said.
    camera.end("unplugged");
    let mark = said.events().len();
    ana.wait_words("Test Camera is back");
    desk.until("pictures at bo again", || said.since(mark, streams));
    ana.click("leave");
    ana.wait("start");
}
