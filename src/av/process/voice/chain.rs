//! The libraries that process voices: the only file that names them. `sonora` is WebRTC's audio processing in Rust (echo
//! canceller 3, noise suppression, gain controller 2), `nnnoiseless` RNNoise. Echo goes first, since it must see the
//! microphone as it is, then noise, then gain, which else would raise both.
//!
//! None of them is given what is no number: RNNoise's Fourier transform takes for granted, without a check, that there is
//! none. So each gets samples between -1 and 1 ([`tame`]).
//!
//! The libraries allocate a few small vectors a frame; nothing of ours does.

use nnnoiseless::DenoiseState;
use sonora::config::{
    AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, NoiseSuppression,
    NoiseSuppressionLevel, Pipeline,
};
use sonora::{AudioProcessing, Config, StreamConfig};

use crate::av::spec::voice::{Noise, Voice};
use crate::frame::{FRAME_SAMPLES, SAMPLE_RATE};

/// Ten milliseconds.
pub type Frame = [f32; FRAME_SAMPLES];

/// Leaves only samples between -1 and 1; what is no number is silence.
pub fn tame(frame: &mut Frame) {
    for sample in frame {
        *sample = if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) };
    }
}

/// What works on a voice. May panic; then it is made anew.
pub trait Chain: Send {
    /// Takes what the speaker plays next, tamed.
    fn play(&mut self, frame: &Frame);

    /// Processes the microphone, tamed before and after. An echo in it was played `delay_ms` ago, as far as the devices tell.
    fn process(&mut self, frame: &mut Frame, delay_ms: i32);

    /// How much later sound comes out than it went in, in samples.
    fn latency(&self) -> usize;
}

/// As loud as a voice is begun with; what somebody says first is not shouted.
const FIRST_GAIN_DB: f32 = 6.0;
/// Samples that each part keeps back (measured; `tests/voice.rs` measures it again): splitting sound into bands, ...
const BANDS: usize = 45;
/// ... the echo canceller, ...
const CANCELLER: usize = 384;
/// ... the spectral suppression, ...
const SPECTRAL: usize = 288;
/// ... and RNNoise. Gain keeps nothing back.
const NETWORK: usize = FRAME_SAMPLES;

/// The libraries, set up for one [`Voice`].
pub struct Libraries {
    /// Echo, then spectral noise, then gain if no network stands between.
    first: Option<AudioProcessing>,
    strong: Option<Box<DenoiseState<'static>>>,
    /// Gain after the network.
    last: Option<AudioProcessing>,
    latency: usize,
    out: Frame,
}

fn processing(config: Config) -> AudioProcessing {
    // All of the band: the default is half of it for small machines.
    let pipeline = Pipeline { maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz, ..Pipeline::default() };
    let stream = StreamConfig::new(SAMPLE_RATE, 1);
    AudioProcessing::builder()
        .config(Config { pipeline, ..config })
        .capture_config(stream)
        .render_config(stream)
        .build()
}

impl Libraries {
    /// As `voice` wants it. Allocates, and takes some milliseconds.
    pub fn new(voice: Voice) -> Self {
        let gain = voice.gain.then(|| GainController2 {
            adaptive_digital: Some(AdaptiveDigital { initial_gain_db: FIRST_GAIN_DB, ..AdaptiveDigital::default() }),
            ..GainController2::default()
        });
        let strong = voice.noise == Noise::Strong;
        let (early, late) = if strong { (None, gain) } else { (gain, None) };
        let level = NoiseSuppressionLevel::High;
        let spectral = (voice.noise == Noise::Standard)
            .then_some(NoiseSuppression { level, analyze_linear_aec_output_when_available: false });
        let first = Config {
            high_pass_filter: (voice.echo || voice.noise != Noise::Off).then(HighPassFilter::default),
            echo_canceller: voice.echo.then(EchoCanceller::default),
            noise_suppression: spectral,
            gain_controller2: early,
            ..Config::default()
        };
        let any = first.high_pass_filter.is_some() || first.gain_controller2.is_some();
        let part = |there: bool, samples: usize| if there { samples } else { 0 };
        let latency = part(first.high_pass_filter.is_some(), BANDS)
            + part(voice.echo, CANCELLER)
            + part(voice.noise == Noise::Standard, SPECTRAL)
            + part(strong, NETWORK);
        Self {
            latency,
            first: any.then(|| processing(first)),
            strong: strong.then(DenoiseState::new),
            last: late.map(|gain| processing(Config { gain_controller2: Some(gain), ..Config::default() })),
            out: [0.0; FRAME_SAMPLES],
        }
    }
}

impl Chain for Libraries {
    fn play(&mut self, frame: &Frame) {
        if let Some(first) = &mut self.first {
            // Fails for formats alone, and those are constant.
            let _ = first.process_render_f32(&[frame], &mut [&mut self.out]);
        }
    }

    fn process(&mut self, frame: &mut Frame, delay_ms: i32) {
        if let Some(first) = &mut self.first {
            // A delay beyond its range is taken as the nearest one in it.
            let _ = first.set_stream_delay_ms(delay_ms);
            if first.process_capture_f32(&[&*frame], &mut [&mut self.out]).is_ok() {
                *frame = self.out;
                tame(frame);
            }
        }
        if let Some(strong) = &mut self.strong {
            // It knows samples as 16-bit numbers.
            for sample in frame.iter_mut() {
                *sample *= 32_768.0;
            }
            strong.process_frame(&mut self.out, frame);
            for (sample, out) in frame.iter_mut().zip(&self.out) {
                *sample = out / 32_768.0;
            }
            tame(frame);
        }
        if let Some(last) = &mut self.last
            && last.process_capture_f32(&[&*frame], &mut [&mut self.out]).is_ok()
        {
            *frame = self.out;
            tame(frame);
        }
    }

    fn latency(&self) -> usize {
        self.latency
    }
}
