//! What comes alive in the browser. A page that has none of these loads no WebAssembly.
//!
//! An island's behaviour stands in a module of its own that only the browser's build has; on the server the same
//! calls do nothing.

pub mod copy_button;
pub mod live_calls;
pub mod live_now;
pub mod palette;

pub use copy_button::CopyButton;
pub use live_calls::LiveCalls;
pub use live_now::LiveNow;
pub use palette::Palette;

/// Called once by the page's loader, before it wakes the islands one by one.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
