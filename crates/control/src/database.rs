//! Connecting, migrating, and refusing a database that could not keep what we promise.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The address is no PostgreSQL URL.
    #[error("database.url is not a PostgreSQL URL such as postgres://user@host/name: {0}")]
    Url(#[source] sqlx::Error),
    /// It could not be reached, or refused us.
    #[error("the database cannot be reached: {0}")]
    Connect(#[source] sqlx::Error),
    /// A setting would let acknowledged records be lost.
    #[error(
        "the database has `{setting}` = {value}: records that were acknowledged could be lost in a crash. Set it to {wanted} and start again"
    )]
    NotDurable {
        /// The PostgreSQL setting.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it has to be.
        wanted: &'static str,
    },
    /// The login could see other tenants' rows.
    #[error("the database login `{role}` {fault}; log in as workingagents_app, which row security binds")]
    Unbound {
        /// The login role.
        role: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The server is older than what we rely on.
    #[error("PostgreSQL {version} is too old: 15 or newer is needed")]
    TooOld {
        /// As the server says.
        version: String,
    },
    /// The tables are not those of this version.
    #[error(
        "the database is at migration {found} and this program needs {wanted}: run `workingagents migrate`"
    )]
    NotMigrated {
        /// The newest applied migration; 0 for none.
        found: i64,
        /// The newest known to this program.
        wanted: i64,
    },
    /// A migration failed.
    #[error("migrating failed: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// How long a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

fn options(url: &SecretString) -> Result<PgConnectOptions, DatabaseError> {
    Ok(PgConnectOptions::from_str(url.expose_secret())
        .map_err(DatabaseError::Url)?
        .application_name("workingagents")
        // A connection whose peer is gone must not hold a gate.
        .options([
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
            ("timezone", "UTC"),
            // Compiling a statement takes longer than any of ours may run.
            ("jit", "off"),
        ])
        .log_statements(log::LevelFilter::Trace)
        .log_slow_statements(log::LevelFilter::Warn, Duration::from_secs(5)))
}

/// Opens a pool as the application role. Nothing is checked but the address; see [`check`].
pub async fn connect(url: &SecretString, connections: u32) -> Result<PgPool, DatabaseError> {
    let options = options(url)?;
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .connect_with(options.clone())
        .await;
    match pool {
        Ok(pool) => Ok(pool),
        // A pool tries again until its time is over, and then says no more than that.
        Err(sqlx::Error::PoolTimedOut) => Err(DatabaseError::Connect(reason(&options).await)),
        Err(error) => Err(DatabaseError::Connect(error)),
    }
}

/// What one attempt to connect fails with.
async fn reason(options: &PgConnectOptions) -> sqlx::Error {
    match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(Err(error)) => error,
        _ => sqlx::Error::PoolTimedOut,
    }
}

/// Refuses a database that is too old, not durable, not migrated, or whose login row security does not bind.
pub async fn check(pool: &PgPool) -> Result<(), DatabaseError> {
    let facts = sqlx::query!(
        r#"SELECT current_setting('server_version_num')::int AS "version!", current_setting('server_version') AS "shown!",
                  current_setting('fsync') AS "fsync!", current_setting('full_page_writes') AS "full_page_writes!",
                  current_setting('synchronous_commit') AS "synchronous_commit!",
                  current_user::text AS "role!", r.rolsuper AS "superuser!", r.rolbypassrls AS "bypasses!",
                  EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid AND c.relname = 'tenants') AS "owns!"
           FROM pg_roles r WHERE r.rolname = current_user"#
    )
    .fetch_one(pool)
    .await
    .map_err(DatabaseError::Connect)?;
    if facts.version < 150_000 {
        return Err(DatabaseError::TooOld { version: facts.shown });
    }
    for (setting, value, wanted) in [
        ("fsync", &facts.fsync, "on"),
        ("full_page_writes", &facts.full_page_writes, "on"),
        ("synchronous_commit", &facts.synchronous_commit, "on (or remote_apply)"),
    ] {
        if !matches!(value.as_str(), "on" | "remote_apply") {
            return Err(DatabaseError::NotDurable { setting, value: value.clone(), wanted });
        }
    }
    for (wrong, fault) in [
        (facts.superuser, "is a superuser"),
        (facts.bypasses, "may bypass row security"),
        (facts.owns, "owns the tables"),
    ] {
        if wrong {
            return Err(DatabaseError::Unbound { role: facts.role, fault });
        }
    }
    migrated(pool).await
}

async fn migrated(pool: &PgPool) -> Result<(), DatabaseError> {
    let wanted = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    // The bookkeeping table belongs to the migrating role; a database without it was never migrated.
    let found =
        sqlx::query_scalar!("SELECT schema_version()").fetch_one(pool).await.ok().flatten().unwrap_or(0);
    // A newer database is fine: migrations only expand, and contract a release later.
    if found < wanted { Err(DatabaseError::NotMigrated { found, wanted }) } else { Ok(()) }
}

/// Brings the tables to this version. `url` logs in as the owner of the tables, not as the application role.
pub async fn migrate(url: &SecretString) -> Result<(), DatabaseError> {
    let mut conn: PgConnection = options(url)?.connect().await.map_err(DatabaseError::Connect)?;
    MIGRATIONS.run(&mut conn).await?;
    conn.close().await.map_err(DatabaseError::Connect)
}
