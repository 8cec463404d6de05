//! Limits: set, changed, taken away; drawn from by several nodes at a time; in force on every node at the next call; and what
//! tools' servers may take.

use std::time::Duration;

use chrono::TimeDelta;
use control::limits::meters::{self, Wanted};
use control::limits::{self, About};
use control::units::NewUnit;
use control::{Control, directory, modules};
use model::access::Grantee;
use model::catalog::Timeouts;
use model::limit::{Allowance, OfWhat, Per, Scope, Whose};
use model::people::{Role, UnitKind};
use model::{AgentId, LimitId};
use policy::meter::{Draw, Drawn};
use testkit::{TestWorld, entry, noon};

use crate::outside::{audit, epoch, invalid, not_there, refused, with_role};

const EVERYBODY: Scope = Scope { whose: Whose::Everybody, what: OfWhat::Everything, each_agent: false };

fn of(agent: AgentId) -> Scope {
    Scope { whose: Whose::Agent(agent), ..EVERYBODY }
}

fn need(limit: LimitId, allowance: Allowance, need: u32) -> Wanted {
    Wanted { limit, agent: None, allowance, zone: noon(), draw: Draw { need, ..Draw::default() } }
}

/// An organization whose day does not end while it is looked at.
async fn world() -> TestWorld {
    let world = TestWorld::new().await;
    world.at_noon().await;
    world
}

async fn draw(world: &TestWorld, control: &Control, wanted: &[Wanted]) -> Vec<Drawn> {
    meters::draw(control, world.tenant.tenant, wanted).await.unwrap()
}

async fn used(world: &TestWorld, limit: LimitId) -> u32 {
    limits::one(&world.control, &world.operator, limit).await.unwrap().used
}

#[tokio::test]
async fn a_limit_is_set_changed_and_taken_away_and_each_is_on_record() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let (agent, _) = world.agent("Scout").await;
    let before = epoch(&world).await;
    let limit = limits::set(control, operator, of(agent), Allowance::new(10, Per::Minute)).await.unwrap();
    let read = modules::find_tool(control, operator, "notes.read_note").await.unwrap();
    let narrow = Scope { what: OfWhat::Tool(read.id), each_agent: true, ..EVERYBODY };
    limits::set(control, operator, narrow, Allowance { calls: 60, per: Per::Hour, burst: 5 }).await.unwrap();
    let rows = limits::list(control, operator, About::Everything).await.unwrap();
    let said: Vec<_> =
        rows.iter().map(|row| (row.whose.as_deref(), row.what.is_some(), row.allowance.calls)).collect();
    assert_eq!(said, [(Some("Scout"), false, 10), (None, true, 60)]);
    assert_eq!(rows[1].what.as_ref().unwrap().2.as_deref(), Some("read_note"));
    assert_eq!(rows[0].set_by, "test");

    // One of the same calls in the same time is there; of another time there can be more.
    assert_eq!(
        refused(limits::set(control, operator, of(agent), Allowance::new(9, Per::Minute)).await),
        "already_set"
    );
    limits::set(control, operator, of(agent), Allowance::new(9, Per::Hour)).await.unwrap();
    assert_eq!(
        refused(limits::change(control, operator, limit, Allowance::new(9, Per::Hour)).await),
        "already_set"
    );
    assert_eq!(
        refused(limits::change(control, operator, limit, Allowance::new(10, Per::Minute)).await),
        "nothing_to_do"
    );
    limits::change(control, operator, limit, Allowance { calls: 20, per: Per::Minute, burst: 2 })
        .await
        .unwrap();
    limits::remove(control, operator, limit).await.unwrap();
    not_there(limits::remove(control, operator, limit).await);
    assert_eq!(epoch(&world).await, before + 5, "each moved the epoch, and what was refused did not");
    let told: Vec<_> = audit(&world).await.into_iter().filter(|it| it.contains("limit.")).collect();
    assert_eq!(
        told,
        [
            "operator test limit.set: Scout: all calls",
            "operator test limit.set: Everybody: calls of notes.read_note",
            "operator test limit.set: Scout: all calls",
            "operator test limit.change: Scout: all calls",
            "operator test limit.remove: Scout: all calls",
        ]
    );
}

#[tokio::test]
async fn numbers_that_make_no_limit_and_things_that_are_not_there_are_refused() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let (agent, _) = world.agent("Scout").await;
    let set = |scope, allowance| limits::set(control, operator, scope, allowance);
    for (calls, per, burst, field) in [
        (0, Per::Minute, 0, "calls"),
        (1_000_001, Per::Second, 1, "calls"),
        (1_000_000_001, Per::Month, 1_000_000_001, "calls"),
        (10, Per::Minute, 0, "burst"),
        (10, Per::Minute, 11, "burst"),
        (10, Per::Day, 9, "burst"),
    ] {
        assert_eq!(
            invalid(set(EVERYBODY, Allowance { calls, per, burst }).await),
            field,
            "{calls} {per} {burst}"
        );
    }
    let each = Scope { each_agent: true, ..of(agent) };
    assert_eq!(invalid(set(each, Allowance::new(1, Per::Day)).await), "each_agent");
    let nobody = uuid::Uuid::from_u128(7);
    for scope in [
        of(nobody.into()),
        Scope { whose: Whose::Unit(nobody.into()), ..EVERYBODY },
        Scope { what: OfWhat::Module(nobody.into()), ..EVERYBODY },
        Scope { what: OfWhat::Tool(nobody.into()), ..EVERYBODY },
    ] {
        not_there(set(scope, Allowance::new(1, Per::Day)).await);
    }
    // Another organization's are as if they were not there.
    let (_, stranger) = world.another_tenant("other").await;
    let limit = set(of(agent), Allowance::new(1, Per::Minute)).await.unwrap();
    not_there(limits::one(control, &stranger, limit).await);
    not_there(limits::remove(control, &stranger, limit).await);
    not_there(limits::set(control, &stranger, of(agent), Allowance::new(1, Per::Minute)).await);
    let auditor = with_role(&world, "Audra", Role::Auditor).await;
    limits::list(control, &auditor, About::Everything).await.unwrap();
    not_there(limits::set(control, &auditor, EVERYBODY, Allowance::new(1, Per::Day)).await);
    not_there(limits::list(control, &with_role(&world, "Mel", Role::Member).await, About::Everything).await);
}

#[tokio::test]
async fn nodes_that_draw_at_the_same_time_never_get_more_than_there_is() {
    let world = world().await;
    let quota = Allowance::new(100, Per::Month);
    let limit = limits::set(&world.control, &world.operator, EVERYBODY, quota).await.unwrap();
    let other =
        limits::set(&world.control, &world.operator, EVERYBODY, Allowance::new(7, Per::Hour)).await.unwrap();
    let nodes = [world.another_control().await, world.another_control().await, world.another_control().await];
    let mut drawing = tokio::task::JoinSet::new();
    for round in 0..60 {
        let (control, tenant) = (nodes[round % 3].clone(), world.tenant.tenant);
        drawing.spawn(async move {
            // Each names them in an order of its own.
            let mut wanted = [need(limit, quota, 3), need(other, Allowance::new(7, Per::Hour), 1)];
            if round % 2 == 0 {
                wanted.reverse();
            }
            let drawn = meters::draw(&control, tenant, &wanted).await.unwrap();
            let mut given = drawn
                .iter()
                .zip(wanted)
                .map(|(drawn, wanted)| (wanted.limit, drawn.given))
                .collect::<Vec<_>>();
            given.sort();
            given
        });
    }
    let mut given = std::collections::BTreeMap::new();
    for drawn in drawing.join_all().await {
        for (limit, number) in drawn {
            *given.entry(limit).or_insert(0) += number;
        }
    }
    assert_eq!((given[&limit], given[&other]), (100, 7));
    assert_eq!((used(&world, limit).await, used(&world, other).await), (100, 7));
    // What one of them brings back another gets; a node that starts anew begins with what is used.
    let Drawn { since, .. } = draw(&world, &nodes[0], &[need(limit, quota, 1)]).await[0];
    let back = Draw { back: 4, since, ..Draw::default() };
    draw(&world, &nodes[0], &[Wanted { draw: back, ..need(limit, quota, 0) }]).await;
    let restarted = world.another_control().await;
    let drawn = draw(&world, &restarted, &[need(limit, quota, 9)]).await[0];
    assert_eq!(drawn.given, 4);
    assert!(drawn.wait > Duration::ZERO);
}

#[tokio::test]
async fn a_meter_of_another_organization_is_another_meter() {
    let world = TestWorld::new().await;
    let rate = Allowance::new(1, Per::Hour);
    let limit = limits::set(&world.control, &world.operator, EVERYBODY, rate).await.unwrap();
    assert_eq!(draw(&world, &world.control, &[need(limit, rate, 1)]).await[0].given, 1);
    let (other, _) = world.another_tenant("other").await;
    let drawn = meters::draw(&world.control, other.tenant, &[need(limit, rate, 1)]).await.unwrap();
    assert_eq!(drawn[0].given, 1, "a number that is known does not lead there");
    assert_eq!(used(&world, limit).await, 1);
}

#[tokio::test]
async fn changing_the_numbers_keeps_what_is_used_and_another_time_begins_anew() {
    let world = world().await;
    let (control, operator) = (&world.control, &world.operator);
    let day = |calls| Allowance::new(calls, Per::Day);
    let limit = limits::set(control, operator, EVERYBODY, day(10)).await.unwrap();
    draw(&world, control, &[need(limit, day(10), 8)]).await;
    assert_eq!(limits::change(control, operator, limit, day(9)).await.unwrap(), limit);
    assert_eq!(used(&world, limit).await, 8);
    assert_eq!(draw(&world, control, &[need(limit, day(9), 5)]).await[0].given, 1);
    let month = limits::change(control, operator, limit, Allowance::new(9, Per::Month)).await.unwrap();
    not_there(limits::one(control, operator, limit).await);
    assert_eq!(used(&world, month).await, 0, "no call is on record");
    // A node that has not heard of it draws from the old one.
    draw(&world, control, &[need(limit, day(9), 5)]).await;
    assert_eq!(used(&world, month).await, 0);
    let limit = month;
    // Taken away and set again, it is another limit.
    draw(&world, control, &[need(limit, Allowance::new(9, Per::Month), 5)]).await;
    limits::remove(control, operator, limit).await.unwrap();
    let again = limits::set(control, operator, EVERYBODY, Allowance::new(9, Per::Month)).await.unwrap();
    assert_eq!(used(&world, again).await, 0);
    // What was drawn from limits that are gone was swept up.
    assert_eq!(meters_of(&world).await, 0);
}

#[tokio::test]
async fn a_rate_that_is_used_up_and_is_raised_lets_calls_through_at_once() {
    let world = world().await;
    let (control, operator) = (&world.control, &world.operator);
    let minute = |calls| Allowance::new(calls, Per::Minute);
    let limit = limits::set(control, operator, EVERYBODY, minute(2)).await.unwrap();
    assert_eq!(draw(&world, control, &[need(limit, minute(2), 3)]).await[0].given, 2);
    assert_eq!(limits::change(control, operator, limit, minute(50)).await.unwrap(), limit);
    assert_eq!(draw(&world, control, &[need(limit, minute(50), 40)]).await[0].given, 40);
    limits::change(control, operator, limit, minute(10)).await.unwrap();
    assert_eq!(draw(&world, control, &[need(limit, minute(10), 1)]).await[0].given, 0);
}

async fn meters_of(world: &TestWorld) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM meters WHERE tenant_id = $1")
        .bind(world.tenant.tenant.uuid())
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_quota_of_another_time_keeps_what_is_on_record_of_it_whatever_nodes_draw_from_the_old_one() {
    let world = world().await;
    let (control, operator) = (&world.control, &world.operator);
    let (_, key) = world.agent("Scout").await;
    world.grant("notes", Grantee::Unit(world.tenant.unit)).await;
    let (ledger, _) = world.ledger(control).await;
    let directory = world.directories(control).current(world.tenant.mcp_id).await.unwrap().unwrap();
    for _ in 0..3 {
        let entry = entry(control.ambient(), &directory, TestWorld::hash(&key), "notes.read_note").unwrap();
        ledger.admit(entry).await.unwrap();
    }
    let day = Allowance::new(10, Per::Day);
    let limit = limits::set(control, operator, EVERYBODY, day).await.unwrap();
    let changed = limits::change(control, operator, limit, Allowance::new(10, Per::Month)).await.unwrap();
    assert_eq!(used(&world, changed).await, 3);
    // By the id that a node knows which has not heard of it, and of the time that it knows.
    draw(&world, control, &[need(limit, day, 2)]).await;
    assert_eq!(used(&world, changed).await, 3);
    ledger.close().await;
}

#[tokio::test]
async fn a_draw_waits_for_no_other_for_long_and_says_that_nothing_was_done() {
    let world = world().await;
    let quota = Allowance::new(10, Per::Month);
    let limit = limits::set(&world.control, &world.operator, EVERYBODY, quota).await.unwrap();
    draw(&world, &world.control, &[need(limit, quota, 1)]).await;
    let mut other = world.database.owner().await;
    sqlx::query("BEGIN").execute(&mut other).await.unwrap();
    sqlx::query("SELECT FROM meters FOR UPDATE").execute(&mut other).await.unwrap();
    let wanted = [need(limit, quota, 1)];
    let waited = meters::draw(&world.control, world.tenant.tenant, &wanted);
    let waited = tokio::time::timeout(Duration::from_secs(30), waited).await.unwrap();
    assert!(matches!(waited, Err(meters::NotDrawn::NothingDone(_))), "{waited:?}");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(used(&world, limit).await, 1);
}

#[tokio::test]
async fn limits_are_taken_away_while_nodes_draw_from_them() {
    let world = world().await;
    let (control, operator, tenant) = (&world.control, &world.operator, world.tenant.tenant);
    let mut limits_there = Vec::new();
    for calls in [Per::Second, Per::Minute, Per::Hour] {
        let allowance = Allowance::new(5, calls);
        limits_there.push((limits::set(control, operator, EVERYBODY, allowance).await.unwrap(), allowance));
    }
    let node = world.another_control().await;
    let mut drawing = tokio::task::JoinSet::new();
    for round in 0..40 {
        let (node, mut wanted) = (node.clone(), Vec::new());
        wanted.extend(limits_there.iter().map(|(limit, allowance)| need(*limit, *allowance, 1)));
        wanted.rotate_left(round % 3);
        drawing.spawn(async move { meters::draw(&node, tenant, &wanted).await.map(drop) });
    }
    for (limit, _) in limits_there {
        limits::remove(control, operator, limit).await.unwrap();
    }
    for drawn in drawing.join_all().await {
        drawn.unwrap();
    }
}

#[tokio::test]
async fn with_an_agent_and_with_a_unit_their_limits_are_gone() {
    let world = world().await;
    let (control, operator) = (&world.control, &world.operator);
    let (agent, _) = world.agent("Scout").await;
    let unit = NewUnit { parent: Some(world.tenant.unit), kind: UnitKind::Team, name: "Empty".to_owned() };
    let unit = control::units::create(control, operator, unit).await.unwrap();
    let minute = Allowance::new(3, Per::Minute);
    let limit = limits::set(control, operator, of(agent), minute).await.unwrap();
    draw(&world, control, &[need(limit, minute, 1)]).await;
    let whole = Scope { whose: Whose::Unit(unit), ..EVERYBODY };
    limits::set(control, operator, whole, minute).await.unwrap();
    control::agents::retire(control, operator, agent).await.unwrap();
    control::units::archive(control, operator, unit).await.unwrap();
    // They count no more among those that there may be.
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM limits")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    assert_eq!((left, meters_of(&world).await), (0, 0));
}

#[tokio::test]
async fn a_module_and_a_tool_are_shown_with_every_limit_that_can_stand_in_their_way() {
    let world = world().await;
    let (control, operator) = (&world.control, &world.operator);
    let read = modules::find_tool(control, operator, "notes.read_note").await.unwrap();
    let write = modules::find_tool(control, operator, "notes.write_note").await.unwrap();
    let minute = Allowance::new(3, Per::Minute);
    for what in [OfWhat::Everything, OfWhat::Module(read.module), OfWhat::Tool(read.id)] {
        limits::set(control, operator, Scope { what, ..EVERYBODY }, minute).await.unwrap();
    }
    for (about, number) in
        [(About::Module(read.module), 3), (About::Tool(read.id), 3), (About::Tool(write.id), 2)]
    {
        assert_eq!(limits::list(control, operator, about).await.unwrap().len(), number, "{about:?}");
    }
}

#[tokio::test]
async fn a_quota_begins_with_the_calls_of_its_time_that_are_on_record() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let (scout, key) = world.agent("Scout").await;
    let (helper, other) = world.agent("Helper").await;
    world.grant("notes", Grantee::Unit(world.tenant.unit)).await;
    let (ledger, _) = world.ledger(control).await;
    let directory = world.directories(control).current(world.tenant.mcp_id).await.unwrap().unwrap();
    for key in [&key, &key, &key, &other] {
        let entry = entry(control.ambient(), &directory, TestWorld::hash(key), "notes.read_note").unwrap();
        ledger.admit(entry).await.unwrap();
    }
    let set = |scope, per| limits::set(control, operator, scope, Allowance::new(1000, per));
    assert_eq!(used(&world, set(EVERYBODY, Per::Month).await.unwrap()).await, 4);
    assert_eq!(used(&world, set(of(scout), Per::Day).await.unwrap()).await, 3);
    assert_eq!(used(&world, set(of(helper), Per::Hour).await.unwrap()).await, 0, "a rate is of the present");
    let each = set(Scope { each_agent: true, ..EVERYBODY }, Per::Day).await.unwrap();
    let row = limits::one(control, operator, each).await.unwrap();
    assert_eq!((row.used, row.used_by), (3, Some((scout, "Scout".to_owned()))), "by whom most are used");
    let about = limits::list(control, operator, About::Agent(helper)).await.unwrap();
    let about: Vec<_> = about.iter().map(|row| (row.scope, row.used)).collect();
    let each = Scope { each_agent: true, ..EVERYBODY };
    assert_eq!(
        about,
        [(EVERYBODY, 4), (each, 1), (of(helper), 0)],
        "its own use, and no limit of another agent"
    );
    ledger.close().await;
}

#[tokio::test]
async fn the_directory_has_limits_and_timeouts_and_what_is_no_more_limits_nobody() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let (agent, _) = world.agent("Scout").await;
    limits::set(control, operator, of(agent), Allowance::new(3, Per::Second)).await.unwrap();
    let write = modules::find_tool(control, operator, "notes.write_note").await.unwrap();
    let unit =
        Scope { whose: Whose::Unit(world.tenant.unit), what: OfWhat::Module(write.module), each_agent: true };
    limits::set(control, operator, unit, Allowance { calls: 5, per: Per::Minute, burst: 2 }).await.unwrap();
    let timeouts =
        Timeouts { first_byte: Some(Duration::from_secs(5)), total: Some(Duration::from_secs(300)) };
    modules::set_timeouts(control, operator, write.id, timeouts).await.unwrap();
    let facts = directory::facts(control, world.tenant.tenant).await.unwrap();
    assert_eq!(facts.limits.len(), 2);
    let read = facts.limits.iter().find(|limit| limit.scope == unit).unwrap();
    assert_eq!(read.allowance, Allowance { calls: 5, per: Per::Minute, burst: 2 });
    let by_name = |name: &str| facts.tools.iter().find(|tool| tool.name == name).unwrap().timeouts;
    assert_eq!((by_name("write_note"), by_name("read_note")), (timeouts, Timeouts::default()));

    // With its agent a limit is gone; a directory that named it could not be built.
    control::agents::retire(control, operator, agent).await.unwrap();
    let directory = directory::present(control, world.tenant.tenant).await.unwrap();
    assert_eq!(directory.tenant().id, world.tenant.tenant);
    assert_eq!(limits::list(control, operator, About::Everything).await.unwrap().len(), 1);
}

#[tokio::test]
async fn timeouts_have_bounds_and_are_on_record() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let tool = modules::find_tool(control, operator, "notes.read_note").await.unwrap().id;
    modules::enable_native(control, operator, "crm", None).await.unwrap();
    let native = modules::find_tool(control, operator, "crm.list_companies").await.unwrap().id;
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let begins = Timeouts { first_byte: seconds(5), total: None };
    assert_eq!(invalid(modules::set_timeouts(control, operator, native, begins).await), "first_byte");
    let ends = Timeouts { first_byte: None, total: seconds(5) };
    modules::set_timeouts(control, operator, native, ends).await.unwrap();
    let set = |first_byte: Option<u64>, total: Option<u64>| {
        let time = |seconds: Option<u64>| seconds.map(Duration::from_secs);
        modules::set_timeouts(
            control,
            operator,
            tool,
            Timeouts { first_byte: time(first_byte), total: time(total) },
        )
    };
    assert_eq!(invalid(set(None, Some(0)).await), "total");
    assert_eq!(invalid(set(Some(3601), None).await), "first_byte");
    assert_eq!(invalid(set(Some(6), Some(5)).await), "first_byte");
    assert_eq!(refused(set(None, None).await), "nothing_to_do");
    set(Some(5), Some(5)).await.unwrap();
    set(None, None).await.unwrap();
    let told: Vec<_> = audit(&world).await.into_iter().filter(|it| it.contains("timeouts")).collect();
    assert_eq!(told[0], "operator test tool.set_timeouts: crm.list_companies");
    assert_eq!(told[1..], ["operator test tool.set_timeouts: notes.read_note"; 2]);
}

#[tokio::test]
async fn days_begin_where_the_organization_is() {
    let world = TestWorld::new().await;
    let day = Allowance::new(5, Per::Day);
    let limit = limits::set(&world.control, &world.operator, EVERYBODY, day).await.unwrap();
    let drawn = draw(&world, &world.control, &[need(limit, day, 9)]).await[0];
    let (_, end) = policy::meter::period(Per::Day, noon(), world.control.ambient().now());
    let wait = TimeDelta::from_std(drawn.wait).unwrap();
    let expected = end - world.control.ambient().now();
    assert!((wait - expected).abs() < TimeDelta::minutes(5), "{wait} and {expected}");
    assert_eq!(drawn.given, 5);
}
