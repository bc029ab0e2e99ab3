//! Sans-IO. Addresses that may reach a peer. To be written.
