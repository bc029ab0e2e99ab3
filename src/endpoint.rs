//! The one UDP socket and QUIC endpoint of the process. To be written.

use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;

use crate::identity::Identity;

/// The port when none is asked for; the nine after it are tried too.
pub const DEFAULT_PORT: u16 = 48190;

/// Where to bind.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Exactly this port; without one [`DEFAULT_PORT`] or the next free of the nine after it.
    pub port: Option<u16>,
    /// Only these network interfaces; empty is all.
    pub interfaces: Vec<String>,
}

/// Why there is no endpoint.
#[derive(Debug, Error)]
pub enum Error {
    /// The port (or all ten) is in use. Choose another `--port`.
    #[error("UDP port {0} is taken; choose another with --port")]
    Taken(u16),
    /// There is no such network interface.
    #[error("there is no network interface {0}; see `ip link` for those that exist")]
    NoInterface(String),
    /// The system refuses for another reason.
    #[error("the network cannot be used: {0}")]
    System(#[from] std::io::Error),
}

/// The process's endpoint. Cloning gives another handle to the same one.
#[derive(Debug, Clone)]
pub struct Endpoint {
    identity: Arc<Identity>,
}

impl Endpoint {
    /// Binds the socket. Must be called inside a runtime.
    pub fn bind(config: Config, identity: Arc<Identity>) -> Result<Self, Error> {
        let _ = config;
        Ok(Self { identity })
    }

    /// Concrete addresses at which this endpoint may be reached: no wildcards, IPv6 link-local ones with their scope.
    pub fn listen_addresses(&self) -> Vec<SocketAddr> {
        let _ = &self.identity;
        Vec::new()
    }

    /// The UDP port.
    pub fn port(&self) -> u16 {
        DEFAULT_PORT
    }

    /// Closes every connection and waits a little for the last packets to leave.
    pub async fn close(&self, reason: &str) {
        let _ = reason;
    }
}
