//! The actor behind a [`Handle`](super::Handle): drives the [`Roster`] with what happens, carries out what it says,
//! and reports upward.
//!
//! It owns the connections and the directory of links. Everything that arrives passes through one queue, so upper
//! layers see a peer's link before its messages and its messages before its end. It never blocks: slow work (dials,
//! hellos, last words) is in tasks whose results come back as inputs. When the upper layers are slow, it stops taking
//! inputs, the readers wait, and flow control slows the peers.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::endpoint::{self, Cause, Endpoint, Trouble};
use crate::id::{Instance, LinkKey, PeerId};
use crate::mesh::link::control::{Ending, Input, Order};
use crate::mesh::link::greet::{CLOSE_GOODBYE, Ended, GreetError, close_code};
use crate::mesh::link::{Current, Link, Shared, media_path};
use crate::mesh::outbox::Arrived;
use crate::mesh::roster::{Attempt, Change, Closed, Direction, LinkId, Output, Refusal, Roster, Seat};
use crate::mesh::wire::{Control, Ping};
use crate::mesh::{Config, Event, LeaveReason, Linked, roster};
use crate::share::DisplayName;
use crate::sighting::Sighting;
use crate::{clock, media, task};

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
/// Connections in all: a full room twice over, and visitors.
const MAX_CONNECTIONS: usize = 192;
/// The same warning is given again after this long.
const WARN_AGAIN: Duration = Duration::from_secs(60);
/// Remembered warnings; beyond that, the oldest is forgotten.
const MAX_WARNED: usize = 512;
/// Media was sent or received within this time: a call is on.
const CALL_LASTS: Duration = Duration::from_secs(2);

mod connection;
mod greeting;

use connection::{Connection, ending_for};

/// What handles ask of the actor. The queue holds 1024; when it is full, commands are dropped and logged.
#[derive(Debug)]
pub(super) enum Command {
    Sighting(Sighting),
    Reach(PeerId, Vec<SocketAddr>, Vec<Instance>),
    Release(LinkKey),
    Rename(DisplayName),
    Remove(PeerId, String),
    Shutdown(oneshot::Sender<()>),
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

impl Mesh {
    /// An actor that is ready for connections; [`run`](Self::run) takes them.
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
        mut incoming: mpsc::Receiver<quinn::Connection>,
        events: mpsc::Sender<Event>,
        stop: task::Scope,
    ) {
        let troubles = self.endpoint.troubles();
        let finished = loop {
            // Not only when nothing else is to do: a flood of inputs must not make honest peers look silent.
            self.on_time();
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
                () = tokio::time::sleep_until(timer.into()) => {}
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

    // Where an address is known it counts: what somebody claims to be can be made up at will.
    fn warn(&mut self, code: &'static str, peer: Option<PeerId>, from: Option<IpAddr>, detail: String) {
        let now = clock::now();
        let key = (code, peer.filter(|_| from.is_none()), from);
        if self.warned.get(&key).is_some_and(|at| now.saturating_duration_since(*at) < WARN_AGAIN) {
            return;
        }
        if self.warned.len() >= MAX_WARNED
            && let Some(oldest) = self.warned.iter().min_by_key(|(_, at)| **at).map(|(key, _)| *key)
        {
            self.warned.remove(&oldest);
        }
        self.warned.insert(key, now);
        tracing::debug!(code, detail, "warning");
        self.emit(Event::Warning { code, peer, detail });
    }

    fn on_command(&mut self, command: Command) {
        let now = clock::now();
        match command {
            Command::Sighting(sighting) => self.roster.on_sighting(now, &sighting),
            Command::Reach(peer, addresses, except) => self.roster.reach(now, peer, &addresses, &except),
            Command::Release(key) => self.roster.release(key),
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
            Cause::Version => {
                ("wrong-version", "speaks another version of the protocol; one of the two needs an update")
            }
            Cause::NotQuic => ("bad-input", "sends packets that are not of this program; they are dropped"),
            Cause::Handshake => ("bad-input", "breaks off handshakes; they are dropped"),
            Cause::TooMany => ("flood", "opens too many connections; they are refused"),
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
        for (id, connection) in &mut self.connections {
            if connection.look(*id, late, sharing) {
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

    fn on_input(&mut self, input: Input) {
        let now = clock::now();
        match input {
            Input::Dialed { attempt, address, peer, result } => {
                self.attempts.remove(&attempt);
                match result {
                    Ok(greeting) => self.on_greeting(Direction::Outgoing(attempt), address, *greeting),
                    Err(error) => self.on_dial_failed(attempt, address, peer, error),
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
                if !self.roster.on_renamed(now, id, name.clone()) {
                    return;
                }
                connection.theirs.name = name.clone();
                let peer = connection.key.peer;
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
            Change::Linked { key, link, replaced, .. } => {
                if let Some(instance) = replaced {
                    // No new generation: the instance never comes back, and the new one has read this hello already.
                    self.end_link(LinkKey { peer: key.peer, instance });
                }
                self.start_link(key, link, replaced);
            }
            Change::Suspected(key) => self.emit(Event::Suspected { peer: key.peer }),
            Change::Recovered { key, link, after } => {
                if self.resume_link(key, link) {
                    self.emit(Event::Recovered { peer: key.peer, after });
                }
            }
            // What was sent goes on over the other link: nobody need hear of it.
            Change::Moved { key, link } => drop(self.resume_link(key, link)),
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
    fn start_link(&mut self, key: LinkKey, id: LinkId, replaced: Option<Instance>) {
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
        self.shared.hold_generation(key.peer, link.seat);
        let pump = self.tasks.child();
        pump.spawn(media_path::send_packets(Arc::clone(&link), pump.clone()));
        if let Some(old) = self.pumps.insert(key, pump) {
            old.cancel();
        }
        self.emit(Event::Linked(linked));
        self.use_connection(id, &link);
    }

    /// The link of `key` goes on over connection `id`; false when nothing of it can go on.
    fn resume_link(&mut self, key: LinkKey, id: LinkId) -> bool {
        let Some(connection) = self.connections.get(&id) else { return false };
        let known = self.shared.read(|directory| directory.get(key).cloned());
        if let Some(known) = known.filter(|known| known.generation == connection.theirs.generation) {
            self.use_connection(id, &known);
            return true;
        }
        // The peer has forgotten us meanwhile: what was between us ends, and begins anew.
        let seat = connection.seat;
        self.forget(key, seat);
        self.emit(match seat {
            Seat::Room => Event::Left { peer: key.peer, reason: LeaveReason::Timeout },
            Seat::Visitor => Event::Unlinked(key),
        });
        self.start_link(key, id, None);
        false
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
        if self.end_link(key) {
            self.shared.forget_generation(key.peer, seat);
        }
    }

    /// Ends what runs for the link of `key`. False if there is none.
    fn end_link(&mut self, key: LinkKey) -> bool {
        if let Some(pump) = self.pumps.remove(&key) {
            pump.cancel();
        }
        let link = self.shared.write(|directory| directory.remove(key));
        if let Some(link) = &link {
            link.set_current(None);
        }
        link.is_some()
    }
}
