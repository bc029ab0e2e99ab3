//! Simulations: pure state machines in virtual time. See CONTRIBUTING.md, "Tests".
mod chat;
mod chat_disorder;
mod chat_hostile;
mod net;
mod roster;
mod transfer;
