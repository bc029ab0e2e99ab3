//! The pieces that all screens are made of. Each takes the [`Look`] first and gives an element; none holds state.
//!
//! Everything that can be pressed is wrapped by [`focus::Focus`], so that it is reachable by Tab.

pub mod avatar;
pub mod button;
pub mod card;
pub mod chart;
pub mod checks;
pub mod devices;
pub mod emoji;
pub mod feed;
pub mod field;
pub mod focus;
pub mod grid;
pub mod inert;
pub mod label;
pub mod line;
pub mod places;
pub mod said;
pub mod tile;
pub mod trust;

pub use avatar::avatar;
pub use card::{card, divider};
pub use label::{label, quiet, strong, title};
pub use line::line;
pub use tile::Tile;

#[cfg(doc)]
use super::theme::Look;
