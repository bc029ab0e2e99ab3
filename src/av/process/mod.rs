//! What is done to pictures and sound between capture, codec and sink.

pub mod convert;
#[cfg(feature = "devices")]
pub mod layout;
pub mod level;
pub mod pace;
pub mod resample;
pub mod scale;
pub mod tile;
pub mod voice;
