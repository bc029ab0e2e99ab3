//! Dials and hellos: how a connection comes to the roster, and what becomes of it then.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use quinn::VarInt;
use tokio::sync::{mpsc, watch};

use super::{Connection, MAX_CONNECTIONS, Mesh};
use crate::clock;
use crate::endpoint::{self, Cause, ConnectError, Trouble};
use crate::id::{LinkKey, PeerId, RoomId, RoomName};
use crate::identity::PublicKey;
use crate::mesh::link::control::{Input, Reader, Writer, accept_streams};
use crate::mesh::link::greet::{self, GreetError, Greeting, close_code};
use crate::mesh::link::media_path;
use crate::mesh::roster::{Attempt, DialFailure, Direction, LinkId, Refusal, Seat, Verdict};
use crate::mesh::wire::{Address, Control, Hello, VERSIONS};
use crate::mesh::{handshake, roster};
use crate::tls::Pin;

/// Accepted connections that have not said hello, in all and from one address; more are closed.
const MAX_UNGREETED: usize = 64;
const MAX_UNGREETED_OF_ONE: usize = 16;

impl Mesh {
    pub(super) fn on_incoming(&mut self, connection: quinn::Connection) {
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

    /// What we say first. `room` is ours, where the other side is to hear of it: who knows a room may sit in it.
    fn hello(&self, room: Option<RoomId>) -> Hello {
        Hello {
            versions: VERSIONS.to_vec(),
            instance: self.config.instance,
            name: self.config.name.clone(),
            capabilities: self.config.capabilities.clone(),
            room,
            seat: room.is_some(),
            listen: self.endpoint.listen_addresses().into_iter().map(Address).collect(),
            clock: clock::host_clock_id(),
            generation: 0,
        }
    }

    pub(super) fn dial(&mut self, attempt: Attempt, address: SocketAddr, peer: Option<PeerId>, seat: Seat) {
        let (endpoint, inbox, shared) = (self.endpoint.clone(), self.inbox.clone(), Arc::clone(&self.shared));
        let room = self.config.room.as_ref().map(RoomName::id);
        let mut hello = self.hello(room.filter(|_| seat == Seat::Room));
        let pin = peer.map_or(Pin::Learn, Pin::Exact);
        tracing::debug!(%address, ?peer, ?seat, "dialing");
        let dialing = self.tasks.spawn(async move {
            let hello = |key: PublicKey| {
                hello.generation = shared.generation(key.peer_id(), seat);
                hello
            };
            let result = greet::dial(endpoint, address, pin, hello).await.map(Box::new);
            let _ = inbox.send(Input::Dialed { attempt, address, peer, result }).await;
        });
        self.attempts.insert(attempt, dialing);
    }

    pub(super) fn on_dial_failed(
        &mut self,
        attempt: Attempt,
        address: SocketAddr,
        peer: Option<PeerId>,
        error: GreetError,
    ) {
        tracing::debug!(%address, ?error, "the dial failed");
        let from = Some(address.ip());
        let failure = match error {
            GreetError::Connect(ConnectError::WrongKey) => {
                let detail =
                    format!("{address} holds another key than the one it was announced with; nothing was sent");
                self.warn("wrong-key", peer, from, detail);
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
            GreetError::Silent => DialFailure::Unreachable,
            GreetError::Nonsense => {
                self.on_trouble(Trouble { from: address.ip(), cause: Cause::Handshake });
                DialFailure::Unreachable
            }
        };
        self.roster.on_dial_failed(clock::now(), attempt, failure);
    }

    pub(super) fn on_refused(&mut self, peer: PeerId, refusal: Refusal) {
        let (code, detail) = match refusal {
            Refusal::RoomFull => ("room-full", "every seat of the room is taken"),
            Refusal::Removed => ("removed", "somebody removed you from the room"),
            _ => return,
        };
        self.warn(code, Some(peer), None, detail.to_owned());
    }

    pub(super) fn on_greeting(&mut self, direction: Direction, address: SocketAddr, mut greeting: Greeting) {
        let now = clock::now();
        let me = LinkKey { peer: self.config.identity.peer_id(), instance: self.config.instance };
        let key = LinkKey { peer: greeting.public_key.peer_id(), instance: greeting.theirs.instance };
        let ours = greeting.ours.take().unwrap_or_else(|| {
            let wants = if greeting.theirs.seat { Seat::Room } else { Seat::Visitor };
            let room = self.config.room.as_ref().map(RoomName::id);
            let mut hello = self.hello(room.filter(|room| greeting.theirs.room == Some(*room)));
            hello.generation = self.shared.generation(key.peer, wants);
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
}
