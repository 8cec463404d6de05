//! The CRM, as an agent uses it.

use crate::clerk::{agent, ours};
use crate::outside::not_there;
use control::native;
use serde_json::json;
use testkit::TestWorld;

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
