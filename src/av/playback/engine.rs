//! The playback thread: every 10 ms, by a deadline that never drifts, it pulls what is due of every remote track, mixes
//! it and hands the samples to the sink and the files.
//!
//! The deadlines are the sink's clock: a frame is due at its deadline, also when the thread was held up and pulls it
//! late. It then catches up frame by frame, with what came in the meantime, so that a busy machine costs neither samples
//! nor alignment and counts as no concealment. Nothing here waits for a disk or a lock that is held for long.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::av::devices::Fate;
use crate::av::guard::guard;
use crate::av::playback::Key;
use crate::av::playback::mixer::{self, Mixer};
use crate::av::playback::track::{Figures, Track};
use crate::av::playback::wav::{Block, Wav};
use crate::av::process::voice::Reference;
use crate::clock;
use crate::frame::FRAME_SAMPLES;
use crate::media::{Arrival, ClockMap};
use crate::slot::{Ring, Shared};
use crate::task;

/// What one pull plays, in microseconds.
const TICK_US: u64 = 10_000;
/// A thread that was stopped longer than this (in ticks) skips instead of catching up: 10 s.
const MOST_BEHIND: u64 = 1000;
/// Loudest a peer can be made: 12 dB.
const MOST_VOLUME: f32 = 4.0;
/// So many times a peer's sound is begun anew after a panic; what breaks us each time is not played any more.
const MOST_CRASHES: u8 = 3;
/// Most peers remembered after they left. Overflow: one that is away is forgotten.
const MOST_VOICES: usize = 512;

/// Where the mix goes.
#[derive(Debug)]
pub enum Sink {
    /// Nowhere: it is not even added up.
    None,
    /// Into a file.
    File(Arc<Wav>),
    /// To be heard.
    #[cfg(feature = "devices")]
    Device(Box<super::device::Sink>),
}

/// What the thread is told.
#[derive(Debug)]
pub enum Command {
    /// Play this, or follow it to another link.
    Add {
        /// Which.
        key: Key,
        /// Its packets.
        inbox: Ring<Arrival>,
        /// Its clock.
        map: Shared<ClockMap>,
        /// Where to count.
        figures: Arc<Mutex<Figures>>,
        /// Its own file; the first one stays.
        dump: Option<Arc<Wav>>,
    },
    /// Play it no longer.
    Remove(Key),
    /// How loud.
    Volume(Key, f32),
    /// Silent on this side.
    Muted(Key, bool),
    /// Where the mix goes.
    Speaker(Sink),
}

/// Where the ends of what is played are told.
#[derive(Debug)]
pub struct Ends {
    /// Of the sink, when it breaks off by a defect.
    pub own: Fate,
    /// Tracks that broke off by a defect.
    pub voices: Ring<Key>,
}

/// One track of a peer as it is played. Stays when the peer goes, so that it comes back to its volume and its place in its file.
#[derive(Debug)]
struct Voice {
    track: Option<Track>,
    dump: Option<Arc<Wav>>,
    /// The tick at which its file starts.
    first: u64,
    volume: f32,
    muted: bool,
    /// The gain of the last frame.
    gain: f32,
    crashes: u8,
}

impl Voice {
    /// Its track panicked: it begins anew, unless it did so too often.
    fn on_crash(&mut self) {
        self.crashes = self.crashes.saturating_add(1);
        let track = self.track.take().filter(|_| self.crashes <= MOST_CRASHES);
        self.track = track.and_then(|track| track.anew(clock::now()).ok());
    }
}

/// The state of the thread.
#[derive(Debug)]
pub struct Engine {
    commands: Receiver<Command>,
    files: Ring<Block>,
    voices: BTreeMap<Key, Voice>,
    speaker: Sink,
    /// The tick at which the speaker's file starts.
    first: u64,
    mixer: Mixer,
    ends: Ends,
    /// What a real speaker plays, for microphones that hear it.
    #[cfg_attr(not(feature = "devices"), expect(dead_code, reason = "there are real speakers with devices only"))]
    reference: Reference,
}

impl Engine {
    /// A playback that mixes to `speaker` and takes `commands` until their sender is gone.
    pub fn new(
        commands: Receiver<Command>,
        files: Ring<Block>,
        speaker: Sink,
        ends: Ends,
        reference: Reference,
    ) -> Self {
        Self { commands, files, voices: BTreeMap::new(), speaker, first: 0, mixer: Mixer::new(), ends, reference }
    }

    /// Plays until the commands end.
    pub fn run(mut self) {
        let (start, start_host) = (clock::now(), clock::host_micros());
        let mut tick = 0u64;
        loop {
            let now = clock::now();
            let due = start + Duration::from_micros(tick * TICK_US);
            if let Some(early) = due.checked_duration_since(now).filter(|early| !early.is_zero()) {
                std::thread::sleep(early);
            } else {
                let behind = u64::try_from(now.saturating_duration_since(due).as_micros()).unwrap_or(0) / TICK_US;
                if behind > MOST_BEHIND {
                    tracing::warn!(ticks = behind, "playback was stopped for long and skips");
                    tick += behind;
                    continue;
                }
            }
            loop {
                match self.commands.try_recv() {
                    Ok(command) => self.on_command(tick, command),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            self.play(tick, due, start_host + tick * TICK_US);
            tick += 1;
        }
    }

    fn on_command(&mut self, tick: u64, command: Command) {
        match command {
            Command::Add { key, inbox, map, figures, dump } => {
                self.make_room();
                let voice = self.voice(tick, key);
                voice.dump = voice.dump.take().or(dump);
                match &mut voice.track {
                    Some(track) => track.follow(inbox, map),
                    None => match Track::new(clock::now(), inbox, map, figures) {
                        Ok(track) => voice.track = Some(track),
                        Err(error) => tracing::warn!(%error, "a peer cannot be heard"),
                    },
                }
            }
            Command::Remove(key) => {
                if let Some(voice) = self.voices.get_mut(&key) {
                    voice.track = None;
                }
            }
            Command::Volume(key, volume) if volume.is_finite() => {
                self.voice(tick, key).volume = volume.clamp(0.0, MOST_VOLUME);
            }
            Command::Volume(..) => {}
            Command::Muted(key, muted) => self.voice(tick, key).muted = muted,
            Command::Speaker(speaker) => {
                self.first = tick;
                self.replace(speaker);
            }
        }
    }

    fn replace(&mut self, speaker: Sink) {
        let old = std::mem::replace(&mut self.speaker, speaker);
        // A device may take its time to close, and the mix may not.
        if let Err(error) = task::thread("speaker-close", move || drop(old)) {
            tracing::warn!(%error, "the speaker before was closed here");
        }
    }

    fn voice(&mut self, tick: u64, key: Key) -> &mut Voice {
        self.voices.entry(key).or_insert(Voice {
            track: None,
            dump: None,
            first: tick,
            volume: 1.0,
            muted: false,
            gain: 1.0,
            crashes: 0,
        })
    }

    fn make_room(&mut self) {
        if self.voices.len() >= MOST_VOICES
            && let Some(away) = self.voices.iter().find(|(_, voice)| voice.track.is_none()).map(|(key, _)| *key)
        {
            self.voices.remove(&away);
        }
    }

    fn play(&mut self, tick: u64, due: std::time::Instant, due_host: u64) {
        self.mixer.clear();
        let mut samples = [0.0f32; FRAME_SAMPLES];
        let mut block = [0i16; FRAME_SAMPLES];
        for (key, voice) in &mut self.voices {
            let Some(track) = &mut voice.track else { continue };
            let pulled = guard("the sound of somebody", || {
                track.receive();
                track.set_muted(voice.muted);
                Ok(track.pull(due, due_host, &mut samples))
            });
            let Ok(sounding) = pulled else {
                voice.on_crash();
                self.ends.voices.push(*key);
                continue;
            };
            let gain = if voice.muted { 0.0 } else { voice.volume };
            if sounding {
                mixer::scale(&mut samples, voice.gain, gain);
                self.mixer.add(&samples);
            }
            voice.gain = gain;
            if let Some(wav) = &voice.dump {
                mixer::to_block(&samples, &mut block);
                let position = (tick - voice.first) * FRAME_SAMPLES as u64;
                self.files.push(Block { wav: Arc::clone(wav), position, samples: block });
            }
        }
        let played = guard("the speaker", || {
            match &mut self.speaker {
                Sink::None => {}
                Sink::File(wav) => {
                    self.mixer.finish(&mut block);
                    let position = (tick - self.first) * FRAME_SAMPLES as u64;
                    self.files.push(Block { wav: Arc::clone(wav), position, samples: block });
                }
                #[cfg(feature = "devices")]
                Sink::Device(speaker) => {
                    self.mixer.samples(&mut samples);
                    speaker.play(&samples, &self.reference);
                }
            }
            Ok(())
        });
        if let Err(error) = played {
            self.ends.own.set(error);
            self.replace(Sink::None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_that_panics_begins_anew_and_is_silent_in_the_end() {
        let (_sender, commands) = std::sync::mpsc::sync_channel(4);
        let ends = Ends { own: Fate::default(), voices: Ring::new(4) };
        let mut engine = Engine::new(commands, Ring::new(4), Sink::None, ends, Reference::new());
        let key = (crate::id::PeerId::from_bytes([1; 32]), crate::media::TrackKind::Microphone);
        let inbox = Ring::new(4);
        let add = || Command::Add {
            key,
            inbox: inbox.clone(),
            map: Shared::new(ClockMap::Same),
            figures: Arc::default(),
            dump: None,
        };
        engine.on_command(0, add());
        for crashes in 1..=MOST_CRASHES + 1 {
            engine.voice(0, key).on_crash();
            assert_eq!(engine.voice(0, key).track.is_some(), crashes <= MOST_CRASHES, "{crashes}");
        }
        engine.play(0, clock::now(), 0);
        engine.on_command(1, add());
        assert!(engine.voice(1, key).track.is_some(), "it came back");
    }
}
