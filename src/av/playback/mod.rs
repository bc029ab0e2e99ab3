//! What comes out of the speaker: one thread pulls every remote sound track every 10 ms, mixes them, and hands the mix
//! to the sink. (Skeleton: the signatures hold, the body comes.)

use std::path::PathBuf;

use crate::av::Error;
use crate::av::spec;
use crate::id::PeerId;
use crate::media::{Arrival, ClockMap};
use crate::slot::{Ring, Shared};
use crate::stats;

/// How many packets an inbox should hold: 2.5 s of 10 ms packets. Overflow: the oldest is dropped, as if lost.
pub const INBOX: usize = 256;

/// Where sound goes.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the mix goes.
    pub speaker: spec::Speaker,
    /// A folder (made when missing) for one `<peer id>.wav` for each peer, as played.
    pub dump: Option<PathBuf>,
}

/// The running playback: one for the whole run. Dropping it stops it too.
#[derive(Debug)]
pub struct Playback {}

impl Playback {
    /// Opens the sinks and starts the thread.
    pub fn start(config: Config) -> Result<Self, Error> {
        let _ = config;
        Ok(Self {})
    }

    /// Plays `peer`'s sound: packets of kinds Audio and Clock of its microphone come through `inbox` (see [`INBOX`]).
    /// Again for a peer that is already there: its inbox and clock are replaced, all else goes on. A peer that comes
    /// back after [`Playback::remove`] goes on with its totals, volume and dump.
    pub fn add(&self, peer: PeerId, inbox: Ring<Arrival>, clock: Shared<ClockMap>) {
        let _ = (peer, inbox, clock);
    }

    /// Ends `peer`'s sound. Its totals can still be read.
    pub fn remove(&self, peer: PeerId) {
        let _ = peer;
    }

    /// Sets how loud `peer` is played: 1 is as sent, at most 4.
    pub fn set_volume(&self, peer: PeerId, volume: f32) {
        let _ = (peer, volume);
    }

    /// Silences `peer` on this side only.
    pub fn set_muted(&self, peer: PeerId, muted: bool) {
        let _ = (peer, muted);
    }

    /// Sends the mix elsewhere from now on.
    pub fn set_speaker(&self, speaker: &spec::Speaker) -> Result<(), Error> {
        let _ = speaker;
        Ok(())
    }

    /// The figures of `cli.md`: totals since the peer was first added, all else since the previous call. `None` for a
    /// peer that was never added.
    pub fn stats(&self, peer: PeerId) -> Option<stats::Audio> {
        let _ = peer;
        None
    }

    /// Ends playback, writes what is left of the files, and waits for its threads.
    pub fn stop(self) {}
}
