//! The native CRM: companies, contacts, deals and interactions, so that the product is useful with nothing
//! else.
//!
//! Agents come through tools (`definitions.json` is what those promise), where policy has decided before; people come
//! through the verbs here, which ask what they hold. Both work on the same records (`record.rs`): named fields that are read
//! from text. Whoever it is reaches the rows of their own tenant and no others.

mod access;
mod answer;
mod arguments;
mod companies;
mod contacts;
mod deals;
mod interactions;
mod people;
mod record;
mod refer;
pub mod sheets;
mod store;
mod tools;

use std::sync::Arc;

use model::CallId;
use model::call::Attribution;

use crate::native::Native;
use crate::{Actor, Control, Error};
use answer::Fault;
use arguments::Arguments;

pub(crate) use access::sight_of;
pub use access::{InCatalog, Sight, sight};
pub use people::{Around, BESIDE, Listing, consequence, create, delete, find, list, names, totals, update};
pub use record::{Consequence, Filter, Given, Key, Record, Sort};

/// What the CRM offers.
pub const MODULE: Native = Native {
    name: "crm",
    title: "CRM",
    keys: &[
        ("crm", "use all of the CRM"),
        ("crm:read", "read in the CRM"),
        ("crm:write", "add and change things in the CRM"),
        ("crm:delete", "delete things in the CRM"),
    ],
    tools: include_str!("definitions.json"),
};

/// Runs a tool in a call that was admitted. Answers the JSON text of an MCP `CallToolResult` and whether it says
/// `isError`.
///
/// # Errors
/// When there is no such tool, or the database fails.
pub async fn call(
    control: &Control,
    who: Arc<Attribution>,
    call: CallId,
    tool: &str,
    arguments: &[u8],
) -> Result<(Vec<u8>, bool), Error> {
    match run(control, who, call, tool, arguments).await {
        Ok(structured) => Ok((answer::result(&structured), false)),
        Err(Fault::Sentence(sentence)) => Ok((answer::error(&sentence), true)),
        Err(Fault::Broken(error)) => Err(error),
    }
}

async fn run(
    control: &Control,
    who: Arc<Attribution>,
    call: CallId,
    tool: &str,
    arguments: &[u8],
) -> Result<serde_json::Value, Fault> {
    let mut given = Arguments::read(arguments)?;
    let mut tx = Actor::agent(who).write(control).await?;
    tx.bound_time().await?;
    let structured = tools::run(&mut tx, call, tool, &mut given).await?;
    tx.commit().await?;
    Ok(structured)
}
