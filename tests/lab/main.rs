//! The lab: the real program as real processes on hosts of their own, one test for each thing that the first meeting
//! must show. Facts are exact; moments may take three times their goal, since the machine may be busy. What was
//! measured is written to `target/tmp/lab-figures.txt`.
//!
//! `make lab` runs it alone, `make lab ARGS=healing` a part. It needs root or `sudo -n` or user namespaces, and the
//! packages that `scripts/packages.txt` lists for tests.

#![cfg_attr(feature = "devices", expect(clippy::print_stdout, reason = "a test's figures are for its reader"))]

mod figure;
mod host;
mod program;

mod commands;
mod files;
mod hands;
mod healing;
mod hostile;
mod meeting;
mod rendezvous;
mod trust;

#[cfg(feature = "media")]
mod bench;
#[cfg(feature = "media")]
mod call;
#[cfg(feature = "devices")]
mod card;
#[cfg(feature = "devices")]
mod choosing;
#[cfg(feature = "media")]
#[cfg_attr(not(feature = "devices"), allow(dead_code, reason = "some is said into microphones"))]
mod clip;
#[cfg(all(feature = "devices", target_os = "linux"))]
mod desktop;
#[cfg(feature = "devices")]
mod devices;
#[cfg(feature = "devices")]
mod doctor;
#[cfg(feature = "devices")]
mod equipment;
#[cfg(feature = "devices")]
mod hotplug;
#[cfg(feature = "media")]
mod measure;
#[cfg(all(feature = "devices", target_os = "linux"))]
mod portal;
#[cfg(all(feature = "devices", target_os = "linux"))]
mod programs;
#[cfg(feature = "media")]
mod soak;
#[cfg(feature = "devices")]
mod voice;
