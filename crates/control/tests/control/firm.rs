//! An organization whose past is made up: calls of any time, written by the owner of the tables, settled or not.

use chrono::{NaiveDate, TimeDelta};
use control::money::{self, Question, Row, Sums, rollup};
use control::units::{self, NewUnit};
use model::people::{Role, UnitKind};
use model::{Timestamp, UnitId};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;
use sqlx::{Connection as _, PgConnection};
use testkit::TestWorld;
use uuid::Uuid;

use crate::outside::user;

/// A call as the ledger has it, written by the owner of the tables: of any time, settled or not.
#[derive(Clone, Debug)]
pub struct Call {
    pub id: Uuid,
    pub agent: Uuid,
    pub owner: Uuid,
    pub on_behalf_of: Option<Uuid>,
    pub path: Vec<Uuid>,
    pub tool: Option<Uuid>,
    pub verdict: &'static str,
    pub outcome: Option<&'static str>,
    pub amount: Decimal,
    pub currency: &'static str,
}

impl Call {
    pub async fn write(&self, world: &TestWorld, conn: &mut PgConnection) {
        sqlx::query(
            "INSERT INTO calls (tenant_id, id, received_at, recorded_at, epoch, verdict, policies, policy_version, credential_id,
                 agent_id, owner_id, on_behalf_of, unit_path, principal_state, tool_name, module_id, tool_id, reserved, currency,
                 arguments_digest, arguments_size, node_id)
             VALUES ($1, $2, uuid_time($2), uuid_time($2), 1, $3, '{}', '', $4, $5, $6, $7, $8, '', 'x',
                     (SELECT module_id FROM tools WHERE id = $9), $9, $10, $11, '', 0, $4)",
        )
        .bind(world.tenant.tenant.uuid())
        .bind(self.id)
        .bind(self.verdict)
        .bind(Uuid::nil())
        .bind(self.agent)
        .bind(self.owner)
        .bind(self.on_behalf_of)
        .bind(&self.path)
        .bind(self.tool)
        .bind(self.amount)
        // What has no price has no currency, which ISO 4217 writes so.
        .bind(if self.tool.is_some() { self.currency } else { "XXX" })
        .execute(&mut *conn)
        .await
        .unwrap();
        if self.outcome.is_some() {
            self.settle(world, conn).await;
        }
    }

    pub async fn settle(&self, world: &TestWorld, conn: &mut PgConnection) {
        let mut tx = conn.begin().await.unwrap();
        sqlx::query(
            "INSERT INTO settlements (tenant_id, call_id, settled_at, outcome, result_size, node_id)
             VALUES ($1, $2, now(), $3, 0, $4)",
        )
        .bind(world.tenant.tenant.uuid())
        .bind(self.id)
        .bind(self.outcome.unwrap_or("succeeded"))
        .bind(Uuid::nil())
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query("INSERT INTO charges (tenant_id, call_id, amount, currency) VALUES ($1, $2, $3, $4)")
            .bind(world.tenant.tenant.uuid())
            .bind(self.id)
            .bind(self.amount)
            .bind(self.currency)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    pub fn day(&self) -> NaiveDate {
        let (seconds, nanos) = self.id.get_timestamp().unwrap().to_unix();
        chrono::DateTime::from_timestamp(seconds as i64, nanos).unwrap().date_naive()
    }
}

/// An organization with a tree of units, people, agents and tools, and a way to make up its past.
pub struct Firm {
    pub world: TestWorld,
    pub random: ChaCha8Rng,
    /// Departments: two with a team and one team below a team; and a team that is in none.
    pub paths: Vec<Vec<Uuid>>,
    pub people: Vec<Uuid>,
    pub agents: Vec<Uuid>,
    pub tools: Vec<Uuid>,
}

pub async fn unit(world: &TestWorld, name: &str, kind: UnitKind, parent: Option<UnitId>) -> UnitId {
    let new = NewUnit { name: name.to_owned(), kind, parent };
    units::create(&world.control, &world.operator, new).await.unwrap()
}

impl Firm {
    pub async fn found(seed: u64) -> Self {
        let world = TestWorld::new().await;
        let sales = unit(&world, "Sales", UnitKind::Department, None).await;
        let field = unit(&world, "Field", UnitKind::Team, Some(sales)).await;
        let north = unit(&world, "North", UnitKind::Team, Some(field)).await;
        let legal = unit(&world, "Legal", UnitKind::Department, None).await;
        let loose = unit(&world, "Loose", UnitKind::Team, None).await;
        // A department below a department: the topmost counts.
        let inner = unit(&world, "Inner", UnitKind::Department, Some(legal)).await;
        let ids = |units: &[UnitId]| units.iter().map(|unit| unit.uuid()).collect::<Vec<_>>();
        let paths = vec![
            ids(&[sales]),
            ids(&[sales, field]),
            ids(&[sales, field, north]),
            ids(&[legal]),
            ids(&[legal, inner]),
            ids(&[loose]),
            // As it was before the tree was made anew.
            ids(&[legal, field]),
        ];
        let mut people = vec![world.tenant.owner.uuid()];
        for name in ["Ada", "Ben", "Cleo"] {
            people.push(user(&world, name, Some(Role::Member)).await.uuid());
        }
        let mut agents = Vec::new();
        for name in ["One", "Two", "Three", "Four"] {
            agents.push(world.agent(name).await.0.uuid());
        }
        world.module("files", "http://127.0.0.1:9/mcp", &[("open", true)]).await;
        let tools = sqlx::query_scalar("SELECT id FROM tools ORDER BY name")
            .fetch_all(&mut world.database.owner().await)
            .await
            .unwrap();
        Self { world, random: ChaCha8Rng::seed_from_u64(seed), paths, people, agents, tools }
    }

    pub fn today(&self) -> NaiveDate {
        self.world.control.ambient().now().date_naive()
    }

    pub fn call_at(&mut self, at: Timestamp) -> Call {
        let id = self.world.control.ambient().id_at::<model::CallId>(at).uuid();
        let random = &mut self.random;
        let verdict = ["permit", "permit", "permit", "permit", "deny", "hold"][random.random_range(0..6)];
        let outcome = match verdict {
            "permit" => {
                Some(["succeeded", "succeeded", "tool_error", "interrupted"][random.random_range(0..4)])
            }
            _ => None,
        };
        let tool = (verdict != "deny" || random.random_bool(0.5))
            .then(|| self.tools[random.random_range(0..self.tools.len())]);
        Call {
            id,
            agent: self.agents[random.random_range(0..self.agents.len())],
            owner: self.people[random.random_range(0..self.people.len())],
            on_behalf_of: random
                .random_bool(0.3)
                .then(|| self.people[random.random_range(0..self.people.len())]),
            path: self.paths[random.random_range(0..self.paths.len())].clone(),
            tool,
            verdict,
            outcome,
            // Down to the tenth decimal, where floats would not add up.
            amount: Decimal::new(random.random_range(0..5_000_000_000), 10),
            currency: if tool.is_some() && random.random_bool(0.1) { "USD" } else { "EUR" },
        }
    }

    /// Some time in the last 70 days: not within the last hour, but for one in ten.
    pub fn call(&mut self) -> Call {
        let now = self.world.control.ambient().now();
        let ago = match self.random.random_bool(0.1) {
            true => TimeDelta::seconds(self.random.random_range(0..3_600)),
            false => TimeDelta::seconds(self.random.random_range(3_600..30 * 86_400)),
        };
        self.call_at(now - ago)
    }

    pub async fn ask(&self, question: &Question) -> Vec<Row> {
        let answer = money::spend(&self.world.control, &self.world.operator, question).await.unwrap();
        assert_eq!(answer.count, answer.rows.len() as u64, "all rows fit on one page here");
        let sum =
            |of: fn(&Row) -> Sums| answer.rows.iter().fold(Sums::default(), |sum, row| plus(sum, of(row)));
        assert_eq!((sum(|row| row.now), sum(|row| row.before)), (answer.total, answer.total_before));
        answer.rows
    }

    /// Lets the worker do what it can.
    pub async fn advance(&self) {
        rollup::advance(&self.world.control).await.unwrap();
    }

    /// How many calls are below the mark.
    pub async fn kept(&self) -> i64 {
        sqlx::query_scalar(
            "SELECT coalesce(sum(calls), 0)::bigint FROM money_sums WHERE grain = 'day' AND tenant_id = $1",
        )
        .bind(self.world.tenant.tenant.uuid())
        .fetch_one(&mut self.world.database.owner().await)
        .await
        .unwrap()
    }
}

pub fn plus(a: Sums, b: Sums) -> Sums {
    Sums {
        calls: a.calls + b.calls,
        permitted: a.permitted + b.permitted,
        denied: a.denied + b.denied,
        failed: a.failed + b.failed,
        amount: (a.amount + b.amount).normalize(),
    }
}

/// What calls came to, said once more in plain words.
pub fn counted<'a>(calls: impl Iterator<Item = &'a Call>) -> Sums {
    calls.fold(Sums::default(), |sum, call| {
        plus(
            sum,
            Sums {
                calls: 1,
                permitted: u64::from(call.verdict == "permit"),
                denied: u64::from(call.verdict == "deny"),
                failed: u64::from(call.outcome.is_some_and(|outcome| outcome != "succeeded")),
                amount: if call.outcome.is_some() { call.amount } else { Decimal::ZERO },
            },
        )
    })
}
