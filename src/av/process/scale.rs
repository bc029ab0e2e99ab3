//! Scaling of I420 pictures, plane by plane. Down-scaling averages the area that a target pixel covers: a tile is read
//! at a glance, so neither ringing nor aliasing; up-scaling, which only a dump needs, is bilinear.
//!
//! Plain loops over whole numbers, which are quick in every profile: generic SIMD of another crate is instantiated
//! here, and took 140 ms a picture at opt-level 0 (at 1 it was not timed). Measured at opt-level 1: 1280x720 to 640x360
//! 0.13 ms, 1920x1080 to 1280x720 4.5 ms, 640x360 to a tile 0.03 ms (`milliseconds_a_picture`).

use crate::frame::{Pool, VideoFrame};

/// Weights of one target pixel sum up to this: two passes of 12 bits leave 8 for the pixel in a `u32`.
const ONE: u32 = 1 << 12;

/// Which source pixels make up each target pixel of one axis, and how much of each: `taps` weights a target pixel.
#[derive(Debug, Default)]
struct Axis {
    from: usize,
    to: usize,
    taps: usize,
    starts: Vec<usize>,
    weights: Vec<u32>,
}

impl Axis {
    fn fit(&mut self, from: usize, to: usize) {
        if (self.from, self.to) == (from, to) {
            return;
        }
        (self.from, self.to) = (from, to);
        self.starts.clear();
        self.weights.clear();
        // A span of `from / to` source pixels touches one more than its length, rounded up, at the most.
        self.taps = if from.is_multiple_of(to) { from / to } else { (from / to + 2).min(from) };
        for target in 0..to {
            if from >= to { self.push_area(target) } else { self.push_between(target) }
        }
    }

    /// In units where a source pixel is `to` wide, a target pixel is `from` wide.
    fn push_area(&mut self, target: usize) {
        let (begin, end) = (target * self.from, (target + 1) * self.from);
        let start = (begin / self.to).min(self.from - self.taps);
        self.starts.push(start);
        // Shares of the way, rounded, so that the weights sum up to ONE whatever the ratio is.
        let share = |source: usize| {
            let covered = (source * self.to).clamp(begin, end) - begin;
            (covered * (1 << 12) + self.from / 2) / self.from
        };
        for source in start..start + self.taps {
            self.weights.push(u32::try_from(share(source + 1) - share(source)).unwrap_or(ONE));
        }
    }

    /// Between the middles of the two source pixels around the middle of the target pixel.
    fn push_between(&mut self, target: usize) {
        let at = ((2 * target + 1) * self.from).saturating_sub(self.to).min(2 * self.to * (self.from - 1));
        let start = (at / (2 * self.to)).min(self.from - self.taps);
        self.starts.push(start);
        let part = ((at - start * 2 * self.to) * (1 << 12) + self.to) / (2 * self.to);
        let part = u32::try_from(part).unwrap_or(ONE).min(ONE);
        match self.taps {
            1 => self.weights.push(ONE),
            _ => self.weights.extend([ONE - part, part]),
        }
    }

    /// One source row, scaled across, into `out`: values with 12 more bits.
    fn row(&self, source: &[u8], out: &mut [u32]) {
        match self.taps {
            2 => self.row_of_2(source, out),
            3 => self.row_of_3(source, out),
            taps => {
                let all = out.iter_mut().zip(&self.starts).zip(self.weights.chunks_exact(taps));
                for ((out, start), weights) in all {
                    let mut sum = 0;
                    for (value, weight) in source[*start..].iter().zip(weights) {
                        sum += u32::from(*value) * weight;
                    }
                    *out = sum;
                }
            }
        }
    }

    fn row_of_2(&self, source: &[u8], out: &mut [u32]) {
        for ((out, start), weights) in out.iter_mut().zip(&self.starts).zip(self.weights.chunks_exact(2)) {
            let at = *start;
            *out = u32::from(source[at]) * weights[0] + u32::from(source[at + 1]) * weights[1];
        }
    }

    fn row_of_3(&self, source: &[u8], out: &mut [u32]) {
        for ((out, start), weights) in out.iter_mut().zip(&self.starts).zip(self.weights.chunks_exact(3)) {
            let at = *start;
            *out = u32::from(source[at]) * weights[0]
                + u32::from(source[at + 1]) * weights[1]
                + u32::from(source[at + 2]) * weights[2];
        }
    }
}

/// The tables and the scratch rows for planes of one size.
#[derive(Debug, Default)]
struct Plane {
    across: Axis,
    down: Axis,
    row: Vec<u32>,
    sum: Vec<u32>,
}

impl Plane {
    fn scale(&mut self, source: &[u8], from: (usize, usize), target: &mut [u8], to: (usize, usize)) {
        if from.0 == 2 * to.0 && from.1 == 2 * to.1 {
            return halve(source, from.0, target, to.0);
        }
        self.across.fit(from.0, to.0);
        self.down.fit(from.1, to.1);
        self.row.resize(to.0, 0);
        self.sum.resize(to.0, 0);
        // The last source row of one target row is often the first of the next.
        let mut ready = None;
        let rows = self.down.starts.iter().zip(self.down.weights.chunks_exact(self.down.taps));
        for (out, (start, weights)) in target.chunks_exact_mut(to.0).zip(rows) {
            self.sum.fill(1 << 23);
            for (at, weight) in (*start..).zip(weights) {
                if *weight == 0 {
                    continue;
                }
                if ready != Some(at) {
                    self.across.row(&source[at * from.0..(at + 1) * from.0], &mut self.row);
                    ready = Some(at);
                }
                for (sum, value) in self.sum.iter_mut().zip(&self.row) {
                    *sum += value * weight;
                }
            }
            for (out, sum) in out.iter_mut().zip(&self.sum) {
                *out = sum.to_be_bytes()[0];
            }
        }
    }
}

/// Half of both sides, eight source columns at a time.
fn halve(source: &[u8], from: usize, target: &mut [u8], to: usize) {
    const LOW: u64 = 0x00ff_00ff_00ff_00ff;
    for (rows, out) in source.chunks_exact(2 * from).zip(target.chunks_exact_mut(to)) {
        let (upper, lower) = rows.split_at(from);
        let (upper, upper_rest) = upper.as_chunks::<8>();
        let (lower, lower_rest) = lower.as_chunks::<8>();
        let (out, out_rest) = out.as_chunks_mut::<4>();
        for ((upper, lower), out) in upper.iter().zip(lower).zip(out) {
            let (upper, lower) = (u64::from_le_bytes(*upper), u64::from_le_bytes(*lower));
            // Four sums of at most 1022 in lanes of 16 bits.
            let sums = (upper & LOW) + ((upper >> 8) & LOW) + (lower & LOW) + ((lower >> 8) & LOW);
            let means = ((sums + 0x0002_0002_0002_0002) >> 2) & LOW;
            let [a, _, b, _, c, _, d, _] = means.to_le_bytes();
            *out = [a, b, c, d];
        }
        let rest = upper_rest.chunks_exact(2).zip(lower_rest.chunks_exact(2));
        for ((upper, lower), out) in rest.zip(out_rest) {
            let sum = u16::from(upper[0]) + u16::from(upper[1]) + u16::from(lower[0]) + u16::from(lower[1]);
            *out = u8::try_from((sum + 2) / 4).unwrap_or(u8::MAX);
        }
    }
}

/// Scales pictures; keeps its tables between calls, so keep one for each pair of sizes.
#[derive(Debug, Default)]
pub struct Scaler {
    luma: Plane,
    chroma: Plane,
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
        let from = (usize::from(picture.width()), usize::from(picture.height()));
        let to = (usize::from(out.width()), usize::from(out.height()));
        if from == to {
            out.data_mut().copy_from_slice(picture.data());
            return out;
        }
        let (y, u, v) = picture.planes();
        let (out_y, out_u, out_v) = out.planes_mut();
        self.luma.scale(y, from, out_y, to);
        let (from, to) = ((from.0 / 2, from.1 / 2), (to.0 / 2, to.1 / 2));
        self.chroma.scale(u, from, out_u, to);
        self.chroma.scale(v, from, out_v, to);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Sides = (u16, u16);

    /// From, to: halves, thirds, odd ratios, thumbnails, one axis only, up.
    const SIZES: &[(Sides, Sides)] = &[
        ((640, 360), (320, 180)),
        ((100, 52), (50, 26)),
        ((1280, 720), (640, 360)),
        ((1920, 1080), (1280, 720)),
        ((1280, 720), (854, 480)),
        ((640, 360), (426, 240)),
        ((640, 480), (98, 34)),
        ((640, 480), (640, 34)),
        ((62, 34), (2, 2)),
        ((64, 48), (62, 46)),
        ((320, 180), (640, 360)),
        ((320, 180), (426, 120)),
        ((2, 2), (36, 18)),
    ];

    fn picture(pool: &Pool, (width, height): Sides, value: impl Fn(usize, usize) -> u8) -> VideoFrame {
        let mut picture = pool.picture(width, height);
        picture.captured = 7;
        let (y, u, v) = picture.planes_mut();
        for (plane, wide) in [(y, usize::from(width)), (u, usize::from(width) / 2), (v, usize::from(width) / 2)] {
            for (down, row) in plane.chunks_exact_mut(wide).enumerate() {
                for (across, to) in row.iter_mut().enumerate() {
                    *to = value(across, down);
                }
            }
        }
        picture
    }

    /// Blobs and a fine texture.
    fn scene(across: usize, down: usize) -> u8 {
        let mixed = (across * across / 7 + down * 5 + (across / 9) * (down / 11) * 13) % 200;
        u8::try_from(16 + mixed).expect("below 216")
    }

    fn byte(value: usize) -> u8 {
        u8::try_from(value).expect("a byte")
    }

    fn mean(plane: &[u8]) -> f64 {
        let sum: u32 = plane.iter().map(|v| u32::from(*v)).sum();
        f64::from(sum) / f64::from(u32::try_from(plane.len()).expect("small"))
    }

    /// What part of the way each of `from` pixels is of target pixel `target` of `to`.
    fn shares(from: u16, to: u16, target: u16) -> Vec<(usize, f64)> {
        let ratio = f64::from(from) / f64::from(to);
        let (begin, end) = (f64::from(target) * ratio, f64::from(target + 1) * ratio);
        let share = |at: u16| (end.min(f64::from(at + 1)) - begin.max(f64::from(at))).max(0.0) / ratio;
        (0..from).map(|at| (usize::from(at), share(at))).filter(|(_, share)| *share > 0.0).collect()
    }

    #[test]
    fn a_constant_picture_stays_constant() {
        let (pool, mut scaler) = (Pool::new(4), Scaler::new());
        for (from, to) in SIZES {
            for value in [0, 1, 128, 254, 255] {
                let out = scaler.scale(&picture(&pool, *from, |_, _| value), to.0, to.1, &pool);
                assert_eq!((out.width(), out.height(), out.captured), (to.0, to.1, 7));
                assert!(out.data().iter().all(|v| *v == value), "{from:?} to {to:?} of {value}");
            }
        }
    }

    #[test]
    fn brightness_is_kept() {
        let (pool, mut scaler) = (Pool::new(4), Scaler::new());
        for (from, to) in SIZES.iter().filter(|(from, to)| from.0 >= to.0 && from.1 >= to.1) {
            let before = picture(&pool, *from, scene);
            let after = scaler.scale(&before, to.0, to.1, &pool);
            for (before, after) in [(before.planes().0, after.planes().0), (before.planes().2, after.planes().2)] {
                assert!((mean(before) - mean(after)).abs() < 1.0, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn a_ramp_stays_a_ramp() {
        let (pool, mut scaler) = (Pool::new(4), Scaler::new());
        for (from, to) in SIZES {
            let (wide, high) = (usize::from(from.0), usize::from(from.1));
            let across = scaler.scale(&picture(&pool, *from, |x, _| byte(x * 255 / wide)), to.0, to.1, &pool);
            let row = &across.planes().0[..usize::from(to.0)];
            assert!(row.is_sorted(), "{from:?} to {to:?}: {row:?}");
            let down = scaler.scale(&picture(&pool, *from, |_, y| byte(y * 255 / high)), to.0, to.1, &pool);
            assert!(down.planes().0.is_sorted(), "{from:?} to {to:?}");
        }
    }

    #[test]
    fn down_scaling_is_the_mean_of_the_area() {
        let (pool, mut scaler) = (Pool::new(4), Scaler::new());
        let down = |(from, to): &&(Sides, Sides)| from.0 >= to.0 && from.1 >= to.1 && from.0 <= 640;
        for (from, to) in SIZES.iter().filter(down) {
            let before = picture(&pool, *from, scene);
            let after = scaler.scale(&before, to.0, to.1, &pool);
            let (source, wide) = (before.planes().0, usize::from(from.0));
            let columns: Vec<_> = (0..to.0).map(|x| shares(from.0, to.0, x)).collect();
            let mut error = 0.0;
            for (row, y) in after.planes().0.chunks_exact(usize::from(to.0)).zip(0..) {
                let rows = shares(from.1, to.1, y);
                for (value, columns) in row.iter().zip(&columns) {
                    let mut wanted = 0.0;
                    for (y, part) in &rows {
                        wanted += part * columns.iter().map(|(x, w)| w * f64::from(source[y * wide + x])).sum::<f64>();
                    }
                    error += (f64::from(*value) - wanted).powi(2);
                }
            }
            let psnr = 10.0 * (255.0 * 255.0 * f64::from(to.0) * f64::from(to.1) / error.max(1e-9)).log10();
            assert!(psnr > 50.0, "{from:?} to {to:?}: {psnr:.1} dB");
        }
    }

    #[test]
    #[ignore = "a measurement: run with --nocapture"]
    fn milliseconds_a_picture() {
        let pool = Pool::new(4);
        for (from, to) in [
            ((1280, 720), (640, 360)),
            ((1920, 1080), (1280, 720)),
            ((1280, 720), (854, 480)),
            ((640, 360), (320, 180)),
            ((640, 360), (426, 240)),
            ((1280, 720), (320, 180)),
        ] {
            let (mut scaler, picture) = (Scaler::new(), picture(&pool, from, scene));
            let mut best = f64::MAX;
            for _ in 0..40 {
                let start = crate::clock::now();
                drop(scaler.scale(&picture, to.0, to.1, &pool));
                best = best.min(start.elapsed().as_secs_f64() * 1e3);
            }
            println!("{from:?} to {to:?}: {best:.2} ms");
        }
    }
}
