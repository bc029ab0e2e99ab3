//! The control stream of one connection, and the streams of files that the peer opens on it.
//!
//! The reader answers pings, keeps numbers and hands everything else to the mesh actor in the order of arrival; when
//! the actor is busy it waits, and flow control makes the peer wait. The writer says what the actor orders, and
//! between that the messages of the link for as long as this connection is the one in use.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use quinn::VarInt;
use tokio::sync::{mpsc, watch};

use super::greet::{CLOSE_PROTOCOL, Ended, GreetError, Greeting, ended};
use super::streams::RecvStream;
use super::{Link, Next, Tallies};
use crate::framing::{Decoder, Message};
use crate::id::PeerId;
use crate::mesh::roster::{Attempt, LinkId};
use crate::mesh::wire::{self, Control, Pong};
use crate::{clock, task};

/// What the tasks of connections tell the mesh actor. The queue holds 256; when it is full they wait.
#[derive(Debug)]
pub(in crate::mesh) enum Input {
    /// A dial ended.
    Dialed { attempt: Attempt, address: SocketAddr, peer: Option<PeerId>, result: Result<Box<Greeting>, GreetError> },
    /// An accepted connection said hello, or did not.
    Accepted { address: SocketAddr, result: Result<Box<Greeting>, GreetError> },
    /// A message for the actor.
    Said { id: LinkId, control: Control },
    /// A numbered message for the upper layers.
    Message { id: LinkId, number: u64, message: Message },
    /// The stream goes on with this number.
    Resumed { id: LinkId, number: u64 },
    /// A stream of a file.
    Stream { id: LinkId, stream: RecvStream },
    /// The connection ended.
    Ended { id: LinkId, how: Ended },
    /// Worth a warning.
    Odd { peer: PeerId, code: &'static str, detail: &'static str },
}

/// What the actor tells a writer.
#[derive(Debug)]
pub(in crate::mesh) enum Order {
    /// Say this.
    Say(Control),
    /// From now on carry this link's messages, whenever this connection is the one in use.
    Use(Arc<Link>),
}

/// How a connection ends from this side.
#[derive(Debug, Clone)]
pub(in crate::mesh) struct Ending {
    /// The last word; before it everything that waits is written.
    pub last: Option<Control>,
    pub code: u32,
    pub reason: &'static str,
}

/// The peer gets this long to confirm the last word.
const LAST_WORD: Duration = Duration::from_millis(700);
/// Mesh messages that cannot be read; after so many the connection is closed.
const MAX_BAD: u64 = 100;

/// Writes one message.
pub(in crate::mesh) async fn write_control(
    stream: &mut quinn::SendStream,
    control: &Control,
) -> Result<(), quinn::WriteError> {
    stream.write_all(&control.encode().encode()).await
}

/// The writing half.
pub(in crate::mesh) struct Writer {
    pub id: LinkId,
    pub connection: quinn::Connection,
    pub stream: quinn::SendStream,
    pub orders: mpsc::Receiver<Order>,
    pub ending: watch::Receiver<Option<Ending>>,
    /// A message is half written: nothing can be said after it.
    pub torn: bool,
}

impl Writer {
    /// Says `first`, then what is ordered, until the connection or the mesh ends.
    pub async fn run(mut self, first: Vec<Control>) {
        let mut ending = self.ending.clone();
        let ended = async {
            let found = ending.wait_for(Option::is_some).await;
            found.ok().and_then(|ending| ending.clone())
        };
        let (mut link, mut cursor) = (None, None);
        let ending = tokio::select! {
            biased;
            ending = ended => ending,
            () = self.write(first, &mut link, &mut cursor) => None,
        };
        let Some(ending) = ending else { return };
        if let Some(last) = ending.last.as_ref().filter(|_| !self.torn) {
            let said = async {
                while let Ok(order) = self.orders.try_recv() {
                    self.obey(order, &mut link).await?;
                }
                if let Some(link) = &link {
                    while self.write_next(link, &mut cursor).await? {}
                }
                self.say(last).await?;
                let _ = self.stream.finish();
                let _ = self.stream.stopped().await;
                Ok::<_, quinn::WriteError>(())
            };
            let _ = tokio::time::timeout(LAST_WORD, said).await;
        }
        self.connection.close(VarInt::from_u32(ending.code), ending.reason.as_bytes());
    }

    async fn write(&mut self, first: Vec<Control>, link: &mut Option<Arc<Link>>, cursor: &mut Option<u64>) {
        for control in first {
            if self.say(&control).await.is_err() {
                return;
            }
        }
        loop {
            let result = match link.clone() {
                None => match self.orders.recv().await {
                    Some(order) => self.obey(order, link).await,
                    None => return,
                },
                Some(used) => {
                    let changed = used.changed.notified();
                    tokio::pin!(changed);
                    // Registered before looking, so that no change is missed.
                    changed.as_mut().enable();
                    match self.write_next(&used, cursor).await {
                        Ok(true) => match self.orders.try_recv() {
                            Ok(order) => self.obey(order, link).await,
                            Err(_) => Ok(()),
                        },
                        Ok(false) => tokio::select! {
                            biased;
                            order = self.orders.recv() => match order {
                                Some(order) => self.obey(order, link).await,
                                None => return,
                            },
                            () = changed => Ok(()),
                        },
                        Err(error) => Err(error),
                    }
                }
            };
            // The reader tells the actor that the connection is gone.
            if result.is_err() {
                return;
            }
        }
    }

    async fn obey(&mut self, order: Order, link: &mut Option<Arc<Link>>) -> Result<(), quinn::WriteError> {
        match order {
            Order::Say(control) => self.say(&control).await,
            Order::Use(used) => {
                *link = Some(used);
                Ok(())
            }
        }
    }

    async fn say(&mut self, control: &Control) -> Result<(), quinn::WriteError> {
        self.put(&control.encode()).await
    }

    async fn put(&mut self, message: &Message) -> Result<(), quinn::WriteError> {
        self.torn = true;
        self.stream.write_all(&message.encode()).await?;
        self.torn = false;
        Ok(())
    }

    /// Writes the link's next message; false when there is none for this connection.
    async fn write_next(&mut self, link: &Link, cursor: &mut Option<u64>) -> Result<bool, quinn::WriteError> {
        match link.next(self.id, *cursor) {
            Next::Nothing => return Ok(false),
            Next::Resume(number) => {
                self.say(&Control::Resume(number)).await?;
                *cursor = Some(number);
            }
            Next::Message(number, message) => {
                self.put(&message).await?;
                link.tallies.sent.message(&message);
                *cursor = Some(number + 1);
            }
        }
        Ok(true)
    }
}

/// The reading half.
pub(in crate::mesh) struct Reader {
    pub id: LinkId,
    pub peer: PeerId,
    pub connection: quinn::Connection,
    pub stream: quinn::RecvStream,
    pub decoder: Decoder,
    pub used: Arc<OnceLock<Arc<Link>>>,
    pub orders: mpsc::Sender<Order>,
    pub inbox: mpsc::Sender<Input>,
    pub tallies: Arc<Tallies>,
}

/// Why reading ended.
enum Stop {
    /// The connection or its stream is gone.
    Gone,
    /// What came cannot be read on.
    Nonsense,
}

impl Reader {
    /// Reads until the connection ends, and tells the actor how it did.
    pub async fn run(mut self) {
        if let Err(Stop::Nonsense) = self.read().await {
            let detail = "sends messages that make no sense; the link to it is closed";
            let _ = self.inbox.send(Input::Odd { peer: self.peer, code: "bad-input", detail }).await;
            self.connection.close(VarInt::from_u32(CLOSE_PROTOCOL), b"bad message");
        }
        // A peer that ended its stream closes soon.
        let closed = tokio::time::timeout(Duration::from_secs(2), self.connection.closed()).await;
        if closed.is_err() {
            self.connection.close(VarInt::from_u32(CLOSE_PROTOCOL), b"the control stream ended");
        }
        let how = ended(&self.connection.closed().await);
        let _ = self.inbox.send(Input::Ended { id: self.id, how }).await;
    }

    async fn read(&mut self) -> Result<(), Stop> {
        // The number of the next upper message.
        let mut number = 0;
        let mut bad = 0;
        loop {
            while let Some(message) = self.decoder.poll().map_err(|_| Stop::Nonsense)? {
                if message.kind >= wire::FIRST_UPPER_KIND {
                    self.tallies.received.message(&message);
                    self.tell(Input::Message { id: self.id, number, message }).await?;
                    number += 1;
                    continue;
                }
                match Control::decode(&message) {
                    Ok(Control::Resume(next)) => {
                        number = next;
                        self.tell(Input::Resumed { id: self.id, number }).await?;
                    }
                    Ok(control) => self.on_control(control).await?,
                    Err(error) => {
                        tracing::debug!(kind = message.kind, %error, "a message of the mesh that cannot be read");
                        bad += 1;
                        self.on_bad(bad).await?;
                    }
                }
            }
            match self.stream.read_chunk(64 * 1024, true).await {
                Ok(Some(chunk)) => self.decoder.push(&chunk.bytes),
                Ok(None) | Err(_) => return Err(Stop::Gone),
            }
        }
    }

    async fn on_bad(&self, bad: u64) -> Result<(), Stop> {
        if let Some(link) = self.used.get() {
            link.odd(|odd| &mut odd.bad_messages);
        }
        if bad >= MAX_BAD {
            return Err(Stop::Nonsense);
        }
        if bad == 1 {
            let detail = "sends messages that make no sense; they are ignored";
            self.tell(Input::Odd { peer: self.peer, code: "bad-input", detail }).await?;
        }
        Ok(())
    }

    async fn on_control(&self, control: Control) -> Result<(), Stop> {
        let link = self.used.get();
        match control {
            Control::Ping(ping) => {
                let pong = Control::Pong(Pong { t: ping.t, host: clock::host_micros() });
                // A peer that does not read what it asks for gets no answer.
                let _ = self.orders.try_send(Order::Say(pong));
            }
            Control::Pong(pong) => {
                if let Some(link) = link {
                    link.on_pong(pong, clock::host_micros());
                }
            }
            Control::Confirm(number) => {
                if link.is_some_and(|link| !link.on_confirm(number)) {
                    return Err(Stop::Nonsense);
                }
            }
            Control::Unknown(kind) => {
                tracing::debug!(kind, "a message from the future");
                if link.is_some_and(|link| link.odd(|odd| &mut odd.unknown_messages)) {
                    let detail = "sends messages of a newer version; they are ignored";
                    self.tell(Input::Odd { peer: self.peer, code: "unknown-message", detail }).await?;
                }
            }
            control => self.tell(Input::Said { id: self.id, control }).await?,
        }
        Ok(())
    }

    async fn tell(&self, input: Input) -> Result<(), Stop> {
        self.inbox.send(input).await.map_err(|_| Stop::Gone)
    }
}

/// Takes the streams that the peer opens, reads their type and hands them up.
pub(in crate::mesh) async fn accept_streams(
    id: LinkId,
    connection: quinn::Connection,
    used: Arc<OnceLock<Arc<Link>>>,
    inbox: mpsc::Sender<Input>,
    tallies: Arc<Tallies>,
    tasks: task::Scope,
) {
    // quinn lets the peer have 64 open at once.
    while let Ok(mut stream) = connection.accept_uni().await {
        let (used, inbox, tallies) = (Arc::clone(&used), inbox.clone(), Arc::clone(&tallies));
        tasks.spawn(async move {
            let mut kind = [0];
            let read = stream.read_exact(&mut kind);
            if !matches!(tokio::time::timeout(Duration::from_secs(5), read).await, Ok(Ok(()))) {
                let _ = stream.stop(VarInt::from_u32(CLOSE_PROTOCOL));
                return;
            }
            if kind == [wire::STREAM_FILE] {
                let _ = inbox.send(Input::Stream { id, stream: RecvStream::new(stream, tallies) }).await;
            } else {
                let _ = stream.stop(VarInt::from_u32(CLOSE_PROTOCOL));
                if let Some(link) = used.get() {
                    link.odd(|odd| &mut odd.unknown_messages);
                }
            }
        });
    }
}
