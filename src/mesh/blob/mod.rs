//! Disk to stream and back.
//!
//! A file leaves as `disk thread -> queue of 2 groups -> stream` and arrives as `stream -> queue of 2 groups -> disk
//! thread`, so reading, hashing, encrypting and writing overlap, and memory stays at about four groups (1 MiB) a
//! transfer whatever the file's size: a slow disk slows the queue, the queue the stream, QUIC's flow control the other
//! side. Hashing and disk run on blocking threads only.
//!
//! `send` and `receive` do one attempt over one stream. What outlives an attempt, the hash so far and the temporary
//! file, is a [`Source`] or a [`Landing`]; its lock is held by the disk thread of the attempt, so the next attempt
//! waits for the end of the last. Everything is written against the two small stream traits; the mesh's streams and
//! the tests' are the same to it.

mod landing;
mod receive;
mod send;
mod space;

use std::future::Future;

use bytes::Bytes;

use super::link::{RecvStream, SendStream, StreamEnded};
use super::transfer::GROUP_BYTES;

pub use landing::{Landing, remove_leftovers};
pub use receive::{Report, read_head, receive};
pub use send::{Source, SourceError, send};

/// Groups that wait between the disk and the stream. Overflow: the faster side waits.
const QUEUE: usize = 2;

/// A stream towards a peer.
pub trait Outgoing: Send + 'static {
    /// Hands over all of `chunk`; waits while the link is busy.
    fn write(&mut self, chunk: Bytes) -> impl Future<Output = Result<(), StreamEnded>> + Send;
    /// Ends it; what was written still arrives.
    fn finish(&mut self);
    /// Breaks it off.
    fn reset(&mut self);
}

/// A stream from a peer.
pub trait Incoming: Send + 'static {
    /// The next bytes, at most `limit`; `None` at the end.
    fn read(&mut self, limit: usize) -> impl Future<Output = Result<Option<Bytes>, StreamEnded>> + Send;
    /// Asks the peer to send no more.
    fn stop(&mut self);
}

impl Outgoing for SendStream {
    async fn write(&mut self, chunk: Bytes) -> Result<(), StreamEnded> {
        Self::write(self, chunk).await
    }

    fn finish(&mut self) {
        Self::finish(self);
    }

    fn reset(&mut self) {
        Self::reset(self);
    }
}

impl Incoming for RecvStream {
    async fn read(&mut self, limit: usize) -> Result<Option<Bytes>, StreamEnded> {
        Self::read(self, limit.min(GROUP_BYTES)).await
    }

    fn stop(&mut self) {
        Self::stop(self);
    }
}
