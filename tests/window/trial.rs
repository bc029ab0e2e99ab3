//! Microphone and speaker tried in the lobby, through a sound server: recorded, played back, stopped, and out of the way of a
//! meeting.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};

use crate::desk::{Desk, Window};
use crate::devices::{TONE, tone};
use crate::equipment::{Equipment, SoundServer};
use crate::journey::png;

const RATE: usize = 48_000;

/// Tenths of a second of a recording without a head, from sample `from` on, that hold the tone.
fn tenths(recording: &Path, from: usize) -> usize {
    let bytes = std::fs::read(recording).unwrap_or_default();
    let samples: Vec<f64> =
        bytes.chunks_exact(2).skip(from).map(|b| f64::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect();
    let holds = |part: &&[f64]| {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in (0_u32..).zip(*part) {
            let turn = f64::from(n) * TAU * TONE / 48_000.0;
            (re, im) = (re + sample * turn.cos(), im + sample * turn.sin());
        }
        (re * re + im * im).sqrt() * 2.0 / 4_800.0 > 0.05
    };
    samples.chunks_exact(RATE / 10).filter(holds).count()
}

/// What a speaker played, as it is written.
struct Heard(PathBuf);

impl Heard {
    fn samples(&self) -> usize {
        std::fs::metadata(&self.0).map_or(0, |file| usize::try_from(file.len() / 2).expect("short"))
    }
}

fn records(server: &SoundServer) -> usize {
    server.used("sources", "source-outputs").iter().filter(|name| *name == "microphone").count()
}

fn plays(server: &SoundServer) -> usize {
    server.used("sinks", "sink-inputs").iter().filter(|name| *name == "speaker").count()
}

#[test]
fn a_microphone_is_tried_in_the_lobby_and_a_meeting_finds_it_free() {
    let desk = Desk::new(1900, 1020);
    let server = SoundServer::start(&desk.folder().join("sound.log"));
    let equipment = Equipment::none(&desk.folder().join("cameras")).with_sound(&server);
    let variables: Vec<(&str, &str)> =
        equipment.variables().iter().map(|(name, value)| (*name, value.to_str().expect("plain"))).collect();
    let ana: Window<'_> = desk.program_with("ana", &["--mic", "device", "--speaker", "device"], &variables);
    ana.resize(1880, 980);
    desk.until("a wide window", || ana.size().0 >= 1870);
    ana.settle();
    let speech = desk.folder().join("tone.wav");
    tone(&speech);
    let heard = Heard(desk.folder().join("heard.raw"));
    let (voice, _recorder) = (server.speak(&speech), server.hear(&heard.0));
    assert_eq!(records(&server), 0, "nobody listens before it is asked for");
    ana.click("devices");
    desk.until("the meter", || records(&server) == 1);

    // Recorded, counted down, played back, judged.
    ana.click("record-sound");
    ana.wait_words("Recording 2");
    ana.shot(&png("recording"));
    assert_eq!((records(&server), plays(&server)), (1, 0), "one owner of the microphone");
    ana.wait_words("Playing: this is how others hear you");
    ana.wait_words("Your microphone: it is well heard.");
    desk.until("the tone in what was played", || tenths(&heard.0, 0) >= 20);
    desk.until("the meter again, and no speaker", || (records(&server), plays(&server)) == (1, 0));
    drop(voice);

    // Stopped by a second press.
    let voice = server.speak(&speech);
    ana.click("record-sound");
    ana.wait_words("Recording 3");
    ana.click("record-sound");
    desk.until("no recording", || ana.words("Recording").is_none() && ana.words("Stop").is_none());

    // A meeting ends it: it is not played into the room, and the devices are the meeting's.
    ana.click("record-sound");
    ana.wait_words("Recording");
    ana.click("start");
    ana.wait("leave");
    desk.until("the meeting's microphone and speaker", || (records(&server), plays(&server)) == (1, 1));
    // As long as the rest of the recording and its playing would have taken.
    let from = heard.samples();
    desk.until("seven seconds more", || heard.samples() >= from + 7 * RATE);
    assert_eq!(tenths(&heard.0, from), 0, "nothing is played into the meeting");
    drop(voice);

    // Nothing stays open behind it.
    ana.click("leave");
    ana.wait("start");
    desk.until("all devices are free", || (records(&server), plays(&server)) == (0, 0));
    ana.click("devices");
    ana.click("test-sound");
    desk.until("the test sound", || plays(&server) == 1);
    desk.until("the end of it", || plays(&server) == 0);
    ana.click("devices");
    desk.until("the microphone is free", || records(&server) == 0);
}
