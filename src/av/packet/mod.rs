//! Packet formats and how frames are cut into packets and put together again. Everything that comes from a peer is
//! checked here.

pub mod audio;
pub mod clock;
pub mod depacketizer;
pub mod header;
pub mod packetizer;
pub mod sequence;
pub mod sps;

pub use packetizer::EncodedPicture;
