//! How near what arrived is to what was sent: pictures by their luma, speech by one alignment of the whole recording.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Luma planes of a YUV4MPEG2 file (4:2:0), one at a time.
pub struct Pictures {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    file: BufReader<File>,
}

impl Pictures {
    /// Opens it and reads its head.
    pub fn open(path: &Path) -> Self {
        let file = File::open(path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
        let mut file = BufReader::with_capacity(1 << 20, file);
        let mut head = String::new();
        file.read_line(&mut head).expect("a head");
        assert!(head.starts_with("YUV4MPEG2 "), "{} is not YUV4MPEG2: {head:?}", path.display());
        let size = |letter: char| {
            let word = head.split_whitespace().skip(1).find_map(|word| word.strip_prefix(letter));
            word.and_then(|n| n.parse::<usize>().ok()).unwrap_or_else(|| panic!("no {letter} in {head:?}"))
        };
        Self { width: size('W'), height: size('H'), file }
    }
}

impl Iterator for Pictures {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut head = String::new();
        if self.file.read_line(&mut head).ok()? == 0 || !head.starts_with("FRAME") {
            return None;
        }
        let luma = self.width * self.height;
        let mut data = vec![0; luma * 3 / 2];
        // A recording that was cut short ends with the last whole picture.
        self.file.read_exact(&mut data).ok()?;
        data.truncate(luma);
        Some(data)
    }
}

/// Peak signal-to-noise ratio of two luma planes, in dB; at most 60, which is "the same".
pub fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len(), "pictures of one size");
    let error: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    #[expect(clippy::cast_precision_loss, reason = "sums of squares far below 2^52")]
    let mean = error as f64 / a.len() as f64;
    if mean == 0.0 { 60.0 } else { (10.0 * (255.0_f64.powi(2) / mean).log10()).min(60.0) }
}

/// For each dumped picture its PSNR against the picture of `source` that it shows. Pictures come in order and the source
/// is looped, so that one is looked for among those that may follow, and among all when none of these is near.
pub fn psnr_of_each(source: &[Vec<u8>], dumped: impl Iterator<Item = Vec<u8>>) -> Vec<f64> {
    let mut at = None;
    let mut out = Vec::new();
    for picture in dumped {
        let near = |from: usize, count: usize| {
            (0..count)
                .map(|step| (from + step) % source.len())
                .map(|index| (index, rough(&source[index], &picture)))
                .min_by_key(|(_, distance)| *distance)
                .expect("a source with pictures")
        };
        let (index, _) = match at {
            Some(last) => near(last, 12.min(source.len())),
            None => near(0, source.len()),
        };
        let mut best = psnr(&source[index], &picture);
        at = Some(index);
        if best < 28.0 {
            let (index, _) = near(0, source.len());
            let other = psnr(&source[index], &picture);
            if other > best {
                (best, at) = (other, Some(index));
            }
        }
        out.push(best);
    }
    out
}

/// A cheap distance: every 7th pixel.
fn rough(a: &[u8], b: &[u8]) -> u64 {
    a.iter().step_by(7).zip(b.iter().step_by(7)).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum()
}

/// The mean, and the value that `percent` of all are below (nearest rank).
pub fn mean_and_percentile(values: &[f64], percent: usize) -> (f64, f64) {
    assert!(!values.is_empty(), "nothing was measured");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)])
}

/// Samples of a 48 kHz 16-bit mono WAV file. The length in its head is not believed beyond the end of the file.
pub fn samples(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
    assert!(
        bytes.len() >= 44 && &bytes[..4] == b"RIFF" && &bytes[8..16] == b"WAVEfmt ",
        "{} is no WAV",
        path.display()
    );
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((word(24), bytes[22], bytes[34]), (48_000, 1, 16), "48 kHz, mono, 16 bit: {}", path.display());
    let mut at = 12;
    while &bytes[at..at + 4] != b"data" {
        at += 8 + usize::try_from(word(at + 4)).expect("a chunk's length");
        assert!(at + 8 <= bytes.len(), "{} has no samples", path.display());
    }
    let end = (at + 8 + usize::try_from(word(at + 4)).expect("a chunk's length")).min(bytes.len());
    bytes[at + 8..end].chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect()
}

/// What was found of speech in a recording.
#[derive(Debug)]
pub struct Speech {
    /// One-second windows whose part of the source holds speech.
    pub windows: usize,
    /// Of these, with a correlation above 0.8.
    pub alike: usize,
    /// Level of the recording against the source, in dB, over these windows.
    pub level_db: f64,
    /// The lowest correlation, for the report.
    pub worst: f64,
    /// Where in the source the recording begins, in samples.
    pub offset: usize,
}

const WINDOW: usize = 48_000;
/// Envelope points are this many samples apart (2 ms).
const STEP: usize = 96;

/// Compares a recording with the looped source that was spoken: one alignment for all of it, then second by second.
/// Leading silence of the recording (before the first packet) is left off.
pub fn compare_speech(source: &[f32], recording: &[f32]) -> Speech {
    let first = recording.iter().position(|s| s.abs() > 0.003).expect("the recording holds sound");
    let recording = &recording[first..];
    assert!(recording.len() > 2 * WINDOW, "the recording holds less than two seconds of sound");
    let offset = align(source, recording);
    let looped = |at: usize| source[(offset + at) % source.len()];
    let overall = power((0..recording.len()).map(looped));
    let (mut windows, mut alike, mut worst) = (0, 0, 1.0_f64);
    let (mut sent, mut got) = (0.0, 0.0);
    for start in (0..recording.len() - WINDOW).step_by(WINDOW) {
        let here = power((start..start + WINDOW).map(looped));
        if here < overall * 0.1 {
            continue;
        }
        let part = &recording[start..start + WINDOW];
        let heard = power(part.iter().copied());
        let product: f64 = part.iter().enumerate().map(|(n, s)| f64::from(*s) * f64::from(looped(start + n))).sum();
        let product = product / f64::from(u32::try_from(WINDOW).expect("a small number"));
        let correlation = product / (here * heard).sqrt().max(1e-12);
        windows += 1;
        alike += usize::from(correlation > 0.8);
        worst = worst.min(correlation);
        sent += here;
        got += heard;
    }
    Speech { windows, alike, level_db: 10.0 * (got / sent).log10(), worst, offset }
}

fn power(samples: impl Iterator<Item = f32>) -> f64 {
    let (sum, count) = samples.fold((0.0, 0.0), |(sum, count), s| (sum + f64::from(s).powi(2), count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// Where in the looped `source` the recording begins: first by loudness in steps of 2 ms, then to the sample.
fn align(source: &[f32], recording: &[f32]) -> usize {
    let envelope = |samples: &[f32]| -> Vec<f32> {
        let loud: Vec<f32> = samples.chunks_exact(STEP).map(|c| c.iter().map(|s| s.abs()).sum()).collect();
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let mean = loud.iter().sum::<f32>() / loud.len() as f32;
        loud.into_iter().map(|v| v - mean).collect()
    };
    let (a, b) = (envelope(source), envelope(recording));
    let score = |lag: usize| -> f32 { b.iter().enumerate().step_by(2).map(|(n, v)| v * a[(lag + n) % a.len()]).sum() };
    let mut lags: Vec<(usize, f32)> = (0..a.len()).map(|lag| (lag, score(lag))).collect();
    lags.sort_by(|x, y| y.1.total_cmp(&x.1));
    // To the sample, on the first seconds that hold speech, around the best few places.
    let length = recording.len().min(4 * WINDOW);
    let fine = |at: usize| -> f32 {
        recording[..length].iter().enumerate().step_by(3).map(|(n, s)| s * source[(at + n) % source.len()]).sum()
    };
    let around = |lag: usize| {
        let start = lag * STEP + source.len() - 3 * STEP;
        (0..6 * STEP).map(move |n| (start + n) % source.len())
    };
    let places = lags.iter().take(3).flat_map(|(lag, _)| around(*lag));
    places.map(|at| (at, fine(at))).max_by(|x, y| x.1.total_cmp(&y.1)).expect("a source with samples").0
}

mod tests {
    use super::*;

    /// Speech-like: bursts of noise with pauses, the same for the same seed.
    fn babble(seconds: usize) -> Vec<f32> {
        let mut state = 7_u32;
        let mut smooth = 0.0_f32;
        (0..seconds * WINDOW)
            .map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = f32::from(i16::from_be_bytes([state.to_be_bytes()[0], state.to_be_bytes()[1]])) / 32_768.0;
                smooth += (noise - smooth) * 0.1;
                // A pattern of loudness that does not repeat within the source.
                let beat = (n / 4_800 * 7 + n / 48_000 * 3) % 11;
                if beat < 6 { smooth * 0.8 } else { 0.0 }
            })
            .collect()
    }

    #[test]
    fn the_same_speech_is_found_wherever_it_begins() {
        let source = babble(5);
        let from = 123_457;
        let recording: Vec<f32> = (0..6 * WINDOW).map(|n| source[(from + n) % source.len()] * 0.9).collect();
        let found = compare_speech(&source, &recording);
        let lead = recording.iter().position(|s| s.abs() > 0.003).expect("sound");
        assert_eq!(found.offset, (from + lead) % source.len());
        assert!(found.windows >= 4 && found.alike == found.windows, "{found:?}");
        assert!((found.level_db - 20.0 * 0.9_f64.log10()).abs() < 0.1, "{found:?}");
    }

    #[test]
    fn other_speech_is_not_taken_for_it() {
        let source = babble(5);
        let recording: Vec<f32> = source.iter().rev().copied().collect();
        let found = compare_speech(&source, &recording);
        assert!(found.alike * 2 < found.windows, "{found:?}");
    }

    #[test]
    fn a_tenth_of_a_second_lost_shows_in_its_window_only() {
        let source = babble(8);
        let mut recording = source.clone();
        recording[3 * WINDOW + 1_000..3 * WINDOW + 25_000].fill(0.0);
        let found = compare_speech(&source, &recording);
        assert_eq!(found.alike + 1, found.windows, "{found:?}");
    }

    #[test]
    fn psnr_is_the_textbook_one() {
        assert!((psnr(&[10, 10], &[10, 11]) - 10.0 * (255.0_f64 * 255.0 / 0.5).log10()).abs() < 1e-9);
        assert!((psnr(&[5; 9], &[5; 9]) - 60.0).abs() < f64::EPSILON);
    }

    #[test]
    fn each_picture_is_compared_with_the_one_it_shows() {
        let source: Vec<Vec<u8>> =
            (0..20_u8).map(|n| (0..64_u8).map(|p| p.wrapping_mul(n).wrapping_add(n * 9)).collect()).collect();
        let shown = [17_usize, 18, 0, 1, 9].map(|n| source[n].iter().map(|v| v ^ 1).collect::<Vec<u8>>());
        let values = psnr_of_each(&source, shown.into_iter());
        assert!(values.iter().all(|v| (v - psnr(&[0], &[1])).abs() < 1e-9), "{values:?}");
    }

    #[test]
    fn percentiles_are_by_rank() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(mean_and_percentile(&values, 5), (50.5, 6.0));
    }
}
