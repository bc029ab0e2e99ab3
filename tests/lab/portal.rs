//! Sharing a screen on Wayland: asked for exactly once, seen at the other side, ended from either side.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::time::Duration;

use lets_meet::av::capture::testcard;
use lets_meet::clock::now;

use serde_json::{Value, json};

use crate::desktop::{Answer, Desktop, Shows};
use crate::equipment::Equipment;
use crate::host::Lab;
use crate::lab;
use crate::program::{PATIENCE, Peer, bound, figure};

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
    let mut desktop = Desktop::start((1280, 720), Shows::Cards);
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

#[test]
fn a_question_that_is_still_open_is_taken_back_by_a_stop() {
    let lab = lab!(2);
    let desktop = Desktop::start((640, 360), Shows::Cards);
    let (mut ann, bo) = sharing(&lab, &desktop);
    desktop.answers(Answer::Think);
    let mark = ann.mark();
    ann.tell(&json!({"do": "screen", "on": true, "source": "display", "ref": "share"}));
    desktop.wait_asked(1);
    let asked = now();
    let stopped = ann.ask(json!({"do": "screen", "on": false}));
    let took = asked.elapsed();
    assert_eq!(stopped["event"], "ok", "{stopped}");
    let shared = ann.wait_from(mark, "the first answer", PATIENCE, |e| e["ref"] == "share").value;
    assert!(shared["event"] == "error" && shared["message"].to_string().contains("stopped"), "{shared}");
    figure("a question of the desktop taken back", took.as_secs_f64() * 1000.0, "ms", "500");
    assert!(took <= bound(Duration::from_millis(500)), "{took:?}");
    assert_eq!(desktop.closed(), 1, "the dialog is gone");
    // And nothing of it is in the way of the next.
    desktop.answers(Answer::Share);
    assert_eq!(ann.ask(json!({"do": "screen", "on": true}))["event"], "error", "nothing was chosen before");
    assert_eq!(ann.ask(json!({"do": "screen", "on": true, "source": "display"}))["event"], "ok", "{}", ann.story());
    bo.wait("pictures of the screen", PATIENCE, |e| seen(e, &ann.id));
    assert_eq!(desktop.prompts(), 2);
}

#[test]
fn a_meeting_starts_while_the_desktop_still_asks_what_to_share() {
    let lab = lab!(2);
    let desktop = Desktop::start((640, 360), Shows::Cards);
    let equipment = Equipment::none(&lab.folder().join("cameras")).with(desktop.variables());
    desktop.answers(Answer::Think);
    let mut ann = Peer::equipped(&lab, 1, "ann", "call", &["--screen", "display"], &equipment);
    let mut bo = Peer::join(&lab, 2, "bo", "call", &[]);
    bo.wait_joined(&ann, PATIENCE);
    desktop.wait_asked(1);
    ann.say("the meeting is on", &[]);
    bo.wait("a line", PATIENCE, |e| e["event"] == "chat" && e["text"] == "the meeting is on");
    assert!(bo.all(|e| e["event"] == "track" && e["track"] == "screen").is_empty(), "nothing is shared yet");
    // It ends at once, too, and takes the question with it.
    let (code, took) = ann.stop();
    assert!(code == Some(0) && took < Duration::from_secs(5), "{code:?} after {took:?}");
    // What is chosen follows; what is refused is a warning.
    desktop.answers(Answer::Refuse);
    let mut cy = Peer::equipped(&lab, 1, "cy", "call", &["--screen", "display"], &equipment);
    cy.wait("a warning", PATIENCE, |e| e["event"] == "warning" && e["code"] == "no-screen");
    assert_eq!(cy.must(json!({"do": "state"}))["settings"]["screen_on"], false);
    assert_eq!(cy.stop().0, Some(0));
    desktop.answers(Answer::Share);
    let dan = Peer::equipped(&lab, 1, "dan", "call", &["--screen", "display"], &equipment);
    bo.wait("pictures of the screen", PATIENCE, |e| seen(e, &dan.id));
    assert_eq!(bo.stop().0, Some(0));
}

/// The number of the test card in the first picture of a clip that is being written, once that is whole.
fn first_card(clip: &Path) -> Option<u32> {
    let mut file = BufReader::new(std::fs::File::open(clip).ok()?);
    let mut head = String::new();
    file.read_line(&mut head).ok()?;
    let side = |letter| head.split(' ').find_map(|word| word.strip_prefix(letter)?.parse::<u16>().ok());
    let (width, height) = (side('W')?, side('H')?);
    let mut picture = vec![0; 6 + usize::from(width) * usize::from(height)];
    file.read_exact(&mut picture).ok()?;
    testcard::read(&picture[6..], width, height).map(|stamp| stamp.frame)
}

#[test]
fn a_screen_that_stands_still_is_sharp_for_who_comes_late() {
    let lab = lab!(3);
    // The compositor sends one picture for a second, and nothing more.
    let desktop = Desktop::start((1280, 720), Shows::Still);
    let (mut ann, bo) = sharing(&lab, &desktop);
    let answer = ann.ask(json!({"do": "screen", "on": true, "source": "display"}));
    assert_eq!(answer["event"], "ok", "{answer}\n{}", ann.story());
    let pictures = |e: &Value, by: &str| e["peers"][by]["screen"]["frames"].as_u64() > Some(0);
    bo.wait("the picture", PATIENCE, |e| e["event"] == "stats" && pictures(e, &ann.id));
    // What comes after a while can only be made of the one that was kept.
    bo.watch(4);
    let dump = lab.folder().join("dump");
    let cy = Peer::join(&lab, 3, "cy", "call", &["--dump-video", &dump.display().to_string()]);
    cy.wait_joined(&ann, PATIENCE);
    let (joined, clip) = (now(), dump.join(format!("{}-screen.y4m", ann.id)));
    while first_card(&clip).is_none() {
        assert!(joined.elapsed() < PATIENCE, "no picture, or none that can be read\n{}", ann.story());
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = joined.elapsed();
    figure("a still Wayland screen, sharp for who comes late", took.as_secs_f64() * 1000.0, "ms", "1000");
    assert!(took <= bound(Duration::from_secs(1)), "{took:?}");
    assert_eq!(first_card(&clip), Some(0), "the one picture that there is");
}
