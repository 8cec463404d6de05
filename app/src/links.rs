//! Where pages are. Nothing else writes a path, so that a page that moves moves once.

use model::people::Slug;
use model::{AgentId, CallId};

/// Sign-in, the only page that needs no session.
pub const SIGN_IN: &str = "/sign-in";
/// The second step of sign-in, for people of several organizations.
pub const CHOOSE: &str = "/sign-in/organization";
/// Ends the session (POST).
pub const SIGN_OUT: &str = "/sign-out";

/// The places of one organization.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Links {
    slug: Slug,
}

impl Links {
    /// The places of the organization with this short name.
    pub fn of(slug: Slug) -> Self {
        Self { slug }
    }

    /// The organization's own front page.
    pub fn home(&self) -> String {
        format!("/t/{}", self.slug)
    }

    /// The list of calls.
    pub fn activity(&self) -> String {
        format!("/t/{}/activity", self.slug)
    }

    /// The list of calls, with filters: `query` as [`crate::pages::filter::ActivityQuery::to_query`] writes it.
    pub fn activity_with(&self, query: &str) -> String {
        if query.is_empty() { self.activity() } else { format!("/t/{}/activity?{query}", self.slug) }
    }

    /// The stream of changes to that list.
    pub fn live(&self, query: &str) -> String {
        let path = format!("/t/{}/activity/live", self.slug);
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }

    /// Requests that never became calls.
    pub fn rejected(&self) -> String {
        format!("/t/{}/activity/rejected", self.slug)
    }

    /// One call.
    pub fn call(&self, id: CallId) -> String {
        format!("/t/{}/activity/{id}", self.slug)
    }

    /// All calls of an agent.
    pub fn calls_of(&self, agent: AgentId) -> String {
        format!("/t/{}/activity?agent={agent}", self.slug)
    }
}
