//! The organization's settings.

use super::Links;

impl Links {
    /// The settings' front page.
    pub fn settings(&self) -> String {
        self.at("settings")
    }
}
