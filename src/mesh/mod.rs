//! Peers, links, bytes. Knows nothing of codecs or windows.
//!
//! [`start`] runs one actor that drives the [`roster`], dials, accepts and keeps one link per peer. A [`Handle`] talks
//! to it; what happens comes back as [`Event`]s in the order in which it happened: [`Event::Linked`] before the first
//! message of a peer, [`Event::Left`] after the last.
//!
//! Messages given to [`Handle::send`] reach the peer once and in order for as long as it has not left, also over a
//! link that breaks and is dialed again: they are numbered, kept until confirmed, and sent again on the next link
//! ([`outbox`]). When a peer has left, what was not confirmed is gone; the meeting's own sync fills such gaps.
//!
//! Media takes another way: [`Handle::outlet`] gives the place to send packets to, arrivals go to the
//! [`media::Sink`] given at the start. Neither passes the actor.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::endpoint::Endpoint;
use crate::framing::Message;
use crate::id::{Instance, LinkKey, PeerId, RoomName};
use crate::identity::{Identity, PublicKey};
use crate::media::{self, Bitrate, ClockMap};
use crate::share::DisplayName;
use crate::sighting::Sighting;
use crate::tls::Alpn;
use crate::{clock, slot, stats, task};

pub mod allocate;
pub mod bandwidth;
pub mod blob;
pub mod candidates;
pub mod congestion;
pub mod dialer;
pub mod discovery;
pub mod drops;
pub mod estimate;
pub mod handshake;
pub mod link;
#[expect(clippy::module_inception, reason = "the actor of the mesh")]
mod mesh;
pub mod meter;
pub mod outbox;
pub mod report;
pub mod roster;
pub mod sendqueue;
pub mod transfer;
pub mod wire;

use link::{Link, Shared};
pub use link::{Oddities, RecvStream, SendStream, StreamEnded};
use mesh::Command;
use mesh::Mesh;
pub use roster::{LeaveReason, Seat};

/// Seats of a room when nothing else is said: what a full mesh of small pictures carries on a good network (guess).
pub const DEFAULT_SEATS: usize = 50;

/// What others may learn of this peer before they are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility {
    /// Announced, and passed on in gossip.
    #[default]
    Open,
    /// Announced nowhere; the room's peers pass it on among themselves only.
    Hidden,
}

/// What the mesh needs to know at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// This peer's key.
    pub identity: Arc<Identity>,
    /// This run of it.
    pub instance: Instance,
    /// The name to show to others.
    pub name: DisplayName,
    /// The room to sit in. Without one every link is a visitor's.
    pub room: Option<RoomName>,
    /// Seats of the room, the own one included ([`DEFAULT_SEATS`]).
    pub seats: usize,
    /// What this peer can do, in words of the protocol; unknown ones are ignored by others.
    pub capabilities: Vec<String>,
    /// For the jitter of timers.
    pub seed: u64,
    /// What others may learn.
    pub visibility: Visibility,
}

/// Whom to send to: one run of a peer, or whoever of it has the seat (else its newest visitor).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Exactly this run.
    Link(LinkKey),
    /// The peer.
    Peer(PeerId),
}

impl From<LinkKey> for To {
    fn from(key: LinkKey) -> Self {
        Self::Link(key)
    }
}

impl From<PeerId> for To {
    fn from(peer: PeerId) -> Self {
        Self::Peer(peer)
    }
}

/// Why something was not taken for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// Not linked: it left, or was never there.
    #[error("this peer is not linked")]
    NotLinked,
    /// The peer confirms too slowly and the queue is full. Try again later, or give up on it.
    #[error("too much waits for this peer already")]
    Full,
    /// Longer than [`crate::framing::MAX_MESSAGE`]. It can never be sent.
    #[error("a message of this length cannot be sent")]
    TooLong,
}

/// A peer that can now be talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// Who, and which run.
    pub key: LinkKey,
    /// The key that it proved to hold.
    pub public_key: PublicKey,
    /// The name it shows.
    pub name: DisplayName,
    /// What it says it can do.
    pub capabilities: Vec<String>,
    /// Where it is.
    pub address: SocketAddr,
    /// What the link is for.
    pub seat: Seat,
    /// The older run whose seat it took, without an [`Event::Left`].
    pub replaced: Option<Instance>,
    /// Both read the same host clock: one machine.
    pub same_clock: bool,
}

/// What the mesh reports upward.
#[derive(Debug)]
pub enum Event {
    /// Discovery, gossip or a typed address showed something new.
    Sighted(Sighting),
    /// A peer can be talked to.
    Linked(Linked),
    /// A seated peer was silent for two seconds; it is being dialed again.
    Suspected {
        /// Who.
        peer: PeerId,
    },
    /// It is back. Nothing that was sent to it by [`Handle::send`] is lost.
    Recovered {
        /// Who.
        peer: PeerId,
        /// Since the last packet before the silence.
        after: Duration,
    },
    /// A seated peer is gone.
    Left {
        /// Who.
        peer: PeerId,
        /// Why.
        reason: LeaveReason,
    },
    /// A visitor is gone.
    Unlinked(LinkKey),
    /// A message of a kind above the mesh's own.
    Message {
        /// Who sent it.
        from: LinkKey,
        /// Undecoded.
        message: Message,
    },
    /// The peer opened a stream for a file.
    Stream {
        /// Who.
        from: LinkKey,
        /// The stream, its type byte already read.
        stream: RecvStream,
    },
    /// A peer shows another name.
    Renamed {
        /// Who.
        peer: PeerId,
        /// The new name.
        name: DisplayName,
    },
    /// Ask discovery whether this peer is still there (`mdns::verify`).
    Verify(PeerId),
    /// Something that a person should know, at most once a minute for each cause and peer.
    Warning {
        /// From the closed list in `docs/protocol.md`.
        code: &'static str,
        /// About whom, when known.
        peer: Option<PeerId>,
        /// One sentence.
        detail: String,
    },
}

/// Talks to the mesh. Cloning gives another handle to the same mesh. No method but the `async` ones ever blocks.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    rates: Arc<Mutex<LastRates>>,
    endpoint: Endpoint,
}

/// The counters at the last call of [`Handle::rates`].
#[derive(Debug)]
struct LastRates {
    at: Instant,
    counts: stats::Rates,
}

impl Handle {
    fn command(&self, command: Command) {
        if let Err(error) = self.commands.try_send(command) {
            tracing::warn!(%error, "the mesh is busy or has ended; a command was dropped");
        }
    }

    /// Tells where somebody may be; the roster decides what to do about it.
    pub fn sighting(&self, sighting: Sighting) {
        self.command(Command::Sighting(sighting));
    }

    fn link(&self, to: To) -> Option<Arc<Link>> {
        self.shared.read(|directory| match to {
            To::Link(key) => directory.get(key).cloned(),
            To::Peer(peer) => directory.any(peer).cloned(),
        })
    }

    /// Queues a message of kind 64 or above. It arrives once and in order unless the peer leaves.
    pub fn send(&self, to: impl Into<To>, message: Message) -> Result<(), Refused> {
        debug_assert!(message.kind >= wire::FIRST_UPPER_KIND, "kinds below are the mesh's own");
        self.link(to.into()).ok_or(Refused::NotLinked)?.send(message)
    }

    /// Where packets for this seated peer go. The same object for as long as the peer has not left.
    pub fn outlet(&self, peer: PeerId) -> Option<Arc<dyn media::Outlet>> {
        let link = self.shared.read(|directory| directory.seated(peer).cloned())?;
        Some(link as Arc<dyn media::Outlet>)
    }

    /// How this peer's host clock maps to ours: one and the same object over all its links and runs.
    pub fn clock(&self, peer: PeerId) -> slot::Shared<ClockMap> {
        self.shared.write(|directory| directory.clock(peer))
    }

    /// The link to this seated peer in figures; `loss` covers the time since the last call.
    pub fn link_stats(&self, peer: PeerId) -> Option<stats::Link> {
        Some(self.shared.read(|directory| directory.seated(peer).cloned())?.stats())
    }

    /// What this peer sent that made no sense.
    pub fn oddities(&self, peer: PeerId) -> Option<Oddities> {
        Some(self.link(To::Peer(peer))?.oddities())
    }

    /// Traffic of this whole process by kind since the last call.
    pub fn rates(&self) -> stats::Rates {
        let traffic = self.endpoint.traffic();
        let tallies = &self.shared.tallies;
        let counts =
            stats::Rates { sent: tallies.sent.read(traffic.sent), received: tallies.received.read(traffic.received) };
        let now = clock::now();
        let mut last = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let micros = now.saturating_duration_since(last.at).as_micros().max(1);
        let rates = stats::Rates {
            sent: rates_of(last.counts.sent, counts.sent, micros),
            received: rates_of(last.counts.received, counts.received, micros),
        };
        *last = LastRates { at: now, counts };
        rates
    }

    /// Opens a stream for a file. It ends with the connection: resume what was cut.
    pub async fn open_stream(&self, to: LinkKey) -> Result<SendStream, Refused> {
        SendStream::open(self.link(To::Link(to)).ok_or(Refused::NotLinked)?).await
    }

    /// How many bits of file a second this link takes now without hurting a call: `None` is no limit (no media flows
    /// on any link). Ask again at least every 100 ms while sending.
    pub fn file_allowance(&self, to: LinkKey) -> Option<Bitrate> {
        let link = self.link(To::Link(to)).filter(|_| self.shared.call.is_on())?;
        Some(link.file_rate())
    }

    /// What the link to this seated peer carries, with all headers; `None` is unknown.
    pub fn estimate(&self, peer: PeerId) -> Option<Bitrate> {
        self.shared.read(|directory| directory.seated(peer).cloned())?.estimate()
    }

    /// What would be sent to this seated peer if its link carried it: more is not looked for.
    pub fn set_wanted(&self, peer: PeerId, wanted: Bitrate) {
        if let Some(link) = self.shared.read(|directory| directory.seated(peer).cloned()) {
            link.set_wanted(wanted);
        }
    }

    /// Dials a peer without taking a seat, e.g. for a drop. Success is an [`Event::Linked`] with [`Seat::Visitor`]
    /// (or an earlier link of any kind).
    pub fn reach(&self, peer: PeerId, addresses: Vec<SocketAddr>) {
        self.command(Command::Reach(peer, addresses, Vec::new()));
    }

    /// The same where a link to one of these runs is up already and is of no use.
    pub fn reach_another(&self, peer: PeerId, addresses: Vec<SocketAddr>, except: Vec<Instance>) {
        self.command(Command::Reach(peer, addresses, except));
    }

    /// Closes a visitor's link that is of no use any more.
    pub fn release(&self, key: LinkKey) {
        self.command(Command::Release(key));
    }

    /// Shows another name to everybody.
    pub fn rename(&self, name: DisplayName) {
        self.command(Command::Rename(name));
    }

    /// Closes every link of a peer and refuses it from now on.
    pub fn remove(&self, peer: PeerId, reason: &str) {
        self.command(Command::Remove(peer, reason.to_owned()));
    }

    /// Every link that is up, visitors included.
    pub fn links(&self) -> Vec<LinkKey> {
        self.shared.read(|directory| directory.all().map(|link| link.key).collect())
    }

    /// Says goodbye to everybody and ends the mesh; takes at most 1.5 s.
    pub async fn shutdown(&self) {
        let (finished, done) = oneshot::channel();
        if self.commands.send(Command::Shutdown(finished)).await.is_ok() {
            let _ = tokio::time::timeout(SHUTDOWN_LIMIT, done).await;
        }
    }
}

const SHUTDOWN_LIMIT: Duration = Duration::from_millis(1500);

/// Bits a second between two readings of byte counters.
fn rates_of(before: stats::Kinds, now: stats::Kinds, micros: u128) -> stats::Kinds {
    let rate = |before: u64, now: u64| {
        let bits = u128::from(now.saturating_sub(before)) * 8 * 1_000_000 / micros;
        u64::try_from(bits).unwrap_or(u64::MAX)
    };
    let audio = rate(before.audio, now.audio);
    let video = rate(before.video, now.video);
    let chat = rate(before.chat, now.chat);
    let file = rate(before.file, now.file);
    let total = rate(before.total, now.total);
    let control = total.saturating_sub(audio + video + chat + file);
    stats::Kinds { audio, video, chat, file, control, total }
}

/// Starts the mesh on `endpoint`. Its tasks belong to `scope`; when that is cancelled it says goodbye and ends. Must be
/// called inside a runtime.
///
/// The event queue holds 1024; when it is full the mesh waits, and with it the peers' control streams.
pub fn start(
    config: Config,
    endpoint: Endpoint,
    sink: Arc<dyn media::Sink>,
    scope: &task::Scope,
) -> (Handle, mpsc::Receiver<Event>) {
    let (events, receiver) = mpsc::channel(1024);
    // Overflow: see `Handle::command`.
    let (commands, inbox) = mpsc::channel(1024);
    // Overflow: the readers of connections wait.
    let (inputs, arrivals) = mpsc::channel(256);
    let shared = Arc::new(Shared::default());
    endpoint.set_congestion(congestion::congestion(shared.call.clone()));
    // Before anybody can be told of this peer: who dials it must not find the protocol missing.
    let incoming = endpoint.accept(Alpn::Mesh);
    let actor = Mesh::new(config, endpoint.clone(), sink, Arc::clone(&shared), inputs);
    scope.spawn(actor.run(inbox, arrivals, incoming, events, scope.clone()));
    let rates = LastRates { at: clock::now(), counts: stats::Rates::default() };
    (Handle { commands, shared, rates: Arc::new(Mutex::new(rates)), endpoint }, receiver)
}
