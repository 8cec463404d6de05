//! An agent: how to connect it, its keys, what it may do.
