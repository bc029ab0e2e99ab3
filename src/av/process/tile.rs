//! A picture as the pixels of one tile: cut to the tile's shape, scaled, converted, turned round, with round corners.
//! For windows that have no GPU to do it.
//!
//! Cut first, so that only what is seen is scaled; scaled before it is converted, since three planes of 1.5 bytes a pixel
//! are less than four channels.

use super::convert;
use super::scale::Scaler;
use crate::frame::{Pool, VideoFrame};

/// Paints pictures; keeps its tables and buffers between calls, so keep one for each tile.
#[derive(Debug)]
pub struct Painter {
    scaler: Scaler,
    pool: Pool,
}

impl Default for Painter {
    fn default() -> Self {
        Self::new()
    }
}

/// The part of `side` that has the shape of `target` beside `other` by `other_target`: even, and at least 2.
fn cut(side: u16, other: u16, target: u16, other_target: u16) -> u16 {
    let wanted = u32::from(other) * u32::from(target) / u32::from(other_target.max(1));
    u16::try_from(wanted).unwrap_or(u16::MAX).min(side).max(2) & !1
}

impl Painter {
    /// A painter.
    pub fn new() -> Self {
        Self { scaler: Scaler::new(), pool: Pool::new(2) }
    }

    /// Writes the middle of `picture` as `width` x `height` pixels of red, green, blue and an alpha of 255: what does
    /// not have the shape of the tile is cut off.
    pub fn cover(&mut self, picture: &VideoFrame, width: u16, height: u16, rgba: &mut Vec<u8>) {
        let (width, height) = (width.max(1), height.max(1));
        let (across, down) = (
            cut(picture.width(), picture.height(), width, height),
            cut(picture.height(), picture.width(), height, width),
        );
        let part;
        let picture = if (across, down) == (picture.width(), picture.height()) {
            picture
        } else {
            part = self.middle(picture, across, down);
            &part
        };
        let even = |side: u16| side.saturating_add(side & 1) & !1;
        let scaled;
        let picture = if (even(width), even(height)) == (picture.width(), picture.height()) {
            picture
        } else {
            scaled = self.scaler.scale(picture, even(width), even(height), &self.pool);
            &scaled
        };
        convert::part_to_rgba(picture, width, height, rgba);
    }

    /// The middle of `picture`, `width` x `height`, both even and at most its own.
    fn middle(&self, picture: &VideoFrame, width: u16, height: u16) -> VideoFrame {
        let mut part = self.pool.picture(width, height);
        part.captured = picture.captured;
        let left = usize::from(((picture.width() - width) / 2) & !1);
        let top = usize::from(((picture.height() - height) / 2) & !1);
        let (from, to) = (usize::from(picture.width()), usize::from(width));
        let copy = |source: &[u8], target: &mut [u8], shift: usize| {
            let (from, to, left, top) = (from >> shift, to >> shift, left >> shift, top >> shift);
            for (source, target) in source.chunks_exact(from).skip(top).zip(target.chunks_exact_mut(to)) {
                target.copy_from_slice(&source[left..left + to]);
            }
        };
        let ((y, u, v), (to_y, to_u, to_v)) = (picture.planes(), part.planes_mut());
        copy(y, to_y, 0);
        copy(u, to_u, 1);
        copy(v, to_v, 1);
        part
    }
}

/// Swaps left and right.
pub fn mirror(rgba: &mut [u8], width: u16) {
    let (pixels, _) = rgba.as_chunks_mut::<4>();
    for row in pixels.chunks_exact_mut(usize::from(width.max(1))) {
        row.reverse();
    }
}

/// Makes the corners transparent outside circles of `radius`, smooth at their edge.
pub fn round(rgba: &mut [u8], width: u16, height: u16, radius: u16) {
    let radius = radius.min(width / 2).min(height / 2);
    let (across, down, far) = (usize::from(width), usize::from(height), f32::from(radius));
    let (pixels, _) = rgba.as_chunks_mut::<4>();
    if pixels.len() != across * down {
        return;
    }
    for y in 0..radius {
        for x in 0..radius {
            let (to_x, to_y) = (far - f32::from(x) - 0.5, far - f32::from(y) - 0.5);
            let inside = (far + 0.5 - to_x.hypot(to_y)).clamp(0.0, 1.0);
            let alpha = (0u8..=255).find(|alpha| f32::from(*alpha) >= inside * 255.0).unwrap_or(255);
            if alpha == 255 {
                continue;
            }
            let (x, y) = (usize::from(x), usize::from(y));
            for (x, y) in [(x, y), (across - 1 - x, y), (x, down - 1 - y), (across - 1 - x, down - 1 - y)] {
                pixels[y * across + x][3] = alpha;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left half dark, right half bright, on a ground of neutral colour.
    fn halves(width: u16, height: u16) -> VideoFrame {
        let mut picture = Pool::new(0).picture(width, height);
        let (y, u, v) = picture.planes_mut();
        for row in y.chunks_exact_mut(usize::from(width)) {
            let (left, right) = row.split_at_mut(usize::from(width) / 2);
            left.fill(16);
            right.fill(235);
        }
        u.fill(128);
        v.fill(128);
        picture
    }

    fn pixel(rgba: &[u8], width: u16, x: u16, y: u16) -> [u8; 4] {
        rgba.as_chunks::<4>().0[usize::from(y) * usize::from(width) + usize::from(x)]
    }

    #[test]
    fn tiles_of_any_size_are_filled_to_the_pixel() {
        let mut painter = Painter::new();
        let mut rgba = Vec::new();
        for (width, height) in [(1, 1), (3, 7), (64, 36), (65, 37), (320, 180), (427, 241), (100, 400), (400, 100)] {
            painter.cover(&halves(64, 36), width, height, &mut rgba);
            assert_eq!(rgba.len(), usize::from(width) * usize::from(height) * 4, "{width}x{height}");
            if width > 31 {
                assert_eq!(pixel(&rgba, width, 0, height - 1), [0, 0, 0, 255], "{width}x{height}");
                assert_eq!(pixel(&rgba, width, width - 1, 0), [255, 255, 255, 255], "{width}x{height}");
            }
        }
    }

    #[test]
    fn what_sticks_out_is_cut_off_alike_on_both_sides() {
        let mut picture = Pool::new(0).picture(96, 32);
        let (y, u, v) = picture.planes_mut();
        for row in y.chunks_exact_mut(96) {
            row.fill(16);
            row[32..64].fill(235);
        }
        u.fill(128);
        v.fill(128);
        let mut rgba = Vec::new();
        Painter::new().cover(&picture, 32, 32, &mut rgba);
        assert!(rgba.iter().all(|value| *value == 255), "only the middle third is seen");
    }

    #[test]
    fn a_mirror_swaps_left_and_right() {
        let mut rgba = Vec::new();
        Painter::new().cover(&halves(64, 36), 33, 19, &mut rgba);
        let straight = rgba.clone();
        mirror(&mut rgba, 33);
        for (x, y) in [(0, 0), (5, 3), (32, 18)] {
            assert_eq!(pixel(&rgba, 33, x, y), pixel(&straight, 33, 32 - x, y));
        }
    }

    #[test]
    fn corners_are_transparent_and_edges_are_not() {
        let mut rgba = vec![255; 40 * 20 * 4];
        round(&mut rgba, 40, 20, 8);
        for (x, y) in [(0, 0), (39, 0), (0, 19), (39, 19)] {
            assert_eq!(pixel(&rgba, 40, x, y)[3], 0);
        }
        for (x, y) in [(8, 0), (0, 8), (20, 10), (3, 3)] {
            assert_eq!(pixel(&rgba, 40, x, y)[3], 255);
        }
        let edge = pixel(&rgba, 40, 2, 2)[3];
        assert!((1..255).contains(&edge), "{edge}");
        round(&mut rgba, 4, 4, 8);
        assert_eq!(rgba.len(), 40 * 20 * 4);
    }
}
