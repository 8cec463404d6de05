//! A state in a word, an icon and a tone.

use leptos::prelude::*;

use crate::icon::Icon;
use crate::wording;

/// A badge: for decisions, which people look for.
#[component]
pub fn Badge(
    /// What it says.
    sign: wording::Sign,
) -> impl IntoView {
    view! {
        <span class="badge" data-tone=sign.tone.word()>
            <Icon name=sign.icon />
            {sign.word}
        </span>
    }
}

/// The same without a ground: for outcomes, which stand beside a decision.
#[component]
pub fn State(
    /// What it says.
    sign: wording::Sign,
) -> impl IntoView {
    view! {
        <span class="state" data-tone=sign.tone.word()>
            <Icon name=sign.icon />
            {sign.word}
        </span>
    }
}
