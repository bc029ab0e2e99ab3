//! Repair of what the network lost.

pub mod amount;
pub mod intake;
pub mod keyframe;
pub mod nack;
pub mod parity;
pub mod resend;

#[cfg(test)]
mod tests;
