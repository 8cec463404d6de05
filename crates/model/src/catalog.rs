//! Modules and tools as the catalog has them.

use serde::{Deserialize, Serialize};

use crate::access::PermissionKey;
use crate::{ModuleId, Money, ToolId, UserId, words};

words! {
    /// How a module is reached.
    ModuleKind {
        /// An upstream MCP server over streamable HTTP.
        Mcp = "mcp",
        /// Built into this product.
        Native = "native",
    }
}

words! {
    /// Whether a module takes calls.
    ModuleStanding {
        /// Takes calls.
        Live = "live",
        /// Switched off by an admin.
        Off = "off",
    }
}

words! {
    /// Where a tool is between being discovered and being usable.
    ToolStanding {
        /// Discovered; nobody may call it yet.
        Proposed = "proposed",
        /// Approved as it was then, and callable.
        Approved = "approved",
        /// Its definition upstream is no longer the one approved.
        Drifted = "drifted",
        /// No longer offered upstream, or taken out by an admin.
        Withdrawn = "withdrawn",
    }
}

/// A module as lists show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ModuleView {
    /// Its id.
    pub id: ModuleId,
    /// Its permission key and the first part of its tools' names: `drive`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// How it is reached.
    pub kind: ModuleKind,
    /// Where it is reached, for those that are reached by URL.
    pub url: Option<String>,
    /// Who answers for it.
    pub owner: Option<UserId>,
    /// Whether it takes calls.
    pub standing: ModuleStanding,
}

/// A tool as lists show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ToolView {
    /// Its id.
    pub id: ToolId,
    /// The module that owns it.
    pub module: ModuleId,
    /// Its name inside its module.
    pub name: String,
    /// The key one needs to call it.
    pub key: PermissionKey,
    /// Where it stands.
    pub standing: ToolStanding,
    /// What a call costs.
    pub price: Money,
}
