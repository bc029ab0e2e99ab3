//! Streams that carry files. Each ends with its connection; what was cut is resumed over the next one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use thiserror::Error;

use super::{Current, Link, Tallies};
use crate::mesh::{Refused, wire};

/// A stream that cannot go on: the peer stopped it, or the connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StreamEnded {
    /// The peer does not want more, or gave up.
    #[error("the other side stopped the transfer")]
    Stopped,
    /// The link broke. The rest can be sent over the next one.
    #[error("the link broke")]
    Lost,
}

/// Our end of a stream that carries one file towards the peer.
#[derive(Debug)]
pub struct SendStream {
    inner: quinn::SendStream,
    link: Arc<Link>,
}

impl SendStream {
    /// Opens one on the link's connection.
    pub(in crate::mesh) async fn open(link: Arc<Link>) -> Result<Self, Refused> {
        let Current { connection, .. } = link.current().ok_or(Refused::NotLinked)?;
        let mut inner = connection.open_uni().await.map_err(|_| Refused::NotLinked)?;
        // Control and chat go first.
        let _ = inner.set_priority(-1);
        inner.write_all(&[wire::STREAM_FILE]).await.map_err(|_| Refused::NotLinked)?;
        Ok(Self { inner, link })
    }

    /// Hands over all of `chunk`; waits while the link is busy.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), StreamEnded> {
        let bytes = chunk.len();
        self.inner.write_chunk(chunk).await.map_err(|error| match error {
            quinn::WriteError::Stopped(_) => StreamEnded::Stopped,
            _ => StreamEnded::Lost,
        })?;
        self.link.on_file_sent(bytes);
        Ok(())
    }

    /// Ends the stream; what was written still arrives.
    pub fn finish(&mut self) {
        let _ = self.inner.finish();
    }

    /// Waits until the peer's transport has everything, after [`finish`](Self::finish).
    pub async fn confirmed(&mut self) -> Result<(), StreamEnded> {
        match self.inner.stopped().await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(StreamEnded::Stopped),
            Err(_) => Err(StreamEnded::Lost),
        }
    }

    /// Breaks the stream off.
    pub fn reset(&mut self) {
        let _ = self.inner.reset(0_u32.into());
    }
}

/// The peer's stream that carries one file to us.
#[derive(Debug)]
pub struct RecvStream {
    inner: quinn::RecvStream,
    tallies: Arc<Tallies>,
}

impl RecvStream {
    pub(super) fn new(inner: quinn::RecvStream, tallies: Arc<Tallies>) -> Self {
        Self { inner, tallies }
    }

    /// The next bytes, at most `limit` of them; `None` at the end.
    pub async fn read(&mut self, limit: usize) -> Result<Option<Bytes>, StreamEnded> {
        match self.inner.read_chunk(limit, true).await {
            Ok(chunk) => {
                let bytes = chunk.map(|chunk| chunk.bytes);
                let count = bytes.as_ref().map_or(0, Bytes::len) as u64;
                self.tallies.received.file.fetch_add(count, Ordering::Relaxed);
                Ok(bytes)
            }
            Err(quinn::ReadError::Reset(_)) => Err(StreamEnded::Stopped),
            Err(_) => Err(StreamEnded::Lost),
        }
    }

    /// Asks the peer to stop sending.
    pub fn stop(&mut self) {
        let _ = self.inner.stop(0_u32.into());
    }
}
