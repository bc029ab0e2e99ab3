//! A picture of a track on screen, drawn from where the engine puts the newest ones: no message carries it.
//!
//! Two paths, chosen by the renderer that iced runs with (see [`crate::ui::backend`]): on a GPU the planes go up as they are
//! and a shader does the rest (`gpu`); without one, the engine's painter makes pixels of exactly the tile's size, which
//! are copied one to one. While there is no picture nothing is drawn, so what stands below in a stack is seen. What shall
//! lie over it must stand above it in a stack: within one layer iced draws boxes below pictures.

mod gpu;
#[cfg(test)]
#[path = "tile/tests.rs"]
mod pixels;

use std::cell::RefCell;

use iced::advanced::Widget;
use iced::advanced::image::{self, FilterMethod, Renderer as _};
use iced::advanced::layout::{self, Layout};
use iced::advanced::renderer;
use iced::advanced::widget::tree::{self, Tree};
use iced::mouse;
use iced::{Element, Length, Rectangle, Size};
use iced_wgpu::primitive::Renderer as _;

use crate::engine::pictures::{Facing, Fit, Key, Paint, Pictures, PixelSize, Rgba, Viewer};

/// A tile's picture. Fills the place it is given.
#[derive(Debug, Clone)]
pub struct Tile {
    pictures: Pictures,
    key: Key,
    fit: Fit,
    facing: Facing,
    radius: f32,
    scale: f32,
}

impl Tile {
    /// The newest picture of `key`, again and again.
    pub fn new(pictures: Pictures, key: Key) -> Self {
        Self { pictures, key, fit: Fit::Cover, facing: Facing::Straight, radius: 0.0, scale: 1.0 }
    }

    /// Turned round like a mirror, for oneself.
    #[must_use]
    pub fn facing(mut self, facing: Facing) -> Self {
        self.facing = facing;
        self
    }

    /// How a picture of another shape fills the tile.
    #[must_use]
    pub fn fit(mut self, fit: Fit) -> Self {
        self.fit = fit;
        self
    }

    /// Of its corners, in logical pixels.
    #[must_use]
    pub fn radius(mut self, radius: f32) -> Self {
        self.radius = radius;
        self
    }

    /// Device pixels for a logical one: the window's times the application's own. Widgets are not told by iced.
    #[must_use]
    pub fn scale(mut self, scale: f32) -> Self {
        self.scale = if scale.is_finite() { scale.clamp(0.1, 16.0) } else { 1.0 };
        self
    }

    fn state(&self) -> State {
        State { viewer: self.pictures.view(self.key), ready: RefCell::default() }
    }
}

/// What lives as long as the tile is on screen.
struct State {
    viewer: Viewer,
    /// The painting drawn last, as iced knows it: the same pixels keep their name, so that nothing is drawn again.
    ready: RefCell<Option<(u64, Paint, image::Handle)>>,
}

impl State {
    fn handle(&self, rgba: &Rgba) -> image::Handle {
        let mut ready = self.ready.borrow_mut();
        match &*ready {
            Some((sequence, paint, handle)) if (*sequence, *paint) == (rgba.sequence, rgba.paint) => handle.clone(),
            _ => {
                let (width, height) = (u32::from(rgba.width), u32::from(rgba.height));
                let handle = image::Handle::from_rgba(width, height, rgba.bytes.clone());
                *ready = Some((rgba.sequence, rgba.paint, handle.clone()));
                handle
            }
        }
    }
}

/// A rectangle on the grid of device pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Snapped {
    x: f32,
    y: f32,
    size: PixelSize,
    scale: f32,
}

impl Snapped {
    fn new(bounds: Rectangle, scale: f32) -> Option<Self> {
        let (x, y) = ((bounds.x * scale).round(), (bounds.y * scale).round());
        let right = ((bounds.x + bounds.width) * scale).round();
        let bottom = ((bounds.y + bounds.height) * scale).round();
        let size = PixelSize { width: side(right - x), height: side(bottom - y) };
        (size.width > 0 && size.height > 0).then_some(Self { x, y, size, scale })
    }

    /// In logical pixels.
    fn bounds(&self) -> Rectangle {
        self.part(0.0, 0.0, self.size.width, self.size.height)
    }

    fn part(&self, x: f32, y: f32, width: u16, height: u16) -> Rectangle {
        Rectangle {
            x: (self.x + x) / self.scale,
            y: (self.y + y) / self.scale,
            width: f32::from(width) / self.scale,
            height: f32::from(height) / self.scale,
        }
    }

    /// The middle `width` x `height` device pixels. A hair to the right and down: iced cuts fractions off, and a
    /// rounded quotient may lie a hair below its pixel.
    fn middle(&self, width: u16, height: u16) -> Rectangle {
        let left = self.size.width.saturating_sub(width) / 2;
        let top = self.size.height.saturating_sub(height) / 2;
        self.part(f32::from(left) + 0.01, f32::from(top) + 0.01, width, height)
    }
}

/// Whole pixels of a rounded length.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn side(length: f32) -> u16 {
    length.clamp(0.0, 16_384.0) as u16
}

impl<Message, Theme> Widget<Message, Theme, iced::Renderer> for Tile {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(Tile::state(self))
    }

    fn diff(&self, tree: &mut Tree) {
        let state = tree.state.downcast_mut::<State>();
        let same = state.viewer.key() == self.key && state.viewer.pictures().number() == self.pictures.number();
        if !same {
            *state = Tile::state(self);
        }
    }

    fn size(&self) -> Size<Length> {
        Size::new(Length::Fill, Length::Fill)
    }

    fn layout(&mut self, _tree: &mut Tree, _renderer: &iced::Renderer, limits: &layout::Limits) -> layout::Node {
        layout::atomic(limits, Length::Fill, Length::Fill)
    }

    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut iced::Renderer,
        _theme: &Theme,
        _style: &renderer::Style,
        layout: Layout<'_>,
        _cursor: mouse::Cursor,
        viewport: &Rectangle,
    ) {
        let state = tree.state.downcast_ref::<State>();
        let Some(snapped) = Snapped::new(layout.bounds(), self.scale) else { return };
        let Some(visible) = layout.bounds().intersection(viewport) else { return };
        let radius = self.radius * self.scale;
        match renderer {
            iced::Renderer::Primary(renderer) => {
                let Some(picture) = state.viewer.direct(snapped.size) else { return };
                let drawing = gpu::Drawing {
                    track: (self.pictures.number(), self.key),
                    viewer: state.viewer.number(),
                    picture,
                    size: snapped.size,
                    fit: self.fit,
                    facing: self.facing,
                    radius,
                };
                renderer.draw_primitive(snapped.bounds(), drawing);
            }
            iced::Renderer::Secondary(renderer) => {
                let paint =
                    Paint { size: snapped.size, fit: self.fit, facing: self.facing, radius: side(radius.round()) };
                let Some(rgba) = state.viewer.painted(paint) else { return };
                // One that was painted for another size is stretched until the right one is there.
                let bounds = if rgba.paint.size == paint.size {
                    snapped.middle(rgba.width, rgba.height)
                } else {
                    snapped.bounds()
                };
                let image = image::Image::new(state.handle(&rgba)).filter_method(FilterMethod::Nearest);
                renderer.draw_image(image, bounds, visible);
            }
        }
    }
}

impl<'a, Message: 'a, Theme: 'a> From<Tile> for Element<'a, Message, Theme, iced::Renderer> {
    fn from(tile: Tile) -> Self {
        Element::new(tile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_lie_on_the_grid_of_device_pixels() {
        let bounds = Rectangle { x: 10.3, y: 20.0, width: 100.4, height: 50.0 };
        let snapped = Snapped::new(bounds, 1.5).expect("visible");
        assert_eq!((snapped.x, snapped.y), (15.0, 30.0));
        assert_eq!(snapped.size, PixelSize { width: 151, height: 75 });
        let middle = snapped.middle(151, 75);
        assert!((middle.x * 1.5).fract() < 0.1 && (middle.width * 1.5 - 151.0).abs() < 1e-3);
        assert_eq!(Snapped::new(Rectangle { x: 10.0, width: 0.2, ..bounds }, 1.5), None);
        assert_eq!(side(f32::NAN), 0);
    }
}
