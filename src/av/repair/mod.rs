//! Repair of what the network lost.

pub mod keyframe;
