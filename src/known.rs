//! The known-peers store of a profile: which key used which name. To be written.

pub mod names;
