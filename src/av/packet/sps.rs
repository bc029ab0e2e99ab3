//! Sans-IO. The few fields of an H.264 sequence parameter set that decide how much memory a decoder takes (ITU-T H.264,
//! 7.3.2.1.1). A peer's bytes are refused here before they reach the decoder: only the baseline profile that our
//! encoder makes, at most 1920x1088 and 2048 a side, few reference pictures.

/// Most macroblocks of a picture: 1920x1088.
const MAX_MACROBLOCKS: u32 = 120 * 68;
/// Most macroblocks across or down: 2048 pixels, what every GPU takes as a texture.
const MAX_SIDE: u32 = 128;
/// Most reference pictures; our encoder uses at most four.
const MAX_REFERENCES: u32 = 4;

/// True when every parameter set in this Annex B access unit is one that we want to decode. Without any it is true:
/// the decoder then uses the last one that passed.
pub fn acceptable(access_unit: &[u8]) -> bool {
    nals(access_unit).all(|nal| match nal.first().map(|header| header & 31) {
        Some(7) => size(nal).is_some(),
        // Subset parameter sets and extension slices (SVC, MVC) are not ours.
        Some(14 | 15 | 20) => false,
        _ => true,
    })
}

/// Pixels across and down that a parameter set NAL asks for, in whole macroblocks; `None` when it is not acceptable.
pub fn size(nal: &[u8]) -> Option<(u32, u32)> {
    let mut bits = Bits::new(nal.get(1..)?);
    if bits.take(8)? != 66 {
        return None;
    }
    bits.take(16)?;
    bits.ue()?;
    bits.ue()?;
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.take(1)?;
            bits.ue()?;
            bits.ue()?;
            for _ in 0..bits.ue().filter(|n| *n <= 255)? {
                bits.ue()?;
            }
        }
        2 => {}
        _ => return None,
    }
    let references = bits.ue()?;
    bits.take(1)?;
    let (width, height) = (bits.ue()?.checked_add(1)?, bits.ue()?.checked_add(1)?);
    let frames_only = bits.take(1)? == 1;
    let fits = references <= MAX_REFERENCES
        && frames_only
        && width <= MAX_SIDE
        && height <= MAX_SIDE
        && width * height <= MAX_MACROBLOCKS;
    fits.then_some((width * 16, height * 16))
}

/// The NAL units between Annex B start codes.
fn nals(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = next_start(data);
    std::iter::from_fn(move || {
        let from = rest?;
        let next = next_start(from);
        let end = next.map_or(from.len(), |next| from.len() - next.len() - 3);
        rest = next;
        Some(&from[..end])
    })
}

/// What follows the next `00 00 01`.
fn next_start(data: &[u8]) -> Option<&[u8]> {
    data.windows(3).position(|three| three == [0, 0, 1]).map(|at| &data[at + 3..])
}

/// Reads bits, most significant first, skipping emulation prevention bytes (7.4.1).
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    bit: u32,
    zeros: u32,
}

impl<'a> Bits<'a> {
    fn new(data: &'a [u8]) -> Self {
        let mut bits = Self { data, at: 0, bit: 0, zeros: 0 };
        bits.enter();
        bits
    }

    /// Called when `at` moved to a new byte.
    fn enter(&mut self) {
        if self.zeros >= 2 && self.data.get(self.at) == Some(&3) {
            self.at += 1;
            self.zeros = 0;
        }
        self.zeros = if self.data.get(self.at) == Some(&0) { self.zeros + 1 } else { 0 };
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.data.get(self.at)?;
            value = value << 1 | u32::from(byte >> (7 - self.bit) & 1);
            self.bit += 1;
            if self.bit == 8 {
                self.bit = 0;
                self.at += 1;
                self.enter();
            }
        }
        Some(value)
    }

    /// An Exp-Golomb number (9.1) below 2^16, more than any field here may hold.
    fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > 16 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes a baseline parameter set of `width` x `height` macroblocks.
    fn set(profile: u8, references: u32, width: u32, height: u32) -> Vec<u8> {
        let mut bits: Vec<bool> = Vec::new();
        let ue = |bits: &mut Vec<bool>, value: u32| {
            let length = (value + 1).ilog2();
            bits.extend((0..length).map(|_| false));
            bits.extend((0..=length).rev().map(|i| (value + 1) >> i & 1 == 1));
        };
        for value in [0, 4, 2, references] {
            ue(&mut bits, value);
        }
        bits.push(false);
        ue(&mut bits, width - 1);
        ue(&mut bits, height - 1);
        bits.extend([true, true, false, false, true]);
        let mut nal = vec![0, 0, 0, 1, 0x67, profile, 0xc0, 30];
        nal.extend(bits.chunks(8).map(|b| b.iter().enumerate().fold(0u8, |v, (i, bit)| v | u8::from(*bit) << (7 - i))));
        nal
    }

    #[test]
    fn ordinary_sizes_pass_and_others_do_not() {
        assert!(acceptable(&set(66, 1, 40, 23)));
        assert_eq!(size(&set(66, 1, 40, 23)[4..]), Some((640, 368)));
        assert!(acceptable(&set(66, 1, 120, 68)));
        assert!(acceptable(&set(66, 1, 128, 63)) && acceptable(&set(66, 1, 63, 128)));
        for side in [129, 256] {
            assert!(!acceptable(&set(66, 1, side, 20)) && !acceptable(&set(66, 1, 20, side)), "{side}");
        }
        for bad in [set(66, 1, 256, 256), set(100, 1, 40, 23), set(66, 16, 40, 23), set(66, 1, 60_000, 1)] {
            assert!(!acceptable(&bad));
        }
        assert!(!acceptable(&[0, 0, 1, 0x67]));
        assert!(acceptable(&[0, 0, 1, 0x41, 5, 6, 7]));
        assert!(acceptable(&[]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(data in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(3), Just(0x67), any::<u8>()], 0..200)) {
            let _ = acceptable(&data);
        }
    }
}
