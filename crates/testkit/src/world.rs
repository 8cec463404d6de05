//! A tenant with people, agents, modules and grants, in a database of its own.

use std::sync::Arc;
use std::time::Duration;

use control::agents::NewAgent;
use control::credentials::NewCredential;
use control::directory::Directories;
use control::ledger::{Ledger, LedgerSettings};
use control::mail::Letter;
use control::modules::NewModule;
use control::tenants::{Created, NewOwner, NewTenant};
use control::vault::MasterKeys;
use control::{Actor, Control};
use model::access::{Grantee, PermissionKey};
use model::{AgentId, Ambient, Currency, GrantId, ModuleId, NodeId};
use secrecy::{ExposeSecret as _, SecretString};

use crate::ambient::{RealClock, SeededEntropy, TestClock};
use crate::database::TestDatabase;

/// The master key of tests.
pub const MASTER_KEY: &str = "dGVzdCB0ZXN0IHRlc3QgdGVzdCB0ZXN0IHRlc3QgISE=";
/// The owner's password in tests.
pub const PASSWORD: &str = "correct horse battery staple";

/// Asks until the answer is there, for at most ten seconds.
pub async fn wait_for<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let began = tokio::time::Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{what} did not come about in ten seconds");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An organization called `acme` with an owner, the module `notes` (tools `read_note`, `write_note`), and nothing granted.
#[derive(Debug)]
pub struct TestWorld {
    /// Its database.
    pub database: TestDatabase,
    /// As the server would hold it.
    pub control: Control,
    /// The clock, where it is one that stands still.
    pub clock: Option<Arc<TestClock>>,
    /// The organization.
    pub tenant: Created,
    /// Whoever runs the installation.
    pub operator: Actor,
}

impl TestWorld {
    /// With a clock that stands still and seeded randomness.
    pub async fn new() -> Self {
        let clock = TestClock::new();
        Self::build(Ambient::new(clock.clone(), SeededEntropy::new(1)), Some(clock)).await
    }

    /// With the real clock, for tests of what happens while time passes.
    pub async fn in_real_time() -> Self {
        Self::build(Ambient::new(RealClock::new(), SeededEntropy::new(1)), None).await
    }

    async fn build(ambient: Ambient, clock: Option<Arc<TestClock>>) -> Self {
        let database = TestDatabase::create().await;
        let control = Self::control(&database, ambient).await;
        let tenant = Self::found(&control, "acme").await;
        let operator = Actor::operator(tenant.tenant, "test");
        let world = Self { database, control, clock, tenant, operator };
        // An upstream that nothing listens at; tests that execute calls add one of their own.
        world.module("notes", "http://127.0.0.1:9/mcp", &[("read_note", true), ("write_note", false)]).await;
        world
    }

    async fn control(database: &TestDatabase, ambient: Ambient) -> Control {
        let pool = control::database::connect(&database.app_url(), 20).await.expect("the database answers");
        control::database::check(&pool).await.expect("the test database is one that a server accepts");
        Control::new(pool, ambient, MasterKeys::from_base64([MASTER_KEY]).expect("32 bytes")).sending_mail()
    }

    /// Takes every mail that is due out of the outbox, as if it were sent: to whom, and what.
    pub async fn mails(&self) -> Vec<(String, Letter)> {
        let mut mails = Vec::new();
        loop {
            let leased = control::mail::lease(&self.control, 100).await.expect("the outbox can be looked at");
            if leased.is_empty() {
                return mails;
            }
            for mail in leased {
                control::mail::sent(&self.control, &mail).await.expect("a mail can be marked as sent");
                mails.push((mail.to.email, mail.letter));
            }
        }
    }

    /// The only mail that is due, which must be to this address.
    pub async fn mail_to(&self, email: &str) -> Letter {
        let mails = self.mails().await;
        let [(to, letter)] = <[_; 1]>::try_from(mails).expect("exactly one mail was posted");
        assert_eq!(to, email, "to whom the mail goes");
        letter
    }

    /// Another server's view of the same database.
    pub async fn another_control(&self) -> Control {
        self.node(2).await
    }

    /// One of several other servers: each has a seed of its own, and mints other ids.
    pub async fn node(&self, seed: u64) -> Control {
        Self::control(&self.database, Ambient::new(RealClock::new(), SeededEntropy::new(seed))).await
    }

    /// Puts the organization where it is [noon](crate::noon). Before anything is read of it.
    pub async fn at_noon(&self) {
        sqlx::query("UPDATE tenants SET time_zone = $2 WHERE tenant_id = $1")
            .bind(self.tenant.tenant.uuid())
            .bind(crate::noon().name())
            .execute(&mut self.database.owner().await)
            .await
            .expect("the organization is there");
    }

    /// The same database in an installation that sends no mail.
    pub async fn silent_control(&self) -> Control {
        let pool =
            control::database::connect(&self.database.app_url(), 4).await.expect("the database answers");
        let keys = MasterKeys::from_base64([MASTER_KEY]).expect("32 bytes");
        Control::new(pool, self.control.ambient().clone(), keys)
    }

    /// Makes another organization in the same database.
    pub async fn another_tenant(&self, slug: &str) -> (Created, Actor) {
        let tenant = Self::found(&self.control, slug).await;
        (tenant, Actor::operator(tenant.tenant, "test"))
    }

    async fn found(control: &Control, slug: &str) -> Created {
        let new = NewTenant {
            slug: slug.parse().expect("a short name"),
            name: format!("{slug} Ltd"),
            currency: Currency::EUR,
            first_unit: "Operations".to_owned(),
            owner: NewOwner {
                email: format!("owner@{slug}.example"),
                name: "Olga Owner".to_owned(),
                password: PASSWORD.to_owned().into(),
            },
        };
        control::tenants::create(control, "test", new).await.expect("an organization can be founded")
    }

    /// Makes an agent of the owner in the first unit, with a key.
    pub async fn agent(&self, name: &str) -> (AgentId, SecretString) {
        let new = NewAgent { name: name.to_owned(), owner: self.tenant.owner, home_unit: self.tenant.unit };
        let agent =
            control::agents::create(&self.control, &self.operator, new).await.expect("an agent can be made");
        (agent, self.key(agent).await)
    }

    /// Issues a further key.
    pub async fn key(&self, agent: AgentId) -> SecretString {
        let new = NewCredential {
            agent,
            name: "test".to_owned(),
            expires_at: None,
            allowed_addresses: Vec::new(),
            on_behalf_of: None,
        };
        control::credentials::issue(&self.control, &self.operator, new)
            .await
            .expect("a key can be issued")
            .key
    }

    /// Adds an upstream MCP server as a module and approves its tools, given as name and whether they only read.
    pub async fn module(&self, name: &str, url: &str, tools: &[(&str, bool)]) -> ModuleId {
        let definitions = tools
            .iter()
            .map(|(tool, read_only)| {
                serde_json::json!({
                    "name": tool,
                    "description": format!("Tool {tool} of {name}."),
                    "inputSchema": { "type": "object" },
                    "annotations": { "readOnlyHint": read_only },
                })
                .to_string()
            })
            .collect();
        let new = NewModule {
            name: name.to_owned(),
            title: name.to_owned(),
            url: url.to_owned(),
            owner: Some(self.tenant.owner),
            authorization: None,
        };
        let added = control::modules::add_mcp(&self.control, &self.operator, new, definitions)
            .await
            .expect("a module can be added");
        control::modules::approve_all(&self.control, &self.operator, added.module)
            .await
            .expect("tools can be approved");
        added.module
    }

    /// Gives a permission key.
    pub async fn grant(&self, key: &str, grantee: Grantee) -> GrantId {
        let key: PermissionKey = key.parse().expect("a permission key");
        control::grants::give(&self.control, &self.operator, &key, grantee, None)
            .await
            .expect("a key can be granted")
    }

    /// A node with a lease and a ledger over `control`.
    pub async fn ledger(&self, control: &Control) -> (Ledger, NodeId) {
        let node = control::nodes::join(control, "test", "0").await.expect("a node can join");
        let pool =
            control::database::connect(&self.database.app_url(), 12).await.expect("the database answers");
        (Ledger::open(control.clone(), pool, node, LedgerSettings::default()), node)
    }

    /// Snapshots over `control`, hearing of changes.
    pub fn directories(&self, control: &Control) -> Directories {
        let directories = Directories::new(control.clone());
        tokio::spawn(directories.clone().listen(self.database.app_url()));
        directories
    }

    /// SHA-256 of a key, as authentication looks it up.
    pub fn hash(key: &SecretString) -> [u8; 32] {
        use sha2::Digest as _;
        sha2::Sha256::digest(key.expose_secret()).into()
    }
}
