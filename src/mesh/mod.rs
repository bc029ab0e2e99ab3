//! Peers, links, bytes. Knows nothing of codecs or windows.

pub mod candidates;
pub mod dialer;
pub mod roster;
