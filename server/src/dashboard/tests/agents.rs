//! An agent from the form to Revoke now, as a browser without JavaScript goes through it.

use control::users::NewUser;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use model::access::Grantee;
use model::people::Role;
use policy::Directory;
use secrecy::SecretString;
use testkit::{PASSWORD, TestWorld};

use super::{Browser, Page};

/// The value of a field of a form on a page.
fn value_of(page: &Page, name: &str) -> String {
    let field =
        page.text.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_else(|| panic!("no {name}"));
    field.split('"').next().unwrap().to_owned()
}

/// The text of the element with an id.
fn text_of(page: &Page, id: &str) -> String {
    let inside =
        page.text.split(&format!("id=\"{id}\">")).nth(1).unwrap_or_else(|| panic!("no #{id}: {}", page.text));
    inside.split('<').next().unwrap().to_owned()
}

/// Makes an agent by the form; resolves to its path.
async fn made(browser: &mut Browser, name: &str) -> String {
    let unit = browser.world.tenant.unit.to_string();
    let form = browser.get("/t/acme/people/agents/new").await;
    assert_eq!(value_of(&form, "owner"), "owner@acme.example", "the form begins with whoever fills it in");
    let made = browser
        .post(
            "/t/acme/people/agents/new",
            &[("name", name), ("unit", &unit), ("owner", "owner@acme.example")],
        )
        .await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    made.leads_to().to_owned()
}

async fn known(world: &TestWorld, key: &str) -> bool {
    let facts = control::directory::facts(&world.control, world.tenant.tenant).await.unwrap();
    let now = world.control.ambient().now();
    let hash = TestWorld::hash(&SecretString::from(key));
    Directory::build(facts, now).unwrap().authenticate(&hash, None, now).is_ok()
}

#[tokio::test]
async fn an_agent_is_made_given_a_key_and_revoked() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let agent = made(&mut browser, "Inbox <b>helper</b>").await;
    let page = browser.get(&agent).await;
    assert!(page.text.contains("Inbox &lt;b&gt;helper&lt;/b&gt;"), "a name is text");
    assert!(page.text.contains("It has no key in force"));
    assert!(
        page.text.contains(&format!("http://127.0.0.1:8081/{}/mcp", browser.world.tenant.mcp_id)),
        "the real URL"
    );

    // The key is shown by the answer to the form, once.
    let form = browser.get(&format!("{agent}/keys/new")).await;
    let id = value_of(&form, "id");
    let fields = [
        ("id", id.as_str()),
        ("name", "production"),
        ("lasts", "30"),
        ("allowed_addresses", "192.0.2.7\n2001:db8::/32"),
    ];
    let issued = browser.post(&format!("{agent}/keys"), &fields).await;
    assert_eq!(issued.status, StatusCode::OK, "{}", issued.text);
    assert_eq!(issued.headers[CACHE_CONTROL], "no-store");
    let key = text_of(&issued, "key");
    assert!(model::key::well_formed(&key), "{key}");
    assert!(issued.text.contains(&format!("Bearer {key}")), "the snippets have it");
    let again = browser.post(&format!("{agent}/keys"), &fields).await;
    assert_eq!(again.status, StatusCode::OK);
    assert!(again.text.contains("This key was shown before") && !again.text.contains(&key));
    let keys = browser.get(&format!("{agent}?tab=keys")).await;
    assert!(keys.text.contains("production") && keys.text.contains("192.0.2.7/32, 2001:db8::/32"));
    assert!(!keys.text.contains(&key));

    // Access is told with its source.
    let denied = browser.get(&format!("{agent}?tab=access")).await;
    assert!(denied.text.contains("It is granted to nobody yet."), "{}", denied.text);
    browser.world.grant("notes:read", Grantee::Unit(browser.world.tenant.unit)).await;
    let granted = browser.get(&format!("{agent}?tab=access&says=permit")).await;
    assert!(granted.text.contains("notes.read_note") && !granted.text.contains("notes.write_note"));
    assert!(granted.text.contains("Operations"), "given to the unit");

    let confirm = browser.get(&format!("{agent}/revoke")).await;
    for said in ["<strong>One key</strong>", "<strong>One tool</strong>"] {
        assert!(confirm.text.contains(said), "{said}: {}", confirm.text);
    }
    let done = browser.post(&format!("{agent}/revoke"), &[]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let to = done.leads_to().to_owned();
    let told = browser.get(&to).await;
    assert!(
        told.text.contains("no call is admitted any more")
            && told.text.contains("Inbox &lt;b&gt;helper&lt;/b&gt;")
    );
    let nothing = browser.post(&format!("{agent}/revoke"), &[]).await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(nothing.text.contains("may do nothing already"));
    let revoked = browser.get(&agent).await;
    assert!(revoked.text.contains("Suspended") && revoked.text.contains("Let it act again"));
    // From nowhere it is let in any more, wherever from.
    assert!(!known(&browser.world, &key).await);
}

#[tokio::test]
async fn what_was_typed_is_kept_and_what_is_wrong_is_said_beside_it() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let agent = made(&mut browser, "Inbox helper").await;
    let unit = browser.world.tenant.unit.to_string();
    let page = browser
        .post(
            "/t/acme/people/agents/new",
            &[("name", "Second"), ("unit", "x"), ("owner", "nobody@acme.example")],
        )
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    for said in
        ["value=\"Second\"", "id=\"unit-error\"", "id=\"owner-error\"", "Nobody here has this mail address"]
    {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    let page = browser
        .post(
            "/t/acme/people/agents/new",
            &[("name", "inbox helper"), ("unit", &unit), ("owner", "owner@acme.example")],
        )
        .await;
    assert!(
        page.text.contains("id=\"name-error\"")
            && page.text.contains("There is an agent “inbox helper” already.")
    );
    for name in ["", "evil\u{202E}txt", "nul\0", &"x".repeat(10_000)] {
        let page = browser.post(&format!("{agent}/rename"), &[("name", name)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{name:?}");
        assert!(page.text.contains("id=\"name-error\""), "{name:?}");
    }
    let id = value_of(&browser.get(&format!("{agent}/keys/new")).await, "id");
    for (field, value) in [
        ("allowed_addresses", "192.0.2.0/24, <script>"),
        ("on_behalf_of", "nobody@acme.example"),
        ("lasts", "99999"),
        ("name", ""),
    ] {
        let mut fields = vec![("id", id.as_str()), ("name", "laptop"), ("lasts", "30")];
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let page = browser.post(&format!("{agent}/keys"), &fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert!(
            page.text.contains(&format!("id=\"{field}-error\"")) && !page.text.contains("<script>"),
            "{field}"
        );
    }
}

#[tokio::test]
async fn an_agent_is_renamed_moved_handed_over_suspended_and_retired() {
    let mut browser = Browser::new().await;
    let world = browser.world.clone();
    let new = control::units::NewUnit {
        parent: None,
        kind: model::people::UnitKind::Team,
        name: "Sales".to_owned(),
    };
    let sales = control::units::create(&world.control, &world.operator, new).await.unwrap().to_string();
    member(&browser, "ada@acme.example", Role::Member).await;
    world.grant("notes:read", Grantee::Unit(world.tenant.unit)).await;
    browser.sign_in().await;
    let agent = made(&mut browser, "Inbox helper").await;
    let settings = format!("{agent}?tab=settings");

    let renamed = browser.post(&format!("{agent}/rename"), &[("name", "Mail helper")]).await;
    assert_eq!((renamed.status, renamed.leads_to()), (StatusCode::SEE_OTHER, settings.as_str()));
    let moving = browser.get(&format!("{agent}/move?unit={sales}")).await;
    assert!(
        moving.text.contains("It loses the use of 1 tool") && moving.text.contains("notes.read_note"),
        "{}",
        moving.text
    );
    assert_eq!(
        browser.post(&format!("{agent}/move"), &[("unit", &sales)]).await.status,
        StatusCode::SEE_OTHER
    );
    let handed = browser.post(&format!("{agent}/owner"), &[("owner", "ada@acme.example")]).await;
    assert_eq!(handed.status, StatusCode::SEE_OTHER);
    let page = browser.get(&agent).await;
    for said in ["Mail helper", "Sales", "ada@acme.example"] {
        assert!(page.text.contains(said), "{said}");
    }
    assert!(browser.get(&format!("{agent}/suspend")).await.text.contains("Its next call is refused"));
    assert_eq!(browser.post(&format!("{agent}/suspend"), &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.post(&format!("{agent}/suspend"), &[]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(browser.post(&format!("{agent}/resume"), &[]).await.status, StatusCode::SEE_OTHER);
    assert!(browser.get(&format!("{agent}/retire")).await.text.contains("This cannot be undone"));
    assert_eq!(browser.post(&format!("{agent}/retire"), &[]).await.leads_to(), agent);
    let page = browser.get(&agent).await;
    assert!(page.text.contains("Retired") && !page.text.contains("Revoke now"));
    assert_eq!(browser.get(&format!("{agent}/keys/new")).await.status, StatusCode::NOT_FOUND);
}

/// Makes a person who can sign in.
async fn member(browser: &Browser, email: &str, role: Role) {
    let world = &browser.world;
    let new = NewUser {
        email: email.to_owned(),
        name: email.to_owned(),
        home_unit: world.tenant.unit,
        password: Some(PASSWORD.to_owned().into()),
        role: Some(role),
    };
    control::users::create(&world.control, &world.operator, new).await.unwrap();
}

#[tokio::test]
async fn an_agent_is_its_owners_to_see_and_admins_to_change() {
    let mut browser = Browser::new().await;
    let world = browser.world.clone();
    for (email, role) in [
        ("ada@acme.example", Role::Member),
        ("mia@acme.example", Role::Member),
        ("tess@acme.example", Role::Auditor),
    ] {
        member(&browser, email, role).await;
    }
    let (other, _) = world.another_tenant("beta").await;
    browser.sign_in().await;
    let agent = made(&mut browser, "Inbox helper").await;
    browser.post(&format!("{agent}/owner"), &[("owner", "ada@acme.example")]).await;
    let id = value_of(&browser.get(&format!("{agent}/keys/new")).await, "id");
    browser.post(&format!("{agent}/keys"), &[("id", &id), ("name", "x"), ("lasts", "")]).await;

    let get = ["", "?tab=keys", "?tab=access", "?tab=activity"];
    let change =
        ["/keys/new", "/move?unit=x", "/suspend", "/retire", "/revoke", "/keys/x/rotate", "/keys/x/revoke"];
    let post = ["/rename", "/owner", "/move", "/suspend", "/resume", "/retire", "/keys", "/revoke"];
    for (email, sees) in
        [("ada@acme.example", true), ("mia@acme.example", false), ("tess@acme.example", true)]
    {
        let mut there = browser.stranger();
        there.post("/sign-in", &[("email", email), ("password", PASSWORD), ("next", "")]).await;
        for rest in get {
            let page = there.get(&format!("{agent}{rest}")).await;
            let expected = if sees { StatusCode::OK } else { StatusCode::NOT_FOUND };
            assert_eq!(page.status, expected, "{email} {rest}");
            assert!(!page.text.contains("Revoke now"), "{email} {rest}");
        }
        let key = format!("/keys/{id}/revoke");
        for rest in change.iter().copied().chain([key.as_str()]) {
            let page = there.get(&format!("{agent}{rest}")).await;
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{email} GET {rest}");
        }
        for rest in post.iter().copied().chain([key.as_str()]) {
            let fields = [
                ("id", id.as_str()),
                ("name", "x"),
                ("owner", "mia@acme.example"),
                ("unit", &world.tenant.unit.to_string()),
            ];
            let page = there.post(&format!("{agent}{rest}"), &fields).await;
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{email} POST {rest}");
        }
        assert_eq!(there.get("/t/acme/people/agents/new").await.status, StatusCode::NOT_FOUND);
    }
    // Ids of nobody and of other organizations are not there.
    for path in
        ["agents/agent_1", "agents/%00", "revocations/evt_1", &format!("users/{}/revoke", other.owner)]
    {
        assert_eq!(
            browser.get(&format!("/t/acme/people/{path}")).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    // A key at the address of another agent is not there.
    let second = made(&mut browser, "Second").await;
    assert_eq!(browser.get(&format!("{second}/keys/{id}/revoke")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get(&format!("{agent}/keys/{id}/revoke")).await.status, StatusCode::OK);
}
