//! The panels at the right of a meeting. One at a time is open; each is drawn from the model and keeps only what is typed.
//!
//! All have the same shape: `update(message, &mut model, &choices) -> Action` and `view(context)`.

pub mod chat;
pub mod files;
pub mod people;
pub mod stats;
