//! Modules and tools, by name.

use super::Links;

impl Links {
    /// The table of modules.
    pub fn catalog(&self) -> String {
        self.at("catalog")
    }

    /// The wizard that adds a module.
    pub fn new_module(&self) -> String {
        format!("{}/new", self.catalog())
    }

    /// One module, by its permission key.
    pub fn module(&self, name: &str) -> String {
        format!("{}/{}", self.catalog(), segment(name))
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
            // Dots alone would be a step up.
            b'.' if name.bytes().any(|byte| byte != b'.') => out.push('.'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(segment("list_companies"), "list_companies");
        assert_eq!(segment("a/b?c#d é"), "a%2Fb%3Fc%23d%20%C3%A9");
        assert_eq!(segment("v1.2"), "v1.2");
        assert_eq!(segment(".."), "%2E%2E");
    }
}
