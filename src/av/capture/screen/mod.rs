//! Screens.
pub mod cast;
pub mod portal;
