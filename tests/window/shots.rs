//! Screenshots of each screen, for people to look at.
