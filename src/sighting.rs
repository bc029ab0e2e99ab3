//! A sighting: somebody or something says that a peer may be reached at some addresses. mDNS, gossip, a rendezvous and
//! a typed address all speak this one word. Nothing in it is proven until a link is made.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::id::{Instance, PeerId, RoomName};
use crate::share::DisplayName;

/// Addresses kept of one sighting; more are ignored.
pub const MAX_ADDRESSES: usize = 16;
/// Rooms kept of one sighting; more are ignored.
pub const MAX_ROOMS: usize = 4;

/// Who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Multicast DNS on the local network.
    Mdns,
    /// Remembered from an earlier run.
    Cache,
    /// A unicast sweep of the subnet.
    Sweep,
    /// A peer that is linked to it.
    Gossip,
    /// The rendezvous service.
    Rendezvous,
    /// Typed by a person, or in a link.
    Manual,
}

/// A claim that a peer may be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Who, when that is known: a link to it is pinned to this key. A typed address has none.
    pub peer: Option<PeerId>,
    /// Which run of it, when known.
    pub instance: Option<Instance>,
    /// The name it announces.
    pub name: Option<DisplayName>,
    /// Where, best first; IPv6 link-local addresses keep their scope id.
    pub addresses: Vec<SocketAddr>,
    /// The open meetings that it announces.
    pub rooms: Vec<RoomName>,
    /// Who said so.
    pub source: Source,
    /// It said goodbye: forget what this source said before.
    pub gone: bool,
}
