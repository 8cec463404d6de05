//! Decisions, their reasons and their consequences, for organizations small enough to read and for ones made up by proptest.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod access;
mod consequence;
mod limits;
mod properties;
mod reasons;
mod sketch;
mod snapshot;
mod world;
