//! The database of `dev`: of its private cluster, or the one that DATABASE_URL names. Migrated, and with a login for the
//! application role. With [`super::demo`] the only place in the server that speaks SQL.

use std::sync::Arc;

use model::Ambient;
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::cluster::{Cluster, DATABASE};
use super::folder::Folder;
use crate::{Failure, say};

/// The role that the server logs in as.
const APP: &str = "workingagents_app";

/// A migrated database with its two addresses.
#[derive(Debug)]
pub(super) struct Database {
    url: String,
    owner_url: String,
    cluster: Option<(Arc<Cluster>, CancellationToken, JoinHandle<()>)>,
}

impl Database {
    /// Starts or finds the database and brings it to this version.
    pub(super) async fn open(folder: &Folder, ambient: &Ambient) -> Result<Self, Failure> {
        match std::env::var("DATABASE_URL") {
            Ok(owner_url) if !owner_url.is_empty() => {
                say::progress("using the database of DATABASE_URL");
                let (_, password) = folder.secret("database.password", ambient)?;
                let url = with_login(&owner_url, APP, &password)?;
                let database = Self { url, owner_url, cluster: None };
                database.migrate(Some(&password)).await?;
                Ok(database)
            }
            _ => {
                let path = folder.path().to_owned();
                let cluster = Arc::new(tokio::task::spawn_blocking(move || Cluster::start(&path)).await??);
                create(&cluster).await?;
                let (url, owner_url) = (cluster.url(APP, DATABASE), cluster.url("postgres", DATABASE));
                let stop = CancellationToken::new();
                let (watched, until) = (cluster.clone(), stop.clone());
                let watching = tokio::spawn(async move { watched.watch(until).await });
                let database = Self { url, owner_url, cluster: Some((cluster, stop, watching)) };
                database.migrate(None).await?;
                Ok(database)
            }
        }
    }

    /// The address as the application role.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The address as the owner of the tables.
    pub(super) fn owner_url(&self) -> &str {
        &self.owner_url
    }

    /// The address as the application role, whose commits do not wait for the disk: for what can be loaded again.
    pub(super) fn hasty_url(&self) -> Result<SecretString, Failure> {
        let mut url = Url::parse(&self.url)?;
        url.query_pairs_mut().append_pair("options", "-c synchronous_commit=off");
        Ok(SecretString::from(String::from(url)))
    }

    /// A connection as the owner of the tables.
    pub(super) async fn owner(&self) -> Result<PgConnection, sqlx::Error> {
        self.owner_url.parse::<PgConnectOptions>()?.connect().await
    }

    /// Migrates, and lets the application role log in: by the socket's own permissions, or with a password.
    async fn migrate(&self, password: Option<&str>) -> Result<(), Failure> {
        control::database::migrate(&SecretString::from(self.owner_url.clone())).await?;
        let mut owner = self.owner().await?;
        // A role's attributes take no parameters: the text is made by the database's own quoting.
        let alter: String = sqlx::query_scalar(
            "SELECT CASE WHEN $2::text IS NULL THEN format('ALTER ROLE %I LOGIN', $1)
                         ELSE format('ALTER ROLE %I LOGIN PASSWORD %L', $1, $2) END",
        )
        .bind(APP)
        .bind(password)
        .fetch_one(&mut owner)
        .await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(alter)).execute(&mut owner).await?;
        Ok(owner.close().await?)
    }

    /// Stops a private cluster and waits until it has stopped.
    pub(super) async fn close(self) {
        if let Some((cluster, stop, watching)) = self.cluster {
            stop.cancel();
            let _ = watching.await;
            let _ = tokio::task::spawn_blocking(move || drop(cluster)).await;
        }
    }
}

/// Makes the database in a new cluster.
async fn create(cluster: &Cluster) -> Result<(), Failure> {
    let mut owner = cluster.url("postgres", "postgres").parse::<PgConnectOptions>()?.connect().await?;
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(DATABASE)
        .fetch_one(&mut owner)
        .await?;
    if !there {
        sqlx::raw_sql("CREATE DATABASE workingagents").execute(&mut owner).await?;
    }
    Ok(owner.close().await?)
}

/// The same database with another login.
fn with_login(url: &str, role: &str, password: &str) -> Result<String, Failure> {
    let refused = |_| {
        format!(
            "DATABASE_URL is not an address such as postgres://owner@host/name: {role} cannot be put in it"
        )
    };
    let mut url = Url::parse(url)?;
    if url.host_str().is_none_or(str::is_empty) {
        // Only a parameter says which host or socket; it goes on saying so.
        url.set_host(Some("localhost")).map_err(|error| error.to_string())?;
    }
    // Parameters win over what stands before the host.
    let rest: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(name, _)| name != "user" && name != "password").collect();
    url.set_query(None);
    if !rest.is_empty() {
        url.query_pairs_mut().extend_pairs(rest);
    }
    url.set_username(role).map_err(refused)?;
    url.set_password(Some(password)).map_err(refused)?;
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_login_of_an_address_changes() {
        let url =
            with_login("postgres://owner:secret@db.example.com:5433/name?sslmode=require", APP, "a/b+c=")
                .unwrap();
        assert_eq!(url, "postgres://workingagents_app:a%2Fb+c%3D@db.example.com:5433/name?sslmode=require");
        let url = with_login("postgres:///name?host=/tmp/x&port=5599&user=postgres", APP, "p").unwrap();
        assert_eq!(url, "postgres://workingagents_app:p@localhost/name?host=%2Ftmp%2Fx&port=5599");
        let read: PgConnectOptions = url.parse().unwrap();
        assert_eq!((read.get_username(), read.get_port()), ("workingagents_app", 5599));
    }
}
