//! The invited person's side: what a link invites to, and joining by it.

use model::people::{Role, Slug};
use model::{InvitationId, TenantId, Timestamp};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use super::hashed;
use crate::authority::Deed;
use crate::sign_in::{self, SignedIn, Stamp};
use crate::users::{self, NewUser};
use crate::{Actor, Control, Error, authority, given, passwords, rows};

/// What a link invites to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Welcome {
    /// The organization's name.
    pub organization: String,
    /// Its short name.
    pub slug: Slug,
    /// To which address it was sent.
    pub email: String,
    /// The unit that one will sit in.
    pub unit: String,
    /// What one will be.
    pub role: Role,
    /// Who invites.
    pub invited_by: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// How a link stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// One can join by it.
    Open(Welcome),
    /// Somebody has joined by it, or has an account with its address in this organization by now.
    Here {
        /// The organization's name.
        organization: String,
        /// The address.
        email: String,
    },
    /// Its time is over, it was withdrawn or sent anew, or whoever sent it may not invite any more.
    Over,
    /// There never was such a link.
    Unknown,
}

struct Found {
    tenant: TenantId,
    id: Uuid,
    email: String,
    unit: Uuid,
    role: Role,
    invited_by: Option<Uuid>,
    invited_by_name: String,
    standing: Standing,
}

/// What a link leads to. Opening it changes nothing.
pub async fn opened(control: &Control, token: &str) -> Result<Standing, Error> {
    Ok(match find(control, token).await? {
        Some(found) => found.standing,
        None => Standing::Unknown,
    })
}

/// Joins by a link: an account with this name and password, in the unit and with the role of the invitation.
///
/// # Errors
/// `name`, `password`; [`Error::NotFound`] when the link is not good (any more), see [`opened`].
pub async fn accept(
    control: &Control,
    token: &str,
    name: &str,
    password: &SecretString,
) -> Result<SignedIn, Error> {
    let over = || Error::not_found("invitation that could be accepted");
    let found = find(control, token).await?.ok_or_else(over)?;
    let Standing::Open(welcome) = &found.standing else { return Err(over()) };
    let name = given::name("name", name, 120)?;
    let hash = passwords::hash(control, Some(found.tenant), password).await?;
    let stamp = Stamp::of(Some(&hash));
    // Whoever invited makes the account, as far as they may at this moment.
    let host = host(control, &found).await?.ok_or_else(over)?;
    let mut tx = host.change(control, Deed::ChangePeople, "invitation that could be accepted").await?;
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    // Under the gate: it may have been withdrawn, or accepted, while the password was hashed.
    let taken = sqlx::query!(
        "UPDATE invitations SET accepted_at = $4
         WHERE tenant_id = $1 AND id = $2 AND token_hash = $3 AND accepted_at IS NULL AND withdrawn_at IS NULL
           AND expires_at > $4",
        tenant,
        found.id,
        hashed(token),
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if taken == 0 {
        return Err(over());
    }
    let new = NewUser {
        email: found.email.clone(),
        name: name.clone(),
        home_unit: found.unit.into(),
        password: None,
        role: Some(found.role),
    };
    let user = users::insert(&mut tx, &new, Some(hash)).await?;
    let detail = json!({ "email": found.email, "role": found.role });
    tx.audit("invitation.accept", "invitation", InvitationId::from(found.id), &found.email, detail).await?;
    tx.commit().await?;
    Ok(SignedIn {
        user,
        tenant: found.tenant,
        slug: welcome.slug.clone(),
        tenant_name: welcome.organization.clone(),
        user_name: name,
        stamp,
    })
}

async fn find(control: &Control, token: &str) -> Result<Option<Found>, Error> {
    if token.len() != 64 {
        return Ok(None);
    }
    let hash = hashed(token);
    let tenant =
        sqlx::query_scalar!("SELECT tenant_of_invitation($1)", hash).fetch_one(control.pool()).await?;
    let Some(tenant) = tenant.map(TenantId::from) else { return Ok(None) };
    let mut tx = Actor::worker(tenant).read(control).await?;
    let row = sqlx::query!(
        r#"SELECT i.id, i.email, i.unit_id, i.role, i.invited_by, i.invited_by_name, i.expires_at, i.accepted_at,
                  i.withdrawn_at, n.name AS unit_name, t.name AS organization, t.slug, t.standing,
                  EXISTS (SELECT FROM users u WHERE u.tenant_id = i.tenant_id AND u.email = i.email
                          AND u.removed_at IS NULL) AS "here!"
           FROM invitations i
           JOIN units n ON n.tenant_id = i.tenant_id AND n.id = i.unit_id
           JOIN tenants t ON t.tenant_id = i.tenant_id
           WHERE i.tenant_id = $1 AND i.token_hash = $2"#,
        tenant.uuid(),
        hash,
    )
    .fetch_optional(tx.conn())
    .await?;
    drop(tx);
    let Some(row) = row else { return Ok(None) };
    let (role, slug) = (rows::word("invitation", &row.role)?, rows::word("tenant", &row.slug)?);
    let found = Found {
        tenant,
        id: row.id,
        email: row.email.clone(),
        unit: row.unit_id,
        role,
        invited_by: row.invited_by,
        invited_by_name: row.invited_by_name.clone(),
        standing: Standing::Over,
    };
    let open = row.accepted_at.is_none()
        && row.withdrawn_at.is_none()
        && row.expires_at > control.ambient().now()
        && row.standing == "active";
    let standing = if row.here && (open || row.accepted_at.is_some()) {
        Standing::Here { organization: row.organization, email: row.email }
    } else if open && host(control, &found).await?.is_some() {
        Standing::Open(Welcome {
            organization: row.organization,
            slug,
            email: row.email,
            unit: row.unit_name,
            role,
            invited_by: row.invited_by_name,
            expires_at: row.expires_at,
        })
    } else {
        Standing::Over
    };
    Ok(Some(Found { standing, ..found }))
}

/// Whoever invited, if they may still invite to this role.
async fn host(control: &Control, found: &Found) -> Result<Option<Actor>, Error> {
    let host = match found.invited_by {
        None => Some(Actor::operator(found.tenant, &found.invited_by_name)),
        Some(user) => sign_in::actor(control, found.tenant, user.into()).await?,
    };
    let wanted: &[Deed] = match found.role {
        Role::Owner => &[Deed::ChangePeople, Deed::ChangeOwners],
        _ => &[Deed::ChangePeople],
    };
    Ok(host.filter(|host| wanted.iter().all(|deed| authority::may(host, *deed))))
}
