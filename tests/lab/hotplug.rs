//! Devices that come, go, freeze and are held by others while a call goes on: what takes their place, what is said, what
//! is taken again, and that nothing is opened that a person switched off.

use std::time::Duration;

use serde_json::{Value, json};

use crate::equipment::{Camera, Equipment, Layout, SoundServer};
use crate::host::Lab;
use crate::lab;
use crate::program::{PATIENCE, Peer, bound, figure};

/// How soon a change of devices is to be heard, seen and said.
const GOAL: Duration = Duration::from_secs(2);
/// How soon sound is to be back after its server is.
const RESTART: Duration = Duration::from_secs(3);

fn warns(event: &Value, code: &str, words: &str) -> bool {
    event["event"] == "warning"
        && event["code"] == code
        && event["message"].as_str().is_some_and(|said| said.contains(words))
}

/// Waits until it says so, and writes down how long that took.
fn says(peer: &Peer, mark: usize, what: &str, code: &str, words: &str) {
    let since = lets_meet::clock::now();
    peer.wait_from(mark, words, bound(GOAL), |event| warns(event, code, words));
    figure(&format!("{what}, until it is said"), since.elapsed().as_secs_f64() * 1e3, "ms", "2000");
}

/// Waits until this device and no other is used: what was used before is closed beside what is said.
fn uses(server: &SoundServer, (devices, streams): (&str, &str), name: &str) {
    let deadline = lets_meet::clock::now() + bound(GOAL);
    loop {
        let used = server.used(devices, streams);
        if used == [name] {
            return;
        }
        assert!(lets_meet::clock::now() < deadline, "{used:?} are used, and not {name} alone");
    }
}

fn hears(who: &Peer, whom: &Peer) {
    let mark = who.mark();
    who.wait_from(mark, "sound", PATIENCE, |e| {
        e["event"] == "stats" && e["peers"][&whom.id]["audio"]["latency_ms"]["p95"].as_f64().is_some()
    });
}

fn sees(who: &Peer, whom: &Peer) {
    let mark = who.mark();
    who.wait_from(mark, "pictures", PATIENCE, |e| {
        e["event"] == "stats" && e["peers"][&whom.id]["video"]["fps"].as_f64() > Some(1.0)
    });
}

fn track(who: &Peer, mark: usize, whom: &Peer, kind: &str, on: bool) {
    who.wait_from(mark, &format!("{kind} {on}"), PATIENCE, |e| {
        e["event"] == "track" && e["track"] == kind && e["peer"] == *whom.id && e["on"] == on
    });
}

/// Ann with these devices, and Bo who hears and sees her.
fn call(lab: &Lab, equipment: &Equipment, words: &[&str]) -> (Peer, Peer) {
    let ann = Peer::equipped(lab, 1, "ann", "call", words, equipment);
    let bo = Peer::join(lab, 2, "bo", "call", &["--mic", "tone"]);
    bo.wait_joined(&ann, PATIENCE);
    ann.wait_joined(&bo, PATIENCE);
    (ann, bo)
}

#[test]
fn a_headset_that_is_pulled_out_is_replaced_and_taken_again() {
    let lab = lab!(2);
    let server = SoundServer::start(&lab.folder().join("sound.log"));
    let (ear, mouth) = (server.plug_in_speaker("Headset_Ear"), server.plug_in_microphone("Headset_Mouth"));
    let equipment = Equipment::none(&lab.folder().join("cameras")).with_sound(&server);
    let (ann, bo) = call(&lab, &equipment, &["--mic", "device:Headset_Mouth", "--speaker", "device:Headset_Ear"]);
    hears(&bo, &ann);
    assert_eq!(server.used("sinks", "sink-inputs"), ["Headset_Ear"]);
    let mark = ann.mark();
    server.pull_out(ear);
    says(&ann, mark, "speaker pulled out", "device-changed", "Headset_Ear is gone; Test_Speaker is used now.");
    uses(&server, ("sinks", "sink-inputs"), "speaker");
    let mark = ann.mark();
    server.pull_out(mouth);
    says(&ann, mark, "microphone pulled out", "device-changed", "Headset_Mouth is gone; Test_Microphone is used now.");
    uses(&server, ("sources", "source-outputs"), "microphone");
    hears(&bo, &ann);
    let mark = ann.mark();
    let _ear = server.plug_in_speaker("Headset_Ear");
    says(&ann, mark, "speaker plugged in again", "device-changed", "Headset_Ear is back and used again.");
    let mark = ann.mark();
    let _mouth = server.plug_in_microphone("Headset_Mouth");
    says(&ann, mark, "microphone plugged in again", "device-changed", "Headset_Mouth is back and used again.");
    uses(&server, ("sources", "source-outputs"), "Headset_Mouth");
    hears(&bo, &ann);
}

#[test]
fn sound_follows_the_system_s_default() {
    let lab = lab!(2);
    let server = SoundServer::start(&lab.folder().join("sound.log"));
    let _devices = (server.plug_in_speaker("Headset_Ear"), server.plug_in_microphone("Headset_Mouth"));
    let equipment = Equipment::none(&lab.folder().join("cameras")).with_sound(&server);
    let (mut ann, bo) = call(&lab, &equipment, &["--mic", "device", "--speaker", "device"]);
    hears(&bo, &ann);
    assert_eq!(server.used("sinks", "sink-inputs"), ["speaker"]);
    let mark = ann.mark();
    server.prefer("sink", "Headset_Ear");
    says(&ann, mark, "another default speaker", "device-changed", "Headset_Ear is used now");
    let mark = ann.mark();
    server.prefer("source", "Headset_Mouth");
    says(&ann, mark, "another default microphone", "device-changed", "Headset_Mouth is used now");
    hears(&bo, &ann);
    // One that is chosen by name is not left.
    let since = lets_meet::clock::now();
    ann.must(json!({"do": "speaker", "on": true, "source": "device:Test_Speaker"}));
    figure("choosing a speaker in a call", since.elapsed().as_secs_f64() * 1e3, "ms", "2000");
    assert!(since.elapsed() < bound(GOAL));
    let mark = ann.mark();
    server.prefer("sink", "mouth");
    ann.watch(3);
    assert!(ann.said()[mark..].iter().all(|line| line.value["code"] != "device-changed"), "{}", ann.story());
}

#[test]
fn a_microphone_that_is_switched_off_is_opened_by_nobody() {
    let lab = lab!(2);
    let server = SoundServer::start(&lab.folder().join("sound.log"));
    let mouth = server.plug_in_microphone("Headset_Mouth");
    let equipment = Equipment::none(&lab.folder().join("cameras")).with_sound(&server);
    let (mut ann, bo) = call(&lab, &equipment, &["--mic", "device:Headset_Mouth", "--speaker", "device"]);
    hears(&bo, &ann);
    ann.must(json!({"do": "mic", "on": false}));
    server.pull_out(mouth);
    ann.watch(4);
    assert_eq!(server.used("sources", "source-outputs"), Vec::<String>::new(), "{}", ann.story());
    let mouth = server.plug_in_microphone("Headset_Mouth");
    ann.watch(3);
    assert_eq!(server.used("sources", "source-outputs"), Vec::<String>::new(), "{}", ann.story());
    server.pull_out(mouth);
    // Switched on, what is there is opened, and said.
    let mark = ann.mark();
    ann.must(json!({"do": "mic", "on": true}));
    says(&ann, mark, "another microphone when it is switched on", "device-changed", "Test_Microphone is used now.");
    hears(&bo, &ann);
    // Lost, and switched off before it is back.
    let mut server = server;
    let (ours, theirs) = (ann.mark(), bo.mark());
    server.stop();
    ann.wait_from(ours, "no microphone", PATIENCE, |e| e["event"] == "warning" && e["code"] == "no-microphone");
    track(&bo, theirs, &ann, "microphone", false);
    ann.must(json!({"do": "mic", "on": false}));
    server.start_again();
    ann.wait_from(ours, "the speaker is back", PATIENCE, |e| warns(e, "device-changed", "Test_Speaker is back"));
    ann.watch(2);
    assert_eq!(server.used("sources", "source-outputs"), Vec::<String>::new(), "{}", ann.story());
}

#[test]
fn sound_is_back_by_itself_after_its_server_was_restarted() {
    let lab = lab!(2);
    let mut server = SoundServer::start(&lab.folder().join("sound.log"));
    let equipment = Equipment::none(&lab.folder().join("cameras")).with_sound(&server);
    let (ann, bo) = call(&lab, &equipment, &["--mic", "device", "--speaker", "device"]);
    hears(&bo, &ann);
    let (ours, theirs) = (ann.mark(), bo.mark());
    server.stop();
    for code in ["no-microphone", "no-speaker"] {
        ann.wait_from(ours, code, PATIENCE, |e| e["event"] == "warning" && e["code"] == code);
    }
    track(&bo, theirs, &ann, "microphone", false);
    // Longer than any stream is built anew for.
    ann.watch(8);
    let (ours, theirs) = (ann.mark(), bo.mark());
    server.start_again();
    let since = lets_meet::clock::now();
    for words in ["Test_Microphone is back and used again.", "Test_Speaker is back and used again."] {
        ann.wait_from(ours, words, bound(RESTART), |e| warns(e, "device-changed", words));
    }
    figure("sound after its server runs again", since.elapsed().as_secs_f64() * 1e3, "ms", "3000");
    track(&bo, theirs, &ann, "microphone", true);
    hears(&bo, &ann);
    assert_eq!(server.used("sinks", "sink-inputs"), ["speaker"]);
}

#[test]
fn a_camera_that_another_program_holds_is_said_and_taken_when_it_is_free() {
    let lab = lab!(2);
    let cameras = lab.folder().join("cameras");
    let camera = Camera::plug_in(&cameras, 0, "Desk Camera", Layout::Yuyv, (320, 180, 30));
    camera.begin("busy");
    let (mut ann, bo) = call(&lab, &Equipment::none(&cameras), &["--camera", "device"]);
    let told = ann.wait("busy", PATIENCE, |e| warns(e, "source-failed", "Desk Camera"));
    assert!(told["message"].as_str().is_some_and(|said| said.contains("another program uses it")), "{told}");
    assert!(told["hint"].as_str().is_some_and(|hint| hint.contains("Close other programs")), "{told}");
    let since = lets_meet::clock::now();
    let refused = ann.ask(json!({"do": "camera", "on": true}));
    assert_eq!((&refused["event"], &refused["code"]), (&json!("error"), &json!("source-failed")), "{refused}");
    figure("camera that another program has, until it is said", since.elapsed().as_secs_f64() * 1e3, "ms", "2000");
    assert!(since.elapsed() < bound(GOAL), "{:?}", since.elapsed());
    let mark = ann.mark();
    camera.end("busy");
    says(&ann, mark, "camera that another program let go of", "device-changed", "Desk Camera is back and used again.");
    sees(&bo, &ann);
}

#[test]
fn a_chosen_camera_that_is_gone_shows_no_other_room_and_comes_back() {
    let lab = lab!(2);
    let cameras = lab.folder().join("cameras");
    let _kitchen = Camera::plug_in(&cameras, 0, "Kitchen Camera", Layout::Yuyv, (64, 36, 30));
    let desk = Camera::plug_in(&cameras, 2, "Desk Camera", Layout::Yuyv, (320, 180, 30));
    let (ann, bo) = call(&lab, &Equipment::none(&cameras), &["--camera", "device:Desk Camera"]);
    for trouble in ["unplugged", "frozen"] {
        sees(&bo, &ann);
        let (ours, theirs) = (ann.mark(), bo.mark());
        desk.begin(trouble);
        says(&ann, ours, &format!("chosen camera {trouble}"), "source-failed", "others do not see you");
        track(&bo, theirs, &ann, "camera", false);
        let mark = bo.mark();
        ann.watch(4);
        assert!(bo.said()[mark..].iter().all(|line| line.value["event"] != "track"), "{}", bo.story());
        let mark = ann.mark();
        desk.end(trouble);
        says(&ann, mark, &format!("chosen camera after {trouble}"), "device-changed", "Desk Camera is back");
    }
    sees(&bo, &ann);
}

#[test]
fn a_camera_of_the_system_s_choice_is_replaced_by_the_next() {
    let lab = lab!(2);
    let cameras = lab.folder().join("cameras");
    let desk = Camera::plug_in(&cameras, 0, "Desk Camera", Layout::Yuyv, (320, 180, 30));
    let _door = Camera::plug_in(&cameras, 2, "Door Camera", Layout::Yuyv, (64, 36, 30));
    let (ann, bo) = call(&lab, &Equipment::none(&cameras), &["--camera", "device"]);
    sees(&bo, &ann);
    let (ours, theirs) = (ann.mark(), bo.mark());
    desk.begin("unplugged");
    says(
        &ann,
        ours,
        "camera of the system's choice",
        "device-changed",
        "Desk Camera is gone; Door Camera is used now.",
    );
    bo.wait_from(theirs, "the other camera's size", PATIENCE, |e| {
        e["event"] == "track" && e["track"] == "camera" && e["on"] == true && e["width"] == 64
    });
    sees(&bo, &ann);
}

#[test]
fn a_slow_camera_holds_nothing_up() {
    let lab = lab!(2);
    let cameras = lab.folder().join("cameras");
    let camera = Camera::plug_in(&cameras, 0, "Slow Camera", Layout::Yuyv, (320, 180, 30));
    camera.begin("slow");
    let (mut ann, mut bo) = call(&lab, &Equipment::none(&cameras), &[]);
    let since = lets_meet::clock::now();
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| {
            ann.must(json!({"do": "camera", "on": true, "source": "device"}));
            since.elapsed()
        });
        let id = bo.say("are you there?", &[]);
        bo.wait("a confirmation", PATIENCE, |e| e["event"] == "delivered" && e["id"] == id);
        let (answered, opened) = (since.elapsed(), opening.join().expect("the camera opens"));
        figure("a line to one whose camera opens slowly", answered.as_secs_f64() * 1e3, "ms", "500");
        assert!(opened >= Duration::from_secs(2) && answered < opened, "{answered:?} of {opened:?}");
    });
    sees(&bo, &ann);
}
