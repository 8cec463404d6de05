//! What a server asks for before it can answer, and what a client answers to that (2026-07-28, Multi Round-Trip Requests).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Capabilities;
use super::envelope::{object, present, text_of};
use super::members::members;

/// What a server may ask for at once.
const MOST: usize = 32;
/// Longest key of one such request, in bytes.
const LONGEST_KEY: usize = 256;
/// Largest request for input, in bytes: what it asks with may have 1 MiB.
const LARGEST_REQUEST: usize = (1 << 20) + 1024;
/// Longest state of a server that is carried, in bytes.
const LONGEST_STATE: usize = 64 << 10;

/// Of which kind a request for input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// `elicitation/create`.
    Elicitation,
    /// `sampling/createMessage`.
    Sampling,
    /// `roots/list`.
    Roots,
}

impl Kind {
    /// The one that a method asks for.
    pub(crate) fn of(method: &str) -> Option<Self> {
        [Self::Elicitation, Self::Sampling, Self::Roots].into_iter().find(|kind| kind.method() == method)
    }

    /// As it stands in a request.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Elicitation => "elicitation/create",
            Self::Sampling => "sampling/createMessage",
            Self::Roots => "roots/list",
        }
    }
}

/// What an `input_required` result asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Questions {
    /// What the client must be able to do.
    pub(crate) wants: Capabilities,
    /// By their keys.
    pub(crate) kinds: BTreeMap<String, Kind>,
    /// The server's `requestState`.
    pub(crate) state: Option<String>,
}

#[derive(Deserialize)]
struct InputRequired<'b> {
    #[serde(borrow, default, deserialize_with = "present", rename = "inputRequests")]
    requests: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "requestState")]
    state: Option<&'b RawValue>,
}

#[derive(Deserialize)]
struct Entry<'b> {
    #[serde(borrow)]
    method: Option<&'b RawValue>,
    #[serde(borrow)]
    params: Option<&'b RawValue>,
}

#[derive(Default, Deserialize)]
struct Asking<'b> {
    #[serde(borrow, default, deserialize_with = "present")]
    mode: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    tools: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "toolChoice")]
    tool_choice: Option<&'b RawValue>,
}

/// One entry of the `inputRequests` of a result.
#[derive(Debug)]
pub(super) struct Request<'b> {
    pub(super) key: String,
    pub(super) kind: Kind,
    /// What the client must be able to do for it.
    pub(super) wants: Capabilities,
    /// As they came: an object, or none.
    pub(super) params: Option<&'b RawValue>,
}

/// Reads a result of type `input_required`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn questions(result: &[u8]) -> Result<Questions, &'static str> {
    let (requests, state) = read(result)?;
    let mut questions = Questions { state, ..Questions::default() };
    for Request { key, kind, wants, .. } in requests {
        questions.wants = questions.wants.and(wants);
        questions.kinds.insert(key, kind);
    }
    Ok(questions)
}

/// The same with all that it asks for, in its order, and its `requestState`.
pub(super) fn read(result: &[u8]) -> Result<(Vec<Request<'_>>, Option<String>), &'static str> {
    let read: InputRequired<'_> =
        serde_json::from_slice(result).map_err(|_| "it asks for input with a member twice")?;
    if read.requests.is_none() && read.state.is_none() {
        return Err("it asks for input without saying for what");
    }
    let state = read.state.map(|state| text_of(state).ok_or("its requestState is no string")).transpose()?;
    if state.as_ref().is_some_and(|state| state.len() > LONGEST_STATE) {
        return Err("its requestState has more than 64 KiB");
    }
    let entries = match read.requests {
        None => Vec::new(),
        Some(requests) => members(requests.get().as_bytes()).ok_or("its inputRequests are no object")?,
    };
    if entries.len() > MOST {
        return Err("it asks for more than 32 things at once");
    }
    let mut requests: Vec<Request<'_>> = Vec::with_capacity(entries.len());
    for (key, entry) in entries {
        if key.len() > LONGEST_KEY {
            return Err("a key of its inputRequests has more than 256 bytes");
        }
        if entry.get().len() > LARGEST_REQUEST {
            return Err("one of its inputRequests has more than 1 MiB");
        }
        if requests.iter().any(|request| request.key == key) {
            return Err("a key of its inputRequests stands there twice");
        }
        requests.push(request(key, entry)?);
    }
    Ok((requests, state.map(Into::into)))
}

fn request(key: String, entry: &RawValue) -> Result<Request<'_>, &'static str> {
    let Entry { method, params } = object(entry).ok_or("one of its inputRequests is no object")?;
    let method = method.and_then(text_of).ok_or("one of its inputRequests has no method")?;
    let kind = Kind::of(&method).ok_or("one of its inputRequests has an unknown method")?;
    let asking: Asking<'_> = match params {
        None => Asking::default(),
        Some(params) => object(params).ok_or("the params of one of its inputRequests cannot be read")?,
    };
    let none = Capabilities::default();
    let wants = match kind {
        // Without a mode it is a form.
        Kind::Elicitation => match asking.mode.map(text_of) {
            None => Capabilities { form: true, ..none },
            Some(Some(mode)) if mode == "form" => Capabilities { form: true, ..none },
            Some(Some(mode)) if mode == "url" => Capabilities { url: true, ..none },
            Some(_) => return Err("one of its inputRequests is an elicitation of an unknown mode"),
        },
        Kind::Sampling => {
            let tools = asking.tools.is_some() || asking.tool_choice.is_some();
            Capabilities { sampling: true, tools, ..none }
        }
        Kind::Roots => Capabilities { roots: true, ..none },
    };
    Ok(Request { key, kind, wants, params })
}

#[derive(Deserialize)]
struct Elicited<'b> {
    #[serde(borrow, default, deserialize_with = "present")]
    action: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    content: Option<&'b RawValue>,
}

/// Checks a client's `inputResponses`, an object whose members are known to be there once. `kinds` is what was asked for,
/// where that is known; keys that were not asked for are the server's to ignore.
///
/// # Errors
/// What is wrong with them, naming the key.
pub(crate) fn check_responses(raw: &RawValue, kinds: &BTreeMap<String, Kind>) -> Result<(), String> {
    let Some(responses) = members(raw.get().as_bytes()) else { return Err("must be an object".to_owned()) };
    for (key, response) in responses {
        let wrong = |what: &str| {
            let key: String = key.chars().take(80).collect();
            Err(format!("the answer to `{key}` {what}"))
        };
        let Some(read) = object::<Elicited<'_>>(response) else {
            return wrong("must be an object with each member once");
        };
        // Of what was not asked for by us, only what says an action can be known as the answer to a question.
        let is_elicitation = match kinds.get(&key) {
            Some(kind) => *kind == Kind::Elicitation,
            None => read.action.is_some(),
        };
        if !is_elicitation {
            continue;
        }
        let action = read.action.and_then(text_of);
        if !matches!(action.as_deref(), Some("accept" | "decline" | "cancel")) {
            return wrong("must have an `action`: accept, decline or cancel");
        }
        if read.content.is_some_and(|content| !content.get().starts_with('{')) {
            return wrong("must have an object as its `content`, or none");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn asked(result: &Value) -> Result<Questions, &'static str> {
        questions(result.to_string().as_bytes())
    }

    #[test]
    fn what_is_asked_for_says_what_the_client_must_be_able_to_do() {
        let ask = |method: &str, params: Value| json!({"inputRequests": {"k": {"method": method, "params": params}}});
        for (result, wants) in [
            (ask("elicitation/create", json!({"message": "?"})), json!({"elicitation": {"form": {}}})),
            (ask("elicitation/create", json!({"mode": "form"})), json!({"elicitation": {"form": {}}})),
            (ask("elicitation/create", json!({"mode": "url"})), json!({"elicitation": {"url": {}}})),
            (ask("sampling/createMessage", json!({})), json!({"sampling": {}})),
            (ask("sampling/createMessage", json!({"tools": []})), json!({"sampling": {"tools": {}}})),
            (ask("sampling/createMessage", json!({"toolChoice": {}})), json!({"sampling": {"tools": {}}})),
            (json!({"inputRequests": {"r": {"method": "roots/list"}}}), json!({"roots": {}})),
            (json!({"requestState": "s"}), json!({})),
            (json!({"inputRequests": {}}), json!({})),
        ] {
            assert_eq!(asked(&result).unwrap().wants.object(), wants, "{result}");
        }
        for bad in [
            json!({}),
            json!({"requestState": 7}),
            json!({"requestState": null}),
            json!({"requestState": "x".repeat(70_000)}),
            json!({"inputRequests": []}),
            json!({"inputRequests": null}),
            json!({"inputRequests": {"k": 7}}),
            json!({"inputRequests": {"k": {}}}),
            json!({"inputRequests": {"k": {"method": 7}}}),
            ask("elicitation/create", json!({"mode": "voice"})),
            ask("elicitation/create", json!({"mode": 7})),
            ask("elicitation/create", json!([])),
            ask("tasks/get", json!({})),
            json!({"inputRequests": {"k".repeat(300): {"method": "roots/list"}}}),
            ask("sampling/createMessage", json!({"text": "x".repeat((1 << 20) + 1024)})),
            json!({"inputRequests": (0..33).map(|n| (n.to_string(), json!({"method": "roots/list"}))).collect::<BTreeMap<_, _>>()}),
        ] {
            assert!(asked(&bad).is_err(), "{bad}");
        }
        assert!(
            questions(br#"{"inputRequests":{"a":{"method":"roots/list"},"a":{"method":"roots/list"}}}"#)
                .is_err()
        );
        assert!(questions(br#"{"requestState":"a","requestState":"b"}"#).is_err());
    }

    #[test]
    fn answers_are_objects_and_those_to_questions_say_what_the_person_did() {
        let kinds = BTreeMap::from([("e".to_owned(), Kind::Elicitation), ("s".to_owned(), Kind::Sampling)]);
        let check = |responses: &Value, kinds: &BTreeMap<String, Kind>| {
            check_responses(&serde_json::value::to_raw_value(responses).unwrap(), kinds).is_ok()
        };
        for (responses, is_good, is_good_unasked) in [
            (json!({}), true, true),
            (json!({"e": {"action": "accept", "content": {"n": 1}}}), true, true),
            (json!({"e": {"action": "decline"}}), true, true),
            (json!({"e": {"action": "cancel"}, "more": {"x": 1}}), true, true),
            (json!({"s": {"role": "assistant", "content": []}}), true, true),
            (json!({"e": {"content": {}}}), false, true),
            (json!({"e": {}}), false, true),
            (json!({"e": {"action": "perhaps"}}), false, false),
            (json!({"e": {"action": 7}}), false, false),
            (json!({"e": {"action": "accept", "content": "x"}}), false, false),
            (json!({"e": {"action": "accept", "content": null}}), false, false),
            (json!({"e": 12345}), false, false),
            (json!({"s": null}), false, false),
            (json!({"more": []}), false, false),
            (json!([]), false, false),
            (json!(null), false, false),
        ] {
            assert_eq!(check(&responses, &kinds), is_good, "{responses}");
            assert_eq!(check(&responses, &BTreeMap::new()), is_good_unasked, "{responses}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_read_without_panic(text in "\\PC{0,60}") {
            let _ = questions(text.as_bytes());
            if let Ok(raw) = serde_json::from_str::<&RawValue>(&text) {
                let _ = check_responses(raw, &BTreeMap::new());
            }
        }
    }
}
