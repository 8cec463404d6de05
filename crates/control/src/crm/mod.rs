//! The native CRM: companies, contacts, deals and interactions, so that the product is useful with nothing
//! else.
//!
//! What the tools promise to agents is in `definitions.json`. Whether an agent may use one was decided
//! before; here it reaches the rows of its own tenant and no others.

mod answer;
mod arguments;
mod companies;
mod contacts;
mod deals;
mod interactions;

use std::sync::Arc;

use model::call::Attribution;

use crate::native::Native;
use crate::{Actor, Control, Error};
use answer::Fault;
use arguments::Arguments;

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

/// Runs a tool. Answers the JSON text of an MCP `CallToolResult` and whether it says `isError`.
///
/// # Errors
/// When there is no such tool, or the database fails.
pub async fn call(
    control: &Control,
    who: Arc<Attribution>,
    tool: &str,
    arguments: &[u8],
) -> Result<(Vec<u8>, bool), Error> {
    match run(control, who, tool, arguments).await {
        Ok(structured) => Ok((answer::result(&structured), false)),
        Err(Fault::Sentence(sentence)) => Ok((answer::error(&sentence), true)),
        Err(Fault::Broken(error)) => Err(error),
    }
}

async fn run(
    control: &Control,
    who: Arc<Attribution>,
    tool: &str,
    arguments: &[u8],
) -> Result<serde_json::Value, Fault> {
    let mut given = Arguments::read(arguments)?;
    let mut tx = Actor::agent(who).write(control).await?;
    tx.bound_time().await?;
    let structured = match tool {
        "list_companies" => companies::list(&mut tx, &mut given).await?,
        "get_company" => companies::get(&mut tx, &mut given).await?,
        "create_company" => companies::create(&mut tx, &mut given).await?,
        "update_company" => companies::update(&mut tx, &mut given).await?,
        "delete_company" => companies::delete(&mut tx, &mut given).await?,
        "list_contacts" => contacts::list(&mut tx, &mut given).await?,
        "get_contact" => contacts::get(&mut tx, &mut given).await?,
        "create_contact" => contacts::create(&mut tx, &mut given).await?,
        "update_contact" => contacts::update(&mut tx, &mut given).await?,
        "delete_contact" => contacts::delete(&mut tx, &mut given).await?,
        "list_deals" => deals::list(&mut tx, &mut given).await?,
        "get_deal" => deals::get(&mut tx, &mut given).await?,
        "create_deal" => deals::create(&mut tx, &mut given).await?,
        "update_deal" => deals::update(&mut tx, &mut given).await?,
        "delete_deal" => deals::delete(&mut tx, &mut given).await?,
        "log_interaction" => interactions::log(&mut tx, &mut given).await?,
        "list_interactions" => interactions::list(&mut tx, &mut given).await?,
        "delete_interaction" => interactions::delete(&mut tx, &mut given).await?,
        _ => return Err(Error::not_found(format!("tool `{tool}` in the CRM")).into()),
    };
    tx.commit().await?;
    Ok(structured)
}
