//! Requests that a server makes of us while it works on ours (2025-11-25, Client Features). We are no model, person or file
//! system: what the client of our call said that it can do is carried to it, and the rest is refused in the protocol's words.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::conduit::Conduit;
use crate::wire::{self, Answer, Capabilities, Message, ResultText, RpcError, code};

/// Largest question that is carried, in bytes.
const LARGEST: usize = 1 << 20;
/// What clients say when their person does not want it (2025-11-25, Sampling, Error Handling).
const REJECTED: i32 = -1;

/// What a client can be asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Elicitation,
    Sampling,
    Roots,
}

#[derive(Default, Deserialize)]
struct Params<'b> {
    #[serde(borrow, default, deserialize_with = "wire::present")]
    mode: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "wire::present")]
    tools: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "wire::present", rename = "toolChoice")]
    tool_choice: Option<&'b RawValue>,
}

/// The answer to a request of a server, as a message. None: it is no request.
pub(super) async fn answer(message: &Bytes, conduit: Option<&Conduit>) -> Option<Bytes> {
    let Ok(Message::Request { id, method, params }) = wire::read(message) else { return None };
    let mut out = Vec::new();
    let said = match &*method {
        "ping" => Ok(b"{}".to_vec()),
        method => match carried(method, params, conduit) {
            Err(error) => Err(*error),
            Ok((wish, conduit)) => match conduit.ask(method, params).await {
                Some(Ok(result)) => Ok(result.get().as_bytes().to_vec()),
                Some(Err(error)) => {
                    wire::write_raw_error(&mut out, id, &error);
                    return Some(out.into());
                }
                None => unanswered(wish),
            },
        },
    };
    let answer = match said {
        Ok(result) => Answer::result(ResultText::own(result)),
        Err(error) => Answer::error(error),
    };
    wire::write(&mut out, Some(id), &answer.said, false);
    Some(out.into())
}

/// Whether the client said that it can do this, in this way.
fn carried<'c>(
    method: &str,
    params: Option<&RawValue>,
    conduit: Option<&'c Conduit>,
) -> Result<(Wish, &'c Conduit), Box<RpcError>> {
    let no_method = || Box::new(RpcError::new(code::METHOD_NOT_FOUND, "this client offers no such method"));
    let wish = match method {
        "elicitation/create" => Wish::Elicitation,
        "sampling/createMessage" => Wish::Sampling,
        "roots/list" => Wish::Roots,
        _ => return Err(no_method()),
    };
    let conduit = conduit.ok_or_else(no_method)?;
    let can: Capabilities = conduit.capabilities();
    let offers = match wish {
        Wish::Elicitation => can.form || can.url,
        Wish::Sampling => can.sampling,
        Wish::Roots => can.roots,
    };
    if !offers {
        return Err(no_method());
    }
    let bad = |why: &'static str| Box::new(RpcError::new(code::INVALID_PARAMS, why));
    if params.is_some_and(|params| params.get().len() > LARGEST) {
        return Err(bad("the request is larger than 1 MiB"));
    }
    let read: Params<'_> = match params {
        None => Params::default(),
        Some(params) => wire::object(params).ok_or_else(|| bad("params must be an object"))?,
    };
    let fits = match wish {
        // Without a mode it is a form (2025-11-25, Elicitation).
        Wish::Elicitation => match read.mode.map(wire::text_of) {
            None => can.form,
            Some(mode) => match mode.as_deref() {
                Some("form") => can.form,
                Some("url") => can.url,
                _ => false,
            },
        },
        Wish::Sampling => can.tools || (read.tools.is_none() && read.tool_choice.is_none()),
        Wish::Roots => true,
    };
    if fits { Ok((wish, conduit)) } else { Err(bad("this client did not declare this mode of it")) }
}

/// What is said when the client is gone or takes too long.
fn unanswered(wish: Wish) -> Result<Vec<u8>, RpcError> {
    match wish {
        Wish::Elicitation => Ok(br#"{"action":"cancel"}"#.to_vec()),
        Wish::Sampling => Err(RpcError::new(REJECTED, "User rejected sampling request")),
        Wish::Roots => Err(RpcError::new(code::INTERNAL, "the client did not answer")),
    }
}
