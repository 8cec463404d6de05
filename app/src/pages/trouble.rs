//! Pages for what went wrong. Each says what happened and names the way out.

use leptos::prelude::*;

use crate::document::{self, Site};
use crate::text;

/// What went wrong, as a page says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// In a few words: `There is no such page`.
    pub title: &'static str,
    /// What happened and what to do.
    pub sentence: String,
    /// Where to go from here: what the link says, and its address.
    pub way_out: (&'static str, String),
    /// What to quote when asking for help.
    pub request_id: Option<String>,
}

/// The page.
pub fn page(site: &Site, trouble: Trouble) -> String {
    document::plain(site, trouble.title, || {
        let (label, href) = trouble.way_out;
        view! {
            <h1>{trouble.title}</h1>
            <p>{trouble.sentence}</p>
            <p>
                <a class="button primary" href=href>
                    {label}
                </a>
            </p>
            {trouble
                .request_id
                .map(|id| {
                    view! { <p class="note">"If it stays so, tell your administrator this number: " {text::code(&id)}</p> }
                })}
        }
    })
}
