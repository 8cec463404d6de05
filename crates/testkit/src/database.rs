//! A migrated database for each test, cloned from a template in about 0.05 s, dropped at the end.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

/// Names the superuser's URL of a PostgreSQL for tests; `cargo xtask test` starts one and sets it.
pub const VARIABLE: &str = "WORKINGAGENTS_TEST_DATABASE_URL";

static COUNT: AtomicU32 = AtomicU32::new(0);
static TEMPLATE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();

/// A database of one test.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    superuser: PgConnectOptions,
}

fn superuser() -> PgConnectOptions {
    let url = std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!("{VARIABLE} is not set: run `cargo xtask test`, or point it to a PostgreSQL superuser of a throw-away cluster")
    });
    PgConnectOptions::from_str(&url)
        .unwrap_or_else(|error| panic!("{VARIABLE} is not a PostgreSQL URL: {error}"))
        .log_statements(log::LevelFilter::Trace)
}

async fn connect(options: &PgConnectOptions) -> PgConnection {
    options.connect().await.expect("the test cluster answers")
}

async fn run(conn: &mut PgConnection, sql: String) {
    sqlx::query(AssertSqlSafe(sql.clone()))
        .execute(conn)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Makes the template once for each version of the migrations, whatever the number of test processes.
async fn template() -> String {
    let mut hash = Sha256::new();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        hash.update(std::fs::read(file).unwrap());
    }
    // Partitions are made for the months around the present, so a template does not outlive its month.
    #[allow(clippy::disallowed_methods, reason = "names the present month")]
    let month = chrono::Utc::now().format("%Y%m").to_string();
    let name = format!("wa_template_{month}_{}", &hex::encode(hash.finalize())[..16]);

    let superuser = superuser();
    let mut conn = connect(&superuser).await;
    sqlx::query("SELECT pg_advisory_lock(7155)").execute(&mut conn).await.unwrap();
    let ready: Option<bool> = sqlx::query_scalar("SELECT datistemplate FROM pg_database WHERE datname = $1")
        .bind(&name)
        .fetch_optional(&mut conn)
        .await
        .unwrap();
    if ready != Some(true) {
        run(&mut conn, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        run(&mut conn, format!("CREATE DATABASE {name}")).await;
        control::database::migrate(&url(&superuser.clone().database(&name))).await.expect("migrations apply");
        run(&mut conn, "ALTER ROLE workingagents_app LOGIN".to_owned()).await;
        run(&mut conn, format!("ALTER DATABASE {name} IS_TEMPLATE true")).await;
    }
    sqlx::query("SELECT pg_advisory_unlock(7155)").execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    name
}

fn url(options: &PgConnectOptions) -> SecretString {
    options.to_url_lossy().to_string().into()
}

impl TestDatabase {
    /// Clones the template.
    pub async fn create() -> Self {
        let template = TEMPLATE.get_or_init(template).await;
        let superuser = superuser();
        // A name nobody else has at the same time; what a killed test left behind under it goes.
        let name = format!("wa_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut conn = connect(&superuser).await;
        run(&mut conn, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        run(&mut conn, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        conn.close().await.unwrap();
        Self { name, superuser }
    }

    /// As the application role: bound by row security, as the server is.
    pub fn app_url(&self) -> SecretString {
        url(&self.superuser.clone().database(&self.name).username("workingagents_app"))
    }

    /// As the superuser, who owns the tables and sees everything: for looking from outside.
    pub fn owner_url(&self) -> SecretString {
        url(&self.superuser.clone().database(&self.name))
    }

    /// A connection as the superuser.
    pub async fn owner(&self) -> PgConnection {
        connect(&PgConnectOptions::from_str(self.owner_url().expose_secret()).unwrap()).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (name, superuser) = (self.name.clone(), self.superuser.clone());
        // A runtime of its own: the test's may be about to end.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut conn = connect(&superuser).await;
                run(&mut conn, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
            });
        })
        .join();
        if dropped.is_err() {
            eprintln!("the test database {} was not dropped", self.name);
        }
    }
}
