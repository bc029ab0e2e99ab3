//! One remote picture track on its way in. (Skeleton: the signatures hold, the body comes.)

use std::path::PathBuf;

use crate::av::Error;
use crate::id::PeerId;
use crate::media::{Arrival, ClockMap, Feedback};
use crate::slot::{Ring, Shared};
use crate::stats;

/// How many packets an inbox should hold: 1.5 s of 720p at 5 Mbit/s. Overflow: the oldest is dropped, as if lost.
pub const INBOX: usize = 1024;

/// Whose pictures, and where they go.
#[derive(Debug, Clone)]
pub struct Config {
    /// The sender.
    pub peer: PeerId,
    /// Writes every released picture to this `.y4m` file.
    pub dump: Option<PathBuf>,
}

/// A running remote picture track. It lives as long as the peer is of interest, across reconnects, restarts of the
/// peer and mutes: keep one for each peer for the whole run, and say [`Video::set_on`] false while there is nothing to
/// show (the decoder is freed then). Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Video {
    inbox: Ring<Arrival>,
}

impl Video {
    /// Starts the track's thread, on. Packets of kinds Video and Clock come through `inbox` (see [`INBOX`]);
    /// `feedback` is called from the track's thread with what the sender must hear.
    pub fn start(
        config: Config,
        inbox: Ring<Arrival>,
        clock: Shared<ClockMap>,
        feedback: Box<dyn Fn(Feedback) + Send>,
    ) -> Result<Self, Error> {
        let _ = (config, clock, feedback);
        Ok(Self { inbox })
    }

    /// The figures of `cli.md`: totals since the start, all else since the previous call.
    pub fn stats(&self) -> stats::Video {
        stats::Video::default()
    }

    /// False while the sender is muted or nobody watches: nothing is decoded, nothing is asked for, no freeze counts.
    pub fn set_on(&self, _on: bool) {}

    /// Ends the track, writes what is left of the dump, and waits for its threads. Closes the inbox.
    pub fn stop(self) {
        self.inbox.close();
    }
}
