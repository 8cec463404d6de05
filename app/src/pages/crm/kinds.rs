//! What is different between the four: their words, columns, facts and fields.

use control::crm::Record;
use leptos::prelude::*;
use model::crm::{Company, Contact, Deal, Interaction, InteractionKind, Line, Records, Stage};
use model::{CompanyId, ContactId, Currency};
use rust_decimal::Decimal;

use crate::links::Links;
use crate::text;
use crate::wording::{self, Clock};

/// What a list is called.
pub const fn label(records: Records) -> &'static str {
    match records {
        Records::Companies => "Companies",
        Records::Contacts => "Contacts",
        Records::Deals => "Deals",
        Records::Interactions => "Interactions",
    }
}

/// What a list is for.
pub(super) const fn lead(records: Records) -> &'static str {
    match records {
        Records::Companies => "Whom you do business with.",
        Records::Contacts => "People, with or without a company.",
        Records::Deals => "What may be sold, where it stands and what it is worth.",
        Records::Interactions => "Calls, mails, meetings and notes, with whom and when.",
    }
}

/// Why a list is worth having something in it.
pub(super) const fn why(records: Records) -> &'static str {
    match records {
        Records::Companies => "Contacts and deals belong to companies; agents find them by name.",
        Records::Contacts => {
            "What happened with a person is kept with them, whoever of you or your agents it was."
        }
        Records::Deals => "Totals by stage come of the deals that are here.",
        Records::Interactions => {
            "They are written down with a contact, by people and by agents, and make the contact's history."
        }
    }
}

/// How a field is typed.
pub(super) enum Input {
    Line(&'static str, u32),
    Lines(u32),
    Choice(&'static [(&'static str, &'static str)], Option<&'static str>),
    /// A name with suggestions, and the field with the id it stands for.
    Named(Records, &'static str),
}

/// A field of a form.
pub(super) struct Typed {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) input: Input,
    pub(super) required: bool,
    pub(super) hint: Option<&'static str>,
}

const fn typed(name: &'static str, label: &'static str, input: Input, required: bool) -> Typed {
    Typed { name, label, input, required, hint: None }
}

const EXTERNAL: Typed = Typed {
    name: "external_id",
    label: "Id in another system",
    input: Input::Line("text", 200),
    required: false,
    hint: Some("An import that names this id changes the record instead of adding another."),
};

/// The fields of a form, in their order.
pub(super) fn fields(records: Records) -> Vec<Typed> {
    match records {
        Records::Companies => vec![
            typed("name", "Name", Input::Line("text", 200), true),
            typed("website", "Website", Input::Line("text", 500), false),
            typed("industry", "Industry", Input::Line("text", 120), false),
            typed("notes", "Notes", Input::Lines(10_000), false),
            EXTERNAL,
        ],
        Records::Contacts => vec![
            typed("name", "Name", Input::Line("text", 200), true),
            typed("company", "Company", Input::Named(Records::Companies, "company_id"), false),
            typed("job_title", "Job title", Input::Line("text", 200), false),
            typed("email", "Mail address", Input::Line("text", 254), false),
            typed("phone", "Phone", Input::Line("tel", 60), false),
            typed("notes", "Notes", Input::Lines(10_000), false),
            EXTERNAL,
        ],
        Records::Deals => vec![
            typed("name", "Name", Input::Line("text", 200), true),
            typed("company", "Company", Input::Named(Records::Companies, "company_id"), true),
            typed("stage", "Stage", Input::Choice(STAGES, None), true),
            Typed {
                hint: Some("A number such as `1250.50`; needs a currency."),
                ..typed("amount", "Amount", Input::Line("text", 16), false)
            },
            Typed {
                hint: Some("Three letters, such as `EUR`."),
                ..typed("currency", "Currency", Input::Line("text", 3), false)
            },
            typed("close_on", "Expected to close on", Input::Line("date", 10), false),
            EXTERNAL,
        ],
        Records::Interactions => vec![
            typed("contact", "Contact", Input::Named(Records::Contacts, "contact_id"), true),
            typed("kind", "Kind", Input::Choice(KINDS, Some("Choose a kind")), true),
            Typed { hint: Some("In UTC."), ..typed("at", "When", Input::Line("datetime-local", 32), true) },
            typed("summary", "What was said or agreed", Input::Lines(10_000), true),
            EXTERNAL,
        ],
    }
}

const STAGES: &[(&str, &str)] = &[
    ("lead", "Lead"),
    ("qualified", "Qualified"),
    ("proposal", "Proposal"),
    ("negotiation", "Negotiation"),
    ("won", "Won"),
    ("lost", "Lost"),
];
const KINDS: &[(&str, &str)] =
    &[("call", "Call"), ("mail", "Mail"), ("meeting", "Meeting"), ("note", "Note")];

/// A stage as people say it.
pub(super) fn stage(stage: Stage) -> &'static str {
    STAGES.iter().find(|(word, _)| *word == stage.word()).map_or("", |(_, label)| label)
}

/// A kind of interaction as people say it.
pub(super) fn kind(kind: InteractionKind) -> &'static str {
    KINDS.iter().find(|(word, _)| *word == kind.word()).map_or("", |(_, label)| label)
}

pub(super) fn stages() -> impl Iterator<Item = (String, String)> {
    STAGES.iter().map(|(word, label)| ((*word).to_owned(), (*label).to_owned()))
}

pub(super) fn all_kinds() -> impl Iterator<Item = (String, String)> {
    KINDS.iter().map(|(word, label)| ((*word).to_owned(), (*label).to_owned()))
}

/// An amount with its currency: `EUR 12,500.00`.
pub(super) fn money(amount: Decimal, currency: Currency) -> String {
    let rounded = format!("{amount:.2}");
    let (whole, cents) = rounded.split_once('.').unwrap_or((&rounded, "00"));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), wording::grouped);
    format!("{currency} {whole}.{cents}")
}

/// A record that has pages.
pub trait Kind: Record {
    /// The heads of the list's columns; a number's is aligned as numbers are.
    fn heads() -> &'static [(&'static str, bool)];
    /// What stands in them, without the first, which is its name and leads to its page.
    fn cells(line: &Line<Self>, links: &Links, clock: Clock) -> Vec<AnyView>;
    /// What its page says of it: what, and that.
    fn facts(line: &Line<Self>, links: &Links, clock: Clock) -> Vec<(&'static str, AnyView)>;
    /// What is long, below the facts.
    fn text(&self) -> Option<&str>;
    /// By what one knows which it is, where its name alone does not say so.
    fn told_by(_: &Line<Self>, _: &Links, _: Clock) -> Option<AnyView> {
        None
    }
}

fn maybe(text: Option<&str>) -> AnyView {
    match text {
        Some(text) => text::name(text).into_any(),
        None => view! { <span class="absent">"–"</span> }.into_any(),
    }
}

/// A company or a contact, leading to its page.
pub(super) fn company(of: &Option<(CompanyId, String)>, links: &Links) -> AnyView {
    match of {
        Some((id, name)) => view! { <a href=links.company(*id)>{text::name(name)}</a> }.into_any(),
        None => maybe(None),
    }
}

pub(super) fn contact(of: &Option<(ContactId, String)>, links: &Links) -> AnyView {
    match of {
        Some((id, name)) => view! { <a href=links.contact(*id)>{text::name(name)}</a> }.into_any(),
        None => maybe(None),
    }
}

fn changed<R>(line: &Line<R>, clock: Clock) -> AnyView {
    let (exact, said) = (clock.exact(line.updated_at), clock.ago(line.updated_at));
    view! { <time datetime=wording::instant(line.updated_at) title=exact>{said}</time> }.into_any()
}

/// A website that browsers can open; anything else is only shown.
fn website(text: Option<&str>) -> AnyView {
    let Some(given) = text else { return maybe(None) };
    let lower = given.to_ascii_lowercase();
    let plain = given.chars().all(|c| c.is_ascii_graphic() && !"<>\"'\\`@".contains(c));
    let href = match (plain, lower.split_once(':')) {
        (true, Some(("http" | "https", _))) => Some(given.to_owned()),
        (true, None) if given.contains('.') && !given.starts_with('/') => Some(format!("https://{given}")),
        _ => None,
    };
    match href {
        Some(href) => {
            view! { <a href=href rel="noopener noreferrer nofollow" target="_blank">{text::one_line(given, 60)}</a> }.into_any()
        }
        None => text::name(given).into_any(),
    }
}

fn mail(text: Option<&str>) -> AnyView {
    let Some(given) = text else { return maybe(None) };
    let plain = given.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+-@".contains(&byte));
    if plain && given.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty()) {
        view! { <a href=format!("mailto:{given}")>{text::one_line(given, 80)}</a> }.into_any()
    } else {
        text::name(given).into_any()
    }
}

fn amount(deal: &Deal) -> AnyView {
    match deal.amount.zip(deal.currency) {
        Some((amount, currency)) => {
            view! { <span class="amount">{money(amount, currency)}</span> }.into_any()
        }
        None => maybe(None),
    }
}

fn stage_badge(of: Stage) -> AnyView {
    view! { <span class="stage" data-stage=of.word()>{stage(of)}</span> }.into_any()
}

fn moment(at: Option<model::Timestamp>, clock: Clock) -> AnyView {
    match at {
        Some(at) => {
            view! { <time datetime=wording::instant(at) title=clock.exact(at)>{clock.minute(at)}</time> }
                .into_any()
        }
        None => maybe(None),
    }
}

impl Kind for Company {
    fn heads() -> &'static [(&'static str, bool)] {
        &[("Name", false), ("Website", false), ("Industry", false), ("Changed", false)]
    }

    fn cells(line: &Line<Self>, _: &Links, clock: Clock) -> Vec<AnyView> {
        let company = &line.record;
        vec![website(company.website.as_deref()), maybe(company.industry.as_deref()), changed(line, clock)]
    }

    fn facts(line: &Line<Self>, _: &Links, _: Clock) -> Vec<(&'static str, AnyView)> {
        let company = &line.record;
        vec![
            ("Website", website(company.website.as_deref())),
            ("Industry", maybe(company.industry.as_deref())),
            ("Id in another system", maybe(company.external_id.as_deref())),
        ]
    }

    fn text(&self) -> Option<&str> {
        self.notes.as_deref()
    }
}

impl Kind for Contact {
    fn heads() -> &'static [(&'static str, bool)] {
        &[
            ("Name", false),
            ("Company", false),
            ("Job title", false),
            ("Mail address", false),
            ("Changed", false),
        ]
    }

    fn cells(line: &Line<Self>, links: &Links, clock: Clock) -> Vec<AnyView> {
        let person = &line.record;
        vec![
            company(&line.company, links),
            maybe(person.job_title.as_deref()),
            mail(person.email.as_deref()),
            changed(line, clock),
        ]
    }

    fn facts(line: &Line<Self>, links: &Links, _: Clock) -> Vec<(&'static str, AnyView)> {
        let person = &line.record;
        vec![
            ("Company", company(&line.company, links)),
            ("Job title", maybe(person.job_title.as_deref())),
            ("Mail address", mail(person.email.as_deref())),
            ("Phone", maybe(person.phone.as_deref())),
            ("Id in another system", maybe(person.external_id.as_deref())),
        ]
    }

    fn text(&self) -> Option<&str> {
        self.notes.as_deref()
    }
}

impl Kind for Deal {
    fn heads() -> &'static [(&'static str, bool)] {
        &[
            ("Name", false),
            ("Company", false),
            ("Stage", false),
            ("Amount", true),
            ("Closes", false),
            ("Changed", false),
        ]
    }

    fn cells(line: &Line<Self>, links: &Links, clock: Clock) -> Vec<AnyView> {
        let deal = &line.record;
        let closes = deal.close_on.map(|day| day.to_string());
        vec![
            company(&line.company, links),
            stage_badge(deal.stage),
            amount(deal),
            maybe(closes.as_deref()),
            changed(line, clock),
        ]
    }

    fn facts(line: &Line<Self>, links: &Links, _: Clock) -> Vec<(&'static str, AnyView)> {
        let deal = &line.record;
        let closes = deal.close_on.map(|day| day.to_string());
        vec![
            ("Company", company(&line.company, links)),
            ("Stage", stage_badge(deal.stage)),
            ("Amount", amount(deal)),
            ("Expected to close on", maybe(closes.as_deref())),
            ("Id in another system", maybe(deal.external_id.as_deref())),
        ]
    }

    fn text(&self) -> Option<&str> {
        None
    }

    fn told_by(line: &Line<Self>, links: &Links, _: Clock) -> Option<AnyView> {
        let deal = &line.record;
        let with = line.company.is_some().then(|| view! { " with " {company(&line.company, links)} });
        let worth = deal.amount.zip(deal.currency);
        let worth = worth.map(|(amount, currency)| format!(", {}", money(amount, currency)));
        let told = view! { {text::name(&deal.name)} {with} ": " {stage(deal.stage)} {worth} "." };
        Some(told.into_any())
    }
}

impl Kind for Interaction {
    fn heads() -> &'static [(&'static str, bool)] {
        &[("What", false), ("Kind", false), ("With", false), ("Company", false), ("When", false)]
    }

    fn cells(line: &Line<Self>, links: &Links, clock: Clock) -> Vec<AnyView> {
        let interaction = &line.record;
        vec![
            maybe(interaction.kind.map(kind)),
            contact(&line.contact, links),
            company(&line.company, links),
            moment(interaction.at, clock),
        ]
    }

    fn facts(line: &Line<Self>, links: &Links, clock: Clock) -> Vec<(&'static str, AnyView)> {
        let interaction = &line.record;
        vec![
            ("Kind", maybe(interaction.kind.map(kind))),
            ("With", contact(&line.contact, links)),
            ("Company", company(&line.company, links)),
            ("When", moment(interaction.at, clock)),
            ("Id in another system", maybe(interaction.external_id.as_deref())),
        ]
    }

    fn text(&self) -> Option<&str> {
        Some(&self.summary)
    }

    fn told_by(line: &Line<Self>, links: &Links, clock: Clock) -> Option<AnyView> {
        let interaction = &line.record;
        let kind = interaction.kind.map_or("Interaction", kind);
        let with = line.contact.is_some().then(|| view! { " with " {contact(&line.contact, links)} });
        let of = line.company.is_some().then(|| view! { " of " {company(&line.company, links)} });
        let at = interaction.at.map(|_| view! { ", " {moment(interaction.at, clock)} });
        Some(view! { {kind} {with} {of} {at} "." }.into_any())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::fragment;

    #[test]
    fn only_addresses_of_the_web_become_links() {
        for (text, href) in [
            ("https://acme.example/x", Some("https://acme.example/x")),
            ("acme.example", Some("https://acme.example")),
            ("javascript:alert(1)", None),
            ("JAVASCRIPT://x.y", None),
            ("data:text/html,x", None),
            ("//evil.example", None),
            ("https://x\"onmouseover=y", None),
            ("https://good.example@evil.example", None),
            ("acme", None),
        ] {
            let html = fragment(|| website(Some(text)));
            assert_eq!(html.contains("href="), href.is_some(), "{html}");
            assert!(href.is_none_or(|href| html.contains(&format!("href=\"{href}\""))), "{html}");
        }
    }

    #[test]
    fn amounts_have_their_thousands_apart_and_their_currency() {
        assert_eq!(money("1234567.5".parse().unwrap(), Currency::EUR), "EUR 1,234,567.50");
        assert_eq!(money("0".parse().unwrap(), Currency::USD), "USD 0.00");
    }
}
