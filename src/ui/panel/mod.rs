//! The panels at the right of a meeting. One at a time is open; each is drawn from the model and keeps only what is typed.
