//! One link: what two runs of two peers share for as long as neither has left, over one connection after another.
//!
//! A [`Link`] keeps what must survive a connection: unconfirmed messages ([`outbox`](super::outbox)), waiting media
//! ([`sendqueue`](super::sendqueue)), counters and the clock. Connections come and go below it; at any moment at most
//! one of them carries what is sent. What arrives is taken from any connection that was used once.
//!
//! The tasks of a connection are in `control` (the control stream and streams of files) and `media_path` (datagrams),
//! the exchange of hellos in `greet`. They decide nothing: what needs a decision goes to the mesh actor.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use crate::framing::{MAX_MESSAGE, Message};
use crate::id::{LinkKey, PeerId};
use crate::media::{self, Bitrate, ClockMap, Packet, PacketKind, Priority, TrackId};
use crate::mesh::bandwidth::Allowance;
use crate::mesh::estimate::Estimator;
use crate::mesh::meter::{ClockEstimate, Reception};
use crate::mesh::outbox::{Generations, Inbox, Outbox};
use crate::mesh::report::{Recorder, Report};
use crate::mesh::roster::{LinkId, Seat};
use crate::mesh::sendqueue::SendQueue;
use crate::mesh::{Refused, bandwidth, congestion, wire};
use crate::{clock, endpoint, slot, stats};

pub(super) mod control;
pub(super) mod greet;
pub(super) mod media_path;
mod streams;

pub use streams::{RecvStream, SendStream, StreamEnded};

/// A report that waited longer says nothing new.
const REPORT_LIVES: Duration = Duration::from_millis(200);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes by kind of one direction since the start.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub audio: AtomicU64,
    pub video: AtomicU64,
    pub chat: AtomicU64,
    pub file: AtomicU64,
}

impl Tally {
    /// Counts a datagram.
    pub fn media(&self, kind: media::PacketKind, track: media::TrackId, bytes: usize) {
        use media::{PacketKind, TrackId};
        let counter = match kind {
            PacketKind::Feedback => return,
            PacketKind::Audio => &self.audio,
            PacketKind::Clock if track == TrackId::MICROPHONE => &self.audio,
            PacketKind::Clock | PacketKind::Video | PacketKind::Parity => &self.video,
        };
        counter.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a message of an upper kind.
    pub fn message(&self, message: &Message) {
        // Length and kind go before the body.
        let bytes = message.body.len() as u64 + 6;
        match message.kind {
            64..=71 => self.chat.fetch_add(bytes, Ordering::Relaxed),
            128..=159 => self.file.fetch_add(bytes, Ordering::Relaxed),
            _ => 0,
        };
    }

    /// Audio and video bytes so far.
    pub fn media_bytes(&self) -> u64 {
        self.audio.load(Ordering::Relaxed) + self.video.load(Ordering::Relaxed)
    }

    /// The counters now, with `total` from below.
    pub fn read(&self, total: u64) -> stats::Kinds {
        stats::Kinds {
            audio: self.audio.load(Ordering::Relaxed),
            video: self.video.load(Ordering::Relaxed),
            chat: self.chat.load(Ordering::Relaxed),
            file: self.file.load(Ordering::Relaxed),
            control: 0,
            total,
        }
    }
}

/// Both directions of the process.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    pub sent: Tally,
    pub received: Tally,
}

/// What came and made no sense, since the link was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Oddities {
    /// Datagrams too short for a header, or with an extension longer than themselves.
    pub bad_datagrams: u64,
    /// Datagrams of kinds from the future.
    pub unknown_datagrams: u64,
    /// Messages of the mesh whose body could not be read.
    pub bad_messages: u64,
    /// Messages of the mesh of kinds from the future, and streams of unknown types.
    pub unknown_messages: u64,
}

/// A connection in use.
#[derive(Debug, Clone)]
pub(super) struct Current {
    pub id: LinkId,
    pub connection: quinn::Connection,
}

#[derive(Debug, Default)]
struct Messages {
    outbox: Outbox,
    inbox: Inbox,
}

/// What a connection should write next.
#[derive(Debug)]
pub(super) enum Next {
    /// Say that the next message has this number.
    Resume(u64),
    /// This message, of this number.
    Message(u64, Message),
    /// Wait for a change.
    Nothing,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Link {
    pub key: LinkKey,
    pub seat: Seat,
    /// The peer's generation in the hello that this link began with, see [`wire::Hello::generation`].
    pub generation: u32,
    pub tallies: Arc<Tallies>,
    messages: Mutex<Messages>,
    /// Something changed that writers wait for.
    pub changed: Notify,
    current: watch::Sender<Option<Current>>,
    queue: Mutex<SendQueue>,
    queued: Notify,
    sequence: AtomicU16,
    reception: Mutex<Reception>,
    oddities: Mutex<Oddities>,
    clock: slot::Shared<ClockMap>,
    clock_estimate: Mutex<Option<ClockEstimate>>,
    allowance: Mutex<Allowance>,
    estimate: Mutex<Estimator>,
    recorder: Mutex<Recorder>,
    file_sent: AtomicU64,
    // The connection's bytes when its figures were last asked for.
    metered: Mutex<Option<Metered>>,
}

/// The bytes of one connection at a moment.
#[derive(Debug, Clone, Copy)]
struct Metered {
    of: LinkId,
    at: Instant,
    sent: u64,
    received: u64,
}

impl Metered {
    /// Bits a second from `before` to here, if both are of one connection.
    fn since(self, before: Option<Self>) -> (Option<u64>, Option<u64>) {
        let Some(before) = before.filter(|before| before.of == self.of) else { return (None, None) };
        let micros = self.at.saturating_duration_since(before.at).as_micros().max(1);
        let rate = |now: u64, then: u64| {
            u64::try_from(u128::from(now.saturating_sub(then)) * 8 * 1_000_000 / micros).unwrap_or(u64::MAX)
        };
        (Some(rate(self.sent, before.sent)), Some(rate(self.received, before.received)))
    }
}

impl Link {
    /// A link without a connection. `clock` is the peer's, over all its links.
    pub fn new(
        key: LinkKey,
        seat: Seat,
        generation: u32,
        same_clock: bool,
        clock: slot::Shared<ClockMap>,
        tallies: Arc<Tallies>,
    ) -> Self {
        clock.set(if same_clock { ClockMap::Same } else { ClockMap::Unknown });
        Self {
            key,
            seat,
            generation,
            tallies,
            messages: Mutex::default(),
            changed: Notify::new(),
            current: watch::Sender::new(None),
            queue: Mutex::default(),
            queued: Notify::new(),
            sequence: AtomicU16::new(0),
            reception: Mutex::default(),
            oddities: Mutex::default(),
            clock,
            clock_estimate: Mutex::new((!same_clock).then(ClockEstimate::default)),
            allowance: Mutex::default(),
            estimate: Mutex::default(),
            recorder: Mutex::default(),
            file_sent: AtomicU64::new(0),
            metered: Mutex::new(None),
        }
    }

    /// From now on this connection carries what is sent; `None` while there is none.
    pub fn set_current(&self, current: Option<Current>) {
        self.current.send_replace(current);
        self.changed.notify_waiters();
        self.queued.notify_one();
    }

    /// The connection that carries what is sent.
    pub fn current(&self) -> Option<Current> {
        self.current.borrow().clone()
    }

    fn is_current(&self, id: LinkId) -> bool {
        self.current.borrow().as_ref().is_some_and(|current| current.id == id)
    }

    /// Takes a message for sending.
    pub fn send(&self, message: Message) -> Result<(), Refused> {
        if message.body.len() + 2 > MAX_MESSAGE {
            return Err(Refused::TooLong);
        }
        lock(&self.messages).outbox.push(message).map_err(|_| Refused::Full)?;
        self.changed.notify_waiters();
        Ok(())
    }

    /// What connection `id` writes next. `cursor` is the number of its next message, `None` before it was told.
    pub fn next(&self, id: LinkId, cursor: Option<u64>) -> Next {
        if !self.is_current(id) {
            return Next::Nothing;
        }
        let messages = lock(&self.messages);
        match cursor {
            None => Next::Resume(messages.outbox.first()),
            // What was confirmed over another connection meanwhile need not be sent again.
            Some(number) if number < messages.outbox.first() => Next::Resume(messages.outbox.first()),
            Some(number) => messages.outbox.get(number).map_or(Next::Nothing, |m| Next::Message(number, m.clone())),
        }
    }

    /// The peer has everything below `number`. False when that was never sent.
    pub fn on_confirm(&self, number: u64) -> bool {
        lock(&self.messages).outbox.confirm(number)
    }

    /// The receiving side of the messages.
    pub fn with_inbox<T>(&self, action: impl FnOnce(&mut Inbox) -> T) -> T {
        action(&mut lock(&self.messages).inbox)
    }

    /// Counts something odd. True the first time, when it is worth a warning.
    pub fn odd(&self, count: impl FnOnce(&mut Oddities) -> &mut u64) -> bool {
        let mut oddities = lock(&self.oddities);
        let counter = count(&mut oddities);
        *counter += 1;
        *counter == 1
    }

    /// What was odd so far.
    pub fn oddities(&self) -> Oddities {
        *lock(&self.oddities)
    }

    /// A datagram of `bytes` arrived. Answers with a report when one is due.
    pub fn on_datagram(&self, header: wire::Header, arrived_host: u64, bytes: usize) {
        lock(&self.reception).on_arrival(header.sequence, header.sent, wire::send_time(arrived_host));
        let now = clock::now();
        let body = {
            let mut recorder = lock(&self.recorder);
            recorder.on_arrival(header.sequence, arrived_host, bytes);
            recorder.poll(now, PacketKind::from_u8(header.kind).unwrap_or(PacketKind::Feedback))
        };
        if let Some(body) = body {
            let (kind, track, priority) = (PacketKind::Feedback, TrackId::LINK, Priority::Feedback);
            let packet = Packet { kind, track, priority, group: 0, expires: now + REPORT_LIVES, body };
            media::Outlet::send(self, packet);
        }
    }

    /// The peer says something about the link itself; what is unknown is ignored.
    pub fn on_link_feedback(&self, body: &[u8]) {
        if let Some(report) = Report::decode(body) {
            lock(&self.estimate).on_report(clock::now(), &report);
        }
    }

    /// What the link carries towards the peer, with all headers; `None` is unknown.
    pub fn estimate(&self) -> Option<Bitrate> {
        lock(&self.estimate).rate(clock::now())
    }

    /// What would be sent if the link carried it.
    pub fn set_wanted(&self, wanted: Bitrate) {
        lock(&self.estimate).set_wanted(wanted);
    }

    /// Every 100 ms: the estimate learns the round trip, and on a path that loses much by itself the window of the
    /// connection follows the estimate while media flows and reports come, since losses would shrink the other. Elsewhere,
    /// and while files flow (`files`), the window that follows round trips keeps the queue shorter (measured at 10 Mbit/s:
    /// voice 28 ms late beside a file, with the other 187; at 1 Mbit/s without a file 73 ms in all, with the other 114).
    pub fn tick(&self, connection: &quinn::Connection, shortest: Duration, files: bool) {
        let now = clock::now();
        let rate = {
            let mut estimate = lock(&self.estimate);
            estimate.on_round_trip(connection.rtt(), shortest);
            estimate.on_tick(now);
            let lossy = estimate.inherent_loss() >= bandwidth::MUCH_LOSS;
            estimate.rate(now).filter(|_| estimate.is_live(now) && lossy)
        };
        congestion::steer(connection, rate.filter(|_| !files));
    }

    /// What files may use while media flows. The estimate has no say in it: it follows what media sends, and where that is
    /// little it is far below what the link carries (a file of 200 MB was seen to stand still for it on a busy machine).
    pub fn file_rate(&self) -> Bitrate {
        lock(&self.allowance).rate()
    }

    /// A pong arrived.
    pub fn on_pong(&self, pong: wire::Pong, now_host: u64) {
        if let Some(estimate) = lock(&self.clock_estimate).as_mut() {
            estimate.on_pong(pong.t, pong.host, now_host);
            self.clock.set(estimate.map());
        }
    }

    /// File bytes were handed to the connection.
    pub fn on_file_sent(&self, bytes: usize) {
        self.file_sent.fetch_add(bytes as u64, Ordering::Relaxed);
        lock(&self.estimate).on_other(clock::now(), bytes as u64);
        self.tallies.sent.file.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// File bytes handed over so far.
    pub fn file_sent(&self) -> u64 {
        self.file_sent.load(Ordering::Relaxed)
    }

    /// What files may use while media flows.
    pub fn allowance(&self) -> MutexGuard<'_, Allowance> {
        lock(&self.allowance)
    }

    /// The figures of the link; `loss` and the rates cover the time since the last call.
    pub fn stats(&self) -> stats::Link {
        let (loss, jitter_ms) = {
            let mut reception = lock(&self.reception);
            (reception.take_loss(), reception.jitter_ms())
        };
        let Some(Current { id, connection, .. }) = self.current() else {
            return stats::Link { loss, jitter_ms, ..stats::Link::default() };
        };
        let rtt = connection.rtt();
        let bytes = connection.stats();
        let now = Metered { of: id, at: clock::now(), sent: bytes.udp_tx.bytes, received: bytes.udp_rx.bytes };
        let (sent_bps, received_bps) = now.since(lock(&self.metered).replace(now));
        stats::Link {
            sent_bps,
            received_bps,
            rtt_ms: Some(rtt.as_secs_f64() * 1000.0),
            loss,
            jitter_ms,
            estimate_bps: self
                .estimate()
                .or_else(|| congestion::state_of(&connection).map(|state| state.rate()))
                .map(Bitrate::bps),
            path: Some(endpoint::canonical(connection.remote_address()).to_string()),
        }
    }
}

impl media::Outlet for Link {
    fn send(&self, packet: Packet) {
        if packet.body.len() > media::MAX_BODY {
            tracing::debug!(bytes = packet.body.len(), "a packet over the limit was dropped");
            return;
        }
        lock(&self.queue).push(packet);
        self.queued.notify_one();
    }
}

/// Every link that is up, for the handles. Only the mesh actor changes it.
#[derive(Debug, Default)]
pub(super) struct Directory {
    links: BTreeMap<LinkKey, Arc<Link>>,
    /// Clocks outlive links: jitter buffers hold on to them.
    clocks: BTreeMap<PeerId, slot::Shared<ClockMap>>,
}

/// Clocks of peers that are gone are forgotten from here on.
const MAX_CLOCKS: usize = 1024;

impl Directory {
    pub fn insert(&mut self, link: Arc<Link>) {
        self.links.insert(link.key, link);
    }

    pub fn remove(&mut self, key: LinkKey) -> Option<Arc<Link>> {
        self.links.remove(&key)
    }

    pub fn get(&self, key: LinkKey) -> Option<&Arc<Link>> {
        self.links.get(&key)
    }

    /// The link of a peer's seat.
    pub fn seated(&self, peer: PeerId) -> Option<&Arc<Link>> {
        self.of(peer).find(|link| link.seat == Seat::Room)
    }

    /// The link of a peer's seat, else any.
    pub fn any(&self, peer: PeerId) -> Option<&Arc<Link>> {
        self.seated(peer).or_else(|| self.of(peer).next_back())
    }

    fn of(&self, peer: PeerId) -> impl DoubleEndedIterator<Item = &Arc<Link>> {
        use crate::id::Instance;
        let key = |instance| LinkKey { peer, instance: Instance::from_u64(instance) };
        self.links.range(key(0)..=key(u64::MAX)).map(|(_, link)| link)
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Link>> {
        self.links.values()
    }

    pub fn clock(&mut self, peer: PeerId) -> slot::Shared<ClockMap> {
        if self.clocks.len() >= MAX_CLOCKS && !self.clocks.contains_key(&peer) {
            let linked = &self.links;
            self.clocks.retain(|peer, _| linked.keys().any(|key| key.peer == *peer));
        }
        self.clocks.entry(peer).or_insert_with(|| slot::Shared::new(ClockMap::Unknown)).clone()
    }
}

/// Shared by the actor, the handles and the tasks of connections.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub directory: RwLock<Directory>,
    pub tallies: Arc<Tallies>,
    pub call: congestion::CallFlag,
    generations: Mutex<Generations<(PeerId, Seat)>>,
}

impl Shared {
    /// The generation to tell this peer.
    pub fn generation(&self, peer: PeerId, seat: Seat) -> u32 {
        lock(&self.generations).of((peer, seat))
    }

    /// A link to this peer begins.
    pub fn hold_generation(&self, peer: PeerId, seat: Seat) {
        let linked = |(peer, _): &(PeerId, Seat)| self.read(|directory| directory.any(*peer).is_some());
        lock(&self.generations).hold((peer, seat), linked);
    }

    /// What was between us and this peer is forgotten.
    pub fn forget_generation(&self, peer: PeerId, seat: Seat) {
        lock(&self.generations).forget((peer, seat));
    }

    pub fn read<T>(&self, action: impl FnOnce(&Directory) -> T) -> T {
        action(&self.directory.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn write<T>(&self, action: impl FnOnce(&mut Directory) -> T) -> T {
        action(&mut self.directory.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The send time of a datagram that leaves now.
fn stamp() -> u32 {
    wire::send_time(clock::host_micros())
}
