//! What an invited person sees: who invites them into what, and the form by which they join. Without the frame.

use control::invitations::{Standing, Welcome};
use leptos::prelude::*;

use super::said;
use crate::document::{self, Site};
use crate::links;
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::{Form, TextField};
use crate::{text, wording};

/// The page of a link. `token` is the one in its address.
pub fn page(site: &Site, token: &str, standing: &Standing, form: &Form) -> String {
    match standing {
        Standing::Open(welcome) => open(site, token, welcome, form),
        Standing::Here { organization, email } => here(site, organization, email),
        Standing::Over => over(site),
        Standing::Unknown => unknown(site),
    }
}

fn open(site: &Site, token: &str, welcome: &Welcome, form: &Form) -> String {
    let title = form.title(&format!("Join {}", text::one_line(&welcome.organization, 120)));
    document::plain(site, &title, || {
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <h1>"Join " {text::name(&welcome.organization)}</h1>
            <p>
                {text::name(&welcome.invited_by)}
                " invites you to join as "
                {wording::role(welcome.role)}
                " in "
                {text::name(&welcome.unit)}
                ". The invitation is for "
                <strong>{text::name(&welcome.email)}</strong>
                " and good until "
                {said::when(welcome.expires_at, site.clock())}
                " "
                {site.clock().zone_name()}
                "."
            </p>
            <form class="stack" method="post" action=links::join(token) novalidate="">
                <input type="hidden" name="username" value=text::one_line(&welcome.email, 254) autocomplete="username" />
                <TextField form=form.clone() name="name" label="Your name" autocomplete="name" />
                <TextField
                    form=form.clone()
                    name="password"
                    label="Password"
                    hint="At least 12 characters. Several words are easy to remember and hard to guess."
                    kind="password"
                    autocomplete="new-password"
                    longest=1000
                />
                <button type="submit" class="button primary">
                    "Join"
                </button>
            </form>
        }
    })
}

fn here(site: &Site, organization: &str, email: &str) -> String {
    document::plain(site, "You are in already", || {
        view! {
            <h1>"You are in already"</h1>
            <p>
                {text::name(email)}
                " has an account in "
                {text::name(organization)}
                ". Sign in with your password; if you have forgotten it, you can set a new one."
            </p>
            <p>
                <a class="button primary" href=links::SIGN_IN>
                    "Sign in"
                </a>
            </p>
            <p>
                <a href=links::FORGOT>"I have forgotten my password"</a>
            </p>
        }
    })
}

fn over(site: &Site) -> String {
    document::plain(site, "This invitation is no longer good", || {
        view! {
            <h1>"This invitation is no longer good"</h1>
            <p>
                "Its seven days are over, it was withdrawn, or a newer one was sent to you: look for that mail first. Else ask "
                "whoever invited you to send it again."
            </p>
            <p>
                <a class="button" href=links::SIGN_IN>
                    "Go to sign-in"
                </a>
            </p>
        }
    })
}

fn unknown(site: &Site) -> String {
    document::plain(site, "There is no such invitation", || {
        view! {
            <h1>"There is no such invitation"</h1>
            <p>
                "The link is not complete, or it was replaced by a newer one. Copy the whole link from the newest mail, or ask "
                "whoever invited you to send it again."
            </p>
            <p>
                <a class="button" href=links::SIGN_IN>
                    "Go to sign-in"
                </a>
            </p>
        }
    })
}
