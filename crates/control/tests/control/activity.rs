//! Activity: every call on exactly one page, seen by whom it concerns, and told as it happens.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::office::Office;
use crate::outside::{not_there, signed_in, user, with_role};
use bytes::Bytes;
use chrono::{SubsecRound as _, TimeDelta};
use control::activity::{self, Filter, Page};
use control::credentials;
use control::units::{self, NewUnit};
use control::{Actor, users};
use futures::StreamExt as _;
use model::CallId;
use model::access::Grantee;
use model::call::{CallRow, Content, Entry, Outcome, Rejection, Verdict};
use model::people::{Role, UnitKind};
use policy::Directory;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, TestRng, TestRunner};
use sha2::{Digest as _, Sha256};
use testkit::TestWorld;

#[tokio::test]
async fn every_call_is_on_exactly_one_page_whichever_way_one_turns() {
    let office = Office::open(TestWorld::new().await).await;
    let (world, control) = (&office.world, office.control());
    let (reader, reader_key) = world.agent("Reader").await;
    let (writer, writer_key) = world.agent("Writer").await;
    world.grant("notes:read", Grantee::Agent(reader)).await;
    world.grant("notes", Grantee::Agent(writer)).await;
    let now = control.ambient().now();
    // Around 60 calls within eight minutes, several of them in the same millisecond; some denied.
    let templates = [
        office.entry(&reader_key, "notes.read_note").await,
        office.entry(&writer_key, "notes.write_note").await,
        Entry { verdict: Verdict::Deny, ..office.entry(&reader_key, "notes.read_note").await },
    ];
    let mut admitted = Vec::new();
    for n in 0..60i64 {
        let at = now - TimeDelta::seconds((n * 37) % 8 * 60);
        let entry =
            Entry { id: control.ambient().id_at(at), received_at: at, ..templates[(n % 3) as usize].clone() };
        admitted.push(office.ledger.admit(entry).await.unwrap().call);
    }
    for (n, call) in admitted.iter().enumerate().filter(|(n, _)| n % 3 != 2) {
        let outcome = if n % 2 == 0 { Outcome::Succeeded } else { Outcome::ToolError };
        office.settle(*call, outcome, None, 0);
    }
    for call in admitted.iter().enumerate().filter(|(n, _)| n % 3 != 2).map(|(_, call)| call) {
        office.settled(*call).await;
    }

    let module = activity::choices(control, &world.operator).await.unwrap().modules[0].0;
    // Ids know the time to the millisecond.
    let minutes = move |minutes: i64| now.trunc_subsecs(3) - TimeDelta::minutes(minutes);
    let filters = (
        proptest::option::of((0..9i64).prop_map(minutes)),
        proptest::option::of((0..9i64).prop_map(minutes)),
        proptest::option::of(proptest::sample::select(vec![reader, writer])),
        proptest::option::of(proptest::strategy::Just(module)),
        proptest::option::of(proptest::sample::select(vec!["NOTE", "write", "%", "_note", "nothing"])),
        proptest::option::of(proptest::sample::select(Verdict::ALL.to_vec())),
        proptest::option::of(proptest::sample::select(vec![Outcome::Succeeded, Outcome::ToolError])),
        1..14u16,
    );
    let all = office.rows(&world.operator, &Filter::default()).await;
    assert_eq!(all.len(), 60);
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(Default::default()));
    let mut fitting = 0;
    for _ in 0..80 {
        let (from, to, agent, module, tool, verdict, outcome, limit) =
            filters.new_tree(&mut runner).unwrap().current();
        let tool = tool.map(str::to_owned);
        let filter = Filter { from, to, agent, module, tool, verdict, outcome, ..Filter::default() };
        // What should be found, said once more in plain words.
        let expected: Vec<CallId> = all
            .iter()
            .filter(|row| {
                from.is_none_or(|from| row.received_at >= from)
                    && to.is_none_or(|to| row.received_at < to)
                    && agent.is_none_or(|agent| row.agent == agent)
                    && filter.tool.as_ref().is_none_or(|tool| row.tool_name.contains(&tool.to_lowercase()))
                    && verdict.is_none_or(|verdict| row.verdict == verdict)
                    && outcome.is_none_or(|outcome| row.outcome == Some(outcome))
            })
            .map(|row| row.id)
            .collect();
        fitting += usize::from(expected.len() > usize::from(limit));

        let list = |page| activity::list(control, &world.operator, &filter, page, limit);
        let mut down = Vec::new();
        let mut page = Page::Newest;
        loop {
            let listing = list(page).await.unwrap();
            assert_eq!(listing.has_newer, !down.is_empty(), "{filter:?} {page:?}");
            assert_eq!(
                listing.has_older,
                down.len() + listing.rows.len() < expected.len(),
                "{filter:?} {page:?}"
            );
            down.extend(listing.rows.iter().map(|row| row.id));
            match listing.rows.last() {
                Some(last) if listing.has_older => page = Page::Before(last.id),
                _ => break,
            }
        }
        assert_eq!(down, expected, "{filter:?} by {limit}");

        // And back up again from the oldest.
        let Some(oldest) = expected.last() else { continue };
        let mut up = vec![*oldest];
        let mut page = Page::After(*oldest);
        loop {
            let listing = list(page).await.unwrap();
            assert!(listing.has_older);
            assert_eq!(listing.has_newer, up.len() + listing.rows.len() < expected.len());
            up.extend(listing.rows.iter().rev().map(|row| row.id));
            match listing.rows.first() {
                Some(first) if listing.has_newer => page = Page::After(first.id),
                _ => break,
            }
        }
        up.reverse();
        assert_eq!(up, expected, "{filter:?} by {limit}, upwards");
    }
    assert!(fitting > 10, "the filters leave something to page through: {fitting}");
    office.ledger.close().await;
}

#[tokio::test]
async fn calls_are_seen_by_whom_they_concern() {
    let office = Office::open(TestWorld::new().await).await;
    let (world, control) = (&office.world, office.control());
    let unit = |parent, name: &str| {
        let new = NewUnit { parent, kind: UnitKind::Team, name: name.to_owned() };
        units::create(control, &world.operator, new)
    };
    let sales = unit(None, "Sales").await.unwrap();
    let emea = unit(Some(sales), "EMEA").await.unwrap();
    let (ada, ben) =
        (user(world, "Ada", Some(Role::Member)).await, user(world, "Ben", Some(Role::Member)).await);
    let (adas, adas_key) = office.agent_of("Ada's", ada, emea, None).await;
    let (shared, for_ben) = office.agent_of("Shared", world.tenant.owner, world.tenant.unit, Some(ben)).await;
    world.grant("notes", Grantee::Agent(adas)).await;
    world.grant("notes", Grantee::Agent(shared)).await;
    let by_adas = office.call(&adas_key, "notes.read_note").await;
    let for_bens = office.call(&for_ben, "notes.read_note").await;

    let chief = user(world, "Chief", None).await;
    users::give_role(control, &world.operator, chief, Role::Auditor, Some(sales)).await.unwrap();
    let both = BTreeSet::from([by_adas, for_bens]);
    let owner = signed_in(world, world.tenant.owner).await;
    let (ada, ben, chief) =
        (signed_in(world, ada).await, signed_in(world, ben).await, signed_in(world, chief).await);
    for (actor, sees) in [
        (&world.operator, both.clone()),
        (&owner, both.clone()),
        (&with_role(world, "Fin", Role::Finance).await, both.clone()),
        (&with_role(world, "App", Role::Approver).await, BTreeSet::new()),
        (&ada, BTreeSet::from([by_adas])),
        (&ben, BTreeSet::from([for_bens])),
        // A role on Sales reaches EMEA below it.
        (&chief, BTreeSet::from([by_adas])),
    ] {
        assert_eq!(office.ids(actor, &Filter::default()).await, sees, "{}", actor.name());
        for call in &both {
            let story = activity::story(control, actor, *call).await.unwrap();
            assert_eq!(story.is_some(), sees.contains(call), "{}", actor.name());
        }
    }
    let agents = |actor: Actor| async move {
        let choices = activity::choices(control, &actor).await.unwrap();
        choices.agents.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
    };
    assert_eq!(agents(owner.clone()).await, ["Ada's", "Shared"]);
    assert_eq!(agents(ada).await, ["Ada's"]);
    assert_eq!(agents(ben.clone()).await, ["Shared"]);
    assert_eq!(agents(chief).await, ["Ada's"]);
    not_there(activity::rejections(control, &ben, 10).await);

    // Another organization, and an agent, see nothing.
    let (_, theirs) = world.another_tenant("other").await;
    assert!(office.ids(&theirs, &Filter::default()).await.is_empty());
    assert_eq!(activity::story(control, &theirs, by_adas).await.unwrap(), None);
    let entry = office.entry(&adas_key, "notes.read_note").await;
    not_there(activity::list(control, &Actor::agent(entry.who), &Filter::default(), Page::Newest, 10).await);
    office.ledger.close().await;
}

#[tokio::test]
async fn a_story_is_whole_and_its_content_only_for_whom_it_is() {
    let office = Office::open(TestWorld::new().await).await;
    let (world, control) = (&office.world, office.control());
    let ben = user(world, "Ben", Some(Role::Member)).await;
    let (agent, key) =
        office.agent_of("Inbox helper", world.tenant.owner, world.tenant.unit, Some(ben)).await;
    world.grant("notes", Grantee::Agent(agent)).await;
    world.grant("notes", Grantee::User(ben)).await;
    let arguments = Bytes::from_static(br#"{"id":7,"note":"\u0000 kept byte for byte "}"#);
    let mut entry = office.entry(&key, "notes.read_note").await;
    entry.arguments_digest = Sha256::digest(&arguments).into();
    entry.arguments = arguments.clone();
    entry.client.name = Some("claude-code".into());
    entry.client.version = Some("2.1".into());
    entry.client.protocol = Some("2025-11-25".into());
    entry.client.address = Some("2001:db8::7".parse().unwrap());
    let call = office.ledger.admit(entry).await.unwrap().call;

    let running = activity::story(control, &world.operator, call).await.unwrap().unwrap();
    assert_eq!((running.row.outcome, running.settled_at, &running.result), (None, None, &Content::None));
    office.settle(call, Outcome::Succeeded, Some(br#"{"content":[]}"#), 14);
    office.settled(call).await;

    let story = activity::story(control, &signed_in(world, ben).await, call).await.unwrap().unwrap();
    assert_eq!(story.arguments, Content::Text(String::from_utf8(arguments.to_vec()).unwrap()));
    assert_eq!(story.result, Content::Text(r#"{"content":[]}"#.to_owned()));
    assert_eq!(story.exchange, Content::Text(r#"[{"method":"roots/list"}]"#.to_owned()));
    assert_eq!(story.arguments_digest, hex::encode(Sha256::digest(&arguments)));
    let row = &story.row;
    assert_eq!((row.agent_name.as_str(), row.owner_name.as_str()), ("Inbox helper", "Olga Owner"));
    assert_eq!(
        (row.on_behalf_of_name.as_deref(), row.unit_name.as_deref()),
        (Some("Ben"), Some("Operations"))
    );
    assert_eq!(
        (row.verdict, row.outcome, row.duration_us),
        (Verdict::Permit, Some(Outcome::Succeeded), Some(1500))
    );
    assert_eq!(row.charge.unwrap().to_string(), "0.25 EUR");
    assert_eq!((story.upstream_us, story.unit_path.as_slice()), (Some(1200), &["Operations".to_owned()][..]));
    assert_eq!(
        (story.client.as_deref(), story.protocol.as_deref()),
        (Some("claude-code 2.1"), Some("2025-11-25"))
    );
    assert_eq!(
        (story.address.as_deref(), story.module_title.as_deref()),
        (Some("2001:db8::7"), Some("notes"))
    );
    assert_eq!(story.credential.as_ref().map(|(name, _)| name.as_str()), Some("laptop"));
    assert!(!story.policies.is_empty() && story.policy_version.len() == 64);

    for (role, sees) in [(Role::Auditor, true), (Role::Admin, true), (Role::Finance, false)] {
        let reader = with_role(world, &format!("R{role}"), role).await;
        let story = activity::story(control, &reader, call).await.unwrap().unwrap();
        assert_eq!(story.arguments != Content::Withheld, sees, "{role}");
        assert_eq!(story.result != Content::Withheld, sees, "{role}");
        assert_eq!(story.exchange != Content::Withheld, sees, "{role}");
    }

    // What is too large is not kept; what failed says why; a denial says what is missing.
    let large = office.call(&key, "notes.read_note").await;
    office.settle(large, Outcome::UpstreamError, None, 9_000_000);
    office.settled(large).await;
    let story = activity::story(control, &world.operator, large).await.unwrap().unwrap();
    assert_eq!(story.result, Content::TooLarge(9_000_000));
    assert_eq!(story.failure.unwrap().code, "test");
    let (_, stranger) = world.agent("Stranger").await;
    let facts = control::directory::facts(control, world.tenant.tenant).await.unwrap();
    let directory = Directory::build(facts, control.ambient().now()).unwrap();
    if let Some(entry) =
        testkit::entry(control.ambient(), &directory, TestWorld::hash(&stranger), "notes.read_note")
    {
        assert_eq!(entry.verdict, Verdict::Deny);
        let denied = office.ledger.admit(entry).await.unwrap().call;
        let story = activity::story(control, &world.operator, denied).await.unwrap().unwrap();
        assert_eq!(story.row.reason.unwrap().missing_key, Some("notes:read".parse().unwrap()));
    }
    assert_eq!(activity::story(control, &world.operator, control.ambient().id()).await.unwrap(), None);
    office.ledger.close().await;
}

#[tokio::test]
async fn content_that_was_moved_to_another_call_does_not_open() {
    let office = Office::open(TestWorld::new().await).await;
    let (agent, key) = office.world.agent("Reader").await;
    office.world.grant("notes", Grantee::Agent(agent)).await;
    let (one, other) =
        (office.call(&key, "notes.read_note").await, office.call(&key, "notes.read_note").await);
    sqlx::query(
        "UPDATE call_contents SET sealed = (SELECT sealed FROM call_contents WHERE call_id = $1) WHERE call_id = $2",
    )
    .bind(one.uuid())
    .bind(other.uuid())
    .execute(&mut office.world.database.owner().await)
    .await
    .unwrap();
    activity::story(office.control(), &office.world.operator, one).await.unwrap().unwrap();
    let moved = activity::story(office.control(), &office.world.operator, other).await;
    assert!(matches!(moved, Err(control::Error::Inconsistent { .. })), "{moved:?}");
    office.ledger.close().await;
}

#[tokio::test]
async fn rejected_requests_are_listed_with_what_is_known_of_them() {
    let office = Office::open(TestWorld::new().await).await;
    let (world, control) = (&office.world, office.control());
    let (agent, _) = world.agent("Reader").await;
    let known = credentials::list(control, &world.operator, Some(agent)).await.unwrap().remove(0);
    for (code, credential) in [
        ("expired_key", Some(known.view.id)),
        ("unknown_key", None),
        ("unknown_key", None),
        ("unknown_key", None),
    ] {
        office.ledger.reject(Rejection {
            id: control.ambient().id(),
            tenant: world.tenant.tenant,
            at: control.ambient().now(),
            code,
            status: 401,
            credential,
            address: Some("192.0.2.7".parse().unwrap()),
        });
    }
    office.ledger.close().await;
    let rows = activity::rejections(control, &world.operator, 10).await.unwrap();
    let expired = rows.iter().find(|row| row.code == "expired_key").unwrap();
    assert_eq!(expired.credential, Some(format!("test ({}…)", known.view.prefix)));
    let unknown: u32 = rows.iter().filter(|row| row.code == "unknown_key").map(|row| row.count).sum();
    assert_eq!((unknown, expired.status, expired.address.as_deref()), (3, 401, Some("192.0.2.7")));
}

#[tokio::test]
async fn a_follower_is_told_of_calls_as_they_begin_and_as_they_end() {
    let office = Office::open(TestWorld::in_real_time().await).await;
    let (world, control) = (&office.world, office.control());
    let (agent, key) = world.agent("Reader").await;
    world.grant("notes", Grantee::Agent(agent)).await;
    let owner = signed_in(world, world.tenant.owner).await;
    // Another node hears nothing of this one's calls and looks by itself.
    let elsewhere = world.another_control().await;
    let failed = Filter { outcome: Some(Outcome::ToolError), ..Filter::default() };
    let mut here = Box::pin(activity::follow(control, &owner, Filter::default()));
    let mut there = Box::pin(activity::follow(&elsewhere, &owner, Filter::default()));
    let mut failures = Box::pin(activity::follow(control, &owner, failed));
    let stranger = signed_in(world, user(world, "Ben", Some(Role::Member)).await).await;
    let mut strangers = Box::pin(activity::follow(control, &stranger, Filter::default()));

    let bound = Duration::from_secs(8);
    let told =
        async |stream: &mut (dyn futures::Stream<Item = Result<CallRow, control::Error>> + Unpin + Send)| {
            let row = tokio::time::timeout(bound, stream.next())
                .await
                .expect("it is told in time")
                .unwrap()
                .unwrap();
            (row.id, row.outcome)
        };
    // They begin to look before anything happens.
    let begun = tokio::time::timeout(Duration::from_millis(600), async {
        tokio::join!(here.next(), there.next(), failures.next())
    });
    assert!(begun.await.is_err(), "nothing has happened yet");

    let one = office.call(&key, "notes.read_note").await;
    assert_eq!(told(&mut here).await, (one, None));
    assert_eq!(told(&mut there).await, (one, None));
    let two = office.call(&key, "notes.write_note").await;
    assert_eq!(told(&mut here).await, (two, None));
    assert_eq!(told(&mut there).await, (two, None));
    office.settle(two, Outcome::ToolError, None, 0);
    assert_eq!(told(&mut here).await, (two, Some(Outcome::ToolError)));
    assert_eq!(told(&mut there).await, (two, Some(Outcome::ToolError)));
    assert_eq!(told(&mut failures).await, (two, Some(Outcome::ToolError)));
    office.settle(one, Outcome::Succeeded, None, 0);
    assert_eq!(told(&mut here).await, (one, Some(Outcome::Succeeded)));
    // Nothing is told twice, and nothing to whom it does not concern.
    let quiet = tokio::time::timeout(Duration::from_secs(3), async {
        tokio::select! {
            row = here.next() => panic!("{row:?}"),
            row = failures.next() => panic!("{row:?}"),
            row = strangers.next() => panic!("{row:?}"),
        }
    });
    assert!(quiet.await.is_err());
    office.ledger.close().await;
}

#[tokio::test]
async fn a_follower_whose_rights_are_gone_is_told_no_more() {
    let office = Office::open(TestWorld::in_real_time().await).await;
    let (world, control) = (&office.world, office.control());
    let auditor = with_role(world, "Aud", Role::Auditor).await;
    let mut followed = Box::pin(activity::follow(control, &auditor, Filter::default()));
    users::suspend(control, &world.operator, auditor.user_id().unwrap()).await.unwrap();
    let last = tokio::time::timeout(Duration::from_secs(15), followed.next()).await.unwrap().unwrap();
    not_there(last);
    assert!(followed.next().await.is_none());
    office.ledger.close().await;
}
