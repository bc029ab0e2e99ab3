//! The real program in a real window on a display of its own (Xvfb with a window manager), driven by mouse and keyboard
//! as a person would (xdotool), and looked at: what stands on screen by the window's own map (`lets-meet window --map`),
//! pictures by the pixels of a screenshot.
//!
//! Cameras and sound are test cards and tones, or the lab's equipment behind the program's own way to real devices (`devices`).
//! Two windows meet over `lo`, with mDNS confined to it. Screenshots land in `target/tmp/window/`.

#![cfg(all(feature = "gui", target_os = "linux"))]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places on a screen are small")]

#[cfg(feature = "devices")]
#[path = "../lab/card.rs"]
#[expect(dead_code, reason = "the lab compares the colours")]
mod card;
mod desk;
#[cfg(feature = "devices")]
mod devices;
#[cfg(feature = "devices")]
#[path = "../lab/equipment.rs"]
#[expect(dead_code, reason = "the lab makes more kinds of trouble with it")]
mod equipment;
#[cfg(feature = "devices")]
#[path = "../lab/figure.rs"]
mod figure;
mod journey;
#[cfg(feature = "devices")]
mod sharing;
mod shots;
mod soak;
#[cfg(feature = "devices")]
mod trial;
