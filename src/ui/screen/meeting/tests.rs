//! Tests of the meeting screen.
