//! What came back is looked at before it goes on: whether the tool says it failed, and whether it is a result that
//! can be passed on at all. It is not rewritten.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::ending::{Ending, Failed};
use super::execute::Executed;
use super::settle::Unsettled;
use crate::wire::{self, ResultText};

/// A call whose result has been looked at.
#[derive(Debug)]
pub(super) struct Inspected {
    pub(super) unsettled: Unsettled,
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
    let Executed { unsettled, result } = executed;
    let ending = match result {
        Ok(brought) => read(brought.result),
        Err(failed) => Ending::Failed(failed),
    };
    Inspected { unsettled, ending }
}

fn read(text: Bytes) -> Ending {
    if text.first() != Some(&b'{') {
        return Ending::Failed(Failed::unreadable("the result is no JSON object"));
    }
    let Ok(told) = serde_json::from_slice::<Told<'_>>(&text) else {
        return Ending::Failed(Failed::unreadable("the result cannot be read as JSON with each member once"));
    };
    let is_error = match told.is_error.map(RawValue::get) {
        None | Some("null" | "false") => false,
        Some("true") => true,
        Some(_) => return Ending::Failed(Failed::unreadable("isError is neither true nor false")),
    };
    let is_typed = match told.result_type.map(wire::text_of) {
        None => false,
        Some(Some(kind)) if kind == "complete" => true,
        // It asks for input, or speaks of a task: neither was agreed on.
        Some(_) => return Ending::Failed(Failed::unreadable("the result is not of the type `complete`")),
    };
    Ending::Answered { result: ResultText { text, is_typed }, is_error }
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
            let read = match read(Bytes::from_static(text.as_bytes())) {
                Ending::Answered { result, is_error } => {
                    assert_eq!(result.text, text);
                    Some((is_error, result.is_typed))
                }
                _ => None,
            };
            assert_eq!(read, expected, "{text}");
        }
    }
}
