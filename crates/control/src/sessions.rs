//! Browser sessions in PostgreSQL, for `tower-sessions`. Found by their random id before a tenant is known;
//! only the SHA-256 of the id is stored, so that who reads the table cannot take over a session.

use std::net::IpAddr;

use async_trait::async_trait;
use ipnet::IpNet;
use model::people::Slug;
use model::{TenantId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use time::OffsetDateTime;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{Error, Result};
use tower_sessions_core::{ExpiredDeletion, SessionStore};

use crate::Control;
use crate::sign_in::Stamp;

/// Under which name a session keeps who is signed in.
pub const WHO: &str = "who";

/// The person of a session: ids alone. Name, roles and standing are asked for at each request, so that what was taken away
/// is gone at the next click.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Who {
    /// The organization.
    pub tenant: TenantId,
    /// The person.
    pub user: UserId,
    /// The organization's short name, which never changes.
    pub slug: Slug,
    /// Of the password with which it was begun: with another password the session is over.
    pub stamp: Stamp,
    /// When they signed in.
    pub since: Timestamp,
    /// When they were last seen, to within some minutes.
    pub seen: Timestamp,
    /// With what: the browser's own words, cut.
    #[serde(default)]
    pub user_agent: Option<String>,
    /// From where.
    #[serde(default)]
    pub address: Option<IpAddr>,
}

/// Ends all sessions of a person in one organization, at the latest with their next click, but for `keep` (as the store
/// names it, see [`hashed`]). Returns how many. Live pages notice too.
pub(crate) async fn end_all(
    conn: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
    keep: Option<&[u8]>,
) -> std::result::Result<u64, crate::Error> {
    let ended = sqlx::query!(
        "DELETE FROM sessions WHERE tenant = $1 AND user_id = $2 AND id IS DISTINCT FROM $3",
        tenant.uuid(),
        user.uuid(),
        keep,
    )
    .execute(conn)
    .await?;
    Ok(ended.rows_affected())
}

/// What one session may hold, in bytes. It holds who is signed in; content has no place here.
const LARGEST: usize = 16 * 1024;

/// The sessions of the installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    control: Control,
}

impl Store {
    /// Sessions in this database.
    pub fn new(control: Control) -> Self {
        Self { control }
    }
}

/// What names a session on pages and does not open it: its id as it is stored, in hexadecimal.
pub fn handle(id: &Id) -> String {
    hex::encode(hashed(id))
}

/// A session's id as it is stored.
fn hashed(id: &Id) -> Vec<u8> {
    Sha256::digest(id.0.to_le_bytes()).to_vec()
}

fn encoded(record: &Record) -> Result<Vec<u8>> {
    let data = serde_json::to_vec(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
    if data.len() > LARGEST {
        return Err(Error::Encode(format!(
            "a session holds at most {LARGEST} bytes and this one has {}",
            data.len()
        )));
    }
    Ok(data)
}

/// Whose session it is, as columns: what the session holds, so that both say the same.
fn owner(record: &Record) -> Option<Who> {
    serde_json::from_value(record.data.get(WHO)?.clone()).ok()
}

fn expiry(record: &Record) -> Result<Timestamp> {
    let at = record.expiry_date;
    Timestamp::from_timestamp(at.unix_timestamp(), at.nanosecond())
        .ok_or_else(|| Error::Encode("the session's end is no time".to_owned()))
}

fn backend(error: sqlx::Error) -> Error {
    tracing::error!(%error, "sessions cannot be reached");
    Error::Backend("sessions cannot be reached at the moment".to_owned())
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> Result<()> {
        loop {
            let who = owner(record);
            let made = sqlx::query!(
                "INSERT INTO sessions (id, data, expires_at, tenant, user_id, since, seen, user_agent, address)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, left($8, 300), $9) ON CONFLICT (id) DO NOTHING",
                hashed(&record.id),
                encoded(record)?,
                expiry(record)?,
                who.as_ref().map(|who| who.tenant.uuid()),
                who.as_ref().map(|who| who.user.uuid()),
                who.as_ref().map(|who| who.since),
                who.as_ref().map(|who| who.seen),
                who.as_ref().and_then(|who| who.user_agent.as_deref()),
                who.as_ref().and_then(|who| who.address.map(IpNet::from)),
            )
            .execute(self.control.pool())
            .await
            .map_err(backend)?;
            if made.rows_affected() == 1 {
                return Ok(());
            }
            record.id = Id(i128::from_le_bytes(self.control.ambient().bytes()));
        }
    }

    /// A session that was ended meanwhile stays ended: saving one that is not there makes none.
    async fn save(&self, record: &Record) -> Result<()> {
        let who = owner(record);
        sqlx::query!(
            "UPDATE sessions SET data = $2, expires_at = $3, tenant = $4, user_id = $5, since = $6, seen = $7,
                    user_agent = left($8, 300), address = $9
             WHERE id = $1",
            hashed(&record.id),
            encoded(record)?,
            expiry(record)?,
            who.as_ref().map(|who| who.tenant.uuid()),
            who.as_ref().map(|who| who.user.uuid()),
            who.as_ref().map(|who| who.since),
            who.as_ref().map(|who| who.seen),
            who.as_ref().and_then(|who| who.user_agent.as_deref()),
            who.as_ref().and_then(|who| who.address.map(IpNet::from)),
        )
        .execute(self.control.pool())
        .await
        .map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let now = self.control.ambient().now();
        let row = sqlx::query!(
            "SELECT data, expires_at FROM sessions WHERE id = $1 AND expires_at > $2",
            hashed(id),
            now
        )
        .fetch_optional(self.control.pool())
        .await
        .map_err(backend)?;
        let Some(row) = row else { return Ok(None) };
        let data = serde_json::from_slice(&row.data).map_err(|error| Error::Decode(error.to_string()))?;
        let expiry_date = OffsetDateTime::from_unix_timestamp(row.expires_at.timestamp())
            .map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        sqlx::query!("DELETE FROM sessions WHERE id = $1", hashed(id))
            .execute(self.control.pool())
            .await
            .map_err(backend)?;
        Ok(())
    }
}

#[async_trait]
impl ExpiredDeletion for Store {
    async fn delete_expired(&self) -> Result<()> {
        let now = self.control.ambient().now();
        sqlx::query!("DELETE FROM sessions WHERE expires_at <= $1", now)
            .execute(self.control.pool())
            .await
            .map_err(backend)?;
        Ok(())
    }
}
