//! Local tracks on their way out: capture, encode once for all receivers, packetise, send to every subscribed link.

pub mod budget;
pub mod gate;
pub mod layer;
pub mod microphone;
pub mod picture;
pub mod redundancy;
pub mod repairs;
pub mod repeat;
pub mod sender;
pub mod silence;

pub use microphone::Microphone;
pub use picture::{PictureConfig, PictureTrack};
