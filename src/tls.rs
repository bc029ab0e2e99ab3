//! To be written.

/// The TLS server name of every peer: names mean nothing here, the key is the identity.
pub const SERVER_NAME: &str = "lets-meet";
