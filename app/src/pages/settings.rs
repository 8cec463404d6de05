//! Settings: the organization, how people sign in, who is signed in, as whom it writes, what was changed, and danger.

mod danger;
pub mod limits;
mod organization;
mod record;
mod sessions;
mod sign_in;

use control::authority::Deed;
use leptos::prelude::*;

use crate::document::{self, Crumb, Visit};
use crate::links::Place;
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::Form;
use crate::pieces::head::PageHead;

pub use danger::{close, danger, stop};
pub use organization::{begin as organization_form, mail, organization};
pub use record::{Known as RecordKnown, Query as RecordQuery, record};
pub use sessions::{end_all, sessions};
pub use sign_in::{begin as sign_in_form, sign_in};

/// The parts of the settings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Organization,
    SignIn,
    Sessions,
    Mail,
    Limits,
    Record,
    Danger,
}

impl Part {
    const ALL: [Self; 7] = [
        Self::Organization,
        Self::SignIn,
        Self::Sessions,
        Self::Mail,
        Self::Limits,
        Self::Record,
        Self::Danger,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Organization => "Organization",
            Self::SignIn => "Sign-in",
            Self::Sessions => "Sessions",
            Self::Mail => "Mail sender",
            Self::Limits => "Limits",
            Self::Record => "Record of changes",
            Self::Danger => "Danger zone",
        }
    }

    const fn lead(self) -> &'static str {
        match self {
            Self::Organization => "What your organization is called, and where its agents connect.",
            Self::SignIn => "How long sessions last, how long passwords are, who can be invited.",
            Self::Sessions => {
                "Who is signed in, from where. Ending a session takes effect with its next click."
            }
            Self::Mail => "As whom mails to your people are sent.",
            Self::Limits => "How many calls are let through in which time: of whom, and of what.",
            Self::Record => {
                "Who signed in and who changed what in the set-up, and when. Nobody can change or delete it."
            }
            Self::Danger => "What stops everybody. Only owners see this page.",
        }
    }

    fn href(self, visit: &Visit) -> String {
        let links = visit.links();
        match self {
            Self::Organization => links.settings(),
            Self::SignIn => links.sign_in_rules(),
            Self::Sessions => links.sessions(),
            Self::Mail => links.mail_sender(),
            Self::Limits => links.limits(),
            Self::Record => links.changes(),
            Self::Danger => links.danger(),
        }
    }
}

/// A part of the settings with its tabs. `form`: the one on it, for its errors.
fn part<V: IntoView + 'static>(
    visit: &Visit,
    here: Part,
    form: Option<&Form>,
    content: impl FnOnce() -> V,
) -> String {
    let title = form.map_or_else(|| here.label().to_owned(), |form| form.title(here.label()));
    let errors = form.map(|form| form.errors().to_vec()).unwrap_or_default();
    let crumbs = vec![Crumb::to("Settings", visit.links().settings()), Crumb::here(here.label())];
    document::page(visit, Place::Settings, &title, crumbs, here == Part::Organization, || {
        let tabs = Part::ALL
            .into_iter()
            .filter(|part| *part != Part::Danger || visit.may(Deed::ChangeOwners))
            .map(|part| {
                let current = (part == here).then_some("page");
                view! { <a href=part.href(visit) aria-current=current>{part.label()}</a> }
            })
            .collect::<Vec<_>>();
        view! {
            <ErrorSummary errors=errors />
            <PageHead title=here.label().into_any() lead=here.lead().into_any() />
            <nav class="tabs" aria-label="Settings">{tabs}</nav>
            {content()}
        }
    })
}

/// What those see who may read the settings and not change them.
fn only_read() -> impl IntoView {
    view! { <p class="hint">"You can see these settings. Admins and owners change them."</p> }
}
