//! Typed ids. Each is a UUID; most are UUIDv7, so that they sort by the time they were made.
//!
//! Shown to machines as `prefix_` and 32 hexadecimal digits (`call_0191…`), so that an id of the wrong
//! kind is refused where it enters. People are shown names, not ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Text that is no id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of the form `{prefix}_` and 32 hexadecimal digits")]
pub struct NotAnId {
    /// The prefix that was wanted.
    pub prefix: &'static str,
    /// What was there instead, cut to 64 characters.
    pub text: String,
}

/// What every typed id can do.
pub trait Id: Copy + Eq + fmt::Debug + fmt::Display + From<Uuid> + Into<Uuid> {
    /// Stands before the digits in text.
    const PREFIX: &'static str;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The id as a UUID, for the database and for hashing.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl Id for $name {
            const PREFIX: &'static str = $prefix;
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .filter(|digits| digits.len() == 32)
                    .and_then(|digits| Uuid::try_parse(digits).ok())
                    .map(Self)
                    .ok_or_else(|| NotAnId { prefix: $prefix, text: text.chars().take(64).collect() })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// An organization that signed up: the isolation boundary.
    TenantId = "ten";
    /// The random, immutable, never reused id in a tenant's MCP URL.
    McpId = "mcp";
    /// A department or team.
    UnitId = "unit";
    /// A person in a tenant.
    UserId = "user";
    /// A non-human principal.
    AgentId = "agent";
    /// What an agent presents.
    CredentialId = "cred";
    /// What we present upstream.
    ConnectionId = "conn";
    /// An integrated service in the catalog.
    ModuleId = "mod";
    /// A module that is being added and is in nobody's catalog yet.
    DraftId = "draft";
    /// One callable of a module.
    ToolId = "tool";
    /// A bundle of tools.
    BundleId = "bundle";
    /// One permission key given to one grantee.
    GrantId = "grant";
    /// A limit on calls.
    LimitId = "lim";
    /// Somebody who may join.
    InvitationId = "inv";
    /// A role held by a person, tenant-wide or on a unit.
    RoleAssignmentId = "hold";
    /// A price.
    RateId = "rate";
    /// One attempt to use a tool.
    CallId = "call";
    /// A request that never became a call.
    RejectionId = "rej";
    /// An act of a person or operator on the tenant's set-up.
    AuditEventId = "evt";
    /// One process that serves calls.
    NodeId = "node";
    /// A filter of Activity that somebody keeps under a name.
    SavedFilterId = "filt";
    /// A company in the native CRM.
    CompanyId = "comp";
    /// A contact in the native CRM.
    ContactId = "cont";
    /// A deal in the native CRM.
    DealId = "deal";
    /// A call, mail, meeting or note with a contact in the native CRM.
    InteractionId = "intr";
    /// A mail in the outbox.
    MailId = "mail";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_writes_and_refuses_other_kinds() {
        let id = CallId::from(Uuid::from_u128(7));
        assert_eq!(id.to_string(), "call_00000000000000000000000000000007");
        assert_eq!(id.to_string().parse::<CallId>().unwrap(), id);
        assert!(id.to_string().parse::<ToolId>().is_err());
        assert!("call_0".parse::<CallId>().is_err());
        assert!("call_zz000000000000000000000000000007".parse::<CallId>().is_err());
    }
}
