//! The `lets-meet` program: everything it does is in the library.

fn main() {}
