//! Pixel formats, and how alike two pictures are.

use yuv::{BufferStoreMut, YuvConversionMode, YuvPlanarImage, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use crate::frame::VideoFrame;

/// Writes `picture` as RGBA, 8 bits each, rows without padding, for a window or a file of a still picture.
pub fn to_rgba(picture: &VideoFrame, rgba: &mut Vec<u8>) {
    part_to_rgba(picture, picture.width(), picture.height(), rgba);
}

/// The same of the upper left `width` x `height` pixels, which may be odd and are at most the picture's.
pub fn part_to_rgba(picture: &VideoFrame, width: u16, height: u16, rgba: &mut Vec<u8>) {
    let stride = u32::from(picture.width());
    let (width, height) = (width.min(picture.width()), height.min(picture.height()));
    let (y, u, v) = picture.planes();
    rgba.resize(usize::from(width) * usize::from(height) * 4, 0);
    let (width, height) = (u32::from(width), u32::from(height));
    let image = YuvPlanarImage {
        y_plane: y,
        y_stride: stride,
        u_plane: u,
        u_stride: stride / 2,
        v_plane: v,
        v_stride: stride / 2,
        width,
        height,
    };
    // It can only fail on sizes that do not fit, and these do by the picture's own rules.
    let done = yuv::yuv420_to_rgba(&image, rgba, width * 4, YuvRange::Limited, YuvStandardMatrix::Bt601);
    debug_assert!(done.is_ok(), "the picture's planes have its size: {done:?}");
}

/// Fills `picture` from pixels of four bytes (blue, green, red, one that means nothing), `stride` bytes a row, at least as
/// many of both as the picture has. False, and nothing is written, where they are fewer.
pub fn from_bgrx(pixels: &[u8], stride: usize, picture: &mut VideoFrame) -> bool {
    from_screen(pixels, stride, Order::Bgrx, picture)
}

/// In which order the four bytes of a screen's pixel hold its colours; the fourth means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Blue, green, red: X11, and most compositors.
    Bgrx,
    /// Red, green, blue.
    Rgbx,
}

/// [`from_bgrx`] for pixels in this order.
pub fn from_screen(pixels: &[u8], stride: usize, order: Order, picture: &mut VideoFrame) -> bool {
    let (width, height) = (usize::from(picture.width()), usize::from(picture.height()));
    let Ok(row) = u32::try_from(stride) else { return false };
    if stride < width * 4 || pixels.len() < stride * height {
        return false;
    }
    let (width, height) = (u32::from(picture.width()), u32::from(picture.height()));
    let (y, u, v) = picture.planes_mut();
    let mut image = YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(y),
        y_stride: width,
        u_plane: BufferStoreMut::Borrowed(u),
        u_stride: width / 2,
        v_plane: BufferStoreMut::Borrowed(v),
        v_stride: width / 2,
        width,
        height,
    };
    let (range, matrix, mode) = (YuvRange::Limited, YuvStandardMatrix::Bt601, YuvConversionMode::Balanced);
    let done = match order {
        Order::Bgrx => yuv::bgra_to_yuv420(&mut image, pixels, row, range, matrix, mode),
        Order::Rgbx => yuv::rgba_to_yuv420(&mut image, pixels, row, range, matrix, mode),
    };
    done.is_ok()
}

/// Peak signal-to-noise ratio of the luma of two pictures of one size, in decibels: above 35 is good, below 25 is
/// visibly wrong. Equal pictures give 100; pictures of different sizes 0.
pub fn psnr(a: &VideoFrame, b: &VideoFrame) -> f64 {
    let (a, b) = (a.planes().0, b.planes().0);
    if a.len() != b.len() {
        return 0.0;
    }
    let squares: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    // A picture has at most 2^22 pixels and a square at most 2^16: both fit f64 exactly.
    let mean =
        u32::try_from(squares / 4).map_or(f64::MAX, f64::from) * 4.0 / u32::try_from(a.len()).map_or(1.0, f64::from);
    if squares == 0 { 100.0 } else { (10.0 * (255.0 * 255.0 / mean.max(f64::MIN_POSITIVE)).log10()).min(100.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Pool;

    fn flat(y: u8, u: u8, v: u8) -> VideoFrame {
        let mut picture = Pool::new(0).picture(64, 36);
        let planes = picture.planes_mut();
        planes.0.fill(y);
        planes.1.fill(u);
        planes.2.fill(v);
        picture
    }

    #[test]
    fn black_white_and_red_come_out_as_such() {
        let mut rgba = Vec::new();
        for ((y, u, v), expect) in [
            ((16, 128, 128), [0, 0, 0, 255]),
            ((235, 128, 128), [255, 255, 255, 255]),
            ((81, 90, 240), [254, 0, 0, 255]),
        ] {
            to_rgba(&flat(y, u, v), &mut rgba);
            assert_eq!(rgba.len(), 64 * 36 * 4);
            let near = rgba[..4].iter().zip(expect).all(|(a, b): (&u8, u8)| a.abs_diff(b) <= 2);
            assert!(near, "{:?} for {y},{u},{v}", &rgba[..4]);
        }
    }

    #[test]
    fn a_screen_comes_back_in_its_colours() {
        let mut picture = Pool::new(0).picture(6, 4);
        let mut rgba = Vec::new();
        for bgr in [[0, 0, 0], [255, 255, 255], [0, 0, 255], [255, 0, 0], [20, 200, 90]] {
            // Wider than the picture, as a canvas of an odd width is.
            let pixels = [bgr[0], bgr[1], bgr[2], 77].repeat(7 * 5);
            assert!(from_bgrx(&pixels, 7 * 4, &mut picture));
            to_rgba(&picture, &mut rgba);
            let near = |pixel: &[u8]| pixel[..3].iter().rev().zip(bgr).all(|(a, b): (&u8, u8)| a.abs_diff(b) <= 3);
            assert!(rgba.chunks_exact(4).all(near), "{bgr:?} became {:?}", &rgba[..4]);
        }
        assert!(!from_bgrx(&[0; 6 * 3 * 4], 6 * 4, &mut picture), "a row is missing");
        assert!(!from_bgrx(&[0; 1000], 5 * 4, &mut picture), "rows are too short");
    }

    #[test]
    fn psnr_follows_its_definition() {
        assert!((psnr(&flat(100, 0, 0), &flat(100, 9, 9)) - 100.0).abs() < 1e-9);
        assert!((psnr(&flat(100, 0, 0), &flat(105, 0, 0)) - 34.15).abs() < 0.01);
        assert!(psnr(&flat(0, 0, 0), &flat(255, 0, 0)).abs() < 0.01);
    }
}
