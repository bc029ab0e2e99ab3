//! What four moving tiles of 640x360 cost without a GPU: a real window on a display of its own (Xvfb), frame numbers read
//! from the pixels that the display shows. `cargo bench --bench window`; fails below 15 pictures a second in any tile, or
//! above one core. Measures the window alone: test cards are drawn in place of decoding.

#![expect(clippy::print_stdout, reason = "it answers on a terminal")]

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use iced::widget::{column, container, row, stack, text};
use iced::{Element, Task};
use lets_meet::av::capture::VideoSource as _;
use lets_meet::av::capture::testcard::{self, TestCard};
use lets_meet::engine::pictures::{Key, Pictures};
use lets_meet::frame::Pool;
use lets_meet::id::PeerId;
use lets_meet::ui::video;
use lets_meet::ui::widget::Tile;

const TILE: (u16, u16) = (640, 360);
const FPS: u8 = 30;
const WARM: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(10);
const LEAST_FPS: f64 = 15.0;
const MOST_CORES: f64 = 1.0;

fn main() -> ExitCode {
    let argument = |name: &str| std::env::args().any(|argument| argument == name);
    if argument("--tiles") {
        return match window() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    // `cargo test --all-targets` runs this too, where nothing is to be measured.
    if !argument("--bench") {
        return ExitCode::SUCCESS;
    }
    match measure() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error} (needs the package xvfb)");
            ExitCode::FAILURE
        }
    }
}

fn key(index: u8) -> Key {
    Key::camera(PeerId::from_bytes([index; 32]))
}

struct Tiles {
    pictures: Pictures,
}

fn window() -> iced::Result {
    let start = || {
        let pictures = Pictures::new();
        for index in 0..4 {
            let pictures = pictures.clone();
            pictures.open(key(index));
            let work = move || feed(&pictures, key(index));
            lets_meet::task::thread("camera", work).expect("a thread");
        }
        (Tiles { pictures }, Task::none())
    };
    let update = |_: &mut Tiles, (): ()| Task::none();
    iced::application(start, update, view)
        .title("tiles")
        .subscription(|tiles: &Tiles| video::ticks(&tiles.pictures))
        .window_size((f32::from(2 * TILE.0), f32::from(2 * TILE.1)))
        .run()
}

fn view(tiles: &Tiles) -> Element<'_, ()> {
    let tile = |index: u8| {
        // Below the stamp, so that it can be read.
        let name = container(text(format!("Person {index}")).size(14)).align_bottom(360).padding(8);
        stack![Tile::new(tiles.pictures.clone(), key(index)), name]
    };
    column![row![tile(0), tile(1)], row![tile(2), tile(3)]].into()
}

fn feed(pictures: &Pictures, key: Key) {
    let (pool, mut card) = (Pool::new(4), TestCard::new(TILE.0, TILE.1, FPS));
    let start = lets_meet::clock::now();
    for tick in 0.. {
        let due = start + card.format().due(tick);
        std::thread::sleep(due.saturating_duration_since(lets_meet::clock::now()));
        let mut picture = pool.picture(TILE.0, TILE.1);
        card.picture(tick, &mut picture).expect("drawn");
        pictures.show(key, &Arc::new(picture));
    }
}

struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn measure() -> std::io::Result<bool> {
    let folder = tempfile::tempdir()?;
    let server = Command::new("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", "1280x720x24", "-nolisten", "tcp", "-fbdir"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut server = Kept(server);
    let mut number = String::new();
    BufReader::new(server.0.stdout.take().ok_or_else(|| std::io::Error::other("no pipe"))?).read_line(&mut number)?;
    let window = Command::new(std::env::current_exe()?)
        .arg("--tiles")
        .env("DISPLAY", format!(":{}", number.trim()))
        .env("ICED_BACKEND", "tiny-skia")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null())
        .spawn()?;
    let window = Kept(window);
    let mut screen = Screen::open(&folder.path().join("Xvfb_screen0"))?;
    let started = lets_meet::clock::now();
    while !(0..4).all(|index| screen.frame(index).is_some()) {
        std::thread::sleep(Duration::from_millis(10));
        if started.elapsed() > Duration::from_secs(20) {
            return Err(std::io::Error::other("no test card is seen in 20 s"));
        }
    }
    println!("four tiles are seen after {} ms", started.elapsed().as_millis());
    std::thread::sleep(WARM);
    let (start, before) = (lets_meet::clock::now(), cpu_seconds(&window.0)?);
    let mut seen = [(None, 0u32); 4];
    while start.elapsed() < MEASURED {
        for (index, (last, count)) in seen.iter_mut().enumerate() {
            let frame = screen.frame(index);
            if frame.is_some() && frame != *last {
                (*last, *count) = (frame, *count + 1);
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let seconds = start.elapsed().as_secs_f64();
    let cores = (cpu_seconds(&window.0)? - before) / seconds;
    let rates = seen.map(|(_, count)| f64::from(count) / seconds);
    let least = rates.iter().copied().fold(f64::MAX, f64::min);
    println!("pictures a second in each tile: {}", rates.map(|rate| format!("{rate:.1}")).join(" "));
    println!("cores: {cores:.2}");
    Ok(least >= LEAST_FPS && cores <= MOST_CORES)
}

/// What the display shows, in the file that Xvfb keeps it in (the format of xwd).
struct Screen {
    file: std::fs::File,
    pixels: u64,
    stride: u64,
    luma: Vec<u8>,
}

impl Screen {
    fn open(path: &Path) -> std::io::Result<Self> {
        let started = lets_meet::clock::now();
        let mut file = loop {
            match std::fs::File::open(path) {
                Ok(file) => break file,
                Err(error) if started.elapsed() > Duration::from_secs(5) => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        let mut head = [0; 100];
        file.read_exact(&mut head)?;
        let word = |index: usize| {
            let bytes = head.as_chunks::<4>().0[index];
            u64::from(u32::from_be_bytes(bytes))
        };
        // Header size, bytes a line, colours of the colour map.
        let (size, stride, colours) = (word(0), word(12), word(19));
        let luma = vec![0; usize::from(TILE.0) * usize::from(TILE.1)];
        Ok(Self { file, pixels: size + colours * 12, stride, luma })
    }

    /// The number of the test card in a tile.
    fn frame(&mut self, tile: usize) -> Option<u32> {
        let (left, top) = ((tile % 2) * usize::from(TILE.0), (tile / 2) * usize::from(TILE.1));
        let width = usize::from(TILE.0);
        let mut line = vec![0; width * 4];
        // The rows that `testcard::read` looks at.
        for block in 0..10 {
            let y = (2 * block + 1) * usize::from(TILE.1) / 36;
            let at = self.pixels + (top + y) as u64 * self.stride + left as u64 * 4;
            self.file.seek(SeekFrom::Start(at)).ok()?;
            self.file.read_exact(&mut line).ok()?;
            for (luma, pixel) in self.luma[y * width..].iter_mut().zip(line.as_chunks::<4>().0) {
                *luma = pixel[1];
            }
        }
        testcard::read(&self.luma, TILE.0, TILE.1).map(|stamp| stamp.frame)
    }
}

/// What a child has cost so far.
fn cpu_seconds(child: &Child) -> std::io::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
    // After the name in brackets: user and system time are the 12th and 13th, in hundredths of a second.
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    Ok(ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0)
}
