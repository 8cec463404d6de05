//! Tokens are renewed by one node at a time, which takes its turn in the row: a refresh token may be used but once. On a node one
//! task at a time asks, and those that waited for it share what came of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::{ConnectionId, TenantId, Timestamp};
use secrecy::SecretString;

use super::connections::Held;
use super::revoking;
use super::tokens::{self, Row, Way, end, must_connect, row};
use crate::vault::About;
use crate::{Actor, Control, Error};

/// For how long a node may take it upon itself to renew one, in seconds; longer than a request to an authorization server takes.
const TURN: f64 = 30.0;
/// For how long a token that could not be renewed is left alone, in seconds.
const REST: f64 = 5.0;
/// How often it is looked whether another node has renewed it.
const LOOK: Duration = Duration::from_millis(150);
/// How often it is tried again to write down what came of it.
const WRITES: u32 = 5;

/// The renewals of one token on this node.
#[derive(Default)]
pub(super) struct Renewal {
    /// How many attempts have ended.
    ended: AtomicU64,
    /// The last of them. Held by whoever makes the next.
    last: tokio::sync::Mutex<Option<Attempt>>,
}

/// An attempt that has ended.
struct Attempt {
    /// Which token it was that was to be renewed.
    of: i64,
    /// Why nothing can be presented; else what is held can be.
    trouble: Option<(&'static str, String)>,
}

impl Attempt {
    fn new(of: i64, result: &Result<SecretString, Error>) -> Self {
        let trouble = match result {
            Ok(_) => None,
            Err(Error::Refused { code, sentence }) => Some((*code, sentence.clone())),
            // What it was, its own caller says.
            Err(_) => Some((UNREACHABLE, LATE.to_owned())),
        };
        Self { of, trouble }
    }
}

const UNREACHABLE: &str = "authorization_unreachable";
const LATE: &str = "the token of this connection is being renewed and was not in time";

fn late() -> Error {
    Error::refused(UNREACHABLE, LATE)
}

/// Renews a token, unless another call or another node does or has done so: then its token is what is returned. `version` is that of
/// the token that is to be renewed. While it cannot be renewed and is not over yet, it is returned as it is.
///
/// # Errors
/// [`tokens::MUST_CONNECT`] when it cannot be renewed any more; another when it cannot be renewed now.
pub async fn renew(
    control: &Control,
    way: &Way,
    tenant: TenantId,
    connection: ConnectionId,
    version: i64,
) -> Result<SecretString, Error> {
    let renewal = control.renewals(connection);
    let ended = renewal.ended.load(Ordering::Acquire);
    let (its, way) = (control.clone(), way.clone());
    // A task of its own: once the refresh token has left, what comes for it must be written down, whoever gives up waiting.
    let renewing = control.opened.renewing.spawn(async move {
        let control = its;
        let mut last = renewal.last.lock().await;
        if let Some(newer) = control.newer(tenant, connection, version) {
            return Ok(newer);
        }
        // One that ended while this one waited was an attempt for it, too.
        if renewal.ended.load(Ordering::Acquire) > ended
            && let Some(attempt) = last.as_ref().filter(|attempt| attempt.of == version)
        {
            match (&attempt.trouble, control.held(tenant, connection)) {
                (Some((code, sentence)), _) => return Err(Error::refused(code, sentence.clone())),
                (None, Some(held)) => return Ok(held.secret),
                (None, None) => {}
            }
        }
        let result = renew_in_turn(&control, &way, tenant, connection, version).await;
        *last = Some(Attempt::new(version, &result));
        renewal.ended.fetch_add(1, Ordering::Release);
        result
    });
    renewing.await.unwrap_or_else(|_| Err(late()))
}

/// Renews a token while calls still present it. Nothing is begun where that is done on this node already.
pub fn renew_beside(control: &Control, way: &Way, tenant: TenantId, connection: ConnectionId, version: i64) {
    if control.renewals(connection).last.try_lock().is_err() {
        return;
    }
    let (its, way) = (control.clone(), way.clone());
    control.opened.renewing.spawn(async move {
        if let Err(error) = renew(&its, &way, tenant, connection, version).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(%tenant, %connection, error, "a token was not renewed");
        }
    });
}

/// Waits until whatever renewals have begun are written down: a process that ends before loses refresh tokens.
pub async fn settled(control: &Control) {
    control.opened.renewing.close();
    control.opened.renewing.wait().await;
}

async fn renew_in_turn(
    control: &Control,
    way: &Way,
    tenant: TenantId,
    connection: ConnectionId,
    version: i64,
) -> Result<SecretString, Error> {
    // A turn that nobody ends is over by itself; whoever waits for it longer than that takes it.
    let looks = Duration::from_secs_f64(TURN).as_millis() / LOOK.as_millis() + 1;
    for _ in 0..looks {
        let there = there(control, tenant, connection).await?;
        if there.version > version {
            return Ok(hold(control, tenant, connection, &there));
        }
        let now = control.ambient().now();
        if there.rests {
            return still_good(&there, now).ok_or_else(|| {
                Error::refused(UNREACHABLE, "the token of this connection could not be renewed a moment ago")
            });
        }
        // Behind the one that is in memory is a row into which a renewal was not written. Nothing but trying tells what it is worth.
        if let Some(until) = take_turn(control, tenant, connection, there.version).await? {
            return in_turn(control, way, tenant, connection, there, until).await;
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(late())
}

/// It is this node's turn to renew, `until` then.
async fn in_turn(
    control: &Control,
    way: &Way,
    tenant: TenantId,
    connection: ConnectionId,
    there: Row,
    until: Timestamp,
) -> Result<SecretString, Error> {
    let now = control.ambient().now();
    match there.access.refresh(way.reach(), now).await {
        Ok(access) => {
            // The old refresh token is worth nothing any more: what came instead must not get lost.
            let held = Held::of(&access, now, there.version + 1);
            control.hold(tenant, connection, held.clone());
            let mut written = write(control, tenant, connection, there.version, &access).await;
            for _ in 0..WRITES {
                if !matches!(written, Err(Error::Database(_))) {
                    break;
                }
                tokio::time::sleep(LOOK).await;
                written = write(control, tenant, connection, there.version, &access).await;
            }
            if written? {
                return Ok(held.secret);
            }
            if row(control, tenant, connection).await?.is_none() {
                // It was disconnected meanwhile: what was given back is what this came instead of.
                revoking::given(control, way, tenant, connection, access);
            }
        }
        Err(error) if error.is_over() => {
            if end(control, tenant, connection, there.version, &error.to_string()).await? {
                return Err(must_connect());
            }
        }
        Err(error) => {
            give_back(control, tenant, connection, until).await?;
            tracing::warn!(%tenant, %connection, why = %error, "a token could not be renewed");
            return still_good(&there, now).ok_or_else(|| {
                let sentence = format!("the token of this connection could not be renewed: {error}");
                Error::refused(UNREACHABLE, sentence)
            });
        }
    }
    // The turn was over before this came, and another has renewed it, or written this down already.
    let there = self::there(control, tenant, connection).await?;
    Ok(hold(control, tenant, connection, &there))
}

/// The row, unless there is nothing in it that could be presented.
async fn there(control: &Control, tenant: TenantId, connection: ConnectionId) -> Result<Row, Error> {
    let Some(there) = row(control, tenant, connection).await? else {
        control.forget(tenant, Some(connection));
        return Err(Error::not_found("such connection"));
    };
    if there.over {
        control.forget(tenant, Some(connection));
        return Err(must_connect());
    }
    Ok(there)
}

fn hold(control: &Control, tenant: TenantId, connection: ConnectionId, there: &Row) -> SecretString {
    let held = there.held();
    control.hold(tenant, connection, held.clone());
    held.secret
}

/// What is not over yet can still be presented.
fn still_good(there: &Row, now: Timestamp) -> Option<SecretString> {
    there.access.ends.is_some_and(|end| end > now).then(|| there.access.authorization())
}

/// Until when it is this node's turn, if it is. The database's clock says so, since those of nodes differ.
async fn take_turn(
    control: &Control,
    tenant: TenantId,
    connection: ConnectionId,
    version: i64,
) -> Result<Option<Timestamp>, Error> {
    let mut tx = Actor::worker(tenant).write(control).await?;
    let until = sqlx::query_scalar!(
        r#"UPDATE connection_tokens SET renewing_until = clock_timestamp() + make_interval(secs => $4)
           WHERE tenant_id = $1 AND connection_id = $2 AND version = $3 AND over IS NULL
             AND (renewing_until IS NULL OR renewing_until <= clock_timestamp())
             AND (rests_until IS NULL OR rests_until <= clock_timestamp())
           RETURNING renewing_until AS "until!""#,
        tenant.uuid(),
        connection.uuid(),
        version,
        TURN,
    )
    .fetch_optional(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(until)
}

/// Ends this node's turn, unless it is over and another's; what could not be renewed is left alone for a while.
async fn give_back(
    control: &Control,
    tenant: TenantId,
    connection: ConnectionId,
    until: Timestamp,
) -> Result<(), Error> {
    let mut tx = Actor::worker(tenant).write(control).await?;
    sqlx::query!(
        "UPDATE connection_tokens SET renewing_until = NULL, rests_until = clock_timestamp() + make_interval(secs => $4)
         WHERE tenant_id = $1 AND connection_id = $2 AND renewing_until = $3",
        tenant.uuid(),
        connection.uuid(),
        until,
        REST,
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await
}

/// Writes down what came instead of the token of this `version`. Whether it was still that one: whoever took it for over was too late.
async fn write(
    control: &Control,
    tenant: TenantId,
    connection: ConnectionId,
    version: i64,
    access: &authorization::Access,
) -> Result<bool, Error> {
    let keys = control.keys(tenant).await?;
    let sealed = keys.seal(control.ambient(), About::Token(connection.uuid()), &tokens::plain(access)?)?;
    let mut tx = Actor::worker(tenant).write(control).await?;
    let now = tx.now();
    let written = sqlx::query!(
        "UPDATE connection_tokens
         SET sealed = $4, scopes = $5, ends_at = $6, renewable = $7, renewed_at = $8, version = version + 1,
             renewing_until = NULL, rests_until = NULL, over = NULL, over_at = NULL
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
    .await?
    .rows_affected();
    tx.commit().await?;
    Ok(written > 0)
}
