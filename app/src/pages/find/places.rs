//! Pages and deeds that can be found by what they are called, and by words that people look for them with.

use control::authority::Deed;
use leptos::prelude::*;

use super::Entry;
use crate::document::Visit;
use crate::links::{Links, Place};

struct Known {
    icon: &'static str,
    label: &'static str,
    /// Further words that find it.
    words: &'static str,
    href: String,
}

/// Pages, and things to do, of those that the reader may. For an empty question the pages of the rail and all deeds.
pub(super) fn found(visit: &Visit, links: &Links, asked: &str) -> (Vec<Entry>, Vec<Entry>) {
    let asked: Vec<String> = words(asked).collect();
    let pick = |known: Vec<Known>| {
        known.into_iter().filter(|known| fits(known, &asked)).map(entry).collect::<Vec<_>>()
    };
    (pick(pages(visit, links, asked.is_empty())), pick(deeds(visit, links)))
}

fn pages(visit: &Visit, links: &Links, rail_only: bool) -> Vec<Known> {
    let mut pages: Vec<Known> = visit
        .places
        .iter()
        .map(|place| Known {
            icon: place.icon(),
            label: place.label(),
            words: match place {
                Place::Home => "start front dashboard overview",
                Place::Activity => "calls log audit trail history",
                Place::Catalog => "modules tools integrations mcp servers",
                Place::Crm => "companies contacts deals interactions customers",
                Place::Grants => "permissions keys rights access matrix",
                Place::People => "users teams departments units tree organization",
                Place::Money | Place::Usage => "spend costs charges billing budget",
                Place::Settings => "organization sign-in preferences",
                Place::Elsewhere => "",
            },
            href: place.href(links),
        })
        .collect();
    if rail_only {
        return pages;
    }
    let known = |icon, label, words, href| Known { icon, label, words, href };
    pages.push(known("deny", "Denied calls", "refused blocked why", links.activity_with("verdict=deny")));
    if visit.may(Deed::ReadActivity) {
        pages.push(known("alert", "Rejected requests", "errors malformed keys", links.rejected()));
    }
    if visit.may(Deed::ChangePeople) {
        pages.push(known("mail", "Invitations", "invited waiting", links.invitations()));
    }
    if !visit.places.contains(&Place::Usage) {
        pages.push(known("money", "My usage", "spend costs own", links.usage()));
    }
    pages.push(known("person", "My account", "me profile password sessions zone time", links.me()));
    pages
}

fn deeds(visit: &Visit, links: &Links) -> Vec<Known> {
    let all = [
        (
            Deed::ChangeCatalog,
            "add",
            "Add a module",
            "new connect mcp server integration tools",
            links.new_module(),
        ),
        (
            Deed::ChangePeople,
            "mail",
            "Invite people",
            "new person user member colleague somebody",
            links.invite(),
        ),
        (Deed::ChangePeople, "team", "New unit", "make department team create", links.new_unit(None)),
        (Deed::ChangeAgents, "add", "New agent", "make create connect key", links.new_agent()),
    ];
    all.into_iter()
        .filter(|(deed, ..)| visit.may(*deed))
        .map(|(_, icon, label, words, href)| Known { icon, label, words, href })
        .collect()
}

/// Whether each word that was asked for begins one of its words.
fn fits(known: &Known, asked: &[String]) -> bool {
    asked.iter().all(|wanted| {
        words(known.label).chain(words(known.words)).any(|word| word.starts_with(wanted.as_str()))
    })
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn entry(known: Known) -> Entry {
    Entry { icon: known.icon, href: known.href, name: known.label.into_any(), beside: None, suspended: false }
}
