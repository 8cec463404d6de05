//! A tenant to decide in.
