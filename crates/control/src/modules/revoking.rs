//! What an authorization server gave is given back to it once nothing is presented of it any more (RFC 7009): after that is committed,
//! beside whoever did it, within a bounded time. Whatever comes of it, here it is over.

use std::time::Duration;

use authorization::Access;
use model::{ConnectionId, TenantId};
use tokio::time::{sleep, timeout};

use super::tokens::{self, Way};
use crate::vault::About;
use crate::{Actor, Control, Error};

/// How long it may take in all. A process that ends waits for it.
const TIME: Duration = Duration::from_secs(12);
/// How often it is tried, and what is waited in between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// A connection that was presented until now.
pub(super) struct Ended {
    pub(super) connection: ConnectionId,
    /// Its token, sealed, if it had one. It is kept nowhere else any more.
    pub(super) token: Option<Vec<u8>>,
}

/// Forgets a connection that has ended, and gives back what was given for it. To be called once that is committed.
pub(super) fn ended(control: &Control, way: &Way, tenant: TenantId, ended: Option<Ended>) {
    let Some(Ended { connection, token }) = ended else { return };
    control.forget(tenant, Some(connection));
    let Some(sealed) = token else { return };
    let (its, way) = (control.clone(), way.clone());
    control.opened.renewing.spawn(async move {
        let access = async {
            let keys = its.keys(tenant).await?;
            tokens::opened(keys.open(About::Token(connection.uuid()), &sealed)?)
        };
        match access.await {
            Ok(access) => give_back(&its, &way, tenant, connection, &access).await,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%tenant, %connection, error, "what was given for a connection is not given back");
            }
        }
    });
}

/// Gives back what came for a connection that has ended meanwhile.
pub(super) fn given(
    control: &Control,
    way: &Way,
    tenant: TenantId,
    connection: ConnectionId,
    access: Access,
) {
    let (its, way) = (control.clone(), way.clone());
    control.opened.renewing.spawn(async move { give_back(&its, &way, tenant, connection, &access).await });
}

async fn give_back(
    control: &Control,
    way: &Way,
    tenant: TenantId,
    connection: ConnectionId,
    access: &Access,
) {
    let giving = async {
        if is_shared(control, tenant, access).await? {
            return Ok(false);
        }
        revoke(way, access).await
    };
    let issuer = access.issuer();
    match timeout(TIME, giving).await {
        Ok(Ok(true)) => {
            tracing::info!(%tenant, %connection, issuer, "what was given for a connection was given back")
        }
        Ok(Ok(false)) => {}
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(%tenant, %connection, issuer, error, "what was given for a connection was not given back");
        }
        Err(_) => {
            tracing::warn!(%tenant, %connection, issuer, "what was given for a connection was not given back in time");
        }
    }
}

async fn revoke(way: &Way, access: &Access) -> Result<bool, Error> {
    let mut tries = 1;
    loop {
        match access.revoke(way.reach()).await {
            Err(error) if error.may_pass() && tries < TRIES => {
                tries += 1;
                sleep(PAUSE).await;
            }
            Err(error) => return Err(Error::refused("authorization_not_revoked", error.to_string())),
            Ok(revoked) => return Ok(revoked),
        }
    }
}

/// Whether something else is connected by the same client at the same authorization server. Many of them have one grant for a person
/// and a client, and take all of it back with any of its tokens (RFC 7009 section 2.1): then what is connected still would end.
async fn is_shared(control: &Control, tenant: TenantId, access: &Access) -> Result<bool, Error> {
    let mut tx = Actor::worker(tenant).read(control).await?;
    let is_shared = sqlx::query_scalar!(
        r#"SELECT EXISTS (
             SELECT FROM connection_tokens t
             JOIN connections c ON c.tenant_id = t.tenant_id AND c.id = t.connection_id AND c.revoked_at IS NULL
             WHERE t.tenant_id = $1 AND t.issuer = $2 AND t.client_id = $3
           ) AS "is_shared!""#,
        tenant.uuid(),
        access.issuer(),
        access.client.id.as_str(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(is_shared)
}
