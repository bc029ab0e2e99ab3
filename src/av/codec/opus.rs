//! Opus (RFC 6716) through libopus: one encoder for the microphone, one decoder for each remote track.
//!
//! The encoder runs in the restricted low-delay mode, which is CELT alone: 2.5 ms of look-ahead instead of 6.5, and a
//! waveform coder at the rates a LAN can spare. Loss is met by copies in the packets (`packet::audio`), not by in-band
//! FEC, which that mode does not have. A gap that copies do not fill is made up by the decoder from what it last heard.
//!
//! All `unsafe` of sound is here: each call hands libopus a pointer with the length it may use.

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;

use opusic_sys as sys;

use crate::av::Error;
use crate::frame::FRAME_SAMPLES;
use crate::media::Bitrate;

const RATE: sys::opus_int32 = 48_000;
/// Most bytes of one encoded frame: two of them and the headers fit a packet.
pub const MAX_FRAME: usize = 500;
/// Most samples that one packet decodes to: 60 ms.
pub const MAX_SAMPLES: usize = 2880;
/// Measured on speech (10 ms frames, 48 kbit/s): an encoded frame costs 16 us at 2, 23 at 5 and 31 at 8 or more, and the
/// correlation with what was spoken is 0.991, 0.993 and 0.994. A decoded frame costs 9 us.
const COMPLEXITY: c_int = 5;

/// Why libopus refused, in its own words.
fn refusal(code: c_int) -> &'static str {
    // SAFETY: opus_strerror takes any number and returns a pointer to a string constant that ends with NUL.
    #[expect(unsafe_code, reason = "libopus is C")]
    let text = unsafe { CStr::from_ptr(sys::opus_strerror(code)) };
    text.to_str().unwrap_or("unknown")
}

fn error(code: c_int) -> Error {
    Error::Codec { codec: "opus", reason: refusal(code) }
}

/// Makes packets of 10 ms of mono sound.
#[derive(Debug)]
pub struct Encoder {
    state: NonNull<sys::OpusEncoder>,
    lookahead: u16,
}

// SAFETY: the state is plain memory that only this value points to; libopus keeps nothing for a thread.
#[expect(unsafe_code, reason = "a pointer is not Send by itself")]
unsafe impl Send for Encoder {}

impl Encoder {
    /// An encoder for `bitrate`.
    pub fn new(bitrate: Bitrate) -> Result<Self, Error> {
        let mut code = sys::OPUS_OK;
        // SAFETY: the last argument points to a c_int that lives through the call.
        #[expect(unsafe_code, reason = "libopus is C")]
        let state =
            unsafe { sys::opus_encoder_create(RATE, 1, sys::OPUS_APPLICATION_RESTRICTED_LOWDELAY, &raw mut code) };
        let state = NonNull::new(state).filter(|_| code == sys::OPUS_OK).ok_or_else(|| error(code))?;
        let mut encoder = Self { state, lookahead: 0 };
        encoder.set(sys::OPUS_SET_COMPLEXITY_REQUEST, COMPLEXITY)?;
        encoder.set(sys::OPUS_SET_BITRATE_REQUEST, c_int::try_from(bitrate.bps()).unwrap_or(c_int::MAX))?;
        // Says that some packets will be missed: frames lean less on the one before.
        encoder.set(sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST, 2)?;
        encoder.lookahead = encoder.read_lookahead()?;
        Ok(encoder)
    }

    fn set(&mut self, request: c_int, value: c_int) -> Result<(), Error> {
        // SAFETY: the state is valid until drop; each request used here takes one opus_int32, which c_int is.
        #[expect(unsafe_code, reason = "libopus is C")]
        let code = unsafe { sys::opus_encoder_ctl(self.state.as_ptr(), request, value) };
        if code == sys::OPUS_OK { Ok(()) } else { Err(error(code)) }
    }

    fn read_lookahead(&mut self) -> Result<u16, Error> {
        let mut samples: sys::opus_int32 = 0;
        // SAFETY: the state is valid until drop; this request takes a pointer to an opus_int32 that lives through the call.
        #[expect(unsafe_code, reason = "libopus is C")]
        let code =
            unsafe { sys::opus_encoder_ctl(self.state.as_ptr(), sys::OPUS_GET_LOOKAHEAD_REQUEST, &raw mut samples) };
        if code == sys::OPUS_OK { Ok(u16::try_from(samples).unwrap_or(0)) } else { Err(error(code)) }
    }

    /// Samples by which the decoder's output lags behind what was encoded at the same place.
    pub fn lookahead(&self) -> u16 {
        self.lookahead
    }

    /// Encodes 10 ms into `out` (emptied first), at most [`MAX_FRAME`] bytes.
    pub fn encode(&mut self, samples: &[f32; FRAME_SAMPLES], out: &mut Vec<u8>) -> Result<(), Error> {
        out.clear();
        out.resize(MAX_FRAME, 0);
        let count = c_int::try_from(FRAME_SAMPLES).unwrap_or(0);
        let room = sys::opus_int32::try_from(out.len()).unwrap_or(0);
        // SAFETY: the state is valid until drop; the input holds `count` samples of one channel, the output `room` bytes.
        #[expect(unsafe_code, reason = "libopus is C")]
        let written =
            unsafe { sys::opus_encode_float(self.state.as_ptr(), samples.as_ptr(), count, out.as_mut_ptr(), room) };
        match usize::try_from(written) {
            Ok(length) => {
                out.truncate(length);
                Ok(())
            }
            Err(_) => Err(error(written)),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the state came from opus_encoder_create and is not used again.
        #[expect(unsafe_code, reason = "libopus is C")]
        unsafe {
            sys::opus_encoder_destroy(self.state.as_ptr());
        }
    }
}

/// Makes sound of the packets of one track, and makes up what is missing.
#[derive(Debug)]
pub struct Decoder {
    state: NonNull<sys::OpusDecoder>,
}

// SAFETY: the state is plain memory that only this value points to; libopus keeps nothing for a thread.
#[expect(unsafe_code, reason = "a pointer is not Send by itself")]
unsafe impl Send for Decoder {}

impl Decoder {
    /// A decoder to mono at 48 kHz.
    pub fn new() -> Result<Self, Error> {
        let mut code = sys::OPUS_OK;
        // SAFETY: the last argument points to a c_int that lives through the call.
        #[expect(unsafe_code, reason = "libopus is C")]
        let state = unsafe { sys::opus_decoder_create(RATE, 1, &raw mut code) };
        let state = NonNull::new(state).filter(|_| code == sys::OPUS_OK).ok_or_else(|| error(code))?;
        Ok(Self { state })
    }

    /// Decodes `packet` into `out` and tells how many samples it was. `None` when the packet is damaged; the decoder
    /// goes on as if it had not come.
    pub fn decode(&mut self, packet: &[u8], out: &mut [f32; MAX_SAMPLES]) -> Option<usize> {
        let length = sys::opus_int32::try_from(packet.len()).ok().filter(|length| *length > 0)?;
        let room = c_int::try_from(MAX_SAMPLES).ok()?;
        // SAFETY: the state is valid until drop; the input holds `length` bytes, the output `room` samples of one channel.
        #[expect(unsafe_code, reason = "libopus is C")]
        let samples =
            unsafe { sys::opus_decode_float(self.state.as_ptr(), packet.as_ptr(), length, out.as_mut_ptr(), room, 0) };
        usize::try_from(samples).ok().filter(|samples| (1..=MAX_SAMPLES).contains(samples))
    }

    /// Makes up `samples` (a multiple of 2.5 ms, at most 60 ms) that never came. False when libopus could not; the
    /// output is then silent.
    pub fn conceal(&mut self, samples: usize, out: &mut [f32; MAX_SAMPLES]) -> bool {
        let samples = samples.min(MAX_SAMPLES);
        let count = c_int::try_from(samples).unwrap_or(0);
        // SAFETY: a null packet of length 0 asks for concealment; the output has room for `count` <= MAX_SAMPLES samples.
        #[expect(unsafe_code, reason = "libopus is C")]
        let made =
            unsafe { sys::opus_decode_float(self.state.as_ptr(), std::ptr::null(), 0, out.as_mut_ptr(), count, 0) };
        let fine = made == count;
        if !fine {
            out[..samples].fill(0.0);
        }
        fine
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the state came from opus_decoder_create and is not used again.
        #[expect(unsafe_code, reason = "libopus is C")]
        unsafe {
            sys::opus_decoder_destroy(self.state.as_ptr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frame: usize) -> [f32; FRAME_SAMPLES] {
        std::array::from_fn(|i| {
            let at = u16::try_from((frame * FRAME_SAMPLES + i) % 48_000).expect("below 48000");
            (f32::from(at) * 440.0 * std::f32::consts::TAU / 48_000.0).sin() * 0.5
        })
    }

    fn energy(samples: &[f32]) -> f32 {
        samples.iter().map(|s| s * s).sum()
    }

    #[test]
    fn sound_survives_the_codec_delayed_by_the_lookahead() {
        let mut encoder = Encoder::new(Bitrate::from_bps(48_000)).expect("an encoder");
        let mut decoder = Decoder::new().expect("a decoder");
        let (mut packet, mut pcm) = (Vec::new(), [0.0; MAX_SAMPLES]);
        let (mut spoken, mut heard) = (Vec::new(), Vec::new());
        for frame in 0..50 {
            encoder.encode(&tone(frame), &mut packet).expect("encoded");
            assert_eq!(decoder.decode(&packet, &mut pcm), Some(FRAME_SAMPLES));
            spoken.extend_from_slice(&tone(frame));
            heard.extend_from_slice(&pcm[..FRAME_SAMPLES]);
        }
        let lag = usize::from(encoder.lookahead());
        assert_eq!(lag, 120);
        let (a, b) = (&spoken[4800..9600], &heard[4800 + lag..9600 + lag]);
        let product: f32 = a.iter().zip(b).map(|(x, y)| x * y).sum();
        assert!(product / (energy(a) * energy(b)).sqrt() > 0.99);
        assert!((0.9..1.1).contains(&(energy(b) / energy(a))));
    }

    #[test]
    fn missing_frames_are_made_up_and_fade() {
        let mut encoder = Encoder::new(Bitrate::from_bps(48_000)).expect("an encoder");
        let mut decoder = Decoder::new().expect("a decoder");
        let (mut packet, mut pcm) = (Vec::new(), [0.0; MAX_SAMPLES]);
        for frame in 0..20 {
            encoder.encode(&tone(frame), &mut packet).expect("encoded");
            decoder.decode(&packet, &mut pcm);
        }
        let before = energy(&pcm[..FRAME_SAMPLES]);
        assert!(decoder.conceal(FRAME_SAMPLES, &mut pcm));
        assert!(energy(&pcm[..FRAME_SAMPLES]) > before / 4.0);
        for _ in 0..60 {
            decoder.conceal(FRAME_SAMPLES, &mut pcm);
        }
        assert!(energy(&pcm[..FRAME_SAMPLES]) < before / 100.0);
    }

    #[test]
    fn damaged_packets_are_refused_and_the_decoder_goes_on() {
        let mut decoder = Decoder::new().expect("a decoder");
        let mut pcm = [0.0; MAX_SAMPLES];
        assert_eq!(decoder.decode(&[], &mut pcm), None);
        assert_eq!(decoder.decode(&[0xff; 3], &mut pcm), None);
        let mut encoder = Encoder::new(Bitrate::from_bps(48_000)).expect("an encoder");
        let mut packet = Vec::new();
        encoder.encode(&tone(0), &mut packet).expect("encoded");
        assert_eq!(decoder.decode(&packet, &mut pcm), Some(FRAME_SAMPLES));
    }
}
