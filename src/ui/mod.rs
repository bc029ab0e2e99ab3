//! The window: iced on top of the engine.
//!
//! `app` is the root: it holds the engine's handle, the `model` (built from engine events) and the open screen. A `screen`,
//! `panel` or `dialog` changes its own state and returns an `action`; only the root performs actions. `widget` holds the
//! pieces, `theme` every size and colour, `text` every word. Pictures pass beside all of it: a tile takes the newest
//! picture when it is drawn, no message carries one.

#[cfg(feature = "gui")]
pub mod action;
#[cfg(feature = "gui")]
pub mod alerts;
#[cfg(feature = "gui")]
pub mod app;
#[cfg(feature = "gui")]
pub mod backend;
#[cfg(feature = "gui")]
pub mod choices;
#[cfg(feature = "gui")]
pub mod dialog;
#[cfg(feature = "gui")]
pub mod icon;
#[cfg(feature = "gui")]
pub mod keys;
#[cfg(feature = "gui")]
pub mod map;
#[cfg(feature = "gui")]
pub mod model;
#[cfg(feature = "gui")]
pub mod notices;
#[cfg(feature = "gui")]
pub mod panel;
#[cfg(feature = "gui")]
pub mod screen;
#[cfg(feature = "gui")]
pub mod session;
pub mod text;
#[cfg(feature = "gui")]
pub mod theme;
#[cfg(feature = "gui")]
pub mod toast;
#[cfg(feature = "gui")]
pub mod video;
#[cfg(feature = "gui")]
pub mod when;
#[cfg(feature = "gui")]
pub mod widget;
#[cfg(feature = "gui")]
mod window;

#[cfg(feature = "gui")]
pub use window::{Launcher, Start, run};

#[cfg(all(test, feature = "gui"))]
mod snapshot;
