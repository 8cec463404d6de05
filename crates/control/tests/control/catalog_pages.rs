//! The catalog as its pages use it: drafts of modules, lists that are searched and paged, chosen keys, trying a tool.

use std::collections::HashMap;
use std::time::Duration;

use crate::outside::{audit, epoch, invalid, not_there, refused, signed_in, user, with_role};
use control::credentials::NewCredential;
use control::modules::drafts::{self, Asking, Choice, DraftState, Told};
use control::modules::{self, Asked, Health, NewModule, trial};
use control::{Actor, agents, credentials};
use model::access::Grantee;
use model::catalog::ToolStanding;
use model::people::Role;
use model::{Currency, Money};
use secrecy::{ExposeSecret as _, SecretString};
use testkit::TestWorld;

fn tool(name: &str, read_only: bool) -> String {
    format!(
        r#"{{"name":"{name}","description":"Does {name}.","inputSchema":{{"type":"object"}},"annotations":{{"readOnlyHint":{read_only}}}}}"#
    )
}

fn drive(authorization: Option<&str>) -> NewModule {
    NewModule {
        name: "drive".to_owned(),
        title: " Drive ".to_owned(),
        url: "https://drive.example/mcp".to_owned(),
        owner: None,
        authorization: authorization.map(SecretString::from),
    }
}

fn server() -> (String, String, String) {
    ("files".to_owned(), "1.0\0".to_owned(), "2025-06-18".to_owned())
}

async fn owner(world: &TestWorld) -> Actor {
    signed_in(world, world.tenant.owner).await
}

async fn found(world: &TestWorld, actor: &Actor, tools: &[String]) -> Asking {
    let asking = drafts::ask(&world.control, actor, None, drive(Some("Bearer one"))).await.unwrap();
    let told = Told::Found { server: server(), definitions: tools.to_vec() };
    drafts::tell(&world.control, actor, asking.draft, asking.asked_at, told).await.unwrap();
    asking
}

fn choice(approve: bool, writes: bool, price: Option<&str>) -> Choice {
    let price = price.map(|text| Money { amount: text.parse().unwrap(), currency: Currency::EUR });
    Choice { approve, writes, price }
}

#[tokio::test]
async fn a_module_is_added_step_by_step_and_nothing_is_lost_between() {
    let world = TestWorld::new().await;
    let (control, olga) = (&world.control, owner(&world).await);
    let asking = drafts::ask(control, &olga, None, drive(Some("Bearer one"))).await.unwrap();
    assert_eq!(asking.authorization.as_ref().unwrap().expose_secret(), "Bearer one");
    let id = asking.draft;
    let draft = drafts::draft(control, &olga, id).await.unwrap();
    assert_eq!(
        (draft.state, draft.title.as_str(), draft.has_authorization),
        (DraftState::Asking, "Drive", true)
    );

    let told = Told::Opened { server: server(), seen: vec!["read".to_owned(), "a\0b".to_owned()] };
    drafts::tell(control, &olga, id, asking.asked_at, told).await.unwrap();
    let draft = drafts::draft(control, &olga, id).await.unwrap();
    assert_eq!(
        (draft.server.unwrap().1.as_str(), draft.seen.as_slice()),
        ("1.0␀", &["read".to_owned(), "a␀b".to_owned()][..])
    );
    let failed = Told::Failed { code: "upstream_unreachable", sentence: "nothing listens there".to_owned() };
    drafts::tell(control, &olga, id, asking.asked_at, failed).await.unwrap();
    let draft = drafts::draft(control, &olga, id).await.unwrap();
    assert!(matches!(draft.state, DraftState::Failed { code, .. } if code == "upstream_unreachable"));

    // Asked again without the secret being typed again: it was kept.
    world.clock.as_ref().unwrap().advance(Duration::from_secs(1));
    let again = drafts::ask(control, &olga, Some(id), drive(None)).await.unwrap();
    assert_eq!((again.draft, again.authorization.as_ref().unwrap().expose_secret()), (id, "Bearer one"));
    // What still comes of the earlier question is not written down.
    let late = Told::Failed { code: "upstream_timeout", sentence: "late".to_owned() };
    drafts::tell(control, &olga, id, asking.asked_at, late).await.unwrap();
    assert_eq!(drafts::draft(control, &olga, id).await.unwrap().state, DraftState::Asking);
    let tools = vec![tool("read", true), tool("write", false), tool("odd", true), "{}".to_owned()];
    let told = Told::Found { server: server(), definitions: tools };
    drafts::tell(control, &olga, id, again.asked_at, told).await.unwrap();
    let draft = drafts::draft(control, &olga, id).await.unwrap();
    assert_eq!(draft.state, DraftState::Found);
    assert_eq!(
        draft.offered.iter().map(|tool| tool.refused.is_some()).collect::<Vec<_>>(),
        [false, false, false, true]
    );
    assert!(draft.offered[0].read_only && !draft.offered[1].read_only);

    let before = epoch(&world).await;
    let choices: HashMap<String, Choice> = [
        ("read".to_owned(), choice(true, true, Some("0.5"))),
        ("write".to_owned(), choice(true, true, Some("0"))),
        ("odd".to_owned(), choice(false, false, None)),
    ]
    .into();
    assert_eq!(
        refused(drafts::finish(control, &olga, id, "something else", &choices).await),
        "changed_since"
    );
    let (module, approved) = drafts::finish(control, &olga, id, &draft.fingerprint, &choices).await.unwrap();
    assert_eq!((approved, epoch(&world).await), (2, before + 1), "all of it or nothing, at once");
    not_there(drafts::draft(control, &olga, id).await);
    let page = modules::module_page(control, &olga, "drive", &Asked::default()).await.unwrap();
    assert_eq!(page.view.id, module);
    assert!(page.connection.is_some() && page.asked_at.is_some());
    assert_eq!((page.standings.approved, page.standings.proposed), (2, 1));
    let of = |name: &str| page.tools.rows.iter().find(|row| row.view.name == name).unwrap().view.clone();
    assert_eq!((of("read").key.as_str(), of("read").price.to_string().as_str()), ("drive:write", "0.50 EUR"));
    assert_eq!(of("odd").standing, ToolStanding::Proposed);
    assert!(!page.keys.is_empty() && page.keys.iter().all(|(_, _, grants)| *grants == Some(0)));
    let connection = page.connection.unwrap().0;
    let secret = crate::issuer::presented(control, world.tenant.tenant, connection).await.unwrap();
    assert_eq!(secret.expose_secret(), "Bearer one");
}

#[tokio::test]
async fn prompts_and_resources_are_added_as_tools_are() {
    let world = TestWorld::new().await;
    let (control, olga) = (&world.control, owner(&world).await);
    let offered = [
        tool("sum_up", true),
        r#"{"name":"sum_up","arguments":[]}"#.to_owned(),
        r#"{"name":"Notes","uri":"file:///notes"}"#.to_owned(),
        r#"{"name":"City","uriTemplate":"city://{name}"}"#.to_owned(),
    ];
    let asking = found(&world, &olga, &offered).await;
    let draft = drafts::draft(control, &olga, asking.draft).await.unwrap();
    let names: Vec<&str> = draft.offered.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["sum_up", "prompt:sum_up", "resource:file:///notes", "template:city://{name}"]);
    assert!(draft.offered.iter().all(|tool| tool.refused.is_none()), "{:?}", draft.offered);
    let choices = names.iter().map(|name| ((*name).to_owned(), choice(true, false, None))).collect();
    let finished = drafts::finish(control, &olga, asking.draft, &draft.fingerprint, &choices).await;
    assert_eq!(finished.unwrap().1, 4);
}

#[tokio::test]
async fn what_is_wrong_with_a_draft_is_said_by_the_name_of_its_field() {
    let world = TestWorld::new().await;
    let (control, olga) = (&world.control, owner(&world).await);
    for (new, field) in [
        (NewModule { name: "Drive 2".to_owned(), ..drive(None) }, "name"),
        (NewModule { name: "new".to_owned(), ..drive(None) }, "name"),
        (NewModule { url: "ftp://x".to_owned(), ..drive(None) }, "url"),
        (NewModule { title: " ".to_owned(), ..drive(None) }, "title"),
        (NewModule { owner: Some(control.ambient().id()), ..drive(None) }, "owner"),
        (drive(Some("Bearer a\nb")), "authorization"),
    ] {
        assert_eq!(invalid(drafts::ask(control, &olga, None, new).await), field);
    }
    for name in ["notes", "crm"] {
        let new = NewModule { name: name.to_owned(), ..drive(None) };
        assert_eq!(refused(drafts::ask(control, &olga, None, new).await), "name_taken");
    }
    let asking = drafts::ask(control, &olga, None, drive(None)).await.unwrap();
    // Somebody else may not see it, nor may who cannot change the catalog.
    let (ada, fin) =
        (with_role(&world, "Ada", Role::Admin).await, with_role(&world, "Fin", Role::Finance).await);
    for actor in [&ada, &fin, &world.operator] {
        not_there(drafts::draft(control, actor, asking.draft).await);
        not_there(drafts::ask(control, actor, Some(asking.draft), drive(None)).await);
        not_there(drafts::discard(control, actor, asking.draft).await);
        not_there(drafts::finish(control, actor, asking.draft, "", &HashMap::new()).await);
    }
    not_there(drafts::ask(control, &fin, None, drive(None)).await);
    assert_eq!(
        refused(drafts::finish(control, &olga, asking.draft, "", &HashMap::new()).await),
        "not_found_yet"
    );
    // Nobody asks any more: then it can be asked again.
    world.clock.as_ref().unwrap().advance(Duration::from_secs(60));
    let draft = drafts::draft(control, &olga, asking.draft).await.unwrap();
    assert!(matches!(draft.state, DraftState::Failed { code, .. } if code == "not_asked"));
    drafts::discard(control, &olga, asking.draft).await.unwrap();
    assert_eq!(drafts::drafts(control, &olga).await.unwrap(), []);
}

#[tokio::test]
async fn a_chosen_key_outlives_drift_and_a_built_in_module_keeps_its_own() {
    let world = TestWorld::new().await;
    let (control, olga) = (&world.control, owner(&world).await);
    let asking = found(&world, &olga, &[tool("read", true)]).await;
    let draft = drafts::draft(control, &olga, asking.draft).await.unwrap();
    let choices = [("read".to_owned(), choice(true, false, None))].into();
    let (module, _) =
        drafts::finish(control, &olga, asking.draft, &draft.fingerprint, &choices).await.unwrap();
    let page = modules::tool_page(control, &olga, "drive", "read").await.unwrap();
    assert_eq!((page.detail.view.key.as_str(), page.detail.key_chosen_by.as_deref()), ("drive:read", None));
    let id = page.detail.view.id;
    modules::set_key(control, &olga, id, true).await.unwrap();
    assert_eq!(refused(modules::set_key(control, &olga, id, true).await), "nothing_to_do");
    // Drifts, is approved, and asks for the chosen key still.
    let changed = tool("read", true).replace("Does", "Truly does");
    let discovery = modules::rediscover(control, &olga, module, vec![changed]).await.unwrap();
    assert_eq!(discovery.drifted, ["read"]);
    let page = modules::tool_page(control, &olga, "drive", "read").await.unwrap();
    assert!(page.detail.drifted_at.is_some());
    let stale = (id, page.hash);
    assert_eq!(modules::approve_some(control, &olga, module, &[stale]).await.unwrap(), (0, 1));
    let seen = (id, page.detail.offered);
    assert_eq!(modules::approve_some(control, &olga, module, &[seen, seen]).await.unwrap(), (1, 1));
    let page = modules::tool_page(control, &olga, "drive", "read").await.unwrap();
    assert_eq!(
        (page.detail.view.key.as_str(), page.detail.key_chosen_by.as_deref()),
        ("drive:write", Some("Olga Owner"))
    );
    assert!(audit(&world).await.iter().any(|line| line.contains("tool.set_key: drive.read")));

    modules::enable_native(control, &olga, "crm", None).await.unwrap();
    let crm = modules::tools_page(control, &olga, None, &Asked { text: "crm.".into(), ..Asked::default() })
        .await
        .unwrap();
    assert_eq!(refused(modules::set_key(control, &olga, crm.rows[0].view.id, true).await), "built_in");
    not_there(modules::set_key(control, &with_role(&world, "Fin", Role::Finance).await, id, false).await);
}

#[tokio::test]
async fn lists_are_searched_and_paged_and_tell_who_uses_what() {
    let world = TestWorld::new().await;
    let (control, olga) = (&world.control, owner(&world).await);
    let many: Vec<String> = (0..230).map(|n| format!("tool_{n:03}")).collect();
    let tools: Vec<(&str, bool)> = many.iter().map(|name| (name.as_str(), true)).collect();
    world.module("big", "https://big.example/mcp", &tools).await;
    let asked = |text: &str, page: u32| Asked { text: text.to_owned(), page, standing: None };
    let first = modules::tools_page(control, &olga, None, &asked("big.", 0)).await.unwrap();
    let last = modules::tools_page(control, &olga, None, &asked("BIG.", 2)).await.unwrap();
    assert_eq!((first.total, first.rows.len(), last.rows.len()), (230, 100, 30));
    assert_eq!(last.rows[29].view.name, "tool_229");
    assert_eq!(modules::tools_page(control, &olga, None, &asked("%", 0)).await.unwrap().total, 0);

    let (helper, _) = world.agent("Helper").await;
    world.agent("Outsider").await;
    world.grant("big:read", Grantee::Agent(helper)).await;
    let rows = modules::modules_page(control, &olga, &asked("tool_22", 0)).await.unwrap();
    assert_eq!((rows.total, rows.rows[0].view.name.as_str(), rows.rows[0].agents), (1, "big", 1));
    assert_eq!((rows.rows[0].tools.approved, &rows.rows[0].health), (230, &Health::Well));
    assert_eq!(rows.rows[0].spend, Some(Vec::new()));
    world.grant("big", Grantee::Unit(world.tenant.unit)).await;
    let page = modules::module_page(control, &olga, "big", &Asked::default()).await.unwrap();
    assert_eq!((page.agents, page.holders.len()), (2, 2), "by its unit also the other one");
    assert_eq!(page.yours.keys.len(), 1);
    assert_eq!(page.yours.agents.len(), 2);

    // Who may not see grants or money is told of neither, and what they have themselves.
    let mia = with_role(&world, "Mia", Role::Member).await;
    let page = modules::module_page(control, &mia, "big", &Asked::default()).await.unwrap();
    assert!(page.holders.is_empty() && page.keys.iter().all(|(_, _, grants)| grants.is_none()));
    assert_eq!(page.yours.keys.iter().map(|key| key.as_str()).collect::<Vec<_>>(), ["big"]);
    assert!(page.yours.agents.is_empty());
    let rows = modules::modules_page(control, &mia, &Asked::default()).await.unwrap();
    assert!(rows.rows.iter().all(|row| row.spend.is_none()));
    for (module, tool) in [("big", "tool_1"), ("bi", "tool_001"), ("big\0", "x\0y"), ("", "")] {
        not_there(modules::tool_page(control, &mia, module, tool).await);
    }
    modules::note_asked(control, &olga, page.view.id, Some("nothing listens")).await.unwrap();
    let page = modules::module_page(control, &mia, "big", &Asked::default()).await.unwrap();
    assert_eq!(page.health, Health::NotReached("nothing listens".to_owned()));
    not_there(modules::note_asked(control, &mia, page.view.id, None).await);
}

#[tokio::test]
async fn one_tries_tools_as_agents_of_ones_own() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let (ada, mia) =
        (with_role(&world, "Ada", Role::Admin).await, user(&world, "Mia", Some(Role::Member)).await);
    let new = agents::NewAgent { name: "Mias".to_owned(), owner: mia, home_unit: world.tenant.unit };
    let mias = agents::create(control, &world.operator, new).await.unwrap();
    let (olgas, _) = world.agent("Olgas").await;
    let issue = |agent, on_behalf_of, name: &str| NewCredential {
        agent,
        name: name.to_owned(),
        expires_at: None,
        allowed_addresses: Vec::new(),
        on_behalf_of,
    };
    let own =
        credentials::issue(control, &world.operator, issue(mias, Some(mia), "own")).await.unwrap().view.id;
    let as_olga = issue(mias, Some(world.tenant.owner), "for olga");
    let as_olga = credentials::issue(control, &world.operator, as_olga).await.unwrap().view.id;
    let others = credentials::list(control, &world.operator, Some(olgas)).await.unwrap()[0].view.id;
    let mia = signed_in(&world, mia).await;
    let names = |list: &[trial::Identity]| {
        list.iter().map(|it| format!("{} {}", it.agent, it.key.0)).collect::<Vec<_>>()
    };
    // An owner acts as their agent, and not as it acts for somebody else.
    assert_eq!(names(&trial::identities(control, &mia, "").await.unwrap()), ["Mias own"]);
    assert_eq!(
        names(&trial::identities(control, &ada, "mias").await.unwrap()),
        ["Mias own", "Mias for olga"]
    );
    assert_eq!(trial::identities(control, &ada, "").await.unwrap().len(), 3);
    assert!(trial::identities(control, &mia, "%").await.unwrap().is_empty());

    // Those that may call the tool are offered first.
    let for_tool = |tool: &'static str| trial::identities_for(control, &ada, "", tool);
    assert_eq!(
        for_tool("notes.read_note").await.unwrap(),
        trial::identities(control, &ada, "").await.unwrap()
    );
    let first = |list: Vec<trial::Identity>| list.into_iter().map(|it| it.credential).next().unwrap();
    world.grant("notes:read", Grantee::Agent(olgas)).await;
    assert_eq!(first(for_tool("notes.read_note").await.unwrap()), others);
    assert_ne!(first(for_tool("notes.write_note").await.unwrap()), others);

    let leave = trial::leave(control, &mia, own, "notes.read_note").await.unwrap();
    assert_eq!((leave.credential, leave.endpoint), (own, world.tenant.mcp_id));
    assert!(audit(&world).await.iter().any(|line| line == "user Mia tool.try: notes.read_note"));
    not_there(trial::leave(control, &mia, as_olga, "notes.read_note").await);
    not_there(trial::leave(control, &mia, others, "notes.read_note").await);
    trial::leave(control, &ada, as_olga, "notes.read_note").await.unwrap();
    credentials::revoke(control, &world.operator, own).await.unwrap();
    not_there(trial::leave(control, &mia, own, "notes.read_note").await);
    assert!(trial::identities(control, &mia, "").await.unwrap().is_empty());
}
