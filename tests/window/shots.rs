//! Screenshots of each screen in three sizes, for people to look at: `make screenshots`. What a program can see is asserted:
//! every control lies inside the window.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::desk::{Desk, Window};
use crate::journey::blocks;

pub struct Headless(Child);

impl Drop for Headless {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Headless {
    /// Says a line to everybody.
    fn say(&mut self, text: &str) {
        let line = serde_json::json!({ "do": "chat", "text": text });
        let stdin = self.0.stdin.as_mut().expect("piped");
        writeln!(stdin, "{line}").expect("it reads");
    }
}

/// Company without windows.
pub fn peer(desk: &Desk, name: &str, room: &str, media: &[&str]) -> Headless {
    peer_into(desk, name, room, media, Stdio::null())
}

/// The same, whose events go into `said`.
pub fn peer_into(desk: &Desk, name: &str, room: &str, media: &[&str], said: Stdio) -> Headless {
    let child = Command::new(env!("CARGO_BIN_EXE_lets-meet"))
        .args(["join", room, "--json", "--interface", "lo", "--name", name, "--profile"])
        .arg(desk.folder().join(name))
        .args(media)
        .stdin(Stdio::piped())
        .stdout(said)
        .stderr(Stdio::null())
        .spawn()
        .expect("a peer starts");
    Headless(child)
}

fn inside(window: &Window<'_>, what: &str, width: f64, height: f64) {
    for entry in window.entries().iter().filter(|entry| entry.kind == "control" && !entry.id.is_empty()) {
        let (x, y, w, h) = entry.bounds;
        let fits = x >= -1.0 && y >= -1.0 && x + w <= width + 1.0 && y + h <= height + 1.0;
        assert!(fits && w > 0.0 && h > 0.0, "{what}: {} stands at {:?} of {width}x{height}", entry.id, entry.bounds);
    }
}

fn shoot(width: u32, height: u32) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("window");
    std::fs::create_dir_all(&folder).expect("a folder");
    let size = format!("{width}x{height}");
    // Room for the frame of the window.
    let desk = Desk::new(width + 16, height + 48);
    let mut peers = [
        peer(&desk, "Bo", "design review", &["--camera", "testcard:640x360@15", "--mic", "clicks"]),
        peer(&desk, "Cy", "design review", &["--camera", "testcard:640x360@15"]),
        peer(&desk, "Dima", "design review", &[]),
    ];
    let ana = desk.program("Ana", &["--camera", "testcard:640x360@15", "--mic", "tone", "--speaker", "none"]);
    ana.resize(width, height);
    desk.until("the size", || ana.size() == (width, height));
    let shot = |name: &str| {
        ana.settle();
        ana.shot(&folder.join(format!("{name}-{size}.png")));
        inside(&ana, &format!("{name} {size}"), f64::from(width), f64::from(height));
    };
    let picture = || {
        desk.until("a test card", || ana.tiles().iter().any(|tile| blocks(&ana, tile).is_some()));
    };
    ana.wait("join-design review");
    desk.until("all three in sight", || ["Bo", "Cy", "Dima"].iter().all(|name| ana.words(name).is_some()));
    shot("lobby");
    ana.click("join-by");
    shot("join");
    ana.key("Escape");
    ana.key("ctrl+comma");
    for section in ["profile", "devices", "video", "network", "privacy", "appearance", "keys", "shortcuts"] {
        ana.click(&format!("section-{section}"));
        shot(&format!("settings-{section}"));
    }
    ana.key("Escape");
    ana.click("join-design review");
    desk.until("three tiles", || ana.tiles().len() == 3);
    ana.key("v");
    ana.wait("own-tile");
    picture();
    shot("meeting");
    ana.key("c");
    for (at, text) in
        [(0, "Morning! Slides are in Files."), (1, "Shall we start?"), (0, "Yes. Cy, your numbers first.")]
    {
        peers[at].say(text);
        ana.wait_words(text);
    }
    for panel in ["chat", "people", "files", "stats"] {
        // By the tabs: the field of the chat takes the keys.
        ana.click(&format!("tab-{panel}"));
        shot(&format!("panel-{panel}"));
    }
    ana.click("stats-expand");
    ana.wait_words("Round trip");
    shot("stats");
    ana.key("Escape");
    // A small window shows the stage only without its panel.
    ana.click("close-panel");
    ana.key("1");
    picture();
    shot("speaker");
    ana.key("F1");
    shot("shortcuts");
    ana.key("Escape");
    ana.click("leave");
    ana.wait("start");
}

#[test]
fn every_screen_fits_800x600() {
    shoot(800, 600);
}

#[test]
fn every_screen_fits_1280x800() {
    shoot(1280, 800);
}

#[test]
fn every_screen_fits_3840x2160() {
    shoot(3840, 2160);
}
