//! Displays and windows of a real X server, shared with a peer without a window: text that can be read, windows that show
//! themselves, the pointer, and what is said when something ends.

use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lets_meet::clock::now;
use serde_json::{Value, json};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    ChangeWindowAttributesAux, ConfigureWindowAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, Gcontext,
    ImageFormat, PropMode, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use crate::desk::{Desk, PATIENCE, tool};
use crate::figure::figure;

/// A peer without a window.
struct Talker {
    child: Child,
    said: Arc<Mutex<Vec<(Instant, Value)>>>,
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &Path, name: &str, display: Option<&str>, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lets-meet"));
    command.args(args).args(["--json", "--interface", "lo", "--name", name, "--profile"]).arg(folder.join(name));
    command.env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY").stderr(Stdio::null());
    command.envs(display.map(|display| ("DISPLAY", display)));
    command
}

impl Talker {
    fn join(folder: &Path, name: &str, display: Option<&str>, more: &[&str]) -> Self {
        let args = [&["join", "sharing"], more].concat();
        let mut command = command(folder, name, display, &args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let said = Arc::new(Mutex::new(Vec::new()));
        let (stdout, heard) = (child.stdout.take().expect("piped"), Arc::clone(&said));
        let listen = move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::Null);
                heard.lock().unwrap_or_else(PoisonError::into_inner).push((now(), value));
            }
        };
        std::thread::Builder::new().name(format!("ear-{name}")).spawn(listen).expect("a thread starts");
        Self { child, said }
    }

    fn all(&self) -> Vec<(Instant, Value)> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first line from `from` on that fits.
    fn wait(&self, from: usize, what: &str, fits: impl Fn(&Value) -> bool) -> (Instant, Value) {
        let end = now() + PATIENCE;
        loop {
            let said = self.all();
            if let Some(line) = said.iter().skip(from).find(|(_, value)| fits(value)) {
                return line.clone();
            }
            assert!(
                now() < end,
                "waited {PATIENCE:?} for {what}; heard {:?}",
                said.iter().rev().take(8).collect::<Vec<_>>()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn tell(&mut self, command: &Value) {
        writeln!(self.child.stdin.as_mut().expect("piped"), "{command}").expect("it reads");
    }
}

fn is_screen(value: &Value, on: bool) -> bool {
    value["event"] == "track" && value["track"] == "screen" && value["on"] == on
}

/// The pictures of the one shared screen that a peer writes into this folder, as far as they are written.
struct Dump(PathBuf);

struct Luma {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Luma {
    fn at(&self, x: usize, y: usize) -> u8 {
        self.bytes[y * self.width + x]
    }

    /// How many pixels of a square around a place are darker than grey.
    fn dark_near(&self, x: usize, y: usize) -> usize {
        let near = |at: usize, of: usize| at.saturating_sub(20)..(at + 20).min(of);
        near(y, self.height)
            .flat_map(|y| near(x, self.width).map(move |x| (x, y)))
            .filter(|(x, y)| self.at(*x, *y) < 90)
            .count()
    }
}

impl Dump {
    /// Picture `index`, or the last one.
    fn picture(&self, index: Option<u64>) -> Option<Luma> {
        let mut files = std::fs::read_dir(&self.0).ok()?.flatten().map(|entry| entry.path());
        let path = files.find(|path| path.to_string_lossy().ends_with("-screen.y4m"))?;
        let mut file = BufReader::new(std::fs::File::open(path).ok()?);
        let mut head = String::new();
        file.read_line(&mut head).ok()?;
        let side = |letter| head.split(' ').find_map(|word| word.strip_prefix(letter)?.parse::<usize>().ok());
        let (width, height) = (side('W')?, side('H')?);
        let frame = u64::try_from(6 + width * height * 3 / 2).ok()?;
        let length = file.get_ref().metadata().ok()?.len().checked_sub(u64::try_from(head.len()).ok()?)?;
        let index = index.unwrap_or((length / frame).checked_sub(1)?);
        if (index + 1) * frame > length {
            return None;
        }
        file.seek(SeekFrom::Start(u64::try_from(head.len()).ok()? + index * frame + 6)).ok()?;
        let mut bytes = vec![0; width * height];
        file.read_exact(&mut bytes).ok()?;
        Some(Luma { width, height, bytes })
    }

    /// Waits for a last picture that fits.
    fn wait(&self, what: &str, fits: impl Fn(&Luma) -> bool) -> Luma {
        let end = now() + PATIENCE;
        loop {
            if let Some(picture) = self.picture(None).filter(|picture| fits(picture)) {
                return picture;
            }
            let last = || self.picture(None).map(|last| (last.width, last.height, last.at(50, 50), last.at(400, 300)));
            assert!(now() < end, "waited {PATIENCE:?} for {what}; the last picture is {:?}", last());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A window of the test's own.
struct Page {
    server: RustConnection,
    id: Window,
    pen: Gcontext,
}

/// Whether the window manager has a say.
#[derive(PartialEq)]
enum Frame {
    Managed,
    Bare,
}

impl Page {
    fn open(display: &str, title: &str, (width, height): (u16, u16), frame: &Frame) -> Self {
        let (server, number) = RustConnection::connect(Some(display)).expect("connected");
        let screen = server.setup().roots[number].clone();
        let (id, pen) = (server.generate_id().expect("an id"), server.generate_id().expect("an id"));
        let bare = u32::from(*frame == Frame::Bare);
        let aux = CreateWindowAux::new().background_pixel(0xff_ffff).override_redirect(bare);
        let class = WindowClass::INPUT_OUTPUT;
        server.create_window(24, id, screen.root, 0, 0, width, height, 0, class, 0, &aux).expect("sent");
        server.create_gc(pen, id, &CreateGCAux::new()).expect("sent");
        let atom =
            |name: &str| server.intern_atom(false, name.as_bytes()).expect("sent").reply().expect("an atom").atom;
        let (name, text) = (atom("_NET_WM_NAME"), atom("UTF8_STRING"));
        server.change_property8(PropMode::REPLACE, id, name, text, title.as_bytes()).expect("sent");
        let page = Self { server, id, pen };
        page.map();
        page
    }

    /// Where on the display its left upper corner is.
    fn place(&self) -> (i32, i32) {
        let root = self.server.setup().roots[0].root;
        let at = self.server.translate_coordinates(self.id, root, 0, 0).expect("sent").reply().expect("an answer");
        (at.dst_x.into(), at.dst_y.into())
    }

    fn map(&self) {
        self.server.map_window(self.id).expect("sent");
        self.sync();
    }

    fn sync(&self) {
        self.server.get_input_focus().expect("sent").reply().expect("an answer");
    }

    /// Draws rows of pixels, four bytes each.
    fn draw(&self, width: u16, height: u16, pixels: &[u8]) {
        let image = self.server.put_image(ImageFormat::Z_PIXMAP, self.id, self.pen, width, height, 0, 0, 0, 24, pixels);
        image.expect("sent");
        self.sync();
    }

    /// All of it in one grey, now and whenever the server asks for it again: redirected, a window is drawn anew.
    fn fill(&self, grey: u8) {
        let aux = ChangeWindowAttributesAux::new().background_pixel(u32::from_be_bytes([0, grey, grey, grey]));
        self.server.change_window_attributes(self.id, &aux).expect("sent");
        self.server.clear_area(false, self.id, 0, 0, 0, 0).expect("sent");
        self.sync();
    }
}

const PAGE: (usize, usize) = (1200, 2600);

/// Text of ten points at 96 dots an inch, black on white.
fn text() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = ["CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md"]
        .map(|name| std::fs::read_to_string(root.join(name)).expect("a page"));
    let plain = |c: &char| c.is_ascii_alphanumeric() || " .,:;()\n".contains(*c);
    let words: Vec<String> =
        source.concat().chars().filter(plain).collect::<String>().split_whitespace().map(str::to_owned).collect();
    let lines: Vec<String> = words.chunks(20).map(|line| line.join(" ")).collect();
    let size = format!("{}x{}", PAGE.0, PAGE.1);
    let drawn = tool("convert")
        .args(["-size", &size, "xc:white", "-font"])
        .arg(font(root))
        .args(["-pointsize", "10", "-density", "96", "-fill", "black", "-annotate", "+16+24", &lines.join("\n")])
        .args(["-depth", "8", "gray:-"])
        .output()
        .expect("convert runs");
    assert_eq!(drawn.stdout.len(), PAGE.0 * PAGE.1, "{}", String::from_utf8_lossy(&drawn.stderr));
    drawn.stdout
}

/// A font of the program's own.
fn font(root: &Path) -> PathBuf {
    let files = std::fs::read_dir(root.join("assets/fonts")).expect("fonts").flatten().map(|entry| entry.path());
    let mut fonts: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|ext| ext == "ttf" || ext == "otf")).collect();
    fonts.sort();
    fonts.into_iter().find(|path| path.to_string_lossy().contains("Regular")).expect("a font")
}

/// What is read in a part of grey pixels.
fn read(grey: &[u8], width: usize) -> Vec<char> {
    let size = format!("{width}x{}", grey.len() / width);
    let mut enlarge = tool("convert")
        .args(["-size", &size, "-depth", "8", "gray:-", "-resize", "300%", "png:-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("convert runs");
    let read = tool("tesseract")
        .args(["stdin", "stdout", "--psm", "6"])
        .env("OMP_THREAD_LIMIT", "1")
        .stdin(enlarge.stdout.take().expect("piped"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("tesseract runs");
    enlarge.stdin.take().expect("piped").write_all(grey).expect("it reads");
    let output = read.wait_with_output().expect("it ends");
    enlarge.wait().expect("it ends");
    String::from_utf8_lossy(&output.stdout).chars().filter(|c| !c.is_whitespace()).collect()
}

/// How many characters both have in the same order.
fn common(a: &[char], b: &[char]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut before = 0;
        for (at, y) in b.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if x == y { before + 1 } else { above.max(row[at]) };
            before = above;
        }
    }
    row[b.len()]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().expect("something was measured")
}

#[test]
fn small_text_is_readable_at_the_far_side_at_once_and_scrolls() {
    let desk = Desk::new(1920, 1080);
    let text = text();
    let page = Page::open(desk.display(), "Page", (1920, 1080), &Frame::Bare);
    // As the server takes them, so that drawing costs little.
    let pixels: Vec<u8> = text.iter().flat_map(|grey| [*grey; 4]).collect();
    let show = |from: usize| page.draw(1200, 1080, &pixels[from * PAGE.0 * 4..][..PAGE.0 * 1080 * 4]);
    show(0);
    let dump = Dump(desk.folder().join("dump"));
    let folder = dump.0.to_string_lossy().into_owned();
    let bo = Talker::join(desk.folder(), "Bo", None, &["--dump-video", &folder]);
    bo.wait(0, "ready", |e| e["event"] == "ready");
    let _ann = Talker::join(desk.folder(), "Ann", Some(desk.display()), &["--screen", "display"]);
    let (joined, _) = bo.wait(0, "Ann", |e| e["event"] == "joined");
    let (_, track) = bo.wait(0, "the track", |e| is_screen(e, true));
    assert_eq!((&track["width"], &track["height"]), (&json!(1920), &json!(1080)));
    while dump.picture(Some(0)).is_none() {
        assert!(joined.elapsed() < PATIENCE, "no picture came");
        std::thread::sleep(Duration::from_millis(5));
    }
    let first = joined.elapsed();
    figure("first picture of a screen after the join", first.as_secs_f64() * 1000.0, "ms", "1000");
    assert!(first <= Duration::from_secs(3), "the first picture took {first:?}");

    // A part of the page, since reading takes its time.
    let (columns, rows) = (900, 400);
    let part = |bytes: &[u8], stride: usize| -> Vec<u8> {
        bytes.chunks_exact(stride).take(rows).flat_map(|row| row[..columns].to_vec()).collect()
    };
    let source = read(&part(&text, PAGE.0), columns);
    let picture = dump.picture(Some(0)).expect("it is there");
    let full: Vec<u8> =
        picture.bytes.iter().map(|y| (u32::from(y.saturating_sub(16)) * 255 / 219).min(255) as u8).collect();
    let shown = read(&part(&full, picture.width), columns);
    let same = common(&source, &shown);
    let share = 100.0 * f64::from(same as u32) / f64::from(source.len() as u32);
    figure("characters of ten points read in the first picture of a screen", share, "%", "98");
    assert!(source.len() > 1000, "the page has text: {}", source.len());
    assert!(same * 100 >= source.len() * 98, "{same} of {} characters can be read", source.len());

    // Twenty lines a second.
    let mark = bo.all().len();
    let end = now() + Duration::from_secs(7);
    let (mut from, mut turns) = (0, 0);
    while now() < end {
        turns += 1;
        let next = now() + Duration::from_millis(50);
        from = (from + 16) % (PAGE.1 - 1080);
        show(from);
        std::thread::sleep(next.saturating_duration_since(now()));
    }
    let lines: Vec<Value> = bo.all().split_off(mark).into_iter().map(|(_, value)| value).collect();
    let of = |path: &str| -> Vec<f64> {
        let screens = lines.iter().filter(|e| e["event"] == "stats").flat_map(|e| e["peers"].as_object());
        screens.flat_map(|peers| peers.values()).filter_map(|peer| peer["screen"].pointer(path)?.as_f64()).collect()
    };
    let (fps, latency) = (median(of("/fps")), median(of("/latency_ms/p95")));
    figure("pictures of a screen that scrolls", fps, "a second", "10");
    figure("latency of a screen that scrolls, p95", latency, "ms", "300");
    figure("times that the page was scrolled in 7 s", f64::from(turns), "turns", "140");
    assert!(fps >= 10.0, "{fps:.1} pictures a second");
    assert!(latency <= 900.0, "{latency:.0} ms");

    // The pointer is drawn where it is, on white.
    for (x, y) in [(1500, 300), (1600, 900)] {
        desk.point(x, y);
        let (x, y) = (x as usize, y as usize);
        dump.wait("the pointer", |picture| picture.dark_near(x, y) > 10);
    }
    assert_eq!(dump.picture(None).expect("there").dark_near(1500, 300), 0, "it left where it was");
}

/// What `lets-meet devices` says of screens.
fn screens(desk: &Desk) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lets-meet"));
    command.args(["devices", "--json"]).env("DISPLAY", desk.display()).env_remove("WAYLAND_DISPLAY");
    let out = command.stderr(Stdio::null()).output().expect("it runs");
    let lines = String::from_utf8_lossy(&out.stdout).into_owned();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .filter(|e: &Value| e["kind"] == "screen")
        .collect()
}

#[test]
fn a_covered_window_shows_itself_changes_its_size_and_ends_with_words() {
    let desk = Desk::new(1280, 800);
    let page = Page::open(desk.display(), "My\u{202e} page\u{7}", (800, 600), &Frame::Managed);
    let mut id = String::new();
    desk.until("the window in the list", || {
        // A window manager that has just begun may miss the first wish.
        page.map();
        let found = screens(&desk);
        assert_eq!((&found[0]["id"], &found[0]["width"]), (&json!("display:0"), &json!(1280)));
        let window = found.iter().find(|e| e["name"] == "My page");
        id = window.map(|e| e["id"].as_str().expect("a word").to_owned()).unwrap_or_default();
        !id.is_empty()
    });
    page.fill(100);
    desk.point(1279, 799);
    let dump = Dump(desk.folder().join("dump"));
    let folder = dump.0.to_string_lossy().into_owned();
    let bo = Talker::join(desk.folder(), "Bo", None, &["--dump-video", &folder]);
    bo.wait(0, "ready", |e| e["event"] == "ready");
    let ann = Talker::join(desk.folder(), "Ann", Some(desk.display()), &["--screen", &id]);
    let grey = |picture: &Luma, value: u8| {
        let expect = 16 + u32::from(value) * 219 / 255;
        [(50, 50), (250, 100), (750, 550)].iter().all(|(x, y)| u32::from(picture.at(*x, *y)).abs_diff(expect) <= 4)
    };
    let first = dump.wait("the window", |picture| grey(picture, 100));
    assert_eq!((first.width, first.height), (800, 600), "the window alone");
    // The pointer is drawn while it is over the window, and not while it is over what covers it there.
    page.fill(180);
    let (x, y) = page.place();
    desk.point(x + 400, y + 300);
    dump.wait("the pointer", |picture| grey(picture, 180) && picture.dark_near(400, 300) > 10);
    let cover = Page::open(desk.display(), "Cover", (1280, 800), &Frame::Bare);
    cover.fill(250);
    page.fill(200);
    dump.wait("what is below the cover", |picture| grey(picture, 200) && picture.dark_near(400, 300) == 0);
    desk.point(x + 500, y + 200);
    page.fill(180);
    dump.wait("no pointer", |picture| grey(picture, 180));
    assert_eq!(dump.picture(None).expect("there").dark_near(500, 200), 0, "it is over the cover");

    let mark = bo.all().len();
    page.server.configure_window(page.id, &ConfigureWindowAux::new().width(1000).height(500)).expect("sent");
    page.sync();
    bo.wait(mark, "the new size", |e| is_screen(e, true) && e["width"] == 1000 && e["height"] == 500);
    let from = ann.all().len();
    page.server.destroy_window(page.id).expect("sent");
    page.sync();
    let (_, warning) = ann.wait(from, "a warning", |e| e["event"] == "warning");
    assert_eq!(warning["code"], "source-failed");
    assert!(warning["message"].as_str().is_some_and(|words| words.contains("the window was closed")), "{warning}");
    bo.wait(mark, "the end of the track", |e| is_screen(e, false));
}

#[test]
fn a_window_is_not_shared_where_what_covers_it_would_be() {
    let desk = Desk::with(1024, 768, &["-extension", "Composite"]);
    let page = Page::open(desk.display(), "Page", (400, 300), &Frame::Bare);
    page.sync();
    assert!(screens(&desk).iter().all(|e| e["id"].as_str().is_some_and(|id| id.starts_with("display:"))));
    let wish = format!("window:{:#x}", page.id);
    let words = ["join", "sharing", "--screen", &wish];
    let out = command(desk.folder(), "Ann", Some(desk.display()), &words).stdin(Stdio::null()).output();
    let out = out.expect("it runs");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(6), "{said}");
    assert!(said.contains("share the whole display instead"), "{said}");
}

#[test]
fn a_display_that_is_not_there_or_goes_away_ends_no_meeting() {
    let desk = Desk::new(1024, 768);
    let folder = tempfile::tempdir().expect("a folder");
    // No display at all: a warning, and the meeting goes on. One that was named: the end.
    let alone = Talker::join(folder.path(), "Alone", None, &["--screen", "display"]);
    let (_, warning) = alone.wait(0, "a warning", |e| e["event"] == "warning");
    assert_eq!(warning["code"], "no-screen");
    assert!(warning["hint"].as_str().is_some_and(|hint| !hint.is_empty()));
    for missing in ["display:7", "window:0x7ffffff"] {
        let mut command =
            command(folder.path(), "Wrong", Some(desk.display()), &["join", "sharing", "--screen", missing]);
        let out = command.stdin(Stdio::null()).output().expect("it runs");
        assert_eq!(out.status.code(), Some(6), "{missing}: {}", String::from_utf8_lossy(&out.stdout));
    }

    let mut ann = Talker::join(folder.path(), "Ann", Some(desk.display()), &["--screen", "display:0"]);
    alone.wait(0, "the screen", |e| is_screen(e, true));
    alone.wait(0, "pictures", |e| {
        e["peers"]
            .as_object()
            .is_some_and(|peers| peers.values().any(|peer| peer["screen"]["frames"].as_u64() > Some(0)))
    });
    drop(desk);
    let (_, warning) = ann.wait(0, "a warning", |e| e["event"] == "warning");
    assert_eq!(warning["code"], "source-failed");
    assert!(warning["message"].as_str().is_some_and(|words| words.contains("went away")), "{warning}");
    alone.wait(0, "the end of the track", |e| is_screen(e, false));
    ann.tell(&json!({ "do": "state" }));
    let (_, state) = ann.wait(0, "an answer", |e| e["event"] == "ok" && e["do"] == "state");
    assert_eq!(state["settings"]["screen_on"], false);
}

#[test]
fn a_window_shares_a_display_by_key_says_so_and_shows_the_screens_of_others() {
    let desk = Desk::new(1280, 840);
    let ana = desk.program("ana", &["--room", "sharing"]);
    ana.wait("leave");
    let bo = Talker::join(desk.folder(), "Bo", None, &["--screen", "testcard:640x360@15"]);
    // Somebody's screen takes the stage, the person stands beside it.
    let starts = |start: &str| ana.entries().into_iter().find(|entry| entry.id.starts_with(start));
    desk.until("a shared screen", || starts("shared-").is_some() && starts("tile-").is_some());
    let (shared, tile) = (starts("shared-").expect("seen"), starts("tile-").expect("seen"));
    assert!(shared.bounds.2 > tile.bounds.2 * 2.0, "{shared:?} beside {tile:?}");
    desk.until("a test card in it", || {
        ana.focus();
        let pixels = ana.pixels(&shared);
        let (mut dark, mut bright) = (0, 0);
        for (x, y) in (0..40).flat_map(|x| (0..40).map(move |y| (x, y))) {
            let luma =
                pixels.luma(pixels.width / 10 + x * pixels.width / 160, pixels.height / 8 + y * pixels.height / 100);
            dark += usize::from(luma < 30);
            bright += usize::from(luma > 225);
        }
        dark > 200 && bright > 200
    });

    ana.key("s");
    ana.wait("share-display:0");
    let own = ana.entries().into_iter().find(|entry| entry.id.starts_with("share-window:"));
    assert!(own.is_none(), "a window of one's own is not offered: {own:?}");
    ana.click("share-display:0");
    ana.wait_words("You are sharing Display 1");
    bo.wait(0, "the display", |e| is_screen(e, true) && e["width"] == 1280 && e["height"] == 840);
    bo.wait(0, "its pictures", |e| {
        let peers = e["peers"].as_object();
        peers.is_some_and(|peers| peers.values().any(|peer| peer["screen"]["width"] == 1280))
    });
    let mark = bo.all().len();
    ana.click("stop-sharing");
    bo.wait(mark, "the end", |e| is_screen(e, false));
    desk.until("the end of the bar", || ana.find("stop-sharing").is_none());
}
