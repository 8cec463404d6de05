//! The gateway as agents and upstream servers meet it: over HTTP, with a directory built from facts, a ledger that
//! remembers in memory, and upstream servers that misbehave in every way that was thought of.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod across;
mod arguments;
mod aside;
mod asking;
mod authorization;
mod bad_input;
mod bundles;
mod calls;
mod discovery;
mod eras;
mod faults;
mod features;
mod gate;
mod ledger;
mod limits;
mod listening;
mod modern_upstream;
mod mutations;
mod names;
mod old_sse;
mod parked;
mod raw;
mod resuming;
mod rounds;
mod stateless;
mod stdio;
mod subscribing;
mod timeouts;
mod traces;
mod upstream;
mod upstreams;
mod world;
