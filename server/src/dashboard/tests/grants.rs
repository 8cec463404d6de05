//! Grants in the browser: the matrix gives and revokes after a review, single grants too, and what somebody else was
//! quicker with is shown anew.

use axum::body::Body;
use control::agents::{self, NewAgent};
use control::grants;
use control::units::{self, NewUnit};
use control::users::{self, NewUser};
use http::{Request, StatusCode};
use model::UnitId;
use model::access::Grantee;
use model::people::{Role, UnitKind};
use testkit::{PASSWORD, TestWorld};

use super::Browser;

async fn unit(world: &TestWorld, name: &str) -> UnitId {
    let new = NewUnit { parent: None, kind: UnitKind::Team, name: name.to_owned() };
    let unit = units::create(&world.control, &world.operator, new).await.unwrap();
    let agent = NewAgent { name: format!("Agent of {name}"), owner: world.tenant.owner, home_unit: unit };
    agents::create(&world.control, &world.operator, agent).await.unwrap();
    unit
}

async fn given(world: &TestWorld) -> Vec<String> {
    let lines = grants::list(&world.control, &world.operator).await.unwrap();
    lines.into_iter().map(|line| format!("{} {}", line.view.key, line.grantee_name)).collect()
}

/// The values of the hidden fields of a page's last form, and where it leads.
fn hidden(page: &str) -> (String, Vec<(String, String)>) {
    let form = page.rsplit("<form ").find(|form| form.contains("/grants/change")).unwrap();
    let attribute = |tag: &str, name: &str| {
        let start = tag.find(&format!("{name}=\"")).map(|at| at + name.len() + 2);
        start.map(|at| tag[at..].split('"').next().unwrap().replace("&amp;", "&")).unwrap_or_default()
    };
    let fields = form
        .split("<input")
        .skip(1)
        .filter(|tag| tag.contains("type=\"hidden\""))
        .map(|tag| (attribute(tag, "name"), attribute(tag, "value")))
        .collect();
    (attribute(form, "action"), fields)
}

async fn confirm(browser: &mut Browser, page: &str) -> super::Page {
    let (action, fields) = hidden(page);
    assert_eq!(action, "/t/acme/grants/change");
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post(&action, &fields).await
}

/// What is inside `<main>`: the frame around it has boxes of its own.
fn content(page: &super::Page) -> &str {
    let from = page.text.find("<main").unwrap_or(0);
    let to = page.text.find("</main>").unwrap_or(page.text.len());
    &page.text[from..to]
}

#[tokio::test]
async fn the_matrix_gives_and_revokes_after_a_review() {
    let mut browser = Browser::new().await;
    let world = browser.world.clone();
    let (sales, support) = (unit(&world, "Sales").await, unit(&world, "Support").await);
    world.grant("notes", Grantee::Unit(support)).await;
    browser.sign_in().await;
    let page = browser.get("/t/acme/grants").await;
    assert_eq!(page.status, StatusCode::OK);
    for said in ["Sales", "Support", "notes:read", "value=\"notes@unit_", "Review the change"] {
        assert!(page.text.contains(said), "{said}");
    }

    // Sales is ticked, Support unticked.
    let (given_to, taken_from) = (format!("notes:read@{sales}"), format!("notes@{support}"));
    let fields = [
        ("back", "/t/acme/grants?open=notes"),
        ("cell", given_to.as_str()),
        ("was", taken_from.as_str()),
        ("until", ""),
    ];
    let review = browser.post("/t/acme/grants/review", &fields).await;
    assert_eq!(review.status, StatusCode::OK);
    for said in
        ["1 agent of 1 team loses", "1 agent of 1 team gains", "Agent of Sales", "Give 1 and revoke 1"]
    {
        assert!(review.text.contains(said), "{said}");
    }
    assert_eq!(given(&world).await, ["notes unit “Support”"], "a review changes nothing");
    let done = confirm(&mut browser, &review.text).await;
    assert_eq!((done.status, done.leads_to()), (StatusCode::SEE_OTHER, "/t/acme/grants?open=notes"));
    assert_eq!(given(&world).await, ["notes:read unit “Sales”"]);

    // What was done is said once, with the way back.
    let request = Request::get("/t/acme/grants?open=notes").header("accept", "text/html");
    let page = browser.page(request.body(Body::empty()).unwrap()).await;
    assert!(page.text.contains("1 key was given and 1 revoked."));
    let undo = page.text.split("href=\"").find(|it| it.starts_with("/t/acme/grants/review?")).unwrap();
    let undo = undo.split('"').next().unwrap().replace("&amp;", "&");
    let review = browser.get(&undo).await;
    assert!(review.text.contains("Give 1 and revoke 1"), "undoing is reviewed too");
    confirm(&mut browser, &review.text).await;
    assert_eq!(given(&world).await, ["notes unit “Support”"]);
}

#[tokio::test]
async fn who_was_slower_looks_again() {
    let mut browser = Browser::new().await;
    let world = browser.world.clone();
    let sales = unit(&world, "Sales").await;
    browser.sign_in().await;
    let address = format!("/t/acme/grants/review?give=notes:read@{sales}");
    let review = browser.get(&address).await;
    assert!(review.text.contains("Give notes:read to Sales"));
    // A second agent would gain it by now.
    let agent = NewAgent { name: "Another".into(), owner: world.tenant.owner, home_unit: sales };
    agents::create(&world.control, &world.operator, agent).await.unwrap();
    let again = confirm(&mut browser, &review.text).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        again.text.contains("Rights have changed since you looked at this") && again.text.contains("Another")
    );
    assert!(given(&world).await.is_empty());
    let done = confirm(&mut browser, &again.text).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(given(&world).await, ["notes:read unit “Sales”"]);
    // The same again finds nothing to do.
    let review = browser.get(&address).await;
    assert!(review.text.contains("everything is so already") && !review.text.contains("name=\"epoch\""));
}

#[tokio::test]
async fn a_single_key_is_given_step_by_step_with_an_end() {
    let mut browser = Browser::new().await;
    let world = browser.world.clone();
    let sales = unit(&world, "Sales").await;
    browser.sign_in().await;
    let page = browser.get(&format!("/t/acme/grants/new?unit={sales}")).await;
    assert!(page.text.contains("Which key is") && page.text.contains("notes:write"));
    let page = browser.get("/t/acme/grants/new?key=notes:write").await;
    assert!(page.text.contains("Who is to have") && page.text.contains("Sales"));
    assert!(browser.get("/t/acme/grants/new?key=notes:write&kind=roles").await.text.contains("Auditor"));
    let page = browser.get(&format!("/t/acme/grants/new?key=notes:write&unit={sales}")).await;
    assert!(page.text.contains("Ends on (optional)"));
    let wrong =
        browser.get(&format!("/t/acme/grants/review?give=notes:write@{sales}&until=2020-01-01")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        wrong.text.contains("Give a day that has not passed") && wrong.text.contains("value=\"2020-01-01\"")
    );
    let review =
        browser.get(&format!("/t/acme/grants/review?give=notes:write@{sales}&until=2199-12-31")).await;
    assert!(review.text.contains("31 Dec 2199") || review.text.contains("1 Jan 2200"));
    confirm(&mut browser, &review.text).await;
    assert_eq!(given(&world).await, ["notes:write unit “Sales”"]);

    let cell = browser.get(&format!("/t/acme/grants/cell?at=notes:write@{sales}")).await;
    assert!(cell.text.contains("it was given here") && cell.text.contains("write_note"));
    let list = browser.get("/t/acme/grants/list?q=sales").await;
    assert!(list.text.contains("notes:write") && list.text.contains("Revoke…"));
    assert!(browser.get("/t/acme/grants/list?ends=never").await.text.contains("No grant matches"));
}

#[tokio::test]
async fn what_cannot_be_is_refused_where_it_was_typed() {
    let mut browser = Browser::new().await;
    let world = browser.world.clone();
    let sales = unit(&world, "Sales").await;
    browser.sign_in().await;
    let ticked = format!("notes:read@{sales}");
    for (until, said) in
        [("2020-01-01", "Give a day that has not passed"), ("soon", "Give a day that has not passed")]
    {
        let fields =
            [("back", "/t/acme/grants?by=units&open=notes"), ("cell", ticked.as_str()), ("until", until)];
        let page = browser.post("/t/acme/grants/review", &fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.text.contains(said) && page.text.contains(&format!("value=\"{until}\"")), "{until}");
        assert!(
            page.text.contains("class=\"matrix\"") && page.text.contains("read_note"),
            "the matrix as it was"
        );
        let ticks = content(&page)
            .split("<input")
            .filter(|it| it.contains("checkbox") && it.contains("checked"))
            .count();
        assert_eq!(ticks, 1, "what was ticked stays so");
    }
    let page = browser.post("/t/acme/grants/review", &[("back", "/t/acme/grants")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("Tick what is to be given"));
    // What nobody can have typed.
    for (path, status) in [
        ("/t/acme/grants/review?give=notes", StatusCode::BAD_REQUEST),
        ("/t/acme/grants/review?give=nothing@role_admin", StatusCode::NOT_FOUND),
        ("/t/acme/grants/review?give=notes@unit_00000000000000000000000000000001", StatusCode::NOT_FOUND),
        ("/t/acme/grants/cell?at=notes@role_king", StatusCode::NOT_FOUND),
        ("/t/acme/grants/cell?at=nothing@role_admin", StatusCode::NOT_FOUND),
        ("/t/acme/grants?in=unit_00000000000000000000000000000001", StatusCode::NOT_FOUND),
        ("/t/acme/grants?in=x", StatusCode::NOT_FOUND),
        ("/t/acme/grants?agent=agent_00000000000000000000000000000001", StatusCode::NOT_FOUND),
        ("/t/acme/grants/list?user=x", StatusCode::NOT_FOUND),
        ("/t/acme/grants/new?key=NOTES", StatusCode::NOT_FOUND),
        ("/t/acme/grants?q=%00&who=%E2%80%AE&page=99999999999&open=%3Cb%3E&by=x", StatusCode::SEE_OTHER),
        ("/t/acme/grants/cell", StatusCode::SEE_OTHER),
    ] {
        assert_eq!(browser.get(path).await.status, status, "{path}");
    }
    for (name, value) in [("epoch", "x"), ("seen", "00")] {
        let page = browser.post("/t/acme/grants/change", &[("give", ticked.as_str()), (name, value)]).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{name}");
    }
    // Nobody is led elsewhere afterwards.
    for back in ["https://evil.example/", "//evil.example", "/t/beta/grants", "/sign-out", "/t/acme"] {
        let page =
            browser.get(&format!("/t/acme/grants/review?give=notes:read@role_admin&back={back}")).await;
        assert_eq!(page.status, StatusCode::OK);
        let (_, fields) = hidden(&page.text);
        assert!(fields.contains(&("back".into(), "/t/acme/grants".into())), "{back}: {fields:?}");
    }
    assert!(given(&world).await.is_empty());
}

#[tokio::test]
async fn who_may_only_read_sees_no_boxes_and_changes_nothing() {
    let owner = Browser::new().await;
    let world = owner.world.clone();
    let sales = unit(&world, "Sales").await;
    for (role, sees) in [(Role::Auditor, true), (Role::Finance, false), (Role::Member, false)] {
        let new = NewUser {
            email: format!("{role}@acme.example"),
            name: format!("The {role}"),
            home_unit: world.tenant.unit,
            password: Some(PASSWORD.to_owned().into()),
            role: Some(role),
        };
        users::create(&world.control, &world.operator, new).await.unwrap();
        let mut browser = owner.stranger();
        let email = format!("{role}@acme.example");
        browser.post("/sign-in", &[("email", &email), ("password", PASSWORD), ("next", "")]).await;
        let expected = if sees { StatusCode::OK } else { StatusCode::NOT_FOUND };
        let cell = format!("/t/acme/grants/cell?at=notes@{sales}");
        for path in ["/t/acme/grants", "/t/acme/grants/list", cell.as_str()] {
            let page = browser.get(path).await;
            assert_eq!(page.status, expected, "{role} {path}");
            assert!(
                !content(&page).contains("checkbox") && !page.text.contains("Review the change"),
                "{role} {path}"
            );
        }
        let give = format!("notes@{sales}");
        for path in ["/t/acme/grants/new", "/t/acme/grants/review?give=notes@role_admin"] {
            assert_eq!(browser.get(path).await.status, StatusCode::NOT_FOUND, "{role} {path}");
        }
        let seen = "0".repeat(64);
        let fields = [("give", give.as_str()), ("epoch", "1"), ("seen", seen.as_str())];
        for path in ["/t/acme/grants/review", "/t/acme/grants/change"] {
            assert_eq!(browser.post(path, &fields).await.status, StatusCode::NOT_FOUND, "{role} {path}");
        }
    }
    assert!(given(&world).await.is_empty());
}
