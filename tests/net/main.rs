//! See CONTRIBUTING.md, "Tests".
mod drop;
mod hostile;
mod link;
mod meeting;
mod rendezvous;
