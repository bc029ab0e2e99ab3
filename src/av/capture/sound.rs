//! Sources of sound. Each gives the next 10 ms when it is asked, never waits, and is told when those 10 ms happen.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::av::capture::wav::WavFile;
use crate::av::devices::{Device, Fate};
use crate::av::{Error, spec};
use crate::clock;
use crate::frame::{FRAME_SAMPLES, SAMPLE_RATE};

/// A source of sound, mono at 48 kHz.
pub trait Sound: Send {
    /// The next 10 ms. `wall` is when their first sample happens, in microseconds since the Unix epoch.
    fn read(&mut self, wall: u64, out: &mut [f32; FRAME_SAMPLES]);

    /// How long ago the first sample of the next frame was captured, in microseconds, beyond the frame itself: sound waits
    /// between a device and its reader.
    fn delay(&self) -> u64 {
        0
    }

    /// By how many samples its sound came later, since the last call, than it would have without a break: silence was put
    /// in. Negative: some was left out.
    fn slipped(&mut self) -> isize {
        0
    }

    /// Where its end will be told, for a source that can end by itself.
    fn fate(&self) -> Option<Fate> {
        None
    }

    /// Which device it is, if it is one.
    fn device(&self) -> Option<&Device> {
        None
    }

    /// Leaves out so many frames: time went on without anybody reading.
    fn skip(&mut self, _frames: u64) {}
}

/// Opens what a description names. A real microphone may take seconds.
pub fn open(spec: &spec::Microphone) -> Result<Box<dyn Sound>, Error> {
    Ok(match spec {
        spec::Microphone::None => return Err(Error::NoSource),
        spec::Microphone::Tone => Box::new(Tone::default()),
        spec::Microphone::Clicks => Box::new(Clicks::default()),
        spec::Microphone::File(path) => Box::new(WavFile::open(path)?),
        #[cfg(feature = "devices")]
        spec::Microphone::Device(choice) => Box::new(crate::av::capture::microphone::Device::open(choice)?),
        #[cfg(not(feature = "devices"))]
        spec::Microphone::Device(_) => return Err(Error::NoDevices),
    })
}

/// What was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Mono at 48 kHz.
    pub samples: Vec<f32>,
    /// The name of the device, if it is one.
    pub device: Option<String>,
}

/// Opens what is heard with a shared screen. What other programs play is looked for beside the caller.
pub fn open_screen(spec: spec::ScreenAudio) -> Result<Box<dyn Sound>, Error> {
    Ok(match spec {
        spec::ScreenAudio::Off => return Err(Error::NoSource),
        spec::ScreenAudio::Tone => Box::new(Tone::default()),
        #[cfg(feature = "devices")]
        spec::ScreenAudio::On => crate::av::capture::screen::sound()?,
        #[cfg(not(feature = "devices"))]
        spec::ScreenAudio::On => return Err(Error::NoDevices),
    })
}

/// What a microphone gives for so long, from its first sound on or after a second of silence. Blocks meanwhile. `heard` is
/// told each 10 ms and how many of them came before, also of the silence at the beginning; its break ends the recording
/// there.
pub fn record(
    spec: &spec::Microphone,
    length: Duration,
    heard: &mut dyn FnMut(u64, &[f32; FRAME_SAMPLES]) -> ControlFlow<()>,
) -> Result<Recording, Error> {
    let mut source = open(spec)?;
    let device = source.device().map(|device| device.name.clone());
    let fate = source.fate();
    let (start, wall) = (clock::now(), clock::unix_micros());
    let frames = u64::try_from(length.as_millis() / 10).unwrap_or(0);
    let mut samples = Vec::new();
    // Devices need a moment until their first sample: those before it are no sound of the room.
    let mut waited = 0;
    let mut frame = 0;
    while frame < frames {
        let tick = waited + frame;
        let due = start + Duration::from_millis(10) * u32::try_from(tick + 1).unwrap_or(u32::MAX);
        std::thread::sleep(due.saturating_duration_since(clock::now()));
        let mut block = [0.0; FRAME_SAMPLES];
        source.read(wall + tick * 10_000, &mut block);
        if let Some(error) = fate.as_ref().and_then(Fate::take) {
            return Err(error);
        }
        if heard(frame, &block).is_break() {
            break;
        }
        if frame == 0 && waited < 100 && block.iter().all(|sample| *sample == 0.0) {
            waited += 1;
            continue;
        }
        frame += 1;
        samples.extend_from_slice(&block);
    }
    Ok(Recording { samples, device })
}

/// Sample `i` (below 48000) of a sine of a whole number of hertz.
fn sine(i: u32, hertz: u32) -> f32 {
    // The phase within one turn is exact in integers, so the tone never drifts.
    let phase = u16::try_from(u64::from(i) * u64::from(hertz) % u64::from(SAMPLE_RATE)).unwrap_or(0);
    (f32::from(phase) * std::f32::consts::TAU / 48_000.0).sin()
}

/// A steady 440 Hz at -12 dB of full scale.
#[derive(Debug, Default)]
pub struct Tone {
    next: u32,
}

impl Sound for Tone {
    fn read(&mut self, _wall: u64, out: &mut [f32; FRAME_SAMPLES]) {
        for sample in out {
            *sample = 0.25 * sine(self.next, 440);
            self.next = (self.next + 1) % SAMPLE_RATE;
        }
    }
}

/// Length of a click in samples: 40 ms.
const CLICK: u32 = 1920;
/// The wall clock is followed when it is further off than this many samples: 1 ms. Below, it is reading noise.
const TOLERANCE: u32 = 48;

/// A 40 ms burst of 1 kHz at each whole second of the wall clock.
#[derive(Debug, Default)]
pub struct Clicks {
    // Of the next sample, counted from the whole second.
    next: Option<u32>,
}

impl Sound for Clicks {
    fn read(&mut self, wall: u64, out: &mut [f32; FRAME_SAMPLES]) {
        let truth = u32::try_from(wall % 1_000_000 * 6 / 125).unwrap_or(0);
        let mut at = self.next.unwrap_or(truth);
        let off = (truth + SAMPLE_RATE - at) % SAMPLE_RATE;
        if off > TOLERANCE && SAMPLE_RATE - off > TOLERANCE {
            at = truth;
        }
        for sample in out {
            *sample = if at < CLICK { 0.5 * sine(at, 1000) } else { 0.0 };
            at = (at + 1) % SAMPLE_RATE;
        }
        self.next = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(sound: &mut dyn Sound, mut wall: u64, frames: usize) -> Vec<f32> {
        let mut all = Vec::new();
        for _ in 0..frames {
            let mut out = [0.0; FRAME_SAMPLES];
            sound.read(wall, &mut out);
            all.extend_from_slice(&out);
            wall += 10_000;
        }
        all
    }

    #[test]
    fn clicks_start_at_whole_seconds_and_last_40_ms() {
        // 5 ms before a second, and a clock that is read a little unevenly.
        let heard = listen(&mut Clicks::default(), 1_699_999_999_995_000, 210);
        let sounding: Vec<usize> = (0..heard.len()).filter(|i| heard[*i] != 0.0).collect();
        assert_eq!(sounding[0], 240 + 1); // sine starts at zero
        assert!(sounding.iter().all(|i| (240..240 + 1920).contains(&(i % 48_000))));
        let (first, second) = (&heard[240..2160], &heard[48_240..50_160]);
        assert_eq!(first, second);
    }

    #[test]
    fn clicks_follow_a_wall_clock_that_is_set() {
        let mut clicks = Clicks::default();
        listen(&mut clicks, 5_000_500_000, 3);
        let heard = listen(&mut clicks, 5_000_999_000, 2);
        assert!(heard[..48].iter().all(|s| *s == 0.0));
        assert!(heard[60..200].iter().any(|s| *s != 0.0));
    }

    #[test]
    fn clicks_do_not_follow_reading_noise() {
        let mut clicks = Clicks::default();
        let mut all = Vec::new();
        for n in 0..10u64 {
            let mut out = [0.0; FRAME_SAMPLES];
            clicks.read(7_000_000_000 + n * 10_000 + n % 3 * 300, &mut out);
            all.extend_from_slice(&out);
        }
        assert_eq!(all, listen(&mut Clicks::default(), 7_000_000_000, 10));
    }

    #[test]
    fn tone_has_no_seams() {
        let heard = listen(&mut Tone::default(), 0, 120);
        let steepest = heard.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        assert!(steepest < 0.25 * 440.0 * std::f32::consts::TAU / 48_000.0 * 1.01);
        assert!(heard.iter().any(|s| *s > 0.249));
    }
}
