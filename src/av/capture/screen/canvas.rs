//! The last known content of a screen, and the pointer on top of it while it is converted.

use super::pace::Area;

/// Bytes of a pixel: blue, green, red, and one that means nothing.
const PIXEL: usize = 4;
/// Longest side of a pointer that is drawn; no desktop has larger ones.
const MAX_POINTER: u16 = 512;

/// Pixels as the display has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    /// A black one.
    pub fn new(width: u16, height: u16) -> Self {
        let (width, height) = (usize::from(width), usize::from(height));
        Self { width, height, pixels: vec![0; width * height * PIXEL] }
    }

    /// Takes the rows of `area` over. What is outside, and rows that are missing in `bytes`, are left as they were.
    pub fn put(&mut self, area: Area, bytes: &[u8]) {
        let Some((from, to)) = self.span(area) else { return };
        let stride = usize::try_from(area.width).unwrap_or(0) * PIXEL;
        let skipped = usize::try_from(from.0 - i64::from(area.x)).unwrap_or(0) * PIXEL;
        let rows = usize::try_from(from.1 - i64::from(area.y)).unwrap_or(0);
        let (left, top) = (usize::try_from(from.0).unwrap_or(0), usize::try_from(from.1).unwrap_or(0));
        let length = usize::try_from(to.0 - from.0).unwrap_or(0) * PIXEL;
        let count = usize::try_from(to.1 - from.1).unwrap_or(0);
        for (row, line) in bytes.chunks_exact(stride).skip(rows).take(count).enumerate() {
            let at = ((top + row) * self.width + left) * PIXEL;
            self.pixels[at..at + length].copy_from_slice(&line[skipped..skipped + length]);
        }
    }

    /// The corners of the part of `area` that lies inside.
    fn span(&self, area: Area) -> Option<((i64, i64), (i64, i64))> {
        let (width, height) = (i64::try_from(self.width).ok()?, i64::try_from(self.height).ok()?);
        let from = (i64::from(area.x).max(0), i64::from(area.y).max(0));
        let right = (i64::from(area.x) + i64::from(area.width)).min(width);
        let bottom = (i64::from(area.y) + i64::from(area.height)).min(height);
        (from.0 < right && from.1 < bottom).then_some((from, (right, bottom)))
    }

    /// Hands the pixels to `work` with the pointer on them, its hot spot at (`x`, `y`), and takes the pointer off again.
    pub fn with_pointer<T>(&mut self, pointer: Option<(&Pointer, i32, i32)>, work: impl FnOnce(&[u8]) -> T) -> T {
        let Some((pointer, x, y)) = pointer else { return work(&self.pixels) };
        let (left, top) = (i64::from(x) - i64::from(pointer.hot.0), i64::from(y) - i64::from(pointer.hot.1));
        let mut covered: Vec<(usize, [u8; PIXEL])> = Vec::with_capacity(pointer.pixels.len());
        let mut at = (0, 0);
        for argb in &pointer.pixels {
            let (column, row) = (left + at.0, top + at.1);
            at = if at.0 + 1 < i64::from(pointer.width) { (at.0 + 1, at.1) } else { (0, at.1 + 1) };
            let (Ok(column), Ok(row)) = (usize::try_from(column), usize::try_from(row)) else { continue };
            if column >= self.width || row >= self.height {
                continue;
            }
            let offset = (row * self.width + column) * PIXEL;
            let Some(pixel) = self.pixels[offset..].first_chunk_mut::<PIXEL>() else { continue };
            covered.push((offset, *pixel));
            *pixel = over(*argb, *pixel);
        }
        let result = work(&self.pixels);
        for (offset, pixel) in covered {
            self.pixels[offset..offset + PIXEL].copy_from_slice(&pixel);
        }
        result
    }
}

/// A pixel of the pointer, premultiplied, over one of the screen.
fn over(argb: u32, below: [u8; PIXEL]) -> [u8; PIXEL] {
    let [blue, green, red, alpha] = argb.to_le_bytes();
    let free = 255 - u32::from(alpha);
    let mix = |above: u8, below: u8| {
        let mixed = u32::from(above) + (u32::from(below) * free + 127) / 255;
        u8::try_from(mixed).unwrap_or(u8::MAX)
    };
    [mix(blue, below[0]), mix(green, below[1]), mix(red, below[2]), below[3]]
}

/// The picture of a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    width: u16,
    /// From its left and top.
    hot: (u16, u16),
    /// Alpha, red, green, blue from the highest byte on; colours multiplied by alpha.
    pixels: Vec<u32>,
}

impl Pointer {
    /// `None` for one without pixels, of an absurd size, or whose pixels are not as many as its size says.
    pub fn new(width: u16, height: u16, hot: (u16, u16), pixels: Vec<u32>) -> Option<Self> {
        let sane = (1..=MAX_POINTER).contains(&width) && (1..=MAX_POINTER).contains(&height);
        let whole = pixels.len() == usize::from(width) * usize::from(height);
        (sane && whole && pixels.iter().any(|pixel| pixel >> 24 != 0)).then_some(Self { width, hot, pixels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: u32 = 0xffff_ffff;
    const HALF_RED: u32 = 0x8080_0000;
    const CLEAR: u32 = 0;

    fn pixel(pixels: &[u8], width: usize, x: usize, y: usize) -> [u8; 3] {
        let at = (y * width + x) * PIXEL;
        [pixels[at], pixels[at + 1], pixels[at + 2]]
    }

    #[test]
    fn a_pointer_is_blended_and_taken_off_again() {
        let mut canvas = Canvas::new(8, 6);
        canvas.put(Area { x: 0, y: 0, width: 8, height: 6 }, &[200; 8 * 6 * 4]);
        let before = canvas.clone();
        let pointer = Pointer::new(2, 2, (1, 0), vec![WHITE, HALF_RED, CLEAR, WHITE]).expect("a pointer");
        canvas.with_pointer(Some((&pointer, 4, 2)), |pixels| {
            assert_eq!(pixel(pixels, 8, 3, 2), [255; 3], "white covers");
            // Half of 200 shows through, and half of red is added.
            assert_eq!(pixel(pixels, 8, 4, 2), [100, 100, 228]);
            assert_eq!(pixel(pixels, 8, 3, 3), [200; 3], "clear shows what is below");
            assert_eq!(pixel(pixels, 8, 5, 2), [200; 3]);
        });
        assert_eq!(canvas, before);
    }

    #[test]
    fn a_pointer_at_any_edge_is_cut() {
        let mut canvas = Canvas::new(4, 4);
        let pointer = Pointer::new(3, 3, (1, 1), vec![WHITE; 9]).expect("a pointer");
        let check = |canvas: &mut Canvas, x, y, expect: usize| {
            let count = canvas.with_pointer(Some((&pointer, x, y)), |pixels| {
                pixels.chunks_exact(PIXEL).filter(|pixel| pixel[..3] == [255; 3]).count()
            });
            assert_eq!(count, expect, "at {x}, {y}");
        };
        for (x, y, expect) in [(1, 1, 9), (0, 0, 4), (3, 3, 4), (3, 0, 4), (-1, 2, 3), (-2, 0, 0), (i32::MAX, 0, 0)] {
            check(&mut canvas, x, y, expect);
        }
        check(&mut canvas, i32::MIN, i32::MIN, 0);
        assert_eq!(canvas, Canvas::new(4, 4));
    }

    #[test]
    fn pointers_that_cannot_be_are_none() {
        assert_eq!(Pointer::new(0, 1, (0, 0), Vec::new()), None);
        assert_eq!(Pointer::new(2, 2, (0, 0), vec![WHITE; 3]), None);
        assert_eq!(Pointer::new(2, 2, (0, 0), vec![CLEAR; 4]), None);
        assert_eq!(Pointer::new(600, 1, (0, 0), vec![WHITE; 600]), None);
    }

    proptest::proptest! {
        /// What lies inside is taken over, nothing else changes, no rectangle is too wild.
        #[test]
        fn a_part_is_put_where_it_belongs(x in -20i32..20, y in -20i32..20, width in 1i32..20, height in 1i32..20, missing in 0usize..5) {
            let mut canvas = Canvas::new(10, 8);
            let length = usize::try_from(width * height * 4).expect("small");
            let area = Area { x, y, width, height };
            let row = usize::try_from(width).expect("small") * 4;
            let bytes = vec![9; length.saturating_sub(missing * row)];
            canvas.put(area, &bytes);
            let rows = i32::try_from(bytes.len() / row).expect("small");
            for (at, pixel) in (0i32..).zip(canvas.pixels.chunks_exact(4)) {
                let (px, py) = (at % 10, at / 10);
                let inside = (x..x + width).contains(&px) && (y..y + rows).contains(&py);
                proptest::prop_assert_eq!(pixel, if inside { [9; 4] } else { [0; 4] });
            }
        }
    }
}
