//! Modules, tools and bundles, by name.

use model::{DraftId, ToolId};

use super::Links;

impl Links {
    /// The table of modules.
    pub fn catalog(&self) -> String {
        self.at("catalog")
    }

    /// The same with filters: `query` as [`crate::pages::catalog::Query::to_query`] writes it.
    pub fn catalog_with(&self, query: &str) -> String {
        if query.is_empty() { self.catalog() } else { format!("{}?{query}", self.catalog()) }
    }

    /// Switches on a built-in module (POST).
    pub fn built_in_module(&self) -> String {
        format!("{}/built-in", self.new_module())
    }

    /// A module on its way into the catalog.
    pub fn draft(&self, id: DraftId) -> String {
        format!("{}/{id}", self.new_module())
    }

    /// What is done with one (POST): `add`, `discard`; how far it has come: `live`.
    pub fn draft_to(&self, id: DraftId, what: &str) -> String {
        format!("{}/{what}", self.draft(id))
    }

    /// The wizard that adds a module.
    pub fn new_module(&self) -> String {
        format!("{}/new", self.catalog())
    }

    /// One module, by its permission key.
    pub fn module(&self, name: &str) -> String {
        format!("{}/{}", self.catalog(), segment(name))
    }

    /// A page of one module, or what is done with it: `off`, `describe`. No tool is called `-` and has such pages.
    pub fn module_to(&self, name: &str, what: &str) -> String {
        format!("{}/-/{what}", self.module(name))
    }

    /// Where people come back to from an authorization server, once they have given access to a module.
    pub fn oauth_callback(&self) -> String {
        self.at("oauth/callback")
    }

    /// The document about us as a client of authorization servers, which everybody may read.
    pub fn oauth_client(&self) -> String {
        self.at("oauth/client")
    }

    /// The table of bundles.
    pub fn bundles(&self) -> String {
        self.at("bundles")
    }

    /// Where a bundle is made.
    pub fn new_bundle(&self) -> String {
        format!("{}/new", self.bundles())
    }

    /// One bundle, by the last part of its MCP address.
    pub fn bundle(&self, name: &str) -> String {
        format!("{}/{}", self.bundles(), segment(name))
    }

    /// A page of one bundle, or what is done with it: `add`, `describe`.
    pub fn bundle_to(&self, name: &str, what: &str) -> String {
        format!("{}/{what}", self.bundle(name))
    }

    /// What a tool is called in a bundle.
    pub fn bundled_name(&self, bundle: &str, tool: ToolId) -> String {
        format!("{}/tools/{tool}", self.bundle(bundle))
    }

    /// A page of one tool, or what is done with it: `try`, `approve`.
    pub fn tool_to(&self, module: &str, tool: &str, what: &str) -> String {
        format!("{}/{what}", self.tool(module, tool))
    }

    /// One tool, by its name inside its module.
    pub fn tool(&self, module: &str, tool: &str) -> String {
        format!("{}/{}", self.module(module), segment(tool))
    }
}

/// A name as one segment of a path (RFC 3986 section 3.3): upstream servers name tools as they like.
pub(super) fn segment(name: &str) -> String {
    use std::fmt::Write;

    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => out.push(char::from(byte)),
            b'.' if name != "." && name != ".." => out.push('.'),
            // Browsers read `%2E%2E` as a step up as well, so that these two are escaped twice (see `named`).
            b'.' => out.push_str("%252E"),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// The name that a segment of a path stands for, once the path was decoded.
pub fn named(segment: &str) -> &str {
    match segment {
        "%2E" => ".",
        "%2E%2E" => "..",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(segment("list_companies"), "list_companies");
        assert_eq!(segment("a/b?c#d é"), "a%2Fb%3Fc%23d%20%C3%A9");
        assert_eq!(segment("v1.2"), "v1.2");
        assert_eq!(segment(".."), "%252E%252E");
        assert_eq!(named("%2E%2E"), "..");
        assert_eq!(segment("..."), "...");
    }
}
