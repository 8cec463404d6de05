//! The catalog: adding a module by the wizard, its errors, approving, and trying a tool.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::routing::post;
use control::ledger::Ledger;
use control::modules;
use gateway::seams::StateKey;
use gateway::{Gateway, Plugs};
use http::StatusCode;
use model::access::Grantee;
use model::people::Role;
use serde_json::{Value, json};
use testkit::{PASSWORD, TestWorld};

use super::{Browser, Page, local};
use crate::metrics::Metrics;
use crate::plugs;

/// An MCP server with a tool that echoes, and addresses where it is not one.
async fn upstream() -> String {
    async fn answer(Json(message): Json<Value>) -> (StatusCode, Json<Value>) {
        let result = match message["method"].as_str() {
            Some("initialize") => json!({
                "protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                "serverInfo": {"name": "echoes", "version": "1.0"},
            }),
            Some("tools/list") => json!({"tools": [
                {"name": "echo", "description": "Echoes <b>it</b>.", "annotations": {"readOnlyHint": true},
                 "inputSchema": {"type": "object", "required": ["message"], "additionalProperties": false,
                                 "properties": {"message": {"type": "string", "maxLength": 9}, "times": {"type": "integer"}}}},
                {"name": "a/b?c#d..", "inputSchema": {"type": "object"}},
            ]}),
            Some("tools/call") => {
                let said = format!(
                    "Echo: {}",
                    message["params"]["arguments"]["message"].as_str().unwrap_or_default()
                );
                json!({"content": [{"type": "text", "text": said}]})
            }
            _ => return (StatusCode::ACCEPTED, Json(Value::Null)),
        };
        (StatusCode::OK, Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})))
    }
    let router = axum::Router::new()
        .route("/mcp", post(answer))
        .route("/closed", post(async || StatusCode::UNAUTHORIZED))
        .route("/page", post(async || axum::response::Html("<h1>It works!</h1>")))
        .route("/hangs", post(async || tokio::time::sleep(Duration::from_secs(60)).await));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// Lets the dashboard make calls.
async fn with_calls(browser: &Browser) -> Ledger {
    let world = &browser.world;
    let (control, metrics) = (world.control.clone(), Metrics::new());
    let ambient = control.ambient().clone();
    let (ledger, _) = world.ledger(&control).await;
    let plugs = Plugs {
        directories: Arc::new(plugs::Directories {
            directories: world.directories(&control),
            metrics: metrics.clone(),
        }),
        ledger: Arc::new(plugs::Ledger {
            ledger: ledger.clone(),
            ambient: ambient.clone(),
            metrics: metrics.clone(),
        }),
        limits: Arc::new(plugs::Limits { control: control.clone(), metrics }),
        connections: Arc::new(plugs::Connections::new(control.clone(), plugs::way_out(&local()).unwrap())),
        catalog: Arc::new(plugs::Catalog { control: control.clone() }),
        native: Arc::new(plugs::NativeModules { control }),
        boot: Arc::new(plugs::BootClock { ambient: ambient.clone() }),
        traces: Arc::new(gateway::seams::NoTraces),
        state_key: StateKey::random(&ambient),
    };
    browser.calls.set(Gateway::new(plugs, local(), ambient).unwrap()).unwrap();
    ledger
}

fn place<'a>(url: &'a str, name: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("url", url),
        ("title", "Echoes"),
        ("name", name),
        ("owner", "owner@acme.example"),
        ("authorization", "Bearer it"),
    ]
}

/// Fills in the first step and waits until the server has been asked.
async fn asked(browser: &mut Browser, url: &str, name: &str) -> (String, Page) {
    let sent = browser.post("/t/acme/catalog/new", &place(url, name)).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    let draft = sent.leads_to().to_owned();
    let page = answered(browser, &draft).await;
    (draft, page)
}

/// A draft's page once its server is not being asked any more.
async fn answered(browser: &mut Browser, draft: &str) -> Page {
    for _ in 0..400 {
        let page = browser.get(draft).await;
        assert_eq!(page.status, StatusCode::OK);
        let asking = page.text.contains("Asking ");
        assert_eq!(page.headers.contains_key("refresh"), asking, "the page goes on by itself");
        if !asking {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the server has not answered");
}

#[tokio::test]
async fn a_module_is_added_by_the_wizard() {
    let upstream = upstream().await;
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    assert!(browser.get("/t/acme/catalog/new").await.text.contains("Switch on CRM"));
    let wrong = browser.post("/t/acme/catalog/new", &place("ftp://x", "Echo 1")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("value=\"ftp://x\"") && wrong.text.contains("id=\"url-error\""));
    assert!(!wrong.text.contains("Bearer it"), "a secret is not sent back");
    let nobody =
        [("url", "https://x.example"), ("title", "E"), ("name", "e"), ("owner", "nobody@acme.example")];
    assert!(
        browser.post("/t/acme/catalog/new", &nobody).await.text.contains("Nobody here has this mail address")
    );
    let taken = browser.post("/t/acme/catalog/new", &place("https://x.example", "notes")).await;
    assert!(taken.text.contains("id=\"name-error\""), "{}", taken.text);

    let (draft, page) = asked(&mut browser, &format!("{upstream}/mcp"), "echoes").await;
    for said in ["1.0", "2025-06-18", "Echoes &lt;b&gt;it&lt;/b&gt;.", "a/b?c#d..", "echoes:read"] {
        assert!(page.text.contains(said), "{said}");
    }
    let reviewed = page.text.split("name=\"reviewed\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let add = format!("{draft}/add");
    let typed = [("reviewed", reviewed), ("a0", "yes"), ("k0", "read"), ("p0", "much"), ("k1", "read")];
    let wrong = browser.post(&add, &typed).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("value=\"much\"") && wrong.text.contains("id=\"p0-error\""));
    let stale = browser.post(&add, &[("reviewed", "0"), ("a0", "yes")]).await;
    assert!(stale.text.contains("review its tools once more"), "{}", stale.text);
    let typed = [("reviewed", reviewed), ("a0", "yes"), ("k0", "read"), ("p0", "0.01"), ("k1", "read")];
    let added = browser.post(&add, &typed).await;
    assert_eq!(added.leads_to(), "/t/acme/catalog/echoes", "{}", added.text);
    let page = browser.get("/t/acme/catalog/echoes").await;
    assert!(page.text.contains("Proposed") && page.text.contains("Approved") && page.text.contains("0.01"));
    assert!(!page.text.contains("Bearer it"));
    // A tool with a hostile name has a page of its own.
    let odd = "/t/acme/catalog/echoes/a%2Fb%3Fc%23d..";
    assert!(page.text.contains(&format!("href=\"{odd}\"")));
    let page = browser.get(odd).await;
    assert_eq!(page.status, StatusCode::OK);
    let hash =
        page.text.split("name=\"reviewed\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let other = "0".repeat(64);
    let refused = browser.post(&format!("{odd}/approve"), &[("reviewed", &other)]).await;
    assert!(refused.text.contains("changed since you looked"), "{}", refused.text);
    let unseen = browser.post(&format!("{odd}/approve"), &[]).await;
    assert_eq!(unseen.status, StatusCode::BAD_REQUEST, "what nobody has seen is not approved");
    assert_eq!(browser.post(&format!("{odd}/approve"), &[("reviewed", &hash)]).await.leads_to(), odd);
    let again = browser.post("/t/acme/catalog/echoes/-/rediscover", &[]).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    assert!(browser.page(html("/t/acme/catalog/echoes")).await.text.contains("Nothing has changed."));
}

/// A request of a browser for a page, which takes the notice.
fn html(path: &str) -> http::Request<axum::body::Body> {
    http::Request::get(path).header("accept", "text/html").body(axum::body::Body::empty()).unwrap()
}

#[tokio::test]
async fn what_is_wrong_with_a_server_is_said_with_what_to_do() {
    let upstream = upstream().await;
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    for (name, url, said) in [
        ("down", "http://127.0.0.1:1/mcp".to_owned(), "Nothing listens at 127.0.0.1:1"),
        ("inside", "http://10.0.0.1/mcp".to_owned(), "allowed_upstream_networks"),
        ("closed", format!("{upstream}/closed"), "connect it with OAuth"),
        ("page", format!("{upstream}/page"), "not JSON or an event stream"),
        ("nowhere", format!("{upstream}/nowhere"), "Its path is often"),
        ("hangs", format!("{upstream}/hangs"), "It took the connection and said nothing"),
    ] {
        let (draft, page) = asked(&mut browser, &url, name).await;
        assert!(page.text.contains(said), "{name}: {}", page.text);
        assert!(page.text.contains(&format!("value=\"{url}\"")), "{name}: what was typed is kept");
        assert!(browser.get("/t/acme/catalog/new").await.text.contains(&draft), "it can be gone back to");
    }
    // Corrected, it goes on.
    let (draft, _) = asked(&mut browser, &format!("{upstream}/page"), "mended").await;
    let url = format!("{upstream}/mcp");
    let again = browser.post(&draft, &place(&url, "mended")).await;
    assert_eq!(again.leads_to(), draft);
    assert!(answered(&mut browser, &draft).await.text.contains("Add it, approve all 2"));
}

#[tokio::test]
async fn a_program_is_one_that_is_set_up_here() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    assert!(browser.get("/t/acme/catalog/new").await.text.contains("stdio:NAME</code>: git."));
    for url in ["stdio:sh", "stdio:/bin/sh -c id"] {
        let page = browser.post("/t/acme/catalog/new", &place(url, "shell")).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.text.contains("There is no such program here; there is git"), "{}", page.text);
        assert!(page.text.contains(&format!("value=\"{url}\"")), "what was typed is kept");
    }
    let git = place("stdio:git", "git");
    let page = browser.post("/t/acme/catalog/new", &git).await;
    assert!(page.text.contains("a program is presented nothing"), "{}", page.text);
    let git: Vec<_> = git.into_iter().filter(|(field, _)| *field != "authorization").collect();
    let draft = browser.post("/t/acme/catalog/new", &git).await.leads_to().to_owned();
    let page = answered(&mut browser, &draft).await;
    assert!(page.text.contains("it is not said whom programs run as"), "{}", page.text);
}

#[tokio::test]
async fn a_tool_is_tried_as_an_agent_and_the_call_is_one_like_any_other() {
    let upstream = upstream().await;
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let ledger = with_calls(&browser).await;
    let world = browser.world.clone();
    let (draft, page) = asked(&mut browser, &format!("{upstream}/mcp"), "echoes").await;
    let reviewed = page.text.split("name=\"reviewed\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    browser.post(&format!("{draft}/add"), &[("reviewed", reviewed), ("all", "yes")]).await;
    let at = "/t/acme/catalog/echoes/echo/try";
    assert!(browser.get(at).await.text.contains("A call needs an agent"));
    let (agent, _) = world.agent("Helper").await;
    let key = control::credentials::list(&world.control, &world.operator, Some(agent)).await.unwrap()[0]
        .view
        .id
        .to_string();

    let wrong = browser.post(at, &[("credential", &key), ("a0", "far too long"), ("a1", "many")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("Give a number") && wrong.text.contains("far too long</textarea>"));
    let wrong = browser.post(at, &[("credential", &key), ("a0", "far too long")]).await;
    assert!(wrong.text.contains("Give at most 9 characters"), "{}", wrong.text);
    let wrong = browser.post(at, &[("credential", "cred_nobody"), ("a0", "hi")]).await;
    assert!(wrong.text.contains("Choose the agent"));

    // Without the key it is denied, in the agent's own words.
    let denied = browser.post(at, &[("credential", &key), ("a0", "hi")]).await;
    assert!(denied.leads_to().starts_with(&format!("{at}?call=call_")), "{}", denied.text);
    let page = browser.get(denied.leads_to()).await;
    assert!(page.text.contains("Denied") && page.text.contains("echoes:read"), "{}", page.text);
    assert!(page.text.contains("hi</textarea>"), "what was sent is still there");
    world.grant("echoes:read", Grantee::Agent(agent)).await;
    let made = browser.post(at, &[("credential", &key), ("a0", "hi")]).await;
    let page = browser.get(made.leads_to()).await;
    assert!(page.text.contains("Echo: hi") && page.text.contains("Succeeded"), "{}", page.text);
    let call = made.leads_to().split("call=").nth(1).unwrap().to_owned();
    let story = browser.get(&format!("/t/acme/activity/{call}")).await;
    assert!(story.text.contains("WorkingAgents dashboard") && story.text.contains("Helper"));
    let json = [("credential", key.as_str()), ("as", "json"), ("json", r#"{"message":"by json"}"#)];
    let made = browser.post(at, &json).await;
    assert!(browser.get(made.leads_to()).await.text.contains("Echo: by json"));
    let twice = [("credential", key.as_str()), ("as", "json"), ("json", r#"{"message":"a","message":"b"}"#)];
    assert!(browser.post(at, &twice).await.text.contains("stands twice"));

    // Somebody who neither owns the agent nor may change it cannot act as it, and sees no call of it here.
    let new = control::users::NewUser {
        email: "mia@acme.example".into(),
        name: "Mia".into(),
        home_unit: world.tenant.unit,
        password: Some(PASSWORD.to_owned().into()),
        role: Some(Role::Member),
    };
    control::users::create(&world.control, &world.operator, new).await.unwrap();
    let mut mia = browser.stranger();
    mia.post("/sign-in", &[("email", "mia@acme.example"), ("password", PASSWORD), ("next", "")]).await;
    let refused = mia.post(at, &[("credential", &key), ("a0", "hi")]).await;
    assert!(refused.text.contains("Choose an agent of yours"), "{}", refused.text);
    assert!(!mia.get(&format!("{at}?call={call}")).await.text.contains("Echo: hi"));

    // Zero grace: a key that was revoked makes no call.
    control::credentials::revoke(&world.control, &world.operator, key.parse().unwrap()).await.unwrap();
    let revoked = browser.post(at, &[("credential", &key), ("a0", "hi")]).await;
    assert_eq!(revoked.status, StatusCode::UNPROCESSABLE_ENTITY);
    ledger.close().await;
}

#[tokio::test]
async fn what_is_done_with_a_module_is_asked_first_and_said_afterwards() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let world: Arc<TestWorld> = browser.world.clone();
    let (agent, _) = world.agent("Helper").await;
    world.grant("notes", Grantee::Agent(agent)).await;
    assert!(browser.get("/t/acme/catalog/notes/-/off").await.text.contains("1 agent"));
    browser.post("/t/acme/catalog/notes/-/off", &[]).await;
    let page = browser.page(html("/t/acme/catalog/notes")).await;
    assert!(page.text.contains("notes is off") && page.text.contains("Switch on"));
    browser.post("/t/acme/catalog/notes/-/on", &[]).await;
    let tool = "/t/acme/catalog/notes/read_note";
    let wrong = browser.post(&format!("{tool}/price"), &[("price", "-1")]).await;
    assert!(wrong.status == StatusCode::UNPROCESSABLE_ENTITY && wrong.text.contains("value=\"-1\""));
    browser.post(&format!("{tool}/price"), &[("price", "0.25")]).await;
    browser.post(&format!("{tool}/key"), &[("key", "write")]).await;
    assert!(
        browser
            .post(&format!("{tool}/key"), &[("key", "god")])
            .await
            .text
            .contains("Choose one of the two keys.")
    );
    let page = browser.get(tool).await;
    assert!(
        page.text.contains("0.25") && page.text.contains("notes:write") && page.text.contains("chosen by")
    );
    browser.post(&format!("{tool}/withdraw"), &[]).await;
    assert!(browser.get(tool).await.text.contains("took it out"));
    let secret = [("authorization", "Bearer s3cret")];
    assert_eq!(
        browser.post("/t/acme/catalog/notes/-/connection", &secret).await.leads_to(),
        "/t/acme/catalog/notes"
    );
    let page = browser.get("/t/acme/catalog/notes").await;
    assert!(page.text.contains("A secret, since") && !page.text.contains("s3cret"));
    let wrong = browser.post("/t/acme/catalog/notes/-/connection", &[("authorization", "")]).await;
    assert!(wrong.text.contains("id=\"authorization-error\""));
    browser.post("/t/acme/catalog/notes/-/connection/revoke", &[]).await;
    let described = [("title", "Our notes"), ("owner", "")];
    browser.post("/t/acme/catalog/notes/-/describe", &described).await;
    let page = browser.get("/t/acme/catalog/notes").await;
    assert!(page.text.contains("Our notes") && page.text.contains("denials name nobody to ask"));
    assert!(modules::find(&world.control, &world.operator, "notes").await.unwrap().connection.is_none());
    assert!(
        browser
            .post("/t/acme/catalog/new/built-in", &[("module", "crm")])
            .await
            .leads_to()
            .ends_with("/catalog/crm")
    );
    assert_eq!(
        browser.post("/t/acme/catalog/new/built-in", &[("module", "crm")]).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(
        browser.post("/t/acme/catalog/new/built-in", &[("module", "nope")]).await.status,
        StatusCode::NOT_FOUND
    );
}
