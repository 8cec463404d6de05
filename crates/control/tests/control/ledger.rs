//! The ledger on a real database: groups, settlements, leases, and what tenants see of each other.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use control::ledger::reconcile::interrupt_orphans;
use control::nodes;
use model::access::Grantee;
use model::call::{Entry, NotAdmitted, Outcome, Settlement};
use model::{Currency, Money};
use policy::Directory;
use secrecy::SecretString;
use sqlx::{PgConnection, Row};
use testkit::{TestWorld, entry, wait_for};

async fn count(conn: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

/// A world in which one agent may read notes at a price of 0.25 EUR.
async fn world() -> (TestWorld, SecretString, Arc<Directory>) {
    let world = TestWorld::new().await;
    let (agent, key) = world.agent("reader").await;
    world.grant("notes:read", Grantee::Agent(agent)).await;
    let tool = control::modules::find_tool(&world.control, &world.operator, "notes.read_note").await.unwrap();
    let price = Money { amount: "0.25".parse().unwrap(), currency: Currency::EUR };
    control::modules::set_price(&world.control, &world.operator, tool.id, price).await.unwrap();
    let directory = world.directories(&world.control).current(world.tenant.mcp_id).await.unwrap().unwrap();
    (world, key, directory)
}

fn call(world: &TestWorld, directory: &Directory, key: &SecretString) -> Entry {
    entry(world.control.ambient(), directory, TestWorld::hash(key), "notes.read_note").unwrap()
}

fn ended(world: &TestWorld, entry: &Entry, outcome: Outcome) -> Settlement {
    Settlement {
        tenant: entry.who.tenant,
        call: entry.id,
        settled_at: world.control.ambient().now(),
        outcome,
        duration: Duration::from_millis(12),
        upstream_duration: Some(Duration::from_millis(9)),
        failure: None,
        result: Some(Bytes::from_static(b"{\"content\":[]}")),
        exchange: None,
        result_size: 14,
        result_digest: Some([7; 32]),
        charge: entry.wanted.price,
        rate: entry.wanted.rate,
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_written_does_not_take_its_group_with_it() {
    let (world, key, directory) = world().await;
    let (ledger, _) = world.ledger(&world.control).await;
    let mut admissions = Vec::new();
    for n in 0..40 {
        let mut entry = call(&world, &directory, &key);
        if n == 17 {
            // PostgreSQL stores no NUL in text.
            entry.client.name = Some("a\0b".into());
        }
        let ledger = ledger.clone();
        admissions.push(tokio::spawn(async move { ledger.admit(entry).await }));
    }
    for (n, admission) in admissions.into_iter().enumerate() {
        let said = admission.await.unwrap();
        if n == 17 {
            assert_eq!(said, Err(NotAdmitted::Unavailable));
        } else {
            said.unwrap_or_else(|error| panic!("call {n}: {error}"));
        }
    }
    let mut outside = world.database.owner().await;
    assert_eq!(count(&mut outside, "SELECT count(*) FROM calls").await, 39);
    assert_eq!(count(&mut outside, "SELECT count(*) FROM call_contents").await, 39);
    ledger.close().await;
}

#[tokio::test]
async fn a_settled_call_has_one_charge_however_often_it_is_settled() {
    let (world, key, directory) = world().await;
    let (ledger, _) = world.ledger(&world.control).await;
    let entry = call(&world, &directory, &key);
    let receipt = ledger.admit(entry.clone()).await.unwrap();
    assert_eq!((receipt.call, receipt.arguments_digest), (entry.id, entry.arguments_digest));
    assert_eq!(ledger.admit(entry.clone()).await, Err(NotAdmitted::Exists));
    for outcome in [Outcome::Succeeded, Outcome::Succeeded, Outcome::ToolError] {
        ledger.settle(ended(&world, &entry, outcome));
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    // Nor is a call that was never admitted, or was denied, ever settled.
    let stranger = call(&world, &directory, &key);
    ledger.settle(ended(&world, &stranger, Outcome::Succeeded));
    ledger.close().await;
    let mut outside = world.database.owner().await;
    let row = sqlx::query(
        "SELECT s.outcome, c.amount::text, c.currency, (SELECT count(*) FROM charges), (SELECT count(*) FROM settlement_amendments)
         FROM settlements s JOIN charges c USING (tenant_id, call_id)",
    )
    .fetch_all(&mut outside)
    .await
    .unwrap();
    let row = &row[..];
    assert_eq!(row.len(), 1);
    assert_eq!(row[0].get::<&str, _>(0), "succeeded");
    assert_eq!(row[0].get::<&str, _>(1), "0.2500000000");
    assert_eq!(row[0].get::<&str, _>(2), "EUR");
    assert_eq!((row[0].get::<i64, _>(3), row[0].get::<i64, _>(4)), (1, 0));
}

#[tokio::test]
async fn what_a_dead_node_left_is_interrupted_at_its_reserved_price_and_a_late_report_amends() {
    let (world, key, directory) = world().await;
    let (ledger, node) = world.ledger(&world.control).await;
    let (left, settled) = (call(&world, &directory, &key), call(&world, &directory, &key));
    ledger.admit(left.clone()).await.unwrap();
    ledger.admit(settled.clone()).await.unwrap();
    ledger.settle(ended(&world, &settled, Outcome::Succeeded));

    let other = world.another_control().await;
    let second = nodes::join(&other, "other", "0").await.unwrap();
    assert_eq!(interrupt_orphans(&other, second).await.unwrap(), 0, "the node lives");

    let mut outside = world.database.owner().await;
    wait_for("the settlement", async || {
        let mut outside = world.database.owner().await;
        (count(&mut outside, "SELECT count(*) FROM settlements").await == 1).then_some(())
    })
    .await;
    // The lease runs out, but not yet long enough ago.
    sqlx::query("UPDATE nodes SET lease_until = clock_timestamp() - interval '5 seconds' WHERE id = $1")
        .bind(node.uuid())
        .execute(&mut outside)
        .await
        .unwrap();
    // Calls are left alone until they are older than the grace, too.
    assert_eq!(interrupt_orphans(&other, second).await.unwrap(), 0, "within the grace");
    sqlx::query("UPDATE nodes SET lease_until = clock_timestamp() - interval '1 minute' WHERE id = $1")
        .bind(node.uuid())
        .execute(&mut outside)
        .await
        .unwrap();
    sqlx::query("UPDATE calls SET recorded_at = recorded_at - interval '1 minute'")
        .execute(&mut outside)
        .await
        .unwrap();
    assert_eq!(interrupt_orphans(&other, second).await.unwrap(), 1);
    assert_eq!(interrupt_orphans(&other, second).await.unwrap(), 0, "once");

    // The node was only asleep: what it reports now is kept beside, and nothing is charged again.
    ledger.settle(ended(&world, &left, Outcome::Succeeded));
    ledger.close().await;
    let row = sqlx::query(
        "SELECT s.outcome, c.amount::text, a.outcome
         FROM settlements s JOIN charges c USING (tenant_id, call_id) JOIN settlement_amendments a USING (tenant_id, call_id)
         WHERE call_id = $1",
    )
    .bind(left.id.uuid())
    .fetch_one(&mut outside)
    .await
    .unwrap();
    assert_eq!(
        (row.get::<&str, _>(0), row.get::<&str, _>(1), row.get::<&str, _>(2)),
        ("interrupted", "0.2500000000", "succeeded")
    );
    assert_eq!(count(&mut outside, "SELECT count(*) FROM charges").await, 2);
    assert_eq!(count(&mut outside, "SELECT count(*) FROM nodes").await, 1, "the dead node is forgotten");
}

#[tokio::test]
async fn without_a_lease_nothing_is_admitted() {
    let (world, key, directory) = world().await;
    let (ledger, node) = world.ledger(&world.control).await;
    nodes::leave(&world.control, node).await.unwrap();
    assert!(!nodes::renew(&world.control, node).await.unwrap(), "a lease that has run out is not renewed");
    assert_eq!(ledger.admit(call(&world, &directory, &key)).await, Err(NotAdmitted::Unavailable));
    let next = nodes::join(&world.control, "test", "0").await.unwrap();
    ledger.rejoin(next);
    ledger.admit(call(&world, &directory, &key)).await.unwrap();
    ledger.close().await;
    assert_eq!(ledger.admit(call(&world, &directory, &key)).await, Err(NotAdmitted::Unavailable), "closed");
}

#[tokio::test]
async fn a_decision_whose_time_is_over_behind_the_gate_is_refused_as_expired() {
    let (world, key, directory) = world().await;
    let (ledger, _) = world.ledger(&world.control).await;
    let mut late = call(&world, &directory, &key);
    late.valid_until = Some(world.control.ambient().now() - Duration::from_millis(1));
    assert_eq!(ledger.admit(late).await, Err(NotAdmitted::Expired));
    // Under another epoch it is stale, whatever its time.
    let mut stale = call(&world, &directory, &key);
    stale.epoch.token = uuid::Uuid::nil();
    assert!(
        matches!(ledger.admit(stale).await, Err(NotAdmitted::Stale { current }) if current == directory.epoch())
    );
    // An id from another time would fall into another partition than its call.
    let mut odd = call(&world, &directory, &key);
    odd.id = world.control.ambient().id_at(world.control.ambient().now() - Duration::from_secs(900));
    assert_eq!(ledger.admit(odd).await, Err(NotAdmitted::Unavailable));
    ledger.close().await;
    let mut outside = world.database.owner().await;
    assert_eq!(count(&mut outside, "SELECT count(*) FROM calls").await, 0);
}

#[tokio::test]
async fn tenants_do_not_meet_even_in_statements_that_forget_to_ask() {
    let (world, key, directory) = world().await;
    let (ledger, _) = world.ledger(&world.control).await;
    ledger.admit(call(&world, &directory, &key)).await.unwrap();
    let (other, _) = world.another_tenant("other").await;
    let app = control::database::connect(&world.database.app_url(), 1).await.unwrap();

    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           AND has_table_privilege(c.oid, 'SELECT')",
    )
    .fetch_all(&app)
    .await
    .unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    for table in tables {
        let all = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let unsaid: i64 = sqlx::query_scalar(all).fetch_one(&app).await.unwrap();
        assert_eq!(unsaid, 0, "{table} without a tenant");
        let mut tx = app.begin().await.unwrap();
        sqlx::query("SELECT set_config('app.tenant_id', $1, true)")
            .bind(other.tenant.uuid().to_string())
            .execute(&mut *tx)
            .await
            .unwrap();
        let foreign =
            sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table} WHERE tenant_id <> current_tenant()"));
        let seen: i64 = sqlx::query_scalar(foreign).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(seen, 0, "{table} shows another tenant's rows");
    }
    // Writing into another tenant is refused by the database.
    let mut tx = app.begin().await.unwrap();
    sqlx::query("SELECT set_config('app.tenant_id', $1, true)")
        .bind(other.tenant.uuid().to_string())
        .execute(&mut *tx)
        .await
        .unwrap();
    let refused = sqlx::query(
        "INSERT INTO units (tenant_id, id, kind, name, created_at) VALUES ($1, gen_random_uuid(), 'team', 'x', now())",
    )
    .bind(world.tenant.tenant.uuid())
    .execute(&mut *tx)
    .await
    .unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("42501"), "{refused}");
    ledger.close().await;
}

#[tokio::test]
async fn content_is_sealed_at_rest() {
    let (world, key, directory) = world().await;
    let (ledger, _) = world.ledger(&world.control).await;
    let mut entry = call(&world, &directory, &key);
    entry.arguments = Bytes::from_static(b"{\"salary\":\"hunter2hunter2\"}");
    ledger.admit(entry.clone()).await.unwrap();
    let mut settlement = ended(&world, &entry, Outcome::Succeeded);
    settlement.result = Some(Bytes::from_static(b"{\"content\":\"hunter2hunter2\"}"));
    settlement.exchange = Some(Bytes::from_static(b"[{\"answer\":\"hunter2hunter2\"}]"));
    ledger.settle(settlement);
    ledger.close().await;
    let mut outside = world.database.owner().await;
    let kept: Vec<(String, Vec<u8>)> = sqlx::query("SELECT kind, sealed FROM call_contents ORDER BY kind")
        .fetch_all(&mut outside)
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    assert_eq!(
        kept.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(),
        ["arguments", "exchange", "result"]
    );
    for (kind, sealed) in kept {
        assert!(!sealed.windows(7).any(|window| window == b"hunter2"), "{kind} lies open");
    }
}
