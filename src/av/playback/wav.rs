//! WAV files that are written while they are heard: 48 kHz, 16 bit, mono (RIFF, Multimedia Programming Interface 1.0).
//!
//! Blocks carry their place in time, so a block that never comes leaves silence and moves nothing. Each write puts the
//! samples first and then the whole header in one call, so the file is valid at any moment: killed between the two, it
//! has samples that the header does not count yet.
//!
//! Disks stall, playback must not: blocks go through a bounded queue to one writer thread, which collects a few and
//! writes them together.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::av::Error;
use crate::frame::{FRAME_SAMPLES, SAMPLE_RATE};
use crate::slot::{Empty, Ring};
use crate::task;

const HEADER: u64 = 44;
/// Most samples of a file: its length is a 32-bit number of bytes. 12 hours; what is beyond is not written.
const MOST_SAMPLES: u64 = (u32::MAX as u64 - HEADER) / 2;
/// Blocks that may wait for the disk: with 50 voices 1.6 s, with one 80 s. Overflow: the oldest block is dropped, counted and
/// stays silent in its file.
const QUEUE: usize = 8192;
/// How long the writer collects: a write costs two system calls, whatever its size.
const COLLECT: Duration = Duration::from_millis(40);

/// One open file. Errors after the start are told once and end it.
#[derive(Debug)]
pub struct Wav {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: Option<File>,
    // Samples that the header counts.
    length: u64,
    // What waits to be written, and its place in samples.
    pending: Vec<u8>,
    start: u64,
}

impl Wav {
    /// Creates or empties the file.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let fail = |source| Error::Write { path: path.to_owned(), source };
        let mut file = File::create(path).map_err(fail)?;
        file.write_all(&header(0)).map_err(fail)?;
        let state = State { file: Some(file), length: 0, pending: Vec::new(), start: 0 };
        Ok(Self { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// Adds samples at their place; what lies between is silence.
    fn put(&self, position: u64, samples: &[i16]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let next = state.start + u64::try_from(state.pending.len() / 2).unwrap_or(0);
        if next != position {
            self.write(&mut state);
            state.start = position;
        }
        for sample in samples {
            state.pending.extend_from_slice(&sample.to_le_bytes());
        }
    }

    /// Writes what waits.
    fn flush(&self) {
        self.write(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn write(&self, state: &mut State) {
        let samples = u64::try_from(state.pending.len() / 2).unwrap_or(0);
        let end = state.start + samples;
        if samples > 0 && end <= MOST_SAMPLES {
            let length = state.length.max(end);
            let result = state.file.as_mut().map(|file| append(file, state.start, &state.pending, length));
            match result {
                Some(Ok(())) => state.length = length,
                Some(Err(error)) => {
                    tracing::warn!(path = %self.path.display(), %error, "a sound file cannot be written and ends here");
                    state.file = None;
                }
                None => {}
            }
        }
        state.start = end;
        state.pending.clear();
    }
}

fn append(file: &mut File, start: u64, samples: &[u8], length: u64) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(HEADER + 2 * start))?;
    file.write_all(samples)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header(length))
}

/// The header of a file of `samples` samples, at most [`MOST_SAMPLES`].
fn header(samples: u64) -> [u8; 44] {
    let bytes = u32::try_from(samples * 2).unwrap_or(u32::MAX);
    let mut out = [0u8; 44];
    let mut at = 0;
    let mut put = |part: &[u8]| {
        out[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    };
    put(b"RIFF");
    put(&bytes.saturating_add(36).to_le_bytes());
    put(b"WAVEfmt ");
    put(&16u32.to_le_bytes());
    put(&1u16.to_le_bytes()); // PCM
    put(&1u16.to_le_bytes()); // mono
    put(&SAMPLE_RATE.to_le_bytes());
    put(&(SAMPLE_RATE * 2).to_le_bytes()); // bytes a second
    put(&2u16.to_le_bytes()); // bytes a sample
    put(&16u16.to_le_bytes()); // bits a sample
    put(b"data");
    put(&bytes.to_le_bytes());
    out
}

/// Ten milliseconds for a file.
#[derive(Debug)]
pub struct Block {
    /// Which file.
    pub wav: Arc<Wav>,
    /// Of its first sample, in samples from the file's start.
    pub position: u64,
    /// The samples.
    pub samples: [i16; FRAME_SAMPLES],
}

/// The writer thread.
#[derive(Debug)]
pub struct Writer {
    queue: Ring<Block>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub fn start() -> Result<Self, Error> {
        let queue = Ring::new(QUEUE);
        let inbox = queue.clone();
        let thread = task::thread("sound-writer", move || run(&inbox)).map_err(Error::Thread)?;
        Ok(Self { queue, thread: Some(thread) })
    }

    /// Where blocks go. Never blocks.
    pub fn queue(&self) -> Ring<Block> {
        self.queue.clone()
    }
}

impl Drop for Writer {
    /// Writes what waits and ends the thread.
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(inbox: &Ring<Block>) {
    let mut touched: Vec<Arc<Wav>> = Vec::new();
    let mut dropped = 0;
    loop {
        let mut next = inbox.recv_timeout(Duration::from_secs(1));
        if matches!(next, Err(Empty::Closed)) {
            return;
        }
        if !inbox.is_closed() {
            std::thread::sleep(COLLECT);
        }
        while let Ok(block) = next {
            block.wav.put(block.position, &block.samples);
            if !touched.iter().any(|wav| Arc::ptr_eq(wav, &block.wav)) {
                touched.push(block.wav);
            }
            next = inbox.try_recv().ok_or(Empty::Timeout);
        }
        for wav in touched.drain(..) {
            wav.flush();
        }
        let lost = inbox.overwritten();
        if lost > dropped {
            tracing::warn!(blocks = lost - dropped, "the disk is too slow: some recorded sound is silent");
            dropped = lost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples_of(path: &Path) -> Vec<i16> {
        let mut reader = hound::WavReader::open(path).expect("a valid file");
        let spec = reader.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 48_000, 16));
        reader.samples::<i16>().map(|s| s.expect("a sample")).collect()
    }

    #[test]
    fn file_is_valid_after_every_write() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.wav");
        let wav = Wav::create(&path).expect("created");
        assert!(samples_of(&path).is_empty());
        for i in 0..3u16 {
            wav.put(u64::from(i) * 2, &[1, 2]);
            wav.flush();
            assert_eq!(samples_of(&path).len(), usize::from(i + 1) * 2);
        }
        assert_eq!(samples_of(&path), [1, 2, 1, 2, 1, 2]);
    }

    #[test]
    fn lost_block_is_silence_and_moves_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.wav");
        let wav = Wav::create(&path).expect("created");
        wav.put(0, &[1, 2]);
        wav.put(4, &[5, 6]);
        wav.flush();
        assert_eq!(samples_of(&path), [1, 2, 0, 0, 5, 6]);
    }

    #[test]
    fn writer_writes_everything_before_it_ends() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.wav");
        let wav = Arc::new(Wav::create(&path).expect("created"));
        let writer = Writer::start().expect("a thread");
        for i in 0..100u64 {
            let samples = [i16::try_from(i).expect("small"); FRAME_SAMPLES];
            writer.queue().push(Block { wav: Arc::clone(&wav), position: i * 480, samples });
        }
        drop(writer);
        let heard = samples_of(&path);
        assert_eq!(heard.len(), 48_000);
        assert!(heard.chunks(480).enumerate().all(|(i, c)| c.iter().all(|s| usize::try_from(*s) == Ok(i))));
    }

    #[test]
    fn folder_that_is_not_there_is_an_error_with_a_hint() {
        let error = Wav::create(Path::new("no-such-folder/a.wav")).expect_err("not created");
        assert!(error.to_string().contains("choose a folder"), "{error}");
    }
}
