//! Sans-IO.
//! Signed records: what a peer says of itself, in a form that nobody else can make.
//!
//! A [`Claim`] says "this key holds this name", a [`Release`] takes it back, a [`Presence`] says where a run of a peer
//! may be reached and in which rooms it is. Each is signed by the owner's Ed25519 key over a fixed encoding that
//! starts with words naming its purpose and with the id of the service it is meant for, so that a signature is of no
//! use for another purpose or at another service.
//!
//! Each carries a stamp (Unix milliseconds, always rising for one owner) and a lifetime. A replayed record has an old
//! stamp: the service takes only newer ones, and whoever looks up refuses what is older than it has seen
//! ([`crate::rendezvous::pin`]) or past its lifetime. The encoding is not CBOR, because bytes that are signed must have
//! exactly one form:
//!
//! ```text
//! words | 0 | service id (32) | owner's key (32) | stamp u64 | lifetime in ms u64 | fields, each u16 length + bytes
//! ```

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::{Instance, PeerId, RoomId, Username};
use crate::identity::{Identity, PublicKey, Signature};
use crate::share::DisplayName;
use crate::sighting::{MAX_ADDRESSES, MAX_ROOMS};

/// How far a signer's clock may be from the reader's. Wrong clocks are common; a day lets them through and still
/// bounds how long a record outlives its lifetime.
pub const CLOCK_SLACK_MS: u64 = 24 * 3600 * 1000;
/// Longest lifetime of any record: a service with a longer lease is not believed.
pub const MAX_LIFETIME_MS: u64 = 400 * 24 * 3600 * 1000;
/// Longest text form of an address: an IPv6 address with a scope and a port has 60.
const MAX_ADDRESS_TEXT: usize = 64;

const CLAIM: &str = "lets-meet 2026 rendezvous claim";
const RELEASE: &str = "lets-meet 2026 rendezvous release";
const PRESENCE: &str = "lets-meet 2026 rendezvous presence";

/// A record that is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Flaw {
    /// Not signed by the key it names, for this service.
    #[error("the signature does not fit")]
    Signature,
    /// Its lifetime is over, by the reader's clock and with [`CLOCK_SLACK_MS`].
    #[error("it is out of date")]
    Expired,
    /// Stamped in the future by more than [`CLOCK_SLACK_MS`].
    #[error("it comes from the future; a clock is wrong")]
    Future,
    /// Too many addresses or rooms, a text that is no address, or a lifetime without bounds.
    #[error("it is over a limit")]
    Limit,
}

/// "This key holds this name."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The owner.
    pub key: PublicKey,
    /// The name, as the owner writes it.
    pub name: Username,
    /// Unix milliseconds when it was signed; rising for one owner.
    pub stamp: u64,
    /// For how long, in milliseconds.
    pub lifetime: u64,
    /// Over all of it.
    pub signature: Signature,
}

impl Claim {
    /// Signs a claim for `service`.
    pub fn sign(identity: &Identity, service: PeerId, name: Username, stamp: u64, lifetime: u64) -> Self {
        let key = identity.public_key();
        let signature = identity.sign(&signed_name(CLAIM, service, key, stamp, lifetime, &name));
        Self { key, name, stamp, lifetime, signature }
    }

    /// Checks the signature and the times; gives the owner.
    pub fn verify(&self, service: PeerId, now: u64) -> Result<PeerId, Flaw> {
        in_time(self.stamp, self.lifetime, now)?;
        let message = signed_name(CLAIM, service, self.key, self.stamp, self.lifetime, &self.name);
        verified(self.key, &message, &self.signature)
    }

    /// When it ends, in Unix milliseconds.
    pub fn expires(&self) -> u64 {
        self.stamp.saturating_add(self.lifetime)
    }
}

/// "This key holds this name no longer."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The owner.
    pub key: PublicKey,
    /// The name.
    pub name: Username,
    /// Unix milliseconds when it was signed.
    pub stamp: u64,
    /// Over all of it.
    pub signature: Signature,
}

impl Release {
    /// Signs a release for `service`.
    pub fn sign(identity: &Identity, service: PeerId, name: Username, stamp: u64) -> Self {
        let key = identity.public_key();
        let signature = identity.sign(&signed_name(RELEASE, service, key, stamp, 0, &name));
        Self { key, name, stamp, signature }
    }

    /// Checks the signature; gives the owner.
    pub fn verify(&self, service: PeerId, now: u64) -> Result<PeerId, Flaw> {
        in_time(self.stamp, CLOCK_SLACK_MS, now)?;
        verified(self.key, &signed_name(RELEASE, service, self.key, self.stamp, 0, &self.name), &self.signature)
    }
}

/// "This run of me may be reached here, and is in these rooms."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Who.
    pub key: PublicKey,
    /// Which run.
    pub instance: Instance,
    /// The display name, a claim like any other.
    #[serde(default)]
    pub name: Option<DisplayName>,
    /// Where: `IP:port`, best first, without scopes.
    pub addresses: Vec<Address>,
    /// The rooms, by their hash.
    pub rooms: Vec<RoomId>,
    /// Unix milliseconds when it was signed; rising for one run.
    pub stamp: u64,
    /// For how long, in milliseconds.
    pub lifetime: u64,
    /// Over all of it.
    pub signature: Signature,
}

/// What a presence says, before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// Which run.
    pub instance: Instance,
    /// The display name; none for who wants to be unnamed.
    pub name: Option<DisplayName>,
    /// Where, best first. What makes no sense elsewhere is left out, and what is over the limit.
    pub addresses: Vec<SocketAddr>,
    /// The rooms.
    pub rooms: Vec<RoomId>,
}

impl Presence {
    /// Signs a presence for `service`.
    pub fn sign(identity: &Identity, service: PeerId, says: &Whereabouts, stamp: u64, lifetime: u64) -> Self {
        let mut addresses: Vec<Address> = Vec::new();
        for address in says.addresses.iter().filter_map(|a| Address::new(*a)) {
            if addresses.len() < MAX_ADDRESSES && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let rooms = says.rooms.iter().copied().take(MAX_ROOMS).collect();
        let key = identity.public_key();
        let signature = Signature::from_bytes([0; 64]);
        let name = says.name.clone();
        let mut record = Self { key, instance: says.instance, name, addresses, rooms, stamp, lifetime, signature };
        record.signature = identity.sign(&record.signed(service));
        record
    }

    /// Checks limits, times and the signature; gives the owner.
    pub fn verify(&self, service: PeerId, now: u64) -> Result<PeerId, Flaw> {
        if self.addresses.len() > MAX_ADDRESSES || self.rooms.len() > MAX_ROOMS {
            return Err(Flaw::Limit);
        }
        in_time(self.stamp, self.lifetime, now)?;
        verified(self.key, &self.signed(service), &self.signature)
    }

    fn signed(&self, service: PeerId) -> Vec<u8> {
        let mut out = head(PRESENCE, service, self.key, self.stamp, self.lifetime);
        field(&mut out, &self.instance.as_u64().to_be_bytes());
        field(&mut out, self.name.as_ref().map_or("", DisplayName::as_str).as_bytes());
        field(&mut out, &[u8::try_from(self.addresses.len()).unwrap_or(u8::MAX)]);
        for address in &self.addresses {
            field(&mut out, address.0.to_string().as_bytes());
        }
        for room in &self.rooms {
            field(&mut out, room.as_bytes());
        }
        out
    }
}

/// An address that means the same to everybody: a port, and an IP that is neither unspecified, multicast, broadcast
/// nor link-local. Text on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(SocketAddr);

impl Address {
    /// Checks `address`; IPv4 addresses in IPv6 clothes are undressed. `None` when it makes no sense elsewhere.
    pub fn new(address: SocketAddr) -> Option<Self> {
        let ip = address.ip().to_canonical();
        let bad = match ip {
            IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.octets()[0] == 0,
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        if bad || ip.is_unspecified() || ip.is_multicast() || address.port() == 0 {
            return None;
        }
        Some(Self(SocketAddr::new(ip, address.port())))
    }

    /// The address.
    pub const fn get(self) -> SocketAddr {
        self.0
    }

    /// True for `127.0.0.0/8` and `::1`: of use only between peers and a service on one machine.
    pub const fn is_loopback(self) -> bool {
        self.0.ip().is_loopback()
    }
}

impl TryFrom<String> for Address {
    type Error = Flaw;

    fn try_from(text: String) -> Result<Self, Flaw> {
        if text.len() > MAX_ADDRESS_TEXT {
            return Err(Flaw::Limit);
        }
        text.parse().ok().and_then(Self::new).ok_or(Flaw::Limit)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0.to_string()
    }
}

fn in_time(stamp: u64, lifetime: u64, now: u64) -> Result<(), Flaw> {
    if lifetime > MAX_LIFETIME_MS {
        return Err(Flaw::Limit);
    }
    if stamp > now.saturating_add(CLOCK_SLACK_MS) {
        return Err(Flaw::Future);
    }
    let end = stamp.saturating_add(lifetime).saturating_add(CLOCK_SLACK_MS);
    if end < now { Err(Flaw::Expired) } else { Ok(()) }
}

fn verified(key: PublicKey, message: &[u8], signature: &Signature) -> Result<PeerId, Flaw> {
    if key.verify(message, signature) { Ok(key.peer_id()) } else { Err(Flaw::Signature) }
}

fn signed_name(words: &str, service: PeerId, key: PublicKey, stamp: u64, lifetime: u64, name: &Username) -> Vec<u8> {
    let mut out = head(words, service, key, stamp, lifetime);
    field(&mut out, name.as_str().as_bytes());
    out
}

fn head(words: &str, service: PeerId, key: PublicKey, stamp: u64, lifetime: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(words.as_bytes());
    out.push(0);
    out.extend_from_slice(service.as_bytes());
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(&stamp.to_be_bytes());
    out.extend_from_slice(&lifetime.to_be_bytes());
    out
}

fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).expect("fields are names, ids and addresses, all short");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;
    const HOUR: u64 = 3_600_000;

    fn service(byte: u8) -> PeerId {
        PeerId::from_bytes([byte; 32])
    }

    fn name(text: &str) -> Username {
        Username::new(text).expect("valid")
    }

    fn says(addresses: &[&str]) -> Whereabouts {
        Whereabouts {
            instance: Instance::from_u64(7),
            name: Some(DisplayName::new("Alice")),
            addresses: addresses.iter().map(|a| a.parse().expect("address")).collect(),
            rooms: vec![RoomId::from_bytes([3; 32])],
        }
    }

    #[test]
    fn a_claim_is_believed_as_signed_and_no_other_way() {
        let identity = Identity::generate();
        let claim = Claim::sign(&identity, service(1), name("Alice"), NOW, HOUR);
        assert_eq!(claim.verify(service(1), NOW), Ok(identity.peer_id()));
        assert_eq!(claim.verify(service(2), NOW), Err(Flaw::Signature), "another service");
        let changed = [
            Claim { name: name("Alicia"), ..claim.clone() },
            Claim { name: name("alice"), ..claim.clone() },
            Claim { key: Identity::generate().public_key(), ..claim.clone() },
            Claim { stamp: NOW + 1, ..claim.clone() },
            Claim { lifetime: HOUR + 1, ..claim.clone() },
            Claim { signature: Signature::from_bytes([9; 64]), ..claim.clone() },
        ];
        for forged in changed {
            assert_eq!(forged.verify(service(1), NOW), Err(Flaw::Signature), "{forged:?}");
        }
    }

    #[test]
    fn a_release_is_no_claim_and_a_claim_no_release() {
        let identity = Identity::generate();
        let claim = Claim::sign(&identity, service(1), name("Alice"), NOW, 0);
        let Claim { key, name, stamp, signature, .. } = claim;
        assert_eq!(Release { key, name, stamp, signature }.verify(service(1), NOW), Err(Flaw::Signature));
    }

    #[test]
    fn records_end_with_their_lifetime() {
        let identity = Identity::generate();
        let claim = Claim::sign(&identity, service(1), name("Alice"), NOW, HOUR);
        assert!(claim.verify(service(1), NOW + HOUR + CLOCK_SLACK_MS).is_ok());
        assert_eq!(claim.verify(service(1), NOW + HOUR + CLOCK_SLACK_MS + 1), Err(Flaw::Expired));
        assert_eq!(claim.verify(service(1), NOW - CLOCK_SLACK_MS - 1), Err(Flaw::Future));
        let forever = Claim::sign(&identity, service(1), name("Alice"), NOW, MAX_LIFETIME_MS + 1);
        assert_eq!(forever.verify(service(1), NOW), Err(Flaw::Limit));
        let end_of_time = Claim::sign(&identity, service(1), name("Alice"), u64::MAX, HOUR);
        assert_eq!(end_of_time.verify(service(1), NOW), Err(Flaw::Future));
    }

    #[test]
    fn a_presence_is_believed_as_signed_and_no_other_way() {
        let identity = Identity::generate();
        let record = Presence::sign(&identity, service(1), &says(&["192.0.2.1:5", "[2001:db8::1]:6"]), NOW, HOUR);
        assert_eq!(record.verify(service(1), NOW), Ok(identity.peer_id()));
        assert_eq!(record.verify(service(2), NOW), Err(Flaw::Signature));
        let other = Address::new("192.0.2.9:5".parse().expect("address")).expect("valid");
        let forged = [
            Presence { addresses: vec![other], ..record.clone() },
            Presence { addresses: vec![], ..record.clone() },
            Presence { rooms: vec![], ..record.clone() },
            Presence { name: None, ..record.clone() },
            Presence { instance: Instance::from_u64(8), ..record.clone() },
        ];
        for forged in forged {
            assert_eq!(forged.verify(service(1), NOW), Err(Flaw::Signature), "{forged:?}");
        }
    }

    #[test]
    fn only_addresses_that_mean_the_same_elsewhere_are_published() {
        let list =
            ["0.0.0.0:1", "[::]:1", "224.0.0.1:1", "169.254.1.1:1", "[fe80::1]:1", "255.255.255.255:1", "10.0.0.1:0"];
        let record = Presence::sign(&Identity::generate(), service(1), &says(&list), NOW, HOUR);
        assert_eq!(record.addresses, []);
        let mapped =
            Presence::sign(&Identity::generate(), service(1), &says(&["[::ffff:10.0.0.1]:9", "10.0.0.1:9"]), NOW, HOUR);
        let texts: Vec<String> = mapped.addresses.iter().map(|a| (*a).into()).collect();
        assert_eq!(texts, ["10.0.0.1:9"]);
        let many: Vec<String> = (1..=40).map(|n| format!("10.0.0.{n}:1")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let record = Presence::sign(&Identity::generate(), service(1), &says(&many), NOW, HOUR);
        assert_eq!(record.addresses.len(), MAX_ADDRESSES);
    }
}
