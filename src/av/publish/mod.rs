//! Local tracks on their way out: capture, encode once for all receivers, packetise, send to every subscribed link.

pub mod camera;

pub use camera::{Camera, CameraConfig};
