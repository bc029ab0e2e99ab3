//! What a tile puts on screen, looked at pixel by pixel on both paths: tiny-skia, and wgpu on whatever Vulkan driver is
//! there (Mesa's llvmpipe where there is no GPU).

use std::sync::Arc;
use std::time::Duration;

use iced::advanced::renderer::{Headless as _, Style};
use iced::futures::executor::block_on;
use iced::{Color, Element, Font, Pixels, Theme, mouse};
use iced_test::runtime::UserInterface;
use iced_test::runtime::user_interface::Cache;

use super::*;
use crate::frame::{Pool, VideoFrame};

const GPU: &str = "wgpu";
const SOFTWARE: &str = "tiny-skia";
/// What stands behind the tile.
const GROUND: Color = Color::from_rgb(1.0, 0.0, 1.0);
/// Both paths may differ by so many of 255.
const NEAR: u8 = 4;

/// Four blocks: white, red above; black, blue below.
fn blocks(width: u16, height: u16) -> Arc<VideoFrame> {
    let mut picture = Pool::new(0).picture(width, height);
    let colours = [[(235, 128, 128), (81, 90, 240)], [(16, 128, 128), (41, 240, 110)]];
    let (wide, high) = (usize::from(width), usize::from(height));
    let (y, u, v) = picture.planes_mut();
    for down in 0..high {
        for across in 0..wide {
            let (luma, blue, red) = colours[down * 2 / high][across * 2 / wide];
            y[down * wide + across] = luma;
            let at = down / 2 * (wide / 2) + across / 2;
            (u[at], v[at]) = (blue, red);
        }
    }
    Arc::new(picture)
}

/// A window with one tile, without a window.
struct Screen {
    renderer: iced::Renderer,
    pictures: Pictures,
    cache: Option<Cache>,
}

const SIZE: (u16, u16) = (80, 60);
const SCALE: f32 = 1.5;

impl Screen {
    fn new(backend: &str) -> Self {
        let renderer = block_on(iced::Renderer::new(Font::DEFAULT, Pixels(16.0), Some(backend)));
        let renderer = renderer.expect("a renderer (for wgpu without a GPU: the package mesa-vulkan-drivers)");
        let pictures = Pictures::new();
        pictures.open(Key::own());
        Self { renderer, pictures, cache: Some(Cache::default()) }
    }

    /// Draws once, as the window does.
    fn draw(&mut self, tile: Tile) -> Shot {
        let element: Element<'_, ()> = tile.scale(SCALE).into();
        let size = Size::new(f32::from(SIZE.0), f32::from(SIZE.1));
        let cache = self.cache.take().unwrap_or_default();
        let mut interface = UserInterface::build(element, size, cache, &mut self.renderer);
        let style = Style { text_color: Color::BLACK };
        interface.draw(&mut self.renderer, &Theme::Dark, &style, mouse::Cursor::Unavailable);
        self.cache = Some(interface.into_cache());
        let physical = Size::new(u32::from(SIZE.0) * 3 / 2, u32::from(SIZE.1) * 3 / 2);
        Shot(self.renderer.screenshot(physical, SCALE, GROUND))
    }

    /// Draws until what was asked for is painted, as this pixel tells: without a GPU another thread does it.
    fn settle(&mut self, tile: &Tile, told: impl Fn(&Shot) -> bool) -> Shot {
        let end = crate::clock::now() + Duration::from_secs(20);
        loop {
            let shot = self.draw(tile.clone());
            if told(&shot) {
                return shot;
            }
            assert!(crate::clock::now() < end, "not painted in 20 s");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

struct Shot(Vec<u8>);

impl Shot {
    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let width = usize::from(SIZE.0) * 3 / 2;
        let [red, green, blue, _] = self.0.as_chunks::<4>().0[y * width + x];
        [red, green, blue]
    }

    fn is(&self, x: usize, y: usize, expect: [u8; 3]) -> bool {
        self.at(x, y).iter().zip(expect).all(|(a, b)| a.abs_diff(b) <= NEAR)
    }

    #[track_caller]
    fn check(&self, x: usize, y: usize, expect: [u8; 3]) {
        let found = self.at(x, y);
        assert!(self.is(x, y, expect), "{found:?} instead of {expect:?} at {x},{y}");
    }
}

const WHITE: [u8; 3] = [255, 255, 255];
const RED: [u8; 3] = [255, 0, 0];
const BLACK: [u8; 3] = [0, 0, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const BEHIND: [u8; 3] = [255, 0, 255];

fn colours_and_shape(backend: &str) {
    let mut screen = Screen::new(backend);
    let tile = Tile::new(screen.pictures.clone(), Key::own());
    screen.draw(tile.clone()).check(60, 45, BEHIND);
    screen.pictures.show(Key::own(), &blocks(160, 90));
    let cover = screen.settle(&tile, |shot| shot.is(3, 3, WHITE));
    for (x, y, expect) in
        [(3, 3, WHITE), (116, 3, RED), (3, 86, BLACK), (116, 86, BLUE), (55, 40, WHITE), (65, 50, BLUE)]
    {
        cover.check(x, y, expect);
    }
    let mirrored = screen.settle(&tile.clone().facing(Facing::Mirrored), |shot| shot.is(3, 3, RED));
    for (x, y, expect) in [(3, 3, RED), (116, 3, WHITE), (3, 86, BLUE), (116, 86, BLACK)] {
        mirrored.check(x, y, expect);
    }
    // 120x90 pixels hold 160x90 as 120x67: 11 rows are free above and below.
    let contained = screen.settle(&tile.clone().fit(Fit::Contain), |shot| shot.is(3, 5, BEHIND));
    for (x, y, expect) in
        [(3, 5, BEHIND), (3, 84, BEHIND), (3, 16, WHITE), (116, 16, RED), (3, 73, BLACK), (116, 73, BLUE)]
    {
        contained.check(x, y, expect);
    }
    let round = screen.settle(&tile.clone().radius(20.0), |shot| shot.is(30, 1, WHITE));
    for (x, y, expect) in
        [(0, 0, BEHIND), (119, 0, BEHIND), (0, 89, BEHIND), (119, 89, BEHIND), (30, 1, WHITE), (1, 30, WHITE)]
    {
        round.check(x, y, expect);
    }
    screen.pictures.close(Key::own());
    screen.draw(tile).check(60, 45, BEHIND);
}

#[test]
fn colours_cut_mirror_and_corners_are_right_without_a_gpu() {
    colours_and_shape(SOFTWARE);
}

#[test]
fn colours_cut_mirror_and_corners_are_right_on_a_gpu() {
    colours_and_shape(GPU);
}

/// Every colour that the codec can say, in blocks of four pixels.
fn palette() -> Arc<VideoFrame> {
    let mut picture = Pool::new(0).picture(120, 90);
    let (y, u, v) = picture.planes_mut();
    let level = |step: usize, most: usize| u8::try_from(16 + step * (most - 16) / 9).expect("a byte");
    for (at, luma) in y.iter_mut().enumerate() {
        *luma = level(at / 120 / 9, 235);
    }
    for (at, (blue, red)) in u.iter_mut().zip(v).enumerate() {
        let column = at % 60 / 2;
        (*blue, *red) = (level(column % 10, 240), level(column / 3, 240));
    }
    Arc::new(picture)
}

#[test]
fn both_paths_show_the_same_colours() {
    let shots = [SOFTWARE, GPU].map(|backend| {
        let mut screen = Screen::new(backend);
        screen.pictures.show(Key::own(), &palette());
        let tile = Tile::new(screen.pictures.clone(), Key::own());
        screen.settle(&tile, |shot| !shot.is(60, 45, BEHIND))
    });
    for y in (4..90).step_by(9) {
        for x in (2..120).step_by(4) {
            // One in from the edge of a block, where no neighbour is mixed in.
            let (software, gpu) = (shots[0].at(x, y), shots[1].at(x, y));
            let near = software.iter().zip(gpu).all(|(a, b)| a.abs_diff(b) <= NEAR);
            assert!(near, "{software:?} and {gpu:?} at {x},{y}");
        }
    }
}
