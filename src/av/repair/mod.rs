//! Repair of what the network lost.
