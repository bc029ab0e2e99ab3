//! A display of its own with a window manager, programs on it, and hands and eyes. Everything that a test started ends with
//! it, also when it fails.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lets_meet::clock::now;

use serde_json::Value;

/// How long anything may take to appear: three times what a person would wait on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running command that is killed when it is dropped.
#[derive(Debug)]
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that is asked to end, so that it ends what it started itself, and waited for.
#[derive(Debug)]
pub struct Alone(Child);

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

/// A tool that the tests need.
pub fn tool(name: &str) -> Command {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()));
    assert!(found, "{name} is missing: scripts/packages.txt lists what the tests need, and make test installs it");
    Command::new(name)
}

// Two desks would find each other's people: all share the loopback interface. So one test is at its desk at a time.
static TURN: Mutex<()> = Mutex::new(());

/// A display.
#[derive(Debug)]
pub struct Desk {
    _turn: MutexGuard<'static, ()>,
    display: String,
    // Ended in this order.
    _manager: Kept,
    _server: Kept,
    folder: tempfile::TempDir,
}

impl Desk {
    /// A display of `width` x `height` pixels.
    pub fn new(width: u32, height: u32) -> Self {
        Self::with(width, height, &[])
    }

    /// The same, its server started with more words.
    pub fn with(width: u32, height: u32, more: &[&str]) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        // The server chooses a free number itself and says which on its stdout: tests may run side by side.
        let server = tool("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", &format!("{width}x{height}x24")])
            .args(["-nolisten", "tcp", "-dpi", "96"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb starts");
        let mut server = Kept(server);
        let mut line = String::new();
        let said = server.0.stdout.take().expect("piped");
        BufReader::new(said).read_line(&mut line).expect("Xvfb says its number");
        let display = format!(":{}", line.trim());
        assert!(display.len() > 1, "Xvfb did not start");
        let manager = tool("openbox")
            .env("DISPLAY", &display)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openbox starts");
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Self { _turn: turn, display, _manager: Kept(manager), _server: server, folder };
        desk.until("a window manager", || {
            desk.run("xprop", &["-root", "_NET_SUPPORTING_WM_CHECK"]).contains("window id")
        });
        desk
    }

    /// Runs the program once more on this display and gives its exit code; ends it when it does not end by itself.
    pub fn start_again(&self, args: &[&str]) -> Option<i32> {
        let mut child = Kept(
            Command::new(env!("CARGO_BIN_EXE_lets-meet"))
                .args(args)
                .env("DISPLAY", &self.display)
                .env("LETS_MEET_RENDERER", "software")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts"),
        );
        let mut code = None;
        self.until("the end of the second start", || {
            code = child.0.try_wait().expect("it is ours").map(|status| status.code());
            code.is_some()
        });
        code.flatten()
    }

    /// Its name, as in `:1`.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Moves the pointer.
    pub fn point(&self, x: i32, y: i32) {
        self.run("xdotool", &["mousemove", &x.to_string(), &y.to_string()]);
    }

    /// A folder that goes with the desk.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What a tool of this display printed.
    fn run(&self, name: &str, args: &[&str]) -> String {
        let output =
            tool(name).args(args).env("DISPLAY", &self.display).stdin(Stdio::null()).output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What a window shows: left, top, width, height.
    pub fn pixels(&self, window: &str, (x, y, width, height): (f64, f64, f64, f64)) -> Pixels {
        let whole = |v: f64| format!("{}", v.round());
        let crop = format!("{}x{}+{}+{}", whole(width), whole(height), whole(x), whole(y));
        let output = tool("import")
            .args(["-window", window, "-crop", &crop, "-depth", "8", "rgb:-"])
            .env("DISPLAY", &self.display)
            .stdin(Stdio::null())
            .output()
            .expect("import runs");
        let (width, height) = (width.round() as usize, height.round() as usize);
        assert_eq!(output.stdout.len(), width * height * 3, "pixels of {crop}");
        Pixels { width, height, bytes: output.stdout }
    }

    /// Starts the program with these arguments and leaves it alone; it ends with what this returns.
    pub fn alone(&self, args: &[&str]) -> Alone {
        let child = Command::new(env!("CARGO_BIN_EXE_lets-meet"))
            .args(args)
            .env("DISPLAY", &self.display)
            .env("LETS_MEET_RENDERER", "software")
            .env("HOME", self.folder())
            .env_remove("WAYLAND_DISPLAY")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        Alone(child)
    }

    /// The visible windows whose title has these words, and brings `front` of them to the front.
    pub fn windows(&self, title: &str, front: Option<usize>) -> Vec<String> {
        let found = self.run("xdotool", &["search", "--onlyvisible", "--name", title]);
        let found: Vec<String> = found.lines().map(str::to_owned).collect();
        if let Some(id) = front.and_then(|at| found.get(at)) {
            self.run("xdotool", &["windowactivate", "--sync", id]);
            self.run("xdotool", &["windowraise", id]);
        }
        found
    }

    /// Waits for a fact.
    pub fn until(&self, what: &str, mut fact: impl FnMut() -> bool) {
        let end = now() + PATIENCE;
        while !fact() {
            assert!(now() < end, "waited {PATIENCE:?} for {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Starts the program with a profile of its own, called `name`, in software rendering.
    pub fn program(&self, name: &str, args: &[&str]) -> Window<'_> {
        self.program_with(name, args, &[])
    }

    /// The same with variables of its environment.
    pub fn program_with(&self, name: &str, args: &[&str], variables: &[(&str, &str)]) -> Window<'_> {
        let profile = self.folder().join(name);
        let map = self.folder().join(format!("{name}.map"));
        let log = std::fs::File::create(self.folder().join(format!("{name}.log"))).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_lets-meet"))
            .arg("window")
            .args(args)
            .arg("--profile")
            .arg(&profile)
            .args(["--name", name, "--interface", "lo", "--map"])
            .arg(&map)
            .env("DISPLAY", &self.display)
            .env("LETS_MEET_RENDERER", "software")
            .env("ICED_BACKEND", "tiny-skia")
            .env("HOME", self.folder())
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let id = child.id();
        let mut window = Window { desk: self, name: name.to_owned(), map, id: String::new(), child: Kept(child) };
        self.until("a window", || {
            window.id = self.run("xdotool", &["search", "--onlyvisible", "--pid", &id.to_string()]);
            window.id = window.id.lines().next().unwrap_or_default().to_owned();
            !window.id.is_empty()
        });
        self.until("the map of the window", || !window.entries().is_empty());
        window
    }
}

/// A piece of the screen, red, green and blue a byte each.
#[derive(Debug, Clone)]
pub struct Pixels {
    /// Across.
    pub width: usize,
    /// Down.
    pub height: usize,
    bytes: Vec<u8>,
}

impl Pixels {
    /// One pixel.
    pub fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let from = (y * self.width + x) * 3;
        [self.bytes[from], self.bytes[from + 1], self.bytes[from + 2]]
    }

    /// Brightness of one pixel, 0 to 255.
    pub fn luma(&self, x: usize, y: usize) -> u32 {
        let [r, g, b] = self.at(x, y).map(u32::from);
        (r * 299 + g * 587 + b * 114) / 1000
    }
}

/// Something on the map.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `control`, `field`, `box` or `text`.
    pub kind: String,
    /// Its name.
    pub id: String,
    /// Its words.
    pub text: String,
    /// Left, top, width, height.
    pub bounds: (f64, f64, f64, f64),
    /// It has the keyboard.
    pub focused: bool,
}

/// One window of the program.
#[derive(Debug)]
pub struct Window<'a> {
    desk: &'a Desk,
    name: String,
    map: PathBuf,
    id: String,
    child: Kept,
}

impl Window<'_> {
    /// Everything on screen now.
    pub fn entries(&self) -> Vec<Entry> {
        let text = std::fs::read_to_string(&self.map).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .map(|value| {
                let word = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
                let number = |key: &str| value[key].as_f64().unwrap_or_default();
                Entry {
                    kind: word("kind"),
                    id: word("id"),
                    text: word("text"),
                    bounds: (number("x"), number("y"), number("width"), number("height")),
                    focused: value["focused"] == true,
                }
            })
            .collect()
    }

    /// The tiles of the others. (The map has each twice: as what can be pressed, and as the box around it.)
    pub fn tiles(&self) -> Vec<Entry> {
        let is_tile = |entry: &Entry| entry.id.starts_with("tile-") && entry.kind == "control";
        self.entries().into_iter().filter(is_tile).collect()
    }

    /// The control of this name, when it is there.
    pub fn find(&self, id: &str) -> Option<Entry> {
        self.entries().into_iter().find(|entry| entry.id == id)
    }

    /// Words that contain these, when they are there.
    pub fn words(&self, text: &str) -> Option<Entry> {
        self.entries().into_iter().find(|entry| entry.text.contains(text))
    }

    /// Waits for a control.
    pub fn wait(&self, id: &str) -> Entry {
        self.desk.until(&format!("{id} in the window of {}: {}", self.name, self.log()), || self.find(id).is_some());
        self.find(id).expect("just seen")
    }

    /// Waits for words.
    pub fn wait_words(&self, text: &str) {
        let seen = || self.words(text).is_some();
        let end = now() + PATIENCE;
        while !seen() {
            let all: Vec<String> =
                self.entries().into_iter().map(|entry| entry.text).filter(|t| !t.is_empty()).collect();
            assert!(now() < end, "waited for '{text}' in the window of {}: {all:?}\n{}", self.name, self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.desk.folder().join(format!("{}.log", self.name))).unwrap_or_default()
    }

    fn tool(&self, args: &[&str]) {
        self.desk.run("xdotool", args);
    }

    /// Gives it the keyboard.
    pub fn focus(&self) {
        self.tool(&["windowactivate", "--sync", &self.id]);
        self.tool(&["windowraise", &self.id]);
    }

    /// Clicks into the middle of a control.
    pub fn click(&self, id: &str) {
        let ready = |entry: &Entry| entry.id == id && entry.kind != "box";
        let entry = || self.entries().into_iter().find(ready);
        let what = format!("{id} to be pressed in the window of {}: {}", self.name, self.log());
        self.desk.until(&what, || entry().is_some());
        self.click_at(&entry().expect("just seen"));
    }

    /// Clicks on words.
    pub fn click_words(&self, text: &str) {
        self.wait_words(text);
        self.click_at(&self.words(text).expect("just seen"));
    }

    /// Clicks into the middle of something.
    pub fn click_at(&self, entry: &Entry) {
        self.focus();
        let (x, y, width, height) = entry.bounds;
        let (x, y) = ((x + width / 2.0).round(), (y + height / 2.0).round());
        // Over a pixel beside it: a mouse that comes back to where this window saw it last is not told to have moved.
        for x in [x - 1.0, x] {
            self.tool(&["mousemove", "--window", &self.id, &x.to_string(), &y.to_string()]);
        }
        self.tool(&["click", "1"]);
    }

    /// Types into a field.
    pub fn write(&self, id: &str, text: &str) {
        self.click(id);
        self.tool(&["key", "ctrl+a"]);
        self.tool(&["type", "--delay", "5", text]);
        self.desk.until(&format!("'{text}' in {id}"), || self.find_field(id).is_some_and(|entry| entry.text == text));
    }

    /// Types into a field of several lines, which the map does not quote.
    pub fn compose(&self, id: &str, text: &str) {
        self.click(id);
        self.tool(&["type", "--delay", "20", text]);
    }

    fn find_field(&self, id: &str) -> Option<Entry> {
        self.entries().into_iter().find(|entry| entry.id == id && entry.kind == "field")
    }

    /// Presses a key (xdotool's names).
    pub fn key(&self, key: &str) {
        self.focus();
        self.tool(&["key", key]);
    }

    /// Its size now.
    pub fn size(&self) -> (u32, u32) {
        let text = self.desk.run("xdotool", &["getwindowgeometry", "--shell", &self.id]);
        let number = |key: &str| {
            text.lines().find_map(|line| line.strip_prefix(key)).and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        (number("WIDTH="), number("HEIGHT="))
    }

    /// Makes it as large.
    pub fn resize(&self, width: u32, height: u32) {
        self.tool(&["windowsize", "--sync", &self.id, &width.to_string(), &height.to_string()]);
    }

    /// Waits until what was asked of it is drawn: the map was written twice more, each time after a drawing.
    pub fn settle(&self) {
        for _ in 0..2 {
            let before = std::fs::metadata(&self.map).and_then(|file| file.modified()).ok();
            self.desk
                .until("another map", || std::fs::metadata(&self.map).and_then(|file| file.modified()).ok() != before);
        }
    }

    /// What it shows, as an image file.
    pub fn shot(&self, path: &Path) {
        self.focus();
        let path = path.to_string_lossy().into_owned();
        self.desk.run("import", &["-window", &self.id, &path]);
        assert!(Path::new(&path).exists(), "no screenshot in {path}");
    }

    /// What it shows within bounds of the map.
    pub fn pixels(&self, entry: &Entry) -> Pixels {
        self.desk.pixels(&self.id, entry.bounds)
    }

    /// Bytes of memory that it holds.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.0.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Waits for its end and gives the exit code.
    pub fn end(mut self) -> Option<i32> {
        let end = now() + PATIENCE;
        loop {
            if let Some(status) = self.child.0.try_wait().expect("it is ours") {
                return status.code();
            }
            assert!(now() < end, "the window of {} did not end", self.name);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Closes the window as its frame's cross does.
    pub fn close(&self) {
        self.key("alt+F4");
    }
}
