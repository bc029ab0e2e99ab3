//! Sans-IO. Jitter buffers: when what came over the network is decoded and played, and what is done for what did not come.

pub mod audio;
pub mod delay;
pub mod mend;
pub mod order;
pub mod outage;
pub mod stretch;
pub mod video;

#[cfg(test)]
mod tests;
