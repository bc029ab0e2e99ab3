//! The one UDP socket and QUIC endpoint of the process.
//!
//! Mesh and rendezvous share it: what one learns about the outside (an observed address, a hole in a NAT) is true for
//! the other only on the same socket. Each registers for its own ALPN name ([`Endpoint::accept`]) and gets whole
//! connections whose certificate is checked; the tasks behind it end with [`Endpoint::close`].
//!
//! Strangers cost little: handshakes that wait are counted for each source and in all, a busy endpoint asks sources to
//! prove their address first (RFC 9000, 8.1.2), and a handshake has five seconds. Packets that are not QUIC, and those
//! that came in by an interface that was not asked for, are counted and dropped below QUIC. What a person should know
//! of it waits in [`Endpoint::troubles`].

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, io};

use quinn::VarInt;
use quinn::crypto::rustls::{HandshakeData, QuicClientConfig, QuicServerConfig};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::identity::{Identity, PublicKey};
use crate::tls::{self, Alpn, Pin};
use crate::{slot, task};

mod socket;

use socket::{Counters, Filter};

/// The port when none is asked for; the nine after it are tried too.
pub const DEFAULT_PORT: u16 = 48190;
/// How many ports are tried, the default one included.
pub const PORTS: u16 = 10;
/// A handshake, ours or theirs, has this long.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
/// Handshakes of others that wait at once; more are refused.
const MAX_PENDING: usize = 128;
/// The same for one address; an honest one has a few.
const MAX_PENDING_OF_ONE: usize = 24;
/// From this many on, sources must prove their address.
const PROVE_FROM: usize = 32;
/// Connections in all. A room has 50 seats; the rest are visitors and links that replace others.
const MAX_CONNECTIONS: usize = 256;
/// Keep-alive; two missing ones make a peer suspected.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// Silence after which a connection is gone.
const IDLE_LIMIT: Duration = Duration::from_secs(7);
/// Longest wait with an acknowledgement: round trips are measured by them.
const ACK_DELAY: Duration = Duration::from_millis(5);
/// Media that waits here is late already: two or three pictures at most (measured, see `docs`).
pub const DATAGRAM_SEND_BUFFER: usize = 32 * 1024;
/// What one peer can make this process keep of streams that nobody reads.
const RECEIVE_WINDOW: u32 = 8 << 20;
/// A burst of a whole keyframe from each of many peers must fit.
const DATAGRAM_RECEIVE_BUFFER: usize = 2 << 20;
/// Addresses told to others.
const MAX_LISTEN: usize = 16;

/// Where to bind.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Exactly this port (0: any); without one [`DEFAULT_PORT`] or the next free of the nine after it.
    pub port: Option<u16>,
    /// Only these network interfaces; empty is all.
    pub interfaces: Vec<String>,
}

/// Why there is no endpoint.
#[derive(Debug, Error)]
pub enum Error {
    /// The port (or all ten from the default on) is in use. Choose another `--port`.
    #[error("UDP port {0} is taken; choose another with --port")]
    Taken(u16),
    /// There is no such network interface.
    #[error("there is no network interface {0}; `ip link` lists those that exist")]
    NoInterface(String),
    /// The system refuses for another reason.
    #[error("the network cannot be used: {0}")]
    System(#[from] io::Error),
    /// The key does not work for TLS.
    #[error("the identity key cannot be used for TLS: {0}")]
    Tls(String),
}

/// Why a dial gave no connection.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// Another key than the pinned one answered. Nothing was sent to it.
    #[error("another key than the expected one answered")]
    WrongKey,
    /// Nobody answered in [`HANDSHAKE_LIMIT`].
    #[error("nobody answered")]
    Timeout,
    /// It speaks another version of the protocol, or does not offer this one.
    #[error("the other side speaks another version of the protocol")]
    Version,
    /// It is busy, or closed the connection.
    #[error("the other side refused the connection: {0}")]
    Refused(String),
    /// The system cannot send there, or this endpoint is closing.
    #[error("this address cannot be reached from here: {0}")]
    Unreachable(String),
}

/// What strangers did that a person may want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It asked for a version of the protocol that is not spoken here.
    Version,
    /// Its packets are not QUIC.
    NotQuic,
    /// Its handshake made no sense.
    Handshake,
    /// It opened more connections than are allowed.
    TooMany,
}

/// One such report; at most one a minute for each cause and address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// Who, as far as its packets tell.
    pub from: IpAddr,
    /// What.
    pub cause: Cause,
}

/// UDP payload bytes since the start, everything included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Sent.
    pub sent: u64,
    /// Received.
    pub received: u64,
}

/// The congestion controllers of new connections, made by whoever knows what is sent (the mesh).
#[derive(Clone)]
pub struct Congestion(pub Arc<dyn quinn::congestion::ControllerFactory + Send + Sync>);

impl fmt::Debug for Congestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Congestion")
    }
}

#[derive(Debug)]
struct Inner {
    identity: Arc<Identity>,
    quinn: quinn::Endpoint,
    counters: Arc<Counters>,
    filter: Arc<Filter>,
    port: u16,
    connections: usize,
    state: Mutex<State>,
    tasks: task::Scope,
}

#[derive(Debug, Default)]
struct State {
    takers: BTreeMap<Alpn, mpsc::Sender<quinn::Connection>>,
    congestion: Option<Congestion>,
    pending: BTreeMap<IpAddr, usize>,
}

/// The number by which the system knows an interface: the scope of link-local addresses there.
pub fn interface_index(name: &str) -> Option<u32> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    all.into_iter().find(|interface| interface.name == name)?.index
}

/// An address as typed, `ADDR[:PORT]`; without a port it is [`DEFAULT_PORT`]. An interface may stand by its name.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let text = &numbered(text)?;
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    text.parse::<SocketAddr>()
        .ok()
        .or_else(|| bare.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, DEFAULT_PORT)))
        .or_else(|| format!("[{bare}]:{DEFAULT_PORT}").parse::<SocketAddr>().ok())
        .ok_or_else(|| format!("'{text}' is not an IP address; use 192.0.2.7, 192.0.2.7:48190 or [fe80::1%eth0]"))
}

/// `address` with the number of the interface where a name stands: the standard parsers know numbers only (RFC 4007,
/// section 11.2, has both).
fn numbered(address: &str) -> Result<String, String> {
    let Some((ip, rest)) = address.split_once('%') else { return Ok(address.to_owned()) };
    let (zone, port) = rest.find(']').map_or((rest, ""), |end| rest.split_at(end));
    if zone.parse::<u32>().is_ok() {
        return Ok(address.to_owned());
    }
    match interface_index(zone) {
        Some(index) => Ok(format!("{ip}%{index}{port}")),
        None => Err(format!("there is no network interface '{zone}' with an address")),
    }
}

/// Refuses interfaces that do not exist, for who looks at them without a socket of this kind.
pub fn check_interfaces(names: &[String]) -> Result<(), Error> {
    Filter::new(names.to_vec()).map(drop)
}

/// The process's endpoint. Cloning gives another handle to the same one.
#[derive(Debug, Clone)]
pub struct Endpoint(Arc<Inner>);

impl Endpoint {
    /// Binds the socket. Must be called inside a runtime.
    pub fn bind(config: Config, identity: Arc<Identity>) -> Result<Self, Error> {
        Self::bind_with(config, None, MAX_CONNECTIONS, identity)
    }

    /// Binds exactly this address (`[::]` is every address), for a service with this many connections. Must be called
    /// inside a runtime.
    pub fn bind_service(
        listen: SocketAddr,
        interfaces: Vec<String>,
        connections: usize,
        identity: Arc<Identity>,
    ) -> Result<Self, Error> {
        let address = (listen.ip() != IpAddr::from([0_u16; 8])).then_some(listen);
        Self::bind_with(Config { port: Some(listen.port()), interfaces }, address, connections, identity)
    }

    fn bind_with(
        config: Config,
        address: Option<SocketAddr>,
        connections: usize,
        identity: Arc<Identity>,
    ) -> Result<Self, Error> {
        let filter = Arc::new(Filter::new(config.interfaces)?);
        let counters = Arc::new(Counters::default());
        let (socket, port) = socket::bind(address, config.port, &filter, &counters)?;
        let mut settings = quinn::EndpointConfig::default();
        // With the fixed bit always set, a packet without it is known not to be QUIC.
        settings.grease_quic_bit(false);
        let runtime = Arc::new(quinn::TokioRuntime);
        let quinn = quinn::Endpoint::new_with_abstract_socket(settings, None, socket, runtime)?;
        let inner = Inner {
            identity,
            quinn,
            counters,
            filter,
            port,
            connections,
            state: Mutex::new(State::default()),
            tasks: task::Scope::new(),
        };
        let endpoint = Self(Arc::new(inner));
        let accepting = endpoint.clone();
        endpoint.0.tasks.spawn(async move { accepting.run().await });
        tracing::info!(port, "bound");
        Ok(endpoint)
    }

    /// Dials `address` and waits for the handshake.
    pub async fn connect(&self, address: SocketAddr, pin: Pin, alpn: Alpn) -> Result<quinn::Connection, ConnectError> {
        self.connect_as(address, pin, alpn.name().as_bytes()).await
    }

    /// As [`connect`](Self::connect), with any protocol name.
    pub async fn connect_as(
        &self,
        address: SocketAddr,
        pin: Pin,
        alpn: &[u8],
    ) -> Result<quinn::Connection, ConnectError> {
        let unreachable = |error: &dyn fmt::Display| ConnectError::Unreachable(error.to_string());
        let (tls, verifier) = tls::dialer(&self.0.identity, alpn, pin).map_err(|e| unreachable(&e))?;
        let tls = QuicClientConfig::try_from(tls).map_err(|e| unreachable(&e))?;
        let mut config = quinn::ClientConfig::new(Arc::new(tls));
        config.transport_config(Arc::new(transport(self.lock().congestion.as_ref())));
        let connecting =
            self.0.quinn.connect_with(config, address, tls::SERVER_NAME).map_err(|error| unreachable(&error))?;
        match tokio::time::timeout(HANDSHAKE_LIMIT, connecting).await {
            Err(_) => Err(ConnectError::Timeout),
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(_)) if verifier.saw_wrong_key() => Err(ConnectError::WrongKey),
            Ok(Err(error)) => Err(connect_error(&error)),
        }
    }

    /// Takes over the incoming connections of one protocol. Registering again replaces the earlier taker. The queue
    /// holds 64; when it is full, connections are refused.
    pub fn accept(&self, alpn: Alpn) -> mpsc::Receiver<quinn::Connection> {
        let (taker, connections) = mpsc::channel(64);
        self.lock().takers.insert(alpn, taker);
        self.configure();
        connections
    }

    /// Uses these congestion controllers for every connection made from now on.
    pub fn set_congestion(&self, congestion: Congestion) {
        self.lock().congestion = Some(congestion);
        self.configure();
    }

    /// Concrete addresses at which this endpoint may be reached: no wildcards, IPv6 link-local ones with their scope.
    /// Loopback addresses only where there is nothing else.
    pub fn listen_addresses(&self) -> Vec<SocketAddr> {
        let bound = self.0.quinn.local_addr().ok();
        if let Some(bound) = bound.filter(|address| !address.ip().is_unspecified()) {
            return vec![bound];
        }
        let ipv6 = bound.is_some_and(|address| address.is_ipv6());
        let mut all = self.0.filter.listen_addresses(self.0.port);
        all.retain(|address| ipv6 || address.is_ipv4());
        all.truncate(MAX_LISTEN);
        all
    }

    /// The UDP port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// What strangers did. The queue holds 64 and drops the oldest; one reader at a time.
    pub fn troubles(&self) -> slot::Ring<Trouble> {
        self.0.counters.troubles.clone()
    }

    /// All UDP payload so far.
    pub fn traffic(&self) -> Traffic {
        self.0.counters.traffic()
    }

    /// Closes every connection and waits up to a second for the last packets to leave.
    pub async fn close(&self, reason: &str) {
        self.0.quinn.close(VarInt::from_u32(0), reason.as_bytes());
        let _ = tokio::time::timeout(Duration::from_secs(1), self.0.quinn.wait_idle()).await;
        self.0.tasks.finish(Duration::from_millis(500)).await;
        self.lock().takers.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn configure(&self) {
        let state = self.lock();
        let alpn: Vec<Alpn> = state.takers.keys().copied().collect();
        if alpn.is_empty() {
            // Nobody takes connections yet.
            return;
        }
        let made = tls::acceptor(&self.0.identity, &alpn)
            .map_err(|error| error.to_string())
            .and_then(|tls| QuicServerConfig::try_from(tls).map_err(|error| error.to_string()));
        match made {
            Ok(tls) => {
                let mut config = quinn::ServerConfig::with_crypto(Arc::new(tls));
                config
                    .transport_config(Arc::new(transport(state.congestion.as_ref())))
                    .max_incoming(MAX_PENDING)
                    .incoming_buffer_size(16 * 1024)
                    .incoming_buffer_size_total(1 << 20);
                self.0.quinn.set_server_config(Some(config));
            }
            Err(error) => tracing::error!(error, "no connection can be accepted"),
        }
    }

    async fn run(self) {
        loop {
            let incoming = tokio::select! {
                biased;
                () = self.0.tasks.cancelled() => return,
                incoming = self.0.quinn.accept() => incoming,
            };
            match incoming {
                Some(incoming) => self.on_incoming(incoming),
                None => return,
            }
        }
    }

    fn on_incoming(&self, incoming: quinn::Incoming) {
        let source = incoming.remote_address().ip().to_canonical();
        let mut state = self.lock();
        let all: usize = state.pending.values().sum();
        let of_one = state.pending.get(&source).copied().unwrap_or(0);
        let full = all >= MAX_PENDING || self.0.quinn.open_connections() >= self.0.connections;
        if full || of_one >= MAX_PENDING_OF_ONE {
            drop(state);
            self.0.counters.report(source, Cause::TooMany);
            incoming.refuse();
            return;
        }
        if all >= PROVE_FROM && incoming.may_retry() && !incoming.remote_address_validated() {
            let _ = incoming.retry();
            return;
        }
        *state.pending.entry(source).or_insert(0) += 1;
        drop(state);
        let endpoint = self.clone();
        self.0.tasks.spawn(async move {
            endpoint.shake_hands(incoming, source).await;
            let mut state = endpoint.lock();
            if let Some(count) = state.pending.get_mut(&source) {
                *count -= 1;
                if *count == 0 {
                    state.pending.remove(&source);
                }
            }
        });
    }

    async fn shake_hands(&self, incoming: quinn::Incoming, source: IpAddr) {
        // The first flight is read by `accept` already.
        let result = match incoming.accept() {
            Ok(connecting) => tokio::time::timeout(HANDSHAKE_LIMIT, connecting).await,
            Err(error) => Ok(Err(error)),
        };
        let connection = match result {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                tracing::debug!(%source, %error, "handshake failed");
                if connect_error(&error) == ConnectError::Version {
                    self.0.counters.report(source, Cause::Version);
                } else if matches!(error, quinn::ConnectionError::TransportError(_)) {
                    // A dialer that pinned another key, or lost interest, closes: that is no trouble.
                    self.0.counters.report(source, Cause::Handshake);
                }
                return;
            }
            // Killed meanwhile, or out of reach: that happens to honest peers.
            Err(_) => return,
        };
        let taker = alpn_of(&connection).and_then(|alpn| self.lock().takers.get(&alpn).cloned());
        let taken = taker.is_some_and(|taker| taker.try_send(connection.clone()).is_ok());
        if !taken {
            connection.close(VarInt::from_u32(0), b"busy");
            self.0.counters.report(source, Cause::TooMany);
        }
    }
}

/// The key that the other side of a connection proved to hold.
pub fn public_key(connection: &quinn::Connection) -> Option<PublicKey> {
    let chain = connection.peer_identity()?.downcast::<Vec<rustls::pki_types::CertificateDer<'static>>>().ok()?;
    tls::key_of(chain.first()?)
}

/// `address` without the IPv4-in-IPv6 form of dual-stack sockets.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => (ip, address.port()).into(),
        IpAddr::V6(_) => address,
    }
}

fn alpn_of(connection: &quinn::Connection) -> Option<Alpn> {
    let data = connection.handshake_data()?.downcast::<HandshakeData>().ok()?;
    Alpn::from_name(data.protocol.as_deref()?)
}

/// The TLS alert `no_application_protocol` as a QUIC error (RFC 9001, 4.8).
const NO_APPLICATION_PROTOCOL: u64 = 0x100 + 120;

fn connect_error(error: &quinn::ConnectionError) -> ConnectError {
    use quinn::ConnectionError as E;
    match error {
        E::VersionMismatch => ConnectError::Version,
        E::TransportError(inner) if u64::from(inner.code) == NO_APPLICATION_PROTOCOL => ConnectError::Version,
        E::ConnectionClosed(inner) if u64::from(inner.error_code) == NO_APPLICATION_PROTOCOL => ConnectError::Version,
        E::TimedOut => ConnectError::Timeout,
        E::LocallyClosed | E::CidsExhausted => ConnectError::Unreachable("this side is closing".to_owned()),
        other => ConnectError::Refused(crate::share::visible(&other.to_string()).chars().take(120).collect()),
    }
}

fn transport(congestion: Option<&Congestion>) -> quinn::TransportConfig {
    let mut acks = quinn::AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(VarInt::from_u32(1)).max_ack_delay(Some(ACK_DELAY));
    let mut config = quinn::TransportConfig::default();
    config
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(IDLE_LIMIT.try_into().ok())
        .ack_frequency_config(Some(acks))
        .datagram_send_buffer_size(DATAGRAM_SEND_BUFFER)
        .datagram_receive_buffer_size(Some(DATAGRAM_RECEIVE_BUFFER))
        .receive_window(RECEIVE_WINDOW.into())
        .max_concurrent_bidi_streams(VarInt::from_u32(8))
        .max_concurrent_uni_streams(VarInt::from_u32(64));
    if let Some(congestion) = congestion {
        config.congestion_controller_factory(Arc::new(Factory(congestion.clone())));
    }
    config
}

// quinn takes a sized factory only.
struct Factory(Congestion);

impl quinn::congestion::ControllerFactory for Factory {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn quinn::congestion::Controller> {
        Arc::clone(&self.0.0).build(now, mtu)
    }
}
