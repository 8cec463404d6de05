//! Pages that need no session: signing in and up, mails' links.

/// Sign-in.
pub const SIGN_IN: &str = "/sign-in";
/// The second step of sign-in, for people of several organizations.
pub const CHOOSE: &str = "/sign-in/organization";
/// Ends the session (POST).
pub const SIGN_OUT: &str = "/sign-out";
/// Founds an organization.
pub const SIGN_UP: &str = "/sign-up";
/// Asks for a mail with which a new password can be set.
pub const FORGOT: &str = "/forgot";
/// Where somebody is told that a mail is on its way, after signing up.
pub const SIGN_UP_SENT: &str = "/sign-up/sent";
/// Where somebody is told that a mail is on its way, after asking for a new password.
pub const FORGOT_SENT: &str = "/forgot/sent";

/// Where a new address is proved, by the secret in the mail.
pub fn verify(token: &str) -> String {
    format!("/verify/{token}")
}

/// Where a new password is set, by the secret in the mail.
pub fn reset(token: &str) -> String {
    format!("/reset/{token}")
}
