//! The live list of calls: keeps the server's table up to date while somebody watches.
//!
//! The server renders the rows, in the page and in the stream, with one component that escapes everything; the
//! island only puts them in their place. So it needs neither types nor JSON, and a row can look in one way only.
#![allow(missing_docs, reason = "the macro makes a struct of the properties that cannot be documented")]

use leptos::prelude::*;

/// What the list is doing, as it is said beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The page was rendered; nothing has started.
    Asleep,
    /// Connecting, or connecting again.
    Connecting,
    /// New calls appear.
    Live,
    /// Stopped by the reader.
    Paused,
    /// Ended by the server: the session is over, or rights have changed.
    Ended,
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Self::Asleep | Self::Connecting => "Connecting",
            Self::Live => "Live",
            Self::Paused => "Paused",
            Self::Ended => "Ended: reload the page",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Asleep => "asleep",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }
}

/// What the island shows besides the table.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    /// What it is doing.
    phase: RwSignal<Phase>,
    /// How many calls have appeared, as last told to assistive technology.
    told: RwSignal<u32>,
    /// How many came too fast to be listed.
    skipped: RwSignal<u32>,
}

/// Wraps the server's list. `url` is the stream of its changes, filters included.
#[island]
pub fn LiveCalls(
    /// Where the changes come from.
    url: String,
    /// The list as the server rendered it.
    children: Children,
) -> impl IntoView {
    let shown =
        Shown { phase: RwSignal::new(Phase::Asleep), told: RwSignal::new(0), skipped: RwSignal::new(0) };
    let Shown { phase, told, skipped } = shown;
    let toggle = browser::follow(url, shown);
    view! {
        <div class="live-bar" data-phase=move || phase.get().name()>
            <span class="live-skipped">
                {move || (skipped.get() > 0).then(|| format!("{} came too fast to be listed: reload", skipped.get()))}
            </span>
            <span class="live-phase">{move || phase.get().word()}</span>
            <button type="button" class="button plain" on:click=move |_| toggle()>
                {move || if phase.get() == Phase::Paused { "Resume" } else { "Pause" }}
            </button>
            <span class="visually-hidden" role="status" aria-live="polite">
                {move || match told.get() {
                    0 => String::new(),
                    1 => "1 new call".to_owned(),
                    count => format!("{count} new calls"),
                }}
            </span>
        </div>
        {children()}
    }
}

#[cfg(feature = "hydrate")]
#[path = "live_calls/browser.rs"]
mod browser;

#[cfg(not(feature = "hydrate"))]
mod browser {
    //! On the server nothing is followed.

    pub(super) fn follow(_url: String, _shown: super::Shown) -> impl Fn() {
        || {}
    }
}
