//! Wires a meeting together (being written).
