//! Puts units, people, agents, keys, grants and prices where they are missing, through the same functions as everybody.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use control::bundles::{self, NewBundle};
use control::credentials::{self, NewCredential};
use control::tenants::{self, NewOwner, NewTenant};
use control::{Actor, Control, Error, agents, grants, modules, units, users};
use model::access::Grantee;
use model::catalog::Naming;
use model::people::{Slug, Standing, UnitKind};
use model::{Currency, Money, UserId};
use secrecy::{ExposeSecret, SecretString};

use super::people::{AGENTS, GRANTS, OWNER, PEOPLE, PRICES, UNITS, Whom, email};
use super::{LOADER, NAME};
use crate::Failure;

/// People's ids by name.
pub(super) type Place = BTreeMap<&'static str, UserId>;

/// What was looked for, if it is there.
fn found<T>(looked: Result<T, Error>) -> Result<Option<T>, Error> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Done already is as good as done.
fn at_most_once<T>(done: Result<T, Error>) -> Result<(), Error> {
    match done {
        Ok(_) => Ok(()),
        Err(Error::Refused {
            code: "already_given" | "already_held" | "nothing_to_do" | "name_taken",
            ..
        }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Founds the organization with its owner.
pub(super) async fn found_organization(control: &Control, slug: Slug, password: &str) -> Result<(), Failure> {
    let owner = NewOwner {
        email: email(OWNER.name),
        name: OWNER.name.to_owned(),
        password: SecretString::from(password),
    };
    let new = NewTenant {
        slug,
        name: NAME.to_owned(),
        currency: Currency::EUR,
        first_unit: OWNER.unit.to_owned(),
        owner,
    };
    tenants::create(control, LOADER, new).await?;
    Ok(())
}

/// Units and people.
pub(super) async fn people(control: &Control, actor: &Actor, password: &str) -> Result<Place, Failure> {
    for (department, teams) in UNITS {
        let department = match found(units::find(control, actor, department).await)? {
            Some(unit) => unit.id,
            None => {
                let new = units::NewUnit {
                    parent: None,
                    kind: UnitKind::Department,
                    name: (*department).to_owned(),
                };
                units::create(control, actor, new).await?
            }
        };
        for team in *teams {
            let new =
                units::NewUnit { parent: Some(department), kind: UnitKind::Team, name: (*team).to_owned() };
            at_most_once(units::create(control, actor, new).await)?;
        }
    }
    let owner = users::find(control, actor, &email(OWNER.name)).await?;
    users::set_password(control, actor, owner.id, &SecretString::from(password)).await?;
    let mut place = Place::from([(OWNER.name, owner.id)]);
    for person in PEOPLE {
        let id = match found(users::find(control, actor, &email(person.name)).await)? {
            Some(user) => {
                // Somebody of an earlier load that was cut off, or whose password is not known any more.
                users::set_password(control, actor, user.id, &SecretString::from(password)).await?;
                user.id
            }
            None => {
                let new = users::NewUser {
                    email: email(person.name),
                    name: person.name.to_owned(),
                    home_unit: units::find(control, actor, person.unit).await?.id,
                    password: Some(SecretString::from(password)),
                    role: person.on.is_none().then_some(person.role),
                };
                users::create(control, actor, new).await?
            }
        };
        if let Some(unit) = person.on {
            let unit = units::find(control, actor, unit).await?.id;
            at_most_once(users::give_role(control, actor, id, person.role, Some(unit)).await)?;
        }
        place.insert(person.name, id);
    }
    Ok(place)
}

/// The CRM and its prices.
pub(super) async fn catalog(control: &Control, actor: &Actor, place: &Place) -> Result<(), Failure> {
    if found(modules::find(control, actor, "crm").await)?.is_none() {
        modules::enable_native(control, actor, "crm", place.get("Grace Whitfield").copied()).await?;
    }
    for (tool, amount) in PRICES {
        let found = modules::find_tool(control, actor, tool).await?;
        let price = Money { amount: amount.parse()?, currency: Currency::EUR };
        if found.price != price {
            modules::set_price(control, actor, found.id, price).await?;
        }
    }
    Ok(())
}

/// A bundle for whoever answers customers: what one looks up, by short names.
pub(super) async fn bundle(control: &Control, actor: &Actor) -> Result<(), Failure> {
    let new =
        NewBundle { name: "look-up".to_owned(), title: "Customer look-up".to_owned(), naming: Naming::Plain };
    at_most_once(bundles::create(control, actor, new).await)?;
    let mut tools = Vec::new();
    for tool in ["crm.list_companies", "crm.get_company", "crm.list_contacts", "crm.log_interaction"] {
        tools.push(modules::find_tool(control, actor, tool).await?.id);
    }
    bundles::add(control, actor, "look-up", &tools).await?;
    Ok(())
}

/// The agents.
pub(super) async fn agents(control: &Control, actor: &Actor, place: &Place) -> Result<(), Failure> {
    for agent in AGENTS {
        let owner = *place.get(agent.owner).ok_or("an agent's owner is not among the people")?;
        let home_unit = units::find(control, actor, agent.unit).await?.id;
        let new = agents::NewAgent { name: agent.name.to_owned(), owner, home_unit };
        at_most_once(agents::create(control, actor, new).await)?;
    }
    Ok(())
}

/// Who may use what. What somebody has revoked since stays revoked.
pub(super) async fn grants(control: &Control, actor: &Actor) -> Result<(), Failure> {
    if !grants::list(control, actor).await?.is_empty() {
        return Ok(());
    }
    for (key, whom, days) in GRANTS {
        let grantee = match whom {
            Whom::Unit(path) => Grantee::Unit(units::find(control, actor, path).await?.id),
            Whom::Role(role) => Grantee::Role(*role),
            Whom::User(name) => Grantee::User(users::find(control, actor, &email(name)).await?.id),
            Whom::Agent(name) => Grantee::Agent(agents::find(control, actor, name).await?.id),
        };
        let until = days.and_then(|days| control.ambient().now().checked_add_signed(TimeDelta::days(days)));
        grants::give(control, actor, &key.parse()?, grantee, until).await?;
    }
    Ok(())
}

/// A key for each agent that has none that we know. Says whether there are new ones.
pub(super) async fn keys(
    control: &Control,
    actor: &Actor,
    kept: &mut BTreeMap<String, String>,
) -> Result<bool, Failure> {
    let mut issued = false;
    for agent in AGENTS {
        if kept.contains_key(agent.name) {
            continue;
        }
        let on_behalf_of = match agent.on_behalf_of {
            Some(name) => Some(users::find(control, actor, &email(name)).await?.id),
            None => None,
        };
        let new = NewCredential {
            agent: agents::find(control, actor, agent.name).await?.id,
            name: "demo".to_owned(),
            expires_at: None,
            allowed_addresses: Vec::new(),
            on_behalf_of,
        };
        let key = credentials::issue(control, actor, new).await?.key;
        kept.insert(agent.name.to_owned(), key.expose_secret().to_owned());
        issued = true;
    }
    Ok(issued)
}

/// Stops the agents that have been stopped by now, or lets them go on while their past is made.
pub(super) async fn suspend(control: &Control, actor: &Actor, suspended: bool) -> Result<(), Failure> {
    for agent in AGENTS.iter().filter(|agent| agent.suspended) {
        let view = agents::find(control, actor, agent.name).await?;
        match (view.standing, suspended) {
            (Standing::Active, true) => agents::suspend(control, actor, view.id).await?,
            (Standing::Suspended, false) => agents::resume(control, actor, view.id).await?,
            _ => {}
        }
    }
    Ok(())
}
