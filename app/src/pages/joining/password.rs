//! A forgotten password: asking for a link, and setting a new one.

use control::resets::Asked;
use leptos::prelude::*;

use crate::document::{self, Site};
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::{Form, TextField};
use crate::{links, text};

/// Asks for the address.
pub fn forgot(site: &Site, form: Form) -> String {
    document::plain(site, &form.title("Set a new password"), || {
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <h1>"Set a new password"</h1>
            <p>"Give your mail address, and you get a mail with a link to set one."</p>
            <form class="stack" method="post" action=links::FORGOT novalidate="">
                <TextField
                    form=form.clone()
                    name="email"
                    label="Mail address"
                    kind="email"
                    autocomplete="username"
                    longest=254
                />
                <button type="submit" class="button primary">
                    "Send the mail"
                </button>
            </form>
            <p class="note">"Remember it? " <a href=links::SIGN_IN>"Sign in"</a> "."</p>
        }
    })
}

/// Asks for the new password.
pub fn reset(site: &Site, token: &str, asked: &Asked, form: Form) -> String {
    let action = links::reset(token);
    document::plain(site, &form.title("Set a new password"), || {
        let organizations: Vec<_> =
            asked.organizations.iter().map(|name| view! { <li>{text::name(name)}</li> }).collect();
        let several = organizations.len() > 1;
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <h1>"Set a new password"</h1>
            <p>
                "For " <strong>{text::name(&asked.email)}</strong>
                {if several { ". It will be the password of your accounts in all of these:" } else { " in:" }}
            </p>
            <ul class="plain-list">{organizations}</ul>
            <form class="stack" method="post" action=action novalidate="">
                // So that password managers know whose password it is.
                <input
                    type="text"
                    name="username"
                    value=text::one_line(&asked.email, 254)
                    autocomplete="username"
                    readonly=true
                    hidden=true
                />
                <TextField
                    form=form.clone()
                    name="password"
                    label="New password"
                    hint="At least 12 characters. Four words that do not belong together are good."
                    kind="password"
                    autocomplete="new-password"
                    longest=1000
                />
                <button type="submit" class="button primary">
                    "Set the password"
                </button>
            </form>
            <p class="note">"Wherever you are signed in with the old one, you are signed out. Agents and their keys go on."</p>
        }
    })
}
