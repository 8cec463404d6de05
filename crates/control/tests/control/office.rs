//! An organization that makes calls: a world with a ledger.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use control::activity::{self, Filter, Page};
use control::agents::{self, NewAgent};
use control::credentials::{self, NewCredential};
use control::ledger::Ledger;
use control::{Actor, Control};
use model::call::{CallRow, Entry, Failure, Outcome, Settlement};
use model::{AgentId, CallId, Currency, Money, UserId};
use secrecy::SecretString;
use testkit::{TestWorld, wait_for};

/// A world with a ledger, and a way to make calls.
pub struct Office {
    pub world: TestWorld,
    pub ledger: Ledger,
}

impl Office {
    pub async fn open(world: TestWorld) -> Self {
        let (ledger, _) = world.ledger(&world.control).await;
        Self { world, ledger }
    }

    pub fn control(&self) -> &Control {
        &self.world.control
    }

    /// A call as the gateway would decide it now.
    pub async fn entry(&self, key: &SecretString, tool: &str) -> Entry {
        let facts = control::directory::facts(self.control(), self.world.tenant.tenant).await.unwrap();
        let directory = policy::Directory::build(facts, self.control().ambient().now()).unwrap();
        testkit::entry(self.control().ambient(), &directory, TestWorld::hash(key), tool).unwrap()
    }

    pub async fn call(&self, key: &SecretString, tool: &str) -> CallId {
        let entry = self.entry(key, tool).await;
        self.ledger.admit(entry).await.unwrap().call
    }

    pub fn settle(&self, call: CallId, outcome: Outcome, result: Option<&'static [u8]>, size: u64) {
        let now = self.control().ambient().now();
        self.ledger.settle(Settlement {
            tenant: self.world.tenant.tenant,
            call,
            settled_at: now,
            outcome,
            duration: Duration::from_micros(1500),
            upstream_duration: Some(Duration::from_micros(1200)),
            failure: (outcome != Outcome::Succeeded)
                .then(|| Failure { code: "test".to_owned(), sentence: "It failed.".to_owned() }),
            result: result.map(Bytes::from_static),
            exchange: result.map(|_| Bytes::from_static(br#"[{"method":"roots/list"}]"#)),
            result_size: size,
            result_digest: None,
            charge: Money { amount: "0.25".parse().unwrap(), currency: Currency::EUR },
            rate: None,
        });
    }

    /// Waits until a call is settled.
    pub async fn settled(&self, call: CallId) -> CallRow {
        wait_for("the settlement", async || {
            let story = activity::story(self.control(), &self.world.operator, call).await.unwrap().unwrap();
            story.row.outcome.map(|_| story.row)
        })
        .await
    }

    pub async fn rows(&self, actor: &Actor, filter: &Filter) -> Vec<CallRow> {
        let listing = activity::list(self.control(), actor, filter, Page::Newest, 200).await.unwrap();
        assert!(!listing.has_older && !listing.has_newer);
        listing.rows
    }

    pub async fn ids(&self, actor: &Actor, filter: &Filter) -> BTreeSet<CallId> {
        self.rows(actor, filter).await.into_iter().map(|row| row.id).collect()
    }

    /// An agent of a person, in a unit, with a key on behalf of somebody.
    pub async fn agent_of(
        &self,
        name: &str,
        owner: UserId,
        unit: model::UnitId,
        on_behalf_of: Option<UserId>,
    ) -> (AgentId, SecretString) {
        let new = NewAgent { name: name.to_owned(), owner, home_unit: unit };
        let agent = agents::create(self.control(), &self.world.operator, new).await.unwrap();
        let new = NewCredential {
            agent,
            name: "laptop".to_owned(),
            expires_at: None,
            allowed_addresses: Vec::new(),
            on_behalf_of,
        };
        (agent, credentials::issue(self.control(), &self.world.operator, new).await.unwrap().key)
    }
}
