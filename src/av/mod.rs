//! Samples, pictures, packets. Knows neither addresses nor peers' links: it publishes to [`crate::media::Outlet`]s and
//! receives from queues of [`crate::media::Arrival`]s.
//!
//! The pure half (packet formats, jitter buffers, source descriptions) is always built; codecs, capture and playback
//! need the feature `media`.

pub mod outlets;
pub mod spec;
