//! The actor behind a [`Handle`](super::Handle): drives the [`Roster`] with what happens, carries out what it says,
//! and reports upward.
//!
//! It owns the connections and the directory of links. Everything that arrives passes through one queue, so upper
//! layers see a peer's link before its messages and its messages before its end. It never blocks: slow work (dials,
//! hellos, last words) is in tasks whose results come back as inputs. When the upper layers are slow, it stops taking
//! inputs, the readers wait, and flow control slows the peers.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use quinn::VarInt;
use tokio::sync::{mpsc, oneshot, watch};

use crate::endpoint::{self, Cause, ConnectError, Endpoint, Trouble};
use crate::id::{LinkKey, PeerId};
use crate::identity::PublicKey;
use crate::mesh::link::control::{Ending, Input, Order, Reader, Writer, accept_streams};
use crate::mesh::link::greet::{self, CLOSE_GOODBYE, CLOSE_TIMEOUT, Ended, GreetError, Greeting, close_code};
use crate::mesh::link::{Current, Link, RecvStream, Shared, media_path};
use crate::mesh::outbox::Arrived;
use crate::mesh::roster::{
    Attempt, Change, CloseReason, Closed, DialFailure, Direction, LinkId, Output, Refusal, Roster, Seat, Verdict,
};
use crate::mesh::wire::{Address, Control, Hello, Ping, VERSIONS};
use crate::mesh::{Config, Event, LeaveReason, Linked, bandwidth, congestion, handshake, roster};
use crate::share::DisplayName;
use crate::sighting::Sighting;
use crate::tls::{Alpn, Pin};
use crate::{clock, media, slot, task};

/// Looks at every connection this often.
const TICK: Duration = Duration::from_millis(100);
/// Ticks between pings; together with the answers a packet passes each way at least once a second.
const PING_TICKS: u64 = 10;
/// Ticks between confirmations of messages.
const CONFIRM_TICKS: u64 = 2;
/// Unconfirmed messages that are confirmed at once.
const CONFIRM_COUNT: u64 = 64;
/// Events that wait for the upper layers before inputs are held back.
const MAX_PENDING: usize = 256;
/// Accepted connections that have not said hello, in all and from one address; more are closed.
const MAX_UNGREETED: usize = 64;
const MAX_UNGREETED_OF_ONE: usize = 16;
/// Connections in all: a full room twice over, and visitors.
const MAX_CONNECTIONS: usize = 192;
/// The same warning is given again after this long.
const WARN_AGAIN: Duration = Duration::from_secs(60);
/// Remembered warnings; beyond that, the oldest is forgotten.
const MAX_WARNED: usize = 512;
/// Media was sent or received within this time: a call is on.
const CALL_LASTS: Duration = Duration::from_secs(2);

/// What handles ask of the actor. The queue holds 1024; when it is full, commands are dropped and logged.
#[derive(Debug)]
pub(super) enum Command {
    Sighting(Sighting),
    Reach(PeerId, Vec<SocketAddr>),
    Rename(DisplayName),
    Remove(PeerId, String),
    Shutdown(oneshot::Sender<()>),
}

/// One QUIC connection whose hellos were exchanged.
#[derive(Debug)]
struct Connection {
    key: LinkKey,
    seat: Seat,
    public_key: PublicKey,
    connection: quinn::Connection,
    theirs: Hello,
    same_clock: bool,
    orders: mpsc::Sender<Order>,
    ending: watch::Sender<Option<Ending>>,
    /// Set when the connection is first used.
    used: Arc<OnceLock<Arc<Link>>>,
    /// Streams that were faster than the word that makes this connection the link.
    early: Vec<RecvStream>,
    datagrams_in: u64,
    sent_bytes: u64,
    lost_bytes: u64,
    file_sent: u64,
}

/// See the module.
pub(super) struct Mesh {
    config: Config,
    endpoint: Endpoint,
    sink: Arc<dyn media::Sink>,
    shared: Arc<Shared>,
    tasks: task::Scope,
    roster: Roster,
    connections: BTreeMap<LinkId, Connection>,
    /// Pumps of links, ended with them.
    pumps: BTreeMap<LinkKey, task::Scope>,
    attempts: BTreeMap<Attempt, tokio::task::JoinHandle<()>>,
    generations: Generations,
    next_id: u64,
    ungreeted: BTreeMap<IpAddr, usize>,
    inbox: mpsc::Sender<Input>,
    // Overflow: inputs are held back while more than MAX_PENDING wait.
    pending: VecDeque<Event>,
    warned: BTreeMap<(&'static str, Option<PeerId>, Option<IpAddr>), Instant>,
    next_tick: Instant,
    ticks: u64,
    media_bytes: u64,
    media_at: Option<Instant>,
}

/// How often the messages to and from a peer were forgotten, by what the link is for. Never shrinks; a few bytes for
/// each peer that was ever linked, and those are counted in people.
type Generations = slot::Shared<Arc<BTreeMap<(PeerId, Seat), u32>>>;

impl Mesh {
    pub fn new(
        config: Config,
        endpoint: Endpoint,
        sink: Arc<dyn media::Sink>,
        shared: Arc<Shared>,
        inbox: mpsc::Sender<Input>,
    ) -> Self {
        let roster = Roster::new(roster::Config {
            me: LinkKey { peer: config.identity.peer_id(), instance: config.instance },
            room: config.room.as_ref().map(crate::id::RoomName::id),
            seats: config.seats,
            seed: config.seed,
        });
        Self {
            config,
            endpoint,
            sink,
            shared,
            tasks: task::Scope::new(),
            roster,
            connections: BTreeMap::new(),
            pumps: BTreeMap::new(),
            attempts: BTreeMap::new(),
            generations: slot::Shared::default(),
            next_id: 0,
            ungreeted: BTreeMap::new(),
            inbox,
            pending: VecDeque::new(),
            warned: BTreeMap::new(),
            next_tick: clock::now() + TICK,
            ticks: 0,
            media_bytes: 0,
            media_at: None,
        }
    }

    /// Runs until shut down or cancelled; says goodbye either way.
    pub async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut inputs: mpsc::Receiver<Input>,
        events: mpsc::Sender<Event>,
        stop: task::Scope,
    ) {
        let mut incoming = self.endpoint.accept(Alpn::Mesh);
        let troubles = self.endpoint.troubles();
        let finished = loop {
            self.drain();
            let timer = self.roster.poll_timeout().map_or(self.next_tick, |at| at.min(self.next_tick));
            tokio::select! {
                biased;
                () = stop.cancelled() => break None,
                permit = events.reserve(), if !self.pending.is_empty() => match (permit, self.pending.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    // Nobody listens any more.
                    _ => break None,
                },
                command = commands.recv() => match command {
                    Some(Command::Shutdown(finished)) => break Some(finished),
                    Some(command) => self.on_command(command),
                    None => break None,
                },
                input = inputs.recv(), if self.pending.len() < MAX_PENDING => match input {
                    Some(input) => self.on_input(input),
                    None => break None,
                },
                connection = incoming.recv() => match connection {
                    Some(connection) => self.on_incoming(connection),
                    None => break None,
                },
                Some(trouble) = troubles.recv() => self.on_trouble(trouble),
                () = tokio::time::sleep_until(timer.into()) => self.on_time(),
            }
        };
        self.finish().await;
        if let Some(finished) = finished {
            let _ = finished.send(());
        }
    }

    /// Says goodbye to everybody and ends the tasks.
    async fn finish(mut self) {
        self.roster.leave();
        for attempt in std::mem::take(&mut self.attempts).into_values() {
            attempt.abort();
        }
        for connection in self.connections.values() {
            let last = Some(Control::Goodbye);
            connection.ending.send_replace(Some(Ending { last, code: CLOSE_GOODBYE, reason: "goodbye" }));
        }
        // Writers have their own, shorter limit. The connections are kept until then.
        let wait = async {
            for connection in self.connections.values() {
                connection.connection.closed().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(1000), wait).await;
        for pump in self.pumps.values() {
            pump.cancel();
        }
        self.shared.write(|directory| {
            let keys: Vec<LinkKey> = directory.all().map(|link| link.key).collect();
            keys.into_iter().for_each(|key| drop(directory.remove(key)));
        });
        self.tasks.finish(Duration::from_millis(300)).await;
        tracing::info!("the mesh has ended");
    }

    fn emit(&mut self, event: Event) {
        self.pending.push_back(event);
    }

    fn warn(&mut self, code: &'static str, peer: Option<PeerId>, from: Option<IpAddr>, detail: String) {
        let now = clock::now();
        if self.warned.get(&(code, peer, from)).is_some_and(|at| now.saturating_duration_since(*at) < WARN_AGAIN) {
            return;
        }
        if self.warned.len() >= MAX_WARNED
            && let Some(oldest) = self.warned.iter().min_by_key(|(_, at)| **at).map(|(key, _)| *key)
        {
            self.warned.remove(&oldest);
        }
        self.warned.insert((code, peer, from), now);
        tracing::warn!(code, detail, "warning");
        self.emit(Event::Warning { code, peer, detail });
    }

    fn on_command(&mut self, command: Command) {
        let now = clock::now();
        match command {
            Command::Sighting(sighting) => self.roster.on_sighting(now, &sighting),
            Command::Reach(peer, addresses) => self.roster.reach(now, peer, &addresses),
            Command::Rename(name) => {
                self.config.name = name.clone();
                for connection in self.connections.values().filter(|c| c.used.get().is_some()) {
                    connection.say(Control::Rename(name.clone()));
                }
            }
            Command::Remove(peer, reason) => {
                tracing::info!(peer = %peer.short(), reason, "removed");
                self.roster.remove(now, peer);
            }
            Command::Shutdown(_) => {}
        }
    }

    fn on_trouble(&mut self, Trouble { from, cause }: Trouble) {
        let (code, what) = match cause {
            Cause::Version => ("version", "speaks another version of the protocol; one of the two needs an update"),
            Cause::NotQuic => ("not-quic", "sends packets that are not of this program; they are dropped"),
            Cause::Handshake => ("handshake", "breaks off handshakes; they are dropped"),
            Cause::TooMany => ("too-many-connections", "opens too many connections; they are refused"),
        };
        self.warn(code, None, Some(from), format!("{from} {what}"));
    }

    fn on_time(&mut self) {
        let now = clock::now();
        if now < self.next_tick {
            return;
        }
        let late = now.saturating_duration_since(self.next_tick);
        self.next_tick = now + TICK;
        self.ticks += 1;
        self.watch_media(now);
        let sharing = self.connections.values().filter(|c| c.sends_files()).count();
        let sharing = u32::try_from(sharing).unwrap_or(u32::MAX);
        let (ping, confirm) = (self.ticks.is_multiple_of(PING_TICKS), self.ticks.is_multiple_of(CONFIRM_TICKS));
        let aim = self.shared.call.aim();
        for (id, connection) in &mut self.connections {
            if connection.look(*id, late, sharing, aim) {
                self.roster.on_heard(now, *id);
            }
            if ping && connection.used.get().is_some() {
                connection.say(Control::Ping(Ping { t: clock::host_micros() }));
            }
            if confirm {
                connection.confirm();
            }
        }
    }

    /// Notices whether media flows anywhere.
    fn watch_media(&mut self, now: Instant) {
        let bytes = self.shared.tallies.sent.media_bytes() + self.shared.tallies.received.media_bytes();
        if bytes != self.media_bytes {
            self.media_bytes = bytes;
            self.media_at = Some(now);
        }
        let on = self.media_at.is_some_and(|at| now.saturating_duration_since(at) < CALL_LASTS);
        if on != self.shared.call.is_on() {
            tracing::debug!(on, "media flows");
            self.shared.call.set(on);
        }
    }

    fn on_incoming(&mut self, connection: quinn::Connection) {
        let address = endpoint::canonical(connection.remote_address());
        let waiting: usize = self.ungreeted.values().sum();
        let of_one = self.ungreeted.get(&address.ip()).copied().unwrap_or(0);
        let full = self.connections.len() >= MAX_CONNECTIONS;
        if full || waiting >= MAX_UNGREETED || of_one >= MAX_UNGREETED_OF_ONE {
            connection.close(VarInt::from_u32(close_code(Refusal::Busy)), b"busy");
            return self.on_trouble(Trouble { from: address.ip(), cause: Cause::TooMany });
        }
        *self.ungreeted.entry(address.ip()).or_insert(0) += 1;
        let inbox = self.inbox.clone();
        self.tasks.spawn(async move {
            let result = greet::accept(connection).await.map(Box::new);
            let _ = inbox.send(Input::Accepted { address, result }).await;
        });
    }

    fn on_input(&mut self, input: Input) {
        let now = clock::now();
        match input {
            Input::Dialed { attempt, address, result } => {
                self.attempts.remove(&attempt);
                match result {
                    Ok(greeting) => self.on_greeting(Direction::Outgoing(attempt), address, *greeting),
                    Err(error) => self.on_dial_failed(attempt, address, error),
                }
            }
            Input::Accepted { address, result } => {
                if let Some(count) = self.ungreeted.get_mut(&address.ip()) {
                    *count -= 1;
                    if *count == 0 {
                        self.ungreeted.remove(&address.ip());
                    }
                }
                match result {
                    Ok(greeting) => self.on_greeting(Direction::Incoming, address, *greeting),
                    Err(GreetError::Nonsense) => {
                        self.on_trouble(Trouble { from: address.ip(), cause: Cause::Handshake });
                    }
                    Err(_) => {}
                }
            }
            Input::Said { id, control } => self.on_control(now, id, control),
            Input::Message { id, number, message } => {
                let Some((key, link)) = self.link_of(id) else { return };
                if link.with_inbox(|inbox| inbox.on_message(number)) == Arrived::New {
                    self.emit(Event::Message { from: key, message });
                    if link.with_inbox(|inbox| inbox.unconfirmed()) >= CONFIRM_COUNT
                        && let Some(connection) = self.connections.get(&id)
                    {
                        connection.confirm();
                    }
                }
            }
            Input::Resumed { id, number } => {
                let Some((key, link)) = self.link_of(id) else { return };
                if link.with_inbox(|inbox| inbox.on_resume(number)) {
                    tracing::warn!(peer = %key.peer.short(), number, "messages were lost between two links");
                }
            }
            Input::Stream { id, stream } => {
                let Some(connection) = self.connections.get_mut(&id) else { return };
                if connection.used.get().is_some() {
                    let from = connection.key;
                    self.emit(Event::Stream { from, stream });
                } else {
                    // At most the 64 that may be open.
                    connection.early.push(stream);
                }
            }
            Input::Ended { id, how } => self.on_ended(now, id, how),
            Input::Odd { peer, code, detail } => {
                self.warn(code, Some(peer), None, format!("{} {detail}", peer.short()));
            }
        }
    }

    /// The link that connection `id` was used for, if it still is that link's.
    fn link_of(&self, id: LinkId) -> Option<(LinkKey, Arc<Link>)> {
        let link = self.connections.get(&id)?.used.get()?;
        let known = self.shared.read(|directory| directory.get(link.key).is_some_and(|l| Arc::ptr_eq(l, link)));
        known.then(|| (link.key, Arc::clone(link)))
    }

    fn on_control(&mut self, now: Instant, id: LinkId, control: Control) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match control {
            Control::Seated => self.roster.on_seated(now, id),
            Control::Goodbye => self.roster.on_goodbye(now, id),
            Control::Gossip(entries) => self.roster.on_gossip(now, id, &entries),
            Control::Rename(name) => {
                connection.theirs.name = name.clone();
                let peer = connection.key.peer;
                self.roster.on_renamed(id, name.clone());
                self.emit(Event::Renamed { peer, name });
            }
            Control::Refuse(refusal) => {
                let peer = connection.key.peer;
                self.close(id, Ending { last: None, code: close_code(Refusal::Busy), reason: "refused" });
                self.on_refused(peer, refusal);
                self.roster.on_closed(now, id, Closed::Refused(refusal));
            }
            // A second hello, or what the reader answers by itself.
            _ => {}
        }
    }

    fn on_ended(&mut self, now: Instant, id: LinkId, how: Ended) {
        let Some(connection) = self.connections.remove(&id) else { return };
        if let Some(link) = connection.used.get()
            && link.current().is_some_and(|current| current.id == id)
        {
            link.set_current(None);
        }
        match how {
            Ended::Goodbye => self.roster.on_goodbye(now, id),
            Ended::Closed(closed) => {
                if let Closed::Refused(refusal) = closed {
                    self.on_refused(connection.key.peer, refusal);
                }
                self.roster.on_closed(now, id, closed);
            }
        }
    }

    fn hello(&self, seat: Seat) -> Hello {
        Hello {
            versions: VERSIONS.to_vec(),
            instance: self.config.instance,
            name: self.config.name.clone(),
            capabilities: self.config.capabilities.clone(),
            room: self.config.room.as_ref().map(crate::id::RoomName::id),
            seat: seat == Seat::Room && self.config.room.is_some(),
            listen: self.endpoint.listen_addresses().into_iter().map(Address).collect(),
            clock: clock::host_clock_id(),
            generation: 0,
        }
    }

    fn dial(&mut self, attempt: Attempt, address: SocketAddr, peer: Option<PeerId>, seat: Seat) {
        let (endpoint, inbox, generations) = (self.endpoint.clone(), self.inbox.clone(), self.generations.clone());
        let mut hello = self.hello(seat);
        let pin = peer.map_or(Pin::Learn, Pin::Exact);
        tracing::debug!(%address, ?peer, ?seat, "dialing");
        let dialing = self.tasks.spawn(async move {
            let hello = |key: PublicKey| {
                hello.generation = generations.get().get(&(key.peer_id(), seat)).copied().unwrap_or(0);
                hello
            };
            let result = greet::dial(endpoint, address, pin, hello).await.map(Box::new);
            let _ = inbox.send(Input::Dialed { attempt, address, result }).await;
        });
        self.attempts.insert(attempt, dialing);
    }

    fn on_dial_failed(&mut self, attempt: Attempt, address: SocketAddr, error: GreetError) {
        tracing::debug!(%address, ?error, "the dial failed");
        let from = Some(address.ip());
        let failure = match error {
            GreetError::Connect(ConnectError::WrongKey) => {
                let detail =
                    format!("{address} holds another key than the one it was announced with; nothing was sent");
                self.warn("wrong-key", None, from, detail);
                DialFailure::WrongKey
            }
            GreetError::Connect(ConnectError::Version) | GreetError::Refused(Refusal::Version) => {
                self.on_trouble(Trouble { from: address.ip(), cause: Cause::Version });
                DialFailure::Refused(Refusal::Version)
            }
            GreetError::Connect(ConnectError::Refused(_)) => DialFailure::Refused(Refusal::Busy),
            GreetError::Connect(_) => DialFailure::Unreachable,
            GreetError::Refused(refusal) => {
                if refusal == Refusal::RoomFull {
                    self.warn("room-full", None, None, "every seat of the room is taken".to_owned());
                }
                DialFailure::Refused(refusal)
            }
            GreetError::Nonsense => {
                self.on_trouble(Trouble { from: address.ip(), cause: Cause::Handshake });
                DialFailure::Unreachable
            }
        };
        self.roster.on_dial_failed(clock::now(), attempt, failure);
    }

    fn on_refused(&mut self, peer: PeerId, refusal: Refusal) {
        let (code, detail) = match refusal {
            Refusal::RoomFull => ("room-full", "every seat of the room is taken"),
            Refusal::Removed => ("removed", "this peer was removed from the room"),
            _ => return,
        };
        self.warn(code, Some(peer), None, detail.to_owned());
    }

    fn on_greeting(&mut self, direction: Direction, address: SocketAddr, mut greeting: Greeting) {
        let now = clock::now();
        let me = LinkKey { peer: self.config.identity.peer_id(), instance: self.config.instance };
        let key = LinkKey { peer: greeting.public_key.peer_id(), instance: greeting.theirs.instance };
        let ours = greeting.ours.take().unwrap_or_else(|| {
            let wants = if greeting.theirs.seat { Seat::Room } else { Seat::Visitor };
            let mut hello = self.hello(Seat::Room);
            hello.generation = self.generations.get().get(&(key.peer, wants)).copied().unwrap_or(0);
            hello
        });
        let agreed = match direction {
            Direction::Outgoing(_) => handshake::agree(&ours, &greeting.theirs, me, key),
            Direction::Incoming => handshake::agree(&greeting.theirs, &ours, key, me),
        };
        let agreed = match agreed {
            Ok(agreed) => agreed,
            Err(refusal) => {
                if refusal == Refusal::Version {
                    self.on_trouble(Trouble { from: address.ip(), cause: Cause::Version });
                }
                if let Direction::Outgoing(attempt) = direction {
                    self.roster.on_dial_failed(now, attempt, DialFailure::Refused(refusal));
                }
                return self.refuse(greeting, refusal);
            }
        };
        self.next_id += 1;
        let id = LinkId::from_u64(self.next_id);
        let verdict = self.roster.on_hello(
            now,
            roster::Hello {
                link: id,
                key,
                direction,
                address,
                seat: agreed.seat,
                name: greeting.theirs.name.clone(),
                listen: greeting.theirs.listen.iter().map(|address| address.0).collect(),
            },
        );
        tracing::debug!(peer = %key.peer.short(), %address, ?direction, ?verdict, "hello");
        let mut first = Vec::new();
        if direction == Direction::Incoming {
            first.push(Control::Hello(ours));
        }
        match verdict {
            Verdict::Seated => first.push(Control::Seated),
            Verdict::Wait => {}
            Verdict::Refuse(refusal) => return self.refuse(greeting, refusal),
        }
        self.connect(id, key, agreed, greeting, first);
    }

    fn refuse(&self, greeting: Greeting, refusal: Refusal) {
        tracing::debug!(address = %greeting.connection.remote_address(), ?refusal, "refused");
        self.tasks.spawn(greet::refuse(greeting, refusal));
    }

    /// Starts the tasks of a connection.
    fn connect(
        &mut self,
        id: LinkId,
        key: LinkKey,
        agreed: handshake::Agreed,
        greeting: Greeting,
        first: Vec<Control>,
    ) {
        let Greeting { connection, send, recv, decoder, public_key, theirs, .. } = greeting;
        // Orders: 64; when it is full the peer does not read, and what is said to it is dropped.
        let (orders, writer_orders) = mpsc::channel(64);
        let (ending, writer_ending) = watch::channel(None);
        let used = Arc::new(OnceLock::new());
        let writer = Writer {
            id,
            connection: connection.clone(),
            stream: send,
            orders: writer_orders,
            ending: writer_ending,
            torn: false,
        };
        self.tasks.spawn(writer.run(first));
        let reader = Reader {
            id,
            peer: key.peer,
            connection: connection.clone(),
            stream: recv,
            decoder,
            used: Arc::clone(&used),
            orders: orders.clone(),
            inbox: self.inbox.clone(),
            tallies: Arc::clone(&self.shared.tallies),
        };
        self.tasks.spawn(reader.run());
        self.tasks.spawn(media_path::receive_packets(
            connection.clone(),
            Arc::clone(&used),
            Arc::clone(&self.sink),
            self.inbox.clone(),
        ));
        self.tasks.spawn(accept_streams(
            id,
            connection.clone(),
            Arc::clone(&used),
            self.inbox.clone(),
            Arc::clone(&self.shared.tallies),
            self.tasks.clone(),
        ));
        let connection = Connection {
            key,
            seat: agreed.seat,
            public_key,
            connection,
            theirs,
            same_clock: agreed.same_clock,
            orders,
            ending,
            used,
            early: Vec::new(),
            datagrams_in: 0,
            sent_bytes: 0,
            lost_bytes: 0,
            file_sent: 0,
        };
        self.connections.insert(id, connection);
    }

    fn close(&mut self, id: LinkId, ending: Ending) {
        let Some(connection) = self.connections.remove(&id) else { return };
        if let Some(link) = connection.used.get()
            && link.current().is_some_and(|current| current.id == id)
        {
            link.set_current(None);
        }
        connection.ending.send_replace(Some(ending));
    }

    /// Carries out what the roster wants.
    fn drain(&mut self) {
        while let Some(output) = self.roster.poll_output(clock::now()) {
            match output {
                Output::Dial { attempt, address, peer, seat } => self.dial(attempt, address, peer, seat),
                Output::Abandon(attempt) => {
                    if let Some(dialing) = self.attempts.remove(&attempt) {
                        dialing.abort();
                    }
                }
                Output::Close { link, reason } => self.close(link, ending_for(reason)),
                Output::Gossip { link, entries } => {
                    if let Some(connection) = self.connections.get(&link) {
                        connection.say(Control::Gossip(entries));
                    }
                }
                Output::Sighted(sighting) => self.emit(Event::Sighted(sighting)),
                Output::Verify(peer) => self.emit(Event::Verify(peer)),
                Output::Changed(change) => self.on_change(change),
            }
        }
    }

    fn on_change(&mut self, change: Change) {
        tracing::debug!(?change, "roster");
        match change {
            Change::Linked { key, link, seat, replaced } => {
                if let Some(instance) = replaced {
                    self.forget(LinkKey { peer: key.peer, instance }, seat);
                }
                self.start_link(key, link, replaced);
            }
            Change::Suspected(key) => self.emit(Event::Suspected { peer: key.peer }),
            Change::Recovered { key, link, after } => {
                let Some(connection) = self.connections.get(&link) else { return };
                let known = self.shared.read(|directory| directory.get(key).cloned());
                match known {
                    Some(known) if known.generation == connection.theirs.generation => {
                        self.use_connection(link, &known);
                        self.emit(Event::Recovered { peer: key.peer, after });
                    }
                    // The peer has forgotten us meanwhile: what was between us ends, and begins anew.
                    _ => {
                        self.forget(key, Seat::Room);
                        self.emit(Event::Left { peer: key.peer, reason: LeaveReason::Timeout });
                        self.start_link(key, link, None);
                    }
                }
            }
            Change::Left { key, reason } => {
                self.forget(key, Seat::Room);
                self.emit(Event::Left { peer: key.peer, reason });
            }
            Change::Unlinked(key) => {
                self.forget(key, Seat::Visitor);
                self.emit(Event::Unlinked(key));
            }
            Change::Ousted { by } => {
                let detail = "a newer start of this profile has taken the seat in this room".to_owned();
                self.warn("replaced", Some(by), None, detail);
            }
        }
    }

    /// Makes a fresh link of connection `id`.
    fn start_link(&mut self, key: LinkKey, id: LinkId, replaced: Option<crate::id::Instance>) {
        let Some(connection) = self.connections.get(&id) else { return };
        let clock = self.shared.write(|directory| directory.clock(key.peer));
        let tallies = Arc::clone(&self.shared.tallies);
        let link = Link::new(key, connection.seat, connection.theirs.generation, connection.same_clock, clock, tallies);
        let link = Arc::new(link);
        let linked = Linked {
            key,
            public_key: connection.public_key,
            name: connection.theirs.name.clone(),
            capabilities: connection.theirs.capabilities.clone(),
            address: endpoint::canonical(connection.connection.remote_address()),
            seat: connection.seat,
            replaced,
            same_clock: connection.same_clock,
        };
        self.shared.write(|directory| directory.insert(Arc::clone(&link)));
        let pump = self.tasks.child();
        pump.spawn(media_path::send_packets(Arc::clone(&link), pump.clone()));
        if let Some(old) = self.pumps.insert(key, pump) {
            old.cancel();
        }
        self.emit(Event::Linked(linked));
        self.use_connection(id, &link);
    }

    /// Connection `id` carries `link` from now on.
    fn use_connection(&mut self, id: LinkId, link: &Arc<Link>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.used.set(Arc::clone(link)).is_ok()
            && connection.orders.try_send(Order::Use(Arc::clone(link))).is_err()
        {
            // Only a writer that has ended leaves no room among its first orders.
            tracing::debug!("the connection ended before it was used");
        }
        link.set_current(Some(Current { id, connection: connection.connection.clone() }));
        let early = std::mem::take(&mut connection.early);
        let from = connection.key;
        for stream in early {
            self.emit(Event::Stream { from, stream });
        }
    }

    /// Ends what was between us and one run of a peer.
    fn forget(&mut self, key: LinkKey, seat: Seat) {
        if let Some(pump) = self.pumps.remove(&key) {
            pump.cancel();
        }
        if let Some(link) = self.shared.write(|directory| directory.remove(key)) {
            link.set_current(None);
            let mut generations = BTreeMap::clone(&self.generations.get());
            *generations.entry((key.peer, seat)).or_insert(0) += 1;
            self.generations.set(Arc::new(generations));
        }
    }
}

fn ending_for(reason: CloseReason) -> Ending {
    let (code, reason) = match reason {
        CloseReason::Duplicate => (close_code(Refusal::Duplicate), "duplicate"),
        CloseReason::Replaced => (close_code(Refusal::Replaced), "replaced"),
        CloseReason::Timeout => (CLOSE_TIMEOUT, "timeout"),
        CloseReason::Goodbye => (CLOSE_GOODBYE, "goodbye"),
        CloseReason::Removed => (close_code(Refusal::Removed), "removed"),
        CloseReason::Undecided => (close_code(Refusal::Busy), "undecided"),
    };
    Ending { last: None, code, reason }
}

impl Connection {
    fn say(&self, control: Control) {
        if self.orders.try_send(Order::Say(control)).is_err() {
            tracing::debug!(peer = %self.key.peer.short(), "the peer does not read; a message of the mesh was dropped");
        }
    }

    /// Confirms the messages that came.
    fn confirm(&self) {
        if let Some(number) = self.used.get().and_then(|link| link.with_inbox(|inbox| inbox.take_confirmation())) {
            self.say(Control::Confirm(number));
        }
    }

    fn sends_files(&self) -> bool {
        self.used.get().is_some_and(|link| link.file_sent() != self.file_sent)
    }

    /// One tick: true when packets came since the last.
    fn look(&mut self, id: LinkId, late: Duration, sharing: u32, aim: bandwidth::Aim) -> bool {
        let stats = self.connection.stats();
        let heard = stats.udp_rx.datagrams != self.datagrams_in;
        self.datagrams_in = stats.udp_rx.datagrams;
        let sent = stats.udp_tx.bytes - self.sent_bytes;
        let lost = stats.path.lost_bytes.saturating_sub(self.lost_bytes);
        (self.sent_bytes, self.lost_bytes) = (stats.udp_tx.bytes, stats.path.lost_bytes);
        if let Some(link) = self.used.get().filter(|link| link.current().is_some_and(|current| current.id == id)) {
            let file = link.file_sent();
            let used = file - self.file_sent;
            self.file_sent = file;
            if let Some(state) = congestion::state_of(&self.connection) {
                link.allowance().on_tick(bandwidth::Tick {
                    queue: state.queue(),
                    target: state.target(aim),
                    loss: bandwidth::share(lost, sent),
                    used: bandwidth::per_second(used, TICK),
                    late,
                    sharing,
                });
            }
        }
        heard
    }
}
