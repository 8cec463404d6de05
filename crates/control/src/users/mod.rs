//! People of a tenant: made, put into units, suspended. What they may do is beside, in `roles`; how they leave for good, in
//! `removing`.

mod removing;
mod roles;
mod store;

use model::people::{Role, Standing, UserView};
use model::{UnitId, UserId};
use secrecy::SecretString;
use serde_json::json;

use crate::actor::HeldRole;
use crate::authority::{self, Deed};
use crate::mail::{self, Letter, To};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, given, passwords, sessions, settings, units};

pub use removing::{Agents, Parting, leave, parting, remove};
pub(crate) use roles::is_owner;
pub use roles::{give_role, take_role};
pub(crate) use store::one;

/// A person to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Their mail address, by which they sign in.
    pub email: String,
    /// Their name: 1 to 120 characters.
    pub name: String,
    /// The unit they sit in.
    pub home_unit: UnitId,
    /// With what they sign in; none: not by password.
    pub password: Option<SecretString>,
    /// A role in the whole tenant to begin with.
    pub role: Option<Role>,
}

/// A person with what lists show beside.
#[derive(Clone, Debug)]
pub struct UserLine {
    /// The person.
    pub view: UserView,
    /// Further units they are a member of.
    pub units: Vec<UnitId>,
    /// The roles they hold.
    pub roles: Vec<HeldRole>,
    /// Whether they can sign in by password.
    pub has_password: bool,
}

/// Makes a person.
///
/// # Errors
/// `email_taken` when somebody here has the address.
pub async fn create(control: &Control, actor: &Actor, new: NewUser) -> Result<UserId, Error> {
    // Hashing takes long: not for those who may not, and not while the tenant's calls wait at the gate.
    if !authority::may(actor, Deed::ChangePeople) {
        return Err(Error::not_found("user"));
    }
    let hash = match &new.password {
        Some(password) => Some(passwords::hash(control, Some(actor.tenant()), password).await?),
        None => None,
    };
    let mut tx = actor.change(control, Deed::ChangePeople, "user").await?;
    // Whoever runs the installation makes people of any address: the first ones of an organization, their own.
    if actor.user_id().is_some() {
        settings::may_be_invited(&mut tx, &new.email).await?;
    }
    let id = insert(&mut tx, &new, hash).await?;
    tx.commit().await?;
    Ok(id)
}

/// Makes a person inside a transaction that moves the epoch anyway. `hash` is that of their password.
pub(crate) async fn insert(tx: &mut TenantTx, new: &NewUser, hash: Option<String>) -> Result<UserId, Error> {
    let (email, name) = (given::email(&new.email)?, given::name("name", &new.name, 120)?);
    let unit = units::one(tx, new.home_unit).await?;
    let id: UserId = tx.id();
    store::insert(tx, id, &email, &name, unit.id, hash).await?;
    tx.audit("user.create", "user", id, &name, json!({ "email": email, "unit": unit.name })).await?;
    if let Some(role) = new.role {
        roles::give(tx, id, &name, HeldRole { role, unit: None }).await?;
    }
    Ok(id)
}

/// Everybody who was not removed, by name.
pub async fn list(control: &Control, actor: &Actor) -> Result<Vec<UserLine>, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadPeople, "list of people")?;
    store::all(&mut tx).await
}

/// A person by mail address. Case does not matter.
pub async fn find(control: &Control, actor: &Actor, email: &str) -> Result<UserView, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadPeople, "such person")?;
    let email = given::email(email)?;
    store::by_email(&mut tx, &email)
        .await?
        .ok_or_else(|| Error::not_found(format!("person with the address {email}")))
}

/// Stops a person and, with them, every agent they own or that acts for them.
///
/// # Errors
/// `last_owner` for the only active owner.
pub async fn suspend(control: &Control, actor: &Actor, user: UserId) -> Result<(), Error> {
    stand(control, actor, user, Standing::Suspended).await
}

/// Lets a suspended person act again.
pub async fn resume(control: &Control, actor: &Actor, user: UserId) -> Result<(), Error> {
    stand(control, actor, user, Standing::Active).await
}

async fn stand(control: &Control, actor: &Actor, user: UserId, standing: Standing) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangePeople, "user").await?;
    let person = store::one(&mut tx, user).await?;
    if roles::is_owner(&mut tx, user).await? {
        tx.authorize(Deed::ChangeOwners, &format!("owner “{}” that you may change", person.name))?;
    }
    if person.standing == standing {
        return Err(Error::refused("nothing_to_do", format!("“{}” is {standing} already", person.name)));
    }
    store::set_standing(&mut tx, user, standing).await?;
    if standing == Standing::Suspended {
        // Else they would come back to life with the person.
        let tenant = tx.tenant();
        sessions::end_all(tx.conn(), tenant, user, None).await?;
        roles::some_owner_is_left(&mut tx, &person.name).await?;
    }
    let action = if standing == Standing::Active { "user.resume" } else { "user.suspend" };
    tx.audit(action, "user", user, &person.name, json!({})).await?;
    tx.commit().await
}

/// Stops a person inside a transaction that moves the epoch anyway. Says who, and whether they could act before.
pub(crate) async fn stop(tx: &mut TenantTx, user: UserId) -> Result<(UserView, bool), Error> {
    let person = store::one(tx, user).await?;
    if roles::is_owner(tx, user).await? {
        tx.authorize(Deed::ChangeOwners, &format!("owner “{}” that you may change", person.name))?;
    }
    if person.standing == Standing::Suspended {
        return Ok((person, false));
    }
    store::set_standing(tx, user, Standing::Suspended).await?;
    roles::some_owner_is_left(tx, &person.name).await?;
    Ok((person, true))
}

/// Gives a person a new password: at least 12 characters. Their sessions end, and they are told by mail. It decides who
/// signs in and not what may be called, so the epoch stays.
pub async fn set_password(
    control: &Control,
    actor: &Actor,
    user: UserId,
    password: &SecretString,
) -> Result<(), Error> {
    if !authority::may(actor, Deed::ChangePeople) {
        return Err(Error::not_found("user"));
    }
    let hash = passwords::hash(control, Some(actor.tenant()), password).await?;
    let mut tx = actor.write(control).await?;
    tx.authorize(Deed::ChangePeople, "user")?;
    let person = store::one(&mut tx, user).await?;
    if roles::is_owner(&mut tx, user).await? {
        tx.authorize(Deed::ChangeOwners, &format!("owner “{}” that you may change", person.name))?;
    }
    replace_password(control, &mut tx, &person, &hash).await?;
    tx.audit("user.set_password", "user", user, &person.name, json!({})).await?;
    tx.commit().await
}

/// Puts a new password in the place of the old one, ends the person's sessions, and tells them by mail.
pub(crate) async fn replace_password(
    control: &Control,
    tx: &mut TenantTx,
    person: &UserView,
    hash: &str,
) -> Result<(), Error> {
    store::set_password(tx, person.id, hash).await?;
    let (tenant, at) = (tx.tenant(), tx.now());
    sessions::end_all(tx.conn(), tenant, person.id, None).await?;
    if control.sends_mail() {
        let organization = store::organization(tx).await?;
        let letter = Letter::PasswordChanged { person: person.name.clone(), organization, at };
        let sender = settings::mail_sender(tx).await?;
        let to = To::address(&person.email).named(&person.name).on_behalf_of(sender.name, sender.reply_to);
        mail::post(control, tx.conn(), to, letter).await?;
    }
    Ok(())
}

/// Moves a person to another home unit.
pub async fn move_to(control: &Control, actor: &Actor, user: UserId, unit: UnitId) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangePeople, "user").await?;
    let (person, unit) = (store::one(&mut tx, user).await?, units::one(&mut tx, unit).await?);
    store::set_home(&mut tx, user, unit.id).await?;
    let detail = json!({ "unit": unit.name, "from": person.home_unit });
    tx.audit("user.move", "user", user, &person.name, detail).await?;
    tx.commit().await
}

/// Makes a person a member of a further unit, beside the home unit.
pub async fn join_unit(control: &Control, actor: &Actor, user: UserId, unit: UnitId) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangePeople, "user").await?;
    let (person, unit) = (store::one(&mut tx, user).await?, units::one(&mut tx, unit).await?);
    if person.home_unit == unit.id || !store::join(&mut tx, user, unit.id).await? {
        return Err(Error::refused(
            "nothing_to_do",
            format!("“{}” is in unit “{}” already", person.name, unit.name),
        ));
    }
    tx.audit("user.join_unit", "user", user, &person.name, json!({ "unit": unit.name })).await?;
    tx.commit().await
}

/// Ends a person's membership of a further unit.
pub async fn leave_unit(control: &Control, actor: &Actor, user: UserId, unit: UnitId) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangePeople, "user").await?;
    let (person, unit) = (store::one(&mut tx, user).await?, units::one(&mut tx, unit).await?);
    if !store::leave(&mut tx, user, unit.id).await? {
        return Err(Error::not_found(format!(
            "membership of “{}” in unit “{}”, beside the home unit,",
            person.name, unit.name
        )));
    }
    tx.audit("user.leave_unit", "user", user, &person.name, json!({ "unit": unit.name })).await?;
    tx.commit().await
}
