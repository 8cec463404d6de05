//! What we present upstream: the value of an `Authorization` header, sealed in the database and never shown
//! again.

use std::collections::HashMap;
use std::sync::Arc;

use authorization::Access;
use model::catalog::{ModuleKind, ModuleView};
use model::{ConnectionId, ModuleId, TenantId, Timestamp};
use parking_lot::{Mutex, RwLock};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use super::one;
use super::renewal::Renewal;
use super::revoking::{self, Ended};
use super::tokens::{self, Way};
use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::vault::{About, TenantKeys};
use crate::{Actor, Control, Error};

/// Opened connections, so that a call does not wait for the database. What a connection presents never changes, unless it is a
/// token, which is good until it ends or a server refuses it: another secret is another connection, and no call is admitted
/// with one that was revoked, since revoking moves the epoch.
#[derive(Default)]
pub(crate) struct Opened {
    held: RwLock<HashMap<(TenantId, ConnectionId), Held>>,
    /// Those whose tokens are, or were, renewed on this node.
    renewals: Mutex<HashMap<ConnectionId, Arc<Renewal>>>,
    /// Renewals that have begun, and what is being given back.
    pub(super) renewing: TaskTracker,
}

/// What a connection presents, as it is kept in memory.
#[derive(Clone)]
pub(crate) struct Held {
    pub(super) secret: SecretString,
    /// What it is, if it is a token.
    token: Option<HeldToken>,
}

#[derive(Clone, Copy)]
struct HeldToken {
    since: Timestamp,
    ends: Option<Timestamp>,
    /// Which one it is.
    version: i64,
    renewable: bool,
}

impl Held {
    /// A token that was had at `since`.
    pub(super) fn of(access: &Access, since: Timestamp, version: i64) -> Self {
        let token = HeldToken { since, ends: access.ends, version, renewable: access.can_be_renewed() };
        Self { secret: access.authorization(), token: Some(token) }
    }
}

/// What to present now.
pub struct Presented {
    /// The value of the `Authorization` header.
    pub secret: SecretString,
    /// That it is soon over, and which one it is: then [`tokens::renew_beside`] is to be called.
    pub renew: Option<i64>,
}

impl Opened {
    /// Keeps memory bounded; forgetting only costs opening a connection once more.
    const MOST: usize = 10_000;
}

/// Sets what we present to a module, instead of what was set before. A token that was is given back by `way`; nobody waits for that.
pub async fn set(
    control: &Control,
    actor: &Actor,
    way: &Way,
    module: ModuleId,
    authorization: &SecretString,
) -> Result<ConnectionId, Error> {
    check(authorization)?;
    let keys = control.keys(actor.tenant()).await?;
    let mut tx = actor.change(control, Deed::ChangeCatalog, "module").await?;
    let module = one(&mut tx, module).await?;
    if module.kind != ModuleKind::Mcp {
        return Err(Error::refused(
            "built_in",
            format!("“{}” is built in: nothing is presented to it", module.title),
        ));
    }
    let was = end(&mut tx, module.id).await?;
    let id = insert(control, &mut tx, &keys, &module, authorization).await?;
    tx.commit().await?;
    revoking::ended(control, way, actor.tenant(), was);
    Ok(id)
}

/// Ends what we present to a module: from then on, nothing. A token is given back by `way`; nobody waits for that.
///
/// # Errors
/// When nothing was presented.
pub async fn revoke(control: &Control, actor: &Actor, way: &Way, module: ModuleId) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "module").await?;
    let module = one(&mut tx, module).await?;
    let was = end(&mut tx, module.id).await?;
    let Some(id) = was.as_ref().map(|was| was.connection) else {
        return Err(Error::not_found(format!("connection of module “{}”", module.title)));
    };
    tx.audit("connection.revoke", "connection", id, &module.title, json!({})).await?;
    tx.commit().await?;
    revoking::ended(control, way, actor.tenant(), was);
    Ok(())
}

/// The value of the `Authorization` header of a connection, for the call that is being made. Waits for nothing while what is in
/// memory is good; a token that is over is renewed first.
///
/// # Errors
/// Not found when it is not this tenant's, or was revoked; [`tokens::MUST_CONNECT`].
pub async fn authorization(
    control: &Control,
    way: &Way,
    tenant: TenantId,
    connection: ConnectionId,
) -> Result<Presented, Error> {
    let held = match control.held(tenant, connection) {
        Some(held) => held,
        None => read(control, tenant, connection).await?,
    };
    let now = control.ambient().now();
    match held.token {
        Some(token) if token.ends.is_some_and(|end| end <= now) => {
            if !token.renewable {
                return Err(tokens::must_connect());
            }
            let secret = tokens::renew(control, way, tenant, connection, token.version).await?;
            Ok(Presented { secret, renew: None })
        }
        Some(token) if token.renewable && tokens::is_soon_over(token.since, token.ends, now) => {
            Ok(Presented { secret: held.secret, renew: Some(token.version) })
        }
        _ => Ok(Presented { secret: held.secret, renew: None }),
    }
}

/// Opens what a connection presents.
async fn read(control: &Control, tenant: TenantId, connection: ConnectionId) -> Result<Held, Error> {
    if let Some(held) = tokens::held(control, tenant, connection).await? {
        return Ok(held);
    }
    let keys = control.keys(tenant).await?;
    let mut tx = Actor::worker(tenant).read(control).await?;
    let sealed = sqlx::query_scalar!(
        r#"SELECT sealed AS "sealed!" FROM connections
           WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL AND sealed IS NOT NULL"#,
        tenant.uuid(),
        connection.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::not_found("such connection"))?;
    let plain = Zeroizing::new(keys.open(About::Connection(connection.uuid()), &sealed)?);
    let text = std::str::from_utf8(&plain).map_err(|error| Error::inconsistent("a connection", error))?;
    let held = Held { secret: SecretString::from(text), token: None };
    control.hold(tenant, connection, held.clone());
    Ok(held)
}

impl Control {
    pub(super) fn held(&self, tenant: TenantId, connection: ConnectionId) -> Option<Held> {
        self.opened.held.read().get(&(tenant, connection)).cloned()
    }

    /// The renewals of a connection's token on this node.
    pub(super) fn renewals(&self, connection: ConnectionId) -> Arc<Renewal> {
        let mut renewals = self.opened.renewals.lock();
        if renewals.len() >= Opened::MOST {
            renewals.retain(|_, renewal| Arc::strong_count(renewal) > 1);
        }
        Arc::clone(renewals.entry(connection).or_default())
    }

    /// The token that is held, if it is a later one than this.
    pub(super) fn newer(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        version: i64,
    ) -> Option<SecretString> {
        let held = self.held(tenant, connection)?;
        held.token.filter(|token| token.version > version).map(|_| held.secret)
    }

    pub(super) fn hold(&self, tenant: TenantId, connection: ConnectionId, held: Held) {
        let mut opened = self.opened.held.write();
        if opened.len() >= Opened::MOST {
            opened.clear();
        }
        opened.insert((tenant, connection), held);
    }

    pub(super) fn forget(&self, tenant: TenantId, connection: Option<ConnectionId>) {
        if let Some(connection) = connection {
            self.opened.held.write().remove(&(tenant, connection));
        }
    }
}

/// Refuses what cannot be the value of a header (RFC 9110 section 5.5).
pub(super) fn check(authorization: &SecretString) -> Result<(), Error> {
    let text = authorization.expose_secret();
    let fits = (1..=8192).contains(&text.len())
        && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        && text.trim() == text;
    if fits {
        Ok(())
    } else {
        Err(Error::invalid(
            "authorization",
            "give the whole value of the Authorization header, such as `Bearer …`: printable ASCII, at most 8192 characters",
        ))
    }
}

pub(super) async fn insert(
    control: &Control,
    tx: &mut TenantTx,
    keys: &TenantKeys,
    module: &ModuleView,
    authorization: &SecretString,
) -> Result<ConnectionId, Error> {
    let (id, tenant, now): (ConnectionId, _, _) = (tx.id(), tx.tenant_uuid(), tx.now());
    let sealed =
        keys.seal(control.ambient(), About::Connection(id.uuid()), authorization.expose_secret().as_bytes())?;
    sqlx::query!(
        "INSERT INTO connections (tenant_id, id, module_id, sealed, created_at) VALUES ($1, $2, $3, $4, $5)",
        tenant,
        id.uuid(),
        module.id.uuid(),
        sealed,
        now,
    )
    .execute(tx.conn())
    .await?;
    tx.audit("connection.set", "connection", id, &module.title, json!({})).await?;
    Ok(id)
}

/// The connection of a module that is presented now.
pub(super) async fn of_module(tx: &mut TenantTx, module: ModuleId) -> Result<Option<ConnectionId>, Error> {
    let tenant = tx.tenant_uuid();
    let id = sqlx::query_scalar!(
        "SELECT id FROM connections WHERE tenant_id = $1 AND module_id = $2 AND revoked_at IS NULL",
        tenant,
        module.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(id.map(Into::into))
}

/// Ends the connection of a module that is presented now, if there is one. Of its token nothing is kept but what is returned, to be
/// given back.
pub(super) async fn end(tx: &mut TenantTx, module: ModuleId) -> Result<Option<Ended>, Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let ended = sqlx::query_scalar!(
        "UPDATE connections SET revoked_at = $3 WHERE tenant_id = $1 AND module_id = $2 AND revoked_at IS NULL RETURNING id",
        tenant,
        module.uuid(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(ended) = ended else { return Ok(None) };
    let token = sqlx::query_scalar!(
        "DELETE FROM connection_tokens WHERE tenant_id = $1 AND connection_id = $2 RETURNING sealed",
        tenant,
        ended,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(Some(Ended { connection: ended.into(), token }))
}
