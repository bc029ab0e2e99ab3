//! Sans-IO. An invitation as a link: `letsmeet://join?room=Stand-up&by=ID&at=10.0.0.7:48190`, with an optional
//! rendezvous (`via`, and `key`, its fingerprint). Format and limits are in `docs/protocol.md`.
//!
//! A link comes from anywhere: a page, a mail, a picture. So it is read strictly, in one pass, as ASCII of a bounded
//! length; escapes are undone once; what is said twice, half said or not a plain address is refused as a whole. An
//! address is a number, never a host name, so that looking at a link asks nobody anything. A link says who invites
//! (a key) and where to look, never how to get in: there is no parameter for a passphrase, and none is read.

mod typed;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use thiserror::Error;

pub use typed::Typed;

use crate::id::{PeerId, RoomName};
use crate::service::Service;

/// Longest link, in bytes. The longest that is written is shorter.
pub const MAX_LINK: usize = 2048;
/// Most addresses of one link.
pub const MAX_ADDRESSES: usize = 8;
/// Most parameters of one link, known or not.
const MAX_PARAMETERS: usize = 32;
/// Digits of the inviter's id in the short form.
const SHORT_DIGITS: usize = 8;
/// How a link begins.
const SCHEME: &str = "letsmeet:";
/// What it asks for; another word is another kind of link, of a later version.
const JOIN: &str = "//join";

/// An invitation to a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// The room.
    pub room: RoomName,
    /// Whose invitation it is: the key that must answer.
    pub inviter: PeerId,
    /// Where the inviter may be reached, best first.
    pub addresses: Vec<SocketAddr>,
    /// A service that knows more addresses. It counts only with its fingerprint.
    pub rendezvous: Option<Service>,
}

/// Text that is no invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Another scheme, or none.
    #[error("this is no letsmeet:// link")]
    Scheme,
    /// A `letsmeet:` link that asks for something else.
    #[error("this link asks for something that this version does not know; only letsmeet://join links are opened")]
    Action,
    /// Over [`MAX_LINK`].
    #[error("this link is too long; a whole one has at most {MAX_LINK} characters")]
    TooLong,
    /// Spaces, control characters, or letters that a link must escape.
    #[error("this link has characters that no link has; copy it anew")]
    Characters,
    /// A parameter is empty, said twice, not escaped rightly, or there are too many.
    #[error("this link is damaged; copy it anew")]
    Parameters,
    /// No room, or none that can be one.
    #[error("this link names no room; a room has 1 to 64 characters, none of them hidden")]
    Room,
    /// No inviter, or not 64 hex digits.
    #[error("this link does not say who invites")]
    Inviter,
    /// An address that is no plain address of one machine.
    #[error("this link has an address that is none; an address is a number and a port")]
    Address,
    /// Over [`MAX_ADDRESSES`].
    #[error("this link has more than {MAX_ADDRESSES} addresses")]
    TooManyAddresses,
    /// A code that ends too early.
    #[error("this code is not whole; after the # it has {SHORT_DIGITS} digits")]
    ShortCode,
    /// A rendezvous without a fingerprint, or not a plain one.
    #[error("this link names a rendezvous without its fingerprint, or one that is none")]
    Rendezvous,
}

impl Invite {
    /// An invitation of `inviter`. Of `addresses` those are kept that mean the same elsewhere; a service without a
    /// fingerprint is left out.
    pub fn new(room: RoomName, inviter: PeerId, addresses: &[SocketAddr], rendezvous: Option<Service>) -> Self {
        let mut kept: Vec<SocketAddr> = Vec::new();
        for address in addresses {
            let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
            if is_plain(canonical) && !is_link_local(canonical.ip()) && !kept.contains(&canonical) {
                kept.push(canonical);
            }
        }
        if kept.iter().any(|address| !address.ip().is_loopback()) {
            kept.retain(|address| !address.ip().is_loopback());
        }
        kept.truncate(MAX_ADDRESSES);
        let rendezvous = rendezvous.filter(is_sayable);
        Self { room, inviter, addresses: kept, rendezvous }
    }

    /// `ROOM#digits`, to say aloud: for people in sight, who announce the rest.
    pub fn short(&self) -> String {
        format!("{}#{}", self.room, &self.inviter.to_string()[..SHORT_DIGITS])
    }
}

/// One machine's address and a port.
fn is_plain(address: SocketAddr) -> bool {
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast() || ip.octets()[0] == 0 || ip.octets()[0] >= 240);
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// The number of an interface, which such an address needs, differs from machine to machine.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// A service that a link may name: pinned, and with a host that reads as what it is.
fn is_sayable(service: &Service) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    service.fingerprint.is_some() && service.host.chars().all(plain)
}

impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{JOIN}?room={}&by={}", Escaped(self.room.as_str()), self.inviter)?;
        for address in self.addresses.iter().filter(|address| is_plain(**address)).take(MAX_ADDRESSES) {
            write!(f, "&at={}", Escaped(&SocketAddr::new(address.ip(), address.port()).to_string()))?;
        }
        match self.rendezvous.as_ref().filter(|service| is_sayable(service)) {
            Some(Service { fingerprint: Some(key), .. }) => {
                let place = self.rendezvous.as_ref().map(Service::place).unwrap_or_default();
                write!(f, "&via={}&key={key}", Escaped(&place))
            }
            _ => Ok(()),
        }
    }
}

/// Text with everything escaped that has a meaning in a link (RFC 3986, 2.1); a colon has none there.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                write!(f, "{}", char::from(byte))
            }
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

/// Undoes escapes, once.
fn unescape(text: &str) -> Result<String, ParseError> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or(ParseError::Parameters);
        let value = digit()? << 4 | digit()?;
        out.push(u8::try_from(value).map_err(|_| ParseError::Parameters)?);
    }
    String::from_utf8(out).map_err(|_| ParseError::Parameters)
}

/// `text` without `prefix`, whose case does not matter (RFC 3986, 3.1 and 3.2.2).
fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// True for what is meant as a link of ours, right or wrong.
fn is_link(text: &str) -> bool {
    strip(text, SCHEME).is_some()
}

impl FromStr for Invite {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        if text.len() > MAX_LINK {
            return Err(ParseError::TooLong);
        }
        let rest = strip(text, SCHEME).ok_or(ParseError::Scheme)?;
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains('#') {
            return Err(ParseError::Characters);
        }
        let rest = strip(rest, JOIN).ok_or(ParseError::Action)?;
        let query = rest.strip_prefix('/').unwrap_or(rest).strip_prefix('?').ok_or(ParseError::Action)?;
        let parameters: Vec<&str> = query.split('&').take(MAX_PARAMETERS + 1).collect();
        if parameters.len() > MAX_PARAMETERS {
            return Err(ParseError::Parameters);
        }
        let (mut room, mut inviter, mut via, mut key) = (None, None, None, None);
        let mut addresses = Vec::new();
        for parameter in parameters {
            let (name, value) = parameter.split_once('=').ok_or(ParseError::Parameters)?;
            let known = match name {
                "room" => &mut room,
                "by" => &mut inviter,
                "via" => &mut via,
                "key" => &mut key,
                "at" => {
                    if addresses.len() >= MAX_ADDRESSES {
                        return Err(ParseError::TooManyAddresses);
                    }
                    let address = address(&unescape(value)?)?;
                    if !addresses.contains(&address) {
                        addresses.push(address);
                    }
                    continue;
                }
                // Of a later version.
                _ => continue,
            };
            if known.replace(unescape(value)?).is_some() {
                return Err(ParseError::Parameters);
            }
        }
        let room = RoomName::new(&room.ok_or(ParseError::Room)?).map_err(|_| ParseError::Room)?;
        let inviter = inviter.and_then(|id| id.parse().ok()).ok_or(ParseError::Inviter)?;
        let rendezvous = match (via, key) {
            (None, None) => None,
            (Some(via), Some(key)) => Some(service(&via, &key)?),
            _ => return Err(ParseError::Rendezvous),
        };
        Ok(Self { room, inviter, addresses, rendezvous })
    }
}

fn address(text: &str) -> Result<SocketAddr, ParseError> {
    let address: SocketAddr = text.parse().map_err(|_| ParseError::Address)?;
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    let fine = !text.contains('%') && is_plain(address) && !is_link_local(address.ip());
    fine.then_some(address).ok_or(ParseError::Address)
}

fn service(via: &str, key: &str) -> Result<Service, ParseError> {
    if via.contains(['#', '%']) {
        return Err(ParseError::Rendezvous);
    }
    let fingerprint = key.parse().map_err(|_| ParseError::Rendezvous)?;
    let service: Service = via.parse().map_err(|_| ParseError::Rendezvous)?;
    let service = Service { fingerprint: Some(fingerprint), ..service };
    Some(service).filter(is_sayable).ok_or(ParseError::Rendezvous)
}

#[cfg(test)]
mod tests;
