//! Signing in and out, and what a session is worth.

use std::sync::Arc;

use control::users::NewUser;
use http::StatusCode;
use http::header::{ORIGIN, RETRY_AFTER, SET_COOKIE};
use model::people::Role;
use secrecy::SecretString;
use testkit::{PASSWORD, TestWorld};

use super::{Browser, Page};

#[tokio::test]
async fn one_signs_in_looks_and_signs_out() {
    let mut browser = Browser::new().await;
    assert_eq!(browser.get("/").await.leads_to(), "/sign-in");
    let page = browser.get("/t/acme/activity?verdict=deny").await;
    assert_eq!(page.leads_to(), "/sign-in?next=%2Ft%2Facme%2Factivity%3Fverdict%3Ddeny");

    let fields =
        [("email", "Owner@Acme.example"), ("password", PASSWORD), ("next", "/t/acme/activity?verdict=deny")];
    let page = browser.post("/sign-in", &fields).await;
    assert_eq!((page.status, page.leads_to()), (StatusCode::SEE_OTHER, "/t/acme/activity?verdict=deny"));
    let page = browser.get("/t/acme/activity").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text.contains("acme Ltd") && page.text.contains("Olga Owner") && page.text.contains("Owner")
    );
    assert!(
        page.text.contains("No agent has called yet") && page.text.contains("http://127.0.0.1:8081/mcp_")
    );
    assert_eq!(browser.get("/").await.leads_to(), "/t/acme");
    assert_eq!(browser.get("/t/acme").await.status, StatusCode::OK);
    assert_eq!(browser.get("/sign-in").await.leads_to(), "/");

    let kept = browser.cookies.clone();
    assert_eq!(browser.post("/sign-out", &[]).await.leads_to(), "/sign-in?signed_out=yes");
    assert!(browser.get("/sign-in?signed_out=yes").await.text.contains("You are signed out."));
    browser.cookies = kept;
    assert!(browser.get("/t/acme/activity").await.leads_to().starts_with("/sign-in"), "the session is gone");
}

#[tokio::test]
async fn a_session_that_somebody_else_planted_is_worth_nothing() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let first = browser.cookies.clone();
    let cookie = browser.sign_in().await;
    let set = cookie.headers.get(SET_COOKIE).unwrap().to_str().unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"), "{set}");
    assert_ne!(first, browser.cookies, "each sign-in has an id of its own");
    browser.cookies = first;
    assert!(browser.get("/t/acme/activity").await.leads_to().starts_with("/sign-in"));
}

#[tokio::test]
async fn behind_tls_the_cookie_is_bound_to_the_host() {
    let world = Arc::new(TestWorld::in_real_time().await);
    let mut browser = Browser::in_world(world, "https://app.example.com");
    let mut request = Browser::form("/sign-in", &[("email", "owner@acme.example"), ("password", PASSWORD)]);
    request.headers_mut().insert(ORIGIN, "https://app.example.com".parse().unwrap());
    let page = browser.page(request).await;
    let set = page.headers.get(SET_COOKIE).unwrap().to_str().unwrap();
    assert!(
        set.starts_with("__Host-wa_session=") && set.contains("Secure") && !set.contains("Domain"),
        "{set}"
    );
    assert!(page.headers.contains_key("strict-transport-security"));
}

#[tokio::test]
async fn what_is_wrong_at_sign_in_is_said_beside_the_field() {
    let mut browser = Browser::new().await;
    let page = browser.post("/sign-in", &[("email", ""), ("password", "")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("Enter your mail address.") && page.text.contains("Enter your password."));
    let wrong =
        browser.post("/sign-in", &[("email", "owner@acme.example"), ("password", "Tr0ub4dor&3")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("value=\"owner@acme.example\"") && !wrong.text.contains("Tr0ub4dor"));
    let unknown =
        browser.post("/sign-in", &[("email", "nobody@acme.example"), ("password", "Tr0ub4dor&3")]).await;
    let told = |page: &Page| {
        page.text.split("field-error").nth(1).map(|it| it.chars().skip(20).take(200).collect::<String>())
    };
    assert_eq!(told(&wrong), told(&unknown), "which of the two is wrong is not told");
}

#[tokio::test]
async fn whoever_tries_passwords_is_told_to_wait() {
    let mut browser = Browser::new().await;
    let mut last = None;
    for _ in 0..12 {
        let page = browser
            .post("/sign-in", &[("email", "owner@acme.example"), ("password", "not the password")])
            .await;
        last = Some(page);
    }
    let page = last.unwrap();
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = page.headers.get(RETRY_AFTER).unwrap().to_str().unwrap().parse().unwrap();
    assert!((1..=900).contains(&seconds));
    assert!(page.text.contains("Too many attempts have failed. Wait "));
    assert_eq!(browser.sign_in().await.status, StatusCode::TOO_MANY_REQUESTS, "not even with the right one");
}

#[tokio::test]
async fn somebody_of_two_organizations_chooses() {
    let mut browser = Browser::new().await;
    let (beta, operator) = browser.world.another_tenant("beta").await;
    let same = NewUser {
        email: "owner@acme.example".into(),
        name: "Olga Elsewhere".into(),
        home_unit: beta.unit,
        password: Some(SecretString::from(PASSWORD)),
        role: Some(Role::Auditor),
    };
    control::users::create(&browser.world.control, &operator, same).await.unwrap();
    assert_eq!(browser.sign_in().await.leads_to(), "/sign-in/organization");
    assert!(browser.get("/t/acme/activity").await.leads_to().starts_with("/sign-in"), "not signed in yet");
    let page = browser.get("/sign-in/organization").await;
    assert!(
        page.text.contains("acme Ltd")
            && page.text.contains("beta Ltd")
            && page.text.contains("Olga Elsewhere")
    );
    let elsewhere = browser.post("/sign-in/organization", &[("organization", "gamma")]).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    let chosen = browser.post("/sign-in/organization", &[("organization", "beta")]).await;
    assert_eq!(chosen.leads_to(), "/t/beta");
    assert!(browser.get("/t/beta/activity").await.text.contains("Auditor"));
    assert_eq!(browser.get("/t/acme/activity").await.status, StatusCode::NOT_FOUND);
    // A link that led here says which one is meant.
    let fields =
        [("email", "owner@acme.example"), ("password", PASSWORD), ("next", "/t/acme/activity/rejected")];
    assert_eq!(browser.stranger().post("/sign-in", &fields).await.leads_to(), "/t/acme/activity/rejected");
    // Nobody chooses who has not signed in.
    let nobody = browser.stranger().post("/sign-in/organization", &[("organization", "beta")]).await;
    assert_eq!(nobody.leads_to(), "/sign-in");
}

#[tokio::test]
async fn a_person_who_is_suspended_is_out_at_the_next_click() {
    let mut browser = Browser::new().await;
    let world = browser.world.clone();
    let new = NewUser {
        email: "ada@acme.example".into(),
        name: "Ada Admin".into(),
        home_unit: world.tenant.unit,
        password: Some(SecretString::from(PASSWORD)),
        role: Some(Role::Admin),
    };
    let ada = control::users::create(&world.control, &world.operator, new).await.unwrap();
    browser.post("/sign-in", &[("email", "ada@acme.example"), ("password", PASSWORD)]).await;
    assert_eq!(browser.get("/t/acme/activity").await.status, StatusCode::OK);
    control::users::suspend(&world.control, &world.operator, ada).await.unwrap();
    assert_eq!(browser.get("/t/acme/activity").await.leads_to(), "/sign-in?next=%2Ft%2Facme%2Factivity");
    assert!(browser.cookies.is_empty());
}
