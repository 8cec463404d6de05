//! Permission keys and who holds them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::people::Role;
use crate::{AgentId, GrantId, Timestamp, UnitId, UserId};

/// The right to use a module, `drive`, or a part of it, `drive:write`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PermissionKey(String);

/// Text that is no permission key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a permission key is a module name such as `drive`, or a part of one such as `drive:write`")]
pub struct NotAPermissionKey;

impl PermissionKey {
    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The module's own key: `drive` of `drive:write`.
    pub fn module(&self) -> &str {
        self.0.split_once(':').map_or(self.as_str(), |(module, _)| module)
    }

    /// Whether holding this key is enough where `wanted` is asked for: the same key, or that of its module.
    pub fn covers(&self, wanted: &PermissionKey) -> bool {
        self == wanted || self.as_str() == wanted.module()
    }
}

/// A name as modules, tools' key parts and such have: `a-z` first, then `a-z`, `0-9`, `_`, `-`; at most 40.
pub fn is_key_word(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

impl FromStr for PermissionKey {
    type Err = NotAPermissionKey;

    fn from_str(text: &str) -> Result<Self, NotAPermissionKey> {
        let fits = match text.split_once(':') {
            Some((module, part)) => is_key_word(module) && is_key_word(part),
            None => is_key_word(text),
        };
        if fits { Ok(Self(text.to_owned())) } else { Err(NotAPermissionKey) }
    }
}

impl TryFrom<String> for PermissionKey {
    type Error = NotAPermissionKey;
    fn try_from(text: String) -> Result<Self, NotAPermissionKey> {
        text.parse()
    }
}

impl From<PermissionKey> for String {
    fn from(key: PermissionKey) -> String {
        key.0
    }
}

impl fmt::Display for PermissionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PermissionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// To whom a grant gives its key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Grantee {
    /// Everybody and every agent whose home is in this unit or below.
    Unit(UnitId),
    /// Every person with this role.
    Role(Role),
    /// One person.
    User(UserId),
    /// One agent.
    Agent(AgentId),
}

/// A grant as lists show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GrantView {
    /// Its id.
    pub id: GrantId,
    /// What it gives.
    pub key: PermissionKey,
    /// To whom.
    pub grantee: Grantee,
    /// Until when; none: until it is revoked.
    pub expires_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_key_covers_its_parts_and_nothing_else() {
        let key = |text: &str| text.parse::<PermissionKey>().unwrap();
        assert!(key("drive").covers(&key("drive:write")));
        assert!(key("drive:write").covers(&key("drive:write")));
        assert!(!key("drive:read").covers(&key("drive:write")));
        assert!(!key("drive:write").covers(&key("drive")));
        assert!(!key("driv").covers(&key("drive:write")));
        assert!("Drive".parse::<PermissionKey>().is_err());
        assert!("a:b:c".parse::<PermissionKey>().is_err());
    }
}
