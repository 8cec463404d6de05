//! Built-in modules in a tenant's catalog. What they offer comes with the program, so it is approved as it
//! is.

use std::collections::HashMap;

use model::catalog::{ModuleKind, ModuleStanding, ModuleView, ToolStanding};
use model::{ModuleId, UserId};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::definition::{self, Definition};
use super::store;
use crate::authority::Deed;
use crate::native::{self, Native};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, users};

#[derive(Deserialize)]
struct Listed<'a> {
    key: &'a str,
    #[serde(borrow)]
    tool: &'a RawValue,
}

/// Reads what a built-in module offers, with the key that each tool asks for.
fn offered(native: &Native) -> Result<Vec<(Definition, String)>, Error> {
    let wrong = |why: String| Error::inconsistent(format!("the definition of `{}`", native.name), why);
    let listed: Vec<Listed<'_>> =
        serde_json::from_str(native.tools).map_err(|error| wrong(error.to_string()))?;
    listed
        .into_iter()
        .map(|listed| Ok((definition::read(listed.tool.get()).map_err(wrong)?, listed.key.to_owned())))
        .collect()
}

/// Puts a built-in module such as `crm` into the catalog, with all its tools approved. Nobody may call them
/// before somebody is given a key.
///
/// # Errors
/// When there is none of this name; `nothing_to_do` when it is there already; `name_taken` by another module.
pub async fn enable_native(
    control: &Control,
    actor: &Actor,
    name: &str,
    owner: Option<UserId>,
) -> Result<ModuleId, Error> {
    let native = native::find(name).ok_or_else(|| Error::not_found(format!("built-in module `{name}`")))?;
    let offered = offered(native)?;
    let mut tx = actor.change(control, Deed::ChangeCatalog, "catalog that you may change").await?;
    if let Some(owner) = owner {
        users::one(&mut tx, owner).await?;
    }
    if let Some(there) = store::module_of_name(&mut tx, name).await? {
        let sentence = match there.kind {
            ModuleKind::Native => format!("“{}” is in the catalog already", there.title),
            ModuleKind::Mcp => format!("another module is called `{name}`"),
        };
        return Err(Error::refused("name_taken", sentence));
    }
    let module = ModuleView {
        id: tx.id(),
        name: native.name.to_owned(),
        title: native.title.to_owned(),
        kind: ModuleKind::Native,
        url: None,
        owner,
        standing: ModuleStanding::Live,
    };
    store::insert(&mut tx, &module).await?;
    for (key, title) in native.keys {
        store::insert_key(&mut tx, key, module.id, title).await?;
    }
    let by = tx.actor().name().to_owned();
    store::insert_tools(&mut tx, module.id, &offered, Some(&by)).await?;
    tx.audit("module.enable", "module", module.id, &module.title, json!({ "tools": offered.len() })).await?;
    tx.commit().await?;
    Ok(module.id)
}

/// Brings the built-in modules of every tenant to what this program offers, after it was replaced by a newer
/// one. Returns how many modules changed. Harmless to repeat, and when several nodes do it at once.
pub async fn renew_native(control: &Control) -> Result<u64, Error> {
    let tenants = sqlx::query_scalar!(r#"SELECT tenant_ids() AS "id!""#).fetch_all(control.pool()).await?;
    let mut renewed = 0;
    for tenant in tenants {
        let actor = Actor::worker(tenant.into());
        for native in native::MODULES {
            let offered = offered(native)?;
            let mut tx = actor.read(control).await?;
            let Some(module) = installed(&mut tx, native).await? else { continue };
            if differences(&mut tx, &module, &offered).await?.is_empty() {
                continue;
            }
            tx.commit().await?;
            let mut tx = actor.change(control, Deed::ChangeCatalog, native.name).await?;
            for (key, title) in native.keys {
                store::insert_key(&mut tx, key, module.id, title).await?;
            }
            let changes = differences(&mut tx, &module, &offered).await?;
            let names: Vec<_> = changes.iter().map(Difference::name).map(str::to_owned).collect();
            for change in changes {
                change.make(&mut tx, &module).await?;
            }
            tx.audit("module.renew", "module", module.id, &module.title, json!({ "tools": names })).await?;
            tx.commit().await?;
            renewed += 1;
        }
    }
    Ok(renewed)
}

async fn installed(tx: &mut TenantTx, native: &Native) -> Result<Option<ModuleView>, Error> {
    Ok(store::module_of_name(tx, native.name).await?.filter(|module| module.kind == ModuleKind::Native))
}

/// A tool in a tenant's catalog that is not what this program offers.
enum Difference {
    New(Definition, String),
    Changed(model::ToolId, Definition, String, ToolStanding),
    Gone(model::ToolId, String),
}

impl Difference {
    fn name(&self) -> &str {
        match self {
            Self::New(tool, _) | Self::Changed(_, tool, _, _) => &tool.name,
            Self::Gone(_, name) => name,
        }
    }

    async fn make(self, tx: &mut TenantTx, module: &ModuleView) -> Result<(), Error> {
        match self {
            Self::New(tool, key) => {
                let by = tx.actor().name().to_owned();
                store::insert_tools(tx, module.id, &[(tool, key)], Some(&by)).await
            }
            Self::Changed(id, tool, key, standing) => store::redefine(tx, id, &tool, &key, standing).await,
            Self::Gone(id, _) => store::withdraw(tx, id, None).await,
        }
    }
}

async fn differences(
    tx: &mut TenantTx,
    module: &ModuleView,
    offered: &[(Definition, String)],
) -> Result<Vec<Difference>, Error> {
    let mut new: HashMap<&str, &(Definition, String)> =
        offered.iter().map(|tool| (tool.0.name.as_str(), tool)).collect();
    let mut differences = Vec::new();
    for tool in store::shelf(tx, module.id).await? {
        match new.remove(tool.name.as_str()) {
            None if tool.standing == ToolStanding::Withdrawn => {}
            None => differences.push(Difference::Gone(tool.id, tool.name)),
            Some((definition, key)) => {
                // What somebody took out stays out.
                let standing = if tool.taken_out { ToolStanding::Withdrawn } else { ToolStanding::Approved };
                if tool.standing != standing || tool.hash != definition.hash {
                    differences.push(Difference::Changed(tool.id, definition.clone(), key.clone(), standing));
                }
            }
        }
    }
    differences.extend(new.into_values().map(|(tool, key)| Difference::New(tool.clone(), key.clone())));
    Ok(differences)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_module_offers_tools_under_keys_of_its_own() {
        for native in native::MODULES {
            let tools = offered(native).unwrap();
            assert!(!tools.is_empty());
            for (tool, key) in &tools {
                assert!(native.keys.iter().any(|(known, _)| known == key), "{} asks for {key}", tool.name);
                // What only reads asks for the key to read, and nothing else does.
                assert_eq!(tool.read_only, key.ends_with(":read"), "{}", tool.name);
            }
        }
    }
}
