//! Native modules: services that are built in, reached as one more kind of upstream.

use std::sync::Arc;

use model::CallId;
use model::call::Attribution;

use crate::{Control, Error, crm};

/// A module that is built in.
#[derive(Clone, Copy, Debug)]
pub struct Native {
    /// Its permission key and the first part of its tools' names.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Its permission keys with their titles.
    pub keys: &'static [(&'static str, &'static str)],
    /// Its tools: a JSON array of objects with `key` and `tool`, an MCP `Tool` object.
    pub(crate) tools: &'static str,
}

/// All of them.
pub const MODULES: &[Native] = &[crm::MODULE];

/// The module of a name, if there is one.
pub fn find(name: &str) -> Option<&'static Native> {
    MODULES.iter().find(|module| module.name == name)
}

/// Runs a tool of a native module for a principal whose call was admitted under this id. Answers the JSON text of an MCP
/// `CallToolResult` and whether it says `isError`: wrong arguments are such results, since the agent can mend
/// them.
///
/// # Errors
/// When there is no such module or tool, or the database fails.
pub async fn call(
    control: &Control,
    who: &Attribution,
    call: CallId,
    module: &str,
    tool: &str,
    arguments: &[u8],
) -> Result<(Vec<u8>, bool), Error> {
    match module {
        "crm" => crm::call(control, Arc::new(who.clone()), call, tool, arguments).await,
        _ => Err(Error::not_found(format!("built-in module `{module}`"))),
    }
}
