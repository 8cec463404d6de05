//! The palette: what one types is looked for on the server, and arrows and Enter choose among what was found.
//!
//! The dialog, its field and its form stand in every page's frame and work without this: Enter opens the page of
//! results. Results are the server's HTML, so nothing here builds markup from a name.
#![allow(missing_docs, reason = "the macro makes a struct of the properties that cannot be documented")]

use leptos::prelude::*;

/// Wakes the field `palette-q` and the list `palette-results`. `url` is where results come from, without its question.
#[island]
pub fn Palette(
    /// Where results come from.
    url: String,
) -> impl IntoView {
    let told = RwSignal::new(None::<u32>);
    browser::wake(url, told);
    view! {
        <span class="visually-hidden" role="status" aria-live="polite">
            {move || match told.get() {
                None => String::new(),
                Some(1) => "1 result".to_owned(),
                Some(count) => format!("{count} results"),
            }}
        </span>
    }
}

#[cfg(feature = "hydrate")]
#[path = "palette/browser.rs"]
mod browser;

#[cfg(not(feature = "hydrate"))]
mod browser {
    //! On the server nothing is looked for.

    pub(super) fn wake(_url: String, _told: leptos::prelude::RwSignal<Option<u32>>) {}
}
