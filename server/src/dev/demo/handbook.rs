//! The demo's upstream server: a team handbook over MCP that was there for most of the past week, had its bad moments, and
//! is gone now. It lives while the week is made; its module stays in the catalog, switched off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use control::modules::{self, NewModule};
use control::{Actor, Control, grants, units, users};
use http::StatusCode;
use model::access::Grantee;
use model::{Currency, Money};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::people::email;
use crate::Failure;
use crate::net::Listener;

/// The module.
pub(super) const MODULE: &str = "handbook";
/// Its title.
const TITLE: &str = "Team handbook";

/// What it knows.
const PAGES: &[(&str, &str)] = &[
    ("Release checklist", "Freeze on Wednesday, notes reviewed by Product, roll-out from ten per cent."),
    ("On-call", "Two people a week; hand over on Monday at ten; write down what woke you."),
    ("Writing release notes", "Say what people can do now that they could not do before. One sentence each."),
    ("Incident review", "Within three days, without blame, with dates for every follow-up."),
    ("Style of the interface", "Words before icons. Numbers with their unit. Nothing that blinks."),
];

/// How it feels at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mood {
    /// Answers.
    Well,
    /// Takes longer than anybody waits.
    Silent,
    /// Answers with something that is no MCP.
    Confused,
}

/// The running server.
pub(super) struct Handbook {
    mood: Arc<Mutex<Mood>>,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Handbook {
    /// Starts it on this machine.
    pub(super) async fn start() -> Result<Self, Failure> {
        let mood = Arc::new(Mutex::new(Mood::Well));
        let router = Router::new().route("/mcp", post(answer)).with_state(mood.clone());
        let listener = Listener::bind("the demo's handbook", ([127, 0, 0, 1], 0).into()).await?;
        let (address, stop) = (listener.address(), CancellationToken::new());
        tokio::spawn(listener.serve(router, 100, Duration::from_millis(10), stop.clone()));
        Ok(Self { mood, address, stop })
    }

    /// From now on it feels so.
    pub(super) fn feel(&self, mood: Mood) {
        *self.mood.lock() = mood;
    }

    /// It is gone.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        // Until its connections have been given up.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    /// Puts it into the catalog for the engineers. False: it is there already, from an attempt that was cut off.
    pub(super) async fn add(&self, control: &Control, actor: &Actor) -> Result<bool, Failure> {
        if modules::list(control, actor).await?.iter().any(|line| line.view.name == MODULE) {
            return Ok(false);
        }
        let new = NewModule {
            name: MODULE.to_owned(),
            title: TITLE.to_owned(),
            url: format!("http://{}/mcp", self.address),
            owner: Some(users::find(control, actor, &email("Tomás Herrera")).await?.id),
            authorization: None,
        };
        let definitions = tools().as_array().into_iter().flatten().map(Value::to_string).collect();
        let added = modules::add_mcp(control, actor, new, definitions).await?;
        modules::approve_all(control, actor, added.module).await?;
        let search = modules::find_tool(control, actor, "handbook.search_pages").await?;
        let price = Money { amount: "0.003".parse()?, currency: Currency::EUR };
        modules::set_price(control, actor, search.id, price).await?;
        let engineers = Grantee::Unit(units::find(control, actor, "Engineering").await?.id);
        grants::give(control, actor, &MODULE.parse()?, engineers, None).await?;
        Ok(true)
    }

    /// Switches its module off.
    pub(super) async fn switch_off(&self, control: &Control, actor: &Actor) -> Result<(), Failure> {
        let line = modules::find(control, actor, MODULE).await?;
        Ok(modules::switch_off(control, actor, line.view.id).await?)
    }
}

/// The title of some page.
pub(super) fn page(which: usize) -> &'static str {
    PAGES.get(which % PAGES.len()).map_or("", |(title, _)| title)
}

fn tools() -> Value {
    let text = json!({ "type": "string", "minLength": 1, "maxLength": 200 });
    json!([
        {
            "name": "search_pages",
            "title": "Search pages",
            "description": "Finds pages of the team handbook by a word in them.",
            "inputSchema": { "type": "object", "properties": { "word": text }, "required": ["word"] },
            "annotations": { "readOnlyHint": true },
        },
        {
            "name": "read_page",
            "title": "Read a page",
            "description": "Shows one page of the team handbook by its title.",
            "inputSchema": { "type": "object", "properties": { "title": text }, "required": ["title"] },
            "annotations": { "readOnlyHint": true },
        },
    ])
}

async fn answer(State(mood): State<Arc<Mutex<Mood>>>, Json(request): Json<Value>) -> Response {
    let text =
        |pointer: &str| request.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let result = match text("/method").as_str() {
        "initialize" => json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "handbook", "version": "3.2" },
        }),
        "tools/list" => json!({ "tools": tools() }),
        "tools/call" => {
            let mood = *mood.lock();
            match mood {
                Mood::Well => {}
                Mood::Silent => tokio::time::sleep(Duration::from_secs(5)).await,
                Mood::Confused => return (StatusCode::OK, "<h1>Maintenance</h1>").into_response(),
            }
            let said = match text("/params/name").as_str() {
                "search_pages" => {
                    let word = text("/params/arguments/word").to_lowercase();
                    let found = PAGES.iter().filter(|(title, body)| {
                        title.to_lowercase().contains(&word) || body.to_lowercase().contains(&word)
                    });
                    Ok(found.map(|(title, _)| *title).collect::<Vec<_>>().join("\n"))
                }
                _ => {
                    let title = text("/params/arguments/title");
                    let page = PAGES.iter().find(|(name, _)| *name == title);
                    page.map(|(_, body)| (*body).to_owned())
                        .ok_or_else(|| format!("There is no page “{title}”."))
                }
            };
            let is_error = said.is_err();
            let text = said.unwrap_or_else(|sentence| sentence);
            json!({ "content": [{ "type": "text", "text": text }], "isError": is_error })
        }
        // Notifications.
        _ => return StatusCode::ACCEPTED.into_response(),
    };
    Json(json!({ "jsonrpc": "2.0", "id": request.get("id"), "result": result })).into_response()
}
