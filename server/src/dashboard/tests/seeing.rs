//! What is shown to whom, what is refused, and what every answer carries.

use axum::body::Body;
use control::users::NewUser;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ORIGIN};
use http::{Method, Request, StatusCode};
use model::CallId;
use model::people::Role;
use secrecy::SecretString;
use testkit::PASSWORD;

use super::{Browser, OURS};

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    for (name, value) in
        [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("x-nothing", "x")]
    {
        let mut request = Browser::form("/sign-out", &[]);
        request.headers_mut().remove(ORIGIN);
        request.headers_mut().insert(name, value.parse().unwrap());
        let page = browser.page(request).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{name}: {value}");
        assert!(page.text.contains("That did not come from here") && page.text.contains("href=\"/\""));
    }
    assert_eq!(browser.get("/t/acme/activity").await.status, StatusCode::OK, "still signed in");
}

#[tokio::test]
async fn what_one_may_not_see_is_not_there() {
    let mut browser = Browser::new().await;
    let (other, _) = browser.world.another_tenant("beta").await;
    let (_ledger, ids) = browser.calls(&["notes.read_note"]).await;
    browser.sign_in().await;
    assert_eq!(browser.get(&format!("/t/acme/activity/{}", ids[0])).await.status, StatusCode::OK);
    let of_nobody = format!("/t/acme/activity/{}", browser.world.control.ambient().id::<CallId>());
    let of_beta = format!("/t/beta/activity/{}", ids[0]);
    for path in [
        "/t/beta/activity",
        "/t/beta",
        "/t/beta/activity/live",
        "/t/beta/activity/rejected",
        "/t/gamma/activity",
        "/t/ACME/activity",
        "/t/%00/activity",
        "/t/acme/activity/call_1",
        "/t/acme/activity/..",
        "/t/acme/nowhere",
        "/x",
        &of_nobody,
        &of_beta,
    ] {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.text.contains("There is no such page") && !page.text.contains("beta Ltd"), "{path}");
    }
    let _ = other;
    // A member sees calls of their own agents alone, and no rejected requests.
    let world = browser.world.clone();
    let member = NewUser {
        email: "mia@acme.example".into(),
        name: "Mia Member".into(),
        home_unit: world.tenant.unit,
        password: Some(SecretString::from(PASSWORD)),
        role: Some(Role::Member),
    };
    control::users::create(&world.control, &world.operator, member).await.unwrap();
    let mut mia = browser.stranger();
    mia.post("/sign-in", &[("email", "mia@acme.example"), ("password", PASSWORD)]).await;
    let page = mia.get("/t/acme/activity").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains("notes.read_note") && !page.text.contains("Rejected requests"));
    assert_eq!(mia.get(&format!("/t/acme/activity/{}", ids[0])).await.status, StatusCode::NOT_FOUND);
    assert_eq!(mia.get("/t/acme/activity/rejected").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_answer_tells_the_browser_what_to_refuse() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    for path in ["/sign-in", "/t/acme/activity", "/x", "/pkg/app.js", "/fonts/none"] {
        let page = browser.get(path).await;
        let policy = page.headers.get(CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe-inline"));
        assert_eq!(page.headers.get("x-content-type-options").unwrap(), "nosniff");
        assert_eq!(page.headers.get("referrer-policy").unwrap(), "same-origin");
        assert!(page.headers.contains_key("permissions-policy") && page.headers.contains_key("x-request-id"));
    }
    let page = browser.get("/t/acme/activity").await;
    assert_eq!(page.headers.get(CACHE_CONTROL).unwrap(), "no-store");
    let policy = page.headers.get(CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert!(page.text.contains(&format!("nonce=\"{nonce}\"")));
    assert!(!browser.get("/t/acme/activity").await.text.contains(nonce), "each answer has its own");
}

#[tokio::test]
async fn static_files_are_kept_for_ever_under_the_address_of_their_content() {
    let mut browser = Browser::new().await;
    let sheet = browser.get("/sign-in").await.text;
    let address =
        sheet.split("rel=\"stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(address.starts_with("/pkg/app.css?v="));
    let file = browser.get(&address).await;
    assert_eq!(file.status, StatusCode::OK);
    assert!(file.headers.get(CACHE_CONTROL).unwrap().to_str().unwrap().contains("immutable"));
    assert!(
        !browser
            .get("/pkg/app.css")
            .await
            .headers
            .get(CACHE_CONTROL)
            .unwrap()
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    assert_eq!(browser.get("/pkg/../Cargo.toml").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/pkg/").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn filters_stand_in_the_address_and_empty_ones_do_not() {
    let mut browser = Browser::new().await;
    let (_ledger, ids) = browser.calls(&["notes.read_note", "notes.write_note", "notes.read_note"]).await;
    browser.sign_in().await;
    let sent =
        browser.get("/t/acme/activity?span=all&from=&to=&agent=&module=&tool=&verdict=deny&outcome=").await;
    assert_eq!((sent.status, sent.leads_to()), (StatusCode::SEE_OTHER, "/t/acme/activity?verdict=deny"));
    let page = browser.get("/t/acme/activity?verdict=deny").await;
    assert!(page.text.contains(&ids[1].to_string()) && !page.text.contains(&ids[0].to_string()));
    assert!(page.text.contains("notes:write"), "the reason stands in the row");
    let older = browser.get(&format!("/t/acme/activity?before={}", ids[1])).await;
    assert!(older.text.contains(&ids[0].to_string()) && !older.text.contains(&ids[2].to_string()));
    assert!(older.text.contains("Newer"));
    let wrong = browser.get("/t/acme/activity?verdict=perhaps").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("Choose one of the decisions."));
}

#[tokio::test]
async fn requests_of_the_wrong_kind_get_a_page_that_says_so() {
    let mut browser = Browser::new().await;
    let page =
        browser.page(Request::delete("/sign-in").header(ORIGIN, OURS).body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(page.text.contains("That cannot be done here"));
    let large = "x".repeat(70_000);
    let page = browser.post("/sign-in", &[("email", &large), ("password", "x")]).await;
    assert!(page.status.is_client_error() && page.text.contains("</html>"), "{}", page.status);
    let mut odd = Browser::form("/sign-in", &[]);
    odd.headers_mut().insert(CONTENT_TYPE, "application/json".parse().unwrap());
    assert_eq!(browser.page(odd).await.status, StatusCode::BAD_REQUEST);
    let head = browser
        .page(Request::builder().method(Method::HEAD).uri("/sign-in").body(Body::empty()).unwrap())
        .await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
}
