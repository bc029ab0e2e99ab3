//! A picture that machines can read: `cli.md`, "Test card". Blocks of a 32nd of the width and an 18th of the height
//! carry the moment of capture and the picture's number, over a picture that moves and is cheap to draw.
//!
//! Rows 0 and 1 hold 24 bits: 4 check bits, then 20 bits of milliseconds. Rows 2 to 9 hold 96 bits: frame number u32,
//! Unix microseconds u52, CRC-8 of these 84 bits, 4 zero bits. Twelve blocks a row, white is 1, least significant bit
//! first. [`read`] believes a picture only when all of it agrees: about one picture in 2^36 of noise would pass, and
//! none that is flat.

use super::{Format, VideoSource};
use crate::av::Error;
use crate::clock;
use crate::frame::VideoFrame;

const COLUMNS: usize = 12;
const ROWS: usize = 10;
const BITS: u32 = 120;
const WHITE: u8 = 235;
const BLACK: u8 = 16;
const THRESHOLD: u8 = 126;

/// What a test card says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The picture's number; rises by one an interval.
    pub frame: u32,
    /// When it was captured, by the wall clock of its maker.
    pub unix_micros: u64,
}

impl Stamp {
    /// The blocks' bits, row by row.
    pub fn bits(self) -> u128 {
        let micros = self.unix_micros & ((1 << 52) - 1);
        let millis = u32::try_from((micros / 1000) & 0xf_ffff).unwrap_or(0);
        let short = u128::from(millis << 4 | check(millis));
        let body = u128::from(self.frame) | u128::from(micros) << 32;
        short | (body | u128::from(crc(body)) << 84) << 24
    }

    /// Reads the blocks' bits; `None` unless check bits, CRC, zero bits and both times agree.
    pub fn from_bits(bits: u128) -> Option<Self> {
        let short = u32::try_from(bits & 0xff_ffff).ok()?;
        let millis = short >> 4;
        let long = bits >> 24;
        let body = long & ((1 << 84) - 1);
        let stamp =
            Self { frame: u32::try_from(body & 0xffff_ffff).ok()?, unix_micros: u64::try_from(body >> 32).ok()? };
        let ok = short & 15 == check(millis)
            && long >> 84 == u128::from(crc(body))
            && u32::try_from((stamp.unix_micros / 1000) & 0xf_ffff).ok()? == millis;
        ok.then_some(stamp)
    }
}

fn check(millis: u32) -> u32 {
    ((millis ^ millis >> 4 ^ millis >> 8 ^ millis >> 12 ^ millis >> 16) & 15) ^ 9
}

/// CRC-8, polynomial 0x07, initial 0, of the 84 bits in the order in which they are drawn.
fn crc(body: u128) -> u8 {
    crc_of((0..84).map(|i| body >> i & 1 == 1))
}

fn crc_of(bits: impl Iterator<Item = bool>) -> u8 {
    bits.fold(0, |crc, bit| crc << 1 ^ if (crc >> 7 == 1) == bit { 0 } else { 0x07 })
}

/// Reads the stamp in a luma plane of `width` x `height`, rows without padding. `None`: no stamp, or one that is
/// damaged; nothing is guessed.
pub fn read(luma: &[u8], width: u16, height: u16) -> Option<Stamp> {
    let (width, height) = (usize::from(width), usize::from(height));
    let mut bits = 0;
    for index in 0..BITS {
        let (x, y) = (index as usize % COLUMNS, index as usize / COLUMNS);
        let (x, y) = ((2 * x + 1) * width / 64, (2 * y + 1) * height / 36);
        if *luma.get(y * width + x)? > THRESHOLD {
            bits |= 1u128 << index;
        }
    }
    Stamp::from_bits(bits)
}

/// Draws the blocks of `stamp` into a luma plane.
fn draw(stamp: Stamp, luma: &mut [u8], width: usize, height: usize) {
    let bits = stamp.bits();
    for row in 0..ROWS {
        for line in luma.chunks_exact_mut(width).take((row + 1) * height / 18).skip(row * height / 18) {
            for column in 0..COLUMNS {
                let white = bits >> (row * COLUMNS + column) & 1 == 1;
                line[column * width / 32..(column + 1) * width / 32].fill(if white { WHITE } else { BLACK });
            }
        }
    }
}

/// The generated camera.
#[derive(Debug)]
pub struct TestCard {
    format: Format,
    /// Luma of the background, one period wider than the picture; each picture shows it from another column.
    background: Vec<u8>,
}

/// The background repeats after so many columns.
const PERIOD: usize = 128;

impl TestCard {
    /// Sides are even, as [`crate::av::spec::Camera`] makes sure.
    pub fn new(width: u16, height: u16, fps: u8) -> Self {
        let stride = usize::from(width) + PERIOD;
        let mut background = vec![0; stride * usize::from(height)];
        for (y, row) in background.chunks_exact_mut(stride).enumerate() {
            for (x, value) in row.iter_mut().enumerate() {
                // Soft hills with a period of 128 columns and 96 rows.
                let (x, y) = (hill(x % PERIOD, PERIOD), hill(y % 96, 96));
                *value = u8::try_from(60 + (x + y) / 2).unwrap_or(BLACK);
            }
        }
        Self { format: Format { width, height, rate: (u32::from(fps.max(1)), 1) }, background }
    }
}

/// A triangle wave from 0 to 120.
fn hill(at: usize, period: usize) -> usize {
    at.min(period - at) * 240 / period
}

impl VideoSource for TestCard {
    fn format(&self) -> Format {
        self.format
    }

    fn picture(&mut self, tick: u64, picture: &mut VideoFrame) -> Result<(), Error> {
        let (width, height) = (usize::from(picture.width()), usize::from(picture.height()));
        let stride = usize::from(self.format.width) + PERIOD;
        // Two columns a picture, and a bright disc that circles: something moves everywhere, cheaply.
        let shift = usize::try_from(tick * 2 % PERIOD as u64).unwrap_or(0);
        let (y, u, v) = picture.planes_mut();
        for (to, from) in y.chunks_exact_mut(width).zip(self.background.chunks_exact(stride)) {
            to.copy_from_slice(&from[shift..shift + width]);
        }
        let hue = u8::try_from(tick % 128).unwrap_or(0).min(127);
        u.fill(96 + hue / 2);
        v.fill(160 - hue / 2);
        let side = (height / 6).max(2);
        let path = (width - side).max(1);
        let (left, top) = (usize::try_from(tick * 5 % path as u64).unwrap_or(0), height * 3 / 4);
        for line in y.chunks_exact_mut(width).skip(top).take(side) {
            line[left..left + side].fill(200);
        }
        // The moment of capture is when the picture is ready but for its stamp.
        picture.captured = clock::host_micros();
        let stamp = Stamp { frame: u32::try_from(tick & 0xffff_ffff).unwrap_or(0), unix_micros: clock::unix_micros() };
        draw(stamp, picture.planes_mut().0, width, height);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Pool;

    #[test]
    fn bits_stand_where_the_contract_says() {
        let stamp = Stamp { frame: 0x8000_0001, unix_micros: 0x000f_ffff * 1000 };
        let bits = stamp.bits();
        assert_eq!(bits & 15, 0xf ^ 9);
        assert_eq!(bits >> 4 & 0xf_ffff, 0xf_ffff);
        assert_eq!(bits >> 24 & 0xffff_ffff, 0x8000_0001);
        assert_eq!(bits >> 56 & ((1 << 52) - 1), 0x000f_ffff * 1000);
        assert_eq!(bits >> 116, 0);
    }

    #[test]
    fn crc_is_the_common_crc_8() {
        let bits = b"123456789".iter().flat_map(|byte| (0..8).rev().map(move |i| byte >> i & 1 == 1));
        assert_eq!(crc_of(bits), 0xf4);
    }

    #[test]
    fn every_size_reads_back() {
        for (width, height) in [(64, 36), (320, 180), (426, 240), (640, 360), (854, 480), (1280, 720), (1920, 1080)] {
            let mut card = TestCard::new(width, height, 30);
            let mut picture = Pool::new(1).picture(width, height);
            for tick in [0, 1, 77, 5_000_000_000] {
                card.picture(tick, &mut picture).expect("drawn");
                let stamp = read(picture.planes().0, width, height).expect("a stamp");
                assert_eq!(u64::from(stamp.frame), tick & 0xffff_ffff);
                assert!(clock::unix_micros().abs_diff(stamp.unix_micros) < 5_000_000);
            }
        }
    }

    #[test]
    fn flat_pictures_carry_no_stamp() {
        for value in [0, 16, 128, 235, 255] {
            assert_eq!(read(&[value; 64 * 36], 64, 36), None);
        }
        assert_eq!(read(&[], 640, 360), None);
    }

    proptest! {
        #[test]
        fn one_wrong_block_is_seen(frame: u32, micros in 0u64..1 << 52, bit in 0u32..BITS) {
            let stamp = Stamp { frame, unix_micros: micros };
            prop_assert_eq!(Stamp::from_bits(stamp.bits()), Some(stamp));
            prop_assert_eq!(Stamp::from_bits(stamp.bits() ^ 1 << bit), None);
        }
    }
}
