//! Real devices, as far as a machine without any can show it: the program's own way to cameras (nokhwa, V4L2) and sound
//! (cpal, PulseAudio), with a test's equipment at its far end.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use lets_meet::av::capture::testcard;

use crate::card;
use crate::clip::speech;
use crate::equipment::{Camera, Equipment, Layout, SoundServer};
use crate::host::Lab;
use crate::lab;
use crate::measure::{compare_speech, mean_and_percentile, psnr, samples};
use crate::program::{self, PATIENCE, Peer, bound, figure};

/// How soon the end of a camera is to be said.
const GOAL: Duration = Duration::from_secs(2);
/// The threads that take pictures from a camera and bring them into our layout.
const CAPTURE: [&str; 2] = ["camera-device", "camera"];
/// How much of a processor they may take at 1280x720, 30 JPEGs a second.
const MOST_BUSY: f64 = 0.2;

fn of<'a>(devices: &'a [Value], kind: &str) -> Vec<(&'a str, &'a str, bool)> {
    let all = devices.iter().filter(|device| device["kind"] == kind);
    let text = |value: &'a Value| value.as_str().expect("a text");
    all.map(|device| (text(&device["name"]), text(&device["id"]), device["default"] == true)).collect()
}

pub fn list(lab: &Lab, equipment: &Equipment) -> Vec<Value> {
    let mut command = lab.command(1, program::program());
    command.args(["devices", "--json"]).envs(equipment.variables().iter().map(|(name, value)| (name, value)));
    let out = command.output().expect("the program starts");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && !errors.contains("panicked"), "{errors}");
    program::lines(&out)
}

#[test]
fn devices_are_listed_as_people_know_them() {
    let lab = lab!(1);
    let cameras = lab.folder().join("cameras");
    let server = SoundServer::start(&lab.folder().join("sound.log"));
    let equipment = Equipment::none(&cameras).with_sound(&server);
    assert_eq!(of(&list(&lab, &equipment), "camera"), []);
    let size = (64, 36, 30);
    let front = Camera::plug_in(&cameras, 0, "Front Camera", Layout::Yuyv, size);
    Camera::metadata(&cameras, 1, "Front Camera");
    let _back = Camera::plug_in(&cameras, 2, "Back Camera", Layout::Yuyv, size);
    let devices = list(&lab, &equipment);
    let (first, second) = (("Front Camera", "/dev/video0", true), ("Back Camera", "/dev/video2", false));
    assert_eq!(of(&devices, "camera"), [first, second], "the node for metadata is no camera");
    assert_eq!(of(&devices, "microphone"), [("Test_Microphone", "microphone", true)], "a monitor is no microphone");
    assert_eq!(of(&devices, "speaker"), [("Test_Speaker", "speaker", true), ("Mouth", "mouth", false)]);
    front.begin("unplugged");
    assert_eq!(of(&list(&lab, &equipment), "camera"), [("Back Camera", "/dev/video2", true)]);
}

#[test]
fn a_machine_without_devices_is_in_the_meeting_all_the_same() {
    let lab = lab!(2);
    let bare = Equipment::none(&lab.folder().join("cameras"));
    assert_eq!(list(&lab, &bare), Vec::<Value>::new());
    let all = ["--camera", "device", "--mic", "device", "--speaker", "device"];
    let mut ann = Peer::equipped(&lab, 1, "ann", "call", &all, &bare);
    for code in ["no-camera", "no-microphone", "no-speaker"] {
        ann.wait(code, PATIENCE, |e| e["event"] == "warning" && e["code"] == code);
    }
    let bo = Peer::join(&lab, 2, "bo", "call", &[]);
    bo.wait_joined(&ann, PATIENCE);
    ann.say("still here", &[]);
    bo.wait("a line", PATIENCE, |e| e["event"] == "chat" && e["text"] == "still here");
    assert!(bo.all(|e| e["event"] == "track").is_empty(), "nothing is sent");
    let refused = ann.ask(json!({"do": "camera", "on": true}));
    assert_eq!((&refused["event"], &refused["code"]), (&json!("error"), &json!("source-failed")), "{refused}");
    // A named one that is not there is another matter: somebody relies on it.
    for words in [["--camera", "device:3"], ["--mic", "device:Headset"], ["--speaker", "device:0"]] {
        let mut command = lab.command(1, program::program());
        command.args(["join", "other", "--for", "1"]).args(words).arg("--profile").arg(lab.folder().join("other"));
        command.envs(bare.variables().iter().map(|(name, value)| (name, value)));
        let out = command.output().expect("the program starts");
        assert_eq!(out.status.code(), Some(6), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
    }
}

/// The pictures of a recording, whole.
fn recorded(path: &Path, (width, height): (usize, usize)) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
    let line = |from: usize| from + bytes[from..].iter().position(|b| *b == b'\n').expect("a line") + 1;
    let head = String::from_utf8_lossy(&bytes[..line(0)]).into_owned();
    assert!(head.contains(&format!("W{width} ")) && head.contains(&format!("H{height} ")), "{head}");
    let (mut at, mut out) = (line(0), Vec::new());
    while bytes.get(at..at + 5) == Some(b"FRAME") {
        let start = line(at);
        let Some(picture) = bytes.get(start..start + width * height * 3 / 2) else { break };
        out.push(picture.to_vec());
        at = start + picture.len();
    }
    out
}

fn mean(plane: &[u8]) -> f64 {
    let sum: u64 = plane.iter().map(|v| u64::from(*v)).sum();
    #[expect(clippy::cast_precision_loss, reason = "sums of a plane")]
    let mean = sum as f64 / plane.len() as f64;
    mean
}

/// Calls with a camera, and compares what the other side recorded with what the camera showed.
fn cross(layout: Layout, size: (u16, u16, u8), choice: &str) {
    let lab = lab!(2);
    let (cameras, dump) = (lab.folder().join("cameras"), lab.folder().join("dump"));
    let other = Camera::plug_in(&cameras, 0, "Other Camera", Layout::Yuyv, (64, 36, 30));
    let camera = Camera::plug_in(&cameras, 2, "Test Camera", layout, size);
    let ann = Peer::equipped(&lab, 1, "ann", "call", &["--camera", choice], &Equipment::none(&cameras));
    let mut bo = Peer::join(&lab, 2, "bo", "call", &["--dump-video", &dump.display().to_string()]);
    bo.wait_joined(&ann, PATIENCE);
    let flowing = |e: &Value| e["event"] == "stats" && e["peers"][&ann.id]["video"]["fps"].as_f64() > Some(1.0);
    bo.wait("pictures", PATIENCE, flowing);
    let (busy, since) = (ann.busy(&CAPTURE), lets_meet::clock::now());
    let (all, ran, own) = (program::processors().0, program::processors().1, ann.spent() + bo.spent());
    let rates: Vec<f64> = bo.watch(6).iter().filter_map(|e| e["peers"][&ann.id]["video"]["fps"].as_f64()).collect();
    let (all, ran) = (program::processors().0 - all, program::processors().1 - ran);
    let others = (ran - (ann.spent() + bo.spent() - own)) / all;
    let cores = (ann.busy(&CAPTURE) - busy) / since.elapsed().as_secs_f64();
    assert_eq!(bo.stop().0, Some(0));
    drop(other);
    let (width, height) = (usize::from(size.0), usize::from(size.1));
    let pictures = recorded(&dump.join(format!("{}.y4m", ann.id)), (width, height));
    let luma = width * height;
    let (mut seen, mut likeness, mut off) = (std::collections::BTreeSet::new(), Vec::new(), 0.0_f64);
    for picture in &pictures {
        let Some(stamp) = testcard::read(&picture[..luma], size.0, size.1) else { continue };
        let original = &camera.pictures[usize::try_from(stamp.frame).expect("a small number")];
        seen.insert(stamp.frame);
        likeness.push(psnr(&original[..luma], &picture[..luma]));
        off = off.max(card::worst(picture, (width, height)));
        for plane in [luma..luma * 5 / 4, luma * 5 / 4..luma * 3 / 2] {
            let (sent, got) = (mean(&original[plane.clone()]), mean(&picture[plane]));
            assert!((sent - got).abs() < 3.0, "colours are kept: {sent:.1} became {got:.1}");
        }
    }
    let (quality, low) = mean_and_percentile(&likeness, 5);
    let (rate, best) = (mean_and_percentile(&rates, 50).1, rates.iter().copied().fold(0.0, f64::max));
    let name = format!("{layout:?} camera of {width}x{height}");
    let goal = if size.2 == 30 { "28".to_owned() } else { size.2.to_string() };
    figure(&format!("{name}, pictures a second at the other side, median second"), rate, "fps", &goal);
    figure(&format!("{name}, pictures a second at the other side, best second"), best, "fps", &goal);
    figure(&format!("{name}, capture and conversion"), cores * 100.0, "% of a core", "20");
    figure(&format!("{name}, worst patch of colour"), off, "of 255", "6");
    figure(&format!("{layout:?} camera, PSNR-Y at the other side, 5th percentile"), low, "dB", "30");
    assert!(likeness.len() * 10 >= pictures.len() * 9, "{} of {} have a stamp", likeness.len(), pictures.len());
    assert!(seen.len() >= 30, "{} different pictures were seen", seen.len());
    assert!(quality >= 32.0 && low >= 28.0, "the values of all pixels are kept: {quality:.1} dB, {low:.1} dB");
    // A busy machine may miss any rate; one that others leave alone may not.
    let least = match others {
        ..0.1 => 28.0 / 30.0,
        ..0.4 => 20.0 / 30.0,
        _ => 1.0 / 3.0,
    };
    println!("others had {:.0} % of the processors", others * 100.0);
    let told = format!("{best} pictures a second in the best second of {rates:?}, others had {others:.2}");
    assert!(best >= f64::from(size.2) * least, "{told}");
    assert!(off <= 6.0, "colours are kept: a patch is off by {off:.1} of 255");
    assert!(cores > 0.0 && cores <= 3.0 * MOST_BUSY, "capture and conversion take {cores:.2} of a core");
}

#[test]
fn a_camera_with_jpegs_is_seen_at_the_other_side() {
    cross(Layout::Mjpeg, (640, 360, 30), "device:Test Camera");
}

#[test]
fn a_camera_with_raw_pictures_is_seen_at_the_other_side() {
    cross(Layout::Yuyv, (320, 180, 15), "device:1");
}

#[test]
fn a_camera_with_two_planes_is_seen_at_the_other_side() {
    cross(Layout::Nv12, (320, 180, 15), "device:Test Camera");
}

#[test]
fn a_camera_with_jpegs_of_720_lines_is_seen_at_the_other_side() {
    cross(Layout::Mjpeg, (1280, 720, 30), "device:Test Camera");
}

#[test]
fn a_camera_that_is_pulled_out_or_freezes_ends_its_track_and_not_the_meeting() {
    let lab = lab!(2);
    let cameras = lab.folder().join("cameras");
    let camera = Camera::plug_in(&cameras, 0, "Test Camera", Layout::Yuyv, (320, 180, 30));
    let mut ann = Peer::equipped(&lab, 1, "ann", "call", &["--camera", "device"], &Equipment::none(&cameras));
    let bo = Peer::join(&lab, 2, "bo", "call", &[]);
    bo.wait_joined(&ann, PATIENCE);
    for trouble in ["unplugged", "frozen"] {
        let mark = bo.mark();
        bo.wait_from(mark, "pictures", PATIENCE, |e| {
            e["event"] == "stats" && e["peers"][&ann.id]["video"]["fps"].as_f64() > Some(1.0)
        });
        let (ours, theirs, since) = (ann.mark(), bo.mark(), lets_meet::clock::now());
        camera.begin(trouble);
        ann.wait_from(ours, trouble, bound(GOAL), |e| e["event"] == "warning" && e["code"] == "source-failed");
        figure(&format!("camera {trouble}, until it is said"), since.elapsed().as_secs_f64() * 1e3, "ms", "2000");
        bo.wait_from(theirs, "the end of the track", PATIENCE, |e| {
            e["event"] == "track" && e["track"] == "camera" && e["on"] == false
        });
        ann.say(trouble, &[]);
        bo.wait("a line", PATIENCE, |e| e["event"] == "chat" && e["text"] == trouble);
        let refused = ann.ask(json!({"do": "camera", "on": true}));
        assert_eq!((&refused["event"], &refused["code"]), (&json!("error"), &json!("source-failed")), "{refused}");
        camera.end(trouble);
        // The thread that was stuck in the frozen camera lets go of it within a moment.
        let deadline = lets_meet::clock::now() + PATIENCE;
        while ann.ask(json!({"do": "camera", "on": true}))["event"] != "ok" {
            assert!(lets_meet::clock::now() < deadline, "the camera comes back after {trouble}\n{}", ann.story());
        }
    }
    let mark = bo.mark();
    bo.wait_from(mark, "pictures again", PATIENCE, |e| {
        e["event"] == "stats" && e["peers"][&ann.id]["video"]["fps"].as_f64() > Some(1.0)
    });
    camera.begin("frozen");
    let (code, took) = ann.stop();
    assert_eq!(code, Some(0));
    figure("leaving with a frozen camera", took.as_secs_f64() * 1e3, "ms", "2000");
}

/// Samples of a recording without a head.
pub fn raw_samples(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("the recording can be read");
    bytes.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect()
}

/// Quarter seconds of `recording` that hold speech of `source`, and how many of them are like it. The place is followed:
/// sound that crosses from one clock to another is stretched a little now and then, by up to eight thousandths.
pub fn alike(source: &[f32], recording: &[f32], offset: usize) -> (usize, usize) {
    // At 8 kHz: enough for a voice, and quick.
    let thin = |samples: &[f32]| -> Vec<f32> { samples.chunks_exact(6).map(|c| c.iter().sum::<f32>() / 6.0).collect() };
    let (source, recording, mut place) = (thin(source), thin(recording), offset / 6);
    let (mut windows, mut same) = (0, 0);
    for (start, part) in (0..).step_by(2000).zip(recording.chunks_exact(2000)) {
        let loud: f32 = part.iter().map(|s| s * s).sum();
        if loud < 2000.0 * 1e-4 {
            continue;
        }
        // `bent` thousandths more or less of the source.
        let score = |(at, bent): (usize, isize)| {
            let (mut power, mut product) = (0.0, 0.0);
            for (n, b) in part.iter().enumerate() {
                let a = source.get((at + n).checked_add_signed(bent * isize::try_from(n).ok()? / 1000)?)?;
                power += a * a;
                product += a * b;
            }
            Some(product / (power * loud).sqrt().max(1e-9))
        };
        let best = |places: &mut dyn Iterator<Item = (usize, isize)>| {
            places.filter_map(|place| Some((place, score(place)?))).max_by(|a, b| a.1.total_cmp(&b.1))
        };
        let here = place + start;
        let Some(((near, _), _)) = best(&mut (here.saturating_sub(400)..here + 400).map(|at| (at, 0))) else {
            continue;
        };
        let bent = (near.saturating_sub(12)..near + 12).flat_map(|at| (-4..=4).map(move |bent| (at, bent)));
        let Some(((at, _), likeness)) = best(&mut bent.into_iter()) else { continue };
        windows += 1;
        if likeness > 0.8 {
            same += 1;
            place = at.saturating_sub(start);
        }
    }
    (windows, same)
}

#[test]
fn speech_into_the_microphone_comes_out_of_the_other_speaker_until_the_sound_is_pulled_out() {
    let lab = lab!(2);
    let (mut mouth, ear) =
        (SoundServer::start(&lab.folder().join("mouth.log")), SoundServer::start(&lab.folder().join("ear.log")));
    let cameras = lab.folder().join("cameras");
    let (speaking, hearing) =
        (Equipment::none(&cameras).with_sound(&mouth), Equipment::none(&cameras).with_sound(&ear));
    let recording = lab.folder().join("heard.raw");
    let recorder = ear.hear(&recording);
    // As it was said: what is done to voices has tests of its own.
    let words = ["--mic", "device", "--speaker", "device", "--voice", "off"];
    let mut ann = Peer::equipped(&lab, 1, "ann", "call", &words, &speaking);
    let mut bo =
        Peer::equipped(&lab, 2, "bo", "call", &["--mic", "device:Test_Microphone", "--speaker", "device:0"], &hearing);
    bo.wait_joined(&ann, PATIENCE);
    bo.wait("sound", PATIENCE, |e| {
        e["event"] == "stats" && e["peers"][&ann.id]["audio"]["played_ms"].as_u64() > Some(500)
    });
    let voice = mouth.speak(&speech());
    let stats = bo.watch(9);
    drop((voice, recorder));
    let (source, heard) = (samples(&speech()), raw_samples(&recording));
    let found = compare_speech(&source, &heard);
    let first = heard.iter().position(|s| s.abs() > 0.003).expect("sound was heard");
    let (windows, same) = alike(&source, &heard[first..], found.offset);
    println!("{same} of {windows} quarter seconds are alike, level {:.1} dB", found.level_db);
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let share = same as f64 * 100.0 / windows.max(1) as f64;
    figure("speech from microphone to speaker, quarter seconds alike", share, "%", "95");
    let latency = stats.iter().filter_map(|e| e["peers"][&ann.id]["audio"]["latency_ms"]["p95"].as_f64());
    let latency: Vec<f64> = latency.collect();
    figure("microphone's ring to the mix, p95 (median second)", mean_and_percentile(&latency, 50).1, "ms", "80");
    assert!(windows >= 12, "speech was heard for {windows} quarter seconds");
    // On a machine that is too busy sound has gaps; other words are alike in a tenth of all quarter seconds.
    let backwards: Vec<f32> = source.iter().rev().copied().collect();
    let other = alike(&backwards, &heard[first..], found.offset).1;
    println!("{other} are alike to the words said backwards");
    assert!(share >= 50.0 && other * 3 <= same, "{same} of {windows} quarter seconds are what was said ({other})");
    assert!(found.level_db.abs() < 3.0, "as loud as it was said: {:.1} dB", found.level_db);
    // The sound system goes away in mid-call.
    let mark = ann.mark();
    mouth.stop();
    for code in ["no-microphone", "no-speaker"] {
        ann.wait_from(mark, code, PATIENCE, |e| e["event"] == "warning" && e["code"] == code);
    }
    bo.wait("the end of the track", PATIENCE, |e| {
        e["event"] == "track" && e["track"] == "microphone" && e["peer"] == *ann.id && e["on"] == false
    });
    ann.say("I have no sound any more", &[]);
    bo.wait("a line", PATIENCE, |e| e["event"] == "chat");
    // And comes back.
    mouth.start_again();
    ann.must(json!({"do": "mic", "on": true}));
    ann.must(json!({"do": "speaker", "on": true}));
    let mark = bo.mark();
    bo.wait_from(mark, "sound again", PATIENCE, |e| {
        e["event"] == "stats" && e["peers"][&ann.id]["audio"]["latency_ms"]["p95"].as_f64().is_some()
    });
    for peer in [&mut ann, &mut bo] {
        let (code, took) = peer.stop();
        assert!(code == Some(0) && took < Duration::from_secs(6), "{code:?} after {took:?}");
    }
}
