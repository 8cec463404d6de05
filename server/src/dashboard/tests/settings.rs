//! Settings: forms, sessions, the record of changes, danger.

use control::settings;
use http::StatusCode;

use super::Browser;

#[tokio::test]
async fn settings_are_saved_or_come_back_with_what_was_typed() {
    let mut owner = Browser::new().await;
    owner.sign_in().await;
    let fields = [("name", "Acme GmbH"), ("currency", "EUR"), ("time_zone", "Europe/Berlin")];
    let saved = owner.post("/t/acme/settings", &fields).await;
    assert_eq!((saved.status, saved.leads_to()), (StatusCode::SEE_OTHER, "/t/acme/settings"));
    let page = owner.get("/t/acme/settings").await;
    assert!(page.text.contains("value=\"Acme GmbH\"") && page.text.contains("/mcp_"), "{}", page.text);
    let page = owner
        .post("/t/acme/settings", &[("name", "<b>"), ("currency", "€"), ("time_zone", "Moon/Sea")])
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    for kept in ["currency-error", "time_zone-error", "value=\"Moon/Sea\"", "value=\"&lt;b&gt;\""] {
        assert!(page.text.contains(kept), "{kept}: {}", page.text);
    }
    let rules = [
        ("idle_minutes", "30"),
        ("longest_hours", "10"),
        ("shortest_password", "16"),
        ("invited_domains", "a.example, @b.example\nc.example"),
    ];
    assert_eq!(owner.post("/t/acme/settings/sign-in", &rules).await.status, StatusCode::SEE_OTHER);
    let page = owner.get("/t/acme/settings/sign-in").await;
    assert!(
        page.text.contains("a.example\nb.example\nc.example") && page.text.contains("value=\"30\""),
        "{}",
        page.text
    );
    let page = owner
        .post(
            "/t/acme/settings/sign-in",
            &[("idle_minutes", "x"), ("longest_hours", "10"), ("shortest_password", "16")],
        )
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page =
        owner.post("/t/acme/settings/mail", &[("sender_name", "Evil <a@b.c>"), ("reply_to", "")]).await;
    assert!(page.text.contains("sender_name-error"), "{}", page.text);
    let page = owner.get("/t/acme/settings/record?what=settings.sign_in").await;
    assert!(
        page.text.contains("settings.sign_in") && !page.text.contains("<bdi>settings.organization</bdi>"),
        "{}",
        page.text
    );
    let sheet = owner.get("/t/acme/settings/record/export?who=Olga").await;
    assert!(
        sheet.text.starts_with('\u{FEFF}') && sheet.text.contains(",settings.sign_in,"),
        "{}",
        sheet.text
    );
    assert_eq!(owner.get("/t/acme/settings/record?from=x").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_session_that_is_ended_is_over_at_its_next_click() {
    let mut owner = Browser::new().await;
    owner.sign_in().await;
    let mut elsewhere = owner.stranger();
    elsewhere.sign_in().await;
    assert_eq!(elsewhere.get("/t/acme/settings").await.status, StatusCode::OK);
    let page = owner.get("/t/acme/settings/sessions").await;
    let handles: Vec<_> =
        page.text.split("name=\"session\" value=\"").skip(1).map(|rest| &rest[..64]).collect();
    assert_eq!(handles.len(), 1, "one's own cannot be ended here: {}", page.text);
    let ended = owner.post("/t/acme/settings/sessions/end", &[("session", handles[0])]).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    assert!(elsewhere.get("/t/acme/settings").await.leads_to().starts_with("/sign-in"));
    elsewhere.sign_in().await;
    let all = format!("/t/acme/settings/sessions/{}/end", owner.world.tenant.owner);
    assert!(owner.get(&all).await.text.contains("1 session ends"));
    owner.post(&all, &[]).await;
    assert!(elsewhere.get("/t/acme/settings").await.leads_to().starts_with("/sign-in"));
    assert_eq!(owner.get("/t/acme/settings").await.status, StatusCode::OK, "one's own stays");
}

#[tokio::test]
async fn stopping_and_closing_say_what_they_mean_and_do_it() {
    let mut owner = Browser::new().await;
    owner.sign_in().await;
    owner.world.clone().agent("Helper").await;
    let page = owner.get("/t/acme/settings/danger/stop").await;
    for said in [">1 agent<", ">1 valid key<", "Danger zone</"] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    owner.post("/t/acme/settings/danger/stop", &[]).await;
    let page = owner.get("/t/acme/settings/danger").await;
    assert!(page.text.contains("All agents are stopped since"), "{}", page.text);
    owner.post("/t/acme/settings/danger/resume", &[]).await;
    assert!(owner.get("/t/acme/settings/danger").await.text.contains("Stop all agents"));

    let page = owner.post("/t/acme/settings/danger/close", &[("short_name", "acm")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.text.contains("short_name-error") && page.text.contains("Nothing is deleted by this"),
        "{}",
        page.text
    );
    let closed = owner.post("/t/acme/settings/danger/close", &[("short_name", "acme")]).await;
    assert_eq!((closed.status, closed.leads_to()), (StatusCode::SEE_OTHER, "/sign-in"));
    assert!(owner.get("/t/acme/settings").await.leads_to().starts_with("/sign-in"));
    let world = owner.world.clone();
    let operator = settings::get(&world.control, &world.operator).await.unwrap();
    assert_eq!(operator.name, "acme Ltd");
}
