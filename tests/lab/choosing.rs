//! Devices that a person chooses in a call: how soon what the new one gives is at the other side, two of one name, devices
//! of one channel at another rate, and one that somebody else has for himself alone.

use std::f64::consts::TAU;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use lets_meet::av::capture::testcard;
use lets_meet::clock::now;
use serde_json::{Value, json};

use crate::clip::speech;
use crate::devices::{alike, list, raw_samples};
use crate::equipment::{Camera, Equipment, Layout, SoundServer};
use crate::lab;
use crate::measure::{compare_speech, samples};
use crate::program::{PATIENCE, Peer, bound, figure};

/// How soon the new device's media are to be at the other side.
const GOAL: Duration = Duration::from_secs(2);

/// How soon it is to be said that a speaker takes nothing any more.
const BLOCKED: Duration = Duration::from_secs(3);

/// Waits until `fact` holds, and writes down how long that took since `since`.
fn until(what: &str, since: std::time::Instant, story: &dyn Fn() -> String, mut fact: impl FnMut() -> bool) {
    while !fact() {
        assert!(since.elapsed() < bound(GOAL), "{what}\n{}", story());
        // A file that another program writes can only be looked at again.
        std::thread::sleep(Duration::from_millis(10));
    }
    figure(what, since.elapsed().as_secs_f64() * 1e3, "ms", "2000");
}

/// A minute of one tone.
fn write_tone(path: &Path, hertz: f64) {
    let (channels, sample_rate, bits_per_sample) = (1, 48_000, 16);
    let sample_format = hound::SampleFormat::Int;
    let format = hound::WavSpec { channels, sample_rate, bits_per_sample, sample_format };
    let mut file = hound::WavWriter::create(path, format).expect("the lab's folder can be written");
    for n in 0..60 * sample_rate {
        #[expect(clippy::cast_possible_truncation, reason = "a third of full scale")]
        let sample = ((f64::from(n) * TAU * hertz / f64::from(sample_rate)).sin() * 10_000.0) as i16;
        file.write_sample(sample).expect("the lab's folder can be written");
    }
    file.finalize().expect("the lab's folder can be written");
}

/// How much of the last 50 ms of a recording without a head is a tone of `hertz`, 0 to 1; 0 while it is silent.
fn share_of(recording: &Path, hertz: f64) -> f64 {
    const LAST: usize = 2400;
    let all = raw_samples(recording);
    let Some(last) = all.len().checked_sub(LAST).map(|from| &all[from..]) else { return 0.0 };
    let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
    for (n, sample) in (0_u32..).zip(last) {
        let (turn, sample) = (f64::from(n) * TAU * hertz / 48_000.0, f64::from(*sample));
        (re, im, power) = (re + sample * turn.cos(), im + sample * turn.sin(), power + sample * sample);
    }
    if power < 0.05 { 0.0 } else { (re * re + im * im) * 2.0 / 2400.0 / power }
}

/// The number of the last whole picture of a recording that is being written.
fn last_picture(path: &Path, (width, height): (u16, u16)) -> Option<u32> {
    let mut file = std::fs::File::open(path).ok()?;
    let mut head = [0; 128];
    let read = file.read(&mut head).ok()?;
    let head = head[..read].iter().position(|byte| *byte == b'\n')? as u64 + 1;
    let luma = usize::from(width) * usize::from(height);
    let each = (luma * 3 / 2 + b"FRAME\n".len()) as u64;
    let whole = file.metadata().ok()?.len().checked_sub(head)? / each;
    let mut picture = vec![0; luma];
    file.seek(SeekFrom::Start(head + whole.checked_sub(1)? * each + b"FRAME\n".len() as u64)).ok()?;
    file.read_exact(&mut picture).ok()?;
    testcard::read(&picture, width, height).map(|stamp| stamp.frame)
}

#[test]
fn another_camera_is_seen_at_the_other_side_within_two_seconds() {
    let lab = lab!(2);
    let (cameras, dump) = (lab.folder().join("cameras"), lab.folder().join("dump"));
    let size = (320, 180, 30);
    let _desk = Camera::plug_in(&cameras, 0, "Desk Camera", Layout::Yuyv, size);
    let _door = Camera::plug_in_from(&cameras, 2, "Door Camera", Layout::Yuyv, size, 1000);
    let words = ["--camera", "device:Desk Camera"];
    let mut ann = Peer::equipped(&lab, 1, "ann", "call", &words, &Equipment::none(&cameras));
    let bo = Peer::join(&lab, 2, "bo", "call", &["--dump-video", &dump.display().to_string()]);
    bo.wait_joined(&ann, PATIENCE);
    let (shown, story) = (dump.join(format!("{}.y4m", ann.id)), || bo.story());
    let shows = |door: bool| last_picture(&shown, (320, 180)).is_some_and(|number| (number >= 1000) == door);
    bo.wait("pictures", PATIENCE, |e| {
        e["event"] == "stats" && e["peers"][&ann.id]["video"]["fps"].as_f64() > Some(1.0)
    });
    assert!(shows(false), "the first camera is seen");
    for (name, door) in [("Door Camera", true), ("Desk Camera", false), ("Door Camera", true)] {
        let since = now();
        ann.must(json!({"do": "camera", "on": true, "source": format!("device:{name}")}));
        until("another camera, until it is seen at the other side", since, &story, || shows(door));
    }
}

#[test]
fn another_microphone_or_speaker_is_heard_within_two_seconds() {
    let lab = lab!(2);
    let server = SoundServer::start(&lab.folder().join("sound.log"));
    let (mut said, mut pieces) = (Vec::new(), Vec::new());
    for (name, mouth, hertz) in [("Low_Tone", "low_mouth", 440.0), ("High_Tone", "high_mouth", 1250.0)] {
        server.plug_in_small_speaker(mouth, 48_000);
        server.plug_in_small_microphone(name, mouth, 48_000);
        // As hardware does, it gives its sound in small pieces, whoever listens: otherwise the server holds two seconds.
        pieces.push(server.listen(mouth, &lab.folder().join(format!("{mouth}.raw"))));
        let tone = lab.folder().join(format!("{mouth}.wav"));
        write_tone(&tone, hertz);
        said.push(server.speak_into(mouth, &tone));
    }
    let _ear = server.plug_in_speaker("Headset_Ear");
    let equipment = Equipment::none(&lab.folder().join("cameras")).with_sound(&server);
    let words = ["--mic", "device:Low_Tone", "--speaker", "none", "--voice", "off"];
    let mut ann = Peer::equipped(&lab, 1, "ann", "call", &words, &equipment);
    let mut bo = Peer::equipped(&lab, 2, "bo", "call", &["--speaker", "device:Test_Speaker"], &equipment);
    bo.wait_joined(&ann, PATIENCE);
    let (heard, moved) = (lab.folder().join("heard.raw"), lab.folder().join("moved.raw"));
    let _recorders = (server.hear(&heard), server.listen("Headset_Ear", &moved));
    let deadline = now() + PATIENCE;
    while share_of(&heard, 440.0) < 0.8 {
        assert!(now() < deadline, "the first tone is heard\n{}", bo.story());
        std::thread::sleep(Duration::from_millis(10));
    }
    for (name, hertz) in [("High_Tone", 1250.0), ("Low_Tone", 440.0), ("High_Tone", 1250.0)] {
        let since = now();
        ann.must(json!({"do": "mic", "on": true, "source": format!("device:{name}")}));
        until("another microphone, until it is heard at the other side", since, &|| ann.story(), || {
            share_of(&heard, hertz) > 0.8
        });
    }
    let since = now();
    bo.must(json!({"do": "speaker", "on": true, "source": "device:Headset_Ear"}));
    until("another speaker, until it plays", since, &|| bo.story(), || share_of(&moved, 1250.0) > 0.8);
    let used = server.used("sinks", "sink-inputs");
    assert!(used.contains(&"Headset_Ear".to_owned()) && !used.contains(&"speaker".to_owned()), "{used:?}");
}

#[test]
fn the_second_of_two_cameras_of_one_name_can_be_chosen() {
    let lab = lab!(2);
    let cameras = lab.folder().join("cameras");
    let _first = Camera::plug_in(&cameras, 0, "Desk", Layout::Yuyv, (64, 36, 30));
    let second = Camera::plug_in(&cameras, 2, "Desk", Layout::Yuyv, (320, 180, 30));
    let equipment = Equipment::none(&cameras);
    let devices = list(&lab, &equipment);
    let ids: Vec<&str> = devices.iter().filter(|d| d["kind"] == "camera").filter_map(|d| d["id"].as_str()).collect();
    assert_eq!(ids.len(), 2, "{devices:?}");
    let of = |id: &str| format!("device:{id}");
    let mut ann = Peer::equipped(&lab, 1, "ann", "call", &["--camera", &of(ids[1])], &equipment);
    let bo = Peer::join(&lab, 2, "bo", "call", &[]);
    let wide = |mark: usize, width: u16| {
        bo.wait_from(mark, "the camera's size", PATIENCE, |e| {
            e["event"] == "track" && e["track"] == "camera" && e["on"] == true && e["width"] == width
        })
    };
    wide(0, 320);
    let mark = bo.mark();
    ann.must(json!({"do": "camera", "on": true, "source": of(ids[0])}));
    wide(mark, 64);
    let mark = bo.mark();
    ann.must(json!({"do": "camera", "on": true, "source": of(ids[1])}));
    wide(mark, 320);
    // The other one of its name shows another room.
    let (ours, theirs) = (ann.mark(), bo.mark());
    second.begin("unplugged");
    ann.wait_from(ours, "gone", bound(GOAL), |e| e["event"] == "warning" && e["code"] == "source-failed");
    ann.watch(4);
    let shown = |e: &Value| e["event"] == "track" && e["track"] == "camera" && e["on"] == true;
    assert!(bo.said()[theirs..].iter().all(|line| !shown(&line.value)), "{}", bo.story());
    let mark = bo.mark();
    second.end("unplugged");
    wide(mark, 320);
}

#[test]
fn speech_keeps_its_pitch_and_level_through_devices_of_one_channel_at_44_100() {
    let lab = lab!(2);
    let server = SoundServer::start(&lab.folder().join("sound.log"));
    let _mouth = server.plug_in_small_speaker("small_mouth", 44_100);
    let _devices = (
        server.plug_in_small_microphone("Small_Microphone", "small_mouth", 44_100),
        server.plug_in_small_speaker("Small_Speaker", 44_100),
    );
    let equipment = Equipment::none(&lab.folder().join("cameras")).with_sound(&server);
    let words = ["--mic", "device:Small_Microphone", "--speaker", "none", "--voice", "off"];
    let ann = Peer::equipped(&lab, 1, "ann", "call", &words, &equipment);
    let bo = Peer::equipped(&lab, 2, "bo", "call", &["--speaker", "device:Small_Speaker"], &equipment);
    bo.wait_joined(&ann, PATIENCE);
    let recording = lab.folder().join("heard.raw");
    let recorder = server.listen("Small_Speaker", &recording);
    bo.wait("sound", PATIENCE, |e| {
        e["event"] == "stats" && e["peers"][&ann.id]["audio"]["played_ms"].as_u64() > Some(500)
    });
    let voice = server.speak_into("small_mouth", &speech());
    bo.watch(9);
    drop((voice, recorder));
    let (source, heard) = (samples(&speech()), raw_samples(&recording));
    let found = compare_speech(&source, &heard);
    let first = heard.iter().position(|s| s.abs() > 0.003).expect("sound was heard");
    let (windows, same) = alike(&source, &heard[first..], found.offset);
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let share = same as f64 * 100.0 / windows.max(1) as f64;
    // Another pitch is like nothing that was said: the places are compared sample by sample.
    figure("speech through mono devices at 44.1 kHz, quarter seconds alike", share, "%", "95");
    figure("speech through mono devices at 44.1 kHz, level", found.level_db, "dB", "0");
    assert!(windows >= 12, "speech was heard for {windows} quarter seconds");
    assert!(share >= 50.0, "{same} of {windows} quarter seconds are what was said");
    assert!(found.level_db.abs() < 3.0, "as loud as it was said: {:.1} dB", found.level_db);
}

#[test]
fn a_speaker_that_takes_nothing_is_said_and_replaced() {
    let lab = lab!(2);
    let server = SoundServer::start(&lab.folder().join("sound.log"));
    let _ear = server.plug_in_speaker("Headset_Ear");
    let equipment = Equipment::none(&lab.folder().join("cameras")).with_sound(&server);
    let mut ann = Peer::equipped(&lab, 1, "ann", "call", &["--speaker", "device:Headset_Ear"], &equipment);
    let bo = Peer::join(&lab, 2, "bo", "call", &["--mic", "tone"]);
    ann.wait_joined(&bo, PATIENCE);
    for _ in 0..2 {
        let (mark, since) = (ann.mark(), now());
        server.block_speaker("Headset_Ear");
        let said = ann.wait_from(mark, "blocked", bound(BLOCKED), |e| {
            e["event"] == "warning"
                && e["message"].as_str().is_some_and(|words| words.starts_with("Headset_Ear does not work"))
        });
        figure("speaker that takes nothing, until it is said", since.elapsed().as_secs_f64() * 1e3, "ms", "3000");
        let words = said.value["message"].as_str().unwrap_or_default();
        assert!(words.ends_with("Test_Speaker is used now."), "{words}");
        assert!(server.used("sinks", "sink-inputs").contains(&"speaker".to_owned()));
        let mark = ann.mark();
        server.unblock_speaker("Headset_Ear");
        ann.wait_from(mark, "back", PATIENCE, |e| {
            e["event"] == "warning" && e["message"] == "Headset_Ear is back and used again."
        });
    }
    // While it is tried again another can be chosen, and when that is done it is refused.
    let mark = ann.mark();
    server.block_speaker("Headset_Ear");
    ann.wait_from(mark, "blocked", bound(BLOCKED), |e| e["event"] == "warning");
    let choose = |ann: &mut Peer, name: &str, goal: Duration| {
        let since = now();
        let answer = ann.ask(json!({"do": "speaker", "on": true, "source": format!("device:{name}")}));
        let took = since.elapsed().as_secs_f64() * 1e3;
        figure(&format!("choosing {name} beside one that is blocked"), took, "ms", &goal.as_millis().to_string());
        assert!(since.elapsed() < bound(goal), "{:?}", since.elapsed());
        answer
    };
    assert_eq!(choose(&mut ann, "Test_Speaker", GOAL)["event"], "ok");
    let refused = choose(&mut ann, "Headset_Ear", BLOCKED);
    assert!(refused["message"].as_str().is_some_and(|words| words.contains("it takes no sound")), "{refused}");
    assert!(server.used("sinks", "sink-inputs").contains(&"speaker".to_owned()));
}
