//! Mails: letters put into words, and the words as text and HTML. One mail, one action.
//!
//! Both forms come from the same [`Words`], so neither can say what the other does not.

mod html;
mod letters;
mod plain;

use control::mail::Letter;

use crate::text;

/// A mail as it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    /// One line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML: a whole document that loads nothing.
    pub html: String,
}

/// What a mail says.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Words {
    subject: String,
    /// Whom it greets; none: nobody by name.
    greets: Option<String>,
    /// What happened.
    before: Vec<String>,
    /// What to do: what the button says, and its address.
    action: Option<(&'static str, String)>,
    /// What else there is to know.
    after: Vec<Said>,
}

/// A sentence below the action.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Said {
    /// Words alone.
    Sentence(String),
    /// Words that end in an address.
    Link(String, String),
}

/// Writes a letter. `origin` is where the dashboard is, without a trailing slash.
pub fn write(letter: &Letter, origin: &str) -> Mail {
    let words = letters::words(letter, origin.trim_end_matches('/'));
    Mail {
        text: plain::text(&words, origin),
        html: html::document(&words, origin),
        subject: text::one_line(&words.subject, 150),
    }
}
