//! An agent, its keys, and ending what somebody may do.

use model::{AgentId, AuditEventId, CredentialId, UserId};

use super::Links;

impl Links {
    /// One agent, at one of its tabs: `connect`, `keys`, `access`, `activity`, `settings`.
    pub fn agent_tab(&self, id: AgentId, tab: &str) -> String {
        format!("{}?tab={tab}", self.agent(id))
    }

    /// How to connect an agent, in one of the ways of [`crate::pages::connect::Way`].
    pub fn agent_way(&self, id: AgentId, way: &str) -> String {
        format!("{}&way={way}", self.agent_tab(id, "connect"))
    }

    /// What one does with an agent: `rename`, `owner`, `move`, `suspend`, `resume`, `retire`, `revoke`.
    pub fn agent_do(&self, id: AgentId, what: &str) -> String {
        format!("{}/{what}", self.agent(id))
    }

    /// Where an agent's keys are made (POST).
    pub fn keys(&self, id: AgentId) -> String {
        self.agent_do(id, "keys")
    }

    /// The form for a new key.
    pub fn new_key(&self, id: AgentId) -> String {
        format!("{}/new", self.keys(id))
    }

    /// Has another key follow this one.
    pub fn rotate_key(&self, id: AgentId, key: CredentialId) -> String {
        format!("{}/{key}/rotate", self.keys(id))
    }

    /// Ends a key.
    pub fn revoke_key(&self, id: AgentId, key: CredentialId) -> String {
        format!("{}/{key}/revoke", self.keys(id))
    }

    /// Ends everything that an agent may do.
    pub fn revoke_agent(&self, id: AgentId) -> String {
        self.agent_do(id, "revoke")
    }

    /// Ends everything that is done in a person's name.
    pub fn revoke_user(&self, id: UserId) -> String {
        format!("{}/revoke", self.user(id))
    }

    /// What was ended, and what is left of what had begun before.
    pub fn revocation(&self, id: AuditEventId) -> String {
        format!("{}/revocations/{id}", self.people())
    }
}
