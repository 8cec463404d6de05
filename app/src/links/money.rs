//! What calls cost.

use super::Links;

impl Links {
    /// The organization's spend.
    pub fn money(&self) -> String {
        self.at("money")
    }

    /// One's own.
    pub fn usage(&self) -> String {
        self.at("usage")
    }
}
