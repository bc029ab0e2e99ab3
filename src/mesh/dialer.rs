//! Sans-IO. When to dial which address. To be written.
