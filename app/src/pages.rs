//! The pages. Each takes what it shows and returns a whole document; [`crate::data`] asks `control` for it.

pub mod activity;
pub mod call;
pub mod connect;
pub mod filter;
pub mod rejected;
pub mod sign_in;
pub mod trouble;
