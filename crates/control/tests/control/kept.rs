//! What people keep and take out of Activity: saved filters, a session's story, a file, and why it was decided so.

use std::collections::BTreeSet;

use crate::office::Office;
use crate::outside::{invalid, not_there, refused, signed_in, user, with_role};
use control::activity::saved::{self, NewFilter};
use control::activity::{self, Change, Filter};
use control::{Actor, agents, users};
use futures::StreamExt as _;
use model::CallId;
use model::access::Grantee;
use model::call::{Entry, Outcome, Reason, ReasonCode, Verdict};
use model::people::Role;
use testkit::TestWorld;

fn new(name: &str, shared: bool) -> NewFilter {
    NewFilter { name: name.to_owned(), query: "verdict=deny".to_owned(), shared }
}

#[tokio::test]
async fn filters_are_ones_own_or_everybodys() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let owner = signed_in(&world, world.tenant.owner).await;
    let auditor = with_role(&world, "Aud", Role::Auditor).await;
    let member = with_role(&world, "Mia", Role::Member).await;
    let mine = saved::save(control, &member, new("Denied", false)).await.unwrap();
    saved::save(control, &owner, new("denied", false)).await.unwrap();
    let shared = saved::save(control, &auditor, new("All denials", true)).await.unwrap();
    let names = async |actor: &Actor| {
        let saved = saved::saved(control, actor).await.unwrap();
        saved.into_iter().map(|it| (it.name, it.shared, it.deletable)).collect::<Vec<_>>()
    };
    let of = |name: &str, shared, deletable| (name.to_owned(), shared, deletable);
    assert_eq!(names(&member).await, [of("Denied", false, true), of("All denials", true, false)]);
    assert_eq!(names(&owner).await, [of("denied", false, true), of("All denials", true, true)]);

    // One name for one thing, and only those who see everybody's calls share.
    assert_eq!(refused(saved::save(control, &member, new("DENIED", false)).await), "name_taken");
    assert_eq!(refused(saved::save(control, &owner, new("all denials", true)).await), "name_taken");
    assert_eq!(invalid(saved::save(control, &member, new("Mine", true)).await), "shared");
    for name in ["", "  ", "a\u{202E}b", &"x".repeat(81)] {
        assert_eq!(invalid(saved::save(control, &owner, new(name, false)).await), "name", "{name:?}");
    }
    for query in ["", "a\0b", &"x".repeat(2_001)] {
        let new = NewFilter { query: query.to_owned(), ..new("Odd", false) };
        assert_eq!(invalid(saved::save(control, &owner, new).await), "name");
    }

    // Nobody deletes another's; those who change the settings delete what is shared.
    not_there(saved::delete(control, &owner, mine).await);
    not_there(saved::delete(control, &member, shared).await);
    let (_, theirs) = world.another_tenant("other").await;
    not_there(saved::delete(control, &theirs, shared).await);
    assert_eq!(saved::delete(control, &owner, shared).await.unwrap(), "All denials");
    not_there(saved::delete(control, &owner, shared).await);
    saved::delete(control, &member, mine).await.unwrap();
    assert_eq!(names(&member).await, []);

    for n in 0..50 {
        saved::save(control, &member, new(&format!("n{n}"), false)).await.unwrap();
    }
    assert_eq!(refused(saved::save(control, &member, new("one more", false)).await), "too_many");
}

#[tokio::test]
async fn a_session_is_told_in_order_and_whole() {
    let office = Office::open(TestWorld::new().await).await;
    let (world, control) = (&office.world, office.control());
    let ada = user(world, "Ada", Some(Role::Member)).await;
    let (agent, key) = office.agent_of("Ada’s", ada, world.tenant.unit, None).await;
    world.grant("notes:read", Grantee::Agent(agent)).await;
    let mut ids = Vec::new();
    for n in 0..130 {
        world.clock.clone().unwrap().advance(std::time::Duration::from_millis(100));
        let mut entry = office.entry(&key, "notes.read_note").await;
        entry.client.session = Some(if n % 13 == 12 { "other/../?&" } else { "s-1" }.into());
        entry.client.name = Some("claude-code".into());
        entry.client.version = Some("2.1".into());
        if n == 1 {
            entry.verdict = Verdict::Deny;
        }
        let call = office.ledger.admit(entry).await.unwrap().call;
        if n != 1 && n % 13 != 12 && n < 4 {
            office.settle(call, if n == 3 { Outcome::ToolError } else { Outcome::Succeeded }, None, 0);
            office.settled(call).await;
        }
        if n % 13 != 12 {
            ids.push(call);
        }
    }
    let ada = signed_in(world, ada).await;
    let first = activity::session(control, &ada, "s-1", None).await.unwrap().unwrap();
    let head = &first.head;
    assert_eq!((head.calls, head.denied, head.failed), (120, 1, 1));
    assert_eq!(head.agents, [(agent, "Ada’s".to_owned())]);
    assert_eq!((head.person.as_str(), head.client.as_deref()), ("Ada", Some("claude-code 2.1")));
    assert_eq!(head.charges.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0.75 EUR"]);
    let told = |rows: &[model::call::CallRow]| rows.iter().map(|row| row.id).collect::<Vec<CallId>>();
    assert_eq!(told(&first.rows), ids[..100]);
    assert!(first.later && !first.earlier);
    let rest = activity::session(control, &ada, "s-1", Some(ids[99])).await.unwrap().unwrap();
    assert_eq!(told(&rest.rows), ids[100..]);
    assert!(!rest.later && rest.earlier);
    let other = activity::session(control, &ada, "other/../?&", None).await.unwrap().unwrap();
    assert_eq!(other.rows.len(), 10);

    // Whoever sees none of its calls knows of no session.
    let stranger = with_role(world, "Mia", Role::Member).await;
    for id in ["s-1", "", "s-2", "a\0b", &"x".repeat(500)] {
        assert_eq!(activity::session(control, &stranger, id, None).await.unwrap(), None, "{id:?}");
    }
    let filter = Filter { session: Some("s-1".to_owned()), ..Filter::default() };
    assert_eq!(office.ids(&ada, &filter).await, ids.iter().copied().collect::<BTreeSet<_>>());
    let filter =
        Filter { text: Some("CLAUDE".to_owned()), verdict: Some(Verdict::Deny), ..Filter::default() };
    assert_eq!(office.ids(&ada, &filter).await, BTreeSet::from([ids[1]]));
    office.ledger.close().await;
}

#[tokio::test]
async fn a_file_has_what_is_filtered_and_no_formula() {
    let office = Office::open(TestWorld::new().await).await;
    let (world, control) = (&office.world, office.control());
    let (agent, key) = world.agent("=HYPERLINK(\"http://evil\")").await;
    world.grant("notes:read", Grantee::Agent(agent)).await;
    for _ in 0..205 {
        office.call(&key, "notes.read_note").await;
    }
    let mut denied = office.entry(&key, "notes.read_note").await;
    denied.verdict = Verdict::Deny;
    denied.reason = Some(Reason {
        code: ReasonCode::MissingKey,
        sentence: "Denied, \"because\"\nof that.".into(),
        missing_key: None,
        ask: None,
    });
    office.ledger.admit(denied).await.unwrap();
    let owner = signed_in(world, world.tenant.owner).await;
    let file = async |actor: &Actor, filter: Filter| {
        let pages: Vec<_> = activity::export(control, actor, filter).collect().await;
        pages.into_iter().map(|page| String::from_utf8(page.unwrap().into()).unwrap()).collect::<Vec<_>>()
    };
    let pages = file(&owner, Filter::default()).await;
    assert_eq!(pages.len(), 2, "200 calls at a time");
    let all = pages.concat();
    assert!(all.starts_with("\u{FEFF}call,received_at,agent,owner,"));
    assert_eq!(all.matches("\r\n").count(), 207);
    assert!(all.contains("\"'=HYPERLINK(\"\"http://evil\"\")\"") && !all.contains(",=HYPER"));
    assert!(all.contains(",deny,missing_key,\"Denied, \"\"because\"\"\nof that.\","));
    let one = file(&owner, Filter { verdict: Some(Verdict::Deny), ..Filter::default() }).await.concat();
    assert_eq!(one.matches("call_").count(), 1);
    // A member gets their own, and nobody else's.
    let mine = file(&with_role(world, "Mia", Role::Member).await, Filter::default()).await.concat();
    assert_eq!(mine.matches("\r\n").count(), 1);
    office.ledger.close().await;
}

#[tokio::test]
async fn a_denial_says_what_would_change_it_and_who_may() {
    let office = Office::open(TestWorld::new().await).await;
    let (world, control) = (&office.world, office.control());
    let ada = user(world, "Ada", Some(Role::Member)).await;
    let (agent, key) = office.agent_of("Ada’s", ada, world.tenant.unit, None).await;
    let entry = office.entry(&key, "notes.read_note").await;
    assert_eq!(entry.verdict, Verdict::Deny);
    let denied = office.ledger.admit(entry).await.unwrap().call;

    let owner = signed_in(world, world.tenant.owner).await;
    let why = activity::why(control, &owner, denied).await.unwrap().unwrap();
    assert_eq!(why.change, Change::GiveAgent("notes:read".parse().unwrap()));
    assert!(why.may && why.who_may.is_empty() && !why.changed_since && why.sources.is_empty());
    assert_eq!((why.agent.0, why.tool.as_deref()), (agent, Some("read_note")));

    // Who may not do it learns whom to ask; an admin before an owner.
    with_role(world, "Adam", Role::Admin).await;
    let asked = activity::why(control, &signed_in(world, ada).await, denied).await.unwrap().unwrap();
    assert!(!asked.may);
    assert_eq!(
        asked.who_may.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(),
        ["Adam", "Olga Owner"]
    );

    // It has come about since, through the unit above.
    world.grant("notes", Grantee::Unit(world.tenant.unit)).await;
    let why = activity::why(control, &owner, denied).await.unwrap().unwrap();
    assert!(why.changed_since);
    assert_eq!((why.sources[0].name.as_str(), why.sources[0].key.as_str()), ("Operations", "notes"));
    let asked = activity::why(control, &signed_in(world, ada).await, denied).await.unwrap().unwrap();
    assert!(asked.changed_since && asked.sources.is_empty(), "a member does not see grants");

    // A permitted call names what carries it.
    let permitted = office.call(&key, "notes.read_note").await;
    let why = activity::why(control, &owner, permitted).await.unwrap().unwrap();
    assert_eq!(why.change, Change::TakeAway("notes:read".parse().unwrap()));
    assert_eq!(why.sources.len(), 1);
    assert!(!why.changed_since);

    let stopped = office.ledger.admit(Entry {
        verdict: Verdict::Deny,
        reason: Some(Reason {
            code: ReasonCode::AgentSuspended,
            sentence: "x".into(),
            missing_key: None,
            ask: None,
        }),
        ..office.entry(&key, "notes.read_note").await
    });
    let stopped = stopped.await.unwrap().call;
    agents::suspend(control, &world.operator, agent).await.unwrap();
    let why = activity::why(control, &owner, stopped).await.unwrap().unwrap();
    assert_eq!((why.change, why.changed_since), (Change::ResumeAgent, false));
    agents::resume(control, &world.operator, agent).await.unwrap();
    assert!(activity::why(control, &owner, stopped).await.unwrap().unwrap().changed_since);

    users::suspend(control, &world.operator, ada).await.unwrap();
    let why = activity::why(control, &with_role(world, "Mia", Role::Member).await, denied).await.unwrap();
    assert_eq!(why, None, "what one may not see is not there");
    office.ledger.close().await;
}
