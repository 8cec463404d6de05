//! Money: sums and ledger always agree, every tree's sums are those of its leaves, and each sees what is theirs to see.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::firm::{Call, Firm, counted, plus};
use crate::outside::{not_there, signed_in, with_role};
use chrono::{Days, TimeDelta};
use control::money::{self, Dimension, Filter, Order, Period, Question, Row, Subject, Sums, Whose, rollup};
use control::{Actor, users};
use model::people::Role;
use model::{Currency, Timestamp, UnitId, UserId};
use rand::Rng as _;
use sqlx::{Connection as _, Row as _};
use testkit::wait_for;
use uuid::Uuid;

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

/// The sums with what their lines say, and the totals, as text; these must be what the lines come to.
async fn dump(firm: &Firm) -> Vec<String> {
    let mut owner = firm.world.database.owner().await;
    let lines = sqlx::query_scalar(
        "SELECT concat_ws(' ', s.grain, s.since, l.agent_id, l.owner_id, l.on_behalf_of, l.unit_path, l.department_id, l.module_id,
                          l.tool_id, l.currency, s.calls, s.permitted, s.denied, s.failed, s.amount)
         FROM money_sums s JOIN money_lines l ON l.tenant_id = s.tenant_id AND l.id = s.line ORDER BY 1",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    let totals: Vec<String> = sqlx::query_scalar(
        "SELECT concat_ws(' ', dimension, currency, grain, since, subject, calls, permitted, denied, failed, amount)
         FROM money_totals ORDER BY 1",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    let of_lines: Vec<String> = sqlx::query_scalar(
        "SELECT concat_ws(' ', dimension, currency, grain, since, coalesce(subject, '00000000-0000-0000-0000-000000000000'),
                          sum(calls), sum(permitted), sum(denied), sum(failed), sum(amount))
         FROM money_sums s JOIN money_lines l ON l.tenant_id = s.tenant_id AND l.id = s.line
         CROSS JOIN LATERAL (VALUES ('all', NULL), ('department', department_id), ('team', unit_path[cardinality(unit_path)]),
             ('user', coalesce(on_behalf_of, owner_id)), ('agent', agent_id), ('module', module_id), ('tool', tool_id))
             AS about (dimension, subject)
         GROUP BY dimension, currency, grain, since, subject ORDER BY 1",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert_eq!(totals, of_lines);
    [lines, totals].concat()
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
