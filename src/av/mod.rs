//! Samples, pictures, packets. Knows neither addresses nor peers' links: it publishes to [`crate::media::Outlet`]s and
//! receives from queues of [`crate::media::Arrival`]s.
//!
//! The pure half (packet formats, jitter buffers, source descriptions) is always built; codecs, capture and playback
//! need the feature `media`.

pub mod devices;
pub mod error;
pub mod guard;
pub mod jitter;
pub mod loudness;
pub mod meter;
pub mod outlets;
pub mod packet;
pub mod repair;
pub mod spec;
pub mod sync;

#[cfg(feature = "media")]
pub mod capture;
#[cfg(feature = "media")]
pub mod codec;
#[cfg(feature = "media")]
pub mod dump;
#[cfg(feature = "media")]
pub mod playback;
#[cfg(feature = "media")]
pub mod process;
#[cfg(feature = "media")]
pub mod publish;
#[cfg(feature = "media")]
pub mod receive;

#[cfg(all(test, feature = "media"))]
mod end_to_end;
#[cfg(all(test, feature = "media"))]
mod weather;

pub use error::Error;
