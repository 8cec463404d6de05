//! Tokens of authorization servers, as what we present upstream: kept sealed, renewed before they are over by one node at a
//! time, and known to be over when a person has to connect again.

use std::sync::Arc;
use std::time::Duration;

use authorization::{Access, Challenge, Fetch, Reach, Scopes};
use chrono::TimeDelta;
use model::catalog::ModuleView;
use model::{ConnectionId, TenantId, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use zeroize::Zeroizing;

use super::connections::Held;
use crate::tx::TenantTx;
use crate::vault::{About, TenantKeys};
use crate::{Actor, Control, Error};

/// How long before its end a token is renewed, while it is still presented.
const EARLY: TimeDelta = TimeDelta::seconds(90);
/// For how long a node may take it upon itself to renew one; longer than a request to an authorization server takes.
const TURN: TimeDelta = TimeDelta::seconds(30);
/// How often it is looked whether another node has renewed it.
const LOOK: Duration = Duration::from_millis(150);
/// How often it is tried again to write down what came of it.
const WRITES: u32 = 5;
/// A token that was renewed this short a time ago and is refused all the same is not renewed again.
const FRESH: TimeDelta = TimeDelta::seconds(30);

/// The code of the error that says that a person has to connect the module again.
pub const MUST_CONNECT: &str = "must_be_connected";

/// What of a token may be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenView {
    /// Who gave it.
    pub issuer: String,
    /// As which client.
    pub client: String,
    /// What it is good for.
    pub scopes: Scopes,
    /// Until when; none: nobody said.
    pub ends_at: Option<Timestamp>,
    /// Whether it is renewed without a person.
    pub renewable: bool,
    /// Who connected it.
    pub connected_by: String,
    /// When.
    pub connected_at: Timestamp,
    /// Why a person has to connect again, if they do.
    pub over: Option<String>,
    /// What the server asked for beyond it, if anything.
    pub wanted: Scopes,
}

/// A token's row.
struct Row {
    access: Access,
    version: i64,
    over: bool,
    renewed_at: Option<Timestamp>,
}

/// The way out to authorization servers. Cheap to clone: a renewal that has begun goes on when nobody waits for it any more.
#[derive(Clone)]
pub struct Way {
    /// By which they are asked.
    pub fetch: Arc<dyn Fetch>,
    /// Whether one on this machine may do without `https`.
    pub loopback: bool,
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Way").field("loopback", &self.loopback).finish_non_exhaustive()
    }
}

impl Way {
    pub(super) fn reach(&self) -> Reach<'_> {
        Reach { fetch: &*self.fetch, loopback: self.loopback }
    }
}

/// Writes down the token that a connection presents from now on.
pub(super) async fn insert(
    control: &Control,
    tx: &mut TenantTx,
    keys: &TenantKeys,
    module: &ModuleView,
    access: &Access,
) -> Result<ConnectionId, Error> {
    let (id, tenant, now): (ConnectionId, _, _) = (tx.id(), tx.tenant_uuid(), tx.now());
    let sealed = keys.seal(control.ambient(), About::Token(id.uuid()), &plain(access)?)?;
    sqlx::query!(
        "INSERT INTO connections (tenant_id, id, module_id, sealed, created_at) VALUES ($1, $2, $3, NULL, $4)",
        tenant,
        id.uuid(),
        module.id.uuid(),
        now,
    )
    .execute(tx.conn())
    .await?;
    let by = tx.actor().name().to_owned();
    sqlx::query!(
        "INSERT INTO connection_tokens (tenant_id, connection_id, sealed, issuer, client_id, scopes, ends_at, renewable,
                                        connected_by, connected_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        tenant,
        id.uuid(),
        sealed,
        access.issuer(),
        access.client.id.as_str(),
        access.scopes.to_string(),
        access.ends,
        access.can_be_renewed(),
        by,
        now,
    )
    .execute(tx.conn())
    .await?;
    let detail = json!({
        "issuer": access.issuer(), "client": access.client.id.as_str(), "scopes": access.scopes.to_string(),
    });
    tx.audit("connection.connect", "connection", id, &module.title, detail).await?;
    Ok(id)
}

/// What of a connection's token may be seen; none if it presents a fixed value.
pub(super) async fn view(tx: &mut TenantTx, connection: ConnectionId) -> Result<Option<TokenView>, Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let row = sqlx::query!(
        "SELECT issuer, client_id, scopes, ends_at, renewable, connected_by, connected_at, over, wanted
         FROM connection_tokens WHERE tenant_id = $1 AND connection_id = $2",
        tenant,
        connection.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| {
        let ran_out = !row.renewable && row.ends_at.is_some_and(|end| end <= now);
        TokenView {
            over: row.over.or_else(|| ran_out.then(|| RAN_OUT.to_owned())),
            issuer: row.issuer,
            client: row.client_id,
            scopes: Scopes::read(&row.scopes),
            ends_at: row.ends_at,
            renewable: row.renewable,
            connected_by: row.connected_by,
            connected_at: row.connected_at,
            wanted: Scopes::read(&row.wanted),
        }
    }))
}

const RAN_OUT: &str = "the time for which access was given is over, and there is nothing to renew it with";

/// What a connection had before it is connected again: its scopes and what its server asked for besides, and who gave it.
pub(super) async fn before(
    tx: &mut TenantTx,
    connection: ConnectionId,
) -> Result<Option<(String, Scopes)>, Error> {
    Ok(view(tx, connection).await?.map(|token| (token.issuer, token.scopes.with(&token.wanted))))
}

/// Reads a connection's token into memory; none if it has none.
pub(super) async fn held(
    control: &Control,
    tenant: TenantId,
    connection: ConnectionId,
) -> Result<Option<Held>, Error> {
    let Some(row) = row(control, tenant, connection).await? else { return Ok(None) };
    if row.over {
        return Err(must_connect());
    }
    let held = Held::of(&row.access, row.version);
    control.hold(tenant, connection, held.clone());
    Ok(Some(held))
}

/// Renews a token, unless another call or another node does or has done so: then its token is what is returned. `version` is that of
/// the token that is to be renewed.
///
/// # Errors
/// [`MUST_CONNECT`] when it cannot be renewed any more; another when it cannot be renewed now.
pub async fn renew(
    control: &Control,
    way: &Way,
    tenant: TenantId,
    connection: ConnectionId,
    version: i64,
) -> Result<SecretString, Error> {
    let (control, way) = (control.clone(), way.clone());
    // A task of its own: once the refresh token has left, what comes for it must be written down, whoever gives up waiting.
    let renewing = tokio::spawn(async move {
        // Of those that want it on this node, one asks the database.
        let _turn = control.renewals(connection).lock_owned().await;
        if let Some(newer) = control.newer(tenant, connection, version) {
            return Ok(newer);
        }
        renew_in_turn(&control, &way, tenant, connection, version).await
    });
    renewing.await.unwrap_or_else(|_| Err(late()))
}

async fn renew_in_turn(
    control: &Control,
    way: &Way,
    tenant: TenantId,
    connection: ConnectionId,
    version: i64,
) -> Result<SecretString, Error> {
    // A turn that nobody ends is over by itself; whoever waits for it longer than that takes it.
    let looks = TURN.num_milliseconds() / i64::try_from(LOOK.as_millis()).unwrap_or(1) + 1;
    for _ in 0..looks {
        let there =
            row(control, tenant, connection).await?.ok_or_else(|| Error::not_found("such connection"))?;
        if there.over {
            control.forget(tenant, Some(connection));
            return Err(must_connect());
        }
        if there.version > version {
            let held = Held::of(&there.access, there.version);
            control.hold(tenant, connection, held.clone());
            return Ok(held.secret);
        }
        if take_turn(control, tenant, connection, version).await? {
            return in_turn(control, way, tenant, connection, there).await;
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(late())
}

fn late() -> Error {
    Error::refused(
        "authorization_unreachable",
        "the token of this connection is being renewed and was not in time",
    )
}

/// It is this node's turn to renew.
async fn in_turn(
    control: &Control,
    way: &Way,
    tenant: TenantId,
    connection: ConnectionId,
    there: Row,
) -> Result<SecretString, Error> {
    let now = control.ambient().now();
    match there.access.refresh(way.reach(), now).await {
        Ok(access) => {
            // The old refresh token is worth nothing any more: what came instead must not get lost.
            let held = Held::of(&access, there.version + 1);
            control.hold(tenant, connection, held.clone());
            let mut written = write(control, tenant, connection, there.version, &access).await;
            for _ in 0..WRITES {
                if !matches!(written, Err(Error::Database(_))) {
                    break;
                }
                tokio::time::sleep(LOOK).await;
                written = write(control, tenant, connection, there.version, &access).await;
            }
            written.map(|()| held.secret)
        }
        Err(error) if error.is_over() => {
            end(control, tenant, connection, &error.to_string()).await?;
            Err(must_connect())
        }
        Err(error) => {
            give_back(control, tenant, connection, there.version).await?;
            tracing::warn!(%tenant, %connection, why = %error, "a token could not be renewed");
            // What is not over yet can still be presented.
            if there.access.ends.is_some_and(|end| end > now) {
                return Ok(there.access.authorization());
            }
            Err(Error::refused(
                "authorization_unreachable",
                format!("the token of this connection could not be renewed: {error}"),
            ))
        }
    }
}

/// What to present once a server has refused `presented`: a token that is there by now, or one that is renewed. None: there is
/// no other.
///
/// # Errors
/// [`MUST_CONNECT`] when a person has to connect again.
pub async fn refused(
    control: &Control,
    way: &Way,
    tenant: TenantId,
    connection: ConnectionId,
    presented: &SecretString,
    challenge: &Challenge,
) -> Result<Option<SecretString>, Error> {
    let Some(there) = row(control, tenant, connection).await? else { return Ok(None) };
    if there.over {
        control.forget(tenant, Some(connection));
        return Err(must_connect());
    }
    if there.access.authorization().expose_secret() != presented.expose_secret() {
        let held = Held::of(&there.access, there.version);
        control.hold(tenant, connection, held.clone());
        return Ok(Some(held.secret));
    }
    if challenge.wants_more() {
        let wanted = challenge.scope.clone().unwrap_or_default();
        note_wanted(control, tenant, connection, &wanted).await?;
        return Err(must_connect());
    }
    let now = control.ambient().now();
    if there.access.can_be_renewed() {
        if there.renewed_at.is_some_and(|at| now - at < FRESH) {
            return Ok(None);
        }
        return renew(control, way, tenant, connection, there.version).await.map(Some);
    }
    if challenge.error.as_deref() == Some("invalid_token") {
        end(control, tenant, connection, "its server no longer takes the token").await?;
        return Err(must_connect());
    }
    Ok(None)
}

/// Whether a token is to be renewed by now.
pub(super) fn is_soon_over(ends: Option<Timestamp>, now: Timestamp) -> bool {
    ends.is_some_and(|end| end - now < EARLY)
}

pub(super) fn must_connect() -> Error {
    Error::refused(
        MUST_CONNECT,
        "the module must be connected again: the access that was given to it is over",
    )
}

pub(super) fn plain(access: &Access) -> Result<Zeroizing<Vec<u8>>, Error> {
    let text = serde_json::to_vec(access).map_err(|error| Error::inconsistent("a token", error))?;
    Ok(Zeroizing::new(text))
}

pub(super) fn opened(plain: Vec<u8>) -> Result<Access, Error> {
    let plain = Zeroizing::new(plain);
    serde_json::from_slice(&plain).map_err(|error| Error::inconsistent("a token", error))
}

async fn row(control: &Control, tenant: TenantId, connection: ConnectionId) -> Result<Option<Row>, Error> {
    let keys = control.keys(tenant).await?;
    let mut tx = Actor::worker(tenant).read(control).await?;
    let row = sqlx::query!(
        r#"SELECT t.sealed, t.version, t.over IS NOT NULL AS "over!", t.renewed_at
           FROM connection_tokens t
           JOIN connections c ON c.tenant_id = t.tenant_id AND c.id = t.connection_id AND c.revoked_at IS NULL
           WHERE t.tenant_id = $1 AND t.connection_id = $2"#,
        tenant.uuid(),
        connection.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let access = opened(keys.open(About::Token(connection.uuid()), &row.sealed)?)?;
    Ok(Some(Row { access, version: row.version, over: row.over, renewed_at: row.renewed_at }))
}

async fn take_turn(
    control: &Control,
    tenant: TenantId,
    connection: ConnectionId,
    version: i64,
) -> Result<bool, Error> {
    let mut tx = Actor::worker(tenant).write(control).await?;
    let now = tx.now();
    let taken = sqlx::query!(
        "UPDATE connection_tokens SET renewing_until = $4
         WHERE tenant_id = $1 AND connection_id = $2 AND version = $3 AND over IS NULL
           AND (renewing_until IS NULL OR renewing_until <= $5)",
        tenant.uuid(),
        connection.uuid(),
        version,
        now + TURN,
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    tx.commit().await?;
    Ok(taken > 0)
}

async fn give_back(
    control: &Control,
    tenant: TenantId,
    connection: ConnectionId,
    version: i64,
) -> Result<(), Error> {
    let mut tx = Actor::worker(tenant).write(control).await?;
    sqlx::query!(
        "UPDATE connection_tokens SET renewing_until = NULL WHERE tenant_id = $1 AND connection_id = $2 AND version = $3",
        tenant.uuid(),
        connection.uuid(),
        version,
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await
}

async fn write(
    control: &Control,
    tenant: TenantId,
    connection: ConnectionId,
    version: i64,
    access: &Access,
) -> Result<(), Error> {
    let keys = control.keys(tenant).await?;
    let sealed = keys.seal(control.ambient(), About::Token(connection.uuid()), &plain(access)?)?;
    let mut tx = Actor::worker(tenant).write(control).await?;
    let now = tx.now();
    sqlx::query!(
        "UPDATE connection_tokens
         SET sealed = $4, scopes = $5, ends_at = $6, renewable = $7, renewed_at = $8, version = version + 1, renewing_until = NULL
         WHERE tenant_id = $1 AND connection_id = $2 AND version = $3",
        tenant.uuid(),
        connection.uuid(),
        version,
        sealed,
        access.scopes.to_string(),
        access.ends,
        access.can_be_renewed(),
        now,
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await
}

/// From now on a person has to connect again.
async fn end(control: &Control, tenant: TenantId, connection: ConnectionId, why: &str) -> Result<(), Error> {
    let mut tx = Actor::worker(tenant).write(control).await?;
    let (why, now): (String, _) = (why.chars().take(1000).collect(), tx.now());
    sqlx::query!(
        "UPDATE connection_tokens SET over = coalesce(over, $3), over_at = coalesce(over_at, $4), renewing_until = NULL
         WHERE tenant_id = $1 AND connection_id = $2",
        tenant.uuid(),
        connection.uuid(),
        why,
        now,
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    control.forget(tenant, Some(connection));
    tracing::warn!(%tenant, %connection, why, "a module must be connected again");
    Ok(())
}

/// Remembers what a server asked for beyond what its token is good for.
async fn note_wanted(
    control: &Control,
    tenant: TenantId,
    connection: ConnectionId,
    wanted: &Scopes,
) -> Result<(), Error> {
    let mut tx = Actor::worker(tenant).write(control).await?;
    let Some(known) = view(&mut tx, connection).await? else { return Ok(()) };
    let all = known.wanted.with(wanted);
    if all == known.wanted {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE connection_tokens SET wanted = $3 WHERE tenant_id = $1 AND connection_id = $2",
        tenant.uuid(),
        connection.uuid(),
        all.to_string(),
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await
}
