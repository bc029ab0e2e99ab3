//! What is done to a microphone's sound before it is sent: echo, noise and gain by libraries (`chain`), feedback between
//! machines by `howl`. [`Processor`] is one microphone's; what its speaker plays comes to it by a [`Reference`].
//!
//! The reference is what the speaker's device gets, sample by sample, with the silence that it plays where it finds
//! nothing; `align` pairs it with what the microphone's device gives, so that a thread that is held up, a queue that runs
//! dry and the difference of clocks to the host's cost the canceller no alignment. What no count knows (a device that is
//! built anew, a sound server that is held up) moves the echo, and the canceller looks for it again by itself.
//!
//! A library that panics is made anew for the next frame; after [`MOST_CRASHES`] times sound goes out as it is.
//!
//! What it costs, and what it does to real words: `docs/adr/0011-voice-processing.md`, measured by `tests/voice.rs`.

pub mod align;
pub mod chain;
pub mod howl;
pub mod reference;
pub mod spectrum;

pub use chain::{Chain, Frame, Libraries};
pub use reference::{Reader, Reference};

use crate::av::Error;
use crate::av::devices::Fate;
use crate::av::guard::guard;
use crate::av::spec::voice::Voice;
use crate::frame::FRAME_SAMPLES;
use align::Align;
use chain::tame;
use howl::Guard;

/// So many times the libraries are made anew after a panic; what breaks them each time goes out unprocessed.
pub const MOST_CRASHES: u8 = 5;

/// What a microphone starts with.
#[derive(Debug, Clone)]
pub struct Processing {
    /// What is done.
    pub voice: Voice,
    /// What the speaker plays.
    pub reference: Reference,
}

impl Processing {
    /// Nothing: the original sound.
    pub fn none() -> Self {
        Self { voice: Voice::OFF, reference: Reference::new() }
    }
}

/// How chains are made.
type Make = fn(Voice) -> Box<dyn Chain>;

/// Processes one microphone, frame by frame.
pub struct Processor {
    voice: Voice,
    reader: Reader,
    make: Make,
    chain: Option<Box<dyn Chain>>,
    guard: Option<Box<Guard>>,
    crashes: u8,
    fate: Fate,
    playout: Frame,
    align: Align,
}

impl std::fmt::Debug for Processor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Processor").field("voice", &self.voice).field("crashes", &self.crashes).finish_non_exhaustive()
    }
}

impl Processor {
    /// The first panic of the libraries is told to `fate`; none ends the processing.
    pub fn new(processing: &Processing, fate: Fate) -> Self {
        Self::with(processing, fate, |voice| Box::new(Libraries::new(voice)))
    }

    fn with(processing: &Processing, fate: Fate, make: Make) -> Self {
        let reader = processing.reference.reader();
        let mut made = Self {
            voice: Voice::OFF,
            reader,
            make,
            chain: None,
            guard: None,
            crashes: 0,
            fate,
            playout: [0.0; FRAME_SAMPLES],
            align: Align::default(),
        };
        made.set(processing.voice);
        made
    }

    /// Does something else from the next frame on. What stays the same is learned anew with what changes.
    pub fn set(&mut self, voice: Voice) {
        if self.voice == voice {
            return;
        }
        if !self.voice.echo {
            // It was not read for long.
            self.reader.skip();
            self.align = Align::default();
        }
        self.voice = voice;
        self.rebuild();
    }

    fn rebuild(&mut self) {
        self.chain = None;
        self.guard = self.voice.echo.then(Box::default);
        if !self.voice.is_off() && self.crashes <= MOST_CRASHES {
            let (make, voice) = (self.make, self.voice);
            match guard("the voice processing", || Ok(make(voice))) {
                Ok(chain) => self.chain = Some(chain),
                Err(_) => self.on_crash(),
            }
        }
    }

    fn on_crash(&mut self) {
        self.crashes = self.crashes.saturating_add(1);
        self.chain = None;
        if self.crashes == 1 {
            self.fate.set(Error::Restarted { what: "the voice processing" });
        }
    }

    /// From the next frame on the microphone is so many samples later than it was; negative: earlier.
    pub fn slip(&mut self, samples: isize) {
        self.align.slip(samples);
    }

    /// Processes the next 10 ms of the microphone, whose last sample was captured at the moment `captured`
    /// (`clock::host_micros`).
    pub fn process(&mut self, frame: &mut Frame, captured: u64) {
        if self.voice.is_off() {
            return;
        }
        if self.chain.is_none() && self.crashes > 0 && self.crashes <= MOST_CRASHES {
            self.rebuild();
        }
        tame(frame);
        let before = *frame;
        let plays = self.voice.echo && self.next_playout(captured);
        let (mut chain, delay) = (self.chain.take(), self.align.delay_ms());
        let worked = guard("the voice processing", || {
            if plays && let Some(guard) = &mut self.guard {
                guard.on_playout(&self.playout);
            }
            if let Some(chain) = &mut chain {
                if plays {
                    chain.play(&self.playout);
                }
                chain.process(frame, delay);
            }
            Ok(())
        });
        match worked {
            Ok(()) => self.chain = chain,
            Err(_) => {
                *frame = before;
                self.on_crash();
            }
        }
        if let Some(guard) = &mut self.guard {
            guard.process(frame);
        }
    }

    /// Finds what the speaker plays beside a frame of the microphone; false: nothing.
    fn next_playout(&mut self, captured: u64) -> bool {
        loop {
            let samples = self.reader.take(&mut self.playout);
            if samples.is_empty() {
                break;
            }
            // They were before what was just read.
            let lost = self.reader.lost();
            if lost > 0 {
                self.align.push_silence(usize::try_from(lost).unwrap_or(usize::MAX));
            }
            self.align.push(samples);
        }
        let ahead = i64::try_from(self.reader.heard()).unwrap_or(0) - i64::try_from(captured).unwrap_or(0);
        let plays = self.align.pop(ahead.clamp(-10_000_000, 10_000_000) * 6 / 125, &mut self.playout);
        tame(&mut self.playout);
        plays
    }

    /// How much later sound comes out than it went in, in microseconds.
    pub fn latency(&self) -> u64 {
        self.chain.as_ref().map_or(0, |chain| u64::try_from(chain.latency()).unwrap_or(0) * 125 / 6)
    }

    /// Panics of the libraries so far.
    pub fn crashes(&self) -> u8 {
        self.crashes
    }
}

#[cfg(test)]
mod tests;
