//! What is done to a microphone's sound before it is sent: echo, noise and gain by libraries (`chain`), feedback between
//! machines by `howl`. [`Processor`] is one microphone's; what its speaker plays comes to it by a [`Reference`].
//!
//! The reference is the mix as it went to the speaker, each 10 ms as one frame of the host's clock: the speaker's
//! and the microphone's own clocks are evened out between them and their devices, so that the two fit together for hours.
//! All that was played since the last frame is taken before each frame of the microphone, so a thread that is held up
//! costs the canceller some frames of patience and no alignment; what slips in the microphone's queue is evened out by `align`. The delay that is told is that of the newest frame: until it
//! is heard (ring and device of the speaker) and since the microphone's frame was captured (device and queue). When a device is built
//! anew the next frame carries its new delay, and the canceller looks for the echo again by itself.
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
    /// Frames that the reader had lost at the last frame.
    lost: u64,
    /// Microseconds from the handing over of the newest frame until it is heard.
    ahead: u64,
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
            lost: 0,
            ahead: 0,
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

    /// Processes the next 10 ms of the microphone, captured `delay` microseconds ago beyond the frame itself.
    pub fn process(&mut self, frame: &mut Frame, delay: u64) {
        if self.voice.is_off() {
            return;
        }
        if self.chain.is_none() && self.crashes > 0 && self.crashes <= MOST_CRASHES {
            self.rebuild();
        }
        tame(frame);
        let before = *frame;
        let mut chain = self.chain.take();
        let worked = guard("the voice processing", || {
            while let Some(ahead) = self.reader.take(&mut self.playout) {
                self.ahead = ahead;
                tame(&mut self.playout);
                self.align.push(&self.playout);
            }
            while self.align.pop(&mut self.playout) {
                if let Some(guard) = &mut self.guard {
                    guard.on_playout(&self.playout);
                }
                if let Some(chain) = chain.as_mut().filter(|_| self.voice.echo) {
                    chain.play(&self.playout);
                }
            }
            if let Some(chain) = &mut chain {
                chain.process(frame, i32::try_from((self.ahead + delay) / 1000).unwrap_or(i32::MAX));
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
        if self.lost != self.reader.lost() {
            // The thread stood still for so long that nothing fits any more.
            self.lost = self.reader.lost();
            self.align = Align::default();
            self.rebuild();
        }
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
