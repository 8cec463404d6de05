//! Nodes that share meters in memory, on a clock that moves when everybody waits.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use chrono::TimeDelta;
use model::access::Grantee;
use model::call::Epoch;
use model::catalog::{Feature, ModuleKind, ModuleStanding, Timeouts, ToolStanding};
use model::limit::{Allowance, OfWhat, Per, Scope, Whose};
use model::people::{Standing, UnitKind};
use model::{Currency, Money, Timestamp, Zone};
use parking_lot::Mutex as SyncMutex;
use policy::meter::{Drawn, Meter};
use policy::{
    AgentFact, CredentialFact, Decision, Directory, Facts, GrantFact, LimitFact, ModuleFact, TenantFact,
    ToolFact, UnitFact, UserFact,
};
use uuid::Uuid;

use super::*;
use crate::seams::MeterDraw;

fn id<T: From<Uuid>>(number: u128) -> T {
    T::from(Uuid::from_u128(number))
}

/// Meters that all nodes of a test share.
struct Shared {
    began: Instant,
    meters: SyncMutex<HashMap<Metered, Meter>>,
    draws: AtomicU64,
    broken: AtomicBool,
    /// Draws are made, and their answers get lost.
    mute: AtomicBool,
    /// Milliseconds by which the clock moves each time that it is looked at, as where others have the processor meanwhile.
    lag: AtomicU64,
    lagged: AtomicU64,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            meters: SyncMutex::default(),
            draws: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            mute: AtomicBool::new(false),
            lag: AtomicU64::new(0),
            lagged: AtomicU64::new(0),
        })
    }

    fn now(&self) -> Timestamp {
        let since = TimeDelta::from_std(self.began.elapsed()).unwrap();
        Timestamp::from_timestamp(1_800_000_000, 0).unwrap() + since
    }

    fn draws(&self) -> u64 {
        self.draws.load(Ordering::SeqCst)
    }

    fn taken(&self) -> Vec<i64> {
        self.meters.lock().values().map(|meter| meter.taken).collect()
    }
}

impl BootClock for Shared {
    fn since_boot(&self) -> Duration {
        let lag = self.lag.load(Ordering::SeqCst);
        let lagged = self.lagged.fetch_add(lag, Ordering::SeqCst) + lag;
        Duration::from_secs(1000) + self.began.elapsed() + Duration::from_millis(lagged)
    }
}

#[async_trait]
impl Limits for Shared {
    async fn draw(&self, _: TenantId, draws: Vec<MeterDraw>) -> Result<Vec<Drawn>, NotDrawn> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        if self.broken.load(Ordering::SeqCst) {
            return Err(NotDrawn::NothingDone);
        }
        self.draws.fetch_add(1, Ordering::SeqCst);
        let (now, mut meters) = (self.now(), self.meters.lock());
        let draw = |draw: MeterDraw| {
            let meter = meters.entry(draw.metered).or_default();
            meter.draw(draw.allowance, draw.zone, now, draw.draw)
        };
        let drawn = draws.into_iter().map(draw).collect();
        if self.mute.load(Ordering::SeqCst) { Err(NotDrawn::InDoubt) } else { Ok(drawn) }
    }

    fn reached(&self, _: Scope, _: Per) {}
}

/// An agent that may call one tool, which these limits count.
fn permit(limits: &[(Whose, bool, Allowance)]) -> Permit {
    permit_in(1, limits)
}

fn permit_in(epoch: i64, limits: &[(Whose, bool, Allowance)]) -> Permit {
    let limits = limits.iter().enumerate().map(|(number, (whose, each_agent, allowance))| LimitFact {
        id: id(100 + number as u128),
        scope: Scope { whose: *whose, what: OfWhat::Everything, each_agent: *each_agent },
        allowance: *allowance,
        set_by: "Dana".to_owned(),
    });
    let facts = Facts {
        epoch: Epoch { number: epoch, token: Uuid::nil() },
        tenant: TenantFact {
            id: id(1),
            slug: "acme".parse().unwrap(),
            name: "Acme".to_owned(),
            mcp_id: id(2),
            standing: Standing::Active,
            agents_stopped: false,
            zone: Zone::UTC,
        },
        units: vec![UnitFact { id: id(5), parent: None, kind: UnitKind::Team, name: "Sales".to_owned() }],
        users: vec![UserFact {
            id: id(10),
            name: "Ada".to_owned(),
            home_unit: id(5),
            units: vec![],
            roles: vec![],
            standing: Standing::Active,
        }],
        agents: vec![AgentFact {
            id: id(20),
            name: "Scout".to_owned(),
            owner: id(10),
            home_unit: id(5),
            standing: Standing::Active,
        }],
        credentials: vec![CredentialFact {
            id: id(30),
            agent: id(20),
            on_behalf_of: None,
            secret_hash: [1; 32],
            expires_at: None,
            allowed_addresses: vec![],
        }],
        modules: vec![ModuleFact {
            id: id(40),
            name: "crm".to_owned(),
            title: "CRM".to_owned(),
            kind: ModuleKind::Native,
            url: None,
            connection: None,
            owner: None,
            standing: ModuleStanding::Live,
        }],
        tools: vec![ToolFact {
            id: id(50),
            module: id(40),
            name: "find".to_owned(),
            definition: r#"{"name":"find","inputSchema":{"type":"object"}}"#.to_owned(),
            definition_hash: [2; 32],
            key: "crm:read".parse().unwrap(),
            standing: ToolStanding::Approved,
            price: Money::zero(Currency::EUR),
            rate: None,
            timeouts: Timeouts::default(),
        }],
        grants: vec![GrantFact {
            id: id(60),
            key: "crm".parse().unwrap(),
            grantee: Grantee::Agent(id(20)),
            expires_at: None,
        }],
        bundles: vec![],
        limits: limits.collect(),
    };
    let now = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
    let directory = Directory::build(facts, now).unwrap();
    let who = directory.authenticate(&[1; 32], None, now).unwrap();
    let tool = directory.resolve(&who, Feature::Tool, "crm.find").unwrap();
    match directory.decide(&who, &tool, [0; 32], now) {
        Decision::Permit(permit) => permit,
        other => panic!("not permitted: {other:?}"),
    }
}

fn everybody(allowance: Allowance) -> (Whose, bool, Allowance) {
    (Whose::Everybody, false, allowance)
}

fn node(shared: &Arc<Shared>) -> Arc<Limiter> {
    Arc::new(Limiter::new(Arc::clone(shared) as Arc<dyn Limits>, Arc::clone(shared) as Arc<dyn BootClock>))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

async fn call(node: &Limiter, permit: &Permit) -> Result<(), Short> {
    node.take(permit, soon()).await.map(Taken::spend)
}

/// Both nodes are called without end for `seconds`: when calls were let through.
async fn flood(nodes: &[Arc<Limiter>], permit: &Arc<Permit>, seconds: u64) -> Vec<Instant> {
    let passed: Arc<SyncMutex<Vec<Instant>>> = Arc::default();
    let end = Instant::now() + Duration::from_secs(seconds);
    let callers = nodes.iter().flat_map(|node| (0..4).map(move |caller| (node, caller)));
    let callers = callers.map(|(node, caller)| {
        let (node, permit, passed) = (Arc::clone(node), Arc::clone(permit), Arc::clone(&passed));
        tokio::spawn(async move {
            while Instant::now() < end {
                if call(&node, &permit).await.is_ok() {
                    passed.lock().push(Instant::now());
                }
                tokio::time::sleep(Duration::from_millis(3 + caller)).await;
            }
        })
    });
    futures::future::join_all(callers.collect::<Vec<_>>()).await;
    let mut passed = std::mem::take(&mut *passed.lock());
    passed.sort();
    passed
}

/// The statement of the decision on limits, in any time between two calls: the burst, the rate, and what nodes had drawn ahead.
fn assert_within(passed: &[Instant], rate: f64, burst: f64, nodes: f64) {
    let ahead = nodes * (rate / 2.0).floor();
    for (first, from) in passed.iter().enumerate() {
        for (last, to) in passed.iter().enumerate().skip(first) {
            // Half a millisecond more for what is measured after it was let through.
            let (calls, time) = ((last - first + 1) as f64, (*to - *from).as_secs_f64() + 0.0025);
            let most = burst + rate * time + ahead;
            assert!(calls <= most, "{calls} calls in {time} s, where {most} were the most");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_nodes_hold_a_rate_together_within_the_stated_error_and_use_it_up() {
    for (allowance, rate) in [
        (Allowance { calls: 50, per: Per::Second, burst: 10 }, 50.0),
        (Allowance::new(100, Per::Second), 100.0),
        (Allowance { calls: 60, per: Per::Minute, burst: 5 }, 1.0),
    ] {
        let (shared, stop) = (Shared::new(), CancellationToken::new());
        let nodes = [node(&shared), node(&shared)];
        let permit = Arc::new(permit(&[everybody(allowance)]));
        for node in &nodes {
            let (node, stop) = (Arc::clone(node), stop.clone());
            tokio::spawn(async move { node.keep(&stop).await });
        }
        let passed = flood(&nodes, &permit, 10).await;
        assert_within(&passed, rate, f64::from(allowance.burst), 2.0);
        let all = f64::from(allowance.burst) + rate * 10.0;
        assert!(passed.len() as f64 > 0.85 * all, "{} of {all} were let through", passed.len());
        stop.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_is_never_overshot_and_what_a_node_did_not_use_is_there_for_others() {
    let (shared, stop) = (Shared::new(), CancellationToken::new());
    let nodes = [node(&shared), node(&shared)];
    let permit = Arc::new(permit(&[everybody(Allowance::new(5000, Per::Month))]));
    let kept: Vec<_> = nodes
        .iter()
        .map(|node| {
            let (node, stop) = (Arc::clone(node), stop.clone());
            tokio::spawn(async move { node.keep(&stop).await })
        })
        .collect();
    let mut passed = flood(&nodes, &permit, 1).await.len();
    assert!((100..5000).contains(&passed), "{passed}");
    stop.cancel();
    for kept in kept {
        kept.await.unwrap();
    }
    // Another node goes on where they stopped.
    let last = node(&shared);
    while call(&last, &permit).await.is_ok() {
        passed += 1;
    }
    assert_eq!(passed, 5000);
    let Err(Short::Reached { wait, .. }) = call(&last, &permit).await else { panic!("let through") };
    assert!(wait > Duration::from_secs(24 * 3600), "to the end of the month: {wait:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_made_is_given_back() {
    let shared = Shared::new();
    let (node, permit) = (node(&shared), permit(&[everybody(Allowance::new(1, Per::Hour))]));
    drop(node.take(&permit, soon()).await.unwrap());
    assert!(call(&node, &permit).await.is_ok());
    assert!(matches!(call(&node, &permit).await, Err(Short::Reached { .. })));
    // It was brought back before it was had again: who gets it has to ask.
    assert_eq!(shared.draws(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_from_all_of_its_limits_or_from_none() {
    let shared = Shared::new();
    let (node, wide, narrow) = (node(&shared), Allowance::new(3, Per::Hour), Allowance::new(1, Per::Minute));
    let permit = permit(&[everybody(wide), (Whose::Agent(id(20)), false, narrow)]);
    assert!(call(&node, &permit).await.is_ok());
    for _ in 0..10 {
        let Err(Short::Reached { limit, .. }) = call(&node, &permit).await else { panic!("let through") };
        assert_eq!(limit.allowance, narrow);
    }
    // So much is left of the wide one as if those had never been.
    for expected in [true, true, false] {
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(call(&node, &permit).await.is_ok(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn each_agent_has_a_limit_to_itself_where_it_says_so() {
    let shared = Shared::new();
    let permit = permit(&[(Whose::Everybody, true, Allowance::new(1, Per::Hour))]);
    assert!(call(&node(&shared), &permit).await.is_ok());
    let metered: Vec<Metered> = shared.meters.lock().keys().copied().collect();
    assert_eq!(metered, [Metered { limit: id(100), agent: Some(id(20)) }]);
}

#[tokio::test(start_paused = true)]
async fn most_calls_ask_nobody_and_a_closed_limit_is_asked_for_once_a_second() {
    let (shared, stop) = (Shared::new(), CancellationToken::new());
    let (node, allowance) = (node(&shared), Allowance::new(1000, Per::Second));
    let permit = permit(&[everybody(allowance)]);
    let kept = {
        let (node, stop) = (Arc::clone(&node), stop.clone());
        tokio::spawn(async move { node.keep(&stop).await })
    };
    for _ in 0..1000 {
        assert!(call(&node, &permit).await.is_ok());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(shared.draws() < 40, "{} draws for 1,000 calls in 5 s", shared.draws());
    stop.cancel();
    kept.await.unwrap();

    let shared = Shared::new();
    let (node, permit) =
        (super::tests::node(&shared), super::tests::permit(&[everybody(Allowance::new(1, Per::Day))]));
    assert!(call(&node, &permit).await.is_ok());
    for _ in 0..1000 {
        assert!(call(&node, &permit).await.is_err());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!((5..=7).contains(&shared.draws()), "{} draws in 5 s", shared.draws());
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_widened_or_narrowed_holds_so_at_once() {
    let shared = Shared::new();
    let node = node(&shared);
    let of = |calls| permit(&[everybody(Allowance::new(calls, Per::Day))]);
    assert!(call(&node, &of(1)).await.is_ok());
    assert!(call(&node, &of(1)).await.is_err());
    assert!(call(&node, &of(3)).await.is_ok());
    assert!(call(&node, &of(2)).await.is_err());
    assert!(call(&node, &of(3)).await.is_ok());
    assert!(call(&node, &of(3)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn when_meters_cannot_be_reached_nothing_is_let_through_beyond_what_was_drawn() {
    let (shared, stop) = (Shared::new(), CancellationToken::new());
    let (node, permit) = (node(&shared), permit(&[everybody(Allowance::new(100, Per::Month))]));
    for _ in 0..10 {
        assert!(call(&node, &permit).await.is_ok());
    }
    node.tend(Account::wants_by_the_clock).await;
    shared.broken.store(true, Ordering::SeqCst);
    // It cannot bring back what it has, so it keeps it.
    node.tend(Account::wants_by_the_clock).await;
    let mut made = 10;
    while call(&node, &permit).await.is_ok() {
        made += 1;
    }
    assert_eq!(made, 10 + 20);
    assert!(matches!(call(&node, &permit).await, Err(Short::Unknown)));
    shared.broken.store(false, Ordering::SeqCst);
    while call(&node, &permit).await.is_ok() {
        made += 1;
    }
    assert_eq!(made, 100);
    stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_it_is_drawn_takes_nothing_along() {
    let shared = Shared::new();
    let (node, permit) = (node(&shared), Arc::new(permit(&[everybody(Allowance::new(2, Per::Day))])));
    let left = tokio::time::timeout(Duration::from_millis(1), call(&node, &permit)).await;
    assert!(left.is_err());
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(call(&node, &permit).await.is_ok());
    assert!(call(&node, &permit).await.is_ok());
    assert!(call(&node, &permit).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn many_who_wait_share_a_draw() {
    let shared = Shared::new();
    let (node, permit) = (node(&shared), Arc::new(permit(&[everybody(Allowance::new(150, Per::Day))])));
    let callers = (0..200).map(|_| {
        let (node, permit) = (Arc::clone(&node), Arc::clone(&permit));
        tokio::spawn(async move { call(&node, &permit).await.is_ok() })
    });
    let passed = futures::future::join_all(callers.collect::<Vec<_>>()).await;
    assert_eq!(passed.into_iter().filter(|passed| *passed.as_ref().unwrap()).count(), 150);
    assert!(shared.draws() <= 3, "{} draws", shared.draws());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_used_any_more_is_forgotten_once_it_is_brought_back() {
    let (shared, stop) = (Shared::new(), CancellationToken::new());
    let (node, permit) = (node(&shared), permit(&[everybody(Allowance::new(1000, Per::Month))]));
    let kept = {
        let (node, stop) = (Arc::clone(&node), stop.clone());
        tokio::spawn(async move { node.keep(&stop).await })
    };
    for _ in 0..100 {
        assert!(call(&node, &permit).await.is_ok());
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(node.tenants.read().is_empty());
    assert_eq!(node.kept.load(Ordering::SeqCst), 0);
    assert_eq!(shared.taken(), [100]);
    stop.cancel();
    kept.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_drawn_of_a_wider_limit_is_not_let_through_under_a_narrower_one() {
    let shared = Shared::new();
    let (one, other) = (node(&shared), node(&shared));
    let of = |calls| permit(&[everybody(Allowance::new(calls, Per::Day))]);
    for _ in 0..40 {
        assert!(call(&one, &of(1000)).await.is_ok());
    }
    // It has drawn ahead for as many again, and more is used already than the limit is of from now on.
    one.tend(Account::wants_by_the_clock).await;
    assert!(shared.taken()[0] > 100, "{:?}", shared.taken());
    let mut made = 40;
    for _ in 0..100 {
        for node in [&one, &other] {
            made += i32::from(call(node, &of(50)).await.is_ok());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(made, 50);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_changed_while_it_is_drawn_is_not_exceeded_by_what_comes() {
    let shared = Shared::new();
    let node = node(&shared);
    let of = |epoch: i64, calls| permit_in(epoch, &[everybody(Allowance::new(calls, Per::Day))]);
    let (wide, narrow) = (Arc::new(of(1, 1000)), of(2, 2));
    let callers = (0..20).map(|_| {
        let (node, wide) = (Arc::clone(&node), Arc::clone(&wide));
        tokio::spawn(async move { node.take(&wide, soon()).await.map(drop).is_ok() })
    });
    let callers: Vec<_> = callers.collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    // While twenty are drawn of the wider one.
    let mut made = i32::from(call(&node, &narrow).await.is_ok());
    for ended in futures::future::join_all(callers).await {
        ended.unwrap();
    }
    for _ in 0..20 {
        made += i32::from(call(&node, &narrow).await.is_ok());
        tokio::time::sleep(Duration::from_millis(600)).await;
        node.tend(Account::wants_by_the_clock).await;
    }
    assert_eq!(made, 2);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_brought_back_is_not_let_through_as_well() {
    let shared = Shared::new();
    let (one, other) = (node(&shared), node(&shared));
    let permit = permit(&[everybody(Allowance::new(100, Per::Month))]);
    for _ in 0..10 {
        assert!(call(&one, &permit).await.is_ok());
    }
    one.tend(Account::wants_by_the_clock).await;
    // The answer to what brings them back gets lost.
    shared.mute.store(true, Ordering::SeqCst);
    one.tend(Account::wants_nothing_more).await;
    shared.mute.store(false, Ordering::SeqCst);
    let mut made = 10;
    for node in [&other, &one] {
        while call(node, &permit).await.is_ok() {
            made += 1;
        }
    }
    assert_eq!(made, 100);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_late_does_not_come_on_top_of_a_rate() {
    let shared = Shared::new();
    let node = node(&shared);
    let permit = permit(&[everybody(Allowance { calls: 60, per: Per::Minute, burst: 5 })]);
    let mut taken = Vec::new();
    for _ in 0..5 {
        taken.push(node.take(&permit, soon()).await.unwrap());
    }
    // The rate has given them anew by then.
    tokio::time::sleep(Duration::from_secs(60)).await;
    drop(taken);
    let mut made = 0;
    while call(&node, &permit).await.is_ok() {
        made += 1;
    }
    assert_eq!(made, 5);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_when_its_day_is_over_is_not_of_the_next() {
    let shared = Shared::new();
    let (node, permit) = (node(&shared), permit(&[everybody(Allowance::new(2, Per::Day))]));
    let taken = node.take(&permit, soon()).await.unwrap();
    // The world begins at 8:00.
    tokio::time::sleep(Duration::from_secs(17 * 3600)).await;
    // Somebody looks, and finds that it is over.
    node.tend(Account::wants_by_the_clock).await;
    drop(taken);
    let mut made = 0;
    while call(&node, &permit).await.is_ok() {
        made += 1;
    }
    assert_eq!(made, 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_where_there_is_too_little_is_told_so_however_slow_the_machine_is() {
    let shared = Shared::new();
    shared.lag.store(5, Ordering::SeqCst);
    let node = node(&shared);
    let permit = Arc::new(permit(&[everybody(Allowance { calls: 1000, per: Per::Second, burst: 10 })]));
    let callers = (0..500).map(|_| {
        let (node, permit) = (Arc::clone(&node), Arc::clone(&permit));
        tokio::spawn(async move { call(&node, &permit).await })
    });
    let callers: Vec<_> = callers.collect();
    let ended = futures::future::join_all(callers).await;
    let unknown = ended.iter().filter(|ended| matches!(ended.as_ref().unwrap(), Err(Short::Unknown))).count();
    assert_eq!(unknown, 0);
    assert!(shared.draws() <= 10, "{} draws", shared.draws());
}

#[tokio::test(start_paused = true)]
async fn it_is_told_how_long_the_longest_of_several_limits_leaves_no_room() {
    let shared = Shared::new();
    let node = node(&shared);
    let permit = permit(&[
        everybody(Allowance::new(1, Per::Minute)),
        (Whose::Agent(id(20)), false, Allowance::new(1, Per::Hour)),
    ]);
    assert!(call(&node, &permit).await.is_ok());
    for _ in 0..3 {
        let Err(Short::Reached { limit, wait }) = call(&node, &permit).await else { panic!("let through") };
        assert_eq!(limit.allowance.per, Per::Hour);
        assert!(wait > Duration::from_secs(3000), "{wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_organization_does_not_take_the_place_of_all() {
    let shared = Shared::new();
    let node = node(&shared);
    let permit = permit(&[(Whose::Everybody, true, Allowance::new(1, Per::Hour))]);
    let limit = permit.limits().next().unwrap();
    let (books, others) = (node.books(id(1)), node.books(id(9)));
    for agent in 0..MOST_OF_ONE as u128 {
        assert!(node.account(&books, limit, id(1000 + agent)).is_some());
    }
    assert!(node.account(&books, limit, id(1)).is_none());
    assert!(node.account(&books, limit, id(1000)).is_some(), "it is there");
    assert!(node.account(&others, limit, id(1)).is_some());
}
