//! The wire: JSON-RPC envelopes with raw JSON inside, the two eras of the protocol, errors and structured denials.
//! Nothing here does I/O. `README.md` beside this file tells how a revision is found.

mod envelope;
mod listing;
mod mirror;
mod negotiate;
mod reply;
mod revision;
mod strict;
mod tool_error;

pub(crate) use envelope::{
    Id, Implementation, Malformed, Message, Meta, Params, Reference, is_batch, object, present, read,
    read_batch, text_of,
};
pub(crate) use listing::{after, page};
pub(crate) use mirror::check as check_mirrored_arguments;
pub(crate) use negotiate::{VERSION_HEADER, from_header, mirrored, revision};
pub(crate) use reply::{Answer, ResultText, RpcError, as_event, code, write, write_string};
pub use revision::Revision;
pub use strict::{Flaw, check as check_strictly};
pub(crate) use tool_error::{failed, refused};
