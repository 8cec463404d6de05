//! Whose calls an actor may see, and of which also arguments and results.

use model::UserId;
use uuid::Uuid;

use crate::actor::Who;
use crate::authority::{self, Deed};
use crate::{Actor, Error};

/// What an actor may see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sight {
    /// Every call of the tenant.
    pub(crate) all: bool,
    /// Calls of agents that this person owns, or that acted for them.
    pub(crate) person: Option<Uuid>,
    /// Calls of agents in these units or below.
    pub(crate) units: Vec<Uuid>,
    content_of_all: bool,
    content_of_units: Vec<Uuid>,
}

impl Sight {
    pub(crate) fn of(actor: &Actor) -> Result<Self, Error> {
        if matches!(actor.who(), Who::Agent(_)) {
            return Err(Error::not_found("activity that an agent may see"));
        }
        let on_units = |deed| {
            let held = actor.roles().iter().filter(|held| authority::includes(held.role, deed));
            held.filter_map(|held| held.unit).map(|unit| unit.uuid()).collect()
        };
        Ok(Self {
            all: authority::may(actor, Deed::ReadActivity),
            person: actor.user_id().map(UserId::uuid),
            units: on_units(Deed::ReadActivity),
            content_of_all: authority::may(actor, Deed::ReadContent),
            content_of_units: on_units(Deed::ReadContent),
        })
    }

    /// Whether arguments and results may be seen, of a call that may be seen.
    pub(crate) fn shows_content(&self, owner: Uuid, on_behalf_of: Option<Uuid>, unit_path: &[Uuid]) -> bool {
        self.content_of_all
            || self.person.is_some_and(|person| person == owner || on_behalf_of == Some(person))
            || unit_path.iter().any(|unit| self.content_of_units.contains(unit))
    }
}

#[cfg(test)]
mod tests {
    use model::people::Role;

    use super::*;
    use crate::actor::HeldRole;

    fn person(roles: Vec<HeldRole>) -> Actor {
        Actor::user(Uuid::from_u128(1).into(), Uuid::from_u128(7).into(), "Ada", roles)
    }

    #[test]
    fn finance_sees_all_calls_and_the_content_of_ones_own() {
        let sight = Sight::of(&person(vec![HeldRole { role: Role::Finance, unit: None }])).unwrap();
        let (me, other) = (Uuid::from_u128(7), Uuid::from_u128(8));
        assert!(sight.all);
        assert!(!sight.shows_content(other, None, &[]));
        assert!(sight.shows_content(me, Some(other), &[]));
        assert!(sight.shows_content(other, Some(me), &[]));
    }

    #[test]
    fn a_role_on_a_unit_reaches_there_and_below_and_no_further() {
        let unit = Uuid::from_u128(20);
        let sight =
            Sight::of(&person(vec![HeldRole { role: Role::Auditor, unit: Some(unit.into()) }])).unwrap();
        let other = Uuid::from_u128(8);
        assert!(!sight.all);
        assert_eq!(sight.units, [unit]);
        assert!(sight.shows_content(other, None, &[Uuid::from_u128(19), unit, Uuid::from_u128(21)]));
        assert!(!sight.shows_content(other, None, &[Uuid::from_u128(19)]));
    }
}
