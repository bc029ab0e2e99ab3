//! What is done to pictures and sound between capture, codec and sink.

pub mod convert;
pub mod level;
pub mod resample;
pub mod scale;
pub mod tile;
