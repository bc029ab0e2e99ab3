//! What is done to pictures and sound between capture, codec and sink.
