//! Signing up and setting a new password, as a browser goes about it.

use std::sync::Arc;

use control::mail::Letter;
use http::StatusCode;
use testkit::{PASSWORD, TestWorld};

use super::{Browser, OURS, Page};

const NEW: &str = "seven green bottles standing";
const ADA: &str = "ada@northwind.example";

fn form<'a>(organization: &'a str, email: &'a str, password: &'a str) -> [(&'a str, &'a str); 6] {
    [
        ("organization", organization),
        ("name", "Ada Lovelace"),
        ("email", email),
        ("password", password),
        ("currency", "EUR"),
        ("time_zone", "Europe/Berlin"),
    ]
}

async fn verify_link(browser: &Browser, email: &str) -> String {
    match browser.world.mail_to(email).await {
        Letter::VerifySignUp { token, .. } => format!("/verify/{token}"),
        other => panic!("{other:?}"),
    }
}

async fn reset_link(browser: &Browser, email: &str) -> String {
    match browser.world.mail_to(email).await {
        Letter::ResetPassword { token, .. } => format!("/reset/{token}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn somebody_signs_up_proves_the_address_and_is_at_home() {
    let mut browser = Browser::new().await;
    assert!(browser.get("/sign-in").await.text.contains("href=\"/sign-up\""));
    let page = browser.get("/sign-up").await;
    assert_eq!(page.status, StatusCode::OK);
    let page = browser.post("/sign-up", &form("Northwind", ADA, PASSWORD)).await;
    assert_eq!((page.status, page.leads_to()), (StatusCode::SEE_OTHER, "/sign-up/sent"));
    assert!(browser.get("/sign-up/sent").await.text.contains(ADA));
    let link = verify_link(&browser, ADA).await;

    // A program that looks at mails follows the link, again and again.
    for _ in 0..2 {
        let page = browser.stranger().get(&link).await;
        assert!(page.status == StatusCode::OK && page.text.contains("Northwind") && page.text.contains(ADA));
    }
    assert_eq!(browser.get("/t/northwind").await.leads_to().split('?').next(), Some("/sign-in"));
    // The link is opened in another browser than the one that signed up.
    let mut other = browser.stranger();
    let page = other.post(&link, &[]).await;
    assert_eq!((page.status, page.leads_to()), (StatusCode::SEE_OTHER, "/t/northwind"));
    let page = other.get("/t/northwind").await;
    assert!(page.status.is_success() || page.leads_to().starts_with("/t/northwind/"), "{}", page.status);
    // Used up.
    for page in [browser.get(&link).await, browser.post(&link, &[]).await] {
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        assert!(page.text.contains("used up") && page.text.contains("href=\"/sign-in\""));
    }
    let page = browser.post("/sign-in", &[("email", ADA), ("password", PASSWORD)]).await;
    assert_eq!(page.leads_to(), "/t/northwind");
    assert_eq!(browser.get("/sign-up").await.leads_to(), "/", "who is signed in goes on");
}

#[tokio::test]
async fn what_is_wrong_is_said_beside_each_field_and_what_was_typed_is_kept() {
    let mut browser = Browser::new().await;
    let mut fields = form("Northwind", "ada at northwind", "hunter2");
    fields[4].1 = "EURO";
    let page = browser.post("/sign-up", &fields).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    for part in [
        "id=\"email-error\"",
        "id=\"password-error\"",
        "id=\"currency-error\"",
        "Ada Lovelace",
        "ada at northwind",
    ] {
        assert!(page.text.contains(part), "{part}");
    }
    assert!(!page.text.contains("hunter2") && !page.text.contains("id=\"name-error\""));
    let page = browser.post("/forgot", &[("email", "ada")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("id=\"email-error\"") && page.text.contains("value=\"ada\""));
    assert_eq!(browser.world.mails().await, []);
}

/// But for ids and nonces, an answer is the same.
fn told(page: &Page, email: &str) -> (StatusCode, String, String) {
    let text = page.text.replace(email, "EMAIL");
    let main = text.find("<main").map_or("", |from| &text[from..]);
    (page.status, page.leads_to().to_owned(), main.to_owned())
}

#[tokio::test]
async fn no_answer_tells_whether_an_address_is_known() {
    let browser = Browser::new().await;
    let mut answers = Vec::new();
    for email in ["owner@acme.example", "nobody@acme.example"] {
        let mut one = browser.stranger();
        let first = one.post("/sign-up", &form("Northwind", email, PASSWORD)).await;
        let second = one.get("/sign-up/sent").await;
        let third = one.post("/forgot", &[("email", email)]).await;
        let fourth = one.get("/forgot/sent").await;
        answers.push([first, second, third, fourth].map(|page| told(&page, email)));
    }
    assert_eq!(answers[0], answers[1]);
    let mails = browser.world.mails().await;
    assert_eq!(mails.len(), 4);
}

#[tokio::test]
async fn a_reset_ends_the_sessions_and_leads_to_sign_in() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    assert!(browser.get("/t/acme/activity").await.status.is_success());
    let mut other = browser.stranger();
    let page = other.post("/forgot", &[("email", "owner@acme.example")]).await;
    assert_eq!(page.leads_to(), "/forgot/sent");
    let link = reset_link(&browser, "owner@acme.example").await;
    let page = other.get(&link).await;
    assert!(page.text.contains("owner@acme.example") && page.text.contains("acme Ltd"));
    let page = other.post(&link, &[("password", "owner@acme.example")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("easy to guess"));
    assert!(browser.get("/t/acme/activity").await.status.is_success(), "not yet");

    let page = other.post(&link, &[("password", NEW)]).await;
    assert_eq!(page.leads_to(), "/sign-in?reset=yes");
    assert!(other.get("/sign-in?reset=yes").await.text.contains("Your new password is set."));
    assert_eq!(browser.get("/t/acme/activity").await.leads_to(), "/sign-in?next=%2Ft%2Facme%2Factivity");
    let page = browser.post("/sign-in", &[("email", "owner@acme.example"), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = browser.post("/sign-in", &[("email", "owner@acme.example"), ("password", NEW)]).await;
    assert_eq!(page.leads_to(), "/t/acme");
    assert_eq!(other.post(&link, &[("password", PASSWORD)]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn too_many_are_told_to_wait() {
    let mut browser = Browser::new().await;
    for _ in 0..5 {
        browser.post("/forgot", &[("email", "owner@acme.example")]).await;
    }
    let page = browser.post("/forgot", &[("email", "owner@acme.example")]).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(page.text.contains("too often") && page.text.contains("owner@acme.example"));
}

#[tokio::test]
async fn a_form_from_elsewhere_confirms_nothing() {
    let mut browser = Browser::new().await;
    browser.post("/sign-up", &form("Northwind", ADA, PASSWORD)).await;
    let link = verify_link(&browser, ADA).await;
    let mut request = Browser::form(&link, &[]);
    request.headers_mut().insert(http::header::ORIGIN, "https://evil.example".parse().unwrap());
    assert_eq!(browser.page(request).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.post(&link, &[]).await.leads_to(), "/t/northwind");
}

#[tokio::test]
async fn an_installation_that_is_closed_or_sends_no_mail_says_so() {
    let world = Arc::new(TestWorld::in_real_time().await);
    let mut closed = Browser::with(world.clone(), OURS, |settings| settings.sign_up_open = false);
    assert!(closed.get("/sign-up").await.text.contains("set up by whoever runs it"));
    let page = closed.post("/sign-up", &form("Northwind", ADA, PASSWORD)).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_eq!(closed.get("/forgot").await.status, StatusCode::OK);
    assert!(closed.get("/forgot").await.text.contains("name=\"email\""), "people who are here can reset");

    let silent = world.silent_control().await;
    let mut silent = Browser::with(world.clone(), OURS, move |settings| settings.control = silent);
    for path in ["/sign-up", "/forgot"] {
        assert!(silent.get(path).await.text.contains("sends no mail"), "{path}");
    }
    assert_eq!(silent.post("/forgot", &[("email", ADA)]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(silent.post("/sign-up", &form("X", ADA, PASSWORD)).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.mails().await, []);
}
