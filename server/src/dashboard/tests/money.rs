//! Money at the dashboard's edge: who sees it, what the address keeps, and the file.

use control::users::NewUser;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use model::people::Role;
use secrecy::SecretString;
use testkit::PASSWORD;

use super::Browser;

async fn signed_in(browser: &Browser, name: &str, role: Role) -> Browser {
    let email = format!("{name}@acme.example");
    let new = NewUser {
        email: email.clone(),
        name: name.into(),
        home_unit: browser.world.tenant.unit,
        password: Some(SecretString::from(PASSWORD)),
        role: Some(role),
    };
    control::users::create(&browser.world.control, &browser.world.operator, new).await.unwrap();
    let mut other = browser.stranger();
    other.post("/sign-in", &[("email", &email), ("password", PASSWORD)]).await;
    other
}

#[tokio::test]
async fn money_is_for_whom_it_concerns_and_my_usage_for_everyone() {
    let mut browser = Browser::new().await;
    let (_ledger, _) = browser.calls(&["notes.read_note", "notes.write_note"]).await;
    browser.sign_in().await;
    let page = browser.get("/t/acme/money").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Operations") && page.text.contains("cost nothing"), "no tool has a price");
    for role in [Role::Finance, Role::Auditor, Role::Admin] {
        let mut other = signed_in(&browser, &format!("a-{role}"), role).await;
        assert_eq!(other.get("/t/acme/money").await.status, StatusCode::OK, "{role}");
    }
    for role in [Role::Member, Role::Approver] {
        let mut other = signed_in(&browser, &format!("a-{role}"), role).await;
        for path in
            ["/t/acme/money", "/t/acme/money?span=x", "/t/acme/money/file", "/t/acme/money/file?view=cross"]
        {
            assert_eq!(other.get(path).await.status, StatusCode::NOT_FOUND, "{role} {path}");
        }
        let usage = other.get("/t/acme/usage").await;
        assert_eq!(usage.status, StatusCode::OK);
        assert!(
            usage.text.contains("My usage") && !usage.text.contains("Note taker"),
            "of somebody else's agent"
        );
        assert!(!usage.text.contains("/t/acme/money\""), "what one may not see is not shown");
    }
    // The owner owns the agent.
    assert!(browser.get("/t/acme/usage").await.text.contains("Note taker"));
}

#[tokio::test]
async fn what_is_asked_for_stands_in_the_address_and_what_is_wrong_beside_its_field() {
    let mut browser = Browser::new().await;
    let (_ledger, _) = browser.calls(&["notes.read_note"]).await;
    browser.sign_in().await;
    let sent = browser.get("/t/acme/money?view=who&span=7d&from=&to=&by=department&currency=").await;
    assert_eq!((sent.status, sent.leads_to()), (StatusCode::SEE_OTHER, "/t/acme/money?span=7d"));
    let wrong = browser.get("/t/acme/money?from=2026-01-02&to=2026-01-01").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("To must not be before from."));
    for view in ["who", "what", "change", "when", "cross"] {
        for place in ["money", "usage"] {
            let path = if view == "who" {
                format!("/t/acme/{place}")
            } else {
                format!("/t/acme/{place}?view={view}")
            };
            let page = browser.get(&path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}");
            assert!(page.text.contains("<table"), "{path}");
            let file = browser.get(&format!("/t/acme/{place}/file?view={view}")).await;
            assert_eq!(file.status, StatusCode::OK);
            assert_eq!(file.headers.get(CONTENT_TYPE).unwrap(), "text/csv; charset=utf-8");
            assert!(
                file.headers.get(CONTENT_DISPOSITION).unwrap().to_str().unwrap().starts_with("attachment")
            );
            assert!(file.text.lines().count() >= 2, "{path}: {}", file.text);
        }
    }
    assert_eq!(browser.get("/t/acme/money/file?span=x").await.status, StatusCode::BAD_REQUEST);
    // The drill-down is to the very calls.
    let page = browser.get("/t/acme/money").await.text;
    let calls = page
        .split("href=\"/t/acme/activity?")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .replace("&amp;", "&");
    let list = browser.get(&format!("/t/acme/activity?{calls}")).await;
    assert!(matches!(list.status, StatusCode::OK | StatusCode::SEE_OTHER), "{}", list.status);
}
