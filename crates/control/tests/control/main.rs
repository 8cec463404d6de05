//! What the database keeps and who may touch it, against a real PostgreSQL: each test has a database of its own.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod account;
mod activity;
mod agents;
mod bundles;
mod cancelled;
mod catalog;
mod catalog_pages;
mod clerk;
mod credentials;
mod crm;
mod crm_people;
mod crm_sheets;
mod find;
mod firm;
mod grants;
mod grants_change;
mod grants_matrix;
mod home;
mod invitations;
mod issuer;
mod joining;
mod kept;
mod ledger;
mod limits;
mod money;
mod office;
mod outside;
mod people;
mod people_lists;
mod people_removed;
mod people_units;
mod revocation;
mod schema;
mod settings;
mod sign_in;
mod tokens;
mod tokens_renewed;
mod tokens_revoked;
mod who_may;
