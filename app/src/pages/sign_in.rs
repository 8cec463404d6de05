//! Sign-in: mail address and password, then the organization for people who are in several.

use leptos::prelude::*;

use crate::document::{self, Site};
use crate::links;
use crate::pieces::field::{ErrorSummary, Field, FieldError, error_of};
use crate::text;

/// What the sign-in form shows.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// The address as it was typed.
    pub email: String,
    /// Where to go afterwards: a path of this site, or empty.
    pub next: String,
    /// What is wrong.
    pub errors: Vec<FieldError>,
    /// A sentence above the form, such as that one has signed out.
    pub notice: Option<&'static str>,
}

/// The form.
pub fn page(site: &Site, form: Form) -> String {
    let title = if form.errors.is_empty() { "Sign in" } else { "Error: Sign in" };
    document::plain(site, title, || {
        let described = |field: &str| error_of(&form.errors, field).map(|_| format!("{field}-error"));
        let invalid = |field: &str| error_of(&form.errors, field).map(|_| "true");
        let (email_described, email_invalid) = (described("email"), invalid("email"));
        let (password_described, password_invalid) = (described("password"), invalid("password"));
        view! {
            <ErrorSummary errors=form.errors.clone() />
            <h1>"Sign in"</h1>
            {form.notice.map(|notice| view! { <p class="notice" role="status">{notice}</p> })}
            <form class="stack" method="post" action=links::SIGN_IN novalidate="">
                <input type="hidden" name="next" value=form.next.clone() />
                <Field name="email" label="Mail address" error=error_of(&form.errors, "email")>
                    <input
                        type="email"
                        id="email"
                        name="email"
                        value=text::one_line(&form.email, 320)
                        autocomplete="username"
                        spellcheck="false"
                        autocapitalize="none"
                        maxlength="320"
                        aria-describedby=email_described
                        aria-invalid=email_invalid
                        required=""
                    />
                </Field>
                <Field name="password" label="Password" error=error_of(&form.errors, "password")>
                    <input
                        type="password"
                        id="password"
                        name="password"
                        autocomplete="current-password"
                        maxlength="1000"
                        aria-describedby=password_described
                        aria-invalid=password_invalid
                        required=""
                    />
                </Field>
                <button type="submit" class="button primary">
                    "Sign in"
                </button>
            </form>
            <p class="note ways">
                <a href=links::FORGOT>"Forgot your password?"</a>
                <a href=links::SIGN_UP>"Set up an organization"</a>
            </p>
        }
    })
}

/// One organization to choose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub organization: String,
    /// Under which name one is known there.
    pub person: String,
}

/// The second step, for people of several organizations.
pub fn choose(site: &Site, choices: Vec<Choice>) -> String {
    document::plain(site, "Choose an organization", || {
        let buttons = choices
            .into_iter()
            .map(|choice| {
                view! {
                    <li>
                        <button type="submit" name="organization" value=choice.slug class="choice">
                            <strong>{text::name(&choice.organization)}</strong>
                            <span>"as " {text::name(&choice.person)}</span>
                        </button>
                    </li>
                }
            })
            .collect::<Vec<_>>();
        view! {
            <h1>"Choose an organization"</h1>
            <p>"You are in several. To work in another one later, sign out and sign in again."</p>
            <form method="post" action=links::CHOOSE>
                <ul class="choices">{buttons}</ul>
            </form>
            <form method="post" action=links::SIGN_OUT>
                <button type="submit" class="button plain">
                    "Cancel and sign out"
                </button>
            </form>
        }
    })
}
