//! What came back is looked at before it goes on: whether the tool says it failed, whether its server asks for something first,
//! and whether it is a result that can be passed on at all. It is not rewritten.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::ending::{Ending, Failed};
use super::execute::Executed;
use super::rounds::Next;
use super::settle::{Called, Unsettled};
use crate::upstream::Brought;
use crate::wire::{self, Capabilities, ResultText};

/// A call whose result has been looked at.
#[derive(Debug)]
pub(super) struct Inspected {
    /// None: its server is not done with it.
    pub(super) unsettled: Option<Unsettled>,
    pub(super) asked: Called,
    pub(super) ending: Ending,
}

#[derive(Deserialize)]
struct Told<'b> {
    #[serde(borrow, default, deserialize_with = "wire::present", rename = "isError")]
    is_error: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "wire::present", rename = "resultType")]
    result_type: Option<&'b RawValue>,
}

/// Inspects what was brought back.
pub(super) fn inspect(executed: Executed) -> Inspected {
    let Executed { unsettled, asked, result, capabilities, next, title } = executed;
    let ending = ending(result, |result| asks(result, capabilities, next, &title));
    Inspected { unsettled, asked, ending }
}

/// How a call ended whose client is not there to be asked.
pub(super) fn unheard(result: Result<Brought, Failed>) -> Ending {
    ending(result, |_| Ending::Failed(Failed::unreadable("the server asks in a way that was not agreed on")))
}

fn ending(result: Result<Brought, Failed>, asks: impl FnOnce(Bytes) -> Ending) -> Ending {
    match result.map(read) {
        Ok(Read::Answered { result, is_error }) => Ending::Answered { result, is_error },
        Ok(Read::Asks { result }) => asks(result),
        Ok(Read::Unreadable(why)) => Ending::Failed(Failed::unreadable(why)),
        Err(failed) => Ending::Failed(failed),
    }
}

/// What a result is.
enum Read {
    Answered { result: ResultText, is_error: bool },
    Asks { result: Bytes },
    Unreadable(&'static str),
}

fn read(brought: Brought) -> Read {
    let Brought { result: text, is_stateless } = brought;
    if text.first() != Some(&b'{') {
        return Read::Unreadable("the result is no JSON object");
    }
    let Ok(told) = serde_json::from_slice::<Told<'_>>(&text) else {
        return Read::Unreadable("the result cannot be read as JSON with each member once");
    };
    let is_error = match told.is_error.map(RawValue::get) {
        None | Some("null" | "false") => false,
        Some("true") => true,
        Some(_) => return Read::Unreadable("isError is neither true nor false"),
    };
    let is_typed = match told.result_type.map(wire::text_of) {
        None => false,
        Some(Some(kind)) if kind == "complete" => true,
        Some(Some(kind)) if kind == "input_required" && is_stateless => return Read::Asks { result: text },
        // It speaks of a task, or of what its era does not have: neither was agreed on.
        Some(_) => return Read::Unreadable("the result is not of a type that was agreed on"),
    };
    Read::Answered { result: ResultText { text, is_typed }, is_error }
}

/// A server may ask the client for what the client has said it can do, and no more often than that.
fn asks(result: Bytes, has: Capabilities, next: Option<Next>, title: &str) -> Ending {
    let questions = match wire::questions(&result) {
        Ok(questions) => questions,
        Err(why) => return Ending::Failed(Failed::unreadable(why)),
    };
    let Some(next) = next else { return Ending::Failed(Failed::unasked(title, None, result)) };
    let missing = questions.wants.missing_in(has);
    if missing != Capabilities::default() {
        return Ending::Failed(Failed::unasked(title, Some(missing), result));
    }
    if next.is_too_many() {
        return Ending::Failed(Failed::asked_too_often(title, result));
    }
    Ending::Asks { result, questions, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_read_and_not_rewritten() {
        for (text, expected) in [
            ("{}", Some((false, false))),
            (r#"{"content":[],"isError":true,"unheard of":[1.0]}"#, Some((true, false))),
            (r#"{"isError":null,"resultType":"complete"}"#, Some((false, true))),
            (r#"{"isError":"yes"}"#, None),
            (r#"{"isError":true,"isError":false}"#, None),
            (r#"{"resultType":"input_required"}"#, None),
            (r#"{"resultType":1}"#, None),
            ("[]", None),
            ("{", None),
            ("", None),
        ] {
            // What only a server that was asked without a session may say is refused of any other.
            let brought = Brought { result: Bytes::from_static(text.as_bytes()), is_stateless: false };
            let read = match read(brought) {
                Read::Answered { result, is_error } => {
                    assert_eq!(result.text, text);
                    Some((is_error, result.is_typed))
                }
                _ => None,
            };
            assert_eq!(read, expected, "{text}");
        }
    }
}
