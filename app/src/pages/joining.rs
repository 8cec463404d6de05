//! Pages that need no session: signing up, proving the address, asking for a new password and setting it.

pub mod password;
pub mod sign_up;

use leptos::prelude::*;

use crate::document::{self, Site};
use crate::{links, text};

/// What a mail is on its way for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// To prove the address of somebody who signs up.
    SignUp,
    /// To set a new password.
    Password,
}

/// Tells that a mail is on its way, whoever has the address. `email` as it was given, if that is still known.
pub fn sent(site: &Site, sent: Sent, email: Option<&str>) -> String {
    let (what, again) = match sent {
        Sent::SignUp => (
            "Open it and follow the link: it confirms that the address is yours, and sets everything up.",
            links::SIGN_UP,
        ),
        Sent::Password => {
            ("Open it and follow the link: it leads to a page where you set a new password.", links::FORGOT)
        }
    };
    document::plain(site, "Look into your mailbox", || {
        let address = match email {
            Some(email) => view! { <strong>{text::name(email)}</strong> }.into_any(),
            None => "the address that you gave".into_any(),
        };
        view! {
            <h1>"Look into your mailbox"</h1>
            <p>"A mail is on its way to " {address} ". " {what}</p>
            <p class="note">
                "Nothing after some minutes? Look among unwanted mail, or " <a href=again>"try again"</a>
                ": the address may have been mistyped."
            </p>
        }
    })
}

/// Why something that goes by mail cannot be done here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// The installation sends no mail.
    NoMail,
    /// Nobody may found an organization by themselves.
    SignUp,
}

/// Tells that it cannot be done here, and what else one can do.
pub fn closed(site: &Site, title: &'static str, closed: Closed) -> String {
    let (why, instead) = match closed {
        Closed::NoMail => (
            "This installation sends no mail, and here that is needed to know that an address is yours.",
            "Ask an administrator of your organization: they can make an account for you or set a new password. Whoever \
             runs the installation can set a mail server.",
        ),
        Closed::SignUp => (
            "In this installation, organizations are set up by whoever runs it.",
            "If your organization is here already, ask one of its administrators to invite you.",
        ),
    };
    document::plain(site, title, || {
        view! {
            <h1>{title}</h1>
            <p>{why}</p>
            <p>{instead}</p>
            <p>
                <a class="button" href=links::SIGN_IN>
                    "Go to sign-in"
                </a>
            </p>
        }
    })
}

/// A link of a mail that leads nowhere any more.
pub fn spent(site: &Site, what: Sent) -> String {
    let (sentence, label, again) = match what {
        Sent::SignUp => (
            "Links work once and for 24 hours. If you have confirmed your address already, everything is set up: sign in.",
            "Sign up again",
            links::SIGN_UP,
        ),
        Sent::Password => (
            "Links work once and for an hour, and a later one takes the place of those before as soon as it was used.",
            "Ask for another link",
            links::FORGOT,
        ),
    };
    document::plain(site, "This link is used up", || {
        view! {
            <h1>"This link is used up or too old"</h1>
            <p>{sentence}</p>
            <p class="ways">
                <a class="button primary" href=links::SIGN_IN>
                    "Sign in"
                </a>
                <a class="button" href=again>
                    {label}
                </a>
            </p>
        }
    })
}
