//! What a token is to be good for (RFC 6749 section 3.3), and how that is chosen (MCP, Scope Selection Strategy).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::challenge::Challenge;
use crate::discovery::Protection;

/// Most scopes, and most bytes of one.
const MOST: usize = 100;
const LONGEST: usize = 200;
/// What a token to renew is asked for by (OpenID Connect Core section 11).
pub(crate) const OFFLINE: &str = "offline_access";

/// A set of scopes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    /// Reads a list that is separated by spaces. What cannot be a scope, and what is too much, is left out.
    pub fn read(text: &str) -> Self {
        text.split(' ').collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether this one is among them.
    pub fn has(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// These and those.
    pub fn with(&self, others: &Self) -> Self {
        self.iter().chain(others.iter()).collect()
    }
}

impl<'a> FromIterator<&'a str> for Scopes {
    fn from_iter<I: IntoIterator<Item = &'a str>>(scopes: I) -> Self {
        let fits = |scope: &&str| {
            (1..=LONGEST).contains(&scope.len())
                && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
        };
        Self(scopes.into_iter().filter(fits).map(str::to_owned).take(MOST).collect())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, scope) in self.iter().enumerate() {
            if number > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

/// What to ask for: what the server says it takes, else all that its metadata names, else nothing, which leaves it to the
/// authorization server; and what was granted `before`, so that nothing is lost by asking for more. Where the authorization server
/// knows it, also that the access can be renewed.
pub fn wanted(protection: &Protection, challenge: Option<&Challenge>, before: &Scopes) -> Scopes {
    let challenged =
        challenge.and_then(|challenge| challenge.scope.as_ref()).filter(|scopes| !scopes.is_empty());
    let base = challenged.unwrap_or(&protection.scopes);
    let wanted = base.with(before);
    if !wanted.is_empty() && protection.server.scopes.has(OFFLINE) {
        return wanted.with(&Scopes::read(OFFLINE));
    }
    wanted
}
