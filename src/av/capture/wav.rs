//! A WAV file as a microphone: from its beginning, looped, mono at 48 kHz whatever it holds.
//!
//! Read as it plays, so a file of hours takes no more memory than one of seconds. Integer samples of 8 to 32 bits and 32-bit
//! floats, any number of channels (averaged) and rates from 4 to 384 kHz (resampled). The loop has no gap: the
//! first sample follows the last one.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavReader, WavSpec};

use crate::av::Error;
use crate::av::capture::sound::Sound;
use crate::av::process::resample::Resampler;
use crate::frame::{FRAME_SAMPLES, SAMPLE_RATE};

/// Rates that a file may have.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;

/// A looped WAV file.
pub struct WavFile {
    path: PathBuf,
    reader: WavReader<BufReader<File>>,
    spec: WavSpec,
    /// Frames (one sample of each channel) in the file.
    length: u32,
    /// Frames read since the beginning.
    at: u32,
    resampler: Option<Resampler>,
    /// Ready samples, oldest first.
    ready: Vec<f32>,
    input: Vec<f32>,
    broken: bool,
}

impl std::fmt::Debug for WavFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WavFile").field("spec", &self.spec).field("at", &self.at).finish_non_exhaustive()
    }
}

impl WavFile {
    /// Opens `path` and reads its header.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let format = |reason| Error::Format { path: path.to_owned(), reason };
        let file = File::open(path).map_err(read)?;
        let reader = WavReader::new(BufReader::new(file)).map_err(|error| match error {
            hound::Error::IoError(source) if source.kind() != std::io::ErrorKind::UnexpectedEof => read(source),
            hound::Error::Unsupported => format("only uncompressed WAV files can be played; convert it to 16-bit PCM"),
            _ => format("it is not a WAV file, or it is damaged; convert it to a WAV file of 16-bit PCM"),
        })?;
        let (spec, length) = (reader.spec(), reader.duration());
        match (spec.sample_format, spec.bits_per_sample) {
            (SampleFormat::Int, 8..=32) | (SampleFormat::Float, 32) => {}
            _ => return Err(format("its sample format is not supported; convert it to 16-bit PCM")),
        }
        if !RATES.contains(&spec.sample_rate) {
            return Err(format("its sample rate is outside 4 to 384 kHz; convert it to 48 kHz"));
        }
        if length == 0 {
            return Err(format("it holds no sound; choose another file"));
        }
        let resampler = if spec.sample_rate == SAMPLE_RATE { None } else { Some(Resampler::new(spec.sample_rate)?) };
        let (ready, input) = (Vec::new(), Vec::new());
        Ok(Self { path: path.to_owned(), reader, spec, length, at: 0, resampler, ready, input, broken: false })
    }

    /// Adds `frames` frames of the file, mixed to one channel, to `input`.
    fn fill(&mut self, frames: usize) {
        let channels = usize::from(self.spec.channels.max(1));
        let share = 1.0 / f32::from(self.spec.channels.max(1));
        for _ in 0..frames {
            if self.at >= self.length {
                self.rewind();
            }
            let mut sum = 0.0;
            for _ in 0..channels {
                match self.sample() {
                    Some(sample) => sum += sample,
                    None => {
                        // Shorter than its header says: what there was is the loop.
                        self.broken |= self.at == 0;
                        self.length = self.at.max(1);
                        break;
                    }
                }
            }
            self.at += 1;
            self.input.push(if self.broken { 0.0 } else { sum * share });
        }
    }

    fn sample(&mut self) -> Option<f32> {
        if self.broken {
            return None;
        }
        match self.spec.sample_format {
            SampleFormat::Float => self.reader.samples::<f32>().next()?.ok().filter(|s| s.is_finite()),
            SampleFormat::Int => {
                let value = self.reader.samples::<i32>().next()?.ok()?;
                // Shifted to 32 bits and then to a float: 24 bits of precision stay.
                let shift = 32 - u32::from(self.spec.bits_per_sample.min(32));
                let high = i16::try_from(value.wrapping_shl(shift) >> 16).unwrap_or(0);
                let low = u16::try_from(value.wrapping_shl(shift) & 0xffff).unwrap_or(0);
                Some(f32::from(high) / 32_768.0 + f32::from(low) / 2_147_483_648.0)
            }
        }
    }

    fn rewind(&mut self) {
        if let Err(error) = self.reader.seek(0) {
            if !self.broken {
                tracing::warn!(path = %self.path.display(), %error, "the sound file cannot be read again; silence follows");
            }
            self.broken = true;
        }
        self.at = 0;
    }

    fn refill(&mut self) {
        let needed = self.resampler.as_ref().map_or(FRAME_SAMPLES, Resampler::needed);
        self.fill(needed);
        match &mut self.resampler {
            Some(resampler) => resampler.process(&self.input, &mut self.ready),
            None => self.ready.extend_from_slice(&self.input),
        }
        self.input.clear();
    }
}

impl Sound for WavFile {
    fn read(&mut self, _wall: u64, out: &mut [f32; FRAME_SAMPLES]) {
        // Only the first chunks of a resampler give less than asked: its delay is cut off.
        for _ in 0..1000 {
            if self.ready.len() >= FRAME_SAMPLES {
                break;
            }
            self.refill();
        }
        for (i, sample) in out.iter_mut().enumerate() {
            *sample = self.ready.get(i).copied().unwrap_or(0.0);
        }
        self.ready.drain(..FRAME_SAMPLES.min(self.ready.len()));
    }

    fn skip(&mut self, frames: u64) {
        // Where the loop would be now. What is ready goes with it.
        self.ready.clear();
        let rate = u64::from(self.spec.sample_rate);
        let to = (u64::from(self.at) + frames * rate / 100) % u64::from(self.length.max(1));
        self.at = u32::try_from(to).unwrap_or(0);
        if self.reader.seek(self.at).is_err() {
            self.rewind();
        }
    }
}
