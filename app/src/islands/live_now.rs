//! The front page's last hour, kept up to date while somebody watches: the server renders it, the island puts it in its
//! place.
#![allow(missing_docs, reason = "the macro makes a struct of the properties that cannot be documented")]

use leptos::prelude::*;

/// Wraps the server's figures, which stand in the element `now`. `url` is the stream of their changes.
#[island]
pub fn LiveNow(
    /// Where the changes come from.
    url: String,
    /// The figures as the server rendered them.
    children: Children,
) -> impl IntoView {
    browser::follow(url);
    view! { {children()} }
}

#[cfg(feature = "hydrate")]
#[path = "live_now/browser.rs"]
mod browser;

#[cfg(not(feature = "hydrate"))]
mod browser {
    //! On the server nothing is followed.

    pub(super) fn follow(_url: String) {}
}
