//! Pictures of the window for tests: `tests/snapshots` holds what people looked at and found good. Where the looks are meant
//! to change, `LETS_MEET_SNAPSHOTS=accept cargo test snapshots` writes them anew; look at each.
//!
//! Only what is bundled is in them: letters of other fonts (emoji, other scripts) are drawn by each machine in its own way.

use std::path::{Path, PathBuf};

use iced::advanced::renderer::{self, Headless as _};
use iced::{Element, Size, mouse, window};
use iced_test::runtime::UserInterface;
use iced_test::runtime::user_interface::Cache;

use super::theme::{self, Look};
use crate::clock;

/// A pixel is another one from this difference of a channel on, of 255.
const OTHER: u8 = 24;
/// So many pixels may be other ones: processors round differently at the edges of letters. A changed word is more.
const MOST_OTHER: usize = 150;

/// Each theme and its word in the name of a picture.
pub const THEMES: [(theme::Choice, &str); 3] =
    [(theme::Choice::Dark, "dark"), (theme::Choice::Light, "light"), (theme::Choice::Contrast, "contrast")];

/// What was drawn: red, green, blue and opacity of each pixel.
pub struct Picture {
    size: Size<u32>,
    bytes: Vec<u8>,
}

/// A renderer that draws in memory, with the fonts of the window.
pub fn renderer() -> iced::Renderer {
    for font in theme::FONTS {
        let mut fonts = iced_test::renderer::graphics::text::font_system().write().expect("nobody panicked");
        fonts.load_font(font.into());
    }
    let new = iced::Renderer::new(theme::REGULAR, 16.into(), Some("tiny-skia"));
    iced::futures::executor::block_on(new).expect("a renderer without a display")
}

/// Draws `view` at a size in logical pixels.
pub fn draw<Message>(view: Element<'_, Message>, look: Look, size: Size) -> Picture {
    let mut renderer = renderer();
    let looks = look.iced();
    let mut all = UserInterface::build(view, size, Cache::default(), &mut renderer);
    let mut messages = Vec::new();
    let redraw = iced::Event::Window(window::Event::RedrawRequested(clock::now()));
    let nowhere = mouse::Cursor::Unavailable;
    let mut clipboard = iced::advanced::clipboard::Null;
    let _ = all.update(&[redraw], nowhere, &mut renderer, &mut clipboard, &mut messages);
    let style = renderer::Style { text_color: looks.palette().text };
    all.draw(&mut renderer, &looks, &style, nowhere);
    let size = Size::new(size.width as u32, size.height as u32);
    let bytes = renderer.screenshot(size, 1.0, looks.palette().background);
    Picture { size, bytes }
}

/// Fails when the picture is not the one that was found good.
pub fn compare(name: &str, picture: &Picture) {
    let path = kept(name);
    if std::env::var_os("LETS_MEET_SNAPSHOTS").is_some_and(|word| word == "accept") {
        write(&path, picture);
    }
    let good = read(&path);
    assert_eq!(picture.size, good.size, "{name}");
    let pairs = picture.bytes.as_chunks::<4>().0.iter().zip(good.bytes.as_chunks::<4>().0);
    let other = pairs.filter(|(a, b)| a.iter().zip(*b).any(|(a, b)| a.abs_diff(*b) > OTHER)).count();
    if other > MOST_OTHER {
        let seen = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp").join(format!("{name}.png"));
        std::fs::create_dir_all(seen.parent().expect("a folder")).expect("a folder");
        write(&seen, picture);
        panic!("{other} pixels of {name} are others: hold {} beside {}", seen.display(), path.display());
    }
}

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(format!("{name}.png"))
}

fn write(path: &Path, picture: &Picture) {
    let file = std::fs::File::create(path).expect("a file");
    let mut encoder = png::Encoder::new(std::io::BufWriter::new(file), picture.size.width, picture.size.height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_compression(png::Compression::High);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&picture.bytes)).expect("written");
}

fn read(path: &Path) -> Picture {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().expect("a PNG");
    let mut bytes = vec![0; reader.output_buffer_size().expect("of a known size")];
    let info = reader.next_frame(&mut bytes).expect("a picture");
    Picture { size: Size::new(info.width, info.height), bytes }
}
