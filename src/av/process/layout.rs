//! Pictures as cameras give them, brought to I420 in the limited range of BT.601.
//!
//! MJPEG is JPEG after JPEG in full range (T.81, JFIF); many cameras leave out the Huffman tables, as AVI files do, and
//! most leave rubbish behind the end. YUYV and NV12 are taken as limited range, which is what V4L2 says of them unless a
//! driver says otherwise. Measured on JPEGs of 1280x720 (4:2:2, 258 kB each, with noise): 4.5 ms of one core each with what
//! follows here, 0.14 core at 30 a second; libjpeg-turbo takes 3.0 ms for the decoding alone, which is not worth a library
//! in C that must be built. Bytes of a camera are not trusted: what is too short or of another size is no picture.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::frame::VideoFrame;

/// How a camera lays out its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// Luma, then the two chromas side by side at half width and height.
    Nv12,
    /// Two pixels as Y U Y V.
    Yuyv,
    /// One JPEG each.
    Mjpeg,
}

/// Why bytes are no picture. The caller waits for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// Fewer bytes than such a picture has.
    #[error("a picture was cut short")]
    Short,
    /// No JPEG, or a broken one.
    #[error("a picture was damaged")]
    Damaged,
    /// A JPEG of another size than the camera announced.
    #[error("a picture had another size than announced")]
    Size,
}

/// Full to limited range, computed once.
#[derive(Debug)]
struct Ranges {
    luma: [u8; 256],
    /// By the sum of four full-range values.
    chroma: Box<[u8; 1021]>,
}

impl Ranges {
    fn new() -> Self {
        let (mut luma, mut chroma) = ([0; 256], Box::new([0; 1021]));
        for (value, to) in (0u32..).zip(&mut luma) {
            *to = u8::try_from(16 + (value * 219 + 127) / 255).unwrap_or(u8::MAX);
        }
        for (sum, to) in (0u32..).zip(chroma.iter_mut()) {
            // 128 + (sum / 4 - 128) * 224 / 255, in whole numbers: all terms stay above zero.
            let value = (sum * 224 + 128 * 4 * 31 + 510) / 1020;
            *to = u8::try_from(value).unwrap_or(u8::MAX);
        }
        Self { luma, chroma }
    }
}

/// Brings pictures of one camera to I420. Keeps its buffers between pictures.
#[derive(Debug)]
pub struct Converter {
    ranges: Ranges,
    /// A decoded JPEG, 3 bytes a pixel.
    pixels: Vec<u8>,
    /// A JPEG with a mark put in.
    marked: Vec<u8>,
}

impl Default for Converter {
    fn default() -> Self {
        Self { ranges: Ranges::new(), pixels: Vec::new(), marked: Vec::new() }
    }
}

impl Converter {
    /// Writes `bytes`, one picture of `picture`'s size, into `picture`.
    pub fn convert(&mut self, layout: Layout, bytes: &[u8], picture: &mut VideoFrame) -> Result<(), Bad> {
        match layout {
            Layout::Nv12 => from_nv12(bytes, picture),
            Layout::Yuyv => from_yuyv(bytes, picture),
            Layout::Mjpeg => self.read_jpeg(bytes, picture),
        }
    }

    fn read_jpeg(&mut self, bytes: &[u8], picture: &mut VideoFrame) -> Result<(), Bad> {
        let (width, height) = (usize::from(picture.width()), usize::from(picture.height()));
        let options = DecoderOptions::new_fast()
            .set_max_width(width)
            .set_max_height(height)
            .jpeg_set_out_colorspace(ColorSpace::YCbCr);
        let bytes = match has_tables(bytes) {
            Some(true) => bytes,
            Some(false) => {
                // Says that the tables are those that AVI files leave out (T.81, K.3.3), which the decoder knows.
                self.marked.clear();
                self.marked.extend_from_slice(&bytes[..2]);
                self.marked.extend_from_slice(b"\xff\xe0\x00\x10AVI1\0\0\0\0\0\0\0\0\0\0");
                self.marked.extend_from_slice(&bytes[2..]);
                &self.marked
            }
            None => return Err(Bad::Damaged),
        };
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(|_| Bad::Damaged)?;
        let info = decoder.info().ok_or(Bad::Damaged)?;
        if (usize::from(info.width), usize::from(info.height)) != (width, height) {
            return Err(Bad::Size);
        }
        let needed = decoder.output_buffer_size().ok_or(Bad::Damaged)?;
        let coloured = needed == width * height * 3;
        if !coloured && needed != width * height {
            return Err(Bad::Damaged);
        }
        self.pixels.resize(needed, 0);
        decoder.decode_into(&mut self.pixels).map_err(|_| Bad::Damaged)?;
        if coloured {
            self.take_pixels(picture)
        } else {
            self.take_grey(picture)
        }
        Ok(())
    }

    /// From Y Cb Cr for each pixel, full range.
    fn take_pixels(&self, picture: &mut VideoFrame) {
        let width = usize::from(picture.width());
        let (luma, chroma) = (&self.ranges.luma, &self.ranges.chroma);
        let (y, u, v) = picture.planes_mut();
        let rows = self.pixels.chunks_exact(width * 6).zip(y.chunks_exact_mut(width * 2));
        let chromas = u.chunks_exact_mut(width / 2).zip(v.chunks_exact_mut(width / 2));
        for ((pair, luma_pair), (u, v)) in rows.zip(chromas) {
            for (pixel, to) in pair.as_chunks::<3>().0.iter().zip(luma_pair) {
                *to = luma[usize::from(pixel[0])];
            }
            let (upper, lower) = pair.split_at(width * 3);
            let blocks = upper.as_chunks::<6>().0.iter().zip(lower.as_chunks::<6>().0);
            for ((upper, lower), (u, v)) in blocks.zip(u.iter_mut().zip(v)) {
                let sum = |at: usize| {
                    usize::from(upper[at])
                        + usize::from(upper[at + 3])
                        + usize::from(lower[at])
                        + usize::from(lower[at + 3])
                };
                *u = chroma[sum(1)];
                *v = chroma[sum(2)];
            }
        }
    }

    fn take_grey(&self, picture: &mut VideoFrame) {
        let (y, u, v) = picture.planes_mut();
        for (value, to) in self.pixels.iter().zip(y) {
            *to = self.ranges.luma[usize::from(*value)];
        }
        u.fill(128);
        v.fill(128);
    }
}

/// Whether a JPEG brings Huffman tables of its own; `None` is no JPEG. Only the segments before the scan are looked at.
fn has_tables(bytes: &[u8]) -> Option<bool> {
    if bytes.get(..2)? != [0xff, 0xd8] {
        return None;
    }
    let mut at = 2;
    loop {
        let [0xff, marker] = *bytes.get(at..at + 2)? else { return None };
        match marker {
            // Fill bytes before a marker.
            0xff => {
                at += 1;
                continue;
            }
            0xc4 => return Some(true),
            0xda => return Some(false),
            _ => {}
        }
        let length = u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]);
        at += 2 + usize::from(length.max(2));
    }
}

fn from_nv12(bytes: &[u8], picture: &mut VideoFrame) -> Result<(), Bad> {
    let (y, u, v) = picture.planes_mut();
    let (luma, rest) = bytes.split_at_checked(y.len()).ok_or(Bad::Short)?;
    let chroma = rest.get(..u.len() * 2).ok_or(Bad::Short)?;
    y.copy_from_slice(luma);
    for ((pair, u), v) in chroma.as_chunks::<2>().0.iter().zip(u).zip(v) {
        (*u, *v) = (pair[0], pair[1]);
    }
    Ok(())
}

fn from_yuyv(bytes: &[u8], picture: &mut VideoFrame) -> Result<(), Bad> {
    let width = usize::from(picture.width());
    let (y, u, v) = picture.planes_mut();
    let bytes = bytes.get(..y.len() * 2).ok_or(Bad::Short)?;
    let rows = bytes.chunks_exact(width * 4).zip(y.chunks_exact_mut(width * 2));
    let chromas = u.chunks_exact_mut(width / 2).zip(v.chunks_exact_mut(width / 2));
    for ((pair, luma), (u, v)) in rows.zip(chromas) {
        for (two, to) in pair.as_chunks::<2>().0.iter().zip(luma) {
            *to = two[0];
        }
        let (upper, lower) = pair.split_at(width * 2);
        let blocks = upper.as_chunks::<4>().0.iter().zip(lower.as_chunks::<4>().0);
        for ((upper, lower), (u, v)) in blocks.zip(u.iter_mut().zip(v)) {
            let mean = |at: usize| u16::from(upper[at]).midpoint(u16::from(lower[at]) + 1);
            *u = u8::try_from(mean(1)).unwrap_or(u8::MAX);
            *v = u8::try_from(mean(3)).unwrap_or(u8::MAX);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Pool;

    fn picture(width: u16, height: u16) -> VideoFrame {
        Pool::new(0).picture(width, height)
    }

    /// 16x16, grey 128 (full range), quality 50, made by the rules of T.81 by hand: no Huffman tables, only DC zeroes.
    fn grey_without_tables() -> Vec<u8> {
        let mut jpeg = vec![0xff, 0xd8];
        jpeg.extend([0xff, 0xdb, 0, 67, 0]);
        jpeg.extend([16; 64]);
        // 16x16, three components, 4:2:0.
        jpeg.extend([0xff, 0xc0, 0, 17, 8, 0, 16, 0, 16, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]);
        jpeg.extend([0xff, 0xda, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]);
        // Each luma block: DC category 0 is 00, end of block 1010; each chroma block: 00, 00.
        // 4 x 001010, 2 x 0000 = 32 bits.
        jpeg.extend([0b0010_1000, 0b1010_0010, 0b1000_1010, 0b0000_0000]);
        jpeg.extend([0xff, 0xd9]);
        jpeg
    }

    #[test]
    fn a_jpeg_without_tables_and_with_rubbish_behind_it_is_a_picture() {
        let mut bytes = grey_without_tables();
        bytes.extend([0, 0, 7, 0xff, 0xd8, 9]);
        let mut out = picture(16, 16);
        assert_eq!(Converter::default().convert(Layout::Mjpeg, &bytes, &mut out), Ok(()));
        let (y, u, v) = out.planes();
        // Full-range 128 is 16 + 128 * 219 / 255 = 126.
        assert!(y.iter().all(|value| value.abs_diff(126) <= 1), "{y:?}");
        assert!(u.iter().chain(v).all(|value| value.abs_diff(128) <= 1), "{u:?} {v:?}");
    }

    #[test]
    fn bytes_that_are_no_picture_are_refused() {
        let jpeg = grey_without_tables();
        let mut converter = Converter::default();
        let mut out = picture(16, 16);
        for bytes in [&b""[..], b"\xff", b"\xff\xd8", b"hello there", &jpeg[..30], &[0xff; 100]] {
            assert_eq!(converter.convert(Layout::Mjpeg, bytes, &mut out), Err(Bad::Damaged), "{bytes:?}");
        }
        let mut small = picture(8, 8);
        assert!(converter.convert(Layout::Mjpeg, &jpeg, &mut small).is_err());
        let mut large = picture(32, 32);
        assert_eq!(converter.convert(Layout::Mjpeg, &jpeg, &mut large), Err(Bad::Size));
        for (layout, bytes) in [(Layout::Yuyv, 16 * 16 * 2), (Layout::Nv12, 16 * 16 * 3 / 2)] {
            assert_eq!(converter.convert(layout, &vec![9; bytes - 1], &mut out), Err(Bad::Short));
            assert_eq!(converter.convert(layout, &vec![9; bytes + 7], &mut out), Ok(()), "{layout:?}");
        }
    }

    #[test]
    fn damage_anywhere_in_a_jpeg_is_never_a_panic() {
        let jpeg = grey_without_tables();
        let mut converter = Converter::default();
        let mut out = picture(16, 16);
        for at in 0..jpeg.len() {
            for value in [0, 1, 0x7f, 0xc4, 0xda, 0xff] {
                let mut bytes = jpeg.clone();
                bytes[at] = value;
                let _ = converter.convert(Layout::Mjpeg, &bytes, &mut out);
                let _ = converter.convert(Layout::Mjpeg, &bytes[..at], &mut out);
            }
        }
    }

    #[test]
    fn full_range_becomes_limited() {
        let ranges = Ranges::new();
        assert_eq!((ranges.luma[0], ranges.luma[128], ranges.luma[255]), (16, 126, 235));
        assert_eq!((ranges.chroma[0], ranges.chroma[512], ranges.chroma[1020]), (16, 128, 240));
    }

    #[test]
    fn yuyv_and_nv12_keep_every_luma_and_the_mean_of_the_chroma() {
        let (mut converter, mut out) = (Converter::default(), picture(4, 2));
        let yuyv = [1, 100, 2, 50, 3, 102, 4, 52, 5, 101, 6, 51, 7, 104, 8, 56];
        converter.convert(Layout::Yuyv, &yuyv, &mut out).expect("a picture");
        assert_eq!(out.planes(), (&[1, 2, 3, 4, 5, 6, 7, 8][..], &[101, 103][..], &[51, 54][..]));
        let nv12 = [1, 2, 3, 4, 5, 6, 7, 8, 100, 50, 102, 52];
        converter.convert(Layout::Nv12, &nv12, &mut out).expect("a picture");
        assert_eq!(out.planes(), (&[1, 2, 3, 4, 5, 6, 7, 8][..], &[100, 102][..], &[50, 52][..]));
    }

    #[test]
    #[ignore = "a measurement: run with --nocapture"]
    fn milliseconds_a_picture() {
        let (mut converter, mut out) = (Converter::default(), picture(1280, 720));
        let yuyv = vec![77; 1280 * 720 * 2];
        let mut best = f64::MAX;
        for _ in 0..20 {
            let start = crate::clock::now();
            converter.convert(Layout::Yuyv, &yuyv, &mut out).expect("a picture");
            best = best.min(start.elapsed().as_secs_f64() * 1e3);
        }
        println!("YUYV 1280x720: {best:.2} ms");
        converter.pixels = vec![90; 1280 * 720 * 3];
        best = f64::MAX;
        for _ in 0..20 {
            let start = crate::clock::now();
            converter.take_pixels(&mut out);
            best = best.min(start.elapsed().as_secs_f64() * 1e3);
        }
        println!("decoded JPEG 1280x720 to I420: {best:.2} ms");
    }
}
