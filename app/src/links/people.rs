//! Units, people, agents, and one's own account.

use model::{AgentId, InvitationId, UnitId, UserId};

use super::Links;

/// The page of an invitation's link, outside of any organization.
pub fn join(token: &str) -> String {
    format!("/join/{token}")
}

impl Links {
    /// The tree of units with the people and agents in it.
    pub fn people(&self) -> String {
        self.at("people")
    }

    /// The same, with filters: `query` as [`crate::pages::people::list::Query::to_query`] writes it.
    pub fn people_with(&self, query: &str) -> String {
        if query.is_empty() { self.people() } else { format!("{}?{query}", self.people()) }
    }

    /// One unit.
    pub fn unit(&self, id: UnitId) -> String {
        format!("{}/units/{id}", self.people())
    }

    /// The form for a new unit, under another where one is given.
    pub fn new_unit(&self, under: Option<UnitId>) -> String {
        let path = format!("{}/units/new", self.people());
        under.map_or(path.clone(), |unit| format!("{path}?parent={unit}"))
    }

    /// The form for a unit's new name.
    pub fn rename_unit(&self, id: UnitId) -> String {
        format!("{}/rename", self.unit(id))
    }

    /// The choice of a unit's new place.
    pub fn move_unit(&self, id: UnitId) -> String {
        format!("{}/move", self.unit(id))
    }

    /// What archiving a unit would end.
    pub fn archive_unit(&self, id: UnitId) -> String {
        format!("{}/archive", self.unit(id))
    }

    /// One person.
    pub fn user(&self, id: UserId) -> String {
        format!("{}/users/{id}", self.people())
    }

    /// Gives a person another home unit (POST).
    pub fn move_user(&self, id: UserId) -> String {
        format!("{}/move", self.user(id))
    }

    /// Makes a person a member of a further unit (POST).
    pub fn join_unit(&self, id: UserId) -> String {
        format!("{}/units", self.user(id))
    }

    /// Ends a person's membership of a further unit (POST).
    pub fn leave_unit(&self, id: UserId) -> String {
        format!("{}/units/leave", self.user(id))
    }

    /// Gives a person a role (POST).
    pub fn give_role(&self, id: UserId) -> String {
        format!("{}/roles", self.user(id))
    }

    /// Takes a role from a person (POST).
    pub fn take_role(&self, id: UserId) -> String {
        format!("{}/roles/take", self.user(id))
    }

    /// What suspending a person would stop.
    pub fn suspend_user(&self, id: UserId) -> String {
        format!("{}/suspend", self.user(id))
    }

    /// Lets a suspended person act again (POST).
    pub fn resume_user(&self, id: UserId) -> String {
        format!("{}/resume", self.user(id))
    }

    /// What removing a person would end.
    pub fn remove_user(&self, id: UserId) -> String {
        format!("{}/remove", self.user(id))
    }

    /// Ends a person's sessions (POST).
    pub fn end_sessions_of(&self, id: UserId) -> String {
        format!("{}/sessions", self.user(id))
    }

    /// All calls of a person's agents and on their behalf.
    pub fn calls_of_person(&self, id: UserId) -> String {
        format!("{}?person={id}", self.activity())
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

    /// The form that invites.
    pub fn invite(&self) -> String {
        format!("{}/invitations/new", self.people())
    }

    /// Sends an invitation again (POST).
    pub fn resend_invitation(&self, id: InvitationId) -> String {
        format!("{}/{id}/resend", self.invitations())
    }

    /// Takes an invitation back (POST).
    pub fn withdraw_invitation(&self, id: InvitationId) -> String {
        format!("{}/{id}/withdraw", self.invitations())
    }

    /// One's own account.
    pub fn me(&self) -> String {
        self.at("me")
    }

    /// Changes one's password (POST).
    pub fn my_password(&self) -> String {
        self.at("me/password")
    }

    /// Ends one's own sessions (POST).
    pub fn my_sessions(&self) -> String {
        self.at("me/sessions")
    }

    /// What leaving would end.
    pub fn leave(&self) -> String {
        self.at("me/leave")
    }
}
