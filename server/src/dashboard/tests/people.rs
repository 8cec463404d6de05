//! Units, people, invitations and one's own account, as a browser meets them.

use control::mail::{self, Letter};
use control::units::{self, NewUnit};
use control::users::NewUser;
use control::{Control, agents, users};
use http::StatusCode;
use model::people::{Role, UnitKind};
use model::{UnitId, UserId};
use testkit::PASSWORD;

use super::Browser;

async fn unit(browser: &Browser, parent: Option<UnitId>, name: &str) -> UnitId {
    let world = &browser.world;
    let new = NewUnit { parent, kind: UnitKind::Team, name: name.to_owned() };
    units::create(&world.control, &world.operator, new).await.unwrap()
}

async fn person(browser: &Browser, name: &str, role: Option<Role>) -> UserId {
    let world = &browser.world;
    let new = NewUser {
        email: format!("{}@acme.example", name.to_lowercase()),
        name: name.to_owned(),
        home_unit: world.tenant.unit,
        password: Some(PASSWORD.to_owned().into()),
        role,
    };
    users::create(&world.control, &world.operator, new).await.unwrap()
}

/// Another browser, in which this person is signed in.
async fn browser_of(browser: &Browser, name: &str) -> Browser {
    let mut other = browser.stranger();
    let email = format!("{}@acme.example", name.to_lowercase());
    let page = other.post("/sign-in", &[("email", &email), ("password", PASSWORD), ("next", "")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{name} signs in");
    other
}

async fn owner() -> Browser {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    browser
}

const PEOPLE: &str = "/t/acme/people";

#[tokio::test]
async fn a_unit_is_made_renamed_moved_and_archived_by_plain_forms() {
    let mut browser = owner().await;
    let sales = unit(&browser, None, "Sales").await;
    let new = format!("{PEOPLE}/units/new");
    let page = browser.get(&format!("{new}?parent={sales}")).await;
    assert!(page.text.contains(&format!("value=\"{sales}\" selected")), "the unit above is chosen");

    // What was typed is kept beside what is wrong with it.
    let nasty = "<b>\u{202E}evil";
    let page = browser.post(&new, &[("name", nasty), ("kind", "team"), ("parent", &sales.to_string())]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("<title>Error: New unit") && page.text.contains("name-error"));
    assert!(page.text.contains("invisible character U+202E") && !page.text.contains("<b>\u{202E}"));
    let page = browser.post(&new, &[("name", "EMEA"), ("kind", "king"), ("parent", "unit_x")]).await;
    assert!(page.text.contains("Choose whether it is") && page.text.contains("value=\"EMEA\""));

    let page =
        browser.post(&new, &[("name", "EMEA"), ("kind", "team"), ("parent", &sales.to_string())]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    let emea = page.leads_to().to_owned();
    let page = browser.get(&emea).await;
    assert!(page.text.contains("Unit “EMEA” was made.") && page.text.contains(">Sales</"), "{}", page.text);
    assert!(!browser.get(&emea).await.text.contains("was made"), "said once");

    browser.post(&format!("{emea}/rename"), &[("name", "Europe")]).await;
    assert!(browser.get(PEOPLE).await.text.contains("Europe"));

    // Nothing moves before the consequence was seen; never into itself.
    let world = browser.world.clone();
    world.grant("notes:read", model::access::Grantee::Unit(sales)).await;
    let page = browser.get(&format!("{emea}/move?to=top")).await;
    assert!(page.text.contains("They lose") && page.text.contains("notes:read"), "{}", page.text);
    let page = browser
        .post(&format!("{PEOPLE}/units/{sales}/move"), &[("to", emea.rsplit('/').next().unwrap())])
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("is inside unit “Sales” itself"));
    let page = browser.post(&format!("{emea}/move"), &[("to", "top")]).await;
    assert_eq!(page.leads_to(), emea);

    // Not empty: what is inside is linked. Empty: what ends is said.
    let ada = person(&browser, "Ada", None).await;
    let id: UnitId = emea.rsplit('/').next().unwrap().parse().unwrap();
    users::move_to(&world.control, &world.operator, ada, id).await.unwrap();
    let page = browser.get(&format!("{emea}/archive")).await;
    assert!(page.text.contains("1 person") && !page.text.contains("Archive the unit</button>"));
    let page = browser.post(&format!("{emea}/archive"), &[]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    users::move_to(&world.control, &world.operator, ada, sales).await.unwrap();
    let page = browser.post(&format!("{emea}/archive"), &[]).await;
    assert_eq!(page.leads_to(), PEOPLE);
    assert_eq!(browser.get(&emea).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_list_is_searched_and_its_address_says_what_is_shown() {
    let mut browser = owner().await;
    let sales = unit(&browser, None, "Sales").await;
    person(&browser, "Ada", Some(Role::Finance)).await;
    person(&browser, "Bob", None).await;
    let page = browser.get(&format!("{PEOPLE}?text=ada&role=&standing=&unit=")).await;
    assert_eq!((page.status, page.leads_to()), (StatusCode::SEE_OTHER, "/t/acme/people?text=ada"));
    let page = browser.get(&format!("{PEOPLE}?text=ada")).await;
    assert!(page.text.contains("ada@acme.example") && !page.text.contains("bob@acme.example"));
    let page = browser.get(&format!("{PEOPLE}?role=finance")).await;
    assert!(page.text.contains("ada@acme.example") && !page.text.contains("bob@acme.example"));
    let page = browser.get(&format!("{PEOPLE}?unit={sales}")).await;
    assert!(page.text.contains("Nobody is in") && page.text.contains("aria-current=\"page\""));
    let page = browser.get(&format!("{PEOPLE}?show=agents")).await;
    assert!(page.text.contains("There is no agent in"));
    let page = browser.get(&format!("{PEOPLE}?role=god&page=0&x=y")).await;
    assert_eq!(page.leads_to(), PEOPLE);
}

async fn token(control: &Control) -> String {
    let mails = mail::lease(control, 10).await.unwrap();
    let found = mails.iter().find_map(|mail| match &mail.letter {
        Letter::Invitation { token, .. } => Some(token.clone()),
        _ => None,
    });
    found.expect("an invitation was sent")
}

#[tokio::test]
async fn an_invited_person_joins_by_the_link_and_is_in() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let world = browser.world.clone();
    let unit = world.tenant.unit.to_string();
    let form = format!("{PEOPLE}/invitations/new");
    let page = browser
        .post(
            &form,
            &[
                ("emails", "ada@example.com\nnonsense\nowner@acme.example"),
                ("unit", &unit),
                ("role", "approver"),
            ],
        )
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("Line 2: nonsense is no mail address"), "{}", page.text);
    assert!(page.text.contains("ada@example.com\nnonsense"), "what was typed is kept");
    let page =
        browser.post(&form, &[("emails", "ada@example.com"), ("unit", &unit), ("role", "approver")]).await;
    assert_eq!(page.leads_to(), "/t/acme/people/invitations");
    let list = browser.get("/t/acme/people/invitations").await;
    assert!(
        list.text.contains("An invitation was sent to ada@example.com.") && list.text.contains("Approver")
    );

    let link = format!("/join/{}", token(&world.control).await);
    let mut ada = browser.stranger();
    for _ in 0..2 {
        let page = ada.get(&link).await;
        assert_eq!(page.status, StatusCode::OK, "looking changes nothing");
        assert!(
            page.text.contains("Olga Owner")
                && page.text.contains("acme Ltd")
                && page.text.contains("Approver")
        );
    }
    let page = ada.post(&link, &[("name", "Ada <b>"), ("password", "short")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("value=\"Ada &lt;b&gt;\"") && !page.text.contains("short\""));
    let page = ada.post(&link, &[("name", "Ada Lovelace"), ("password", "a long enough password")]).await;
    assert_eq!((page.status, page.leads_to()), (StatusCode::SEE_OTHER, "/t/acme"));
    let page = ada.get(PEOPLE).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("ada@example.com") && !page.text.contains("Invite people"));

    let mut late = browser.stranger();
    assert!(late.get(&link).await.text.contains("You are in already"));
    let page = late.post(&link, &[("name", "Eve"), ("password", "a long enough password")]).await;
    assert!(
        page.text.contains("You are in already") && late.get("/t/acme").await.status == StatusCode::SEE_OTHER
    );
    assert_eq!(late.get(&format!("/join/{}", "0".repeat(64))).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_invitation_is_sent_again_and_withdrawn() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let world = browser.world.clone();
    let unit = world.tenant.unit.to_string();
    let form = format!("{PEOPLE}/invitations/new");
    browser.post(&form, &[("emails", "ada@example.com"), ("unit", &unit), ("role", "member")]).await;
    let first = token(&world.control).await;
    let list = browser.get("/t/acme/people/invitations").await.text;
    let resend =
        list.split("action=\"").find_map(|part| part.split('"').next().filter(|it| it.ends_with("/resend")));
    let resend = resend.unwrap().to_owned();
    browser.post(&resend, &[]).await;
    let second = token(&world.control).await;
    let mut ada = browser.stranger();
    assert_eq!(ada.get(&format!("/join/{first}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ada.get(&format!("/join/{second}")).await.status, StatusCode::OK);
    browser.post(&resend.replace("/resend", "/withdraw"), &[]).await;
    assert!(browser.get("/t/acme/people/invitations").await.text.contains("was withdrawn"));
    assert_eq!(ada.get(&format!("/join/{second}")).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn a_person_is_suspended_with_the_numbers_told_first_and_comes_back() {
    let mut browser = owner().await;
    let ada = person(&browser, "Ada", Some(Role::Member)).await;
    let world = browser.world.clone();
    let new = agents::NewAgent { name: "Adas helper".into(), owner: ada, home_unit: world.tenant.unit };
    let agent = agents::create(&world.control, &world.operator, new).await.unwrap();
    world.key(agent).await;
    let mut hers = browser_of(&browser, "Ada").await;
    assert_eq!(hers.get("/t/acme/me").await.status, StatusCode::OK);

    let place = format!("{PEOPLE}/users/{ada}");
    let page = browser.get(&place).await;
    assert!(
        page.text.contains("Adas helper") && page.text.contains("Suspend") && page.text.contains("Remove")
    );
    let page = browser.get(&format!("{place}/suspend")).await;
    assert!(page.text.contains("1 agent that they own") && page.text.contains("1 key of these agents"));
    assert_eq!(browser.post(&format!("{place}/suspend"), &[]).await.leads_to(), place);
    assert!(browser.get(&place).await.text.contains("They are suspended"));
    assert_eq!(hers.get("/t/acme/me").await.status, StatusCode::SEE_OTHER, "signed out at once");
    let page = browser.post(&format!("{place}/suspend"), &[]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    browser.post(&format!("{place}/resume"), &[]).await;
    assert_eq!(hers.get("/t/acme/me").await.status, StatusCode::SEE_OTHER, "and has to sign in again");
    browser_of(&browser, "Ada").await;
}

#[tokio::test]
async fn a_person_is_removed_and_their_agents_handed_over() {
    let mut browser = owner().await;
    let ada = person(&browser, "Ada", None).await;
    person(&browser, "Bob", None).await;
    let world = browser.world.clone();
    let new = agents::NewAgent { name: "Adas helper".into(), owner: ada, home_unit: world.tenant.unit };
    agents::create(&world.control, &world.operator, new).await.unwrap();
    let remove = format!("{PEOPLE}/users/{ada}/remove");
    let page = browser.get(&remove).await;
    assert!(page.text.contains("What becomes of 1 agent?"), "{}", page.text);
    assert!(browser.post(&remove, &[]).await.text.contains("Choose what becomes of the agents."));
    let page = browser.post(&remove, &[("agents", "hand"), ("to", "nobody@acme.example")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.text.contains("Nobody here has the address nobody@acme.example")
            && page.text.contains("to-error")
    );
    let page = browser.post(&remove, &[("agents", "hand"), ("to", "bob@acme.example")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    let page = browser.get(page.leads_to()).await;
    assert!(
        page.text.contains("Removed") && !page.text.contains("/suspend"),
        "no button that would be refused"
    );
    assert!(!browser.get(PEOPLE).await.text.contains("ada@acme.example"));
    assert!(browser.get(&format!("{PEOPLE}?standing=removed")).await.text.contains("ada@acme.example"));
    assert!(browser.get(&format!("{PEOPLE}?show=agents")).await.text.contains(">Bob<"));
}

#[tokio::test]
async fn roles_and_units_of_a_person_change_on_their_page() {
    let mut browser = owner().await;
    let sales = unit(&browser, None, "Sales").await.to_string();
    let ada = person(&browser, "Ada", None).await;
    let place = format!("{PEOPLE}/users/{ada}");
    for (path, fields, said) in [
        ("move", &[("home", sales.as_str())][..], "sit in another unit"),
        ("units", &[("unit", browser.world.tenant.unit.to_string().as_str())], "member of a further unit"),
        ("units/leave", &[("unit", browser.world.tenant.unit.to_string().as_str())], "membership has ended"),
        ("roles", &[("role", "approver"), ("where", sales.as_str())], "role was given"),
        ("roles/take", &[("role", "approver"), ("where", sales.as_str())], "role was taken"),
        ("roles", &[("role", "owner"), ("where", "")], "role was given"),
    ] {
        let page = browser.post(&format!("{place}/{path}"), fields).await;
        assert_eq!((page.status, page.leads_to()), (StatusCode::SEE_OTHER, place.as_str()), "{path}");
        assert!(browser.get(&place).await.text.contains(said), "{path}");
    }
    for (path, fields) in [
        ("roles", &[("role", ""), ("where", "")][..]),
        ("roles", &[("role", "owner"), ("where", "")]),
        ("move", &[("home", "unit_x")]),
        ("units", &[("unit", "")]),
    ] {
        let page = browser.post(&format!("{place}/{path}"), fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {fields:?}");
        assert!(page.text.contains("There is a problem"), "{path}");
    }
}

#[tokio::test]
async fn a_member_finds_themselves_and_no_button_that_would_be_refused() {
    let browser = owner().await;
    let mia = person(&browser, "Mia", Some(Role::Member)).await;
    let ada = person(&browser, "Ada", None).await;
    let unit = browser.world.tenant.unit;
    let mut hers = browser_of(&browser, "Mia").await;
    let page = hers.get(PEOPLE).await;
    assert!(page.text.contains("mia@acme.example") && !page.text.contains("ada@acme.example"));
    for word in ["Invite people", "New unit", "New agent", "class=\"tree\""] {
        assert!(!page.text.contains(word), "{word}");
    }
    let page = hers.get(&format!("{PEOPLE}/users/{mia}")).await;
    assert_eq!(page.status, StatusCode::OK);
    for word in ["/suspend", "/remove", "/roles", "/move"] {
        assert!(!page.text.contains(&format!("{mia}{word}")), "{word}");
    }
    for path in [format!("users/{ada}"), format!("units/{unit}"), "invitations".into(), "units/new".into()] {
        assert_eq!(hers.get(&format!("{PEOPLE}/{path}")).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    // An auditor reads all of it and changes nothing.
    person(&browser, "Audrey", Some(Role::Auditor)).await;
    let mut hers = browser_of(&browser, "Audrey").await;
    let page = hers.get(&format!("{PEOPLE}/users/{ada}")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains("<form method=\"post\" action=\"/t/acme/people"), "no form");
    for path in ["move", "units", "roles", "roles/take", "suspend", "resume", "remove", "sessions"] {
        let page = hers.post(&format!("{PEOPLE}/users/{ada}/{path}"), &[("home", "x")]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn ones_own_account_changes_and_a_new_password_keeps_this_browser_alone() {
    let browser = owner().await;
    person(&browser, "Ada", None).await;
    let (mut here, mut there) = (browser_of(&browser, "Ada").await, browser_of(&browser, "Ada").await);
    let page = here.post("/t/acme/me", &[("name", "Ada Lovelace"), ("time_zone", "Asia/Tokyo")]).await;
    assert_eq!(page.leads_to(), "/t/acme/me");
    let page = here.get("/t/acme/me").await;
    assert!(page.text.contains("Ada Lovelace") && page.text.contains("value=\"Asia/Tokyo\" selected"));
    assert!(page.text.contains("This browser"));
    let page = here.post("/t/acme/me", &[("name", " "), ("time_zone", "Mars/Olympus")]).await;
    assert!(page.status == StatusCode::UNPROCESSABLE_ENTITY && page.text.contains("name-error"));

    let password = "/t/acme/me/password";
    let page = here.post(password, &[("old_password", "wrong"), ("password", "another long password")]).await;
    assert!(page.text.contains("old_password-error") && !page.text.contains("another long password"));
    let page =
        here.post(password, &[("old_password", PASSWORD), ("password", "another long password")]).await;
    assert_eq!(page.leads_to(), "/t/acme/me");
    let page = here.get("/t/acme/me").await;
    assert!(page.status == StatusCode::OK && page.text.contains("The password was changed"));
    assert_eq!(there.get("/t/acme/me").await.status, StatusCode::SEE_OTHER);

    // Sessions are ended one by one or all others at once; other people's are not there.
    let mut again = browser.stranger();
    let fields = [("email", "ada@acme.example"), ("password", "another long password"), ("next", "")];
    again.post("/sign-in", &fields).await;
    assert_eq!(again.get("/t/acme/me").await.status, StatusCode::OK);
    here.post("/t/acme/me/sessions", &[("session", "others")]).await;
    assert_eq!(again.get("/t/acme/me").await.status, StatusCode::SEE_OTHER);
    assert_eq!(here.get("/t/acme/me").await.status, StatusCode::OK);
    for nonsense in ["", "zz", &"00".repeat(32)] {
        let page = here.post("/t/acme/me/sessions", &[("session", nonsense)]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{nonsense}");
    }
}

#[tokio::test]
async fn who_leaves_is_out_and_the_only_owner_stays() {
    let mut browser = owner().await;
    let page = browser.get("/t/acme/me/leave").await;
    assert!(
        page.text.contains("You are the only active owner.")
            && !page.text.contains("<button type=\"submit\" class=\"button danger\"")
    );
    let page = browser.post("/t/acme/me/leave", &[("agents", "stop")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(browser.get("/t/acme/me").await.status, StatusCode::OK);

    person(&browser, "Mia", Some(Role::Member)).await;
    let mut hers = browser_of(&browser, "Mia").await;
    assert!(hers.get("/t/acme/me/leave").await.text.contains("Leave "));
    let page = hers.post("/t/acme/me/leave", &[("agents", "stop")]).await;
    assert!(page.leads_to().starts_with("/sign-in"));
    assert_eq!(hers.get("/t/acme/me").await.status, StatusCode::SEE_OTHER);
    let page = hers.post("/sign-in", &[("email", "mia@acme.example"), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
}
