//! What is allowed: a pure decision core over Cedar. No I/O, no panics, no clock of its own.
//!
//! A [`Directory`] is an immutable snapshot of one tenant, built from [`Facts`] that were read at one
//! instant. It [authenticates](Directory::authenticate) credentials, [lists](Directory::visible) and
//! [resolves](Directory::resolve) tools and [decides](Directory::decide) calls without asking anybody.
//! The only way to a [`Permit`] is [`Directory::decide`].
//!
//! # Words and Cedar entities
//!
//! | word | Cedar | its attributes | its parents |
//! |---|---|---|---|
//! | tenant | `Tenant::"ten_…"` | | |
//! | unit | `Unit::"unit_…"` | | the unit above, or the tenant |
//! | role | `Role::"admin"` | (an enumeration: a misspelt role does not validate) | |
//! | user | `User::"user_…"` | `active`, `keys` | home unit, further units, roles |
//! | agent | `Agent::"agent_…"` | `active`, `keys`, `owner` | home unit |
//! | module | `Module::"mod_…"` | | |
//! | tool | `Tool::"tool_…"` | `key`, `moduleKey`, `moduleLive`, `standing` | its module |
//! | call | `Action::"call"` | the context has `onBehalf` | |
//! | call that asks nobody | `Action::"callUnattended"` | the same | |
//! | line of `tools/list` | `Action::"list"` | the same | |
//!
//! Grants are no entities. A principal's `keys` are what its unexpired grants come to: for an agent those to
//! itself, to its home unit and every unit above; for a user those to the person, to all their units and
//! every unit above, and to the roles they hold. People whom no request can lead to (they own no agent, and
//! none acts for them) are left out. A module's key, `crm`, covers each part of it, `crm:write`. `active` is
//! the principal's own standing and the tenant's.
//!
//! # How a call is decided
//!
//! Cedar is asked for `call` and, if that is permitted, for `callUnattended`: permitted and not unattended is
//! a *hold*. When the agent acts on behalf of a person, Cedar is asked both for the agent and for the person,
//! and the stricter answer holds (deny < hold < permit). If any policy cannot be evaluated the call is
//! denied, although Cedar by itself would skip that policy.
//!
//! The standing policies are in `src/standing.cedar`. They are validated strictly against the generated
//! schema when the first directory of a process is built; if they did not fit, no directory could be.
//!
//! # Time
//!
//! Which grants have ended is settled when a directory is built, and [`Directory::stale_at`] says when it has
//! to be built anew. Between the two nothing slips through: a permit carries the end of what it rests on, and
//! `decide` refuses what has ended by its own `now`.

mod access;
mod bundle;
mod catalog;
mod consequence;
mod decide;
mod decision;
mod directory;
mod entities;
mod explain;
mod facts;
mod holders;
mod keys;
mod limit;
pub mod meter;
mod people;
mod schema;
mod standing;
mod state;
mod template;
mod tree;

#[cfg(test)]
extern crate self as policy;
#[cfg(test)]
#[allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "tests use what they need of this room")]
#[path = "../tests/policy/world.rs"]
mod world;

pub use access::{Access, Holder, Moved, Right, Said, Source, Subject};
pub use consequence::{AgentShift, Consequence, PersonShift, Way, consequence};
pub use decision::{Decision, Permit, Refusal};
pub use directory::{BuildError, Directory, Principal, Tool, Unauthenticated};
pub use explain::plain;
pub use facts::*;
pub use limit::{Limit, retry_after};
pub use tree::MAX_UNIT_DEPTH;
