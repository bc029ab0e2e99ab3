//! Discovery confined to this machine, for `--interface lo`: multicast DNS over the loopback interface alone, without
//! any rights, and without a single packet on another interface.
//!
//! The socket joins the group on 127.0.0.1 and sends there (on Linux that works although `lo` has no MULTICAST flag;
//! IPv6 multicast does not). What has another source address than loopback is dropped, since a socket on the mDNS port
//! may also hear what others on this machine have joined for. The decisions are in [`super::responder`].

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use crate::clock;
use crate::sighting::Sighting;
use crate::task::Scope;

use super::dns::MAX_PACKET;
use super::mdns::Command;
use super::responder::Responder;
use super::{Config, Error};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;
/// A receive error (the network's answer to an earlier send) is followed by this pause.
const PAUSE: Duration = Duration::from_millis(50);

/// True if all these interfaces are loopback ones, and there is one.
pub(super) fn confined(interfaces: &[String]) -> bool {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    let loopback = |name: &String| all.iter().any(|one| one.name == *name && one.is_loopback());
    !interfaces.is_empty() && interfaces.iter().all(loopback)
}

pub(super) fn start(
    config: Config,
    inbox: mpsc::Receiver<Command>,
    sightings: mpsc::Sender<Sighting>,
    scope: &Scope,
) -> Result<(), Error> {
    let socket = bind(PORT).map_err(|error| Error::Start(error.to_string()))?;
    let responder = Responder::new(clock::now(), config.announcement);
    let stop = scope.clone();
    scope.spawn(run(socket, responder, inbox, sightings, stop));
    Ok(())
}

fn bind(port: u16) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    socket.join_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST)?;
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST)?;
    socket.set_multicast_loop_v4(true)?;
    // RFC 6762, section 11. The interface keeps it here, not the lifetime.
    socket.set_multicast_ttl_v4(255)?;
    UdpSocket::from_std(socket.into())
}

async fn run(
    socket: UdpSocket,
    mut responder: Responder,
    mut inbox: mpsc::Receiver<Command>,
    sightings: mpsc::Sender<Sighting>,
    scope: Scope,
) {
    let group = SocketAddr::from((GROUP, PORT));
    let mut packet = vec![0; MAX_PACKET];
    let done = loop {
        let now = clock::now();
        while let Some(packet) = responder.poll_packet(now) {
            if let Err(error) = socket.send_to(&packet, group).await {
                tracing::debug!(%error, "a discovery packet was not sent");
            }
        }
        while let Some(sighting) = responder.poll_sighting(now) {
            if sightings.send(sighting).await.is_err() {
                // Nobody listens any more.
                return;
            }
        }
        tokio::select! {
            biased;
            () = scope.cancelled() => break None,
            command = inbox.recv() => match command {
                Some(Command::Announce(announcement)) => responder.announce(clock::now(), announcement),
                Some(Command::Verify(peer)) => responder.verify(clock::now(), peer),
                Some(Command::Shutdown(done)) => break Some(done),
                None => break None,
            },
            received = socket.recv_from(&mut packet) => match received {
                Ok((size, from)) if from.ip().is_loopback() => responder.on_packet(clock::now(), &packet[..size]),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "a discovery packet was not received");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            () = sleep_until(responder.poll_timeout()) => {}
        }
    };
    if let Some(packet) = responder.goodbye() {
        let _ = socket.send_to(&packet, group).await;
    }
    if let Some(done) = done {
        let _ = done.send(());
    }
}

/// Sleeps until `at`; for ever without one.
pub(super) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
