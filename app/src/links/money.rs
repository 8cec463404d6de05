//! What calls cost.

use super::Links;

impl Links {
    /// The organization's spend.
    pub fn money(&self) -> String {
        self.at("money")
    }

    /// The organization's spend, narrowed: `query` as [`crate::pages::money::query::MoneyQuery::to_query`] writes it.
    pub fn money_with(&self, query: &str) -> String {
        with(self.money(), query)
    }

    /// The same as a file for a spreadsheet.
    pub fn money_file(&self, query: &str) -> String {
        with(format!("{}/file", self.money()), query)
    }

    /// One's own.
    pub fn usage(&self) -> String {
        self.at("usage")
    }

    /// One's own, narrowed.
    pub fn usage_with(&self, query: &str) -> String {
        with(self.usage(), query)
    }

    /// The same as a file for a spreadsheet.
    pub fn usage_file(&self, query: &str) -> String {
        with(format!("{}/file", self.usage()), query)
    }
}

fn with(path: String, query: &str) -> String {
    if query.is_empty() { path } else { format!("{path}?{query}") }
}
