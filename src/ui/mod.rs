//! The faces for people. The window comes here; its words are already shared with the terminal.

pub mod text;
