//! The pages. Each takes what it shows and returns a whole document; [`crate::data`] asks `control` for it.

pub mod activity;
pub mod agents;
pub mod call;
pub mod catalog;
pub mod components;
pub mod connect;
pub mod crm;
pub mod filter;
pub mod find;
pub mod grants;
pub mod home;
pub mod joining;
pub mod money;
pub mod people;
pub mod rejected;
pub mod session;
pub mod settings;
pub mod sign_in;
pub mod trouble;
