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
<symbol id="i-mark" viewBox="0 0 16 16"><path d="M1.8 4 4.9 12.5 8 5.5l3.1 7L14.2 4"/></symbol>
<symbol id="i-home" viewBox="0 0 16 16"><path d="M2 7.6 8 2.5l6 5.1M3.8 6.6v6.9h8.4V6.6M6.6 13.5V9.4h2.8v4.1"/></symbol>
<symbol id="i-catalog" viewBox="0 0 16 16"><path d="M2.5 2.5h4.4v4.4H2.5zM9.1 2.5h4.4v4.4H9.1zM2.5 9.1h4.4v4.4H2.5zM11.3 9v4.6M9 11.3h4.6"/></symbol>
<symbol id="i-crm" viewBox="0 0 16 16"><rect x="2.5" y="2.5" width="11" height="11" rx="1.5"/><circle cx="8" cy="6.7" r="1.7"/><path d="M5 11.4c.5-1.4 1.6-2 3-2s2.5.6 3 2"/></symbol>
<symbol id="i-grants" viewBox="0 0 16 16"><circle cx="5" cy="8" r="2.75"/><path d="M7.75 8h6M11.5 8v2.6M13.6 8v1.8"/></symbol>
<symbol id="i-money" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6.25"/><path d="M10 6.1c-.4-.7-1.1-1-2-1-1.1 0-1.9.5-1.9 1.4 0 2 3.9.9 3.9 3 0 .9-.8 1.5-2 1.5-1 0-1.8-.4-2.1-1.1M8 4v1.1M8 11v1.1"/></symbol>
<symbol id="i-settings" viewBox="0 0 16 16"><circle cx="8" cy="8" r="2.1"/><path d="M8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6 5 5M11 11l1.4 1.4M12.4 3.6 11 5M5 11l-1.4 1.4"/></symbol>
<symbol id="i-menu" viewBox="0 0 16 16"><path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11"/></symbol>
<symbol id="i-find" viewBox="0 0 16 16"><circle cx="7" cy="7" r="4.5"/><path d="m10.4 10.4 3.4 3.4"/></symbol>
<symbol id="i-add" viewBox="0 0 16 16"><path d="M8 3v10M3 8h10"/></symbol>
<symbol id="i-edit" viewBox="0 0 16 16"><path d="M10.8 2.8 13.2 5.2 5.6 12.8 2.6 13.4 3.2 10.4Z"/></symbol>
<symbol id="i-mail" viewBox="0 0 16 16"><rect x="1.75" y="3.5" width="12.5" height="9" rx="1"/><path d="m2.2 4.2 5.8 4.6 5.8-4.6"/></symbol>
<symbol id="i-key" viewBox="0 0 16 16"><circle cx="5" cy="8" r="2.75"/><path d="M7.75 8h6M11.5 8v2.6"/></symbol>
<symbol id="i-team" viewBox="0 0 16 16"><circle cx="5.6" cy="5.4" r="2.2"/><path d="M1.6 12.8c.4-2.2 1.9-3.3 4-3.3s3.6 1.1 4 3.3M10.2 3.4a2.2 2.2 0 0 1 0 4M11.6 9.7c1.6.4 2.5 1.4 2.8 3.1"/></symbol>
<symbol id="i-download" viewBox="0 0 16 16"><path d="M8 2.5v7.5M4.8 7 8 10.2 11.2 7M2.5 13.5h11"/></symbol>
<symbol id="i-drift" viewBox="0 0 16 16"><path d="M2 11.5c2.4 0 2.4-3.5 4.8-3.5s2.4 3.5 4.8 3.5c1 0 1.7-.6 2.4-1.3M2 6c2.4 0 2.4-2.5 4.8-2.5S9.2 6 11.6 6c1 0 1.7-.4 2.4-.9"/></symbol>
<symbol id="i-external" viewBox="0 0 16 16"><path d="M6.5 3.5h-3v9h9v-3M9 3h4v4M13 3 7.5 8.5"/></symbol>
<symbol id="i-chain" viewBox="0 0 16 16"><path d="M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2.2-2.2A2.6 2.6 0 0 0 9 3.3l-.9.9M9.2 6.8a2.6 2.6 0 0 0-3.7 0L3.300 9A2.600 2.600 0 0 0 7 12.700l.9-.9"/></symbol>"##;

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

/// The names of all symbols, in the order of the sprite.
pub const NAMES: [&str; 37] = [
    "permit", "deny", "hold", "check", "alert", "clock", "stop", "break", "busy", "none", "activity",
    "person", "agent", "next", "previous", "arrow", "down", "copy", "out", "mark", "home", "catalog", "crm",
    "grants", "money", "settings", "menu", "find", "add", "edit", "mail", "key", "team", "download", "drift",
    "external", "chain",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording;
    use model::call::{Outcome, Verdict};

    #[test]
    fn every_symbol_is_named() {
        let ids: Vec<_> = SPRITE.split("id=\"i-").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(ids, NAMES);
    }

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
