//! Sharing a screen on Wayland: asked for exactly once, seen at the other side, ended from either side.

use std::time::Duration;

use serde_json::{Value, json};

use crate::desktop::{Answer, Desktop};
use crate::equipment::Equipment;
use crate::host::Lab;
use crate::lab;
use crate::program::{PATIENCE, Peer};

fn sharing(lab: &Lab, desktop: &Desktop) -> (Peer, Peer) {
    let equipment = Equipment::none(&lab.folder().join("cameras")).with(desktop.variables());
    let ann = Peer::equipped(lab, 1, "ann", "call", &[], &equipment);
    let bo = Peer::join(lab, 2, "bo", "call", &[]);
    bo.wait_joined(&ann, PATIENCE);
    (ann, bo)
}

fn seen(e: &Value, by: &str) -> bool {
    e["event"] == "stats" && e["peers"][by]["screen"]["fps"].as_f64() > Some(5.0)
}

#[test]
fn a_wayland_screen_is_asked_for_once_seen_and_ended_from_the_desktop() {
    let lab = lab!(2);
    let mut desktop = Desktop::start((1280, 720));
    let (mut ann, bo) = sharing(&lab, &desktop);
    let answer = ann.ask(json!({"do": "screen", "on": true, "source": "display"}));
    assert_eq!(answer["event"], "ok", "{answer}\n{}", ann.story());
    bo.wait("pictures of the screen", PATIENCE, |e| seen(e, &ann.id));
    assert_eq!(desktop.prompts(), 1, "one question for one share");
    let size = |e: &Value| (e["width"].as_u64(), e["height"].as_u64());
    let track = bo.all(|e| e["event"] == "track" && e["track"] == "screen" && e["on"] == true);
    assert_eq!(track.last().map(size), Some((Some(1280), Some(720))));
    // The person ends it from the desktop's own bar.
    let mark = ann.mark();
    desktop.end_sharing();
    ann.wait_from(mark, "the end", PATIENCE, |e| {
        e["event"] == "warning" && e["message"].to_string().contains("desktop")
    });
    bo.wait("the end of the track", PATIENCE, |e| e["event"] == "track" && e["track"] == "screen" && e["on"] == false);
    // Sharing again asks again; a refusal is no failure of the meeting.
    desktop.answers(Answer::Refuse);
    let refused = ann.ask(json!({"do": "screen", "on": true, "source": "display"}));
    assert!(refused["event"] == "error" && refused["message"].to_string().contains("chosen"), "{refused}");
    assert_eq!(desktop.prompts(), 2);
    desktop.answers(Answer::Share);
    let mark = bo.mark();
    assert_eq!(ann.ask(json!({"do": "screen", "on": true, "source": "display"}))["event"], "ok", "{}", ann.story());
    bo.wait_from(mark, "pictures again", PATIENCE, |e| seen(e, &ann.id));
    // What was shared is closed.
    let mark = ann.mark();
    desktop.close_screen();
    ann.wait_from(mark, "the end", Duration::from_secs(10), |e| e["event"] == "warning");
    ann.say("still here", &[]);
    bo.wait("a line", PATIENCE, |e| e["event"] == "chat" && e["text"] == "still here");
}
