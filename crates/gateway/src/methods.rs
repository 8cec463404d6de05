//! What a message asks for, once it is known who sent it: the methods of both eras, and the way to a call's life.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use http::header::USER_AGENT;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use model::call::Client;
use model::catalog::Feature;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::conduit::{Conduit, Line, Listener, Way};
use crate::edge::{Reply, session, turn_away_refused};
use crate::gateway::House;
use crate::life::{
    self, Ask, Caller, Input, NO_ARGUMENTS, NotOpened, Presented, Received, Subscribing, Told,
};
use crate::listening;
use crate::reject;
use crate::upstream::Subscribed;
use crate::wire::{
    self, Answer, Capabilities, Implementation, Loudness, Malformed, Message, Meta, Params, Reference,
    ResultText, Revision, RpcError, code,
};

/// Messages that a batch may have (2025-03-26).
const BATCH: usize = 20;
const CLIENT_NAME: usize = 80;
const CLIENT_VERSION: usize = 40;
/// Characters of a URI that is read.
const LONGEST_URI: usize = 2048;
const LEVELS: &str =
    "a log level must be one of debug, info, notice, warning, error, critical, alert and emergency";

/// One HTTP request of somebody who is known.
#[derive(Clone)]
pub(crate) struct Visit<'a> {
    pub(crate) house: &'a Arc<House>,
    pub(crate) head: &'a Parts,
    pub(crate) caller: &'a Caller,
    pub(crate) presented: Presented,
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
    /// None: the client takes no streams.
    pub(crate) line: Option<Line>,
}

/// Serves a request's body: a message, or a batch of them.
pub(crate) async fn serve(visit: Visit<'_>, text: Bytes) -> Reply {
    if !wire::is_batch(&text) {
        return one(&visit, &text).await;
    }
    match wire::from_header(&visit.head.headers) {
        Ok(Revision::V2025_03_26) => (),
        Ok(_) => {
            let why = "only revision 2025-03-26 has batches: send each message as a request of its own";
            return visit.turned_away("batch", invalid_request(why));
        }
        Err(error) => return visit.turned_away("unsupported_version", bad_request(error)),
    }
    match wire::read_batch(&text, BATCH) {
        Some(messages) => {
            // What is told of one of several requests has nowhere to go: their answers come together.
            let visit = Visit { line: None, ..visit };
            let served = messages.into_iter().map(|message| {
                let message = text.slice_ref(message.get().as_bytes());
                let visit = &visit;
                async move { Box::pin(one(visit, &message)).await }
            });
            Reply::batch(join_all(served).await)
        }
        None => visit.turned_away("batch", invalid_request("a batch is an array of 1 to 20 messages")),
    }
}

async fn one(visit: &Visit<'_>, text: &Bytes) -> Reply {
    match wire::read(text) {
        Ok(Message::Request { id, method, params }) => {
            let (answer, stateless) = match understand(visit, &method, params) {
                Ok(asked) => {
                    let stateless = asked.revision.is_stateless();
                    if stateless && method == "subscriptions/listen" {
                        return listening::subscribe(visit, id, &asked).await;
                    }
                    (answer(visit, text, &method, asked).await, stateless)
                }
                Err((code, error)) => {
                    let answer = bad_request(error);
                    visit.record(code, answer.status);
                    (answer, wire::from_header(&visit.head.headers).is_ok_and(Revision::is_stateless))
                }
            };
            Reply::to(Some(id), answer, stateless)
        }
        Ok(Message::Notification { method, .. }) => match wire::from_header(&visit.head.headers) {
            Ok(_) => {
                tracing::debug!(method = &*method, "a notification");
                Reply::accepted()
            }
            Err(error) => visit.turned_away("unsupported_version", bad_request(error)),
        },
        Ok(Message::Response { id, outcome }) => {
            if let Some(answer) = turn_away_refused(visit.house, visit.caller, &visit.presented) {
                return Reply::one(answer);
            }
            if let Some(id) = id {
                let by = visit.caller.principal.attribution.credential;
                visit.house.correspondence.answered(id.raw(), by, outcome);
            }
            Reply::accepted()
        }
        Err(Malformed::NotJson) => {
            let error = RpcError::new(code::PARSE, "the body is not JSON");
            visit.turned_away("malformed_json", bad_request(error.with(json!({"code": "malformed_json"}))))
        }
        Err(Malformed::NotAMessage { id, why }) => {
            let answer = invalid_request(why);
            visit.record("malformed_message", answer.status);
            Reply::to(id, answer, false)
        }
    }
}

/// A request whose revision is known.
pub(crate) struct Asked<'b> {
    revision: Revision,
    pub(crate) params: Params<'b>,
    client: Client,
    /// What the client can do that a server may ask of it.
    capabilities: Capabilities,
    conduit: Option<Conduit>,
}

fn understand<'b>(
    visit: &Visit<'_>,
    method: &str,
    params: Option<&'b RawValue>,
) -> Result<Asked<'b>, (&'static str, RpcError)> {
    let malformed = |what: &'static str| ("malformed_params", RpcError::new(code::INVALID_PARAMS, what));
    let params = match params {
        None => Params::default(),
        Some(params) => wire::object(params)
            .ok_or_else(|| malformed("`params` must be an object with each member once"))?,
    };
    let meta: Option<Meta<'b>> = match params.meta {
        None => None,
        Some(meta) => Some(
            wire::object(meta)
                .ok_or_else(|| malformed("`params._meta` must be an object with each member once"))?,
        ),
    };
    let headers = &visit.head.headers;
    let revision = wire::revision(headers, method, meta.as_ref()).map_err(|error| ("bad_version", error))?;
    if revision.is_stateless() {
        let name = match method {
            "tools/call" | "prompts/get" => params.name.and_then(wire::text_of),
            "resources/read" => params.uri.and_then(wire::text_of),
            _ => None,
        };
        wire::mirrored(headers, method, name.as_deref()).map_err(|error| ("header_mismatch", error))?;
    }
    let loudness = match meta.as_ref().and_then(|meta| meta.log_level) {
        None => visit.session(revision).and_then(|session| visit.house.volumes.of(&session)),
        Some(level) => Some(Loudness::named(level).ok_or_else(|| malformed(LEVELS))?),
    };
    let token = meta.as_ref().and_then(|meta| meta.progress_token);
    let conduit =
        visit.line.as_ref().and_then(|line| Conduit::new(line, token, loudness, visit.listener(revision)));
    // A client of the older era is asked while its request is served, and said what it can do when it opened its session.
    let capabilities = if revision.is_stateless() {
        meta.as_ref()
            .and_then(|meta| meta.client_capabilities)
            .map(Capabilities::declared)
            .unwrap_or_default()
    } else {
        conduit.as_ref().map(Conduit::capabilities).unwrap_or_default()
    };
    let info = meta.and_then(|meta| meta.client_info).or(params.client_info);
    let client = visit.client(revision, info.and_then(wire::object));
    Ok(Asked { revision, params, client, capabilities, conduit })
}

async fn answer(visit: &Visit<'_>, text: &Bytes, method: &str, asked: Asked<'_>) -> Answer {
    match method {
        "tools/call" => return call(visit, text, asked, Ask::Call).await,
        "prompts/get" => return call(visit, text, asked, Ask::Get).await,
        "resources/read" => return read(visit, asked).await,
        "resources/subscribe" if !asked.revision.is_stateless() => return subscribe(visit, asked).await,
        "completion/complete" => return complete(visit, asked).await,
        _ => (),
    }
    if let Some(answer) = turn_away_refused(visit.house, visit.caller, &visit.presented) {
        return answer;
    }
    match (method, asked.revision.is_stateless()) {
        ("initialize", false) => initialize(visit, &asked),
        ("logging/setLevel", false) => set_level(visit, &asked),
        ("resources/unsubscribe", false) => unsubscribe(visit, &asked),
        ("ping", false) => Answer::result(ResultText::own(Bytes::from_static(b"{}"))),
        ("server/discover", true) => discover(visit),
        ("tools/list", _) => list(visit, &asked, Feature::Tool),
        ("prompts/list", _) => list(visit, &asked, Feature::Prompt),
        ("resources/list", _) => list(visit, &asked, Feature::Resource),
        ("resources/templates/list", _) => list(visit, &asked, Feature::Template),
        (_, stateless) => {
            let status = if stateless { StatusCode::NOT_FOUND } else { StatusCode::OK };
            visit.record("unknown_method", status);
            let method: String = method.chars().take(80).collect();
            let error = RpcError::new(code::METHOD_NOT_FOUND, format!("Method not found: {method}"));
            Answer::refused(status, error)
        }
    }
}

/// Opens a session (2025-11-25, Lifecycle, Version Negotiation). Nothing is kept of it: the id that the client is given says
/// what it can do, is recorded with its calls, so that people can read them as one story, and decides nothing.
fn initialize(visit: &Visit<'_>, asked: &Asked<'_>) -> Answer {
    let Some(wanted) = asked.params.protocol_version.and_then(wire::text_of) else {
        visit.record("malformed_params", StatusCode::BAD_REQUEST);
        return bad_request(RpcError::new(code::INVALID_PARAMS, "`params.protocolVersion` must be a string"));
    };
    let revision = Revision::named(&wanted)
        .filter(|revision| !revision.is_stateless())
        .unwrap_or(Revision::NEWEST_OPENED);
    let flags = asked.params.capabilities.map(Capabilities::declared).unwrap_or_default().flags();
    let id = format!("{}-{flags:02x}", visit.house.ambient.random_uuid().simple());
    let session = HeaderValue::from_str(&id).ok();
    let answer = own_result(&json!({
        "protocolVersion": revision.word(),
        "capabilities": capabilities(),
        "serverInfo": server_info(),
        "instructions": instructions(visit),
    }));
    Answer { session, ..answer }
}

/// How loud servers may be from now on (2025-11-25, Logging).
fn set_level(visit: &Visit<'_>, asked: &Asked<'_>) -> Answer {
    let Some(loudness) = asked.params.level.and_then(Loudness::named) else {
        return visit.malformed("malformed_params", LEVELS);
    };
    if let Some(session) = visit.session(asked.revision) {
        visit.house.volumes.set(&session, loudness);
    }
    Answer::result(ResultText::own(Bytes::from_static(b"{}")))
}

/// Who we are (2026-07-28, Discovery).
fn discover(visit: &Visit<'_>) -> Answer {
    own_result(&json!({
        "supportedVersions": Revision::ALL.map(Revision::word),
        "capabilities": capabilities(),
        "instructions": instructions(visit),
        "ttlMs": 60_000,
        "cacheScope": "private",
        "_meta": { "io.modelcontextprotocol/serverInfo": server_info() },
    }))
}

/// What of one kind this agent may see.
fn list(visit: &Visit<'_>, asked: &Asked<'_>, feature: Feature) -> Answer {
    let attribution = &visit.caller.principal.attribution;
    let bundle = visit.presented.bundle.as_deref();
    // A cursor belongs to an agent at an endpoint, whichever of its keys it presents.
    let reader = [
        visit.presented.endpoint.uuid().as_bytes(),
        attribution.agent.uuid().as_bytes(),
        bundle.unwrap_or_default().as_bytes(),
    ]
    .concat();
    let member = match feature {
        Feature::Tool => "tools",
        Feature::Prompt => "prompts",
        Feature::Resource => "resources",
        Feature::Template => "resourceTemplates",
    };
    let Ok(after) = wire::after(asked.params.cursor, &reader) else {
        visit.record("bad_cursor", StatusCode::OK);
        let message = "`params.cursor` is not one that was handed out here: begin without a cursor";
        return Answer::error(RpcError::new(code::INVALID_PARAMS, message));
    };
    let tools = visit.caller.offered(bundle, feature);
    let mut out = Vec::from(b"{");
    out.extend(wire::page(member, &tools, after.as_deref(), visit.house.settings.list_page, &reader));
    if asked.revision.is_stateless() {
        let ttl = visit.house.settings.list_ttl.as_millis();
        out.extend(format!(r#","ttlMs":{ttl},"cacheScope":"private""#).into_bytes());
        out.extend(br#","_meta":{"io.modelcontextprotocol/serverInfo":"#);
        out.extend(server_info().to_string().into_bytes());
        out.push(b'}');
    }
    out.push(b'}');
    Answer::result(ResultText::own(out))
}

/// A tool's call, or getting a prompt: read strictly, since its arguments are forwarded byte for byte; then lived through.
async fn call(visit: &Visit<'_>, text: &Bytes, asked: Asked<'_>, ask: Ask) -> Answer {
    let Some(name) = asked.params.name.and_then(wire::text_of) else {
        return visit.malformed("malformed_params", "`params.name` must be a string");
    };
    if let Some(arguments) = asked.params.arguments
        && let Err(answer) = visit.object("params.arguments", arguments)
    {
        return answer;
    }
    let arguments = asked.params.arguments.map(|arguments| text.slice_ref(arguments.get().as_bytes()));
    visit.live(asked, ask, &name, arguments).await
}

/// Reading a resource. What is on record of it as its arguments is the URI that was asked for.
async fn read(visit: &Visit<'_>, asked: Asked<'_>) -> Answer {
    let uri = match visit.uri(&asked) {
        Ok(uri) => uri,
        Err(answer) => return answer,
    };
    let arguments = Bytes::from(json!({ "uri": uri }).to_string());
    visit.live(asked, Ask::Read, &uri, Some(arguments)).await
}

/// Hearing of a resource's updates, in a session (2025-11-25, Resources, Subscriptions).
async fn subscribe(visit: &Visit<'_>, asked: Asked<'_>) -> Answer {
    let uri = match visit.uri(&asked) {
        Ok(uri) => uri,
        Err(answer) => return answer,
    };
    let Some(session) = visit.session(asked.revision) else {
        let message =
            "what is subscribed to is told of in a session: send the `Mcp-Session-Id` that `initialize` gave";
        return visit.malformed("no_session", message);
    };
    let credential = visit.caller.principal.attribution.credential;
    let Some(held) = visit.house.subscriptions.hold(credential) else {
        return visit.malformed("too_many_subscriptions", listening::TOO_MANY);
    };
    let (answer, subscribed) = visit.subscribe(&asked, &uri).await;
    if let Some(subscribed) = subscribed {
        listening::keep(visit.house, visit.presented.clone(), session, &uri, held, subscribed);
    }
    answer
}

/// Hearing of it no more. It was never more than a wish, so that there is nothing to decide or to record.
fn unsubscribe(visit: &Visit<'_>, asked: &Asked<'_>) -> Answer {
    let uri = match visit.uri(asked) {
        Ok(uri) => uri,
        Err(answer) => return answer,
    };
    if let Some(session) = visit.session(asked.revision) {
        visit.house.subscriptions.end(visit.caller.principal.attribution.credential, &session, &uri);
    }
    Answer::result(ResultText::own(Bytes::from_static(b"{}")))
}

/// Completing an argument of a prompt or a variable of a template. On record is what was typed, and with which others.
async fn complete(visit: &Visit<'_>, asked: Asked<'_>) -> Answer {
    let reference: Option<Reference<'_>> = asked.params.reference.and_then(wire::object);
    let reference = reference.unwrap_or_default();
    let (ask, name) = match reference.kind.and_then(wire::text_of).as_deref() {
        Some("ref/prompt") => (Ask::CompletePrompt, reference.name),
        Some("ref/resource") => (Ask::CompleteTemplate, reference.uri),
        _ => {
            return visit
                .malformed("malformed_params", "`params.ref` must be a ref/prompt or a ref/resource");
        }
    };
    let Some(name) = name.and_then(wire::text_of).filter(|name| name.chars().count() <= LONGEST_URI) else {
        return visit
            .malformed("malformed_params", "`params.ref` must name a prompt, or have a template's URI");
    };
    let Some(argument) = asked.params.argument else {
        return visit.malformed("malformed_params", "`params.argument` is missing");
    };
    let mut arguments = Vec::from(b"{\"argument\":");
    for (member, value) in [("params.argument", Some(argument)), ("params.context", asked.params.context)] {
        let Some(value) = value else { continue };
        if let Err(answer) = visit.object(member, value) {
            return answer;
        }
        if member == "params.context" {
            arguments.extend_from_slice(b",\"context\":");
        }
        arguments.extend_from_slice(value.get().as_bytes());
    }
    arguments.push(b'}');
    visit.live(asked, ask, &name, Some(arguments.into())).await
}

impl Visit<'_> {
    async fn live(&self, asked: Asked<'_>, ask: Ask, name: &str, arguments: Option<Bytes>) -> Answer {
        let input = match self.input(&asked, ask, name, arguments.as_deref()) {
            Ok(input) => input,
            Err(answer) => return answer,
        };
        let told = self.told(&asked);
        let received = Received::new(&self.house.ambient, told, ask, name, arguments, input);
        Box::pin(life::live(self.house, received, self.caller.clone())).await
    }

    /// Subscribes to a resource: a call like any other, of which something is left if it goes well.
    pub(crate) async fn subscribe(&self, asked: &Asked<'_>, uri: &str) -> (Answer, Option<Subscribed>) {
        let subscribing = Subscribing::default();
        let told = Told { subscribing: Some(subscribing.clone()), mirrored: None, ..self.told(asked) };
        let arguments = Some(Bytes::from(json!({ "uri": uri }).to_string()));
        let ask = Ask::Subscribe;
        let received = Received::new(&self.house.ambient, told, ask, uri, arguments, Input::default());
        let answer = Box::pin(life::live(self.house, received, self.caller.clone())).await;
        let subscribed = subscribing.lock().take();
        (answer, subscribed)
    }

    fn told(&self, asked: &Asked<'_>) -> Told {
        Told {
            presented: self.presented.clone(),
            client: asked.client.clone(),
            conduit: asked.conduit.clone(),
            started: self.started,
            deadline: self.deadline,
            revision: Some(asked.revision),
            capabilities: asked.capabilities,
            mirrored: asked.revision.is_stateless().then(|| self.mirrored_arguments()),
            subscribing: None,
        }
    }

    /// The URI that is asked for.
    fn uri<'b>(&self, asked: &Asked<'b>) -> Result<Cow<'b, str>, Answer> {
        let uri = asked.params.uri.and_then(wire::text_of).filter(|uri| uri.chars().count() <= LONGEST_URI);
        uri.ok_or_else(|| {
            self.malformed("malformed_params", "`params.uri` must be a string of at most 2,048 characters")
        })
    }

    /// What a call brings besides its arguments: which call it goes on from, and answers to what that one's server asked for
    /// (2026-07-28, Multi Round-Trip Requests).
    fn input(
        &self,
        asked: &Asked<'_>,
        ask: Ask,
        name: &str,
        arguments: Option<&[u8]>,
    ) -> Result<Input, Answer> {
        let mut input = Input::default();
        if !asked.revision.is_stateless() || !ask.may_be_asked_back() {
            return Ok(input);
        }
        if let Some(state) = asked.params.request_state {
            let arguments = arguments.unwrap_or(NO_ARGUMENTS);
            let opened = wire::text_of(state)
                .ok_or(NotOpened::Foreign)
                .and_then(|state| life::open_state(self.house, &state, ask, name, arguments));
            let round = opened.map_err(|why| self.malformed(why.code(), why.sentence()))?;
            input.round = Some(round);
        }
        if let Some(responses) = asked.params.input_responses {
            self.object("params.inputResponses", responses)?;
            let kinds = input.round.as_ref().map(|round| &round.asked);
            wire::check_responses(responses, kinds.unwrap_or(&BTreeMap::new())).map_err(|why| {
                self.malformed("malformed_input", format!("`params.inputResponses`: {why}"))
            })?;
            input.responses = Some(Bytes::copy_from_slice(responses.get().as_bytes()));
        }
        Ok(input)
    }

    /// Checks a value that is forwarded byte for byte.
    fn object(&self, member: &str, value: &RawValue) -> Result<(), Answer> {
        if !value.get().starts_with('{') {
            return Err(self.malformed("malformed_arguments", format!("`{member}` must be an object")));
        }
        wire::check_strictly(value.get().as_bytes(), self.house.settings.max_depth)
            .map_err(|flaw| self.malformed("malformed_arguments", format!("`{member}`: {flaw}")))
    }

    /// Answers a call that cannot be read. Somebody who may not come in learns nothing about their arguments.
    pub(crate) fn malformed(&self, code: &'static str, message: impl Into<Cow<'static, str>>) -> Answer {
        turn_away_refused(self.house, self.caller, &self.presented).unwrap_or_else(|| {
            self.record(code, StatusCode::OK);
            Answer::error(RpcError::new(code::INVALID_PARAMS, message).with(json!({ "code": code })))
        })
    }

    pub(crate) fn record(&self, code: &'static str, status: StatusCode) {
        let credential = Some(self.caller.principal.attribution.credential);
        let tenant = self.caller.directory.tenant().id;
        reject::record(self.house, tenant, code, status, credential, self.presented.address);
    }

    /// The headers that mirror arguments (2026-07-28, Custom Headers from Tool Parameters).
    fn mirrored_arguments(&self) -> HeaderMap {
        let headers = self.head.headers.iter();
        headers
            .filter(|(name, _)| name.as_str().starts_with("mcp-param-"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    fn turned_away(&self, code: &'static str, answer: Answer) -> Reply {
        self.record(code, answer.status);
        Reply::one(answer)
    }

    fn session(&self, revision: Revision) -> Option<Arc<str>> {
        if revision.is_stateless() { None } else { session(&self.head.headers) }
    }

    /// The client, where it can be asked something while its request is served.
    fn listener(&self, revision: Revision) -> Option<Listener> {
        let session = self.session(revision)?;
        let (_, flags) = session.rsplit_once('-')?;
        let capabilities = Capabilities::of_flags(u8::from_str_radix(flags, 16).ok()?);
        Some(Listener {
            way: Way::Line {
                correspondence: self.house.correspondence.clone(),
                ambient: self.house.ambient.clone(),
            },
            credential: self.caller.principal.attribution.credential,
            capabilities,
            patience: self.house.settings.input_timeout,
        })
    }

    /// What the request tells of the client; where it does not name itself, its `User-Agent` does.
    fn client(&self, revision: Revision, info: Option<Implementation<'_>>) -> Client {
        let cut = |text: &str, most: usize| -> Arc<str> {
            match text.char_indices().nth(most) {
                None => text.into(),
                Some((end, _)) => text.split_at(end).0.into(),
            }
        };
        let said = |raw: Option<&RawValue>, most| raw.and_then(wire::text_of).map(|text| cut(&text, most));
        let info = info.unwrap_or_default();
        let agent = || self.head.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        Client {
            name: said(info.name, CLIENT_NAME).or_else(|| agent().map(|agent| cut(agent, CLIENT_NAME))),
            version: said(info.version, CLIENT_VERSION),
            protocol: Some(revision.word().into()),
            session: self.session(revision),
            address: self.presented.address,
        }
    }
}

/// What is offered. An organization without prompts has an empty list of them.
fn capabilities() -> serde_json::Value {
    let list = || json!({ "listChanged": true });
    let resources = json!({ "listChanged": true, "subscribe": true });
    json!({ "tools": list(), "prompts": list(), "resources": resources, "completions": {}, "logging": {} })
}

fn server_info() -> serde_json::Value {
    json!({ "name": "WorkingAgents", "version": env!("CARGO_PKG_VERSION") })
}

fn instructions(visit: &Visit<'_>) -> String {
    let directory = &visit.caller.directory;
    let bundle = visit.presented.bundle.as_deref().and_then(|bundle| directory.bundle(bundle));
    let of = match bundle {
        None => directory.tenant().name.clone(),
        Some(title) => format!("{title} ({})", directory.tenant().name),
    };
    format!(
        "Tools of {of}, as far as this agent may use them. A refused call says which permission is missing and whom to \
         ask."
    )
}

fn own_result(result: &serde_json::Value) -> Answer {
    Answer::result(ResultText::own(result.to_string()))
}

fn bad_request(error: RpcError) -> Answer {
    Answer::refused(StatusCode::BAD_REQUEST, error)
}

fn invalid_request(why: &'static str) -> Answer {
    bad_request(RpcError::new(code::INVALID_REQUEST, why).with(json!({"code": "invalid_request"})))
}
