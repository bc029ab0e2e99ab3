//! The rendezvous: an optional service where people claim unique names and find one another beyond the local network.
//!
//! What it is trusted with is little. It decides who holds a name (first come, first served, as long as the holder is
//! seen), and it repeats what peers say about themselves. It cannot speak for them: a claim and a presence record are
//! signed by their owner's key for this one service ([`record`]), and whoever looks them up verifies them. Links that
//! come out of it are pinned to the owner's key, so a lie about an address costs a failed dial. It never sees a
//! passphrase, a line of chat or a picture; rooms are known to it as hashes. What it does learn is written down in
//! `SECURITY.md`: keys, names, addresses, and who asks for whom.
//!
//! Pure: [`wire`] (messages), [`record`] (what is signed), [`registry`] (who holds what), [`limit`] (how much of it),
//! [`lease`] (when to renew, when to try again), [`errands`] (what a peer has to do at its service). Shells: [`store`] (SQLite), [`pin`] (what the profile remembers of services), [`client`], [`server`].
//!
//! Losing the service ends no meeting: the one who looks for it says so once, tries again with growing pauses, and
//! publishes anew when it is back.

pub mod client;
pub mod errands;
pub mod lease;
pub mod limit;
pub mod pin;
pub mod record;
pub mod registry;
pub mod server;
pub mod store;
pub mod wire;

pub use crate::service::{self, DEFAULT_PORT};
