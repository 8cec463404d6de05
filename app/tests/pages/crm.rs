//! The CRM's pages with hostile text in every field.

use app::pages::crm::{self, Query, Rights, Shown};
use control::crm::{Around, Consequence};
use model::crm::{ChangedBy, Company, Contact, Deal, Interaction, InteractionKind, Line};
use model::{CompanyId, ContactId};
use uuid::Uuid;

use crate::sample::{HOSTILE, call_id, now, visit};

const RIGHTS: Rights = Rights { change: true, delete: true };

fn line<R>(record: R) -> Line<R> {
    let id = Uuid::from_u128(7);
    Line {
        id,
        record,
        company: Some((CompanyId::from(id), HOSTILE.to_owned())),
        contact: Some((ContactId::from(id), HOSTILE.to_owned())),
        created_at: now(),
        updated_at: now(),
        changed_by: ChangedBy::Agent {
            id: model::AgentId::from(id),
            name: HOSTILE.to_owned(),
            call: Some(call_id(1)),
        },
    }
}

fn hostile() -> Option<String> {
    Some(HOSTILE.to_owned())
}

fn company() -> Line<Company> {
    line(Company {
        external_id: hostile(),
        name: HOSTILE.to_owned(),
        website: Some(format!("javascript:{HOSTILE}")),
        industry: hostile(),
        notes: hostile(),
    })
}

fn contact() -> Line<Contact> {
    line(Contact {
        external_id: hostile(),
        name: HOSTILE.to_owned(),
        company: None,
        email: Some(format!("a@b.c?bcc={HOSTILE}")),
        phone: hostile(),
        job_title: hostile(),
        notes: hostile(),
    })
}

fn interaction() -> Line<Interaction> {
    line(Interaction {
        external_id: hostile(),
        contact: None,
        kind: Some(InteractionKind::Call),
        summary: HOSTILE.to_owned(),
        at: Some(now()),
    })
}

fn harmless(html: &str) {
    assert!(!html.contains("<script>alert"), "{html}");
    assert!(!html.contains("href=\"javascript:") && !html.contains("href=\"mailto:a@b.c?"), "{html}");
    assert!(html.contains("⟦U+202E⟧"), "what turns text is named");
    let at = html.find('\u{202E}');
    assert_eq!(at.map(|at| &html[at.saturating_sub(200)..at]), None, "what turns text is named");
}

#[test]
fn hostile_records_are_shown_as_text() {
    let visit = visit();
    let around =
        || Around { contacts: vec![contact()], deals: Vec::new(), interactions: vec![interaction()] };
    let shown = Shown { lines: vec![company()], more: true, totals: Vec::new() };
    let query = Query { search: hostile(), ..Query::default() };
    harmless(&crm::list(&visit, query, Vec::new(), shown, RIGHTS));
    harmless(&crm::record(&visit, company(), around(), RIGHTS));
    harmless(&crm::record(&visit, contact(), around(), RIGHTS));
    harmless(&crm::record(&visit, interaction(), Around::default(), RIGHTS));
    harmless(&crm::edit(&visit, &contact(), crm::begin(&contact()), vec![HOSTILE.to_owned()]));
    harmless(&crm::edit(&visit, &interaction(), crm::begin(&interaction()), Vec::new()));
    let gone = Consequence { name: HOSTILE.to_owned(), contacts: 1, deals: 2, interactions: 0 };
    let page = crm::remove(&visit, &company(), &gone);
    harmless(&page);
    assert!(page.contains(">1 contact</a>") && page.contains(">2 deals</a>"), "{page}");
    assert!(page.contains("cannot be deleted yet") && !page.contains("button danger"), "{page}");
    let gone = Consequence { name: HOSTILE.to_owned(), contacts: 0, deals: 0, interactions: 4 };
    let page = crm::remove(&visit, &contact(), &gone);
    harmless(&page);
    assert!(page.contains(" and 4 interactions are deleted. This cannot be undone."), "{page}");
    let gone = Consequence { interactions: 0, ..gone };
    harmless(&crm::remove(&visit, &interaction(), &gone));
    let deal = line(Deal { name: HOSTILE.to_owned(), ..Deal::default() });
    let page = crm::remove(&visit, &deal, &gone);
    harmless(&page);
    assert!(page.contains("Delete this deal?"), "{page}");
}

#[test]
fn deals_are_summed_by_stage_and_currency() {
    let visit = visit();
    let total = |stage: &str, currency: Option<&str>, deals, amount: &str| model::crm::StageTotal {
        stage: stage.parse().unwrap(),
        currency: currency.map(|code| code.parse().unwrap()),
        deals,
        amount: amount.parse().unwrap(),
    };
    let totals = vec![
        total("lead", Some("EUR"), 2, "1500"),
        total("lead", None, 3, "0"),
        total("won", Some("USD"), 1, "1234567.5"),
    ];
    let shown = Shown {
        lines: vec![line(Deal { name: "Rockets".to_owned(), ..Deal::default() })],
        more: false,
        totals,
    };
    let html = crm::list(&visit, Query::default(), Vec::new(), shown, RIGHTS);
    for said in ["EUR 1,500.00", "USD 1,234,567.50", ">5<", "?stage=won"] {
        assert!(html.contains(said), "{said}: {html}");
    }
}
