//! The front page, search, and what one keeps of Activity, as a browser asks for them.

use axum::body::Body;
use http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use model::people::Role;
use secrecy::SecretString;
use testkit::PASSWORD;

use super::Browser;

async fn member(browser: &Browser, name: &str, role: Role) -> Browser {
    let world = browser.world.clone();
    let new = control::users::NewUser {
        email: format!("{}@acme.example", name.to_lowercase()),
        name: name.into(),
        home_unit: world.tenant.unit,
        password: Some(SecretString::from(PASSWORD)),
        role: Some(role),
    };
    control::users::create(&world.control, &world.operator, new).await.unwrap();
    let mut theirs = browser.stranger();
    let email = format!("{}@acme.example", name.to_lowercase());
    theirs.post("/sign-in", &[("email", &email), ("password", PASSWORD)]).await;
    theirs
}

#[tokio::test]
async fn home_is_where_one_begins_and_its_first_steps_can_be_put_away() {
    let mut browser = Browser::new().await;
    let entered = browser.sign_in().await;
    assert_eq!(entered.leads_to(), "/t/acme");
    let page = browser.get("/t/acme").await;
    assert_eq!(page.status, StatusCode::OK);
    for said in ["Needs you", "Now", "This month", "First steps", "Make a team"] {
        assert!(page.text.contains(said), "{said}");
    }
    let mut mia = member(&browser, "Mia", Role::Member).await;
    let page = mia.get("/t/acme").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains("First steps") && !page.text.contains("only owner"));
    let put_away = browser.post("/t/acme/first-steps/hide", &[]).await;
    assert_eq!((put_away.status, put_away.leads_to()), (StatusCode::SEE_OTHER, "/t/acme"));
    let page = browser.get("/t/acme").await;
    assert!(!page.text.contains("Make a team") && page.text.contains("only owner"));
    assert_eq!(browser.stranger().get("/t/acme").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_last_hour_is_told_anew_when_something_happens() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let request =
        Request::get("/t/acme/now").header(ACCEPT, "text/event-stream").body(Body::empty()).unwrap();
    let response = browser.send(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers().get(CONTENT_TYPE).unwrap(), "text/event-stream");
    let mut body = response.into_body();
    // What happened before the stream began is not missed: it begins with the figures as they are.
    assert!(figures(&mut body).await.contains("Calls by minute: none"));
    let (_ledger, _) = browser.calls(&["notes.read_note", "notes.write_note"]).await;
    let text = figures(&mut body).await;
    assert!(text.contains("2 in all"), "{text}");
    // And with nothing heard the hour moves on by itself, whatever is checked in between.
    assert!(figures(&mut body).await.contains("2 in all"));
    // Whoever is not signed in is told not to come back.
    let mut stranger = browser.stranger();
    let page = stranger.get("/t/acme/now").await;
    assert!(page.text.contains("event: end"), "{}", page.text);
}

/// The next event with figures.
async fn figures(body: &mut Body) -> String {
    let read = async {
        let mut text = String::new();
        while !text.contains("event: now") || !text.contains("</svg>") {
            let frame = body.frame().await.unwrap().unwrap();
            text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
        text
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), read).await.unwrap()
}

#[tokio::test]
async fn what_is_looked_for_is_found_as_a_page_and_as_options() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let page = browser.get("/t/acme/find?q=olg").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Olga Owner") && page.text.contains("1 result"));
    let fragment = browser.get("/t/acme/find/palette?q=note").await;
    assert!(fragment.text.starts_with("<div data-count="), "{}", &fragment.text[..60]);
    assert!(
        fragment.text.contains("role=\"option\"")
            && fragment.text.contains("/t/acme/catalog/notes/read_note")
    );
    assert!(!fragment.text.contains("<html"));
    let long = format!("/t/acme/find?q={}", "%F0%9F%98%80".repeat(500));
    for odd in
        ["/t/acme/find?q=%00", "/t/acme/find?q=%FF%FE", "/t/acme/find?q=%3Cscript%3E", "/t/acme/find", &long]
    {
        let page = browser.get(odd).await;
        assert_eq!(page.status, StatusCode::OK, "{odd}");
        assert!(!page.text.contains("<script>"), "{odd}");
    }
    assert_eq!(browser.get("/t/beta/find?q=a").await.status, StatusCode::NOT_FOUND);
    let mut mia = member(&browser, "Mia", Role::Member).await;
    assert!(!mia.get("/t/acme/find?q=olga").await.text.contains("Olga Owner"));
}

#[tokio::test]
async fn a_filter_is_saved_with_its_name_beside_what_is_wrong_with_it() {
    let mut browser = Browser::new().await;
    let (_ledger, _) = browser.calls(&["notes.read_note"]).await;
    browser.sign_in().await;
    let save = "/t/acme/activity/filters";
    let wrong =
        browser.post(save, &[("name", "evil\u{202E}"), ("query", "verdict=deny"), ("shared", "yes")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        wrong.text.contains("U+202E") && wrong.text.contains("name-error") && wrong.text.contains("open")
    );
    let saved = browser
        .post(save, &[("name", "Denied"), ("query", "verdict=deny&before=x&evil=1"), ("shared", "yes")])
        .await;
    assert_eq!((saved.status, saved.leads_to()), (StatusCode::SEE_OTHER, "/t/acme/activity?verdict=deny"));
    let request = Request::get("/t/acme/activity").header(ACCEPT, "text/html").body(Body::empty()).unwrap();
    let page = browser.page(request).await;
    assert!(page.text.contains("The filter “Denied” was saved."));
    assert!(page.text.contains("/t/acme/activity?verdict=deny"));
    let taken = browser.post(save, &[("name", "DENIED"), ("query", "verdict=hold"), ("shared", "yes")]).await;
    assert!(taken.text.contains("There is a filter “DENIED” already"), "case does not make it another name");
    assert_eq!(
        browser.post(save, &[("name", "Nothing"), ("query", "")]).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );

    let path = page.text.split("/activity/filters/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let delete = format!("/t/acme/activity/filters/{path}");
    let mut mia = member(&browser, "Mia", Role::Member).await;
    assert!(mia.get("/t/acme/activity").await.text.contains(">Denied<"), "everybody sees what is shared");
    assert_eq!(mia.post(&delete, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.post(&delete, &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.post(&delete, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.post("/t/acme/activity/filters/x/delete", &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn calls_leave_as_a_file_of_what_is_filtered() {
    let mut browser = Browser::new().await;
    let (_ledger, ids) = browser.calls(&["notes.read_note", "notes.write_note"]).await;
    browser.sign_in().await;
    let file = browser.get("/t/acme/activity/export.csv?verdict=deny").await;
    assert_eq!(file.status, StatusCode::OK);
    assert_eq!(file.headers.get(CONTENT_TYPE).unwrap(), "text/csv; charset=utf-8");
    assert!(
        file.headers
            .get(CONTENT_DISPOSITION)
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("attachment; filename=\"calls-acme-")
    );
    assert!(file.text.contains(&ids[1].to_string()) && !file.text.contains(&ids[0].to_string()));
    assert_eq!(
        browser.get("/t/acme/activity/export.csv?verdict=perhaps").await.status,
        StatusCode::BAD_REQUEST
    );
    let mut mia = member(&browser, "Mia", Role::Member).await;
    assert_eq!(mia.get("/t/acme/activity/export.csv").await.text.lines().count(), 1);
}

#[tokio::test]
async fn a_person_is_filtered_by_their_name() {
    let mut browser = Browser::new().await;
    let (_ledger, _) = browser.calls(&["notes.read_note"]).await;
    browser.sign_in().await;
    let sent = browser.get("/t/acme/activity?who=olga&verdict=permit").await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    assert!(
        sent.leads_to().starts_with("/t/acme/activity?person=user_")
            && sent.leads_to().ends_with("&verdict=permit")
    );
    let page = browser.get(sent.leads_to()).await;
    assert!(
        page.text.contains("Person") && page.text.contains("Olga Owner") && page.text.contains("read_note")
    );
    assert!(page.text.contains("value=\"Olga Owner\""), "the field says whose calls these are");
    let same = browser.get(&format!("{}&who=Olga+Owner", sent.leads_to())).await;
    assert_eq!(same.leads_to(), sent.leads_to(), "the name still stands there");
    let everybody = browser.get(&format!("{}&who=", sent.leads_to())).await;
    assert_eq!(everybody.leads_to(), "/t/acme/activity?verdict=permit", "it was taken out");
    let nobody = browser.get("/t/acme/activity?who=%3Cb%3Enobody").await;
    assert_eq!(nobody.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(nobody.text.contains("Nobody here is called so.") && nobody.text.contains("&lt;b&gt;nobody"));
    // A member may not name anybody.
    let mut mia = member(&browser, "Mia", Role::Member).await;
    assert_eq!(mia.get("/t/acme/activity?who=olga").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_call_says_why_and_a_session_that_is_none_is_not_there() {
    let mut browser = Browser::new().await;
    let (_ledger, ids) = browser.calls(&["notes.write_note"]).await;
    browser.sign_in().await;
    let page = browser.get(&format!("/t/acme/activity/{}", ids[0])).await;
    assert!(page.text.contains("What would change this decision"));
    assert!(
        page.text.contains("/t/acme/grants/new?key=notes%3Awrite&amp;agent=agent_"),
        "the form is filled in"
    );
    for path in
        ["/t/acme/activity/sessions/x", "/t/acme/activity/sessions/%00", "/t/acme/activity/sessions/..%2F"]
    {
        assert_eq!(browser.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
