//! The thread that paces a picture source and hands each picture to whoever encodes, through a one-place slot.
