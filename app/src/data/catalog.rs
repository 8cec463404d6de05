//! Modules and tools.
