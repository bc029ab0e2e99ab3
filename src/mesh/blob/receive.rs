//! A file's bytes off a stream: cut into groups, checked, and only then written.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::sync::mpsc;

use super::landing::Landing;
use super::{Incoming, QUEUE};
use crate::clock;
use crate::mesh::transfer::{Expected, Fault, GROUP_BYTES, GROUP_HEAD, GroupHead, HEAD, Hash, Head, Next, Reason};
use crate::task::Scope;

/// Between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// After the trailer nothing follows but the stream's end, and that within this time.
const END_WAIT: Duration = Duration::from_secs(10);
/// A stream says what it carries within this time.
const HEAD_WAIT: Duration = Duration::from_secs(5);

/// News of an attempt while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// So many bytes are checked and written. Only the newest counts.
    Written(u64),
    /// All bytes are here and right; the disk syncs.
    Storing,
}

#[derive(Debug)]
enum Piece {
    Group { offset: u64, hash: Hash, bytes: Bytes },
    Trailer(Hash),
}

// A stream and what was read of it too early. Asks the peer to stop when it is dropped, also when its task is aborted,
// unless the end was reached or the stream was taken out.
struct Reader<R: Incoming> {
    stream: Option<R>,
    rest: Bytes,
}

impl<R: Incoming> Drop for Reader<R> {
    fn drop(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.stop();
        }
    }
}

impl<R: Incoming> Reader<R> {
    async fn more(&mut self) -> Result<bool, Fault> {
        while self.rest.is_empty() {
            let Some(stream) = &mut self.stream else { return Ok(false) };
            match stream.read(GROUP_BYTES).await {
                Ok(Some(bytes)) => self.rest = bytes,
                Ok(None) => self.stream = None,
                Err(_) => return Err(Fault::Broken),
            }
        }
        Ok(true)
    }

    async fn exactly(&mut self, length: usize) -> Result<Bytes, Fault> {
        let mut out = BytesMut::with_capacity(length);
        while out.len() < length {
            if !self.more().await? {
                return Err(Fault::Broken);
            }
            let part = self.rest.len().min(length - out.len());
            out.extend_from_slice(&self.rest[..part]);
            self.rest.advance(part);
        }
        Ok(out.freeze())
    }

    // Reads to the end of the stream and hands on what fits the file.
    async fn read(&mut self, size: u64, queue: mpsc::Sender<Piece>) -> Result<(), Fault> {
        let protocol = Fault::Over(Reason::Protocol);
        let mut end = None;
        loop {
            let bytes = self.exactly(GROUP_HEAD).await?;
            let head = GroupHead::decode(bytes.first_chunk().ok_or(protocol)?);
            match head.next(size).ok_or(protocol)? {
                Next::Group(length) => {
                    // Ascending and without a gap.
                    if end.is_some_and(|end| end != head.offset) {
                        return Err(protocol);
                    }
                    end = Some(head.offset + u64::from(head.length));
                    let bytes = self.exactly(length).await?;
                    let group = Piece::Group { offset: head.offset, hash: head.hash, bytes };
                    queue.send(group).await.map_err(|_| Fault::Broken)?;
                }
                Next::Trailer => {
                    match tokio::time::timeout(END_WAIT, self.more()).await {
                        Ok(Ok(false)) => {}
                        Ok(Ok(true)) => return Err(protocol),
                        Ok(Err(fault)) => return Err(fault),
                        Err(_) => return Err(Fault::Broken),
                    }
                    return queue.send(Piece::Trailer(head.hash)).await.map_err(|_| Fault::Broken);
                }
            }
        }
    }
}

/// Reads what a new stream says it carries, and gives the stream back with the bytes that came along; `None` when it
/// says nothing in time.
pub async fn read_head<R: Incoming>(stream: R) -> Option<(Head, R, Bytes)> {
    let mut reader = Reader { stream: Some(stream), rest: Bytes::new() };
    let bytes = tokio::time::timeout(HEAD_WAIT, reader.exactly(HEAD)).await.ok()?.ok()?;
    let head = Head::decode(*bytes.first_chunk()?);
    Some((head, reader.stream.take()?, std::mem::take(&mut reader.rest)))
}

/// One attempt: groups, each checked before it is written, then the trailer; then the file is put in its place. `rest`
/// are bytes of the stream that were read with its head. Gives where the file lies, and its root.
pub async fn receive<R: Incoming>(
    scope: &Scope,
    landing: Arc<Mutex<Landing>>,
    expected: Expected,
    stream: R,
    rest: Bytes,
    report: impl Fn(Report) + Send + 'static,
) -> Result<(PathBuf, Hash), Fault> {
    let mut stream = Reader { stream: Some(stream), rest };
    // Overflow: the stream waits for the disk, and QUIC's flow control makes the sender wait.
    let (queue, pieces) = mpsc::channel(QUEUE);
    let disk = scope.spawn_blocking(move || {
        let mut landing = landing.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut landing, expected, pieces, report)
    });
    let read = stream.read(expected.size, queue).await;
    let written = disk.await.unwrap_or(Err(Fault::Over(Reason::DiskError)));
    match (read, written) {
        (Err(Fault::Over(reason)), _) | (_, Err(Fault::Over(reason))) => Err(Fault::Over(reason)),
        (Err(Fault::Broken), Err(_)) => Err(Fault::Broken),
        (_, written) => written,
    }
}

fn write(
    landing: &mut Landing,
    expected: Expected,
    mut pieces: mpsc::Receiver<Piece>,
    report: impl Fn(Report),
) -> Result<(PathBuf, Hash), Fault> {
    let mut reported = clock::now();
    // The queue's end without a trailer is a stream that broke.
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Group { offset, hash, bytes } => {
                landing.write(offset, hash, &bytes).map_err(Fault::Over)?;
                let now = clock::now();
                if now.duration_since(reported) >= REPORT_EVERY || landing.written() == expected.size {
                    reported = now;
                    report(Report::Written(landing.written()));
                }
            }
            Piece::Trailer(root) => {
                landing.check(expected, root).map_err(Fault::Over)?;
                report(Report::Storing);
                let path = landing.store().map_err(Fault::Over)?;
                return Ok((path, root));
            }
        }
    }
    Err(Fault::Broken)
}
