//! Units, users, agents, roles and what agents present.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{AgentId, CredentialId, Timestamp, UnitId, UserId};

/// Makes an enum whose text form is one fixed word for each variant, in code, tables and URLs alike.
#[macro_export]
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// Every variant, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word that stands for it everywhere.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::people::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err($crate::people::UnknownWord {
                        text: text.chars().take(40).collect(),
                        allowed: &[$($word),*],
                    }),
                }
            }
        }
    };
}

/// A word that is none of those allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is none of: {}", allowed.join(", "))]
pub struct UnknownWord {
    /// What was given, cut to 40 characters.
    pub text: String,
    /// What would have been right.
    pub allowed: &'static [&'static str],
}

words! {
    /// What a node of the tenant's tree is.
    UnitKind {
        /// A department.
        Department = "department",
        /// A team.
        Team = "team",
    }
}

words! {
    /// What a person may do in the dashboard. Custom roles are added to these.
    Role {
        /// Everything, and hand the organization over.
        Owner = "owner",
        /// Everything but what only an owner may do.
        Admin = "admin",
        /// Read everything, change nothing.
        Auditor = "auditor",
        /// See what things cost.
        Finance = "finance",
        /// Answer held calls.
        Approver = "approver",
        /// Use one's own agents.
        Member = "member",
    }
}

impl Role {
    /// As people say it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Admin => "Admin",
            Self::Auditor => "Auditor",
            Self::Finance => "Finance",
            Self::Approver => "Approver",
            Self::Member => "Member",
        }
    }
}

words! {
    /// Whether a user or agent may act.
    Standing {
        /// May act.
        Active = "active",
        /// May not act until made active again.
        Suspended = "suspended",
    }
}

/// The short name of a tenant in URLs: 2 to 40 of `a-z`, `0-9` and `-`, beginning with a letter.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// Text that cannot be a short name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a short name is 2 to 40 of a-z, 0-9 and `-`, beginning with a letter and not ending with `-`")]
pub struct NotASlug;

impl Slug {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = NotASlug;

    fn from_str(text: &str) -> Result<Self, NotASlug> {
        let fits = (2..=40).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(text.to_owned())) } else { Err(NotASlug) }
    }
}

impl TryFrom<String> for Slug {
    type Error = NotASlug;
    fn try_from(text: String) -> Result<Self, NotASlug> {
        text.parse()
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> String {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A department or team as lists show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnitView {
    /// Its id.
    pub id: UnitId,
    /// The unit above it; none for a top-level unit.
    pub parent: Option<UnitId>,
    /// Department or team.
    pub kind: UnitKind,
    /// Its name.
    pub name: String,
}

/// A person as lists show them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UserView {
    /// Their id.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Their mail address.
    pub email: String,
    /// The unit they sit in.
    pub home_unit: UnitId,
    /// May they act.
    pub standing: Standing,
}

/// An agent as lists show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AgentView {
    /// Its id.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// The person who answers for it.
    pub owner: UserId,
    /// The unit it sits in.
    pub home_unit: UnitId,
    /// May it act.
    pub standing: Standing,
}

/// A credential as lists show it: never the secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CredentialView {
    /// Its id.
    pub id: CredentialId,
    /// Whose it is.
    pub agent: AgentId,
    /// What it is for, in words.
    pub name: String,
    /// The first characters of the key, to recognise it.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when it is refused.
    pub expires_at: Option<Timestamp>,
}
