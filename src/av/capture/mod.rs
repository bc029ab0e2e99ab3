//! Where pictures and sound come from.
