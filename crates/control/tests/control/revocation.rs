//! Zero-grace revocation, raced on a real database: callers admit without pause while a right is given and
//! withdrawn, and the database's own clock tells whether any call slipped through.
//!
//! The same race is run over two broken variants, and must see what slips through there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use control::Control;
use control::directory::Directories;
use control::ledger::Ledger;
use model::Timestamp;
use model::call::{NotAdmitted, Verdict};
use policy::Directory;
use testkit::{TestWorld, entry};

/// What is wrong with the system under test.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Variant {
    /// Nothing.
    AsBuilt,
    /// Admission runs under REPEATABLE READ (its own refusal of that taken out).
    AdmitUnderRepeatableRead,
    /// The directory is read in pieces: grants first, the epoch in a later transaction.
    DirectoryInPieces,
}

/// What the race saw.
#[derive(Debug, Default)]
struct Seen {
    admitted: u64,
    denied: u64,
    stale: u64,
    revocations: usize,
    violations: i64,
}

async fn now(conn: &mut sqlx::PgConnection) -> Timestamp {
    sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(conn).await.unwrap()
}

/// Reads the directory as built, or wrongly.
async fn read(
    variant: Variant,
    world: &TestWorld,
    control: &Control,
    directories: &Directories,
    seen: Option<&Directory>,
) -> Arc<Directory> {
    if variant == Variant::DirectoryInPieces {
        let mut facts = control::directory::facts(control, world.tenant.tenant).await.unwrap();
        tokio::time::sleep(Duration::from_millis(3)).await;
        facts.epoch = control::directory::facts(control, world.tenant.tenant).await.unwrap().epoch;
        return Arc::new(Directory::build(facts, control.ambient().now()).unwrap());
    }
    match seen {
        None => directories.current(world.tenant.mcp_id).await.unwrap().unwrap(),
        Some(seen) => directories.newer(world.tenant.mcp_id, seen.epoch()).await.unwrap().unwrap(),
    }
}

/// How long it goes on at least.
const LENGTH: Duration = Duration::from_secs(6);
/// How long it goes on at most, while too little was seen.
const LONGEST: Duration = Duration::from_secs(60);
/// Of which more must be seen for it to be a race: calls admitted, denied, and told that what they know is stale.
const ENOUGH: [u64; 3] = [100, 20, 10];

async fn race(variant: Variant) -> Seen {
    let world = Arc::new(TestWorld::in_real_time().await);
    let mut outside = world.database.owner().await;
    if variant == Variant::AdmitUnderRepeatableRead {
        // Takes admit's own check out, and makes every transaction start under the stricter isolation.
        let source: String = sqlx::query_scalar("SELECT pg_get_functiondef('admit'::regproc)")
            .fetch_one(&mut outside)
            .await
            .unwrap();
        let broken = source.replace("<> 'read committed'", "= 'none'");
        assert_ne!(source, broken);
        sqlx::query(sqlx::AssertSqlSafe(broken)).execute(&mut outside).await.unwrap();
        sqlx::query(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''repeatable read''', current_database()); END $$",
        )
        .execute(&mut outside)
        .await
        .unwrap();
    }
    let (agent, key) = world.agent("racer").await;
    let key = TestWorld::hash(&key);
    let grantee = model::access::Grantee::Agent(agent);

    // Two nodes on one database.
    let second = world.another_control().await;
    let mut nodes: Vec<(Control, Ledger, Directories)> = Vec::new();
    let mut leases = Vec::new();
    for control in [world.control.clone(), second] {
        let (ledger, node) = world.ledger(&control).await;
        let directories = world.directories(&control);
        leases.push(node);
        nodes.push((control, ledger, directories));
    }

    let stop = Arc::new(AtomicBool::new(false));
    let counts: Arc<[AtomicU64; 3]> = Arc::default();
    let mut callers = Vec::new();
    for caller in 0..16 {
        let (control, ledger, directories) = nodes[caller % 2].clone();
        let (world, stop, counts) = (world.clone(), stop.clone(), counts.clone());
        callers.push(tokio::spawn(async move {
            let mut directory = read(variant, &world, &control, &directories, None).await;
            while !stop.load(Ordering::Relaxed) {
                let Some(entry) = entry(control.ambient(), &directory, key, "notes.read_note") else {
                    directory = read(variant, &world, &control, &directories, Some(&directory)).await;
                    continue;
                };
                let verdict = entry.verdict;
                match ledger.admit(entry).await {
                    Ok(_) => {
                        counts[usize::from(verdict != Verdict::Permit)].fetch_add(1, Ordering::Relaxed);
                        // A denied caller asks again later, as agents do; it must not depend on being told.
                        if verdict != Verdict::Permit {
                            tokio::time::sleep(Duration::from_millis(1)).await;
                        }
                        // On the node where notifications may not have come yet, the old snapshot is used again.
                    }
                    Err(NotAdmitted::Stale { .. }) => {
                        counts[2].fetch_add(1, Ordering::Relaxed);
                        directory = read(variant, &world, &control, &directories, Some(&directory)).await;
                    }
                    // Groups under REPEATABLE READ sometimes fail to serialize; nothing is admitted then.
                    Err(NotAdmitted::Unavailable) if variant == Variant::AdmitUnderRepeatableRead => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }));
    }

    // Between `withdrawn` and `given`, by the database's clock, nothing may be admitted.
    let mut windows = Vec::new();
    let began = tokio::time::Instant::now();
    let enough = |windows: usize| {
        let seen = [0, 1, 2].map(|n| counts[n].load(Ordering::Relaxed));
        windows > 20 && seen.iter().zip(ENOUGH).all(|(seen, least)| *seen > least)
    };
    // A busy machine races for longer, not less.
    while began.elapsed() < LENGTH || (!enough(windows.len()) && began.elapsed() < LONGEST) {
        // Which can be longer than a lease runs.
        for node in &leases {
            assert!(control::nodes::renew(&world.control, *node).await.unwrap(), "the lease ran out");
        }
        let grant = control::grants::give(
            &world.control,
            &world.operator,
            &"notes:read".parse().unwrap(),
            grantee,
            None,
        )
        .await
        .unwrap();
        tokio::time::sleep(Duration::from_millis(15)).await;
        control::grants::revoke(&world.control, &world.operator, grant).await.unwrap();
        let withdrawn = now(&mut outside).await;
        tokio::time::sleep(Duration::from_millis(15)).await;
        windows.push((withdrawn, now(&mut outside).await));
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    for (_, ledger, _) in nodes {
        ledger.close().await;
    }

    let (from, to): (Vec<_>, Vec<_>) = windows.iter().copied().unzip();
    let violations: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM calls c
         JOIN unnest($1::timestamptz[], $2::timestamptz[]) AS w (withdrawn, given)
           ON c.recorded_at > w.withdrawn AND c.recorded_at < w.given
         WHERE c.verdict = 'permit'",
    )
    .bind(from)
    .bind(to)
    .fetch_one(&mut outside)
    .await
    .unwrap();
    let on_record: i64 =
        sqlx::query_scalar("SELECT count(*) FROM calls").fetch_one(&mut outside).await.unwrap();
    let [admitted, denied, stale] = [0, 1, 2].map(|n| counts[n].load(Ordering::Relaxed));
    assert_eq!(
        on_record,
        i64::try_from(admitted + denied).unwrap(),
        "what was answered as recorded is on record"
    );
    Seen { admitted, denied, stale, revocations: windows.len(), violations }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_admitted_after_its_right_was_withdrawn() {
    let seen = race(Variant::AsBuilt).await;
    println!("{seen:?}");
    let [admitted, denied, stale] = ENOUGH;
    assert!(
        seen.admitted > admitted && seen.denied > denied && seen.stale > stale && seen.revocations > 20,
        "it was a race: {seen:?}"
    );
    assert_eq!(seen.violations, 0, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_race_sees_an_admission_under_repeatable_read() {
    let seen = race(Variant::AdmitUnderRepeatableRead).await;
    println!("{seen:?}");
    assert!(seen.violations > 0, "the race cannot see this fault: {seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_race_sees_a_directory_that_was_read_in_pieces() {
    let seen = race(Variant::DirectoryInPieces).await;
    println!("{seen:?}");
    assert!(seen.violations > 0, "the race cannot see this fault: {seen:?}");
}

#[tokio::test]
async fn who_waits_hears_of_a_revocation_on_every_node() {
    let world = TestWorld::in_real_time().await;
    let (agent, _) = world.agent("listener").await;
    let second = world.another_control().await;
    let nodes = [world.directories(&world.control), world.directories(&second)];
    let grantee = model::access::Grantee::Agent(agent);
    let key = "notes:read".parse().unwrap();
    let grant = control::grants::give(&world.control, &world.operator, &key, grantee, None).await.unwrap();
    let mut waiting = Vec::new();
    for directories in nodes {
        let mcp_id = world.tenant.mcp_id;
        let seen = directories.current(mcp_id).await.unwrap().unwrap().epoch();
        waiting.push(tokio::spawn(async move {
            (seen, directories.moved(mcp_id, seen).await.unwrap().unwrap().epoch())
        }));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()), "nothing has changed yet");
    control::grants::revoke(&world.control, &world.operator, grant).await.unwrap();
    for waiting in waiting {
        let (seen, heard) = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
        assert_ne!(seen, heard);
    }
}

/// A change that comes while the one before it is being read is as much heard as that one, though no call asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_changes_in_quick_succession_is_heard() {
    let world = TestWorld::in_real_time().await;
    let (agent, _) = world.agent("listener").await;
    let directories = world.directories(&world.control);
    let grantee = model::access::Grantee::Agent(agent);
    let key = "notes:read".parse().unwrap();
    let mcp_id = world.tenant.mcp_id;
    directories.current(mcp_id).await.unwrap().unwrap();
    for round in 0..40 {
        let grant =
            control::grants::give(&world.control, &world.operator, &key, grantee, None).await.unwrap();
        // From before the reading has begun to after it is over.
        tokio::time::sleep(Duration::from_micros(250 * round)).await;
        control::grants::revoke(&world.control, &world.operator, grant).await.unwrap();
        let last = control::directory::facts(&world.control, world.tenant.tenant).await.unwrap().epoch;
        let heard = async {
            while directories.current(mcp_id).await.unwrap().unwrap().epoch() != last {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), heard)
            .await
            .unwrap_or_else(|_| panic!("round {round}: the withdrawal was not heard"));
    }
}
