//! Modules and tools as the catalog has them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::access::PermissionKey;
use crate::{BundleId, ModuleId, Money, ToolId, UserId, words};

/// How long a tool's server may take for a call, where that is set for the tool.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Timeouts {
    /// To the first byte of its answer, connecting included.
    pub first_byte: Option<Duration>,
    /// To the last.
    pub total: Option<Duration>,
}

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

words! {
    /// What of a server a tool is: MCP calls them server features. All are governed alike; the name of one that is not a tool
    /// in MCP's narrower sense begins with what it is: `prompt:summarize`, `resource:file:///notes.txt`,
    /// `template:file:///{path}`.
    Feature {
        /// Called with arguments (`tools/call`).
        Tool = "tool",
        /// Got, filled with arguments (`prompts/get`).
        Prompt = "prompt",
        /// Read (`resources/read`).
        Resource = "resource",
        /// Read, at any address that fits it (`resources/read`).
        Template = "template",
    }
}

impl Feature {
    /// What a name inside a module names, and how the module's server calls it.
    pub fn of(name: &str) -> (Self, &str) {
        for feature in [Self::Prompt, Self::Resource, Self::Template] {
            if let Some(theirs) = name.strip_prefix(feature.word()).and_then(|rest| rest.strip_prefix(':')) {
                return (feature, theirs);
            }
        }
        (Self::Tool, name)
    }

    /// As agents see at an endpoint without bundle what a module's server calls `theirs`: `crm.find`, `crm.summary`,
    /// `crm+file:///notes.txt`. A scheme has no underscore (RFC 3986 section 3.1), and a module's name no dot.
    pub fn shown(self, module: &str, theirs: &str) -> String {
        match self {
            Self::Tool | Self::Prompt => format!("{module}.{theirs}"),
            Self::Resource | Self::Template => format!("{}+{theirs}", module.replace('_', ".")),
        }
    }

    /// The name inside its module of what the server calls `theirs`.
    pub fn name(self, theirs: &str) -> String {
        match self {
            Self::Tool => theirs.to_owned(),
            feature => format!("{}:{theirs}", feature.word()),
        }
    }
}

words! {
    /// What tools are called that are put into a bundle.
    Naming {
        /// As everywhere, with their module: `drive.search`.
        Full = "full",
        /// As their server calls them: `search`.
        Plain = "plain",
    }
}

/// A bundle as lists show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BundleView {
    /// Its id.
    pub id: BundleId,
    /// The last part of its address: `travel-desk`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What tools are called that are put into it.
    pub naming: Naming,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_it_names() {
        for feature in Feature::ALL {
            assert_eq!(Feature::of(&feature.name("file:///a:b")), (*feature, "file:///a:b"));
        }
        assert_eq!(Feature::of("prompts"), (Feature::Tool, "prompts"));
        assert_eq!(Feature::of("prompt"), (Feature::Tool, "prompt"));
    }
}
