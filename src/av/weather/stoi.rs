//! How well speech is understood: the short-time objective intelligibility of Taal, Hendriks, Heusdens and Jensen (2011),
//! from 0 to 1. Written after the paper; both signals are mono at 48 kHz and begin at the same moment.

/// Samples a second that the measure is defined for.
const RATE: f64 = 10_000.0;
const FRAME: usize = 256;
const HOP: usize = 128;
const FFT: usize = 512;
const BANDS: usize = 15;
/// Frames that are compared at a time: 384 ms.
const SEGMENT: usize = 30;
/// Frames of what was said that are so many decibels below its loudest are pauses.
const RANGE_DB: f64 = 40.0;
/// Most that a band counts as louder than what was said, in decibels.
const CLIP_DB: f64 = 15.0;
/// Half the length of the filter on the way to 10 kHz, in samples at 48 kHz.
const TAPS: usize = 48;

fn number(n: usize) -> f64 {
    f64::from(u32::try_from(n).expect("small"))
}

/// To 10 kHz, which is 24 to 5, through a windowed sinc that ends at 4.6 kHz.
pub fn resample(sound: &[f32]) -> Vec<f64> {
    let filter = |phase: usize| -> Vec<f64> {
        (0..2 * TAPS)
            .map(|tap| {
                let at = number(tap) - number(TAPS) + 1.0 - number(phase) / 5.0;
                let x = at * std::f64::consts::PI * 9200.0 / 48_000.0;
                let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
                let window = 0.5 + 0.5 * (at * std::f64::consts::PI / number(TAPS)).cos();
                sinc * window * 9200.0 / 48_000.0
            })
            .collect()
    };
    let filters: Vec<Vec<f64>> = (0..5).map(filter).collect();
    (0..sound.len() * 5 / 24)
        .map(|n| {
            // Place n * 24 / 5.
            let (whole, phase) = (n * 24 / 5, n * 24 % 5);
            let taps = filters[phase].iter().enumerate();
            taps.map(|(tap, weight)| {
                let at = (whole + tap + 1).checked_sub(TAPS);
                weight * at.and_then(|at| sound.get(at)).map_or(0.0, |s| f64::from(*s))
            })
            .sum()
        })
        .collect()
}

fn window() -> Vec<f64> {
    // Hann without its zeros at the ends.
    (1..=FRAME).map(|i| 0.5 - 0.5 * (std::f64::consts::TAU * number(i) / number(FRAME + 1)).cos()).collect()
}

fn fft(real: &mut [f64], imaginary: &mut [f64]) {
    let n = real.len();
    if n == 1 {
        return;
    }
    let split = |x: &[f64], odd: usize| x.iter().skip(odd).step_by(2).copied().collect::<Vec<f64>>();
    let (mut er, mut ei, mut or, mut oi) = (split(real, 0), split(imaginary, 0), split(real, 1), split(imaginary, 1));
    fft(&mut er, &mut ei);
    fft(&mut or, &mut oi);
    for k in 0..n / 2 {
        let (sin, cos) = (-std::f64::consts::TAU * number(k) / number(n)).sin_cos();
        let (r, i) = (or[k] * cos - oi[k] * sin, or[k] * sin + oi[k] * cos);
        (real[k], imaginary[k]) = (er[k] + r, ei[k] + i);
        (real[k + n / 2], imaginary[k + n / 2]) = (er[k] - r, ei[k] - i);
    }
}

/// Energy of each third of an octave from 150 Hz on, of each frame.
fn bands(sound: &[f64]) -> Vec<[f64; BANDS]> {
    let window = window();
    let bin = |hertz: f64| {
        (0..=FFT / 2).min_by(|a, b| {
            let off = |k: usize| (number(k) * RATE / number(FFT) - hertz).abs();
            off(*a).total_cmp(&off(*b))
        })
    };
    let edges: Vec<(usize, usize)> = (0..BANDS)
        .map(|band| {
            let centre = 150.0 * 2f64.powf(number(band) / 3.0);
            (bin(centre * 2f64.powf(-1.0 / 6.0)).expect("some"), bin(centre * 2f64.powf(1.0 / 6.0)).expect("some"))
        })
        .collect();
    (0..sound.len().saturating_sub(FRAME) / HOP)
        .map(|frame| {
            let part = &sound[frame * HOP..frame * HOP + FRAME];
            let mut real: Vec<f64> = part.iter().zip(&window).map(|(s, w)| s * w).collect();
            real.resize(FFT, 0.0);
            let mut imaginary = vec![0.0; FFT];
            fft(&mut real, &mut imaginary);
            let power = |k: usize| real[k].powi(2) + imaginary[k].powi(2);
            std::array::from_fn(|band| (edges[band].0..edges[band].1).map(power).sum::<f64>().sqrt())
        })
        .collect()
}

/// Leaves the pauses of `said` out of both.
fn without_pauses(said: &[f64], heard: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let window = window();
    let frames = said.len().min(heard.len()).saturating_sub(FRAME) / HOP;
    let loud = |frame: usize| {
        let part = &said[frame * HOP..frame * HOP + FRAME];
        10.0 * part.iter().zip(&window).map(|(s, w)| (s * w).powi(2)).sum::<f64>().max(1e-20).log10()
    };
    let levels: Vec<f64> = (0..frames).map(loud).collect();
    let most = levels.iter().copied().fold(f64::MIN, f64::max);
    let kept: Vec<usize> = (0..frames).filter(|frame| levels[*frame] > most - RANGE_DB).collect();
    let join = |sound: &[f64]| {
        let mut out = vec![0.0; kept.len() * HOP + FRAME];
        for (place, frame) in kept.iter().enumerate() {
            for i in 0..FRAME {
                out[place * HOP + i] += sound[frame * HOP + i] * window[i];
            }
        }
        out
    };
    (join(said), join(heard))
}

/// How far behind `said` the sound of `heard` is, in samples of 10 kHz, at most `most`.
fn lag(said: &[f64], heard: &[f64], most: usize) -> usize {
    let like = |lag: usize| -> f64 {
        let pairs = said.iter().zip(&heard[lag.min(heard.len())..]);
        let (product, energy) = pairs.fold((0.0, 1e-9), |(p, e), (a, b)| (p + a * b, e + b * b));
        product / f64::sqrt(energy)
    };
    let rough = (0..most).step_by(4).max_by(|a, b| like(*a).total_cmp(&like(*b))).unwrap_or(0);
    (rough.saturating_sub(4)..rough + 4).max_by(|a, b| like(*a).total_cmp(&like(*b))).unwrap_or(rough)
}

/// The measure over all of `said`, at 10 kHz each. `heard` may be up to 150 ms later, by another delay in each two seconds.
pub fn understood(said: &[f64], heard: &[f64]) -> f64 {
    let mut aligned = Vec::with_capacity(said.len());
    for (place, part) in said.chunks(20_000).enumerate() {
        let there = &heard[(place * 20_000).min(heard.len())..];
        let late = lag(part, there, 1500);
        aligned.extend((0..part.len()).map(|i| there.get(late + i).copied().unwrap_or(0.0)));
    }
    let (said, heard) = without_pauses(said, &aligned);
    let (said, heard) = (bands(&said), bands(&heard));
    let (mut sum, mut count) = (0.0, 0.0);
    for end in SEGMENT..=said.len() {
        for band in 0..BANDS {
            let x: Vec<f64> = said[end - SEGMENT..end].iter().map(|frame| frame[band]).collect();
            let y: Vec<f64> = heard[end - SEGMENT..end].iter().map(|frame| frame[band]).collect();
            let length = |v: &[f64]| v.iter().map(|s| s * s).sum::<f64>().sqrt();
            let scale = length(&x) / (length(&y) + 1e-12);
            let most = 1.0 + 10f64.powf(CLIP_DB / 20.0);
            let y: Vec<f64> = y.iter().zip(&x).map(|(y, x)| (y * scale).min(x * most)).collect();
            let mean = |v: &[f64]| v.iter().sum::<f64>() / number(v.len());
            let (mx, my) = (mean(&x), mean(&y));
            let (x, y): (Vec<f64>, Vec<f64>) = (x.iter().map(|s| s - mx).collect(), y.iter().map(|s| s - my).collect());
            let product: f64 = x.iter().zip(&y).map(|(a, b)| a * b).sum();
            sum += product / (length(&x) * length(&y) + 1e-12);
            count += 1.0;
        }
    }
    sum / f64::max(count, 1.0)
}

#[test]
fn what_is_the_same_is_understood_and_what_is_noise_is_not() {
    let said = super::speech(6);
    let at_ten = resample(&said);
    let late = resample(&[vec![0.0; 2400], said.clone()].concat());
    assert!(understood(&at_ten, &late) > 0.99);
    let mut seed = 7;
    let noise: Vec<f32> = said.iter().map(|_| super::draw(&mut seed) - 0.5).collect();
    let of_noise = understood(&at_ten, &resample(&noise));
    println!("noise: {of_noise:.3}");
    assert!(of_noise < 0.6, "{of_noise}");
}
