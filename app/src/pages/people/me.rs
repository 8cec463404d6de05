//! One's own account.

use control::account::{Account, SessionLine};
use leptos::prelude::*;
use model::{ZONES, Zone};

use crate::document::{self, Crumb, Visit};
use crate::links::Place;
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::{Form, SelectField, TextField};
use crate::pieces::head::PageHead;
use crate::pieces::sessions;
use crate::text;

/// Which of the page's forms came back, with what was typed and what is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// None: the page as it is.
    None,
    /// Name and time zone.
    About(Form),
    /// The password.
    Password(Form),
}

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The account.
    pub account: Account,
    /// Where one is signed in.
    pub sessions: Vec<SessionLine>,
    /// The handle of the session that the page is shown in.
    pub here: Option<String>,
}

/// The page.
pub fn page(visit: &Visit, shown: &Shown, part: Part) -> String {
    let links = visit.links();
    let account = &shown.account;
    let zone = account.zone.map_or("", Zone::name);
    let as_it_is = || Form::default().with("name", account.name.clone()).with("time_zone", zone);
    let (begun, secret) = match part {
        Part::None => (as_it_is(), Form::default()),
        Part::About(form) => (form, Form::default()),
        Part::Password(form) => (as_it_is(), form),
    };
    let errors = [begun.errors(), secret.errors()].concat();
    let title = begun.title(&secret.title("My account"));
    document::page(visit, Place::Elsewhere, &title, vec![Crumb::here("My account")], false, || {
        let lead = view! {
            {text::name(&account.email)}
            " in "
            {text::name(&visit.organization)}
        }
        .into_any();
        let roles = if visit.roles.is_empty() { "No role".to_owned() } else { visit.roles.join(", ") };
        let (my_page, usage) = (links.user(visit.user), links.usage());
        view! {
            <ErrorSummary errors=errors />
            <PageHead title="My account".into_any() lead=lead>
                <a class="button" href=my_page>
                    "My page"
                </a>
                <a class="button" href=usage>
                    "My usage"
                </a>
            </PageHead>
            <section class="part">
                <h2>"About me"</h2>
                <p class="note">"Roles: " {text::name(&roles)} ". The mail address stays: it is what you sign in with."</p>
                <form class="sheet" method="post" action=links.me() novalidate="">
                    <TextField form=begun.clone() name="name" label="Name" autocomplete="name" />
                    {zones(&begun, account)}
                    <div class="form-actions">
                        <button type="submit" class="button primary">
                            "Save"
                        </button>
                    </div>
                </form>
            </section>
            {password(visit, account, &secret)}
            <section class="part">
                <h2>"Signed in"</h2>
                {sessions::of_person(visit, &shown.sessions, shown.here.as_deref(), &links.my_sessions())}
            </section>
            <section class="part">
                <h2>"Leave"</h2>
                <p>"You lose access at once and for good. You see what ends before you confirm."</p>
                <p>
                    <a class="button" href=links.leave()>
                        <span>"Leave " {text::name(&visit.organization)}</span>
                    </a>
                </p>
            </section>
        }
    })
}

fn zones(form: &Form, account: &Account) -> impl IntoView + use<> {
    let options = ZONES.iter().map(|zone| (zone.name().to_owned(), zone.name().replace('_', " "))).collect();
    view! {
        <SelectField
            form=form.clone()
            name="time_zone"
            label="Time zone"
            hint="Times are shown in it."
            none=format!("The organization's: {}", account.organizations_zone.name())
            options=options
        />
    }
}

fn password(visit: &Visit, account: &Account, form: &Form) -> impl IntoView + use<> {
    let links = visit.links();
    account.has_password.then(|| {
        view! {
            <section class="part">
                <h2>"Password"</h2>
                <p class="note">"All other browsers are signed out, and a mail tells you of it."</p>
                <form class="sheet" method="post" action=links.my_password() novalidate="">
                    <input type="hidden" name="username" value=text::one_line(&account.email, 254) autocomplete="username" />
                    <TextField
                        form=form.clone()
                        name="old_password"
                        label="Current password"
                        kind="password"
                        autocomplete="current-password"
                        longest=1000
                    />
                    <TextField
                        form=form.clone()
                        name="password"
                        label="New password"
                        hint="At least 12 characters."
                        kind="password"
                        autocomplete="new-password"
                        longest=1000
                    />
                    <div class="form-actions">
                        <button type="submit" class="button">
                            "Change the password"
                        </button>
                    </div>
                </form>
            </section>
        }
    })
}
