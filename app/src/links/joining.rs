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
