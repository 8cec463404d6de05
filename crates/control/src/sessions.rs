//! Browser sessions in PostgreSQL, for `tower-sessions`. Found by their random id before a tenant is known;
//! only the SHA-256 of the id is stored, so that who reads the table cannot take over a session.

use async_trait::async_trait;
use model::Timestamp;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{Error, Result};
use tower_sessions_core::{ExpiredDeletion, SessionStore};

use crate::Control;

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
            let made = sqlx::query!(
                "INSERT INTO sessions (id, data, expires_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
                hashed(&record.id),
                encoded(record)?,
                expiry(record)?,
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
        sqlx::query!(
            "UPDATE sessions SET data = $2, expires_at = $3 WHERE id = $1",
            hashed(&record.id),
            encoded(record)?,
            expiry(record)?,
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
