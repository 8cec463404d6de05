//! What each letter says.

use chrono::Timelike as _;
use control::mail::Letter;
use model::Timestamp;

use super::{Said, Words};
use crate::{links, text, wording};

pub(super) fn words(letter: &Letter, origin: &str) -> Words {
    let at = |path: &str| format!("{origin}{path}");
    match letter {
        Letter::VerifySignUp { organization, token, until } => Words {
            subject: "Confirm your mail address".to_owned(),
            greets: None,
            before: vec![format!(
                "Somebody, most likely you, is setting up {} on WorkingAgents with this mail address. Confirm that it \
                 is yours, and everything is ready.",
                unproved(organization)
            )],
            action: Some(("Confirm and set up", at(&links::verify(token)))),
            after: vec![good_until(*until), nothing_happens("nothing has been set up, and nothing will be")],
        },
        Letter::SignUpKnown { organization, known, token, until } => Words {
            subject: "You already have an account".to_owned(),
            greets: None,
            before: vec![format!(
                "Somebody, most likely you, wants to set up {} on WorkingAgents with this mail address. You are already in \
                 {}: to get there, sign in.",
                unproved(organization),
                all(known)
            )],
            action: Some(("Sign in", at(links::SIGN_IN))),
            after: vec![
                Said::Link(
                    format!("To set up {} as well, open", unproved(organization)),
                    at(&links::verify(token)),
                ),
                good_until(*until),
                nothing_happens("nothing has been set up, and nothing will be"),
            ],
        },
        Letter::ResetPassword { person, organizations, token, until } => Words {
            subject: "Set a new password".to_owned(),
            greets: Some(person.clone()),
            before: vec![match organizations.len() {
                0 | 1 => format!("Somebody, most likely you, asked for a new password of your account in {}.", all(organizations)),
                _ => format!(
                    "Somebody, most likely you, asked for a new password. You have accounts in {} with this mail address: it \
                     will be the password of all of them.",
                    all(organizations)
                ),
            }],
            action: Some(("Set a new password", at(&links::reset(token)))),
            after: vec![good_until(*until), nothing_happens("your password stays what it is")],
        },
        Letter::ResetUnknown => Words {
            subject: "There is no account with this address".to_owned(),
            greets: None,
            before: vec![
                "Somebody, most likely you, asked WorkingAgents for a new password with this mail address. No account has \
                 it."
                .to_owned(),
                "Perhaps you signed up with another address. If your organization uses WorkingAgents and you have no account \
                 yet, ask one of its administrators to invite you."
                    .to_owned(),
            ],
            action: Some(("Try another address", at(links::FORGOT))),
            after: vec![nothing_happens("nothing was changed")],
        },
        Letter::Invitation { organization, invited_by, unit, role, token, until } => Words {
            subject: format!("Join {}", text::one_line(organization, 120)),
            greets: None,
            before: vec![format!(
                "{} to join {} on WorkingAgents, where its people decide what their AI agents may do. You will be {} and sit \
                 in {}.",
                match invited_by {
                    Some(person) => format!("{} invites you", name(person)),
                    None => "You are invited".to_owned(),
                },
                name(organization),
                wording::role(*role),
                name(unit)
            )],
            action: Some(("Join", at(&links::join(token)))),
            after: vec![
                good_until(*until),
                Said::Sentence("If you do not know what this is about, do nothing: without you it comes to nothing.".to_owned()),
            ],
        },
        Letter::PasswordChanged { person, organization, at: when } => Words {
            subject: "Your password was changed".to_owned(),
            greets: Some(person.clone()),
            before: vec![format!(
                "The password of your account in {} was changed on {}. All browsers that were signed in with the old one are \
                 signed out.",
                name(organization),
                instant(*when)
            )],
            action: Some(("It was not me: set another", at(links::FORGOT))),
            after: vec![Said::Sentence(
                "If you did it, or an administrator did it for you, there is nothing to do.".to_owned(),
            )],
        },
    }
}

/// A name as a sentence has it.
fn name(name: &str) -> String {
    format!("“{}”", text::one_line(name, 120))
}

/// The name of an organization that somebody gave who has proved nothing yet. The mail goes to whatever address they gave
/// too, so it must not carry somebody's message: what looks like an address of a page, or is long, is left out.
fn unproved(organization: &str) -> String {
    let lower = organization.to_lowercase();
    let message = organization.chars().count() > 60
        || ["://", "www.", "/", "@"].iter().any(|sign| lower.contains(sign));
    if message { "a new organization".to_owned() } else { name(organization) }
}

/// `“A”`, `“A” and “B”`, `“A”, “B” and “C”`.
fn all(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|it| name(it)).collect();
    match names.as_slice() {
        [] => "no organization".to_owned(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

fn good_until(at: Timestamp) -> Said {
    Said::Sentence(format!("The link works once, until {}.", instant(at)))
}

fn nothing_happens(then: &str) -> Said {
    Said::Sentence(format!("If it was not you, do nothing: {then}."))
}

/// An instant for somebody of whom we do not know where they are: `23 November 2026, 21:40 UTC`.
fn instant(at: Timestamp) -> String {
    let at = at.with_second(0).unwrap_or(at);
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}
