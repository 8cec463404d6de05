//! Every address of the dashboard, taken from the route table itself, asked for by everybody who could try: nobody, somebody of
//! another organization, and each role. What comes of it is `who_sees.txt`; a change there is a change of who sees or does what.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::body::Body;
use control::users::NewUser;
use control::{agents, units, users};
use http::header::{CONTENT_TYPE, ORIGIN};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use model::limit::{Allowance, OfWhat, Per, Scope, Whose};
use model::people::{Role, UnitKind};
use testkit::{PASSWORD, TestWorld};

use super::super::routes::Route;
use super::{Browser, OURS};

/// Addresses that are meant for whoever has no session.
const PUBLIC: [&str; 12] = [
    "/",
    "/sign-in",
    "/sign-in/organization",
    "/sign-out",
    "/sign-up",
    "/sign-up/sent",
    "/forgot",
    "/forgot/sent",
    "/verify/{token}",
    "/reset/{token}",
    "/join/{token}",
    "/t/{tenant}/oauth/client",
];

/// What stands for each `{name}` of a path: things of the organization `acme`, made afresh for each address that changes
/// something, since what it did must not decide what the next one finds.
struct Things {
    values: BTreeMap<&'static str, String>,
}

impl Things {
    async fn make(world: &TestWorld, number: usize) -> Self {
        let (control, operator) = (&world.control, &world.operator);
        let unit = units::NewUnit { parent: None, kind: UnitKind::Team, name: format!("Team {number}") };
        let unit = units::create(control, operator, unit).await.unwrap();
        let user = users::create(control, operator, person(unit, &format!("p{number}"), None)).await.unwrap();
        let agent = agents::NewAgent { name: format!("Agent {number}"), owner: user, home_unit: unit };
        let agent = agents::create(control, operator, agent).await.unwrap();
        let key = control::credentials::NewCredential {
            agent,
            name: "key".to_owned(),
            on_behalf_of: None,
            expires_at: None,
            allowed_addresses: Vec::new(),
        };
        let spare = control::credentials::issue(control, operator, key.clone()).await.unwrap();
        let target = control::revocations::Target::Key(spare.view.id);
        let event = control::revocations::revoke_now(control, operator, target).await.unwrap();
        let key = control::credentials::issue(control, operator, key).await.unwrap();
        let grant = world.grant("notes:read", model::access::Grantee::Agent(agent)).await;
        // It is there from the second time on.
        control::modules::enable_native(control, operator, "crm", None).await.ok();
        let company = control::crm::Given::from([("name".to_owned(), format!("Company {number}"))]);
        let company = control::crm::create::<model::crm::Company>(control, operator, company).await.unwrap();
        let owner =
            control::sign_in::actor(control, world.tenant.tenant, world.tenant.owner).await.unwrap().unwrap();
        let filter = control::activity::saved::NewFilter {
            name: format!("Filter {number}"),
            query: "verdict=deny".to_owned(),
            shared: number.is_multiple_of(2),
        };
        // Shared or the owner's own: neither is a member's to delete. Of fifty that one may keep, it is one.
        let kept = control::activity::saved::save(control, &owner, filter).await;
        let kept = kept.map_or_else(|_| "none".to_owned(), |filter| filter.to_string());
        let notes = control::modules::find(control, operator, "notes").await.unwrap();
        let tool = notes.tools.iter().find(|tool| tool.name == "write_note").unwrap().id;
        let bundle = control::bundles::NewBundle {
            name: format!("b{number}"),
            title: format!("Bundle {number}"),
            naming: model::catalog::Naming::Plain,
        };
        // Of two hundred that there may be, it is one; where one is enough, it is read alone.
        let bundle = match control::bundles::create(control, operator, bundle).await {
            Ok(made) => {
                control::bundles::add(control, operator, &made.name, &[tool]).await.unwrap();
                made.name
            }
            Err(_) => "b0".to_owned(),
        };
        // As with bundles.
        let scope = Scope { whose: Whose::Agent(agent), what: OfWhat::Everything, each_agent: false };
        let allowance = Allowance::new(600, Per::Minute);
        let limit = match control::limits::set(control, operator, scope, allowance).await {
            Ok(limit) => limit,
            Err(_) => {
                let about = control::limits::About::Everything;
                control::limits::list(control, operator, about).await.unwrap()[0].id
            }
        };
        let values = BTreeMap::from([
            ("limit", limit.to_string()),
            ("bundle", bundle),
            ("bundled", tool.to_string()),
            ("filter", kept),
            ("tenant", "acme".to_owned()),
            ("unit", unit.to_string()),
            ("user", user.to_string()),
            ("agent", agent.to_string()),
            ("key", key.view.id.to_string()),
            ("event", event.to_string()),
            ("grant", grant.to_string()),
            ("module", "notes".to_owned()),
            ("tool", "read_note".to_owned()),
            ("token", "0".repeat(43)),
            ("records", "companies".to_owned()),
            ("id", company.to_string()),
        ]);
        Self { values }
    }

    /// The address with things put in. None: an address with a name that nothing stands for here, such as a session.
    fn put_into(&self, path: &str, tenant: &str) -> String {
        let mut out = String::new();
        for segment in path.split('/').skip(1) {
            out.push('/');
            match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                None => out.push_str(segment),
                Some("tenant") => out.push_str(tenant),
                Some(name) => match self.values.get(name) {
                    Some(value) => out.push_str(value),
                    // There is none of that kind: who may see such things and who may not get the same answer.
                    None => out.push_str("none"),
                },
            }
        }
        out
    }
}

fn person(unit: model::UnitId, name: &str, role: Option<Role>) -> NewUser {
    NewUser {
        email: format!("{name}@acme.example"),
        name: name.to_owned(),
        home_unit: unit,
        password: role.map(|_| PASSWORD.to_owned().into()),
        role,
    }
}

fn routes() -> Vec<Route> {
    super::super::routes().table().to_vec()
}

fn ask(method: &Method, path: &str, origin: &str, body: &'static str) -> Request<Body> {
    let request = Request::builder().method(method.clone()).uri(path).header("accept", "text/html");
    if *method == Method::GET {
        return request.body(Body::empty()).unwrap();
    }
    request
        .header(ORIGIN, origin)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .unwrap()
}

/// Only the status: a live list never ends. To a browser without a session it says that it is over, since it would take a
/// redirect for a failure and try again for ever: that counts as being sent to sign in.
async fn status(browser: &mut Browser, request: Request<Body>) -> (StatusCode, String) {
    let response = browser.send(request).await;
    let kind = response.headers().get(CONTENT_TYPE);
    if browser.cookies.is_empty() && kind.is_some_and(|kind| kind == "text/event-stream") {
        let all = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(all, "event: end\ndata: over\n\n");
        return (StatusCode::SEE_OTHER, "/sign-in".to_owned());
    }
    let place = response.headers().get(http::header::LOCATION);
    let place = place.map_or(String::new(), |place| place.to_str().unwrap().to_owned());
    (response.status(), place)
}

async fn signed_in(nobody: &Browser, email: &str) -> Browser {
    let mut browser = nobody.stranger();
    let page = browser.post("/sign-in", &[("email", email), ("password", PASSWORD), ("next", "")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{email} signs in");
    browser
}

/// What an answer means for whoever asked.
fn meaning(status: StatusCode, place: &str) -> &'static str {
    match status {
        StatusCode::SEE_OTHER if place.starts_with("/sign-in") => "sign in",
        StatusCode::NOT_FOUND => "-",
        status if status.is_server_error() => "BROKEN",
        _ => "may",
    }
}

const ROLES: [Role; 6] =
    [Role::Member, Role::Approver, Role::Finance, Role::Auditor, Role::Admin, Role::Owner];

#[tokio::test]
async fn who_sees_what() {
    let mut nobody = Browser::new().await;
    let world = nobody.world.clone();
    world.another_tenant("beta").await;
    let mut people = Vec::new();
    for role in ROLES {
        let name = format!("the-{}", role.word());
        users::create(&world.control, &world.operator, person(world.tenant.unit, &name, Some(role)))
            .await
            .unwrap();
        people.push(signed_in(&nobody, &format!("{name}@acme.example")).await);
    }
    let mut stranger = signed_in(&nobody, "owner@beta.example").await;

    let mut told = String::new();
    writeln!(
        told,
        "{:<5}{:<62}{:<9}{:<9}{}",
        "",
        "",
        "nobody",
        "stranger",
        ROLES.map(|it| format!("{:<9}", it.word())).concat()
    )
    .unwrap();
    for (number, route) in routes().iter().enumerate() {
        let mut line = format!("{:<5}{:<62}", route.method.as_str(), route.path);
        let things = Things::make(&world, number).await;
        let acme = things.put_into(&route.path, "acme");
        let (code, place) = status(&mut nobody, ask(&route.method, &acme, OURS, "")).await;
        let is_public = PUBLIC.contains(&route.path.as_str());
        if !is_public {
            assert_eq!(meaning(code, &place), "sign in", "nobody at {acme}: {code}");
        }
        write!(line, "{:<9}", meaning(code, &place)).unwrap();
        if is_public {
            writeln!(told, "{}", line.trim_end()).unwrap();
            continue;
        }

        // Somebody of another organization: at this one's address, and with its things at their own.
        let (code, place) = status(&mut stranger, ask(&route.method, &acme, OURS, "")).await;
        assert_eq!(code, StatusCode::NOT_FOUND, "a stranger at {acme}");
        write!(line, "{:<9}", meaning(code, &place)).unwrap();
        if ["{unit}", "{user}", "{agent}", "{key}", "{grant}", "{event}"]
            .iter()
            .any(|name| route.path.contains(name))
        {
            let beta = things.put_into(&route.path, "beta");
            let (code, _) = status(&mut stranger, ask(&route.method, &beta, OURS, "")).await;
            let hidden = [StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY].contains(&code);
            assert!(hidden, "things of another organization at {beta}: {code}");
        }
        for browser in &mut people {
            let (code, place) = status(browser, ask(&route.method, &acme, OURS, "")).await;
            assert!(!code.is_server_error(), "{} {acme}: {code}", route.method);
            write!(line, "{:<9}", meaning(code, &place)).unwrap();
        }
        writeln!(told, "{}", line.trim_end()).unwrap();
    }
    insta::with_settings!({ snapshot_path => ".", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("who_sees", told);
    });
}

#[tokio::test]
async fn nothing_that_changes_something_is_taken_from_another_site() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let things = Things::make(&browser.world.clone(), 0).await;
    for route in routes().iter().filter(|route| route.method != Method::GET) {
        let path = things.put_into(&route.path, "acme");
        let (code, _) =
            status(&mut browser, ask(&route.method, &path, "https://evil.example", "name=x")).await;
        assert_eq!(code, StatusCode::FORBIDDEN, "{path}");
    }
}

/// Whatever is typed or put into an address, an answer is given, and nothing breaks.
#[tokio::test]
async fn hostile_input_is_answered() {
    const QUERIES: [&str; 4] = [
        "q=%00%FF%E2%80%AE&page=-1&from=x&to=9999-99-99T99:99&sort=;drop&open=..%2F&tab=%3Cscript%3E&kind=%F0%9F%92%A9",
        "page=99999999999999999999&before=zzz&unit=%00&user=1&agent=&role=god&key=%3A&module=../../x",
        "a&a&a=&=&==&%",
        "from=2026-02-30T00:00&to=1970-01-01T00:00&span=custom&by=x&and=y&period=-1&limit=1e9",
    ];
    const BODIES: [&str; 3] = [
        "name=%00&email=%FF&title=%E2%80%AEevil&unit=none&role=god&user=x&agent=y&key=%3A%3A&expires_at=never&amount=-1e999&id=%F0%9F%92%A9",
        "name=%3Cscript%3Ealert(1)%3C%2Fscript%3E&url=javascript%3Aalert(1)&zone=Moon%2FSea&currency=%F0%9F%92%B0&cell=%00&give=%7C&revoke=x&overlap=-5",
        "%&=&&a=%ZZ",
    ];
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let world = browser.world.clone();
    let long: &'static str = Box::leak(
        format!("name={0}&title={0}&email={0}%40x.example&q={0}&note={0}", "%F0%9F%92%A9".repeat(2_000))
            .into_boxed_str(),
    );
    for (number, route) in routes().iter().enumerate() {
        let things = Things::make(&world, number).await;
        let path = things.put_into(&route.path, "acme");
        if route.path == "/sign-out" {
            continue;
        }
        if route.method == Method::GET {
            for query in QUERIES {
                let (code, _) =
                    status(&mut browser, ask(&route.method, &format!("{path}?{query}"), OURS, "")).await;
                assert!(!code.is_server_error(), "GET {path}?{query}: {code}");
            }
            continue;
        }
        for body in BODIES.into_iter().chain([long]) {
            let (code, _) = status(&mut browser, ask(&route.method, &path, OURS, body)).await;
            assert!(!code.is_server_error(), "{} {path} with {:.60}: {code}", route.method, body);
        }
    }
}
