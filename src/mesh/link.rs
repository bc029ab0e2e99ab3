//! One live connection to one peer, and the streams over it.

use bytes::Bytes;
use thiserror::Error;

/// A stream that cannot go on: the peer stopped it, or the connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StreamEnded {
    /// The peer does not want more.
    #[error("the other side stopped the transfer")]
    Stopped,
    /// The link broke. The rest can be sent over the next one.
    #[error("the link broke")]
    Lost,
}

/// Our end of a stream that carries one file towards the peer.
#[derive(Debug)]
pub struct SendStream(quinn::SendStream);

impl SendStream {
    /// Hands over all of `chunk`; waits while the link is busy.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), StreamEnded> {
        self.0.write_chunk(chunk).await.map_err(|error| match error {
            quinn::WriteError::Stopped(_) => StreamEnded::Stopped,
            _ => StreamEnded::Lost,
        })
    }

    /// Ends the stream; what was written still arrives.
    pub fn finish(&mut self) {
        let _ = self.0.finish();
    }

    /// Waits until the peer's transport has everything, after [`finish`](Self::finish).
    pub async fn confirmed(&mut self) -> Result<(), StreamEnded> {
        match self.0.stopped().await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(StreamEnded::Stopped),
            Err(_) => Err(StreamEnded::Lost),
        }
    }

    /// Breaks the stream off.
    pub fn reset(&mut self) {
        let _ = self.0.reset(0_u32.into());
    }
}

/// The peer's stream that carries one file to us.
#[derive(Debug)]
pub struct RecvStream(quinn::RecvStream);

impl RecvStream {
    /// The next bytes, at most `limit` of them; `None` at the end.
    pub async fn read(&mut self, limit: usize) -> Result<Option<Bytes>, StreamEnded> {
        match self.0.read_chunk(limit, true).await {
            Ok(chunk) => Ok(chunk.map(|chunk| chunk.bytes)),
            Err(quinn::ReadError::Reset(_)) => Err(StreamEnded::Stopped),
            Err(_) => Err(StreamEnded::Lost),
        }
    }

    /// Asks the peer to stop sending.
    pub fn stop(&mut self) {
        let _ = self.0.stop(0_u32.into());
    }
}
