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
use zeroize::Zeroizing;

use super::one;
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
    /// Those whose tokens are being renewed on this node.
    renewals: Mutex<HashMap<ConnectionId, Arc<Renewal>>>,
}

/// Held while a token is renewed.
type Renewal = tokio::sync::Mutex<()>;

/// What a connection presents, as it is kept in memory.
#[derive(Clone)]
pub(crate) struct Held {
    pub(super) secret: SecretString,
    /// Of a token: until when, which one it is, and whether it can be renewed.
    token: Option<(Option<Timestamp>, i64, bool)>,
}

impl Held {
    /// A token.
    pub(super) fn of(access: &Access, version: i64) -> Self {
        Self { secret: access.authorization(), token: Some((access.ends, version, access.can_be_renewed())) }
    }
}

/// What to present now.
pub struct Presented {
    /// The value of the `Authorization` header.
    pub secret: SecretString,
    /// That it is soon over, and which one it is: then [`tokens::renew`] is to be called beside.
    pub renew: Option<i64>,
}

impl Opened {
    /// Keeps memory bounded; forgetting only costs opening a connection once more.
    const MOST: usize = 10_000;
}

/// Sets what we present to a module, instead of what was set before.
pub async fn set(
    control: &Control,
    actor: &Actor,
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
    control.forget(actor.tenant(), was);
    Ok(id)
}

/// Ends what we present to a module: from then on, nothing.
///
/// # Errors
/// When nothing was presented.
pub async fn revoke(control: &Control, actor: &Actor, module: ModuleId) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "module").await?;
    let module = one(&mut tx, module).await?;
    let was = end(&mut tx, module.id).await?;
    let Some(id) = was else {
        return Err(Error::not_found(format!("connection of module “{}”", module.title)));
    };
    tx.audit("connection.revoke", "connection", id, &module.title, json!({})).await?;
    tx.commit().await?;
    control.forget(actor.tenant(), was);
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
        Some((Some(end), version, renewable)) if end <= now => {
            if !renewable {
                return Err(tokens::must_connect());
            }
            let secret = tokens::renew(control, way, tenant, connection, version).await?;
            Ok(Presented { secret, renew: None })
        }
        Some((ends, version, true)) if tokens::is_soon_over(ends, now) => {
            Ok(Presented { secret: held.secret, renew: Some(version) })
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
    fn held(&self, tenant: TenantId, connection: ConnectionId) -> Option<Held> {
        self.opened.held.read().get(&(tenant, connection)).cloned()
    }

    /// What is to be held while a connection's token is renewed.
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
        held.token.filter(|(_, its, _)| *its > version).map(|_| held.secret)
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

pub(super) async fn end(tx: &mut TenantTx, module: ModuleId) -> Result<Option<ConnectionId>, Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let ended = sqlx::query_scalar!(
        "UPDATE connections SET revoked_at = $3 WHERE tenant_id = $1 AND module_id = $2 AND revoked_at IS NULL RETURNING id",
        tenant,
        module.uuid(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(ended.map(Into::into))
}
