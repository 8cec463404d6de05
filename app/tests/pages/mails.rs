//! Mails as they are sent: their words, and that nobody else's words do anything in them.

use app::mails::{self, Mail};
use control::mail::Letter;
use insta::assert_snapshot;
use model::Timestamp;

const ORIGIN: &str = "https://agents.example.com";
const TOKEN: &str = "kq3vJ0yJ8yY5cJxH2c8m0b9u6Jw1x7Zr4pQdTn5sVgE";

fn at() -> Timestamp {
    "2026-11-23T09:30:12Z".parse().unwrap()
}

fn letters() -> Vec<(&'static str, Letter)> {
    let (token, until) = (TOKEN.to_owned(), at());
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    vec![
        (
            "verify_sign_up",
            Letter::VerifySignUp { organization: "Northwind & Söhne".into(), token: token.clone(), until },
        ),
        (
            "sign_up_known",
            Letter::SignUpKnown {
                organization: "Northwind".into(),
                known: names(&["Acme", "Beta"]),
                token: token.clone(),
                until,
            },
        ),
        (
            "reset_password",
            Letter::ResetPassword {
                person: "Ada Lovelace".into(),
                organizations: names(&["Acme"]),
                token: token.clone(),
                until,
            },
        ),
        (
            "reset_password_several",
            Letter::ResetPassword {
                person: "Ada Lovelace".into(),
                organizations: names(&["Acme", "Beta", "Gamma"]),
                token,
                until,
            },
        ),
        ("reset_unknown", Letter::ResetUnknown),
        (
            "password_changed",
            Letter::PasswordChanged { person: "Ada Lovelace".into(), organization: "Acme".into(), at: at() },
        ),
    ]
}

#[test]
fn what_mails_say() {
    for (name, letter) in letters() {
        let Mail { subject, text, .. } = mails::write(&letter, ORIGIN);
        assert_snapshot!(format!("mail_{name}"), format!("Subject: {subject}\n\n{text}"));
        assert!(text.lines().all(|line| line.chars().count() <= 72 || line.starts_with(ORIGIN)), "{text}");
    }
}

#[test]
fn what_a_mail_is_as_html() {
    let (_, letter) = letters().swap_remove(1);
    assert_snapshot!("mail_as_html", mails::write(&letter, ORIGIN).html.replace("><", ">\n<"));
}

/// Both forms say the same and lead to the same places; a mail loads nothing, so that nobody learns that it was read.
#[test]
fn both_forms_have_the_same_links_and_load_nothing() {
    for (name, letter) in letters() {
        let Mail { text, html, .. } = mails::write(&letter, &format!("{ORIGIN}/"));
        let links: Vec<_> = text.lines().filter(|line| line.starts_with("https://")).collect();
        assert!(links.len() >= 2, "{name}: an action, and where the mail comes from");
        for link in links.iter().take(links.len() - 1) {
            assert!(html.contains(&format!("href=\"{link}\"")), "{name}: {link} in {html}");
        }
        for loads in ["<img", "<link", "<script", "url(", "@import", "src="] {
            assert!(!html.contains(loads), "{name}: {loads}");
        }
    }
}

#[test]
fn names_that_others_chose_do_nothing() {
    let evil = "<img src=x onerror=alert(1)>\u{202E}\r\nBcc: all@example.com";
    for letter in [
        Letter::ResetPassword {
            person: evil.into(),
            organizations: vec![evil.into()],
            token: TOKEN.into(),
            until: at(),
        },
        Letter::PasswordChanged { person: evil.into(), organization: evil.into(), at: at() },
        Letter::SignUpKnown {
            organization: evil.into(),
            known: vec![evil.into()],
            token: TOKEN.into(),
            until: at(),
        },
    ] {
        let Mail { subject, text, html } = mails::write(&letter, ORIGIN);
        assert!(!html.contains("<img") && !html.contains('\u{202E}'), "{html}");
        assert!(!text.contains('\u{202E}') && !text.contains("\nBcc"), "{text}");
        assert!(!subject.contains('\n'));
    }
}

/// Whoever signs up chooses the name and the address that the mail goes to: it must not carry their message.
#[test]
fn a_mail_to_somebody_who_did_not_ask_carries_nobodys_message() {
    for message in [
        "Win at https://evil.example",
        "www.evil.example",
        "evil.example/now",
        "call me@evil.example",
        &"x".repeat(61),
    ] {
        let letter = Letter::VerifySignUp { organization: message.into(), token: TOKEN.into(), until: at() };
        let Mail { text, html, .. } = mails::write(&letter, ORIGIN);
        assert!(!text.contains("evil") && !html.contains("evil") && !text.contains("xxx"), "{text}");
        assert!(text.contains("a new organization"));
    }
}
