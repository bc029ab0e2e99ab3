//! Local tracks on their way out: capture, encode once for all receivers, packetise, send to every subscribed link.

pub mod budget;
pub mod camera;
pub mod microphone;

pub use camera::{Camera, CameraConfig};
pub use microphone::Microphone;
