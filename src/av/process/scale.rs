//! Scaling of I420 pictures, plane by plane, with SIMD. Down-scaling averages (a tile is read at a glance: no ringing,
//! no aliasing).

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::frame::{Pool, VideoFrame};

/// Scales pictures; keeps its tables between calls, so keep one for each pair of sizes.
#[derive(Debug, Default)]
pub struct Scaler {
    resizer: Resizer,
}

impl Scaler {
    /// A scaler.
    pub fn new() -> Self {
        Self::default()
    }

    /// `picture` at `width` x `height` (rounded down to even), stretched where the shape differs. The capture time is
    /// kept.
    pub fn scale(&mut self, picture: &VideoFrame, width: u16, height: u16, pool: &Pool) -> VideoFrame {
        let mut out = pool.picture(width, height);
        out.captured = picture.captured;
        let from = (u32::from(picture.width()), u32::from(picture.height()));
        let to = (u32::from(out.width()), u32::from(out.height()));
        if from == to {
            out.data_mut().copy_from_slice(picture.data());
            return out;
        }
        let (y, u, v) = picture.planes();
        let (out_y, out_u, out_v) = out.planes_mut();
        self.plane(y, from, out_y, to);
        self.plane(u, (from.0 / 2, from.1 / 2), out_u, (to.0 / 2, to.1 / 2));
        self.plane(v, (from.0 / 2, from.1 / 2), out_v, (to.0 / 2, to.1 / 2));
        out
    }

    fn plane(&mut self, from: &[u8], from_size: (u32, u32), to: &mut [u8], to_size: (u32, u32)) {
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        let source = TypedImageRef::<U8>::from_buffer(from_size.0, from_size.1, from);
        let target = TypedImage::<U8>::from_buffer(to_size.0, to_size.1, to);
        // Planes have the sizes of their picture, so neither can fail.
        if let (Ok(source), Ok(mut target)) = (source, target) {
            let done = self.resizer.resize_typed(&source, &mut target, &options);
            debug_assert!(done.is_ok(), "planes have the sizes of their picture");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_stays_a_ramp() {
        let pool = Pool::new(4);
        let mut picture = pool.picture(256, 64);
        picture.captured = 7;
        for row in picture.planes_mut().0.chunks_exact_mut(256) {
            for (x, value) in row.iter_mut().enumerate() {
                *value = u8::try_from(x).expect("below 256");
            }
        }
        let small = Scaler::new().scale(&picture, 128, 32, &pool);
        assert_eq!((small.width(), small.height(), small.captured), (128, 32, 7));
        for (x, value) in small.planes().0[..128].iter().enumerate().skip(2).take(124) {
            assert!(value.abs_diff(u8::try_from(2 * x).expect("small")) <= 2, "column {x} is {value}");
        }
    }
}
