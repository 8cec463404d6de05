//! Money: sums and ledger always agree, every tree's sums are those of its leaves, and each sees what is theirs to see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod outside;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{Days, NaiveDate, TimeDelta};
use control::money::{self, Dimension, Filter, Order, Period, Question, Row, Subject, Sums, Whose, rollup};
use control::units::{self, NewUnit};
use control::{Actor, users};
use model::people::{Role, UnitKind};
use model::{Currency, Timestamp, UnitId, UserId};
use outside::{not_there, signed_in, user, with_role};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;
use sqlx::{Connection as _, PgConnection, Row as _};
use testkit::{TestWorld, wait_for};
use uuid::Uuid;

/// A call as the ledger has it, written by the owner of the tables: of any time, settled or not.
#[derive(Clone, Debug)]
struct Call {
    id: Uuid,
    agent: Uuid,
    owner: Uuid,
    on_behalf_of: Option<Uuid>,
    path: Vec<Uuid>,
    tool: Option<Uuid>,
    verdict: &'static str,
    outcome: Option<&'static str>,
    amount: Decimal,
    currency: &'static str,
}

impl Call {
    async fn write(&self, world: &TestWorld, conn: &mut PgConnection) {
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
        // What has no price has no currency, whatever was written down for it.
        .bind(if self.tool.is_some() { self.currency } else { "XXX" })
        .execute(&mut *conn)
        .await
        .unwrap();
        if self.outcome.is_some() {
            self.settle(world, conn).await;
        }
    }

    async fn settle(&self, world: &TestWorld, conn: &mut PgConnection) {
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

    fn day(&self) -> NaiveDate {
        let (seconds, nanos) = self.id.get_timestamp().unwrap().to_unix();
        chrono::DateTime::from_timestamp(seconds as i64, nanos).unwrap().date_naive()
    }
}

/// An organization with a tree of units, people, agents and tools, and a way to make up its past.
struct Firm {
    world: TestWorld,
    random: ChaCha8Rng,
    /// Departments: two with a team and one team below a team; and a team that is in none.
    paths: Vec<Vec<Uuid>>,
    people: Vec<Uuid>,
    agents: Vec<Uuid>,
    tools: Vec<Uuid>,
}

async fn unit(world: &TestWorld, name: &str, kind: UnitKind, parent: Option<UnitId>) -> UnitId {
    let new = NewUnit { name: name.to_owned(), kind, parent };
    units::create(&world.control, &world.operator, new).await.unwrap()
}

impl Firm {
    async fn found(seed: u64) -> Self {
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

    fn today(&self) -> NaiveDate {
        self.world.control.ambient().now().date_naive()
    }

    fn call_at(&mut self, at: Timestamp) -> Call {
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
    fn call(&mut self) -> Call {
        let now = self.world.control.ambient().now();
        let ago = match self.random.random_bool(0.1) {
            true => TimeDelta::seconds(self.random.random_range(0..3_600)),
            false => TimeDelta::seconds(self.random.random_range(3_600..30 * 86_400)),
        };
        self.call_at(now - ago)
    }

    async fn ask(&self, question: &Question) -> Vec<Row> {
        let answer = money::spend(&self.world.control, &self.world.operator, question).await.unwrap();
        assert_eq!(answer.count, answer.rows.len() as u64, "all rows fit on one page here");
        let sum =
            |of: fn(&Row) -> Sums| answer.rows.iter().fold(Sums::default(), |sum, row| plus(sum, of(row)));
        assert_eq!((sum(|row| row.now), sum(|row| row.before)), (answer.total, answer.total_before));
        answer.rows
    }

    /// Lets the worker do what it can.
    async fn advance(&self) {
        rollup::advance(&self.world.control).await.unwrap();
    }

    /// How many calls are below the mark.
    async fn kept(&self) -> i64 {
        sqlx::query_scalar(
            "SELECT coalesce(sum(calls), 0)::bigint FROM money_sums WHERE grain = 'day' AND tenant_id = $1",
        )
        .bind(self.world.tenant.tenant.uuid())
        .fetch_one(&mut self.world.database.owner().await)
        .await
        .unwrap()
    }
}

fn plus(a: Sums, b: Sums) -> Sums {
    Sums {
        calls: a.calls + b.calls,
        permitted: a.permitted + b.permitted,
        denied: a.denied + b.denied,
        failed: a.failed + b.failed,
        amount: (a.amount + b.amount).normalize(),
    }
}

/// What calls came to, said once more in plain words.
fn counted<'a>(calls: impl Iterator<Item = &'a Call>) -> Sums {
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

fn department(firm: &Firm, call: &Call) -> Option<Uuid> {
    (call.path != firm.paths[5]).then(|| call.path[0])
}

fn key(firm: &Firm, dimension: Dimension, call: &Call) -> Subject {
    let tool_module = |tool: Uuid| firm.tools.iter().position(|it| *it == tool);
    match dimension {
        Dimension::Department => department(firm, call).map_or(Subject::None, |id| Subject::Unit(id.into())),
        Dimension::Unit => Subject::Unit(call.path[0].into()),
        Dimension::Team => Subject::Unit(call.path.last().copied().unwrap().into()),
        Dimension::User => Subject::User(call.on_behalf_of.unwrap_or(call.owner).into()),
        Dimension::Agent => Subject::Agent(call.agent.into()),
        Dimension::Module | Dimension::Tool => match call.tool.map(|tool| (tool, tool_module(tool))) {
            None => Subject::None,
            Some((tool, _)) => Subject::Tool(tool.into()),
        },
        Dimension::Day => Subject::Day(call.day()),
        Dimension::Month => Subject::Day(chrono::Datelike::with_day(&call.day(), 1).unwrap()),
    }
}

/// Compares every way to ask with the calls themselves.
async fn agrees(firm: &Firm, calls: &[Call], when: &str) {
    let today = firm.today();
    let periods = [
        Period::days_to(today, 90),
        Period::month_to(today),
        Period::days_to(today, 7),
        Period::days_to(today.checked_sub_days(Days::new(20)).unwrap(), 17),
    ];
    let dimensions = Dimension::ALL.iter().copied().filter(|it| *it != Dimension::Module);
    let pairs = dimensions
        .clone()
        .map(|one| vec![one])
        .chain([
            vec![],
            vec![Dimension::Department, Dimension::Tool],
            vec![Dimension::Agent, Dimension::Day],
            vec![Dimension::User, Dimension::Team],
        ])
        .collect::<Vec<_>>();
    for period in periods {
        for by in &pairs {
            for currency in [Currency::EUR, Currency::USD] {
                let question = Question { limit: 1_000, ..Question::about(period, currency).by(by) };
                let before = question.before.unwrap();
                let mut expected: BTreeMap<Vec<Subject>, (Sums, Sums)> = BTreeMap::new();
                for call in calls.iter().filter(|call| call.currency == currency.code()) {
                    let keys = by.iter().map(|it| key(firm, *it, call)).collect::<Vec<_>>();
                    let entry = expected.entry(keys);
                    let one = counted(std::iter::once(call));
                    if period.from <= call.day() && call.day() < period.until {
                        let sums = entry.or_default();
                        sums.0 = plus(sums.0, one);
                    } else if before.from <= call.day() && call.day() < before.until {
                        let sums = entry.or_default();
                        sums.1 = plus(sums.1, one);
                    }
                }
                let rows = firm.ask(&question).await;
                let got: BTreeMap<Vec<Subject>, (Sums, Sums)> = rows
                    .iter()
                    .map(|row| (row.about.iter().map(|it| it.subject).collect(), (row.now, row.before)))
                    .collect();
                assert_eq!(got, expected, "{when}: {by:?} in {currency} over {period:?}");
            }
        }
    }
}

#[tokio::test]
async fn sums_and_ledger_agree_under_any_history() {
    let mut firm = Firm::found(1).await;
    let mut owner = firm.world.database.owner().await;
    let mut calls: Vec<Call> = Vec::new();
    let mut unsettled: Vec<Call> = Vec::new();
    for round in 0..6 {
        for _ in 0..40 {
            let mut call = firm.call();
            // What is below the mark is final: nothing comes there any more.
            if round > 0 {
                call = firm.call_at(firm.world.control.ambient().now());
            }
            if round == 0 && call.verdict == "permit" && firm.random.random_bool(0.05) {
                let late = Call { outcome: None, ..call.clone() };
                late.write(&firm.world, &mut owner).await;
                calls.push(late);
                unsettled.push(call);
            } else {
                call.write(&firm.world, &mut owner).await;
                calls.push(call);
            }
        }
        // Some are settled late, in any order.
        for _ in 0..firm.random.random_range(0..2) {
            if unsettled.is_empty() {
                break;
            }
            let call = unsettled.swap_remove(firm.random.random_range(0..unsettled.len()));
            call.settle(&firm.world, &mut owner).await;
            calls.retain(|known| known.id != call.id);
            calls.push(call);
        }
        // Several workers at once, some of which are stopped half way.
        let mut workers = Vec::new();
        for _ in 0..3 {
            let control = firm.world.another_control().await;
            let patience = Duration::from_millis(firm.random.random_range(0..30));
            workers.push(tokio::spawn(async move {
                let _ = tokio::time::timeout(patience, rollup::advance(&control)).await;
            }));
        }
        for worker in workers {
            worker.await.unwrap();
        }
        agrees(&firm, &calls, &format!("after round {round}")).await;
    }
    for call in unsettled.drain(..) {
        call.settle(&firm.world, &mut owner).await;
        calls.retain(|known| known.id != call.id);
        calls.push(call);
    }
    // All of the past is below the mark in the end, and the page was right all the way.
    let old = firm.world.control.ambient().now() - TimeDelta::minutes(30);
    let past = calls.iter().filter(|call| call.id < at(old)).count() as i64;
    wait_for("the mark", async || {
        firm.advance().await;
        (firm.kept().await >= past).then_some(())
    })
    .await;
    agrees(&firm, &calls, "in the end").await;

    // Thrown away and made again, the same.
    let before = dump(&firm).await;
    rollup::forget(&firm.world.control, firm.world.tenant.tenant).await.unwrap();
    assert_eq!(firm.kept().await, 0);
    agrees(&firm, &calls, "without sums").await;
    wait_for("the mark", async || {
        firm.advance().await;
        (firm.kept().await >= past).then_some(())
    })
    .await;
    agrees(&firm, &calls, "made again").await;
    assert_eq!(dump(&firm).await, before);
}

fn at(time: Timestamp) -> Uuid {
    Uuid::from_u128(u128::try_from(time.timestamp_millis()).unwrap() << 80)
}

/// The sums with what their lines say, as text.
async fn dump(firm: &Firm) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT concat_ws(' ', s.grain, s.since, l.agent_id, l.owner_id, l.on_behalf_of, l.unit_path, l.department_id, l.module_id,
                          l.tool_id, l.currency, s.calls, s.permitted, s.denied, s.failed, s.amount)
         FROM money_sums s JOIN money_lines l ON l.tenant_id = s.tenant_id AND l.id = s.line ORDER BY 1",
    )
    .fetch_all(&mut firm.world.database.owner().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn every_trees_sums_are_those_of_its_leaves() {
    let mut firm = Firm::found(2).await;
    let mut owner = firm.world.database.owner().await;
    let mut calls = Vec::new();
    for _ in 0..150 {
        let call = firm.call();
        call.write(&firm.world, &mut owner).await;
        calls.push(call);
    }
    wait_for("sums", async || {
        firm.advance().await;
        (firm.kept().await > 0).then_some(())
    })
    .await;
    let period = Period::days_to(firm.today(), 90);
    let ask = async |filter: Filter, by: &[Dimension]| {
        firm.ask(&Question { filter, limit: 1_000, ..Question::about(period, Currency::EUR).by(by) }).await
    };
    let sum = |rows: &[Row]| rows.iter().fold(Sums::default(), |sum, row| plus(sum, row.now));
    let whole = sum(&ask(Filter::default(), &[]).await);
    assert_eq!(whole, counted(calls.iter().filter(|call| call.currency == "EUR")));
    for by in Dimension::ALL {
        assert_eq!(sum(&ask(Filter::default(), &[*by]).await), whole, "{by}");
    }
    // Down the tree: a unit is what its children are and what sits in it.
    let mut open: Vec<UnitId> = Vec::new();
    let children = |rows: Vec<Row>| {
        rows.into_iter().filter_map(|row| match row.about[0].subject {
            Subject::Unit(unit) => Some((unit, row.now)),
            _ => None,
        })
    };
    for (unit, now) in children(ask(Filter::default(), &[Dimension::Unit]).await) {
        assert_eq!(sum(&ask(Filter { unit: Some(unit), ..Filter::default() }, &[]).await), now);
        open.push(unit);
    }
    let mut seen = 0;
    while let Some(unit) = open.pop() {
        seen += 1;
        let within = Filter { unit: Some(unit), ..Filter::default() };
        let here = sum(&ask(within.clone(), &[]).await);
        let below: Vec<_> = children(ask(within.clone(), &[Dimension::Unit]).await).collect();
        assert_eq!(below.iter().fold(Sums::default(), |sum, (_, now)| plus(sum, *now)), here);
        assert_eq!(sum(&ask(within, &[Dimension::Team]).await), here);
        for (child, now) in below.into_iter().filter(|(child, _)| *child != unit) {
            // A unit can have had several places over time; here it counts with those calls that came through this one.
            assert!(now.calls > 0);
            if !open.contains(&child) {
                open.push(child);
            }
        }
    }
    assert!(seen >= 6, "{seen}");
}

#[tokio::test]
async fn nothing_that_may_still_come_is_passed_by() {
    let mut firm = Firm::found(3).await;
    let mut owner = firm.world.database.owner().await;
    let now = firm.world.control.ambient().now();
    let settled =
        |call: Call| Call { verdict: "permit", outcome: Some("succeeded"), currency: "EUR", ..call };
    let first = settled(firm.call_at(now - TimeDelta::hours(3)));
    first.write(&firm.world, &mut owner).await;
    // A transaction that has written a call and is not committed yet.
    let mut slow = firm.world.database.owner().await;
    let late = settled(firm.call_at(now - TimeDelta::hours(2)));
    let mut slow = slow.begin().await.unwrap();
    late.write(&firm.world, &mut slow).await;
    for _ in 0..4 {
        firm.advance().await;
    }
    assert_eq!(firm.kept().await, 0, "it might still bring a call from before");
    slow.commit().await.unwrap();
    wait_for("both calls", async || {
        firm.advance().await;
        (firm.kept().await == 2).then_some(())
    })
    .await;
    // A call that runs stops the mark, and only it.
    let runs = Call { outcome: None, ..settled(firm.call_at(now - TimeDelta::minutes(60))) };
    let after = settled(firm.call_at(now - TimeDelta::minutes(50)));
    rollup::forget(&firm.world.control, firm.world.tenant.tenant).await.unwrap();
    runs.write(&firm.world, &mut owner).await;
    after.write(&firm.world, &mut owner).await;
    wait_for("the calls before", async || {
        firm.advance().await;
        (firm.kept().await == 2).then_some(())
    })
    .await;
    for _ in 0..3 {
        firm.advance().await;
    }
    assert_eq!(firm.kept().await, 2);
    agrees(&firm, &[first.clone(), late.clone(), runs.clone(), after.clone()], "while it runs").await;
    let ended = settled(runs);
    ended.settle(&firm.world, &mut owner).await;
    wait_for("all calls", async || {
        firm.advance().await;
        (firm.kept().await == 4).then_some(())
    })
    .await;
    agrees(&firm, &[first, late, ended, after], "after it ended").await;
}

#[tokio::test]
async fn each_sees_what_is_theirs_to_see() {
    let mut firm = Firm::found(4).await;
    let mut owner = firm.world.database.owner().await;
    let mut calls = Vec::new();
    for _ in 0..80 {
        let call = Call { currency: "EUR", ..firm.call() };
        call.write(&firm.world, &mut owner).await;
        calls.push(call);
    }
    let world = &firm.world;
    let period = Period::days_to(firm.today(), 90);
    let question = Question::about(period, Currency::EUR);
    let mine = Question { whose: Whose::Mine, ..question.clone() };
    let amount = async |actor: &Actor, question: &Question| {
        money::spend(&world.control, actor, question).await.map(|answer| answer.total)
    };
    let all = counted(calls.iter());
    for role in [Role::Admin, Role::Auditor, Role::Finance] {
        let actor = with_role(world, &format!("Wh{role}"), role).await;
        assert_eq!(amount(&actor, &question).await.unwrap(), all, "{role}");
        assert_eq!(amount(&actor, &mine).await.unwrap(), Sums::default(), "{role} has no agents");
    }
    let owner_actor = signed_in(world, world.tenant.owner).await;
    assert_eq!(amount(&owner_actor, &question).await.unwrap(), all);
    for role in [Role::Approver, Role::Member] {
        let actor = with_role(world, &format!("Wh{role}"), role).await;
        not_there(amount(&actor, &question).await);
        assert!(!money::may_read(&actor));
    }
    // A person's own: of their agents and on their behalf.
    let ada = UserId::from(firm.people[1]);
    let actor = signed_in(world, ada).await;
    let own = counted(
        calls.iter().filter(|call| call.owner == ada.uuid() || call.on_behalf_of == Some(ada.uuid())),
    );
    assert_eq!(amount(&actor, &mine).await.unwrap(), own);
    assert!(own.calls > 0 && own.calls < all.calls);
    // A role on a unit sees that unit as it was, and below.
    let field = UnitId::from(firm.paths[1][1]);
    users::give_role(&world.control, &world.operator, ada, Role::Finance, Some(field)).await.unwrap();
    let actor = signed_in(world, ada).await;
    let there = counted(calls.iter().filter(|call| call.path.contains(&field.uuid())));
    assert_eq!(amount(&actor, &question).await.unwrap(), there);
    let wider = Question {
        filter: Filter { unit: Some(firm.paths[0][0].into()), ..Filter::default() },
        ..question.clone()
    };
    let both = counted(
        calls
            .iter()
            .filter(|call| call.path.contains(&field.uuid()) && call.path.contains(&firm.paths[0][0])),
    );
    assert_eq!(amount(&actor, &wider).await.unwrap(), both, "asking for more does not give more");
    // Nobody sees another organization's.
    let (_, other) = world.another_tenant("other").await;
    assert_eq!(amount(&other, &question).await.unwrap(), Sums::default());
}

#[tokio::test]
async fn rows_come_in_pages_and_a_cross_table_adds_up() {
    let mut firm = Firm::found(5).await;
    let mut owner = firm.world.database.owner().await;
    for _ in 0..120 {
        let call = Call { currency: "EUR", ..firm.call() };
        call.write(&firm.world, &mut owner).await;
    }
    let world = &firm.world;
    let ask =
        async |question: Question| money::spend(&world.control, &world.operator, &question).await.unwrap();
    let question = Question::about(Period::days_to(firm.today(), 90), Currency::EUR).by(&[Dimension::Team]);
    let all = ask(question.clone()).await;
    let mut paged = Vec::new();
    while paged.len() < all.rows.len() {
        let page = ask(Question { offset: paged.len() as u32, limit: 2, ..question.clone() }).await;
        assert_eq!((page.count, page.total), (all.count, all.total), "a page knows the whole");
        paged.extend(page.rows);
    }
    assert_eq!(paged, all.rows);
    assert!(all.rows.is_sorted_by(|a, b| a.now.amount >= b.now.amount));
    let changed = ask(Question { order: Order::Change, ..question.clone() }).await;
    let change = |row: &Row| (row.now.amount - row.before.amount).abs();
    assert!(changed.rows.is_sorted_by(|a, b| change(a) >= change(b)));
    // Each by itself for two teams, the others together: the row of each agent adds up to the agent, each column to its team.
    let agents = Question { limit: 3, ..question.clone().by(&[Dimension::Agent]) };
    let cross = money::cross(&world.control, &world.operator, &agents, Dimension::Team, 2).await.unwrap();
    assert_eq!((cross.rows.rows.len(), cross.columns.rows.len()), (3, 2));
    assert_eq!((cross.rows.count, cross.rows.total), (4, all.total));
    assert_eq!(cross.columns.rows, all.rows[..2]);
    for agent in &cross.rows.rows {
        let row: Vec<&Row> = cross.cells.iter().filter(|cell| cell.about[0] == agent.about[0]).collect();
        assert!(row.len() <= 3 && row.iter().any(|cell| cell.about[1].subject == Subject::Others));
        assert_eq!(row.iter().fold(Sums::default(), |sum, cell| plus(sum, cell.now)), agent.now);
    }
    let known: Vec<_> = cross.rows.rows.iter().map(|row| row.about[0].clone()).collect();
    assert!(cross.cells.iter().all(|cell| known.contains(&cell.about[0])));
    // Also where one is none: calls of tools that do not exist.
    let tools = Question { limit: 50, ..question.clone().by(&[Dimension::Tool]) };
    let cross =
        money::cross(&world.control, &world.operator, &tools, Dimension::Department, 8).await.unwrap();
    let none = cross.rows.rows.iter().find(|row| row.about[0].subject == Subject::None).unwrap();
    let row = cross.cells.iter().filter(|cell| cell.about[0].subject == Subject::None);
    assert_eq!(row.fold(Sums::default(), |sum, cell| plus(sum, cell.now)), none.now);
    assert!(cross.cells.iter().any(|cell| cell.about[1].subject == Subject::None), "in no department");
    assert_eq!(money::currencies(&world.control, &world.operator).await.unwrap(), [Currency::EUR]);
    let count: i64 = sqlx::query("SELECT count(*) FROM calls").fetch_one(&mut owner).await.unwrap().get(0);
    assert_eq!(all.total.calls as i64 + all.total_before.calls as i64, count);
}
