//! Bundles, from an empty table to an address that is gone.

use http::StatusCode;

use super::Browser;

#[tokio::test]
async fn a_bundle_is_made_filled_renamed_and_deleted() {
    let mut owner = Browser::new().await;
    owner.sign_in().await;
    let page = owner.get("/t/acme/bundles").await;
    assert!(page.text.contains("No bundle has been made yet"), "{}", page.text);

    let page = owner.post("/t/acme/bundles/new", &[("title", ""), ("name", "Front Desk")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("id=\"naming-error\""), "{}", page.text);
    let fields = [("title", "Front desk"), ("name", "Front Desk"), ("naming", "plain")];
    let page = owner.post("/t/acme/bundles/new", &fields).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.text.contains("id=\"name-error\"") && page.text.contains("value=\"Front desk\""),
        "{}",
        page.text
    );
    let fields = [("title", "Front desk"), ("name", "desk"), ("naming", "plain")];
    let made = owner.post("/t/acme/bundles/new", &fields).await;
    assert_eq!((made.status, made.leads_to()), (StatusCode::SEE_OTHER, "/t/acme/bundles/desk"));

    let page = owner.get("/t/acme/bundles/desk").await;
    assert!(page.text.contains("Nothing yet") && page.text.contains("/mcp/desk</code>"), "{}", page.text);
    let page = owner.post("/t/acme/bundles/desk/add", &[]).await;
    assert!(page.text.contains("Tick what you want to put in."), "{}", page.text);
    let notes = control::modules::find(&owner.world.control, &owner.world.operator, "notes").await.unwrap();
    let tool = notes.tools.iter().find(|tool| tool.name == "read_note").unwrap().id.to_string();
    let added = owner.post("/t/acme/bundles/desk/add", &[("tool", &tool)]).await;
    assert_eq!((added.status, added.leads_to()), (StatusCode::SEE_OTHER, "/t/acme/bundles/desk"));

    let rename = format!("/t/acme/bundles/desk/tools/{tool}");
    assert!(owner.get(&rename).await.text.contains("value=\"read_note\""));
    let page = owner.post(&rename, &[("here", "read a note")]).await;
    assert!(
        page.text.contains("id=\"here-error\"") && page.text.contains("value=\"read a note\""),
        "{}",
        page.text
    );
    assert_eq!(owner.post(&rename, &[("here", "look_up")]).await.status, StatusCode::SEE_OTHER);
    let page = owner.get("/t/acme/bundles/desk").await;
    assert!(page.text.contains("look_up") && page.text.contains("read_note"), "{}", page.text);
    let page = owner.get("/t/acme/bundles").await;
    assert!(page.text.contains("Front desk") && page.text.contains("<bdi>notes</bdi>"), "{}", page.text);

    let described = owner.get("/t/acme/bundles/desk/describe").await;
    assert!(described.text.contains("value=\"Front desk\""), "{}", described.text);
    let fields = [("title", "Reception"), ("naming", "full")];
    assert_eq!(owner.post("/t/acme/bundles/desk/describe", &fields).await.status, StatusCode::SEE_OTHER);
    assert!(owner.get("/t/acme/bundles/desk/delete").await.text.contains("1 tool"), "its consequence");
    let gone = owner.post("/t/acme/bundles/desk/delete", &[]).await;
    assert_eq!((gone.status, gone.leads_to()), (StatusCode::SEE_OTHER, "/t/acme/bundles"));
    assert_eq!(owner.get("/t/acme/bundles/desk").await.status, StatusCode::NOT_FOUND);
}
