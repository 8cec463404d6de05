//! Tools of modules: approved as they are, taken out, priced, given their time.

use std::time::Duration;

use model::call::Digest;
use model::catalog::{ModuleKind, ModuleView, Timeouts, ToolStanding, ToolView};
use model::{ModuleId, Money, RateId, Timestamp, ToolId};
use serde_json::json;

use super::{definition, discovery, one, store};
use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error};

/// A tool with everything that is decided about.
#[derive(Clone, Debug)]
pub struct ToolDetail {
    /// The tool.
    pub view: ToolView,
    /// The definition that is in force (or waits), the JSON text of an MCP `Tool` object.
    pub definition: String,
    /// What the upstream says now, while that is something else.
    pub seen_definition: Option<String>,
    /// Hash of what approving it now would approve. Hand it back to [`approve_tool`].
    pub offered: Digest,
    /// When it was approved last.
    pub approved_at: Option<Timestamp>,
    /// By whom.
    pub approved_by: Option<String>,
    /// Who took it out, if somebody did.
    pub withdrawn_by: Option<String>,
    /// Who chose its key, if somebody did.
    pub key_chosen_by: Option<String>,
    /// When it was first offered.
    pub discovered_at: Timestamp,
    /// Since when its server offers something else than what was approved, while that is so.
    pub drifted_at: Option<Timestamp>,
    /// How long its server may take, where that is set for it.
    pub timeouts: Timeouts,
}

/// The longest that a tool's server can be given, in seconds. The gateway's own limit for a request as a whole may be less.
pub const LONGEST_TIMEOUT: u64 = 3600;

/// Everything about one tool.
pub async fn tool(control: &Control, actor: &Actor, tool: ToolId) -> Result<ToolDetail, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadCatalog, "tool")?;
    detail(&mut tx, tool).await
}

/// A tool by its full name, such as `crm.list_companies`.
pub async fn find_tool(control: &Control, actor: &Actor, full_name: &str) -> Result<ToolView, Error> {
    let (module, name) = full_name
        .trim()
        .split_once('.')
        .ok_or_else(|| Error::invalid("tool", "give the full name, such as `crm.list_companies`"))?;
    let module = super::find(control, actor, module).await?;
    module
        .tools
        .into_iter()
        .find(|tool| tool.name == name)
        .ok_or_else(|| Error::not_found(format!("tool `{}`", full_name.trim())))
}

/// Approves a tool as the upstream offers it now: from then on, whoever has its key may call it. `reviewed`
/// is the hash that the person saw ([`ToolDetail::offered`]); should the upstream have changed the tool
/// since, it is not approved.
///
/// # Errors
/// `nothing_to_do`; `not_offered`; `changed_since`.
pub async fn approve_tool(
    control: &Control,
    actor: &Actor,
    tool: ToolId,
    reviewed: Option<Digest>,
) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "tool").await?;
    let detail = detail(&mut tx, tool).await?;
    let module = one(&mut tx, detail.view.module).await?;
    let name = format!("{}.{}", module.name, detail.view.name);
    if reviewed.is_some_and(|hash| hash != detail.offered) {
        return Err(Error::refused(
            "changed_since",
            format!("`{name}` has changed since you looked at it: look again"),
        ));
    }
    match detail.view.standing {
        ToolStanding::Approved => {
            return Err(Error::refused("nothing_to_do", format!("`{name}` is approved as it is")));
        }
        ToolStanding::Withdrawn if detail.withdrawn_by.is_none() => {
            return Err(Error::refused("not_offered", format!("{} no longer offers `{name}`", module.title)));
        }
        ToolStanding::Proposed | ToolStanding::Drifted | ToolStanding::Withdrawn => {}
    }
    approve(&mut tx, &module, &detail).await?;
    tx.commit().await
}

/// Approves several tools of a module at once, each as it was seen: by the hash that its reader saw. One that has changed
/// since, or is approved, is left as it is. Returns how many were approved, and how many were not.
pub async fn approve_some(
    control: &Control,
    actor: &Actor,
    module: ModuleId,
    reviewed: &[(ToolId, Digest)],
) -> Result<(u64, u64), Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "module").await?;
    let module = one(&mut tx, module).await?;
    let (mut approved, mut left) = (0, 0);
    for (tool, hash) in reviewed {
        let detail = detail(&mut tx, *tool).await?;
        let waits = matches!(detail.view.standing, ToolStanding::Proposed | ToolStanding::Drifted);
        if detail.view.module != module.id || !waits || detail.offered != *hash {
            left += 1;
            continue;
        }
        approve(&mut tx, &module, &detail).await?;
        approved += 1;
    }
    tx.commit().await?;
    Ok((approved, left))
}

/// Lets a tool ask for its module's key to write, or to read, whatever it says of itself. Who had it by the other key
/// alone may no longer call it.
///
/// # Errors
/// `built_in`: a built-in module says itself which keys its tools ask for. `nothing_to_do`.
pub async fn set_key(control: &Control, actor: &Actor, tool: ToolId, writes: bool) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "tool").await?;
    let detail = detail(&mut tx, tool).await?;
    let module = one(&mut tx, detail.view.module).await?;
    let name = format!("{}.{}", module.name, detail.view.name);
    if module.kind == ModuleKind::Native {
        let sentence = format!("{} is built in and says itself which keys its tools ask for", module.title);
        return Err(Error::refused("built_in", sentence));
    }
    let key = discovery::part(&module.name, writes);
    if detail.view.key.as_str() == key {
        return Err(Error::refused("nothing_to_do", format!("`{name}` asks for `{key}` already")));
    }
    let by = tx.actor().name().to_owned();
    store::choose_key(&mut tx, tool, &key, &by).await?;
    tx.audit("tool.set_key", "tool", tool, &name, json!({ "key": key, "was": detail.view.key })).await?;
    tx.commit().await
}

/// Approves every proposed and drifted tool of a module as offered now. Returns how many; what was taken out
/// stays out.
pub async fn approve_all(control: &Control, actor: &Actor, module: ModuleId) -> Result<u64, Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "module").await?;
    let module = one(&mut tx, module).await?;
    let mut approved = 0;
    for tool in store::shelf(&mut tx, module.id).await? {
        if matches!(tool.standing, ToolStanding::Proposed | ToolStanding::Drifted) {
            let detail = detail(&mut tx, tool.id).await?;
            approve(&mut tx, &module, &detail).await?;
            approved += 1;
        }
    }
    tx.commit().await?;
    Ok(approved)
}

pub(super) async fn approve(
    tx: &mut TenantTx,
    module: &ModuleView,
    detail: &ToolDetail,
) -> Result<(), Error> {
    let text = detail.seen_definition.as_ref().unwrap_or(&detail.definition);
    let definition = definition::read(text).map_err(|why| Error::inconsistent("a tool's definition", why))?;
    // A built-in module says itself which key each tool asks for; what somebody chose stays.
    let key = match module.kind {
        ModuleKind::Mcp if detail.key_chosen_by.is_none() => discovery::key(&module.name, &definition),
        ModuleKind::Mcp | ModuleKind::Native => detail.view.key.to_string(),
    };
    let was = detail.view.standing;
    store::redefine(tx, detail.view.id, &definition, &key, ToolStanding::Approved).await?;
    store::mark_approved(tx, detail.view.id).await?;
    let name = format!("{}.{}", module.name, detail.view.name);
    let detail_json = json!({ "definition": hex::encode(definition.hash), "key": key, "was": was });
    tx.audit("tool.approve", "tool", detail.view.id, &name, detail_json).await
}

/// Takes a tool out: nobody may call it, until somebody approves it again.
///
/// # Errors
/// `nothing_to_do` when it is withdrawn already.
pub async fn withdraw_tool(control: &Control, actor: &Actor, tool: ToolId) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "tool").await?;
    let detail = detail(&mut tx, tool).await?;
    let module = one(&mut tx, detail.view.module).await?;
    let name = format!("{}.{}", module.name, detail.view.name);
    if detail.view.standing == ToolStanding::Withdrawn && detail.withdrawn_by.is_some() {
        return Err(Error::refused("nothing_to_do", format!("`{name}` is withdrawn already")));
    }
    let by = tx.actor().name().to_owned();
    store::withdraw(&mut tx, tool, Some(&by)).await?;
    tx.audit("tool.withdraw", "tool", tool, &name, json!({ "was": detail.view.standing })).await?;
    tx.commit().await
}

/// Sets what a call of a tool costs from now on, in the organization's currency. Calls made before keep their
/// price.
pub async fn set_price(
    control: &Control,
    actor: &Actor,
    tool: ToolId,
    price: Money,
) -> Result<RateId, Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "tool").await?;
    let detail = detail(&mut tx, tool).await?;
    let module = one(&mut tx, detail.view.module).await?;
    let rate = self::price(&mut tx, &module, &detail, price).await?;
    tx.commit().await?;
    Ok(rate)
}

/// Sets how long a tool's server may take from the next call on, in whole seconds; without a time, as long as everywhere.
///
/// # Errors
/// `nothing_to_do`; a time that is not from 1 to [`LONGEST_TIMEOUT`] seconds, or an answer that would have to end before it began;
/// a time for the beginning of a built-in tool's answer, which has none.
pub async fn set_timeouts(
    control: &Control,
    actor: &Actor,
    tool: ToolId,
    timeouts: Timeouts,
) -> Result<(), Error> {
    for (field, time) in [("first_byte", timeouts.first_byte), ("total", timeouts.total)] {
        let fits =
            |time: Duration| (1..=LONGEST_TIMEOUT).contains(&time.as_secs()) && time.subsec_nanos() == 0;
        if !time.is_none_or(fits) {
            let sentence = format!("give whole seconds from 1 to {LONGEST_TIMEOUT}");
            return Err(Error::invalid(field, sentence));
        }
    }
    if let Timeouts { first_byte: Some(first_byte), total: Some(total) } = timeouts
        && first_byte > total
    {
        return Err(Error::invalid("first_byte", "give no more than for the whole answer"));
    }
    let mut tx = actor.change(control, Deed::ChangeCatalog, "tool").await?;
    let detail = detail(&mut tx, tool).await?;
    let module = one(&mut tx, detail.view.module).await?;
    if module.kind == ModuleKind::Native && timeouts.first_byte.is_some() {
        let sentence = "what is built in has no answer that begins before it ends: give a time for the whole";
        return Err(Error::invalid("first_byte", sentence));
    }
    let name = format!("{}.{}", module.name, detail.view.name);
    if detail.timeouts == timeouts {
        return Err(Error::refused("nothing_to_do", format!("`{name}` has these times already")));
    }
    store::set_timeouts(&mut tx, tool, timeouts).await?;
    let said = |timeouts: Timeouts| {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs());
        json!({ "first_byte_s": seconds(timeouts.first_byte), "total_s": seconds(timeouts.total) })
    };
    let detail = json!({ "is": said(timeouts), "was": said(detail.timeouts) });
    tx.audit("tool.set_timeouts", "tool", tool, &name, detail).await?;
    tx.commit().await
}

pub(super) async fn price(
    tx: &mut TenantTx,
    module: &ModuleView,
    detail: &ToolDetail,
    price: Money,
) -> Result<RateId, Error> {
    let currency = detail.view.price.currency;
    if price.currency != currency {
        return Err(Error::invalid("price", format!("prices here are in {currency}")));
    }
    let amount = price.amount.normalize();
    if amount.is_sign_negative() && !amount.is_zero()
        || amount.scale() > 10
        || amount.trunc() >= 10_000_000_000u64.into()
    {
        return Err(Error::invalid(
            "price",
            "give an amount from 0 up, below 10 billion, with at most 10 decimals",
        ));
    }
    let rate = store::insert_rate(tx, detail.view.id, Money { amount, currency }).await?;
    let name = format!("{}.{}", module.name, detail.view.name);
    let said = json!({ "price": Money { amount, currency }, "was": detail.view.price });
    tx.audit("tool.set_price", "tool", detail.view.id, &name, said).await?;
    Ok(rate)
}

pub(super) async fn detail(tx: &mut TenantTx, tool: ToolId) -> Result<ToolDetail, Error> {
    store::tool(tx, tool).await?.ok_or_else(|| Error::not_found("such tool"))
}
