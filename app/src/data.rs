//! What the pages ask of `control`, in one place. What is returned is a whole page, or the reason why there is none.

pub mod activity;
pub mod agents;
pub mod bundles;
pub mod catalog;
pub mod crm;
pub mod find;
pub mod grants;
pub mod home;
pub mod limits;
pub mod money;
pub mod people;
pub mod settings;

use control::actor::Actor;
use control::authority::{Deed, may};
use control::crm::Sight;

use crate::links::Place;
use crate::wording;

/// What a person may do, as the menu says it.
pub fn roles(actor: &Actor) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for held in actor.roles() {
        let role = wording::role(held.role);
        let said_so = if held.unit.is_some() { format!("{role} of a unit") } else { role.to_owned() };
        if !said.contains(&said_so) {
            said.push(said_so);
        }
    }
    said
}

/// The places that a person finds something at, in the order of the rail.
pub fn places(actor: &Actor, crm: &Sight) -> Vec<Place> {
    let all = [
        (Place::Home, true),
        // Everyone has calls of their own agents, people they work with, and what they cost.
        (Place::Activity, true),
        (Place::Catalog, may(actor, Deed::ReadCatalog)),
        (Place::Crm, crm.opens()),
        (Place::Grants, may(actor, Deed::ReadGrants)),
        (Place::People, true),
        (Place::Money, control::money::may_read(actor)),
        (Place::Usage, !control::money::may_read(actor)),
        (Place::Settings, may(actor, Deed::ReadSettings)),
    ];
    all.into_iter().filter(|(_, there)| *there).map(|(place, _)| place).collect()
}
