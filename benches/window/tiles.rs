//! Four moving tiles of 640x360 without a GPU: frame numbers read from the pixels that the display shows. Measures the
//! window alone: test cards are drawn in place of decoding.

use std::io::{Error, Result};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use iced::widget::{column, container, row, stack, text};
use iced::{Element, Task};
use lets_meet::av::capture::VideoSource as _;
use lets_meet::av::capture::testcard::{self, TestCard};
use lets_meet::clock::now;
use lets_meet::engine::pictures::{Key, Pictures};
use lets_meet::frame::Pool;
use lets_meet::id::PeerId;
use lets_meet::ui::video;
use lets_meet::ui::widget::Tile;

use crate::display::{Display, Screen, cpu_seconds};
use crate::{Figure, Goal};

/// The argument of the child that opens the window.
pub const CHILD: &str = "--tiles-window";

const TILE: (u16, u16) = (640, 360);
const FPS: u8 = 30;
const WARM: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(10);

fn key(index: u8) -> Key {
    Key::camera(PeerId::from_bytes([index; 32]))
}

struct Tiles {
    pictures: Pictures,
}

/// The child with the window.
pub fn window() -> iced::Result {
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
    let start = now();
    for tick in 0.. {
        let due = start + card.format().due(tick);
        std::thread::sleep(due.saturating_duration_since(now()));
        let mut picture = pool.picture(TILE.0, TILE.1);
        card.picture(tick, &mut picture).expect("drawn");
        pictures.show(key, &Arc::new(picture));
    }
}

/// Starts the child and looks at it.
pub fn measure() -> Result<Vec<Figure>> {
    let display = Display::new()?;
    let mut child = Command::new(std::env::current_exe()?);
    let window = display.start(child.arg(CHILD).env("ICED_BACKEND", "tiny-skia"))?;
    let mut cards = Cards { screen: display.screen()?, luma: vec![0; usize::from(TILE.0) * usize::from(TILE.1)] };
    let started = now();
    while !(0..4).all(|index| cards.frame(index).is_some()) {
        std::thread::sleep(Duration::from_millis(10));
        if started.elapsed() > Duration::from_secs(20) {
            return Err(Error::other("no test card is seen in 20 s"));
        }
    }
    std::thread::sleep(WARM);
    let (start, before) = (now(), cpu_seconds(&window.0)?);
    let mut seen = [(None, 0u32); 4];
    while start.elapsed() < MEASURED {
        for (index, (last, count)) in seen.iter_mut().enumerate() {
            let frame = cards.frame(index);
            if frame.is_some() && frame != *last {
                (*last, *count) = (frame, *count + 1);
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let seconds = start.elapsed().as_secs_f64();
    let cores = (cpu_seconds(&window.0)? - before) / seconds;
    let least = seen.iter().map(|(_, count)| f64::from(*count) / seconds).fold(f64::MAX, f64::min);
    Ok(vec![
        Figure { name: "four tiles of 640x360, the slowest", value: least, unit: "fps", goal: Goal::AtLeast(15.0) },
        Figure { name: "four tiles of 640x360 at 30", value: cores, unit: "cores", goal: Goal::AtMost(1.0) },
    ])
}

/// Reads test cards off the display.
struct Cards {
    screen: Screen,
    luma: Vec<u8>,
}

impl Cards {
    /// The number of the test card in a tile.
    fn frame(&mut self, tile: usize) -> Option<u32> {
        let (left, top) = ((tile % 2) * usize::from(TILE.0), (tile / 2) * usize::from(TILE.1));
        let width = usize::from(TILE.0);
        let mut row = vec![[0; 4]; width];
        // The rows that `testcard::read` looks at.
        for block in 0..10 {
            let y = (2 * block + 1) * usize::from(TILE.1) / 36;
            self.screen.row(left, top + y, &mut row).ok()?;
            for (luma, [_, green, _, _]) in self.luma[y * width..].iter_mut().zip(&row) {
                *luma = *green;
            }
        }
        testcard::read(&self.luma, TILE.0, TILE.1).map(|stamp| stamp.frame)
    }
}
