//! Icons: one sprite in each document, drawn on a 16 px grid, referred to by name.
//!
//! An icon never speaks alone; it is hidden from assistive technology and a word stands beside it.

use leptos::prelude::*;

/// The symbols. Goes once into each document, before anything refers to it.
pub const SPRITE: &str = r##"<symbol id="i-permit" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6.25"/><path d="m5.2 8.2 2 2 3.6-4.2"/></symbol>
<symbol id="i-deny" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6.25"/><path d="m3.7 3.7 8.6 8.6"/></symbol>
<symbol id="i-hold" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6.25"/><path d="M6.4 5.7v4.6M9.6 5.7v4.6"/></symbol>
<symbol id="i-check" viewBox="0 0 16 16"><path d="m3.5 8.5 3 3 6-7"/></symbol>
<symbol id="i-alert" viewBox="0 0 16 16"><path d="M8 2.2 14.2 13H1.8Z"/><path d="M8 6.4v3M8 11.2v.1"/></symbol>
<symbol id="i-clock" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6.25"/><path d="M8 4.6V8l2.3 1.6"/></symbol>
<symbol id="i-stop" viewBox="0 0 16 16"><rect x="3.75" y="3.75" width="8.5" height="8.5" rx="1"/></symbol>
<symbol id="i-break" viewBox="0 0 16 16"><path d="M2 8h3.2l1.6-4M14 8h-3.2l-1.6 4"/></symbol>
<symbol id="i-busy" viewBox="0 0 16 16"><path d="M8 1.75A6.25 6.25 0 1 1 1.75 8"/></symbol>
<symbol id="i-none" viewBox="0 0 16 16"><path d="M4 8h8"/></symbol>
<symbol id="i-activity" viewBox="0 0 16 16"><path d="M1.5 8.5h3l2-5.5 3 10 2-4.5h3"/></symbol>
<symbol id="i-person" viewBox="0 0 16 16"><circle cx="8" cy="5.2" r="2.7"/><path d="M2.8 13.8c.6-2.7 2.6-4 5.2-4s4.6 1.3 5.2 4"/></symbol>
<symbol id="i-agent" viewBox="0 0 16 16"><rect x="2.75" y="5" width="10.5" height="8.25" rx="2"/><path d="M8 5V2.2M6 8.6v1M10 8.6v1"/></symbol>
<symbol id="i-next" viewBox="0 0 16 16"><path d="m6 3.5 4.5 4.5L6 12.5"/></symbol>
<symbol id="i-previous" viewBox="0 0 16 16"><path d="M10 3.5 5.5 8l4.5 4.5"/></symbol>
<symbol id="i-arrow" viewBox="0 0 16 16"><path d="M2.5 8h10.5M9.5 4.5 13 8l-3.5 3.5"/></symbol>
<symbol id="i-down" viewBox="0 0 16 16"><path d="m4 6.2 4 4 4-4"/></symbol>
<symbol id="i-copy" viewBox="0 0 16 16"><rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/><path d="M3.5 10.5h-1v-8h8v1"/></symbol>
<symbol id="i-out" viewBox="0 0 16 16"><path d="M6.5 2.5h-4v11h4M6 8h7.5M10.5 5l3 3-3 3"/></symbol>
<symbol id="i-mark" viewBox="0 0 16 16"><path d="M1.8 4 4.9 12.5 8 5.5l3.1 7L14.2 4"/></symbol>"##;

/// A symbol of the sprite, in the size of the text around it.
#[component]
pub fn Icon(
    /// The name without `i-`.
    name: &'static str,
) -> impl IntoView {
    view! {
        <svg class="icon" aria-hidden="true" focusable="false">
            <use_ href=format!("#i-{name}") />
        </svg>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording;
    use model::call::{Outcome, Verdict};

    #[test]
    fn every_sign_has_its_symbol() {
        let signs = Verdict::ALL
            .iter()
            .map(|verdict| wording::verdict(*verdict))
            .chain(Outcome::ALL.iter().map(|outcome| wording::outcome(*outcome)));
        for sign in signs {
            assert!(SPRITE.contains(&format!("id=\"i-{}\"", sign.icon)), "{sign:?}");
        }
    }
}
