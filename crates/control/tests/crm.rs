//! The CRM, as an agent uses it and as people do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod outside;

use std::sync::Arc;

use control::crm::sheets::{self, Effect, Plan};
use control::crm::{self, Filter, Given, Key, Sort};
use control::units::{self, NewUnit};
use control::{Actor, grants, modules, native, users};
use model::access::Grantee;
use model::call::Attribution;
use model::crm::{ChangedBy, Company, Contact, Deal, Interaction, Stage};
use model::people::{Role, UnitKind};
use model::{CallId, TenantId, UserId};
use outside::{audit, invalid, not_there, refused, signed_in, user, with_role};
use serde_json::{Value, json};
use testkit::TestWorld;

/// An agent whose calls were admitted.
struct Agent<'w> {
    world: &'w TestWorld,
    who: Attribution,
    call: CallId,
}

fn agent(world: &TestWorld, tenant: TenantId, owner: UserId) -> Agent<'_> {
    let ambient = world.control.ambient();
    let who = Attribution {
        tenant,
        credential: ambient.id(),
        agent: ambient.id(),
        owner,
        on_behalf_of: None,
        unit_path: Arc::new([]),
        state: [0; 32],
        state_json: "{}".into(),
    };
    Agent { world, who, call: ambient.id() }
}

fn ours(world: &TestWorld) -> Agent<'_> {
    agent(world, world.tenant.tenant, world.tenant.owner)
}

impl Agent<'_> {
    async fn result(&self, tool: &str, arguments: Value) -> (Value, bool) {
        let (text, is_error) = native::call(
            &self.world.control,
            &self.who,
            self.call,
            "crm",
            tool,
            arguments.to_string().as_bytes(),
        )
        .await
        .unwrap();
        let result: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(result["isError"], is_error);
        (result, is_error)
    }

    /// The structured content of a call that succeeds; the text says the same.
    async fn does(&self, tool: &str, arguments: Value) -> Value {
        let (mut result, is_error) = self.result(tool, arguments).await;
        assert!(!is_error, "{result}");
        let structured = result["structuredContent"].take();
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, structured);
        self.fits(tool, &structured);
        structured
    }

    /// The sentence of a call that does not.
    async fn fails(&self, tool: &str, arguments: Value) -> String {
        let (result, is_error) = self.result(tool, arguments).await;
        assert!(is_error, "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }

    /// What a tool answers is what its output schema promises: every required member, and none that is not
    /// declared.
    fn fits(&self, tool: &str, structured: &Value) {
        let listed: Value = serde_json::from_str(include_str!("../src/crm/definitions.json")).unwrap();
        let tool = listed.as_array().unwrap().iter().find(|listed| listed["tool"]["name"] == tool).unwrap();
        fits(&tool["tool"]["outputSchema"], structured);
    }
}

fn fits(schema: &Value, value: &Value) {
    let kind = schema["type"].as_str().unwrap();
    match kind {
        "object" => {
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(value.get(name.as_str().unwrap()).is_some(), "{name} is missing in {value}");
            }
            for (name, value) in value.as_object().unwrap() {
                let declared = &schema["properties"][name];
                assert!(!declared.is_null(), "{name} is not declared");
                fits(declared, value);
            }
        }
        "array" => value.as_array().unwrap().iter().for_each(|item| fits(&schema["items"], item)),
        "string" => assert!(value.is_string(), "{value}"),
        "integer" => assert!(value.is_u64(), "{value}"),
        "number" => assert!(value.is_number(), "{value}"),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_company_lives_from_creation_to_deletion() {
    let world = TestWorld::new().await;
    let agent = ours(&world);
    let made = agent
        .does("create_company", json!({ "name": " Acme ", "website": "acme.example", "notes": "" }))
        .await;
    let id = made["company"]["id"].as_str().unwrap();
    assert_eq!(made["company"]["name"], "Acme");
    assert!(made["company"].get("notes").is_none(), "what is empty is not there: {made}");

    world.clock.as_ref().unwrap().advance(std::time::Duration::from_secs(60));
    let changed =
        agent.does("update_company", json!({ "id": id, "industry": "Anvils", "website": null })).await;
    assert_eq!(changed["company"]["industry"], "Anvils");
    assert_eq!(changed["company"]["name"], "Acme");
    assert!(changed["company"].get("website").is_none());
    assert_ne!(changed["company"]["updated_at"], changed["company"]["created_at"]);

    let contact = agent.does("create_contact", json!({ "name": "Wile E.", "company_id": id })).await;
    let deal = agent.does("create_deal", json!({ "name": "Rockets", "company_id": id })).await;
    let got = agent.does("get_company", json!({ "id": id })).await;
    assert_eq!((&got["company"]["contacts"], &got["company"]["deals"]), (&json!(1), &json!(1)));
    let refused = agent.fails("delete_company", json!({ "id": id })).await;
    assert!(refused.starts_with("“Acme” has 1 contacts and 1 deals and was not deleted"), "{refused}");
    agent.does("delete_deal", json!({ "id": deal["deal"]["id"] })).await;
    agent.does("update_contact", json!({ "id": contact["contact"]["id"], "company_id": null })).await;
    assert_eq!(agent.does("delete_company", json!({ "id": id })).await, json!({ "deleted": id }));
    let gone = agent.fails("get_company", json!({ "id": id })).await;
    assert_eq!(gone, format!("There is no company {id}: list_companies shows those there are."));
}

#[tokio::test]
async fn a_deal_keeps_its_money_exact_and_whole() {
    let world = TestWorld::new().await;
    let agent = ours(&world);
    let company = agent.does("create_company", json!({ "name": "Acme" })).await["company"]["id"].clone();
    let deal =
        json!({ "company_id": company, "name": "Rockets", "amount": 999_999_999_999.99, "currency": "EUR" });
    let made = agent.does("create_deal", deal).await["deal"].clone();
    assert_eq!((&made["amount"], &made["stage"]), (&json!(999_999_999_999.99), &json!("lead")));
    let id = &made["id"];
    let won = agent.does("update_deal", json!({ "id": id, "stage": "won", "close_on": "2026-09-30" })).await;
    assert_eq!((&won["deal"]["stage"], &won["deal"]["amount"]), (&json!("won"), &made["amount"]));
    assert_eq!(won["deal"]["close_on"], "2026-09-30");
    let dearer = agent.does("update_deal", json!({ "id": id, "amount": 5 })).await;
    assert_eq!((&dearer["deal"]["amount"], &dearer["deal"]["currency"]), (&json!(5), &json!("EUR")));
    let open = agent.does("update_deal", json!({ "id": id, "amount": null, "close_on": null })).await;
    assert!(open["deal"].get("amount").is_none() && open["deal"].get("currency").is_none());
    for (arguments, field) in [
        (json!({ "id": id, "amount": 7 }), "`currency`"),
        (json!({ "id": id, "currency": "EUR" }), "`currency`"),
        (json!({ "id": id, "stage": "maybe" }), "`stage`"),
        (json!({ "id": id, "amount": 0.001, "currency": "EUR" }), "`amount`"),
        (json!({ "id": id, "currency": "eur" }), "`currency`"),
        (json!({ "id": id, "close_on": "soon" }), "`close_on`"),
        (json!({ "id": id }), "Nothing to change"),
    ] {
        let said = agent.fails("update_deal", arguments).await;
        assert!(said.contains(field), "{said}");
    }
    let won = agent.does("list_deals", json!({ "stage": "won", "company_id": company })).await;
    assert_eq!(won["deals"].as_array().unwrap().len(), 1);
    assert!(
        agent.does("list_deals", json!({ "stage": "lost" })).await["deals"].as_array().unwrap().is_empty()
    );
}

#[tokio::test]
async fn interactions_are_logged_listed_and_go_with_the_person() {
    let world = TestWorld::new().await;
    let agent = ours(&world);
    let company = agent.does("create_company", json!({ "name": "Acme" })).await["company"]["id"].clone();
    let person = json!({ "name": "Wile E.", "company_id": company, "email": "wile@acme.example" });
    let person = agent.does("create_contact", person).await["contact"]["id"].clone();
    for (kind, at) in [
        ("call", "2026-01-01T10:00:00Z"),
        ("mail", "2026-01-03T10:00:00+02:00"),
        ("note", "2026-01-02T10:00:00Z"),
    ] {
        let logged = json!({ "contact_id": person, "kind": kind, "summary": format!("A {kind}."), "at": at });
        agent.does("log_interaction", logged).await;
    }
    let later = world.control.ambient().now() + chrono::TimeDelta::days(2);
    let said = agent
        .fails(
            "log_interaction",
            json!({ "contact_id": person, "kind": "call", "summary": "x", "at": later }),
        )
        .await;
    assert!(said.contains("lies in the future"), "{said}");
    let said =
        agent.fails("log_interaction", json!({ "contact_id": person, "kind": "fax", "summary": "x" })).await;
    assert!(said.contains("call, mail, meeting, note"), "{said}");

    // Newest first by when it was, a page at a time.
    let mut kinds = Vec::new();
    let mut arguments = json!({ "company_id": company, "limit": 1 });
    loop {
        let page = agent.does("list_interactions", arguments.clone()).await;
        kinds.push(page["interactions"][0]["kind"].as_str().unwrap().to_owned());
        match page.get("next_cursor") {
            Some(cursor) => arguments["cursor"] = cursor.clone(),
            None => break,
        }
    }
    assert_eq!(kinds, ["mail", "note", "call"]);
    assert_eq!(agent.does("get_contact", json!({ "id": person })).await["contact"]["interactions"], 3);
    let gone = agent.does("delete_contact", json!({ "id": person })).await;
    assert_eq!(gone["interactions_deleted"], 3);
    agent.does("delete_company", json!({ "id": company })).await;
}

#[tokio::test]
async fn every_company_is_on_exactly_one_page_and_searching_takes_text_as_it_is() {
    let world = TestWorld::new().await;
    let agent = ours(&world);
    let mut names: Vec<String> = (0..23).map(|n| format!("Company {}", n % 5)).collect();
    names.extend(["100% Wool".to_owned(), "a_b".to_owned(), "Zürich \"AG\"".to_owned(), "ärger".to_owned()]);
    for name in &names {
        agent.does("create_company", json!({ "name": name })).await;
    }
    for limit in [1, 4, 27, 100] {
        let mut seen = std::collections::HashSet::new();
        let mut arguments = json!({ "limit": limit });
        loop {
            let page = agent.does("list_companies", arguments.clone()).await;
            for company in page["companies"].as_array().unwrap() {
                assert!(seen.insert(company["id"].as_str().unwrap().to_owned()), "{company} twice");
            }
            match page.get("next_cursor") {
                Some(cursor) => arguments["cursor"] = cursor.clone(),
                None => break,
            }
        }
        assert_eq!(seen.len(), names.len(), "pages of {limit}");
    }
    for (search, found) in [("company 3", 4), ("%", 1), ("_", 1), ("zürich", 1), ("\\", 0), ("100% w", 1)] {
        let page = agent.does("list_companies", json!({ "search": search })).await;
        assert_eq!(page["companies"].as_array().unwrap().len(), found, "{search}");
    }
}

#[tokio::test]
async fn wrong_arguments_are_answered_in_words_and_change_nothing() {
    let world = TestWorld::new().await;
    let agent = ours(&world);
    for (tool, arguments, says) in [
        ("create_company", json!({}), "`name`: give its name"),
        ("create_company", json!({ "name": "x".repeat(201) }), "200 characters"),
        ("create_company", json!({ "name": "x", "nmae": "y" }), "There is no argument `nmae`"),
        ("create_company", json!({ "name": "a\u{0}b" }), "control character"),
        ("create_contact", json!({ "name": "x", "company_id": "comp_1" }), "`company_id`"),
        (
            "create_contact",
            json!({ "name": "x", "company_id": format!("comp_{:032x}", 1) }),
            "There is no company comp_",
        ),
        (
            "create_deal",
            json!({ "name": "x", "company_id": format!("comp_{:032x}", 1) }),
            "There is no company comp_",
        ),
        ("list_companies", json!({ "limit": 101 }), "`limit`"),
        ("list_companies", json!({ "cursor": "x" }), "`cursor`"),
        (
            "list_interactions",
            json!({ "cursor": "WyJ4IiwiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwIl0" }),
            "`cursor`",
        ),
        ("delete_interaction", json!({ "id": format!("intr_{:032x}", 1) }), "There is no interaction"),
        ("delete_deal", json!({ "id": format!("deal_{:032x}", 1) }), "There is no deal"),
        ("update_contact", json!({ "id": format!("cont_{:032x}", 1), "name": "x" }), "There is no contact"),
        ("get_company", json!([1]), "not a JSON object"),
    ] {
        let said = agent.fails(tool, arguments).await;
        assert!(said.contains(says), "{tool}: {said}");
    }
    assert_eq!(agent.does("list_companies", json!({})).await, json!({ "companies": [] }));
    let bytes =
        native::call(&world.control, &agent.who, agent.call, "crm", "list_companies", b"{\"search\":")
            .await
            .unwrap();
    assert!(bytes.1);
    not_there(native::call(&world.control, &agent.who, agent.call, "crm", "drop_tables", b"{}").await);
    not_there(native::call(&world.control, &agent.who, agent.call, "erp", "list_companies", b"{}").await);
}

#[tokio::test]
async fn organizations_do_not_see_each_others_companies() {
    let world = TestWorld::new().await;
    let (other, _) = world.another_tenant("other").await;
    let (mine, theirs) = (ours(&world), agent(&world, other.tenant, other.owner));
    let id = mine.does("create_company", json!({ "name": "Acme" })).await["company"]["id"].clone();
    assert_eq!(theirs.does("list_companies", json!({})).await, json!({ "companies": [] }));
    for (tool, arguments) in [
        ("get_company", json!({ "id": id })),
        ("update_company", json!({ "id": id, "name": "Taken" })),
        ("delete_company", json!({ "id": id })),
        ("create_contact", json!({ "name": "Spy", "company_id": id })),
        ("create_deal", json!({ "name": "Spy", "company_id": id })),
    ] {
        let said = theirs.fails(tool, arguments).await;
        assert!(said.starts_with("There is no company"), "{tool}: {said}");
    }
    assert_eq!(mine.does("get_company", json!({ "id": id })).await["company"]["name"], "Acme");
}

/// The module in the catalog, so that people can use it.
async fn enabled(world: &TestWorld) {
    modules::enable_native(&world.control, &world.operator, "crm", None).await.unwrap();
}

fn given(fields: &[(&str, &str)]) -> Given {
    fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[tokio::test]
async fn people_see_and_change_what_their_keys_say_and_no_more() {
    let world = TestWorld::new().await;
    let control = &world.control;
    enabled(&world).await;
    let ada = user(&world, "Ada", Some(Role::Member)).await;
    let actor = signed_in(&world, ada).await;
    let may = async || {
        let sight = crm::sight(control, &actor).await.unwrap();
        (sight.read, sight.change, sight.delete)
    };
    let tries = async || {
        let list = crm::list::<Company>(control, &actor, &Filter::default(), 0, 10).await.is_ok();
        let made = crm::create::<Company>(control, &actor, given(&[("name", "Acme")])).await;
        let gone = match &made {
            Ok(id) => crm::delete::<Company>(control, &actor, *id).await.is_ok(),
            Err(_) => false,
        };
        (list, made.is_ok(), gone)
    };
    assert_eq!((may().await, tries().await), ((false, false, false), (false, false, false)));

    // By a unit above, by a role, by themselves; each alone, and gone when it is revoked.
    let below = units::create(
        control,
        &world.operator,
        NewUnit { parent: Some(world.tenant.unit), kind: UnitKind::Team, name: "Team".to_owned() },
    )
    .await
    .unwrap();
    users::move_to(control, &world.operator, ada, below).await.unwrap();
    for grantee in [Grantee::Unit(world.tenant.unit), Grantee::Role(Role::Member), Grantee::User(ada)] {
        let grant = world.grant("crm:read", grantee).await;
        assert_eq!((may().await, tries().await), ((true, false, false), (true, false, false)), "{grantee:?}");
        grants::revoke(control, &world.operator, grant).await.unwrap();
        assert_eq!(may().await, (false, false, false));
    }
    let elsewhere = NewUnit { parent: None, kind: UnitKind::Team, name: "Elsewhere".to_owned() };
    let elsewhere = units::create(control, &world.operator, elsewhere).await.unwrap();
    world.grant("crm", Grantee::Unit(elsewhere)).await;
    world.grant("crm", Grantee::Role(Role::Finance)).await;
    assert_eq!(may().await, (false, false, false), "another unit's, another role's");
    users::join_unit(control, &world.operator, ada, elsewhere).await.unwrap();
    assert_eq!((may().await, tries().await), ((true, true, true), (true, true, true)));
    users::leave_unit(control, &world.operator, ada, elsewhere).await.unwrap();

    // What only changes does not read, and what may change may not delete.
    world.grant("crm:write", Grantee::User(ada)).await;
    assert_eq!((may().await, tries().await), ((false, true, false), (false, false, false)));
    world.grant("crm:read", Grantee::User(ada)).await;
    assert_eq!((may().await, tries().await), ((true, true, false), (true, true, false)));
}

#[tokio::test]
async fn a_key_that_has_expired_opens_nothing() {
    let world = TestWorld::new().await;
    enabled(&world).await;
    let ada = user(&world, "Ada", Some(Role::Member)).await;
    let actor = signed_in(&world, ada).await;
    let until = world.control.ambient().now() + chrono::TimeDelta::minutes(5);
    let key = "crm".parse().unwrap();
    grants::give(&world.control, &world.operator, &key, Grantee::User(ada), Some(until)).await.unwrap();
    assert!(crm::sight(&world.control, &actor).await.unwrap().opens());
    // It is over at that very instant.
    world.clock.as_ref().unwrap().advance(std::time::Duration::from_secs(300));
    assert!(!crm::sight(&world.control, &actor).await.unwrap().opens());
    not_there(crm::list::<Company>(&world.control, &actor, &Filter::default(), 0, 10).await);
    not_there(crm::create::<Company>(&world.control, &actor, given(&[("name", "Acme")])).await);
}

#[tokio::test]
async fn roles_that_need_no_key_open_it_and_nobody_does_while_it_is_off() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let auditor = with_role(&world, "Tess", Role::Auditor).await;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    let missing = crm::list::<Company>(control, &admin, &Filter::default(), 0, 10).await;
    assert_eq!(refused(missing), "crm_not_enabled");
    enabled(&world).await;
    let id = crm::create::<Company>(control, &admin, given(&[("name", "Acme")])).await.unwrap();
    assert_eq!(crm::find::<Company>(control, &auditor, id).await.unwrap().0.record.name, "Acme");
    not_there(crm::update::<Company>(control, &auditor, id, given(&[("name", "Taken")])).await);
    not_there(crm::delete::<Company>(control, &auditor, id).await);
    not_there(crm::consequence::<Company>(control, &auditor, id).await);
    // An agent has its tools, and not these.
    not_there(crm::find::<Company>(control, &Actor::agent(Arc::new(ours(&world).who)), id).await);
    let (_, stranger) = world.another_tenant("other").await;
    modules::enable_native(control, &stranger, "crm", None).await.unwrap();
    not_there(crm::find::<Company>(control, &stranger, id).await);
    let module = modules::find(control, &admin, "crm").await.unwrap().view.id;
    modules::switch_off(control, &admin, module).await.unwrap();
    assert_eq!(refused(crm::find::<Company>(control, &admin, id).await), "crm_switched_off");
}

#[tokio::test]
async fn what_people_change_is_on_record_and_who_changed_a_record_last_is_known() {
    let world = TestWorld::new().await;
    let control = &world.control;
    enabled(&world).await;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    let company =
        crm::create::<Company>(control, &admin, given(&[("name", "Acme"), ("website", "acme.example")]))
            .await
            .unwrap();
    let person = [("name", "Wile E."), ("company", "ACME"), ("email", "wile@acme.example")];
    let contact = crm::create::<Contact>(control, &admin, given(&person)).await.unwrap();
    let deal = [("name", "Rockets"), ("company", "acme"), ("amount", "12.50"), ("currency", "EUR")];
    let deal = crm::create::<Deal>(control, &admin, given(&deal)).await.unwrap();
    let interaction = [
        ("contact_email", "WILE@acme.example"),
        ("kind", "call"),
        ("summary", "Talked."),
        ("at", "2026-01-01T10:00"),
    ];
    let interaction = crm::create::<Interaction>(control, &admin, given(&interaction)).await.unwrap();
    crm::update::<Deal>(control, &admin, deal, given(&[("stage", "won"), ("name", "Rockets")]))
        .await
        .unwrap();
    // What says the same changes nothing.
    crm::update::<Deal>(control, &admin, deal, given(&[("stage", "won")])).await.unwrap();
    assert_eq!(refused(crm::delete::<Company>(control, &admin, company).await), "still_in_use");
    let consequence = crm::consequence::<Contact>(control, &admin, contact).await.unwrap();
    assert_eq!((consequence.interactions, consequence.hinders()), (1, false));

    let (line, around) = crm::find::<Company>(control, &admin, company).await.unwrap();
    assert!(matches!(&line.changed_by, ChangedBy::Person { name, .. } if name == "Abel"));
    assert_eq!((around.contacts.len(), around.deals.len(), around.interactions.len()), (1, 1, 1));
    assert_eq!(around.interactions[0].contact.as_ref().unwrap().0, contact);
    let totals = crm::totals(control, &admin, &Filter::default()).await.unwrap();
    assert_eq!(
        (totals[0].stage, totals[0].deals, totals[0].amount),
        (Stage::Won, 1, "12.5".parse().unwrap())
    );

    // An agent's change names the agent and its call.
    let (helper, _) = world.agent("Helper").await;
    let mut agent = ours(&world);
    agent.who.agent = helper;
    agent.does("update_company", json!({ "id": company.to_string(), "industry": "Anvils" })).await;
    let (line, _) = crm::find::<Company>(control, &admin, company).await.unwrap();
    let by = ChangedBy::Agent { id: helper, name: "Helper".to_owned(), call: Some(agent.call) };
    assert_eq!(line.changed_by, by);

    crm::delete::<Contact>(control, &admin, contact).await.unwrap();
    not_there(crm::find::<Interaction>(control, &admin, interaction).await);
    let crm_events: Vec<_> =
        audit(&world).await.into_iter().filter(|event| event.starts_with("user Abel")).collect();
    assert_eq!(
        crm_events,
        [
            "user Abel company.create: Acme",
            "user Abel contact.create: Wile E.",
            "user Abel deal.create: Rockets",
            "user Abel interaction.create: Talked.",
            "user Abel deal.update: Rockets",
            "user Abel contact.delete: Wile E.",
        ]
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_beside_the_field() {
    let world = TestWorld::new().await;
    let control = &world.control;
    enabled(&world).await;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    let id = crm::create::<Company>(control, &admin, given(&[("name", "Acme"), ("external_id", "7")]))
        .await
        .unwrap();
    crm::create::<Company>(control, &admin, given(&[("name", "acme")])).await.unwrap();
    let long = "x".repeat(10_001);
    for (fields, field) in [
        (vec![("name", "")], "name"),
        (vec![("name", "a\0b")], "name"),
        (vec![("name", &long[..201])], "name"),
        (vec![("name", "x"), ("notes", &long)], "notes"),
        (vec![("name", "x"), ("external_id", "7")], "external_id"),
    ] {
        assert_eq!(invalid(crm::create::<Company>(control, &admin, given(&fields)).await), field, "{field}");
    }
    for (fields, field) in [
        (vec![("name", "x"), ("company", "acme")], "company"),
        (vec![("name", "x"), ("company", "nobody")], "company"),
        (vec![("name", "x")], "company_id"),
        (vec![("name", "x"), ("company_id", "7")], "company_id"),
        (
            vec![("name", "x"), ("company", "Acme"), ("company_id", &id.to_string()), ("amount", "1")],
            "currency",
        ),
        (
            vec![("name", "x"), ("company", "Acme"), ("company_id", &id.to_string()), ("amount", "=1")],
            "amount",
        ),
        (vec![("name", "x"), ("company", "Acme"), ("company_id", &id.to_string()), ("stage", "x")], "stage"),
    ] {
        assert_eq!(invalid(crm::create::<Deal>(control, &admin, given(&fields)).await), field, "{fields:?}");
    }
    // The id that the form carries says which of those of one name; hostile text is kept as it is.
    let hostile = "<script>alert(1)</script> \u{202E}😀";
    let fields = [("name", hostile), ("company", "ACME"), ("company_id", &id.to_string())];
    let deal = crm::create::<Deal>(control, &admin, given(&fields)).await.unwrap();
    let (line, _) = crm::find::<Deal>(control, &admin, deal).await.unwrap();
    assert_eq!((line.record.name.as_str(), line.company.unwrap().0), (hostile, id));
}

#[tokio::test]
async fn lists_are_sorted_filtered_and_paged() {
    let world = TestWorld::new().await;
    let control = &world.control;
    enabled(&world).await;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    crm::create::<Company>(control, &admin, given(&[("name", "Acme")])).await.unwrap();
    for (n, amount) in ["5", "700", "60", ""].iter().enumerate() {
        world.clock.as_ref().unwrap().advance(std::time::Duration::from_secs(1));
        let name = format!("Deal {}", (b'D' - n as u8) as char);
        let currency = if amount.is_empty() { "" } else { "EUR" };
        let fields =
            [("name", name.as_str()), ("company", "Acme"), ("amount", amount), ("currency", currency)];
        crm::create::<Deal>(control, &admin, given(&fields)).await.unwrap();
    }
    let names = async |sort: Option<Sort>, search: &str, from: u32| {
        let filter =
            Filter { sort, search: Some(search.to_owned()).filter(|it| !it.is_empty()), ..Filter::default() };
        let listing = crm::list::<Deal>(control, &admin, &filter, from, 3).await.unwrap();
        let names: Vec<_> =
            listing.lines.into_iter().map(|line| line.record.name.replace("Deal ", "")).collect();
        (names.join(""), listing.more)
    };
    let page = |names: &str, more| (names.to_owned(), more);
    assert_eq!(names(None, "", 0).await, page("ABC", true));
    assert_eq!(names(None, "", 3).await, page("D", false));
    assert_eq!(names(Some(Sort::Name), "", 0).await, page("ABC", true));
    assert_eq!(names(Some(Sort::Amount), "", 0).await, page("CBD", true));
    assert_eq!(names(Some(Sort::Amount), "deal b", 0).await, page("B", false));
    assert_eq!(
        refused(crm::list::<Deal>(control, &admin, &Filter::default(), u32::MAX, 3).await),
        "too_deep"
    );
}

async fn sheet_of<R: crm::Record>(world: &TestWorld, actor: &Actor) -> String {
    use futures::TryStreamExt as _;
    let pieces: Vec<bytes::Bytes> = sheets::export::<R>(&world.control, actor, Filter::default())
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

/// Uploads and applies a file of which every row is right.
async fn imported<R: crm::Record>(world: &TestWorld, actor: &Actor, key: Key, text: &str) -> Plan {
    let control = &world.control;
    let import = sheets::upload::<R>(control, actor, key, "file.csv", text.as_bytes()).await.unwrap();
    let plan = sheets::plan::<R>(control, actor, import).await.unwrap();
    assert_eq!(plan.wrong, []);
    sheets::apply::<R>(control, actor, import, &plan.mark).await.unwrap()
}

fn counts(plan: &Plan) -> (usize, usize, usize) {
    let count = |what: fn(&Effect) -> bool| plan.count(what);
    (
        count(|effect| *effect == Effect::Create),
        count(|effect| matches!(effect, Effect::Update(_))),
        count(|effect| *effect == Effect::Skip),
    )
}

#[tokio::test]
async fn what_was_exported_can_be_imported_and_is_the_same() {
    let world = TestWorld::new().await;
    let control = &world.control;
    enabled(&world).await;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    let hostile = ["=1+1", "+49 30 1", "'=x", "-a, \"b\"", "@c\nd", "Zürich; \"AG\"", "<b>\u{202E}", "'"];
    for (n, text) in hostile.iter().enumerate() {
        let (number, one_line) = (n.to_string(), text.replace('\n', " "));
        let fields =
            [("name", one_line.as_str()), ("notes", text), ("external_id", &number), ("industry", &one_line)];
        let company = crm::create::<Company>(control, &admin, given(&fields)).await.unwrap().to_string();
        let fields =
            [("name", one_line.as_str()), ("company_id", &company), ("phone", &one_line), ("notes", text)];
        let contact = crm::create::<Contact>(control, &admin, given(&fields)).await.unwrap().to_string();
        let fields =
            [("name", one_line.as_str()), ("company_id", &company), ("amount", "1.5"), ("currency", "EUR")];
        crm::create::<Deal>(control, &admin, given(&fields)).await.unwrap();
        let fields = [
            ("contact_id", contact.as_str()),
            ("kind", "note"),
            ("summary", text),
            ("at", "2026-01-01T10:00"),
        ];
        crm::create::<Interaction>(control, &admin, given(&fields)).await.unwrap();
    }
    let sheets = [
        sheet_of::<Company>(&world, &admin).await,
        sheet_of::<Contact>(&world, &admin).await,
        sheet_of::<Deal>(&world, &admin).await,
        sheet_of::<Interaction>(&world, &admin).await,
    ];
    let [companies, contacts, deals, interactions] = &sheets;
    for text in &sheets {
        for record in csv::ReaderBuilder::new().from_reader(text.as_bytes()).records() {
            for cell in record.unwrap().iter() {
                assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell:?} would be run");
            }
        }
    }
    // All is there as it is: nothing changes.
    assert_eq!(counts(&imported::<Company>(&world, &admin, Key::Id, companies).await), (0, 0, 8));
    assert_eq!(counts(&imported::<Contact>(&world, &admin, Key::Id, contacts).await), (0, 0, 8));
    assert_eq!(counts(&imported::<Deal>(&world, &admin, Key::Id, deals).await), (0, 0, 8));
    assert_eq!(counts(&imported::<Interaction>(&world, &admin, Key::Id, interactions).await), (0, 0, 8));
    // In an organization that has nothing yet, by the ids in another system, the same comes about.
    let without_id = |text: &str| -> String {
        let lines = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes()).into_records();
        let mut writer = csv::Writer::from_writer(Vec::new());
        for record in lines {
            let cells: Vec<String> = record.unwrap().iter().skip(1).map(str::to_owned).collect();
            writer.write_record(&cells).unwrap();
        }
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    };
    let (other, stranger) = world.another_tenant("other").await;
    modules::enable_native(control, &stranger, "crm", None).await.unwrap();
    let olga = control::sign_in::actor(control, other.tenant, other.owner).await.unwrap().unwrap();
    let plan = imported::<Company>(&world, &olga, Key::ExternalId, &without_id(companies)).await;
    assert_eq!(counts(&plan), (8, 0, 0));
    // Ids of one instant have no order: neither have the rows.
    let sorted = |text: String| {
        let mut rows: Vec<csv::StringRecord> =
            csv::Reader::from_reader(text.as_bytes()).into_records().map(Result::unwrap).collect();
        rows.sort_by(|a, b| a.iter().cmp(b.iter()));
        rows
    };
    assert_eq!(sorted(without_id(&sheet_of::<Company>(&world, &olga).await)), sorted(without_id(companies)));
    // Ids are of one organization: there they are nothing.
    let import =
        sheets::upload::<Company>(control, &olga, Key::Id, "x.csv", companies.as_bytes()).await.unwrap();
    assert_eq!(sheets::plan::<Company>(control, &olga, import).await.unwrap().wrong.len(), 8);
}

#[tokio::test]
async fn an_import_says_first_what_comes_of_it_and_then_does_just_that() {
    let world = TestWorld::new().await;
    let control = &world.control;
    enabled(&world).await;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    crm::create::<Company>(
        control,
        &admin,
        given(&[("name", "Acme"), ("website", "https://www.acme.example/x"), ("notes", "kept")]),
    )
    .await
    .unwrap();
    // Columns in any order and case, one that nothing is made of, semicolons as spreadsheets write them.
    let text =
        "\u{FEFF}Website;NAME;Colour\nacme.example;Acme GmbH;red\nnew.example;New;\n\n;Nameless domain;\n";
    let plan = imported::<Company>(&world, &admin, Key::Domain, text).await;
    assert_eq!((counts(&plan), plan.ignored.clone()), ((2, 1, 0), vec!["colour".to_owned()]));
    assert_eq!(plan.rows[0].effect, Effect::Update(vec!["name", "website"]));
    let listing = crm::list::<Company>(control, &admin, &Filter::default(), 0, 10).await.unwrap();
    let acme = &listing.lines[0].record;
    assert_eq!(
        (acme.name.as_str(), acme.notes.as_deref()),
        ("Acme GmbH", Some("kept")),
        "no column, no change"
    );
    let events = audit(&world).await;
    let said = |event: &str| events.iter().any(|it| it == event);
    assert!(said("user Abel company.update: Acme GmbH") && said("user Abel company.create: New"));
    assert!(said("user Abel crm.import: file.csv"));

    // An empty cell clears; what is wrong is said by line and column, and then nothing is done.
    let text = "email,name,company,notes\n\
                a@x.example,Ann,acme gmbh,\n\
                a@X.example,Twice,,\n\
                b@x.example,,,\n\
                c@x.example,Carl,Nobody Ltd,\n\
                d@x.example,Dora\n\
                \"e@x.example\",\"multi\nline\",,\n";
    let import =
        sheets::upload::<Contact>(control, &admin, Key::Email, "c.csv", text.as_bytes()).await.unwrap();
    let plan = sheets::plan::<Contact>(control, &admin, import).await.unwrap();
    let wrong: Vec<_> = plan.wrong.iter().map(|cell| (cell.line, cell.column.as_str())).collect();
    assert_eq!(wrong, [(3, "email"), (4, "name"), (5, "company"), (6, ""), (7, "name")]);
    assert_eq!(refused(sheets::apply::<Contact>(control, &admin, import, &plan.mark).await), "wrong_rows");
    assert!(crm::list::<Contact>(control, &admin, &Filter::default(), 0, 10).await.unwrap().lines.is_empty());

    // What changed meanwhile is looked at again; what somebody else uploaded is not there.
    let import = sheets::upload::<Company>(control, &admin, Key::Name, "d.csv", b"name,industry\nNew,Tea\n")
        .await
        .unwrap();
    let plan = sheets::plan::<Company>(control, &admin, import).await.unwrap();
    let other = with_role(&world, "Bea", Role::Admin).await;
    not_there(sheets::plan::<Company>(control, &other, import).await);
    not_there(sheets::plan::<Contact>(control, &admin, import).await);
    crm::create::<Company>(control, &admin, given(&[("name", "other"), ("external_id", "9")])).await.unwrap();
    let filter = Filter { search: Some("new.ex".to_owned()), ..Filter::default() };
    let id = crm::list::<Company>(control, &admin, &filter, 0, 1).await.unwrap().lines[0].id;
    crm::update::<Company>(control, &admin, id.into(), given(&[("industry", "Tea")])).await.unwrap();
    assert_eq!(refused(sheets::apply::<Company>(control, &admin, import, &plan.mark).await), "plan_changed");
    world.clock.as_ref().unwrap().advance(std::time::Duration::from_secs(86_401));
    not_there(sheets::plan::<Company>(control, &admin, import).await);
    let auditor = with_role(&world, "Tess", Role::Auditor).await;
    not_there(sheets::upload::<Company>(control, &auditor, Key::Name, "x", b"name\nx").await);
    sheet_of::<Company>(&world, &auditor).await;
}

#[tokio::test]
async fn files_that_cannot_be_are_refused_with_the_reason() {
    let world = TestWorld::new().await;
    enabled(&world).await;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    let many = format!("name\n{}", "x\n".repeat(sheets::MOST_ROWS + 1));
    for (content, field) in [
        (&b""[..], "file"),
        (b"\xff\xfe", "file"),
        (b"name\0\nx", "file"),
        (b"nothing,known\n1,2", "file"),
        (b"name,name\n1,2", "file"),
        (b"name\n", "file"),
        (b"website\nx.example", "match_by"),
        (many.as_bytes(), "file"),
        (&vec![b'x'; sheets::LARGEST + 1], "file"),
    ] {
        let result = sheets::upload::<Company>(&world.control, &admin, Key::Name, "x.csv", content).await;
        assert_eq!(invalid(result), field);
    }
    let result = sheets::upload::<Deal>(&world.control, &admin, Key::Email, "x.csv", b"name\nx").await;
    assert_eq!(invalid(result), "match_by");
}
