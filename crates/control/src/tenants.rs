//! Organizations: founded and suspended by whoever runs the installation.

use model::people::{Role, Slug, Standing, UnitKind};
use model::{Currency, McpId, TenantId, UnitId, UserId, Zone};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::units::NewUnit;
use crate::users::NewUser;
use crate::{Actor, Control, Error, given, passwords, rows, units, users};

/// An organization to be made.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Its name in URLs; never given out again.
    pub slug: Slug,
    /// Its name for people: 1 to 120 characters.
    pub name: String,
    /// In what its calls are charged.
    pub currency: Currency,
    /// Name of the department that it begins with and that its owner sits in.
    pub first_unit: String,
    /// The person who owns it.
    pub owner: NewOwner,
}

/// The first person of an organization.
#[derive(Clone, Debug)]
pub struct NewOwner {
    /// Their mail address, by which they sign in.
    pub email: String,
    /// Their name.
    pub name: String,
    /// With what they sign in: at least 12 characters.
    pub password: SecretString,
}

/// What was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Created {
    /// The organization.
    pub tenant: TenantId,
    /// The id in its MCP URL.
    pub mcp_id: McpId,
    /// Its owner.
    pub owner: UserId,
    /// Its first unit.
    pub unit: UnitId,
}

/// An organization as lists and pages' frames show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantHead {
    /// Its id.
    pub id: TenantId,
    /// Its name in URLs.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// The id in its MCP URL.
    pub mcp_id: McpId,
    /// Whether anything may be called at all.
    pub standing: Standing,
    /// In what its calls are charged.
    pub currency: Currency,
    /// In which its people are told times who have not chosen a zone themselves.
    pub zone: Zone,
}

/// An organization to be made inside a transaction: names as people see them, the owner's password hashed.
pub(crate) struct Founding {
    /// Taken before by [`claim`].
    pub(crate) slug: Slug,
    pub(crate) name: String,
    pub(crate) currency: Currency,
    pub(crate) zone: Zone,
    pub(crate) first_unit: String,
    pub(crate) owner_email: String,
    pub(crate) owner_name: String,
    pub(crate) owner_password_hash: String,
}

/// Founds an organization with its endpoint, gate, data key, first unit and owner, all or nothing.
///
/// # Errors
/// `slug_taken`, also when an organization of that short name is gone.
pub async fn create(control: &Control, operator_name: &str, new: NewTenant) -> Result<Created, Error> {
    let name = given::name("name", &new.name, 120)?;
    let hash = passwords::hash(control, None, &new.owner.password).await?;
    // There is no gate yet to take; nobody can know of the tenant before the commit.
    let mut tx = Actor::operator(control.ambient().id(), operator_name).write(control).await?;
    if !claim(&mut tx, &new.slug).await? {
        let sentence = format!("the short name `{}` is taken: choose another", new.slug);
        return Err(Error::refused("slug_taken", sentence));
    }
    let founding = Founding {
        slug: new.slug,
        name,
        currency: new.currency,
        zone: Zone::UTC,
        first_unit: new.first_unit,
        owner_email: new.owner.email,
        owner_name: new.owner.name,
        owner_password_hash: hash,
    };
    let created = found(control, &mut tx, founding).await?;
    tx.commit().await?;
    Ok(created)
}

/// Takes a short name for the transaction's tenant; false: somebody has or had it.
pub(crate) async fn claim(tx: &mut TenantTx, slug: &Slug) -> Result<bool, Error> {
    let tenant = tx.tenant_uuid();
    let taken = sqlx::query!(
        "INSERT INTO tenant_slugs (slug, tenant) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        slug.as_str(),
        tenant
    )
    .execute(tx.conn())
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Makes the transaction's tenant, with everything that belongs to one.
pub(crate) async fn found(control: &Control, tx: &mut TenantTx, new: Founding) -> Result<Created, Error> {
    let ambient = control.ambient();
    let (id, mcp_id, now) = (tx.tenant(), McpId::from(ambient.random_uuid()), tx.now());
    sqlx::query!(
        "INSERT INTO tenants (tenant_id, slug, name, mcp_id, currency, time_zone, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        id.uuid(),
        new.slug.as_str(),
        new.name,
        mcp_id.uuid(),
        new.currency.code(),
        new.zone.name(),
        now,
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!("INSERT INTO mcp_endpoints (mcp_id, tenant) VALUES ($1, $2)", mcp_id.uuid(), id.uuid())
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "INSERT INTO gates (tenant_id, epoch, token) VALUES ($1, 1, $2)",
        id.uuid(),
        ambient.random_uuid()
    )
    .execute(tx.conn())
    .await?;
    control.vault.found(tx, ambient).await?;
    let detail = json!({ "slug": new.slug, "currency": new.currency });
    tx.audit("tenant.create", "tenant", id, &new.name, detail).await?;
    let unit = NewUnit { parent: None, kind: UnitKind::Department, name: new.first_unit };
    let unit = units::insert(tx, &unit).await?;
    let owner = NewUser {
        email: new.owner_email,
        name: new.owner_name,
        home_unit: unit,
        password: None,
        role: Some(Role::Owner),
    };
    let owner = users::insert(tx, &owner, Some(new.owner_password_hash)).await?;
    Ok(Created { tenant: id, mcp_id, owner, unit })
}

/// The organization of a short name. Says nothing of who may see it.
pub async fn by_slug(control: &Control, slug: &Slug) -> Result<Option<TenantHead>, Error> {
    let found =
        sqlx::query_scalar!("SELECT tenant_of_slug($1)", slug.as_str()).fetch_one(control.pool()).await?;
    match found {
        Some(tenant) => head(control, tenant).await,
        None => Ok(None),
    }
}

/// All organizations of the installation by short name, for whoever runs it.
pub async fn list(control: &Control) -> Result<Vec<TenantHead>, Error> {
    let ids = sqlx::query_scalar!(r#"SELECT tenant_ids() AS "id!""#).fetch_all(control.pool()).await?;
    let mut heads = Vec::with_capacity(ids.len());
    // A transaction never spans tenants.
    for id in ids {
        heads.extend(head(control, id).await?);
    }
    heads.sort_by(|a, b| a.slug.cmp(&b.slug));
    Ok(heads)
}

/// Stops everything in an organization: its next call is refused and nobody can sign in. Only for the
/// operator.
pub async fn suspend(control: &Control, actor: &Actor) -> Result<(), Error> {
    stand(control, actor, Standing::Suspended).await
}

/// Lets a suspended organization go on. Only for the operator.
pub async fn resume(control: &Control, actor: &Actor) -> Result<(), Error> {
    stand(control, actor, Standing::Active).await
}

async fn stand(control: &Control, actor: &Actor, standing: Standing) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeTenant, "organization that you may change").await?;
    let tenant = tx.tenant_uuid();
    let changed = sqlx::query_scalar!(
        "UPDATE tenants SET standing = $2 WHERE tenant_id = $1 AND standing <> $2 RETURNING name",
        tenant,
        standing.word(),
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(name) = changed else {
        return Err(Error::refused("nothing_to_do", format!("the organization is {standing} already")));
    };
    if standing == Standing::Active {
        sqlx::query!("UPDATE settings SET closed_at = NULL WHERE tenant_id = $1", tenant)
            .execute(tx.conn())
            .await?;
    }
    let action = if standing == Standing::Active { "tenant.resume" } else { "tenant.suspend" };
    tx.audit(action, "tenant", actor.tenant(), &name, json!({})).await?;
    tx.commit().await
}

async fn head(control: &Control, tenant: Uuid) -> Result<Option<TenantHead>, Error> {
    let mut tx = Actor::worker(tenant.into()).read(control).await?;
    let row = sqlx::query!(
        "SELECT tenant_id, slug, name, mcp_id, standing, currency, time_zone FROM tenants WHERE tenant_id = $1",
        tenant
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(TenantHead {
            id: row.tenant_id.into(),
            slug: rows::word("tenant", &row.slug)?,
            name: row.name,
            mcp_id: row.mcp_id.into(),
            standing: rows::word("tenant", &row.standing)?,
            currency: rows::word("tenant", &row.currency)?,
            zone: rows::zone(&row.time_zone),
        })
    })
    .transpose()
}
