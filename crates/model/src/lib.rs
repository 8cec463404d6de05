//! What we talk about: ids, enums, money, time and the shapes that pages and crates share.
//!
//! Compiles for WebAssembly, does no I/O, and knows nothing of SQL, HTTP or Cedar.

pub mod access;
pub mod ambient;
pub mod call;
pub mod catalog;
pub mod crm;
pub mod id;
pub mod key;
pub mod limit;
pub mod money;
pub mod people;

pub use ambient::{Ambient, Timestamp};
/// All of them, by name.
pub use chrono_tz::TZ_VARIANTS as ZONES;
/// A time zone of the IANA database, such as `Europe/Berlin`: in which a reader is told times.
pub use chrono_tz::Tz as Zone;
pub use id::*;
pub use money::{Currency, Money};
