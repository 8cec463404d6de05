//! Requests that a server makes of us while it works on ours (2025-11-25, Client Features). We are no model, person or file
//! system: what the client of our call said that it can do is carried to it, and the rest is refused in the protocol's words.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::conduit::Conduit;
use crate::wire::{self, Capabilities, Message, ResultText, RpcError, code};

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

/// A request of a server.
pub(super) enum Theirs<'c> {
    /// We have answered it ourselves: this is the message to be told.
    Answered(Bytes),
    /// It is for the client.
    Question(Question<'c>),
}

/// A request that the client said that it can answer.
pub(super) struct Question<'c> {
    message: Bytes,
    wish: Wish,
    conduit: &'c Conduit,
}

/// Reads a message. None: it is no request.
pub(super) fn read<'c>(message: &Bytes, conduit: Option<&'c Conduit>) -> Option<Theirs<'c>> {
    let Ok(Message::Request { id, method, params }) = wire::read(message) else { return None };
    let answer = match &*method {
        "ping" => Ok(ResultText::own(Bytes::from_static(b"{}"))),
        method => match carried(method, params, conduit) {
            Err(error) => Err(error),
            Ok((wish, conduit)) => {
                return Some(Theirs::Question(Question { message: message.clone(), wish, conduit }));
            }
        },
    };
    Some(Theirs::Answered(written(id, &answer)))
}

impl Question<'_> {
    /// Asks the client. Returns the message to be told to the server.
    pub(super) async fn asked(self) -> Option<Bytes> {
        let Ok(Message::Request { id, method, params }) = wire::read(&self.message) else { return None };
        let answer = match self.conduit.ask(&method, params).await {
            Some(Ok(result)) => Ok(ResultText::own(Bytes::copy_from_slice(result.get().as_bytes()))),
            Some(Err(error)) => {
                let mut out = Vec::new();
                wire::write_raw_error(&mut out, id, &error);
                return Some(out.into());
            }
            None => unanswered(self.wish),
        };
        Some(written(id, &answer))
    }
}

fn written(id: wire::Id<'_>, said: &Result<ResultText, Box<RpcError>>) -> Bytes {
    let mut out = Vec::new();
    wire::write(&mut out, Some(id), said, false);
    out.into()
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
fn unanswered(wish: Wish) -> Result<ResultText, Box<RpcError>> {
    match wish {
        Wish::Elicitation => Ok(ResultText::own(Bytes::from_static(br#"{"action":"cancel"}"#))),
        Wish::Sampling => Err(Box::new(RpcError::new(REJECTED, "User rejected sampling request"))),
        Wish::Roots => Err(Box::new(RpcError::new(code::INTERNAL, "the client did not answer"))),
    }
}
