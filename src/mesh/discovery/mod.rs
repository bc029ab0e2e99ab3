//! Ways to find peers. Each gives a [`Sighting`]; nothing in one is proven until a link is made.
//!
//! [`mdns`] is the one that runs without being asked. It announces who this is, how to reach it and which meetings are
//! open, and listens for others. What is confined to this machine ([`local`], `--interface lo`) speaks the same wire
//! format over a socket of its own that never leaves the loopback interface.
//!
//! [`txt`] and [`dns`] are the pure halves: what stands in the records, and how records stand in a packet.

use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;

use crate::id::{Instance, PeerId, RoomName};
use crate::share::DisplayName;
use crate::sighting::{Sighting, Source};

pub mod dns;
pub mod local;
pub mod mdns;
pub mod responder;
pub mod txt;

/// The DNS-SD service type (RFC 6763; the name has 9 of 15 allowed characters).
pub const SERVICE: &str = "_lets-meet._udp.local.";

/// Peers remembered by one source, so that their goodbye can be told. Overflow: further ones are not reported.
pub(crate) const MAX_KNOWN: usize = 1024;
/// Sightings that wait for the reader. Overflow: the source waits, and its own queue overflows.
pub(crate) const QUEUE: usize = 256;
/// How long a peer has to answer when it is asked whether it is still there.
pub(crate) const VERIFY_WITHIN: Duration = Duration::from_secs(3);

/// What is said about this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Who.
    pub peer: PeerId,
    /// Which run.
    pub instance: Instance,
    /// The name to show.
    pub name: DisplayName,
    /// The UDP port of the endpoint.
    pub port: u16,
    /// Open meetings; at most [`crate::sighting::MAX_ROOMS`] are said.
    pub rooms: Vec<RoomName>,
}

/// What to announce, and where.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// `None` says nothing at all (`--hidden`) and still listens.
    pub announcement: Option<Announcement>,
    /// Only these interfaces; all if empty.
    pub interfaces: Vec<String>,
}

/// Discovery that did not start. The meeting goes on without it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// No socket, or no thread.
    #[error("cannot look for people on this network ({0}); use --connect ADDRESS to reach somebody")]
    Start(String),
}

/// A record as a sighting.
pub(crate) fn sighting(record: &txt::Record, addresses: Vec<SocketAddr>) -> Sighting {
    Sighting {
        peer: Some(record.peer),
        instance: Some(record.instance),
        name: record.name.clone(),
        addresses,
        rooms: record.rooms.clone(),
        source: Source::Mdns,
        gone: false,
    }
}

/// The label of one process: nothing of a person, unique without asking.
pub(crate) fn label(peer: PeerId, instance: Instance) -> String {
    format!("{}-{instance}", peer.short())
}
