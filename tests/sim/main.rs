//! See CONTRIBUTING.md, "Tests".
mod chat;
mod roster;
mod transfer;
