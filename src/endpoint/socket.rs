//! The UDP socket under the endpoint: bound to the interfaces that were asked for, every packet counted, strangers'
//! packets dropped before QUIC sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime as _};

use super::{Cause, DEFAULT_PORT, Error, PORTS, Traffic, Trouble};
use crate::{clock, slot};

/// What the socket asks the system for; the system may give less.
const SOCKET_BUFFER: usize = 4 << 20;

/// A bound socket with everything around it, and its port.
pub(super) fn bind(
    address: Option<SocketAddr>,
    port: Option<u16>,
    filter: &Arc<Filter>,
    counters: &Arc<Counters>,
) -> Result<(Arc<dyn AsyncUdpSocket>, u16), Error> {
    let (socket, port) = bind_one_of(address, port, filter)?;
    let inner = quinn::TokioRuntime.wrap_udp_socket(socket.into())?;
    let watched = Watched { inner, counters: Arc::clone(counters), filter: Arc::clone(filter) };
    Ok((Arc::new(watched), port))
}

fn bind_one_of(
    address: Option<SocketAddr>,
    port: Option<u16>,
    filter: &Filter,
) -> Result<(socket2::Socket, u16), Error> {
    let ports = match port {
        Some(port) => port..=port,
        None => DEFAULT_PORT..=DEFAULT_PORT + PORTS - 1,
    };
    let first = *ports.start();
    for port in ports {
        match bind_socket(address, port, filter) {
            Ok(socket) => {
                let bound = socket.local_addr()?.as_socket().map_or(port, |address| address.port());
                return Ok((socket, bound));
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Taken(first))
}

/// The address that was asked for; without one dual stack where the system has IPv6, else IPv4 alone.
fn bind_socket(address: Option<SocketAddr>, port: u16, filter: &Filter) -> io::Result<socket2::Socket> {
    let bind = |domain, address: SocketAddr| {
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
        if domain == socket2::Domain::IPV6 {
            socket.set_only_v6(false)?;
        }
        filter.confine(&socket);
        // The system may give less than asked for.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok::<_, io::Error>(socket)
    };
    if let Some(mut address) = address {
        address.set_port(port);
        return bind(socket2::Domain::for_address(address), address);
    }
    match bind(socket2::Domain::IPV6, (Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            bind(socket2::Domain::IPV4, (Ipv4Addr::UNSPECIFIED, port).into())
        }
        other => other,
    }
}

const LOOPBACK_RANK: u8 = 9;

/// The order in which addresses are told: what works for most first.
fn rank(ip: IpAddr) -> u8 {
    match ip {
        ip if ip.is_loopback() => LOOPBACK_RANK,
        IpAddr::V4(ip) if ip.is_link_local() => 4,
        IpAddr::V4(_) => 0,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => 3,
        IpAddr::V6(_) => 1,
    }
}

fn with_scope(ip: IpAddr, port: u16, scope: u32) -> SocketAddr {
    match ip {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => SocketAddrV6::new(ip, port, 0, scope).into(),
        ip => (ip, port).into(),
    }
}

/// Which interfaces may be used.
#[derive(Debug)]
pub(super) struct Filter {
    interfaces: Vec<String>,
    /// Own addresses on those interfaces, and when they were read; empty interfaces need none.
    own: Mutex<(BTreeSet<IpAddr>, Option<Instant>)>,
}

impl Filter {
    pub(super) fn new(interfaces: Vec<String>) -> Result<Self, Error> {
        let filter = Self { interfaces, own: Mutex::default() };
        if !filter.interfaces.is_empty() {
            let known = if_addrs::get_if_addrs()?;
            for name in &filter.interfaces {
                // An interface without an address is not listed there.
                let exists = known.iter().any(|i| i.name == *name)
                    || (!name.contains('/') && std::path::Path::new("/sys/class/net").join(name).exists());
                if !exists {
                    return Err(Error::NoInterface(crate::share::visible(name)));
                }
            }
        }
        Ok(filter)
    }

    /// Ties the socket to the interface when there is exactly one; the system then neither sends nor receives by
    /// another. Where the system refuses, and for several interfaces, packets are judged by their destination.
    fn confine(&self, socket: &socket2::Socket) {
        #[cfg(target_os = "linux")]
        if let [only] = self.interfaces.as_slice()
            && let Err(error) = socket.bind_device(Some(only.as_bytes()))
        {
            tracing::warn!(%error, "the socket cannot be tied to the interface; packets are filtered instead");
        }
        #[cfg(not(target_os = "linux"))]
        let _ = socket;
    }

    /// Addresses to tell to others, best first; loopback only where there is nothing else.
    pub(super) fn listen_addresses(&self, port: u16) -> Vec<SocketAddr> {
        let mut all: Vec<(u8, SocketAddr)> =
            self.addresses().into_iter().map(|(ip, scope)| (rank(ip), with_scope(ip, port, scope))).collect();
        all.sort_unstable();
        if all.iter().any(|(rank, _)| *rank < LOOPBACK_RANK) {
            all.retain(|(rank, _)| *rank < LOOPBACK_RANK);
        }
        all.into_iter().map(|(_, address)| address).collect()
    }

    /// Addresses on the allowed interfaces, with the scope of each.
    fn addresses(&self) -> Vec<(IpAddr, u32)> {
        let all = if_addrs::get_if_addrs().unwrap_or_default();
        all.iter()
            .filter(|i| self.interfaces.is_empty() || self.interfaces.contains(&i.name))
            .map(|i| (i.ip(), i.index.unwrap_or(0)))
            .collect()
    }

    /// True when a packet to `destination` came in by an allowed interface, as far as one can tell.
    fn allows(&self, destination: Option<IpAddr>) -> bool {
        let Some(ip) = destination.map(|ip| ip.to_canonical()) else { return true };
        if self.interfaces.is_empty() {
            return true;
        }
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if own.0.contains(&ip) {
            return true;
        }
        // A new address may have appeared; looking once a second is enough.
        let now = clock::now();
        if own.1.is_none_or(|at| now.saturating_duration_since(at) > Duration::from_secs(1)) {
            *own = (self.addresses().into_iter().map(|(ip, _)| ip).collect(), Some(now));
        }
        own.0.contains(&ip)
    }
}

/// What passed, and who made trouble.
#[derive(Debug)]
pub(super) struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
    pub(super) troubles: slot::Ring<Trouble>,
    reported: Mutex<BTreeMap<(Cause, IpAddr), Instant>>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            // Overflow: the oldest report is dropped.
            troubles: slot::Ring::new(64),
            reported: Mutex::default(),
        }
    }
}

impl Counters {
    pub(super) fn traffic(&self) -> Traffic {
        Traffic { sent: self.sent.load(Ordering::Relaxed), received: self.received.load(Ordering::Relaxed) }
    }

    pub(super) fn report(&self, from: IpAddr, cause: Cause) {
        const AGAIN: Duration = Duration::from_secs(60);
        const MOST: usize = 256;
        let now = clock::now();
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.len() >= MOST {
            reported.retain(|_, at| now.saturating_duration_since(*at) < AGAIN);
        }
        let known = reported.get(&(cause, from)).is_some_and(|at| now.saturating_duration_since(*at) < AGAIN);
        if !known && reported.len() < MOST {
            reported.insert((cause, from), now);
            drop(reported);
            self.troubles.push(Trouble { from, cause });
        }
    }
}

/// The shortest packet that QUIC can make sense of: a short header, an empty connection id and a protected payload.
const SHORTEST_QUIC: usize = 21;
/// Always set in packets of QUIC version 1 when nobody negotiated otherwise (RFC 9000, 17.2; RFC 9287).
const FIXED_BIT: u8 = 0x40;

/// The socket, with every packet counted and strangers' packets dropped.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn AsyncUdpSocket>,
    counters: Arc<Counters>,
    filter: Arc<Filter>,
}

impl Watched {
    fn judge(&self, buffer: &[u8], meta: &mut RecvMeta) {
        self.counters.received.fetch_add(meta.len as u64, Ordering::Relaxed);
        if !self.filter.allows(meta.dst_ip) {
            meta.len = 0;
            return;
        }
        let first = buffer.first().copied().unwrap_or(0);
        if meta.len < SHORTEST_QUIC || first & FIXED_BIT == 0 {
            self.counters.report(meta.addr.ip().to_canonical(), Cause::NotQuic);
            meta.len = 0;
        }
    }
}

impl AsyncUdpSocket for Watched {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn quinn::UdpPoller>> {
        Arc::clone(&self.inner).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let result = self.inner.try_send(transmit);
        if result.is_ok() {
            self.counters.sent.fetch_add(transmit.contents.len() as u64, Ordering::Relaxed);
        }
        result
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let count = std::task::ready!(self.inner.poll_recv(cx, buffers, meta))?;
        for (buffer, meta) in buffers.iter().zip(meta.iter_mut()).take(count) {
            self.judge(buffer, meta);
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}
