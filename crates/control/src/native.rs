//! Native modules: services that are built in, reached as one more kind of upstream.

use crate::crm;

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
