//! The front page, and search.

use super::Links;

impl Links {
    /// People, agents, units, modules, tools, pages and what one may do, by name: `/t/{tenant}/find`.
    pub fn find(&self) -> String {
        self.at("find")
    }

    /// What is found for a text.
    pub fn find_for(&self, text: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", text).finish();
        format!("{}?{query}", self.find())
    }

    /// The same as a fragment, for the palette, which appends `?q=`.
    pub fn palette(&self) -> String {
        self.at("find/palette")
    }

    /// The stream of the front page's last hour.
    pub fn now(&self) -> String {
        self.at("now")
    }

    /// Puts the first steps away (POST).
    pub fn hide_first_steps(&self) -> String {
        self.at("first-steps/hide")
    }
}
