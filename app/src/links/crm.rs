//! The CRM's records.

use super::Links;

impl Links {
    /// The CRM's front page: its companies.
    pub fn crm(&self) -> String {
        self.at("crm/companies")
    }
}
