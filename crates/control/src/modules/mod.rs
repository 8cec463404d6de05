//! The catalog: modules, their tools, permission keys, prices and what we present to them.

mod builtin;
pub mod connections;
mod definition;
mod discovery;
mod store;
mod tools;

use model::access::{PermissionKey, is_key_word};
use model::catalog::{ModuleKind, ModuleStanding, ModuleView, ToolView};
use model::{ConnectionId, ModuleId, UserId};
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, given, users};

pub use builtin::{enable_native, renew_native};
pub use discovery::{Discovery, rediscover};
pub use tools::{ToolDetail, approve_all, approve_tool, find_tool, set_price, tool, withdraw_tool};

/// An upstream MCP server to be added.
#[derive(Clone, Debug)]
pub struct NewModule {
    /// Its permission key and the first part of its tools' names: `a-z` first, then `a-z`, `0-9`, `_`, `-`;
    /// at most 40.
    pub name: String,
    /// What people call it: 1 to 120 characters.
    pub title: String,
    /// Where it is reached by streamable HTTP.
    pub url: String,
    /// Who answers for it: whom denials name to ask.
    pub owner: Option<UserId>,
    /// The value of the `Authorization` header that we present there.
    pub authorization: Option<SecretString>,
}

/// A module that was just added.
#[derive(Clone, Debug)]
pub struct Added {
    /// Its id.
    pub module: ModuleId,
    /// What became of the tools it offers.
    pub discovery: Discovery,
}

/// A module with what lists show beside.
#[derive(Clone, Debug)]
pub struct ModuleLine {
    /// The module.
    pub view: ModuleView,
    /// Name of the person who answers for it.
    pub owner_name: Option<String>,
    /// What we present there, if anything.
    pub connection: Option<ConnectionId>,
    /// Its permission keys with their titles.
    pub keys: Vec<(PermissionKey, String)>,
    /// Its tools by name, whatever their standing.
    pub tools: Vec<ToolView>,
}

/// Adds an upstream MCP server with the tools it offers, as the JSON text of MCP `Tool` objects. Nothing of
/// it can be called before somebody approves a tool and gives somebody a key: `name`, `name:read` or
/// `name:write`.
///
/// # Errors
/// `name_taken`; or what is wrong with name, title, URL or header.
pub async fn add_mcp(
    control: &Control,
    actor: &Actor,
    new: NewModule,
    definitions: Vec<String>,
) -> Result<Added, Error> {
    let offered = discovery::Offered::read(definitions)?;
    let (title, url) = (given::name("title", &new.title, 120)?, upstream_url(&new.url)?);
    if !is_key_word(&new.name) {
        return Err(Error::invalid(
            "name",
            "give a-z first, then a-z, 0-9, `_` or `-`, at most 40 characters",
        ));
    }
    if crate::native::find(&new.name).is_some() {
        return Err(Error::refused("name_taken", format!("`{}` is the name of a built-in module", new.name)));
    }
    let keys = match &new.authorization {
        Some(authorization) => {
            connections::check(authorization)?;
            Some(control.keys(actor.tenant()).await?)
        }
        None => None,
    };
    let mut tx = actor.change(control, Deed::ChangeCatalog, "catalog that you may change").await?;
    if let Some(owner) = new.owner {
        users::one(&mut tx, owner).await?;
    }
    let module = ModuleView {
        id: tx.id(),
        name: new.name,
        title,
        kind: ModuleKind::Mcp,
        url: Some(url),
        owner: new.owner,
        standing: ModuleStanding::Live,
    };
    store::insert(&mut tx, &module).await?;
    for (part, what) in [("", "use all of"), (":read", "read in"), (":write", "change things in")] {
        store::insert_key(
            &mut tx,
            &format!("{}{part}", module.name),
            module.id,
            &format!("{what} {}", module.title),
        )
        .await?;
    }
    let detail = json!({ "url": module.url, "tools": offered.tools.len(), "authorization": new.authorization.is_some() });
    tx.audit("module.add", "module", module.id, &module.title, detail).await?;
    if let Some((authorization, keys)) = new.authorization.as_ref().zip(keys) {
        connections::insert(control, &mut tx, &keys, &module, authorization).await?;
    }
    let discovery = discovery::apply(&mut tx, &module, offered).await?;
    tx.commit().await?;
    Ok(Added { module: module.id, discovery })
}

/// Lets a module take no calls until it is switched on again.
pub async fn switch_off(control: &Control, actor: &Actor, module: ModuleId) -> Result<(), Error> {
    stand(control, actor, module, ModuleStanding::Off).await
}

/// Lets a module take calls again.
pub async fn switch_on(control: &Control, actor: &Actor, module: ModuleId) -> Result<(), Error> {
    stand(control, actor, module, ModuleStanding::Live).await
}

async fn stand(
    control: &Control,
    actor: &Actor,
    id: ModuleId,
    standing: ModuleStanding,
) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "module").await?;
    let module = one(&mut tx, id).await?;
    if module.standing == standing {
        return Err(Error::refused(
            "nothing_to_do",
            format!("module “{}” is {standing} already", module.title),
        ));
    }
    store::set_standing(&mut tx, id, standing).await?;
    let action = if standing == ModuleStanding::Live { "module.switch_on" } else { "module.switch_off" };
    tx.audit(action, "module", id, &module.title, json!({})).await?;
    tx.commit().await
}

/// All modules with their tools, by name.
pub async fn list(control: &Control, actor: &Actor) -> Result<Vec<ModuleLine>, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadCatalog, "catalog")?;
    store::all(&mut tx).await
}

/// A module by its name, such as `drive`.
pub async fn find(control: &Control, actor: &Actor, name: &str) -> Result<ModuleLine, Error> {
    let name = name.trim();
    let lines = list(control, actor).await?;
    lines
        .into_iter()
        .find(|line| line.view.name == name)
        .ok_or_else(|| Error::not_found(format!("module `{name}`")))
}

/// One module of the tenant.
pub(crate) async fn one(tx: &mut TenantTx, module: ModuleId) -> Result<ModuleView, Error> {
    store::module(tx, module).await?.ok_or_else(|| Error::not_found("such module"))
}

/// Where an upstream is reached: http or https, a host, at most 2000 characters, and no secret in it, for
/// URLs are shown.
fn upstream_url(text: &str) -> Result<String, Error> {
    let wrong = |sentence: &str| Error::invalid("url", sentence);
    let url =
        Url::parse(text.trim()).map_err(|_| wrong("give an address such as https://mcp.example.com/mcp"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("give an http:// or https:// address with a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "leave name and password out of the address: give them as the Authorization header",
        ));
    }
    if url.fragment().is_some() {
        return Err(wrong("leave out the part after `#`"));
    }
    let text = String::from(url);
    if text.len() > 2000 { Err(wrong("give at most 2000 characters")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_an_http_address_without_secrets() {
        assert_eq!(upstream_url(" http://127.0.0.1:3001/mcp ").unwrap(), "http://127.0.0.1:3001/mcp");
        assert_eq!(upstream_url("HTTPS://Example.com").unwrap(), "https://example.com/");
        for bad in [
            "",
            "example.com/mcp",
            "ftp://x/",
            "file:///etc/passwd",
            "http://",
            "https://user@x/",
            "https://:pw@x/",
            "https://x/#y",
            &format!("https://x/{}", "y".repeat(2000)),
        ] {
            assert!(upstream_url(bad).is_err(), "{bad}");
        }
    }
}
