//! The wire: JSON-RPC envelopes with raw JSON inside, the two eras of the protocol, errors and structured denials.
//! Nothing here does I/O. `README.md` beside this file tells how a revision is found.

mod across;
mod capabilities;
mod envelope;
mod input;
mod listing;
mod loudness;
mod members;
mod mirror;
mod negotiate;
mod reply;
mod revision;
mod strict;
mod tool_error;

pub(crate) use across::{Asked, as_requests, input_required, input_responses};
pub(crate) use capabilities::{Capabilities, in_words};
pub(crate) use envelope::{
    Id, Implementation, Malformed, Message, Meta, Params, Reference, error_data, is_batch, object, present,
    read, read_batch, text_of,
};
pub(crate) use input::{Kind, Questions, check_responses, questions};
pub(crate) use listing::{after, page};
pub(crate) use loudness::Loudness;
pub(crate) use members::members;
pub(crate) use mirror::{
    annotations, check as check_mirrored_arguments, encoded, headers as mirrored_arguments,
};
pub(crate) use negotiate::{METHOD_HEADER, NAME_HEADER, VERSION_HEADER, from_header, mirrored, revision};
pub(crate) use reply::{
    Answer, ResultText, RpcError, as_event, asking, code, private, write, write_raw_error, write_string,
};
pub use revision::Revision;
pub use strict::{Flaw, check as check_strictly};
pub(crate) use tool_error::{failed, refused};
