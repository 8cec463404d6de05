//! What servers of one era ask, in the words of the other. Up to 2025-11-25 a question is a request of the server's; in 2026-07-28 it
//! is an entry of `inputRequests` in a result (Multi Round-Trip Requests). What is asked is alike, but for how it is named.

use bytes::Bytes;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::input::{self, Kind, Request};
use super::members::{saying, without};
use super::reply::write_string;

/// One thing that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// By which its answer is known.
    pub(crate) key: String,
    pub(crate) kind: Kind,
    /// The JSON text of an object, or nothing.
    pub(crate) params: Option<Bytes>,
}

/// What an `input_required` result asks for, as a client of the `initialize` era is asked for it. None: it is none that
/// [`super::questions`] takes. `id` names an address to be opened, which has no name since 2026-07-28.
pub(crate) fn as_requests(result: &[u8], mut id: impl FnMut() -> Uuid) -> Option<Vec<Asked>> {
    let (requests, _) = input::read(result).ok()?;
    let asked = requests.into_iter().map(|Request { key, kind, wants, params }| {
        let params = params.map(|params| params.get().as_bytes());
        let params = match (kind, params) {
            (Kind::Elicitation, Some(params)) if wants.url => {
                Some(saying(params, &[("elicitationId", &format!("\"{}\"", id()))])?)
            }
            // Revisions before 2025-11-25 have no other word for a form than none.
            (Kind::Elicitation, Some(params)) => Some(without(params, &["mode"])?),
            (_, params) => params.map(Bytes::copy_from_slice),
        };
        Some(Asked { key, kind, params })
    });
    asked.collect()
}

/// Requests of a server of the `initialize` era as an `input_required` result.
pub(crate) fn input_required<'a>(asked: impl IntoIterator<Item = &'a Asked>) -> Bytes {
    let mut out = Vec::from(br#"{"resultType":"input_required","inputRequests":{"#);
    for (n, Asked { key, kind, params }) in asked.into_iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        write_string(&mut out, key);
        out.extend_from_slice(b":{\"method\":\"");
        out.extend_from_slice(kind.method().as_bytes());
        out.push(b'"');
        // Neither has a meaning there: an address has no name, and nothing is told of how far an answer has come.
        let params = params.as_deref().map(|params| without(params, &["elicitationId", "_meta"]));
        if let Some(params) = params.flatten() {
            out.extend_from_slice(b",\"params\":");
            out.extend_from_slice(&params);
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"}}");
    out.into()
}

/// Answers by their keys, as `inputResponses`.
pub(crate) fn input_responses<'a>(answers: impl IntoIterator<Item = (&'a str, &'a RawValue)>) -> Bytes {
    let mut out = Vec::from(b"{");
    for (n, (key, answer)) in answers.into_iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        write_string(&mut out, key);
        out.push(b':');
        out.extend_from_slice(answer.get().as_bytes());
    }
    out.push(b'}');
    out.into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::wire::questions;

    fn asked(key: &str, kind: Kind, params: Option<&'static str>) -> Asked {
        Asked {
            key: key.to_owned(),
            kind,
            params: params.map(|params| Bytes::from_static(params.as_bytes())),
        }
    }

    #[test]
    fn a_question_of_the_newer_era_is_one_of_the_older() {
        let result = br#"{"resultType":"input_required","requestState":"s","inputRequests":{
            "a \"b\"":{"method":"elicitation/create","params":{"mode":"form","message":"Who?","n":1.50}},
            "c":{"method":"elicitation/create","params":{"mode":"url","url":"https://a.example","message":"Go"}},
            "d":{"method":"elicitation/create","params":{"message":"?"}},
            "e":{"method":"sampling/createMessage","params":{"messages":[ ],"mode":"url"}},
            "f":{"method":"roots/list"}}}"#;
        assert!(questions(result).is_ok());
        let id = Uuid::from_u128(7);
        let url = r#"{"elicitationId":"00000000-0000-0000-0000-000000000007","mode":"url","url":"https://a.example","message":"Go"}"#;
        assert_eq!(
            as_requests(result, || id).unwrap(),
            [
                asked("a \"b\"", Kind::Elicitation, Some(r#"{"message":"Who?","n":1.50}"#)),
                asked("c", Kind::Elicitation, Some(url)),
                asked("d", Kind::Elicitation, Some(r#"{"message":"?"}"#)),
                asked("e", Kind::Sampling, Some(r#"{"messages":[ ],"mode":"url"}"#)),
                asked("f", Kind::Roots, None),
            ]
        );
        assert_eq!(as_requests(br#"{"requestState":"s"}"#, || id), Some(Vec::new()));
        for bad in ["{", r#"{"inputRequests":[]}"#, r#"{"inputRequests":{"a":{"method":"tasks/get"}}}"#] {
            assert_eq!(as_requests(bad.as_bytes(), || id), None, "{bad}");
        }
    }

    #[test]
    fn a_question_of_the_older_era_is_one_of_the_newer() {
        let url =
            r#"{"mode":"url","elicitationId":"e","url":"https://a.example","_meta":{"progressToken":1}}"#;
        let all = [
            asked("1", Kind::Elicitation, Some(url)),
            asked("2", Kind::Sampling, Some(r#"{"messages":[],"n":1.50}"#)),
            asked("3", Kind::Roots, None),
        ];
        let result = input_required(&all);
        assert!(String::from_utf8_lossy(&result).contains("1.50"));
        let read: Value = serde_json::from_slice(&result).unwrap();
        assert_eq!(
            read,
            json!({"resultType": "input_required", "inputRequests": {
                "1": {"method": "elicitation/create", "params": {"mode": "url", "url": "https://a.example"}},
                "2": {"method": "sampling/createMessage", "params": {"messages": [], "n": 1.5}},
                "3": {"method": "roots/list"}}})
        );
        let questions = questions(&result).unwrap();
        assert_eq!(questions.kinds.len(), 3);
        assert!(questions.wants.url && questions.wants.sampling && questions.wants.roots);
    }

    #[test]
    fn answers_stand_under_their_keys_byte_for_byte() {
        let raw = RawValue::from_string("{ \"n\":1.50}".to_owned()).unwrap();
        assert_eq!(input_responses([]), "{}");
        assert_eq!(input_responses([("a\"", &*raw), ("b", &*raw)]), r#"{"a\"":{ "n":1.50},"b":{ "n":1.50}}"#);
    }
}
