//! Calls, and what is told about them.

use model::{AgentId, CallId};

use super::Links;

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
}
