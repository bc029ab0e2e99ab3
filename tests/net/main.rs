//! See CONTRIBUTING.md, "Tests".
mod calls;
mod discovery;
mod drop;
mod hostile;
mod link;
mod meeting;
mod rendezvous;
mod trust;
