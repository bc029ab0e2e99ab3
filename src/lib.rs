//! Meetings between peers over QUIC: video, voice, chat and file drop, with no media server.
//!
//! The shape is in `ARCHITECTURE.md`: pure state machines decide (`meeting`, the pure half of `mesh`, `av` and
//! `rendezvous`), thin shells own sockets, devices, files, clocks and tasks, and `engine` wires them together.
//! Everything below is used by the one binary, `lets-meet`, and by the tests.

pub mod bucket;
pub mod clock;
pub mod config;
pub mod framing;
pub mod handover;
pub mod id;
pub mod invite;
pub mod known;
pub mod media;
pub mod platform;
pub mod service;
pub mod share;
pub mod sighting;
pub mod slot;
pub mod stats;
pub mod task;
pub mod telemetry;

pub mod frame;

pub mod endpoint;
pub mod identity;
pub mod tls;

pub mod av;
pub mod meeting;
pub mod mesh;
pub mod rendezvous;

pub mod cli;
pub mod engine;
#[doc(hidden)]
pub mod fuzz;
pub mod ui;
