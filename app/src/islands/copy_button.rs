//! A button that copies the text of an element. Without JavaScript it is not shown; the text can be selected.
#![allow(missing_docs, reason = "the macro makes a struct of the properties that cannot be documented")]

use leptos::prelude::*;

/// Copies the text of the element with the id `target`.
#[island]
pub fn CopyButton(
    /// The id.
    target: String,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let copy = move |_| copy_text(&target, copied);
    view! {
        <button type="button" class="button plain copy" on:click=copy>
            {move || if copied.get() { "Copied" } else { "Copy" }}
        </button>
    }
}

#[cfg(feature = "hydrate")]
fn copy_text(target: &str, copied: RwSignal<bool>) {
    use std::time::Duration;

    let Some(window) = web_sys::window() else { return };
    let Some(text) = window.document().and_then(|document| document.get_element_by_id(target)) else {
        return;
    };
    // Not allowed or not possible: then nothing is claimed. The text can still be selected.
    let wish = window.navigator().clipboard().write_text(&text.text_content().unwrap_or_default());
    let done = wasm_bindgen::closure::Closure::once(move |_| {
        copied.set(true);
        set_timeout(move || copied.set(false), Duration::from_secs(2));
    });
    let _ = wish.then(&done);
    done.forget();
}

#[cfg(not(feature = "hydrate"))]
fn copy_text(_target: &str, _copied: RwSignal<bool>) {}
