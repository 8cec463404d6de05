//! The CRM, as people use it.

use std::sync::Arc;

use crate::clerk::{enabled, given, ours};
use crate::outside::{audit, invalid, not_there, refused, signed_in, user, with_role};
use control::crm::{self, Filter, Sort};
use control::units::{self, NewUnit};
use control::{Actor, grants, modules, users};
use model::access::Grantee;
use model::crm::{ChangedBy, Company, Contact, Deal, Interaction, Stage};
use model::people::{Role, UnitKind};
use serde_json::json;
use testkit::TestWorld;

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
