//! Calls, and what is told about them.

use model::access::PermissionKey;
use model::{AgentId, CallId, SavedFilterId, UserId};

use super::Links;
use super::catalog::segment;

impl Links {
    /// The list of calls.
    pub fn activity(&self) -> String {
        self.at("activity")
    }

    /// The list of calls, with filters: `query` as [`crate::pages::filter::ActivityQuery::to_query`] writes it.
    pub fn activity_with(&self, query: &str) -> String {
        if query.is_empty() { self.activity() } else { format!("{}?{query}", self.activity()) }
    }

    /// The stream of changes to that list.
    pub fn live(&self, query: &str) -> String {
        let path = self.at("activity/live");
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }

    /// Requests that never became calls.
    pub fn rejected(&self) -> String {
        self.at("activity/rejected")
    }

    /// One call.
    pub fn call(&self, id: CallId) -> String {
        format!("{}/{id}", self.activity())
    }

    /// All calls of an agent.
    pub fn calls_of(&self, agent: AgentId) -> String {
        format!("{}?agent={agent}", self.activity())
    }

    /// All calls of one protocol session, as a story.
    pub fn session(&self, session: &str) -> String {
        format!("{}/sessions/{}", self.activity(), segment(session))
    }

    /// The same, after a call.
    pub fn session_after(&self, session: &str, call: CallId) -> String {
        format!("{}?after={call}", self.session(session))
    }

    /// The calls of a filter as a file.
    pub fn export(&self, query: &str) -> String {
        let path = self.at("activity/export.csv");
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }

    /// Keeps a filter (POST).
    pub fn save_filter(&self) -> String {
        self.at("activity/filters")
    }

    /// Forgets one (POST).
    pub fn delete_filter(&self, filter: SavedFilterId) -> String {
        format!("{}/{filter}/delete", self.save_filter())
    }

    /// The form that gives a permission key, filled in for an agent.
    pub fn give_to_agent(&self, key: &PermissionKey, agent: AgentId) -> String {
        self.give(key, "agent", &agent.to_string())
    }

    /// The same for a person.
    pub fn give_to_user(&self, key: &PermissionKey, user: UserId) -> String {
        self.give(key, "user", &user.to_string())
    }

    fn give(&self, key: &PermissionKey, to: &str, id: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("key", key.as_str())
            .append_pair(to, id)
            .finish();
        format!("{}/new?{query}", self.grants())
    }
}
