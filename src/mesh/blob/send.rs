//! A file's bytes onto a stream: read and hash on a thread, write at the pace that the link allows.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::mpsc;

use super::{Outgoing, QUEUE};
use crate::clock;
use crate::media::Bitrate;
use crate::mesh::transfer::{
    Fault, GROUP, GROUP_HEAD, GroupHead, Hash, Head, PIECE, Pace, Reason, Span, Tree, group_hash,
};
use crate::share::FileName;
use crate::task::Scope;

/// Written at once while nothing limits a file. The allowance is asked again between two pieces.
const FREE_PIECE: usize = 64 * 1024;

/// Why a path cannot be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SourceError {
    /// Nothing is there.
    #[error("there is no such file; check the path")]
    Missing,
    /// It may not be read.
    #[error("this file cannot be read; check its permissions")]
    Unreadable,
    /// A folder.
    #[error("this is a folder; folders cannot be dropped yet, pack it into one file")]
    Folder,
    /// A device, a pipe or a socket.
    #[error("this is not a regular file")]
    Special,
}

/// A file on its way out, and the hash of what was read of it so far. It lives over all attempts.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
    tree: Tree,
    // Bytes in the tree: whole groups, or the whole file.
    hashed: u64,
}

impl Source {
    /// Looks at a file without reading it. Blocks on the disk.
    pub fn look(path: &Path) -> Result<Self, SourceError> {
        let error = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => SourceError::Missing,
            _ => SourceError::Unreadable,
        };
        // Looked at before it is opened: opening a pipe would wait for its writer.
        let metadata = std::fs::metadata(path).map_err(error)?;
        if metadata.is_dir() {
            return Err(SourceError::Folder);
        }
        if !metadata.is_file() {
            return Err(SourceError::Special);
        }
        File::open(path).map_err(error)?;
        let (size, modified) = (metadata.len(), metadata.modified().ok());
        Ok(Self { path: path.to_owned(), size, modified, tree: Tree::new(), hashed: 0 })
    }

    /// The name to offer it under.
    pub fn name(&self) -> FileName {
        FileName::new(&self.path.file_name().unwrap_or_default().to_string_lossy())
    }

    /// Its bytes when it was offered.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn is_unchanged(&self, metadata: &Metadata) -> bool {
        metadata.is_file() && metadata.len() == self.size && metadata.modified().ok() == self.modified
    }

    // Reads what is wanted, and what the hash still lacks, in one pass; gives the root.
    fn read(&mut self, spans: &[Span], queue: &mpsc::Sender<Bytes>) -> Result<Hash, Fault> {
        let unreadable = |_: io::Error| Fault::Over(Reason::Unreadable);
        let changed = Fault::Over(Reason::FileChanged);
        let metadata = std::fs::metadata(&self.path).map_err(unreadable)?;
        if !self.is_unchanged(&metadata) {
            return Err(changed);
        }
        let mut file = File::open(&self.path).map_err(unreadable)?;
        let mut position = 0;
        let mut at = 0;
        while at < self.size {
            let length = GROUP.min(self.size - at);
            let wanted = spans.iter().any(|span| (span.start..span.end).contains(&at));
            let needed = at >= self.hashed;
            if wanted || needed {
                if position != at {
                    file.seek(SeekFrom::Start(at)).map_err(unreadable)?;
                }
                let group = read_group(&mut file, at, length)?;
                position = at + length;
                if needed {
                    let (head, bytes) = group.split_at(GROUP_HEAD);
                    let hash = head.last_chunk().copied().unwrap_or_default();
                    self.tree.push(hash, bytes);
                    self.hashed = at + length;
                }
                // Nobody takes it: the stream broke or the transfer is over.
                if wanted && queue.blocking_send(Bytes::from(group)).is_err() {
                    return Err(Fault::Broken);
                }
            }
            at += length;
        }
        // A file that was written to meanwhile may hold a mixture of old and new.
        if !file.metadata().is_ok_and(|metadata| self.is_unchanged(&metadata)) {
            return Err(changed);
        }
        let root = self.tree.root();
        let trailer = GroupHead { offset: self.size, length: 0, hash: root };
        queue.blocking_send(Bytes::copy_from_slice(&trailer.encode())).map_err(|_| Fault::Broken)?;
        Ok(root)
    }
}

// A group with its head before it.
fn read_group(file: &mut File, offset: u64, length: u64) -> Result<Vec<u8>, Fault> {
    let mut group = vec![0; GROUP_HEAD + usize::try_from(length).unwrap_or(0)];
    let (head, bytes) = group.split_at_mut(GROUP_HEAD);
    file.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::Over(Reason::FileChanged),
        _ => Fault::Over(Reason::Unreadable),
    })?;
    let length = u32::try_from(length).unwrap_or(0);
    head.copy_from_slice(&GroupHead { offset, length, hash: group_hash(offset, bytes) }.encode());
    Ok(group)
}

// Resets its stream unless the end was reached, also when its task is aborted: dropped alone, it would end properly
// and the rest of what waits would still be sent.
struct Guard<W: Outgoing> {
    stream: W,
    done: bool,
}

impl<W: Outgoing> Drop for Guard<W> {
    fn drop(&mut self) {
        if !self.done {
            self.stream.reset();
        }
    }
}

/// One attempt: the head, the groups of `spans`, the trailer. Gives the file's root. `allowance` is asked before each
/// piece: `None` is no limit.
pub async fn send<W: Outgoing>(
    scope: &Scope,
    source: Arc<Mutex<Source>>,
    head: Head,
    spans: Vec<Span>,
    stream: W,
    allowance: impl Fn() -> Option<Bitrate> + Send,
) -> Result<Hash, Fault> {
    let mut stream = Guard { stream, done: false };
    // Overflow: the disk thread waits for the stream.
    let (queue, mut groups) = mpsc::channel(QUEUE);
    let disk = scope.spawn_blocking(move || {
        let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
        source.read(&spans, &queue)
    });
    let broken = |_| Fault::Broken;
    stream.stream.write(Bytes::copy_from_slice(&head.encode())).await.map_err(broken)?;
    let mut pace = Pace::default();
    while let Some(mut group) = groups.recv().await {
        while !group.is_empty() {
            let limit = allowance();
            let piece = group.split_to(group.len().min(if limit.is_some() { PIECE } else { FREE_PIECE }));
            let wait = pace.take(clock::now(), piece.len(), limit);
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            stream.stream.write(piece).await.map_err(broken)?;
        }
    }
    let root = disk.await.unwrap_or(Err(Fault::Broken))?;
    stream.stream.finish();
    stream.done = true;
    Ok(root)
}
