//! Units, people, invitations, one's own account.

pub mod invitations;
pub mod join;
pub mod list;
pub mod me;
pub mod parting;
pub mod person;
pub mod said;
pub mod unit;
