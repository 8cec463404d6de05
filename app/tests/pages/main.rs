//! What people see, as HTML: snapshots of the pieces, and hostile text in every place that somebody outside can fill.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code outside of test functions"
)]

mod agents;
mod catalog;
mod crm;
mod grants;
mod home;
mod hostile;
mod joining;
mod limits;
mod look;
mod mails;
mod money;
mod people;
mod sample;
mod snapshots;
