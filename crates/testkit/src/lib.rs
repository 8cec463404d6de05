//! What tests stand on: a database of their own, a clock and randomness they control, and a ledger that forgets.
//!
//! Only tests and the benchmark use this crate, so it may panic with a clear sentence where they could not go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

pub mod ambient;
pub mod database;
mod entry;
#[cfg(feature = "gateway")]
pub mod forgetful;
mod world;

pub use ambient::{SeededEntropy, TestClock, noon, test_ambient};
pub use database::TestDatabase;
pub use entry::entry;
#[cfg(feature = "gateway")]
pub use forgetful::ForgetfulLedger;
pub use world::{MASTER_KEY, PASSWORD, TestWorld, wait_for};
