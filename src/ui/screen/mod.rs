//! The screens: lobby, meeting, settings. Each has a state, messages, `update` that returns an
//! [`Action`](super::action::Action), and `view`.

pub mod lobby;
pub mod meeting;
pub mod settings;
pub mod stats;
