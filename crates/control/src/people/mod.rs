//! The tree of units with the people and agents in it, as the dashboard lists and shows them. What changes them is in
//! [`crate::units`], [`crate::users`] and [`crate::agents`].

mod lists;
mod person;
mod tree;
mod unit;

pub use lists::{
    AgentLine, Listed, PAGE, PersonLine, Presence, RoleAt, Sought, SoughtAgents, agents, people, seen_alone,
};
pub use person::{PersonStory, RoleHeld, person};
pub use tree::{Node, tree};
pub use unit::{GrantHere, RoleHere, UnitStory, unit};
