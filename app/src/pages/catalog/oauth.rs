//! Connecting a module by OAuth: before anybody is asked, and before the person leaves for the authorization server.

use control::modules::connecting::{Origin, Sent};
use control::modules::tokens::TokenView;
use leptos::prelude::*;

use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::Place;
use crate::pieces::call_row::Moment;
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::{Checkbox, Form, TextField};
use crate::pieces::head::PageHead;
use crate::text;
use crate::wording;

/// What is connected.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What people call it.
    pub title: String,
    /// Its page.
    pub page: String,
    /// Where it is connected.
    pub here: String,
    /// Where people come back to.
    pub redirect: String,
    /// What of its token may be seen, if it is connected already.
    pub token: Option<TokenView>,
    /// Whether it is being added.
    pub is_draft: bool,
}

fn crumbs(visit: &Visit, subject: &Subject) -> Vec<Crumb> {
    let links = visit.links();
    let whole = if subject.is_draft { "Add a module".to_owned() } else { subject.title.clone() };
    vec![
        Crumb::to("Catalog", links.catalog()),
        Crumb::to(whole, subject.page.clone()),
        Crumb::here("Connect with OAuth"),
    ]
}

/// Before anybody is asked. `form` holds the client that was typed, and what is wrong.
pub fn ask(visit: &Visit, subject: &Subject, form: &Form) -> String {
    let title = form.title("Connect with OAuth");
    document::page(visit, Place::Catalog, &title, crumbs(visit, subject), false, || {
        let now = subject.token.as_ref().map(|token| {
            view! {
                <p class="consequence">
                    "It is connected now by " {text::code(&token.issuer)} ", " {until(visit, token)}
                    ". Once you have connected it again, that is no longer presented."
                </p>
            }
        });
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead
                title=view! { "Connect " {text::name(&subject.title)} }.into_any()
                lead="Its server says who may give access to it. You agree there, and come back here.".into_any()
            />
            <form class="sheet" method="post" action=subject.here.clone() novalidate>
                {now}
                <p>
                    "Everybody who may use its tools then uses them with the access that you give: connect it as somebody, or
                    something, that may see what they may."
                </p>
                <details class="cat-client" open=has_client(form)>
                    <summary>"Ask as another client"</summary>
                    <p class="note">
                        "By itself it asks as the client that was used before, or registers one. Where the authorization server lets
                        nobody register, register one there by hand, with this redirect URI: "
                        {text::code(&subject.redirect)}
                    </p>
                    <TextField form=form.clone() name="client_id" label="Client ID" longest=2000 required=false />
                    <TextField
                        form=form.clone()
                        name="client_secret"
                        label="Client secret"
                        hint="It is sealed, presented to that authorization server alone, and never shown again."
                        kind="password"
                        longest=2000
                        required=false
                    />
                    <Checkbox
                        form=form.clone()
                        name="anew"
                        label="Register a new one, rather than use the one that was used before"
                    />
                </details>
                <div class="form-actions">
                    <button type="submit" class="button primary">"Ask who gives access"</button>
                    <a class="button plain" href=subject.page.clone()>"Cancel"</a>
                </div>
            </form>
        }
    })
}

fn has_client(form: &Form) -> bool {
    !form.value("client_id").is_empty() || !form.errors().is_empty()
}

/// Before the person leaves: to whom, as whom, for what.
pub fn leave(visit: &Visit, subject: &Subject, sent: &Sent) -> String {
    document::page(visit, Place::Catalog, "Connect with OAuth", crumbs(visit, subject), false, || {
        let host = sent.url.host_str().unwrap_or_default().to_owned();
        let how = match sent.origin {
            Origin::Given => "which was registered by hand",
            Origin::Document => "which is an address that describes us",
            Origin::Registered => "which was registered for this organization",
        };
        let scopes = if sent.scopes.is_empty() {
            view! { <span class="absent">"nothing by name: it decides what is fit"</span> }.into_any()
        } else {
            scopes(sent.scopes.iter())
        };
        view! {
            <PageHead
                title=view! { "Connect " {text::name(&subject.title)} }.into_any()
                lead=view! { "Next, " {text::code(&host)} " asks you whether to give this access." }.into_any()
            />
            <div class="sheet">
                <dl class="cat-asked">
                    <div>
                        <dt>"Who gives access"</dt>
                        <dd>{text::code(&sent.issuer)}</dd>
                    </div>
                    <div>
                        <dt>"As which client"</dt>
                        <dd>{text::code(&sent.client)} <span class="note">", " {how}</span></dd>
                    </div>
                    <div>
                        <dt>"What is asked for"</dt>
                        <dd>{scopes}</dd>
                    </div>
                </dl>
                <p class="note">"Come back within ten minutes, in this browser."</p>
                <div class="form-actions">
                    <a class="button primary" href=sent.url.to_string() rel="noreferrer">
                        {format!("Go on to {host}")} <Icon name="arrow" />
                    </a>
                    <a class="button plain" href=subject.page.clone()>"Cancel"</a>
                </div>
            </div>
        }
    })
}

/// Scopes, each by itself.
pub(super) fn scopes<'a>(scopes: impl Iterator<Item = &'a str>) -> AnyView {
    let lines = scopes.map(|scope| view! { <li>{text::code(scope)}</li> }).collect::<Vec<_>>();
    view! { <ul class="cat-choices">{lines}</ul> }.into_any()
}

/// Until when a token is good.
pub(super) fn until(visit: &Visit, token: &TokenView) -> AnyView {
    if token.renewable {
        return "renewed by itself until somebody takes it back".into_any();
    }
    match token.ends_at {
        Some(at) => view! { "until " <Moment at=at clock=visit.clock() /> }.into_any(),
        None => "until somebody takes it back".into_any(),
    }
}

/// Why it must be connected again, in one sentence.
pub(super) fn why(over: &str) -> String {
    wording::sentence(&text::lines(over, 1_000))
}
