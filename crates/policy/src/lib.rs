//! What is allowed: a pure decision core over Cedar. No I/O, no panics, no clock of its own.
//!
//! A [`Directory`] is an immutable snapshot of one tenant, built from [`Facts`] that were read at one
//! instant. It authenticates credentials, resolves tools and decides calls without asking anybody. The only
//! way to a [`Permit`] is [`Directory::decide`].

mod decision;
mod directory;
mod facts;

pub use decision::{Decision, Permit, Refusal};
pub use directory::{BuildError, Directory, Principal, Tool, Unauthenticated};
pub use facts::*;
