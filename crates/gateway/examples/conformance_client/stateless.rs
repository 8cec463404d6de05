//! A client of 2026-07-28: every request stands for itself and says in its headers what it says; a result may ask for input,
//! with which the request is made again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::forms;
use crate::world::World;

const MOST_ROUNDS: u32 = 5;

pub struct Stateless<'w> {
    pub world: &'w World,
}

impl Stateless<'_> {
    /// The message that answers the request. `schema` is that of its arguments.
    pub async fn ask(&self, method: &str, mut params: Value, schema: &Value) -> Value {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
            "io.modelcontextprotocol/clientInfo": {"name": "Conformance", "version": "1"},
        });
        let mut headers = vec![
            ("mcp-protocol-version".to_owned(), "2026-07-28".to_owned()),
            ("mcp-method".to_owned(), method.to_owned()),
        ];
        if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
            headers.push(("mcp-name".to_owned(), encoded(name)));
        }
        mirror(schema, &params["arguments"], &mut headers);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for round in 1.. {
            let body = json!({"jsonrpc": "2.0", "id": round, "method": method, "params": params});
            let answered = self.world.post(&headers, body.to_string()).await;
            let message = message_in(&answered.text);
            let result = &message["result"];
            if result["resultType"] != "input_required" || round == MOST_ROUNDS {
                return message;
            }
            let asked = result["inputRequests"].as_object().into_iter().flatten();
            let responses = asked.map(|(key, question)| {
                let method = question["method"].as_str().unwrap_or_default();
                (key.clone(), forms::answer(method, &question["params"]))
            });
            params["inputResponses"] = responses.collect::<Map<_, _>>().into();
            params["requestState"] = result["requestState"].clone();
            if params["requestState"].is_null()
                && let Some(params) = params.as_object_mut()
            {
                params.remove("requestState");
            }
        }
        Value::Null
    }
}

/// The answer, which may be the last of a stream of events.
fn message_in(text: &str) -> Value {
    let mut events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    serde_json::from_str(events.next_back().unwrap_or(text)).unwrap_or_else(|_| panic!("no JSON: {text}"))
}

/// The headers that a tool's schema wants of its arguments.
fn mirror(schema: &Value, arguments: &Value, headers: &mut Vec<(String, String)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let argument = &arguments[name];
        if let Some(header) = property["x-mcp-header"].as_str()
            && !argument.is_null()
        {
            let text = argument.as_str().map_or_else(|| argument.to_string(), str::to_owned);
            headers.push((format!("mcp-param-{}", header.to_lowercase()), encoded(&text)));
        }
        mirror(property, argument, headers);
    }
}

/// A text as a header value.
fn encoded(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && text.trim() == text
        && !(text.starts_with("=?base64?") && text.ends_with("?="));
    if is_plain { text.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(text)) }
}
