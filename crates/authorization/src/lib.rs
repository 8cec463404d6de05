//! OAuth 2.1 as a client of the authorization servers that upstream MCP servers trust (MCP 2026-07-28, Authorization; it covers
//! 2025-11-25, 2025-06-18, and what 2025-03-26 asked of clients).
//!
//! In the order in which life calls it: a server answers 401 or 403 with a [`Challenge`]; [`discover`] finds out who issues
//! tokens for it; [`register`] makes us known there; [`begin`] gives the address to which a person is sent, and what has to be kept
//! until they come back with a [`Returned`]; [`redeem`] makes an [`Access`] of it, which [`Access::refresh`] renews, and
//! [`Access::revoke`] gives back.
//!
//! Nothing here connects or keeps anything. Whoever uses it brings a [`Fetch`], which bounds where, how long and how much, and
//! keeps [`Pending`] and [`Access`] sealed. Every text that comes from outside is bounded and checked here.

mod access;
mod challenge;
mod client;
mod discovery;
mod error;
mod fetch;
mod pending;
mod place;
mod resource;
mod revoking;
mod scopes;
mod server;

#[cfg(test)]
mod tests;

pub use self::access::Access;
pub use self::challenge::Challenge;
pub use self::client::{Application, Client, Given, Method, Origin, document, register};
pub use self::discovery::{Protection, discover};
pub use self::error::Error;
pub use self::fetch::{Fetch, MOST_BYTES, NotFetched, Reach};
pub use self::pending::{Pending, Returned, begin, redeem};
pub use self::scopes::{Scopes, wanted};
pub use self::server::Server;
