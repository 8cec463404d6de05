//! What passes through: the MCP data plane, the life of a call. No SQL, no sight of `control`.
//!
//! [`Gateway`] is built from [`Plugs`], which say what it needs of the rest of the house, and serves the machines'
//! origin. A request comes in at `edge`, is understood by `methods` with the words of `wire`, and, if it is a call,
//! lives the life in `life`, which reaches an `upstream` server or a native module.

mod conduit;
mod confine;
mod correspondence;
mod edge;
mod entrusted;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod inquiry;
mod life;
mod limits;
mod listening;
mod methods;
mod programs;
mod rechecks;
mod refusals;
mod reject;
mod schemas;
pub mod seams;
mod settings;
mod trace;
mod upstream;
mod volumes;
mod waiting;
mod wire;

pub use self::confine::become_confined;
pub use self::edge::caller_address;
pub use self::entrusted::{Entrusted, NotMade};
pub use self::gateway::{Gateway, NotBuilt, Plugs, allows_loopback, fetch};
pub use self::life::Admitted;
pub use self::programs::{Program, Programs, RunAs, Running};
pub use self::settings::{AddressHeader, Settings};
pub use self::upstream::{Discovered, DiscoveredTool, DiscoveryError, PassedOver, Progress, Trouble};
pub use self::wire::{Flaw, Revision, check_strictly};
