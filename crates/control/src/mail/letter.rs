//! What mails say, before it is put into words: `app::mails` writes them. Kept sealed until sent, so a letter may hold the
//! token of a link, which is in the database nowhere else.

use chrono::TimeDelta;
use model::Timestamp;
use model::people::Role;
use serde::{Deserialize, Serialize};

/// A mail to be written. A variant's fields are what its words need and nothing more. Letters wait in the database across
/// versions: give new fields a `#[serde(default)]`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "letter", rename_all = "snake_case")]
pub enum Letter {
    /// Somebody wants to found an organization and has to show that the address is theirs.
    VerifySignUp {
        /// The organization's name.
        organization: String,
        /// The secret in the link.
        token: String,
        /// Until when the link is good.
        until: Timestamp,
    },
    /// The same, at an address that has accounts here: most likely they have forgotten.
    SignUpKnown {
        /// The organization's name.
        organization: String,
        /// The organizations that they are in.
        known: Vec<String>,
        /// The secret in the link that founds another one nevertheless.
        token: String,
        /// Until when the link is good.
        until: Timestamp,
    },
    /// A new password was asked for.
    ResetPassword {
        /// Their name.
        person: String,
        /// The organizations whose accounts get the new password.
        organizations: Vec<String>,
        /// The secret in the link.
        token: String,
        /// Until when the link is good.
        until: Timestamp,
    },
    /// A new password was asked for at an address that has no account.
    ResetUnknown,
    /// Somebody may join an organization.
    Invitation {
        /// The organization's name.
        organization: String,
        /// The person who invites; none: whoever runs the installation.
        invited_by: Option<String>,
        /// The unit that they will sit in.
        unit: String,
        /// What they will be.
        role: Role,
        /// The secret in the link.
        token: String,
        /// Until when the link is good.
        until: Timestamp,
    },
    /// A password is another one now.
    PasswordChanged {
        /// Their name.
        person: String,
        /// The organization.
        organization: String,
        /// When.
        at: Timestamp,
    },
}

impl Letter {
    /// What kind of mail it is, for the log and for whoever looks after the outbox: never who or what.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::VerifySignUp { .. } => "verify_sign_up",
            Self::SignUpKnown { .. } => "sign_up_known",
            Self::ResetPassword { .. } => "reset_password",
            Self::ResetUnknown => "reset_unknown",
            Self::Invitation { .. } => "invitation",
            Self::PasswordChanged { .. } => "password_changed",
        }
    }

    /// After when nobody needs it any more: when its link ends, and else after a day.
    pub(super) fn useful_until(&self, now: Timestamp) -> Timestamp {
        let day = now + TimeDelta::days(1);
        match self {
            Self::VerifySignUp { until, .. }
            | Self::SignUpKnown { until, .. }
            | Self::ResetPassword { until, .. } => day.min(*until),
            // Who was away can still use it on the sixth day.
            Self::Invitation { until, .. } => *until,
            Self::ResetUnknown | Self::PasswordChanged { .. } => day,
        }
    }
}
