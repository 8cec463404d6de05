//! The catalog: modules, their tools, permission keys, prices and what we present to them.

mod builtin;
pub mod connecting;
pub mod connections;
mod definition;
mod discovery;
pub mod drafts;
mod overview;
mod pages;
mod renewal;
mod revoking;
mod store;
mod suspicion;
pub mod tokens;
mod tools;
pub mod trial;

use model::access::{PermissionKey, is_key_word};
use model::catalog::{ModuleKind, ModuleStanding, ModuleView, ToolView};
use model::{ConnectionId, ModuleId, UserId};
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use crate::authority::{self, Deed};
use crate::tx::TenantTx;
use crate::vault::TenantKeys;
use crate::{Actor, Control, Error, given, users};

pub use builtin::{enable_native, renew_native};
pub use discovery::{Discovery, may_rediscover, recheck, rediscover};
pub use overview::{
    Asked, Health, MODULES_A_PAGE, ModuleRow, ModuleRows, Recent, Standings, TOOLS_A_PAGE, ToolRow, ToolRows,
    modules_page, tools_page,
};
pub use pages::{Holder, ModulePage, Price, ToolPage, Yours, module_page, people, tool_page};
pub use suspicion::{Suspect, Suspicion, suspicions};
pub use tools::{
    LONGEST_TIMEOUT, ToolDetail, approve_all, approve_some, approve_tool, find_tool, set_key, set_price,
    set_timeouts, tool, withdraw_tool,
};

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
    may_change(actor)?;
    let offered = discovery::Offered::read(definitions)?;
    let new = checked(new)?;
    let keys = match &new.authorization {
        Some(_) => Some(control.keys(actor.tenant()).await?),
        None => None,
    };
    let mut tx = actor.change(control, Deed::ChangeCatalog, "catalog that you may change").await?;
    let added = put(control, &mut tx, keys.as_deref(), new, offered).await?;
    tx.commit().await?;
    Ok(added)
}

/// To who may not change the catalog, nothing that is wrong with a change is told.
fn may_change(actor: &Actor) -> Result<(), Error> {
    if authority::may(actor, Deed::ChangeCatalog) {
        Ok(())
    } else {
        Err(Error::not_found("catalog that you may change"))
    }
}

/// A module as it will be written down, or what is wrong with it.
fn checked(new: NewModule) -> Result<NewModule, Error> {
    let (title, url) = (given::name("title", &new.title, 120)?, upstream_url(&new.url)?);
    if !is_key_word(&new.name) {
        return Err(Error::invalid(
            "name",
            "give a-z first, then a-z, 0-9, `_` or `-`, at most 40 characters",
        ));
    }
    // Where modules are added is at this name's address.
    if new.name == "new" {
        return Err(Error::invalid("name", "`new` is taken by this page: take another name"));
    }
    if crate::native::find(&new.name).is_some() {
        return Err(Error::refused("name_taken", format!("`{}` is the name of a built-in module", new.name)));
    }
    if let Some(authorization) = &new.authorization {
        connections::check(authorization)?;
        if url.starts_with("stdio:") {
            return Err(Error::invalid("authorization", "leave it out: a program is presented nothing"));
        }
    }
    Ok(NewModule { title, url, ..new })
}

/// Writes down a module that was checked, with its keys, what is presented to it and what it offers.
async fn put(
    control: &Control,
    tx: &mut TenantTx,
    keys: Option<&TenantKeys>,
    new: NewModule,
    offered: discovery::Offered,
) -> Result<Added, Error> {
    if let Some(owner) = new.owner {
        users::one(tx, owner).await?;
    }
    let module = ModuleView {
        id: tx.id(),
        name: new.name,
        title: new.title,
        kind: ModuleKind::Mcp,
        url: Some(new.url),
        owner: new.owner,
        standing: ModuleStanding::Live,
    };
    store::insert(tx, &module).await?;
    for (part, what) in [("", "use all of"), (":read", "read in"), (":write", "change things in")] {
        let (key, title) = (format!("{}{part}", module.name), format!("{what} {}", module.title));
        store::insert_key(tx, &key, module.id, &title).await?;
    }
    let detail = json!({ "url": module.url, "tools": offered.tools.len(), "authorization": new.authorization.is_some() });
    tx.audit("module.add", "module", module.id, &module.title, detail).await?;
    if let Some((authorization, keys)) = new.authorization.as_ref().zip(keys) {
        connections::insert(control, tx, keys, &module, authorization).await?;
    }
    let discovery = discovery::apply(tx, &module, offered).await?;
    store::note_asked(tx, module.id, None).await?;
    Ok(Added { module: module.id, discovery })
}

/// Changes what people call a module and who answers for it, whom denials name to ask.
pub async fn describe(
    control: &Control,
    actor: &Actor,
    module: ModuleId,
    title: &str,
    owner: Option<UserId>,
) -> Result<(), Error> {
    let title = given::name("title", title, 120)?;
    let mut tx = actor.change(control, Deed::ChangeCatalog, "module").await?;
    let was = one(&mut tx, module).await?;
    if let Some(owner) = owner {
        users::one(&mut tx, owner).await.map_err(|error| match error {
            Error::NotFound { .. } => Error::invalid("owner", "choose somebody of this organization"),
            other => other,
        })?;
    }
    if was.title == title && was.owner == owner {
        return Err(Error::refused("nothing_to_do", "title and owner are what they were"));
    }
    store::describe(&mut tx, module, &title, owner).await?;
    let detail = json!({ "title": title, "owner": owner, "was": { "title": was.title, "owner": was.owner } });
    tx.audit("module.describe", "module", module, &title, detail).await?;
    tx.commit().await
}

/// Remembers that a module's server was asked what it offers, and what stood in the way, if something did.
pub async fn note_asked(
    control: &Control,
    actor: &Actor,
    module: ModuleId,
    failure: Option<&str>,
) -> Result<(), Error> {
    let mut tx = actor.write(control).await?;
    tx.authorize(Deed::ChangeCatalog, "module")?;
    one(&mut tx, module).await?;
    store::note_asked(&mut tx, module, failure).await?;
    tx.commit().await
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
/// URLs are shown. Or by the name of a program, as `stdio:git`: which there are, the gateway knows.
fn upstream_url(text: &str) -> Result<String, Error> {
    let wrong = |sentence: &str| Error::invalid("url", sentence);
    if let Some(name) = text.trim().strip_prefix("stdio:") {
        let is_name = is_key_word(name);
        return if is_name {
            Ok(format!("stdio:{name}"))
        } else {
            Err(wrong("give a program's name, such as stdio:git"))
        };
    }
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
        assert_eq!(upstream_url(" stdio:git\n").unwrap(), "stdio:git");
        for bad in [
            "",
            "example.com/mcp",
            "ftp://x/",
            "stdio:",
            "stdio:/bin/sh",
            "stdio:sh -c id",
            "stdio:git;id",
            "STDIO:git",
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
