//! Units, people, agents, and one's own account.

use model::{AgentId, UnitId, UserId};

use super::Links;

impl Links {
    /// The tree of units with the people and agents in it.
    pub fn people(&self) -> String {
        self.at("people")
    }

    /// One unit.
    pub fn unit(&self, id: UnitId) -> String {
        format!("{}/units/{id}", self.people())
    }

    /// One person.
    pub fn user(&self, id: UserId) -> String {
        format!("{}/users/{id}", self.people())
    }

    /// One agent.
    pub fn agent(&self, id: AgentId) -> String {
        format!("{}/agents/{id}", self.people())
    }

    /// The form for a new agent.
    pub fn new_agent(&self) -> String {
        format!("{}/agents/new", self.people())
    }

    /// Who was invited and has not come yet.
    pub fn invitations(&self) -> String {
        format!("{}/invitations", self.people())
    }

    /// One's own account.
    pub fn me(&self) -> String {
        self.at("me")
    }
}
