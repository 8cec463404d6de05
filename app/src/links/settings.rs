//! The organization's settings.

use super::Links;

impl Links {
    /// The settings' front page: the organization itself.
    pub fn settings(&self) -> String {
        self.at("settings")
    }

    /// How people sign in.
    pub fn sign_in_rules(&self) -> String {
        self.at("settings/sign-in")
    }

    /// Who is signed in.
    pub fn sessions(&self) -> String {
        self.at("settings/sessions")
    }

    /// Ends one session (POST).
    pub fn end_session(&self) -> String {
        self.at("settings/sessions/end")
    }

    /// What ending all sessions of a person would mean; ends them (POST).
    pub fn end_all_sessions_of(&self, user: model::UserId) -> String {
        format!("{}/{user}/end", self.sessions())
    }

    /// As whom mails are sent.
    pub fn mail_sender(&self) -> String {
        self.at("settings/mail")
    }

    /// The record of changes.
    pub fn changes(&self) -> String {
        self.at("settings/record")
    }

    /// The record of changes, with filters.
    pub fn changes_with(&self, query: &str) -> String {
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{mark}{query}", self.changes())
    }

    /// The record of changes as a sheet, with filters.
    pub fn export_changes(&self, query: &str) -> String {
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}/export{mark}{query}", self.changes())
    }

    /// What only owners do.
    pub fn danger(&self) -> String {
        self.at("settings/danger")
    }

    /// The emergency stop: what it would mean; does it (POST).
    pub fn stop_agents(&self) -> String {
        format!("{}/stop", self.danger())
    }

    /// Lets the agents go on (POST).
    pub fn resume_agents(&self) -> String {
        format!("{}/resume", self.danger())
    }

    /// Closing the organization: what it would mean; does it (POST).
    pub fn close_organization(&self) -> String {
        format!("{}/close", self.danger())
    }
}
