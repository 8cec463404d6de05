//! Every recurring piece on one page, light beside dark: to see what a change of a token or a component does everywhere.
//! Served in `dev` alone.

use leptos::prelude::*;
use model::call::{CallRow, Outcome, Reason, ReasonCode, Verdict};
use model::people::Role;
use model::{Currency, Money, Timestamp};
use uuid::Uuid;

use crate::document::{self, Site};
use crate::icon::{Icon, NAMES};
use crate::links::Links;
use crate::pieces::call_row::{Reader, Row};
use crate::pieces::field::{ErrorSummary, FieldError};
use crate::pieces::form::{Checkbox, Form, Radios, SelectField, TextArea, TextField};
use crate::pieces::head::PageHead;
use crate::pieces::sign::{Badge, State};
use crate::wording;

/// The colours by their roles, as `style/tokens.css` names them.
const ROLES: [&str; 24] = [
    "ground",
    "surface",
    "raised",
    "sunken",
    "hover",
    "line",
    "edge",
    "ink",
    "ink-soft",
    "ink-faint",
    "accent",
    "accent-strong",
    "accent-tint",
    "permit",
    "permit-tint",
    "deny",
    "deny-tint",
    "hold",
    "hold-tint",
    "drift",
    "drift-tint",
    "spend",
    "spend-tint",
    "environment",
];

/// The page.
pub fn page(site: &Site) -> String {
    document::bare(site, "Components", || {
        view! {
            <main id="main" class="components" tabindex="-1">
                <h1>"Components"</h1>
                <div class="schemes">{scheme(site, "light")} {scheme(site, "dark")}</div>
            </main>
        }
    })
}

/// All pieces in one colour scheme. Ids carry its name: they are there twice.
fn scheme(site: &Site, scheme: &'static str) -> impl IntoView + use<> {
    let swatches = ROLES
        .map(|role| {
            view! {
                <li>
                    <span class="swatch" data-role=role></span>
                    <code>{role}</code>
                </li>
            }
        })
        .collect_view();
    let icons = NAMES
        .iter()
        .map(|name| {
            view! {
                <li>
                    <Icon name=name />
                    <code>{*name}</code>
                </li>
            }
        })
        .collect::<Vec<_>>();
    let verdicts =
        Verdict::ALL.iter().map(|it| view! { <Badge sign=wording::verdict(*it) />" " }).collect::<Vec<_>>();
    let outcomes =
        Outcome::ALL.iter().map(|it| view! { <State sign=wording::outcome(*it) />" " }).collect::<Vec<_>>();
    view! {
        <section class="scheme" data-scheme=scheme aria-label=scheme>
            <PageHead
                title="A page's title".into_any()
                lead="One sentence that says what the page is for.".into_any()
            >
                <a class="button primary" href="#main"><Icon name="add" />"The one action"</a>
                <a class="button" href="#main">"Another"</a>
            </PageHead>
            <p class="notice" role="status">
                <Icon name="check" />
                <span>"What a form has done is said on the page that follows."</span>
            </p>
            <h2>"Decisions and outcomes"</h2>
            <p>{verdicts}</p>
            <p>{outcomes}</p>
            <h2>"Buttons"</h2>
            <p class="form-actions">
                <button type="button" class="button primary">"Primary"</button>
                <button type="button" class="button">"Plain"</button>
                <button type="button" class="button danger">"Revoke now"</button>
                <button type="button" class="button plain">"Quiet"</button>
            </p>
            <h2>"Consequences"</h2>
            <p class="consequence">"14 agents of 3 teams lose " <code>"drive:write"</code> "; 2 calls are running."</p>
            <p class="consequence" data-tone="deny">"This cannot be taken back."</p>
            <h2>"Calls"</h2>
            {calls(site)}
            <h2>"A form with errors"</h2>
            {form(scheme)}
            <h2>"An empty page"</h2>
            <section class="empty">
                <h2>"What will be here"</h2>
                <p>"Why it matters, and the one thing to do first."</p>
                <p><a class="button primary" href="#main">"Do it"</a></p>
            </section>
            <h2>"Tabs"</h2>
            <nav class="tabs" aria-label=format!("Tabs, {scheme}")>
                <a href="#main" aria-current="page">"Here"</a>
                <a href="#main">"There"</a>
            </nav>
            <h2>"Colours by role"</h2>
            <ul class="swatches">{swatches}</ul>
            <h2>"Icons"</h2>
            <ul class="swatches">{icons}</ul>
        </section>
    }
}

fn form(scheme: &'static str) -> impl IntoView + use<> {
    let name = |field: &str| format!("{scheme}-{field}");
    let errors = vec![FieldError::new(name("title"), "Give 1 to 120 characters.")];
    let form = Form::default().with(&name("title"), "").with(&name("role"), "auditor").wrong(errors.clone());
    let roles: Vec<_> =
        Role::ALL.iter().map(|role| (role.word().to_owned(), wording::role(*role).to_owned())).collect();
    let kinds = vec![
        ("department".to_owned(), "Department".to_owned(), Some("Has teams below it.".to_owned())),
        ("team".to_owned(), "Team".to_owned(), None),
    ];
    view! {
        <ErrorSummary errors=errors />
        <form class="sheet">
            <TextField form=form.clone() name=name("title") label="Title" hint="What people call it." />
            <SelectField form=form.clone() name=name("role") label="Role" options=roles />
            <Radios form=form.clone() name=name("kind") legend="What kind is it?" options=kinds />
            <Checkbox form=form.clone() name=name("sure") label="I have stored it" />
            <TextArea form=form name=name("note") label="Note" required=false rows=3 />
        </form>
    }
}

fn calls(site: &Site) -> impl IntoView + use<> {
    let Ok(slug) = "demo".parse() else { return ().into_any() };
    let links = Links::of(slug);
    let clock = site.clock();
    let reader = Reader { user: Uuid::from_u128(2).into(), people: true };
    let rows = samples(site.now)
        .map(|call| view! { <Row call=call links=links.clone() clock=clock reader=reader /> })
        .collect_view();
    view! {
        <div class="calls-box">
            <table class="calls">
                <caption class="visually-hidden">"Calls"</caption>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn samples(now: Timestamp) -> [CallRow; 3] {
    let row = |n: u128, verdict, reason, outcome: Option<Outcome>| CallRow {
        id: Uuid::from_u128(n).into(),
        received_at: now,
        agent: Uuid::from_u128(1).into(),
        agent_name: "Pipeline reporter".to_owned(),
        owner: Uuid::from_u128(2).into(),
        owner_name: "Lena Haas".to_owned(),
        on_behalf_of: None,
        on_behalf_of_name: None,
        unit: Some(Uuid::from_u128(3).into()),
        unit_name: Some("EMEA".to_owned()),
        tool_name: "crm.delete_deal".to_owned(),
        verdict,
        reason,
        outcome,
        duration_us: outcome.map(|_| 12_480),
        charge: outcome
            .map(|_| Money { amount: "0.002".parse().unwrap_or_default(), currency: Currency::EUR }),
    };
    let reason = Reason {
        code: ReasonCode::MissingKey,
        sentence: "Denied: agent Pipeline reporter (EMEA) has no `crm:delete`. Ask the owner of CRM, Grace Whitfield."
            .to_owned(),
        missing_key: "crm:delete".parse().ok(),
        ask: Some("Grace Whitfield".to_owned()),
    };
    [
        row(3, Verdict::Permit, None, Some(Outcome::Succeeded)),
        row(2, Verdict::Deny, Some(reason), None),
        row(1, Verdict::Permit, None, None),
    ]
}
