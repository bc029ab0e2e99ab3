//! See CONTRIBUTING.md, "Tests".
mod calls;
mod discovery;
mod drop;
mod handover;
mod hands;
mod hostile;
mod invited;
mod link;
mod meeting;
mod open;
#[cfg(feature = "media")]
mod pictures;
mod rendezvous;
#[cfg(feature = "media")]
mod screen;
mod trust;
#[cfg(feature = "media")]
mod uplink;
#[cfg(feature = "media")]
mod view;
