//! What comes out of the speaker: one thread pulls every remote sound track every 10 ms, mixes them, and hands the mix
//! to the sink (`engine`). Each track has its own jitter buffer and decoder (`track`), the sum is kept within bounds by
//! `mixer`, and files are written behind a queue (`wav`).
//!
//! [`Playback`] is the handle: it can be called from anywhere and never waits for sound.

#[cfg(feature = "devices")]
pub mod device;
pub mod engine;
pub mod mixer;
pub mod track;
pub mod wav;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::av::Error;
use crate::av::devices::{Bell, Device, Fate};
use crate::av::guard::watch;
use crate::av::loudness::Loudness;
use crate::av::playback::engine::{Command, Engine, Sink};
use crate::av::playback::track::Figures;
use crate::av::playback::wav::{Block, Wav, Writer};
use crate::av::process::voice::Reference;
use crate::av::spec;
#[cfg(feature = "devices")]
use crate::clock;
use crate::frame::FRAME_SAMPLES;
use crate::id::PeerId;
use crate::media::{Arrival, ClockMap, TrackKind};
use crate::slot::{Ring, Shared};
use crate::stats;
use crate::task;

/// How many packets an inbox should hold: 2.5 s of 10 ms packets. Overflow: the oldest is dropped, as if lost.
pub const INBOX: usize = 256;

/// Commands that may wait for the next frame. Overflow: the caller waits, at most for that frame.
const COMMANDS: usize = 256;
/// Peers whose sound broke off and that were not told yet. Overflow: the oldest is not told.
const CRASHES: usize = 64;
/// Most peers whose totals are kept. Overflow: one that is away is forgotten.
const MOST_PEERS: usize = 512;

/// One sound track: whose, and which of them.
pub type Key = (PeerId, TrackKind);

/// Where sound goes.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the mix goes.
    pub speaker: spec::Speaker,
    /// A folder (made when missing) for one `<peer id>.wav` for each voice and one `<peer id>-screen.wav` for the sound of
    /// each shared screen, as played.
    pub dump: Option<PathBuf>,
}

/// What is kept of a peer's track for the whole run.
#[derive(Debug)]
struct Entry {
    figures: Arc<Mutex<Figures>>,
    dump: Option<Arc<Wav>>,
    here: bool,
}

/// The running playback: one for the whole run. Dropping it ends it and waits for its threads.
#[derive(Debug)]
pub struct Playback {
    commands: Option<SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
    // Dropped after the playback thread has ended, so that everything played is written.
    writer: Writer,
    dump: Option<PathBuf>,
    peers: Mutex<BTreeMap<Key, Entry>>,
    /// Of the speaker in use.
    fate: Mutex<Option<Fate>>,
    /// Of the playback thread.
    own: Fate,
    crashed: Ring<Key>,
    reference: Reference,
}

impl Playback {
    /// Opens the sinks and starts the threads.
    pub fn start(config: Config) -> Result<Self, Error> {
        let output = Output::open(&config.speaker)?;
        Self::start_to(output, config)
    }

    /// The same with a sink that is open.
    pub fn start_to(output: Output, config: Config) -> Result<Self, Error> {
        let Output { sink: speaker, fate } = output;
        if let Some(folder) = &config.dump {
            std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
        }
        let writer = Writer::start()?;
        let (commands, inbox) = sync_channel(COMMANDS);
        let (own, crashed) = (Fate::default(), Ring::new(CRASHES));
        let (reference, ends) = (Reference::new(), engine::Ends { own: own.clone(), voices: crashed.clone() });
        let engine = Engine::new(inbox, writer.queue(), speaker, ends, reference.clone());
        let told = own.clone();
        let play = move || {
            watch("the playback of sound", &told, || {
                engine.run();
                Ok(())
            });
        };
        let thread = task::thread("playback", play).map_err(Error::Thread)?;
        let (peers, fate) = (Mutex::default(), Mutex::new(fate));
        let (commands, thread) = (Some(commands), Some(thread));
        Ok(Self { commands, thread, writer, dump: config.dump, peers, fate, own, crashed, reference })
    }

    fn tell(&self, command: Command) {
        // The thread ends only when this sender is dropped.
        if self.commands.as_ref().is_none_or(|commands| commands.send(command).is_err()) {
            tracing::error!("the playback thread is gone");
        }
    }

    fn peers(&self) -> MutexGuard<'_, BTreeMap<Key, Entry>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plays a peer's track: its packets of kinds Audio and Clock come through `inbox` (see [`INBOX`]).
    /// Again for a peer that is already there: its inbox and clock are replaced, all else goes on. A peer that comes
    /// back after [`Playback::remove`] goes on with its totals, volume and dump.
    pub fn add(&self, key: Key, inbox: Ring<Arrival>, clock: Shared<ClockMap>) {
        let mut peers = self.peers();
        if peers.len() >= MOST_PEERS
            && !peers.contains_key(&key)
            && let Some(away) = peers.iter().find(|(_, entry)| !entry.here).map(|(id, _)| *id)
        {
            peers.remove(&away);
        }
        let entry = peers.entry(key).or_insert_with(|| Entry {
            figures: Arc::default(),
            dump: self.dump.as_ref().and_then(|folder| {
                Wav::create(&folder.join(file_name(key)))
                    .inspect_err(|error| tracing::warn!(%error, "a peer's sound is not recorded"))
                    .ok()
                    .map(Arc::new)
            }),
            here: true,
        });
        entry.here = true;
        let (figures, dump) = (Arc::clone(&entry.figures), entry.dump.clone());
        drop(peers);
        self.tell(Command::Add { key, inbox, map: clock, figures, dump });
    }

    /// Ends a track. Its totals can still be read.
    pub fn remove(&self, key: Key) {
        if let Some(entry) = self.peers().get_mut(&key) {
            entry.here = false;
        }
        self.tell(Command::Remove(key));
    }

    /// Sets how loud all of `peer` is played: 1 is as sent, at most 4.
    pub fn set_volume(&self, peer: PeerId, volume: f32) {
        for kind in TrackKind::ALL.into_iter().filter(|kind| kind.is_sound()) {
            self.tell(Command::Volume((peer, kind), volume));
        }
    }

    /// Silences a track on this side only.
    pub fn set_muted(&self, key: Key, muted: bool) {
        self.tell(Command::Muted(key, muted));
    }

    /// Sends the mix elsewhere from now on. What was played to before is closed beside the calls.
    pub fn play_to(&self, output: Output) {
        *self.fate.lock().unwrap_or_else(PoisonError::into_inner) = output.fate;
        self.tell(Command::Speaker(output.sink));
    }

    /// What a real speaker plays, whichever it is: microphones hear it too.
    pub fn reference(&self) -> Reference {
        self.reference.clone()
    }

    /// Why the speaker ended by itself, told once; `None` while it plays.
    pub fn trouble(&self) -> Option<Error> {
        let of_speaker = self.fate.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(Fate::take);
        of_speaker.or_else(|| self.own.take())
    }

    /// Rings `bell` when there is a [`Playback::trouble`] with the speaker that is in use now.
    pub fn ring(&self, bell: &Bell) {
        if let Some(fate) = self.fate.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            fate.ring(bell);
        }
        self.own.ring(bell);
    }

    /// A track that broke off by a defect, each time once. It is tried again a few times by itself, and when the
    /// peer comes back.
    pub fn crashed(&self) -> Option<Key> {
        self.crashed.try_recv()
    }

    /// The figures of `cli.md`: totals since the peer was first added, all else since the previous call. `None` for a
    /// peer that was never added.
    pub fn stats(&self, key: Key) -> Option<stats::Audio> {
        let figures = Arc::clone(&self.peers().get(&key)?.figures);
        let mut figures = figures.lock().unwrap_or_else(PoisonError::into_inner);
        Some(figures.read())
    }

    /// How long the path of any peer usually loses packets in one go; zero when nothing is lost.
    pub fn outage(&self) -> Duration {
        let peers = self.peers();
        let frames = peers.values().filter(|peer| peer.here).map(|peer| {
            let figures = peer.figures.lock().unwrap_or_else(PoisonError::into_inner);
            figures.outage
        });
        Duration::from_millis(10 * u64::from(frames.max().unwrap_or(0)))
    }

    /// From capture by the sender's host clock to where its sound is played by ours, in microseconds; for `av::sync`. `None`
    /// when it is not known or nothing is played.
    pub fn delay(&self, key: Key) -> Option<i64> {
        let peers = self.peers();
        let entry = peers.get(&key).filter(|entry| entry.here)?;
        entry.figures.lock().unwrap_or_else(PoisonError::into_inner).delay
    }

    /// How loud a track is as it comes in, before its volume. `None` for a peer that was never added.
    pub fn loudness(&self, key: Key) -> Option<Loudness> {
        let figures = Arc::clone(&self.peers().get(&key)?.figures);
        let figures = figures.lock().unwrap_or_else(PoisonError::into_inner);
        Some(figures.loudness.clone())
    }

    /// Ends playback, writes what is left of the files, and waits for its threads.
    pub fn stop(self) {}
}

impl Drop for Playback {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        tracing::debug!(waiting = self.writer.queue().len(), "playback ended");
    }
}

fn file_name((peer, kind): Key) -> String {
    match kind {
        TrackKind::ScreenAudio => format!("{peer}-screen.wav"),
        _ => format!("{peer}.wav"),
    }
}

/// A sink of the mix that is open.
#[derive(Debug)]
pub struct Output {
    sink: Sink,
    fate: Option<Fate>,
}

impl Output {
    /// Opens it. A real speaker may take seconds.
    pub fn open(speaker: &spec::Speaker) -> Result<Self, Error> {
        let (sink, fate) = open(speaker)?;
        Ok(Self { sink, fate })
    }

    /// Nowhere.
    pub fn none() -> Self {
        Self { sink: Sink::None, fate: None }
    }

    /// Which device it is, if it is one.
    pub fn device(&self) -> Option<&Device> {
        match &self.sink {
            #[cfg(feature = "devices")]
            Sink::Device(sink) => Some(sink.device()),
            _ => None,
        }
    }
}

/// Asked before each 10 ms whether to go on; its break ends the sound there.
pub type GoOn<'a> = dyn FnMut() -> ControlFlow<()> + 'a;

/// Plays two notes to `speaker` for so long, and waits until they were played. Gives the name of the device, if it is one.
pub fn play_notes(speaker: &spec::Speaker, length: Duration, go_on: &mut GoOn<'_>) -> Result<Option<String>, Error> {
    let second = u32::try_from(length.as_millis() / 20).unwrap_or(50);
    let frames = u32::try_from(length.as_millis() / 10).unwrap_or(100);
    play_frames(speaker, (0..frames).map(|frame| note(frame, second)), go_on)
}

/// Plays `samples`, mono at 48 kHz, to `speaker`, and waits until they were played. Less than 10 ms at the end is left
/// out. Gives the name of the device, if it is one.
pub fn play(speaker: &spec::Speaker, samples: &[f32], go_on: &mut GoOn<'_>) -> Result<Option<String>, Error> {
    play_frames(speaker, samples.as_chunks::<FRAME_SAMPLES>().0.iter().copied(), go_on)
}

fn play_frames(
    speaker: &spec::Speaker,
    frames: impl Iterator<Item = [f32; FRAME_SAMPLES]>,
    go_on: &mut GoOn<'_>,
) -> Result<Option<String>, Error> {
    let mut output = Output::open(speaker)?;
    let device = output.device().map(|device| device.name.clone());
    let writer = Writer::start()?;
    #[cfg(feature = "devices")]
    let (mut due, nobody) = (clock::now(), Reference::new());
    let mut position = 0u64;
    for samples in frames {
        if go_on().is_break() {
            return Ok(device);
        }
        match &mut output.sink {
            Sink::None => {}
            Sink::File(wav) => {
                let mut block = [0; FRAME_SAMPLES];
                mixer::to_block(&samples, &mut block);
                writer.queue().push(Block { wav: Arc::clone(wav), position, samples: block });
            }
            #[cfg(feature = "devices")]
            Sink::Device(speaker) => {
                speaker.play(&samples, &nobody);
                due += Duration::from_millis(10);
                std::thread::sleep(due.saturating_duration_since(clock::now()));
            }
        }
        position += FRAME_SAMPLES as u64;
        if let Some(error) = output.fate.as_ref().and_then(Fate::take) {
            return Err(error);
        }
    }
    if output.fate.is_some() {
        // What lies in the device's own buffer.
        std::thread::sleep(Duration::from_millis(150));
    }
    Ok(device)
}

/// Frame `frame` of two notes, a fourth apart, that begin and end softly. The second begins at frame `second`.
fn note(frame: u32, second: u32) -> [f32; FRAME_SAMPLES] {
    let (hertz, at) = if frame < second { (660, frame) } else { (880, frame - second) };
    let mut samples = [0.0; FRAME_SAMPLES];
    for (place, sample) in (0u32..).zip(&mut samples) {
        let time = at * 480 + place;
        let phase = u16::try_from(u64::from(time) * hertz % 48_000).unwrap_or(0);
        let seconds = f32::from(u16::try_from(time / 8).unwrap_or(u16::MAX)) / 6000.0;
        let swell = (seconds / 0.01).min(1.0) * (-seconds * 8.0).exp();
        *sample = 0.4 * swell * (f32::from(phase) * std::f32::consts::TAU / 48_000.0).sin();
    }
    samples
}

/// Opens the sink of the mix.
fn open(speaker: &spec::Speaker) -> Result<(Sink, Option<Fate>), Error> {
    Ok(match speaker {
        spec::Speaker::None => (Sink::None, None),
        spec::Speaker::Wav(path) => (Sink::File(Arc::new(Wav::create(path)?)), None),
        #[cfg(feature = "devices")]
        spec::Speaker::Device(choice) => {
            let sink = device::Sink::open(choice)?;
            let fate = sink.fate();
            (Sink::Device(Box::new(sink)), Some(fate))
        }
        #[cfg(not(feature = "devices"))]
        spec::Speaker::Device(_) => return Err(Error::NoDevices),
    })
}

#[cfg(test)]
mod tests;
