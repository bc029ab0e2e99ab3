//! A WAV file as a microphone: from its beginning, looped, mono at 48 kHz whatever it holds.
//!
//! Read as it plays, so a file of hours takes no more memory than one of seconds. Integer samples of 8 to 32 bits and 32-bit
//! floats, any number of channels (averaged) and rates from 4 to 384 kHz (resampled). The loop has no gap: the
//! first sample follows the last one.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
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
    // None only while it is reopened, and after that failed.
    reader: Option<WavReader<BufReader<File>>>,
    spec: WavSpec,
    /// Frames (one sample of each channel) in the file.
    length: u32,
    /// Frames read since the beginning.
    at: u32,
    resampler: Option<Resampler>,
    /// Ready samples, oldest first.
    ready: Vec<f32>,
    input: Vec<f32>,
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
            // Without a system's number it is hound's own word for a file that ends too early.
            hound::Error::IoError(source) if source.raw_os_error().is_some() => read(source),
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
        let reader = Some(reader);
        Ok(Self { path: path.to_owned(), reader, spec, length, at: 0, resampler, ready, input })
    }

    /// Adds `frames` frames of the file, mixed to one channel, to `input`.
    fn fill(&mut self, frames: usize) {
        while self.input.len() < frames {
            match self.next() {
                Some(sample) => self.input.push(sample),
                None => self.input.resize(frames, 0.0),
            }
        }
    }

    /// The next frame of the loop; `None` when the file cannot be read any more.
    fn next(&mut self) -> Option<f32> {
        loop {
            if self.at >= self.length {
                self.rewind();
            }
            if let Some(sample) = self.frame() {
                self.at += 1;
                return Some(sample);
            }
            if self.at == 0 {
                self.reader = None;
                return None;
            }
            // Shorter than its header says: what there was is the loop.
            self.length = self.at;
        }
    }

    fn frame(&mut self) -> Option<f32> {
        let channels = self.spec.channels.max(1);
        let mut sum = 0.0;
        for _ in 0..channels {
            sum += self.sample()?;
        }
        Some(sum / f32::from(channels))
    }

    fn sample(&mut self) -> Option<f32> {
        match self.spec.sample_format {
            SampleFormat::Float => self.reader.as_mut()?.samples::<f32>().next()?.ok().filter(|s| s.is_finite()),
            SampleFormat::Int => {
                let value = self.reader.as_mut()?.samples::<i32>().next()?.ok()?;
                // Shifted to 32 bits and then to a float: 24 bits of precision stay.
                let shift = 32 - u32::from(self.spec.bits_per_sample.min(32));
                let high = i16::try_from(value.wrapping_shl(shift) >> 16).unwrap_or(0);
                let low = u16::try_from(value.wrapping_shl(shift) & 0xffff).unwrap_or(0);
                Some(f32::from(high) / 32_768.0 + f32::from(low) / 2_147_483_648.0)
            }
        }
    }

    /// Goes to the first frame. Opened anew: hound's own seek loses its place in a file that is shorter than it says.
    fn rewind(&mut self) {
        self.at = 0;
        let Some(reader) = self.reader.take() else { return };
        let mut file = reader.into_inner();
        let again = file.seek(SeekFrom::Start(0)).map_err(hound::Error::from).and_then(|_| WavReader::new(file));
        match again {
            Ok(reader) => self.reader = Some(reader),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the sound file cannot be read again; silence follows");
            }
        }
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
        let (at, length) = (u64::from(self.at), u64::from(self.length.max(1)));
        let to = (at + frames * u64::from(self.spec.sample_rate) / 100) % length;
        if to < at {
            self.rewind();
        }
        while u64::from(self.at) < to && self.next().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use hound::WavWriter;

    use super::*;

    fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16, sample_format: SampleFormat) -> WavSpec {
        WavSpec { channels, sample_rate, bits_per_sample, sample_format }
    }

    fn listen(source: &mut WavFile, frames: usize) -> Vec<f32> {
        let mut all = Vec::new();
        for _ in 0..frames {
            let mut out = [0.0; FRAME_SAMPLES];
            source.read(0, &mut out);
            all.extend_from_slice(&out);
        }
        all
    }

    /// Writes a constant half of full scale on the left and minus a quarter on the other channels.
    fn write(path: &Path, spec: WavSpec, frames: u32) {
        let mut writer = WavWriter::create(path, spec).expect("created");
        for _ in 0..frames {
            for channel in 0..spec.channels {
                let value = if channel == 0 { 0.5f32 } else { -0.25 };
                match spec.sample_format {
                    SampleFormat::Float => writer.write_sample(value).expect("written"),
                    SampleFormat::Int => {
                        let full = 1i32 << (spec.bits_per_sample - 2);
                        let sample = if channel == 0 { full } else { -full / 2 };
                        writer.write_sample(sample).expect("written");
                    }
                }
            }
        }
        writer.finalize().expect("written");
    }

    #[test]
    fn every_depth_rate_and_channel_count_is_the_same_sound() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.wav");
        let check = |channels: u16, rate: u32, bits: u16, format: SampleFormat, expect: f32| {
            write(&path, spec(channels, rate, bits, format), rate);
            let mut source = WavFile::open(&path).expect("playable");
            let heard = listen(&mut source, 150);
            assert!(
                heard[9600..].iter().all(|s| (s - expect).abs() < 0.01),
                "{channels} {rate} {bits}: {:?}",
                heard[9600..].iter().find(|s| (*s - expect).abs() >= 0.01)
            );
        };
        for bits in [8, 16, 24, 32] {
            check(1, 48_000, bits, SampleFormat::Int, 0.5);
        }
        check(1, 48_000, 32, SampleFormat::Float, 0.5);
        check(2, 48_000, 16, SampleFormat::Int, 0.125);
        check(6, 48_000, 16, SampleFormat::Int, -0.125);
        check(1, 44_100, 16, SampleFormat::Int, 0.5);
        check(2, 16_000, 24, SampleFormat::Int, 0.125);
        check(1, 96_000, 32, SampleFormat::Float, 0.5);
    }

    #[test]
    fn file_starts_at_its_first_sample_and_loops_without_a_gap() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.wav");
        let mut writer = WavWriter::create(&path, spec(1, 48_000, 16, SampleFormat::Int)).expect("created");
        for i in 0..1000i16 {
            writer.write_sample(i).expect("written");
        }
        writer.finalize().expect("written");
        let mut source = WavFile::open(&path).expect("playable");
        let heard = listen(&mut source, 5);
        let expect: Vec<f32> = (0..1000i16).cycle().take(2400).map(|i| f32::from(i) / 32_768.0).collect();
        assert_eq!(heard, expect);
        source.skip(3);
        let later = listen(&mut source, 1);
        assert_eq!(later[..10], expect[400 + 440..400 + 450]);
    }

    #[test]
    fn what_cannot_be_played_is_said_in_words() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.wav");
        let check = |bytes: &[u8], words: &str| {
            std::fs::write(&path, bytes).expect("written");
            let error = WavFile::open(&path).expect_err("not playable").to_string();
            assert!(error.contains(words), "{error}");
        };
        check(b"", "not a WAV file");
        check(b"OggS and so on, for more than a few bytes", "not a WAV file");
        write(&path, spec(1, 48_000, 16, SampleFormat::Int), 0);
        let empty = std::fs::read(&path).expect("read");
        check(&empty, "holds no sound");
        write(&path, spec(1, 1000, 16, SampleFormat::Int), 10);
        let slow = std::fs::read(&path).expect("read");
        check(&slow, "4 to 384 kHz");
        let mut law = empty;
        law[20] = 7; // mu-law
        check(&law, "convert it");
        assert!(
            WavFile::open(&dir.path().join("none.wav")).expect_err("missing").to_string().contains("check the path")
        );
    }

    #[test]
    fn file_shorter_than_its_header_says_loops_what_there_is() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.wav");
        write(&path, spec(1, 48_000, 16, SampleFormat::Int), 1000);
        let bytes = std::fs::read(&path).expect("read");
        std::fs::write(&path, &bytes[..bytes.len() - 1000]).expect("written");
        let mut source = WavFile::open(&path).expect("playable");
        let heard = listen(&mut source, 10);
        assert!(heard.iter().filter(|s| (**s - 0.5).abs() > 0.01).count() == 0);
    }
}
