//! Two nodes over one database: limits that they hold together, and one that is changed through the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use control::ledger::Ledger;
use control::{Control, limits};
use gateway::seams::StateKey;
use gateway::{Gateway, Plugs};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use model::access::Grantee;
use model::limit::{Allowance, OfWhat, Per, Scope, Whose};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use testkit::TestWorld;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::metrics::Metrics;
use crate::plugs;

const EVERYBODY: Scope = Scope { whose: Whose::Everybody, what: OfWhat::Everything, each_agent: false };

/// A node that serves calls, and whose notices of changed rights are not heard: what holds, holds without them.
#[derive(Clone)]
pub(crate) struct Node {
    control: Control,
    router: Router,
    ledger: Ledger,
    stop: CancellationToken,
}

impl Node {
    async fn start(world: &TestWorld, seed: u64) -> Self {
        Self::with(world, seed, gateway::Settings::default()).await
    }

    pub(crate) async fn with(world: &TestWorld, seed: u64, settings: gateway::Settings) -> Self {
        let control = world.node(seed).await;
        let (ambient, metrics) = (control.ambient().clone(), Metrics::new());
        let (ledger, _) = world.ledger(&control).await;
        let plugs = Plugs {
            directories: Arc::new(plugs::Directories {
                directories: control::directory::Directories::new(control.clone()),
                metrics: metrics.clone(),
            }),
            ledger: Arc::new(plugs::Ledger {
                ledger: ledger.clone(),
                ambient: ambient.clone(),
                metrics: metrics.clone(),
            }),
            limits: Arc::new(plugs::Limits { control: control.clone(), metrics }),
            traces: Arc::new(gateway::seams::NoTraces),
            connections: Arc::new(plugs::Connections::new(
                control.clone(),
                plugs::way_out(&settings).unwrap(),
            )),
            catalog: Arc::new(plugs::Catalog { control: control.clone() }),
            native: Arc::new(plugs::NativeModules { control: control.clone() }),
            boot: Arc::new(plugs::BootClock { ambient: ambient.clone() }),
            state_key: StateKey::random(&ambient),
        };
        let gateway = Gateway::new(plugs, settings, ambient).unwrap();
        let stop = CancellationToken::new();
        let (kept, until) = (gateway.clone(), stop.clone());
        tokio::spawn(async move { kept.keep_limits(until).await });
        Self { control, router: gateway.router(), ledger, stop }
    }

    /// Makes a call. `None`: it was let through; else why not, and after how many seconds to try again.
    async fn call(&self, world: &TestWorld, key: &SecretString) -> Option<(String, u64)> {
        let (status, answer) = self.ask(world, key, "crm.list_companies", json!({})).await;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            // A machine with much else to do does not get to the meters in time; nothing was done then.
            return Some((answer["error"]["data"]["code"].as_str().unwrap().to_owned(), 1));
        }
        assert_eq!(status, StatusCode::OK);
        let result = &answer["result"];
        if result["isError"] != true {
            return None;
        }
        let error = &result["structuredContent"]["error"];
        Some((error["code"].as_str().unwrap().to_owned(), error["retry_after"].as_u64().unwrap_or(0)))
    }

    /// Calls a tool: with what it is answered.
    pub(crate) async fn ask(
        &self,
        world: &TestWorld,
        key: &SecretString,
        tool: &str,
        arguments: Value,
    ) -> (StatusCode, Value) {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments}});
        let request = Request::post(format!("/{}/mcp", world.tenant.mcp_id))
            .header(AUTHORIZATION, format!("Bearer {}", key.expose_secret()))
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let text = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&text).unwrap())
    }

    /// Writes down what has ended, and stops.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.ledger.close().await;
    }
}

struct Nodes {
    world: Arc<TestWorld>,
    key: SecretString,
    nodes: [Node; 2],
}

impl Nodes {
    async fn start() -> Self {
        let world = TestWorld::in_real_time().await;
        world.at_noon().await;
        control::modules::enable_native(&world.control, &world.operator, "crm", None).await.unwrap();
        let (agent, key) = world.agent("Scout").await;
        world.grant("crm", Grantee::Agent(agent)).await;
        let nodes = [Node::start(&world, 11).await, Node::start(&world, 12).await];
        Self { world: Arc::new(world), key, nodes }
    }

    /// Both are called by several at a time, without end, for so long and until so many calls were let through: when they were.
    async fn flood(&self, time: Duration, at_least: usize) -> Vec<Instant> {
        let end = Instant::now() + time;
        let never = end + Duration::from_secs(60);
        let all = Arc::new(AtomicUsize::new(0));
        let mut callers = tokio::task::JoinSet::new();
        for node in &self.nodes {
            for _ in 0..3 {
                let (node, world, key) = (node.clone(), Arc::clone(&self.world), self.key.clone());
                let all = Arc::clone(&all);
                let goes_on = move |all: &AtomicUsize| {
                    let now = Instant::now();
                    now < end || (all.load(Ordering::SeqCst) < at_least && now < never)
                };
                callers.spawn(async move {
                    let mut passed = Vec::new();
                    while goes_on(&all) {
                        match node.call(&world, &key).await {
                            None => {
                                all.fetch_add(1, Ordering::SeqCst);
                                passed.push(Instant::now());
                            }
                            Some((code, seconds)) => {
                                assert!(code == "limit_reached" || code == "limits_unavailable", "{code}");
                                assert!(seconds >= 1);
                                tokio::time::sleep(Duration::from_millis(5)).await;
                            }
                        }
                    }
                    passed
                });
            }
        }
        let mut passed: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
        passed.sort();
        passed
    }

    async fn permitted(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM calls WHERE tenant_id = $1 AND verdict = 'permit'")
            .bind(self.world.tenant.tenant.uuid())
            .fetch_one(&mut self.world.database.owner().await)
            .await
            .unwrap()
    }

    async fn stop(self) {
        for node in self.nodes {
            node.end().await;
        }
    }
}

#[tokio::test]
async fn two_nodes_never_overshoot_a_quota_together_and_refusals_do_not_flood_the_record() {
    let it = Nodes::start().await;
    limits::set(&it.nodes[0].control, &it.world.operator, EVERYBODY, Allowance::new(40, Per::Month))
        .await
        .unwrap();
    let begun = Instant::now();
    let passed = it.flood(Duration::from_secs(2), 40).await;
    let took = begun.elapsed().as_secs();
    assert_eq!(passed.len(), 40);
    assert_eq!(it.permitted().await, 40);
    let (world, nodes) = (Arc::clone(&it.world), it.nodes.clone());
    it.stop().await;
    let mut owner = world.database.owner().await;
    let denied: i64 = sqlx::query_scalar("SELECT count(*) FROM calls WHERE verdict = 'deny'")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let counted: i64 =
        sqlx::query_scalar("SELECT coalesce(sum(count), 0) FROM rejections WHERE code = 'limit_reached'")
            .fetch_one(&mut owner)
            .await
            .unwrap();
    // Each node records one in ten seconds.
    let most = nodes.len() as i64 * (1 + i64::try_from(took / 10).unwrap());
    assert!((1..=most).contains(&denied), "{denied} of this flood are on record");
    assert!(counted > 0, "the others are counted");
    // A node that starts now does not begin anew.
    let restarted = Node::start(&world, 13).await;
    let key = world.key(agent(&world).await).await;
    let (code, seconds) = restarted.call(&world, &key).await.unwrap();
    assert!(code == "limit_reached" && seconds > 3600, "{code} {seconds}");
}

async fn agent(world: &TestWorld) -> model::AgentId {
    let (agent, _) = world.agent("Second").await;
    world.grant("crm", Grantee::Agent(agent)).await;
    agent
}

#[tokio::test]
async fn two_nodes_hold_a_rate_together_within_the_stated_error() {
    let it = Nodes::start().await;
    let (rate, burst) = (20.0, 10.0);
    let allowance = Allowance { calls: 20, per: Per::Second, burst: 10 };
    limits::set(&it.nodes[1].control, &it.world.operator, EVERYBODY, allowance).await.unwrap();
    let begun = Instant::now();
    // More than the burst: the rate gives the others while it goes on.
    let passed = it.flood(Duration::from_secs(4), 20).await;
    let took = begun.elapsed().as_secs_f64();
    // Burst and rate, and what each of the two may have drawn ahead: half a second's.
    let most = burst + rate * took + 2.0 * rate / 2.0;
    let number = passed.len() as f64;
    assert!(number <= most, "{number} calls in {took} s, where {most} were the most");
    assert!(number >= 20.0, "{number} calls: it was not used");
    assert_eq!(it.permitted().await, passed.len() as i64);
    it.stop().await;
}

#[tokio::test]
async fn a_limit_that_is_set_through_one_node_holds_on_the_other_at_the_next_call() {
    let it = Nodes::start().await;
    let [one, other] = &it.nodes;
    let operator = &it.world.operator;
    assert_eq!(other.call(&it.world, &it.key).await, None);
    // Its snapshot is of before; the call that is on record counts.
    let limit = limits::set(&one.control, operator, EVERYBODY, Allowance::new(2, Per::Day)).await.unwrap();
    assert_eq!(other.call(&it.world, &it.key).await, None);
    assert_eq!(other.call(&it.world, &it.key).await.unwrap().0, "limit_reached");
    limits::change(&one.control, operator, limit, Allowance::new(3, Per::Day)).await.unwrap();
    assert_eq!(one.call(&it.world, &it.key).await, None);
    assert_eq!(one.call(&it.world, &it.key).await.unwrap().0, "limit_reached");
    // A refusal that is like one on record asks nobody. Where notices are not heard, it may be of a second ago.
    limits::remove(&one.control, operator, limit).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(other.call(&it.world, &it.key).await, None);
    it.stop().await;
}
