//! Who may use what.

use super::Links;

impl Links {
    /// The matrix of grants.
    pub fn grants(&self) -> String {
        self.at("grants")
    }
}
