//! Sans-IO. Which rendezvous service a person means: `HOST[:PORT][#FINGERPRINT]`.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use thiserror::Error;

use crate::id::PeerId;

/// The UDP port of a service when none is named: one below the default port of peers.
pub const DEFAULT_PORT: u16 = 48189;
/// Longest host name (RFC 1035, 2.3.4).
const MAX_HOST: usize = 253;

/// A service as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// A host name or an IP address, in lower case, IPv6 without brackets.
    pub host: String,
    /// Its UDP port.
    pub port: u16,
    /// The id of its key, when it was given.
    pub fingerprint: Option<PeerId>,
}

/// Text that names no service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseError {
    /// No host, or one that cannot be one.
    #[error("a rendezvous is written as HOST, HOST:PORT or [IPV6]:PORT, with #FINGERPRINT after it if it is known")]
    Host,
    /// Not 1 to 65535.
    #[error("the port of a rendezvous is a number from 1 to 65535")]
    Port,
    /// Not 64 hex digits.
    #[error("the fingerprint of a rendezvous is the 64 hex digits that `rendezvous serve` prints")]
    Fingerprint,
}

impl Service {
    /// The place that a key is pinned for: `host:port`.
    pub fn place(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Service {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (place, fingerprint) = match text.split_once('#') {
            Some((place, digits)) => (place, Some(digits.parse().map_err(|_| ParseError::Fingerprint)?)),
            None => (text, None),
        };
        let (host, port) = if let Some(rest) = place.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or(ParseError::Host)?;
            host.split('%').next().unwrap_or(host).parse::<Ipv6Addr>().map_err(|_| ParseError::Host)?;
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err(ParseError::Host),
            }
        } else if place.parse::<Ipv6Addr>().is_ok() {
            (place, None)
        } else {
            match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            }
        };
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        if host.is_empty() || host.len() > MAX_HOST || !host.chars().all(allowed) {
            return Err(ParseError::Host);
        }
        let port = port.map_or(Ok(DEFAULT_PORT), |digits| digits.parse().map_err(|_| ParseError::Port))?;
        if port == 0 {
            return Err(ParseError::Port);
        }
        Ok(Self { host: host.to_lowercase(), port, fingerprint })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_read() {
        let id = PeerId::from_bytes([0xab; 32]);
        let check = |text: &str, host: &str, port, fingerprint| {
            assert_eq!(text.parse(), Ok(Service { host: host.to_owned(), port, fingerprint }), "{text}");
        };
        check("meet.example.org", "meet.example.org", 48189, None);
        check("Meet.Example.org:5", "meet.example.org", 5, None);
        check(&format!("192.0.2.1:5#{id}"), "192.0.2.1", 5, Some(id));
        check(&format!("[2001:db8::1]:5#{id}"), "2001:db8::1", 5, Some(id));
        check("[::1]", "::1", 48189, None);
        check("::1", "::1", 48189, None);
        check("[fe80::1%eth0]:7", "fe80::1%eth0", 7, None);
        for bad in ["", ":5", "a b", "[::1", "[::1]5", "[x]:5", "a:b:c", "a/b"] {
            assert!(bad.parse::<Service>().is_err(), "{bad}");
        }
        assert_eq!("a:0".parse::<Service>(), Err(ParseError::Port));
        assert_eq!("a:70000".parse::<Service>(), Err(ParseError::Port));
        assert_eq!("a#12".parse::<Service>(), Err(ParseError::Fingerprint));
    }

    #[test]
    fn a_place_tells_ports_apart() {
        let place = |text: &str| text.parse::<Service>().expect("valid").place();
        assert_eq!(place("A"), place("a:48189"));
        assert_ne!(place("a:1"), place("a:2"));
        assert_eq!(place("::1"), "[::1]:48189");
    }
}
