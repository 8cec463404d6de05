//! The CRM's pages: the same for companies, contacts, deals and interactions as far as they are the same.

mod form;
mod import;
mod kinds;
mod list;
mod query;
mod record;

use control::crm::{InCatalog, Sight};
use leptos::prelude::*;
use model::crm::{ChangedBy, Records};

use crate::document::{self, Crumb, Visit};
use crate::links::{Links, Place};
use crate::pieces::head::PageHead;
use crate::text;

pub use form::{begin, edit, new, remove};
pub use import::{preview, upload};
pub use kinds::{Kind, label};
pub use list::{PAGE, Shown, list};
pub use query::Query;
pub use record::record;

/// What somebody may do with the records, as the pages show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rights {
    /// Add, change, import.
    pub change: bool,
    /// Delete.
    pub delete: bool,
}

impl From<Sight> for Rights {
    fn from(sight: Sight) -> Self {
        Self { change: sight.read && sight.change, delete: sight.read && sight.delete }
    }
}

/// The CRM is not in use: what it would be, and who can change that.
pub fn absent(visit: &Visit, module: InCatalog, may_enable: bool) -> String {
    let links = visit.links();
    let (title, sentence) = match module {
        InCatalog::Off => (
            "The CRM is switched off",
            "Its records are kept. Agents and people reach them again once it is switched on.",
        ),
        _ => (
            "The CRM is not in use",
            "Companies, contacts, deals and what happened with them, for people here and for agents by tools: built in, \
             nothing to connect. It begins with an empty list.",
        ),
    };
    let (href, action) = match module {
        InCatalog::Off => (links.module("crm"), "Switch it on in the Catalog"),
        _ => (links.catalog(), "Enable it in the Catalog"),
    };
    let way = if may_enable {
        view! { <p><a class="button primary" href=href>{action}</a></p> }.into_any()
    } else {
        view! { <p>"Ask an admin of your organization to change that in the Catalog."</p> }.into_any()
    };
    document::page(visit, Place::Catalog, "CRM", vec![Crumb::here("CRM")], false, || {
        view! {
            <PageHead title="CRM".into_any() />
            <section class="empty">
                <h2>{title}</h2>
                <p>{sentence}</p>
                {way}
            </section>
        }
    })
}

/// The lists of the CRM, as tabs.
fn tabs(links: &Links, here: Records) -> impl IntoView + use<> {
    let tabs = Records::ALL
        .iter()
        .map(|records| {
            let current = (*records == here).then_some("page");
            view! { <a href=links.records(*records) aria-current=current>{label(*records)}</a> }
        })
        .collect::<Vec<_>>();
    view! { <nav class="tabs" aria-label="CRM">{tabs}</nav> }
}

/// Who changed a record last: a person or agent with a page, of an agent with its call.
fn changed_by(by: &ChangedBy, links: &Links) -> AnyView {
    match by {
        ChangedBy::Person { id, name } => view! { <a href=links.user(*id)>{text::name(name)}</a> }.into_any(),
        ChangedBy::Agent { id, name, call } => {
            let call = call.map(|call| view! { " (" <a href=links.call(call)>"in this call"</a> ")" });
            view! { "agent " <a href=links.agent(*id)>{text::name(name)}</a> {call} }.into_any()
        }
        ChangedBy::Other(name) => text::name(name).into_any(),
    }
}
