//! Drops: files to and from peers.
//!
//! One actor owns the [`Transfers`], which decide, and does what they say: messages go to the mesh, bytes flow in a
//! task of their own for each attempt (`blob`), the disk is touched on blocking threads only. The engine hands in what
//! the mesh reports ([`Drops::on_linked`], [`Drops::on_visitor`], [`Drops::on_message`], [`Drops::on_stream`]) and takes [`Event`]s out.
//!
//! Nothing waits for the person: events that nobody takes are kept up to a bound, then progress is left out first and
//! new offers are declined.

mod actor;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::blob::{Incoming, Outgoing, SourceError};
use super::link::{RecvStream, SendStream};
use crate::bucket::Bucket;
use crate::clock;
use crate::framing::Message;
use crate::id::{LinkKey, TransferId};
use crate::media::Bitrate;
use crate::task::Scope;

pub use super::transfer::KINDS;
pub use super::transfer::{About, Accept, Direction, Event, Reason, Refused, What};

/// Commands and news that wait for the actor. Peers may fill half of it: messages are left out from there on and their
/// transfers ask again; streams are stopped from a quarter on and asked for again. The rest is kept for commands, which
/// wait, and for links that come and go.
const INBOX: usize = 1024;
/// Messages of one link: what the offers of a whole window (`transfer`) need at once, and then a steady rate. Overflow:
/// left out.
const BURST: u32 = 1600;
const EVERY: Duration = Duration::from_millis(5);
/// Links whose messages are counted. Overflow: forgotten, which forgives but never grows.
const MAX_COUNTED: usize = 256;
/// Events that wait for the person's side; see the module for the rest.
const EVENTS: usize = 256;

/// What drops need to know at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where files land. Made when the first one does.
    pub download_dir: PathBuf,
    /// What to do with offers.
    pub accept: Accept,
}

/// Why a file was not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OfferError {
    /// The file; choose another.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The recipient, or too much at once.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Drops have ended.
    #[error("this program is ending")]
    Ended,
}

/// Why a command did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CommandError {
    /// The transfer is not in the right state.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Drops have ended.
    #[error("this program is ending")]
    Ended,
}

/// What drops use of the mesh; tests bring their own.
pub trait Links: Clone + Send + Sync + 'static {
    /// Streams that this side opens.
    type Outgoing: Outgoing;
    /// Streams that peers open.
    type Incoming: Incoming;
    /// Queues a message; see [`super::Handle::send`].
    fn send(&self, to: LinkKey, message: Message) -> Result<(), super::Refused>;
    /// Opens a file stream.
    fn open_stream(&self, to: LinkKey) -> impl Future<Output = Result<Self::Outgoing, super::Refused>> + Send;
    /// What a file may take of the link; `None` is no limit.
    fn file_allowance(&self, to: LinkKey) -> Option<Bitrate>;
}

impl Links for super::Handle {
    type Outgoing = SendStream;
    type Incoming = RecvStream;

    fn send(&self, to: LinkKey, message: Message) -> Result<(), super::Refused> {
        Self::send(self, to, message)
    }

    async fn open_stream(&self, to: LinkKey) -> Result<SendStream, super::Refused> {
        Self::open_stream(self, to).await
    }

    fn file_allowance(&self, to: LinkKey) -> Option<Bitrate> {
        Self::file_allowance(self, to)
    }
}

#[derive(Debug)]
enum Command {
    Offer { path: PathBuf, to: LinkKey, reply: oneshot::Sender<Result<TransferId, OfferError>> },
    Accept { transfer: TransferId, reply: oneshot::Sender<Result<(), Refused>> },
    Decline { transfer: TransferId, reply: oneshot::Sender<Result<(), Refused>> },
    Cancel { transfer: TransferId, reply: oneshot::Sender<Result<(), Refused>> },
    SetAccept(Accept),
    Shutdown { reply: oneshot::Sender<()> },
}

#[derive(Debug)]
enum Input<S> {
    Command(Command),
    Linked(LinkKey),
    Visitor(LinkKey),
    Unlinked(LinkKey),
    Withheld(LinkKey),
    Message { from: LinkKey, message: Message },
    Stream { from: LinkKey, stream: S },
}

/// Talks to the drops. Cloning gives another handle to the same ones.
#[derive(Debug)]
pub struct Drops<L: Links = super::Handle> {
    inbox: mpsc::Sender<Input<L::Incoming>>,
    // At most MAX_COUNTED.
    buckets: Arc<Mutex<BTreeMap<LinkKey, Bucket>>>,
}

impl<L: Links> Clone for Drops<L> {
    fn clone(&self) -> Self {
        Self { inbox: self.inbox.clone(), buckets: Arc::clone(&self.buckets) }
    }
}

impl<L: Links> Drops<L> {
    /// Starts the actor in `scope`; must be called inside a runtime. Temporary files that a dead run left in the
    /// download folder are removed.
    pub fn start(config: Config, links: L, scope: &Scope) -> (Self, mpsc::Receiver<Event>) {
        let (inbox, inputs) = mpsc::channel(INBOX);
        let (events, receiver) = mpsc::channel(EVENTS);
        let actor = actor::Actor::new(config, links, scope.child());
        scope.spawn(actor.run(scope.clone(), inputs, events));
        (Self { inbox, buckets: Arc::default() }, receiver)
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(Input::Command(command(reply))).await.ok()?;
        answer.await.ok()
    }

    /// Offers the file at `path`. Once for each recipient.
    pub async fn offer(&self, path: PathBuf, to: LinkKey) -> Result<TransferId, OfferError> {
        self.ask(|reply| Command::Offer { path, to, reply }).await.unwrap_or(Err(OfferError::Ended))
    }

    /// Takes an offered file.
    pub async fn accept(&self, transfer: TransferId) -> Result<(), CommandError> {
        let answer = self.ask(|reply| Command::Accept { transfer, reply }).await.ok_or(CommandError::Ended)?;
        Ok(answer?)
    }

    /// Declines an offered file.
    pub async fn decline(&self, transfer: TransferId) -> Result<(), CommandError> {
        let answer = self.ask(|reply| Command::Decline { transfer, reply }).await.ok_or(CommandError::Ended)?;
        Ok(answer?)
    }

    /// Stops a transfer of either direction.
    pub async fn cancel(&self, transfer: TransferId) -> Result<(), CommandError> {
        let answer = self.ask(|reply| Command::Cancel { transfer, reply }).await.ok_or(CommandError::Ended)?;
        Ok(answer?)
    }

    /// What to do with offers from now on.
    pub async fn set_accept(&self, accept: Accept) {
        let _ = self.inbox.send(Input::Command(Command::SetAccept(accept))).await;
    }

    /// Stops every transfer, tells the peers, and ends. Call it before the mesh is shut down.
    pub async fn shutdown(&self) {
        let _ = self.ask(|reply| Command::Shutdown { reply }).await;
    }

    /// The mesh has a link to this peer: new, recovered, or another one of the same run.
    pub fn on_linked(&self, link: LinkKey) {
        let _ = self.inbox.try_send(Input::Linked(link));
    }

    /// The mesh has a link to this peer, which takes no seat where this process has one: it gets a smaller share.
    pub fn on_visitor(&self, link: LinkKey) {
        let _ = self.inbox.try_send(Input::Visitor(link));
    }

    /// The mesh lost this link.
    pub fn on_unlinked(&self, link: LinkKey) {
        let _ = self.inbox.try_send(Input::Unlinked(link));
    }

    /// The link stands, and nothing may go to it until [`Self::on_linked`]: its transfers end.
    pub fn on_withheld(&self, link: LinkKey) {
        let _ = self.inbox.try_send(Input::Withheld(link));
    }

    /// A message came. False when its kind is not about files.
    pub fn on_message(&self, from: LinkKey, message: &Message) -> bool {
        let ours = KINDS.contains(&message.kind);
        if ours && self.inbox.capacity() >= INBOX / 2 && self.counts(from) {
            let _ = self.inbox.try_send(Input::Message { from, message: message.clone() });
        }
        ours
    }

    // False when this link sends too much.
    fn counts(&self, from: LinkKey) -> bool {
        let now = clock::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_COUNTED && !buckets.contains_key(&from) {
            buckets.clear();
        }
        buckets.entry(from).or_insert_with(|| Bucket::new(now, BURST, EVERY)).take(now)
    }

    /// A file stream came.
    pub fn on_stream(&self, from: LinkKey, mut stream: L::Incoming) {
        if self.inbox.capacity() < INBOX - INBOX / 4 {
            return stream.stop();
        }
        if let Err(error) = self.inbox.try_send(Input::Stream { from, stream })
            && let Input::Stream { mut stream, .. } = error.into_inner()
        {
            stream.stop();
        }
    }
}

#[cfg(test)]
mod tests;
