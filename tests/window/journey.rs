//! What two people do: they find each other, meet, see, mute, talk in public and in private, send a file, call, follow a link.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::desk::{Desk, Entry, Pixels, Window};

const CARD: [&str; 6] = ["--camera", "testcard:640x360@15", "--mic", "tone", "--speaker", "none"];

/// Where a screenshot of this name goes.
pub fn png(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("window");
    std::fs::create_dir_all(&folder).expect("a folder for screenshots");
    folder.join(format!("{name}.png"))
}

/// The entry whose id begins so.
fn starting(window: &Window<'_>, id: &str) -> Option<Entry> {
    window.entries().into_iter().find(|entry| entry.id.starts_with(id))
}

fn wait_starting(desk: &Desk, window: &Window<'_>, id: &str) -> Entry {
    desk.until(&format!("{id}.. on screen"), || starting(window, id).is_some());
    starting(window, id).expect("just seen")
}

/// The blocks of the test card in a tile, white as true, when they are there: a coarse look at its upper left part, where
/// nothing of it is cut off whatever the tile's shape.
pub fn blocks(window: &Window<'_>, tile: &Entry) -> Option<Vec<bool>> {
    window.focus();
    card(&window.pixels(tile))
}

fn card(pixels: &Pixels) -> Option<Vec<bool>> {
    let (mut blocks, mut clear) = (Vec::new(), 0);
    for y in 0..20 {
        for x in 0..20 {
            let luma =
                pixels.luma(pixels.width / 20 + x * pixels.width / 70, pixels.height / 8 + y * pixels.height / 50);
            clear += usize::from(!(60..=190).contains(&luma));
            blocks.push(luma > 126);
        }
    }
    // Nearly all of it is black or white, and there is some of both: no face of initials is so.
    let white = blocks.iter().filter(|white| **white).count();
    (clear >= 360 && (40..360).contains(&white)).then_some(blocks)
}

/// Both in one meeting that ana started and bo joined by a click.
fn meet<'a>(desk: &'a Desk, room: &str) -> (Window<'a>, Window<'a>) {
    let ana = desk.program("ana", &CARD);
    let bo = desk.program("bo", &CARD);
    // Another name, typed in its place.
    ana.write("name", "Ana Lima");
    ana.key("Return");
    bo.wait_words("Ana Lima");
    ana.write("room", room);
    ana.click("start");
    ana.wait("leave");
    bo.click(&format!("join-{room}"));
    wait_starting(desk, &bo, "tile-");
    wait_starting(desk, &ana, "tile-");
    (ana, bo)
}

#[test]
fn two_people_meet_see_each_other_and_talk() {
    let desk = Desk::new(1280, 840);
    let (ana, bo) = meet(&desk, "standup");

    // Bo turns his camera on: Ana sees his test card move.
    bo.key("v");
    let tile = wait_starting(&desk, &ana, "tile-");
    let mut first = None;
    desk.until("bo's picture in ana's window", || {
        first = blocks(&ana, &tile);
        first.is_some()
    });
    desk.until("another picture", || blocks(&ana, &tile).is_some_and(|now| Some(now) != first));
    ana.shot(&png("meeting"));

    // He sends less: seen in the figures of who receives it.
    bo.key("ctrl+comma");
    bo.click("section-video");
    bo.click_words("240p");
    bo.key("Escape");
    ana.key("t");
    ana.wait_words("426×240");

    // Chat with emoji, then a private line.
    bo.key("c");
    ana.click("tab-chat");
    ana.compose("chat-field", "Good morning ");
    ana.click("chat-emoji");
    ana.click("emoji-👍");
    ana.click("chat-send");
    bo.wait_words("Good morning 👍");
    bo.shot(&png("chat"));
    ana.click("chat-to");
    let person = |entry: &Entry| entry.id.strip_prefix("to-").is_some_and(|id| id.len() == 64);
    desk.until("bo among the recipients", || ana.entries().iter().any(person));
    ana.click_at(&ana.entries().into_iter().find(person).expect("just seen"));
    ana.click("to-close");
    ana.compose("chat-field", "only for you");
    ana.key("Return");
    bo.wait_words("only for you");
    assert!(bo.words("only you").is_some(), "a private line says that it is private: {:?}", bo.entries());

    // Mute, seen by the other; layouts; stats; then both leave.
    let crossed_out = char::from(lucide_icons::Icon::MicOff).to_string();
    assert!(bo.words(&crossed_out).is_none(), "both microphones are on");
    ana.click("microphone");
    bo.wait_words(&crossed_out);
    bo.click("tab-people");
    ana.click("layout-speaker");
    ana.click("layout-grid");
    ana.click("tab-stats");
    ana.wait("stats-expand");
    ana.click("stats-expand");
    ana.wait_words("Round trip");
    ana.shot(&png("stats"));
    ana.key("Escape");
    ana.click("leave");
    ana.wait("start");
    bo.wait_words("left");
    bo.click("leave");
    bo.wait("start");
}

#[test]
fn a_call_is_declined() {
    let desk = Desk::new(1280, 840);
    let ana = desk.program("ana", &CARD);
    let bo = desk.program("bo", &CARD);
    let call = wait_starting(&desk, &ana, "call-");
    ana.click_at(&call);
    bo.wait("decline");
    bo.shot(&png("ring"));
    bo.click("decline");
    ana.wait_words("declined");
    // At once again: it rings.
    desk.until("the end of the first call", || ana.find("cancel-call").is_none() && bo.find("decline").is_none());
    ana.click_at(&wait_starting(&desk, &ana, "call-"));
    bo.wait("decline");
    // Taken back.
    ana.click("cancel-call");
    bo.wait_words("called");
    assert!(bo.find("decline").is_none(), "it rings no more");
}

#[test]
fn a_missing_device_is_told_and_the_meeting_goes_on() {
    let desk = Desk::new(1280, 840);
    let ana = desk.program("ana", &["--camera", "device:9", "--mic", "device:7", "--speaker", "device:5"]);
    ana.write("room", "anyway");
    ana.click("start");
    ana.wait("leave");
    ana.wait_words("choose another in the settings");
    ana.shot(&png("no-devices"));
    ana.click("leave");
    ana.wait("start");
}

#[test]
fn the_demo_opens_two_windows_that_see_each_other() {
    let desk = Desk::new(1280, 840);
    let _demo = desk.alone(&["demo"]);
    desk.until("two windows", || desk.windows("Lets Meet", None).len() == 2);
    for index in 0..2 {
        // One tile takes all of the stage.
        desk.until("a test card in each", || {
            let found = desk.windows("Lets Meet", Some(index));
            found.get(index).is_some_and(|id| card(&desk.pixels(id, (12.0, 60.0, 1256.0, 637.0))).is_some())
        });
    }
}

#[test]
fn a_call_is_answered() {
    let desk = Desk::new(1280, 840);
    let ana = desk.program("ana", &CARD);
    let bo = desk.program("bo", &CARD);
    let call = wait_starting(&desk, &ana, "call-");
    ana.click_at(&call);
    bo.click("answer");
    wait_starting(&desk, &ana, "tile-");
    wait_starting(&desk, &bo, "tile-");
}

#[test]
fn a_link_is_followed_after_a_question() {
    let desk = Desk::new(1280, 840);
    let ana = desk.program("ana", &CARD);
    ana.write("room", "linked");
    ana.click("start");
    ana.wait_words("letsmeet://join?");
    ana.shot(&png("alone"));
    let link = ana.words("letsmeet://join?").expect("just seen").text;
    let bo = desk.program("bo", &CARD);
    bo.click("join-by");
    bo.write("join-field", &link);
    bo.shot(&png("join-by-link"));
    bo.click("join-now");
    bo.click("link-join");
    wait_starting(&desk, &bo, "tile-");
    wait_starting(&desk, &ana, "tile-");
}

#[test]
fn a_dropped_file_is_accepted_by_a_click() {
    let desk = Desk::new(1280, 840);
    let ana = desk.program("ana", &[]);
    let folder = desk.folder().join("of bo");
    std::fs::create_dir(&folder).expect("a folder");
    let file = folder.join("notes.txt");
    std::fs::write(&file, "what was decided").expect("written");
    let mut drop = Command::new(env!("CARGO_BIN_EXE_lets-meet"))
        .args(["drop", "--to", "ana", "--interface", "lo", "--name", "bo"])
        .arg(&file)
        .arg("--profile")
        .arg(desk.folder().join("bo"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("drop starts");
    ana.click_words("Accept");
    ana.wait_words("whole and checked");
    assert_eq!(drop.wait().expect("it ends").code(), Some(0));
    // This home has no Downloads folder, so it is the home itself.
    let landed = desk.folder().join("notes.txt");
    assert_eq!(std::fs::read_to_string(landed).expect("it landed"), "what was decided");
}

#[test]
fn a_second_start_raises_the_first_and_a_close_ends_it() {
    let desk = Desk::new(1280, 840);
    let ana = desk.program("ana", &[]);
    ana.wait("start");
    let profile = desk.folder().join("ana").to_string_lossy().into_owned();
    assert_eq!(desk.start_again(&["--interface", "lo", "--profile", &profile]), Some(0));
    // A link that is opened elsewhere: this window asks.
    let link = format!("letsmeet://join?room=Stand-up&by={}&at=127.0.0.1:9", "ab".repeat(32));
    assert_eq!(desk.start_again(&["open", &link, "--interface", "lo", "--profile", &profile]), Some(0));
    ana.wait_words("Stand-up");
    ana.click("link-later");
    ana.key("ctrl+comma");
    ana.click("section-appearance");
    ana.click("theme-light");
    ana.shot(&png("settings-light"));
    ana.key("Escape");
    ana.wait("start");
    ana.close();
    assert_eq!(ana.end(), Some(0));
}

#[test]
fn every_control_is_reached_by_tab() {
    let desk = Desk::new(1280, 840);
    let ana = desk.program("ana", &[]);
    ana.wait("start");
    let controls = |window: &Window<'_>| -> std::collections::BTreeSet<String> {
        window.entries().into_iter().filter(|e| e.kind == "control" && !e.id.is_empty()).map(|e| e.id).collect()
    };
    let all = controls(&ana);
    assert!(all.len() >= 5, "{all:?}");
    let mut reached = std::collections::BTreeSet::new();
    for _ in 0..all.len() + 3 {
        let before = focused(&ana);
        ana.key("Tab");
        desk.until("the focus to move", || focused(&ana) != before);
        reached.extend(focused(&ana));
    }
    assert!(all.is_subset(&reached), "not reached: {:?}", all.difference(&reached).collect::<Vec<_>>());
}

fn focused(window: &Window<'_>) -> Option<String> {
    window.entries().into_iter().find(|entry| entry.focused && !entry.id.is_empty()).map(|entry| entry.id)
}
