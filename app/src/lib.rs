//! What people see: pages rendered on the server, and the few islands that live in the browser.
//!
//! With `ssr` this is the dashboard's pages, which ask `control` and return HTML. With `hydrate` it is
//! islands alone, compiled to WebAssembly. Nothing here knows of routes, cookies or headers.

pub mod islands;

#[cfg(feature = "ssr")]
pub mod data;
#[cfg(feature = "ssr")]
pub mod document;
#[cfg(feature = "ssr")]
pub mod icon;
#[cfg(feature = "ssr")]
pub mod links;
#[cfg(feature = "ssr")]
pub mod mails;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
pub mod pieces;
#[cfg(feature = "ssr")]
pub mod schema;
#[cfg(feature = "ssr")]
pub mod text;
#[cfg(feature = "ssr")]
pub mod wording;
