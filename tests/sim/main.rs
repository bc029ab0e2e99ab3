//! Simulations: pure state machines in virtual time. See CONTRIBUTING.md, "Tests".
mod chat;
mod net;
mod roster;
mod transfer;
