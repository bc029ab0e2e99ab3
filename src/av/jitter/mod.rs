//! When what came over the network is decoded and played.

pub mod video;
