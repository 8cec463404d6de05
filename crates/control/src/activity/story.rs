//! One call from beginning to end.

use std::collections::HashMap;

use model::CallId;
use model::call::{CallStory, Content};
use uuid::Uuid;

use super::sight::Sight;
use super::store;
use crate::tx::TenantTx;
use crate::vault::{About, TenantKeys};
use crate::{Actor, Control, Error, rows};

/// Everything about a call that the actor may see; arguments and results only where content may be seen.
/// None: there is no such call, or not for this actor.
pub async fn story(control: &Control, actor: &Actor, call: CallId) -> Result<Option<CallStory>, Error> {
    let sight = Sight::of(actor)?;
    let keys = control.keys(actor.tenant()).await?;
    let mut tx = actor.read(control).await?;
    if !store::visible(&mut tx, &sight, call).await? {
        return Ok(None);
    }
    let Some(row) = store::rows(&mut tx, &[call.uuid()]).await?.pop() else { return Ok(None) };
    let tenant = tx.tenant_uuid();
    // What is refused before its tool is looked up has no module on record; its name says which it would be.
    let told = sqlx::query!(
        r#"SELECT c.recorded_at, c.epoch, c.policies, c.policy_version, c.owner_id, c.on_behalf_of, c.unit_path,
                  c.client_name, c.client_version, c.protocol, c.session, host(c.address) AS address,
                  c.arguments_digest, c.arguments_size,
                  ARRAY(SELECT coalesce(n.name, '(unknown)')
                        FROM unnest(c.unit_path) WITH ORDINALITY AS p (id, place)
                        LEFT JOIN units n ON n.tenant_id = c.tenant_id AND n.id = p.id ORDER BY p.place) AS "units!",
                  k.name AS "credential_name?", k.prefix AS "credential_prefix?", m.title AS "module_title?",
                  s.settled_at AS "settled_at?", s.upstream_us AS "upstream_us?", s.failure AS "failure?",
                  s.result_size AS "result_size?", x.outcome AS "amended?"
           FROM calls c
           LEFT JOIN credentials k ON k.tenant_id = c.tenant_id AND k.id = c.credential_id
           LEFT JOIN modules m ON m.tenant_id = c.tenant_id
                AND (m.id = c.module_id OR (c.module_id IS NULL AND starts_with(c.tool_name, m.name || '.')))
           LEFT JOIN settlements s ON s.tenant_id = c.tenant_id AND s.call_id = c.id AND s.call_id = $2
           LEFT JOIN settlement_amendments x ON x.tenant_id = c.tenant_id AND x.call_id = c.id AND x.call_id = $2
           WHERE c.tenant_id = $1 AND c.id = $2"#,
        tenant,
        call.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    let (arguments, result, exchange) =
        if sight.shows_content(told.owner_id, told.on_behalf_of, &told.unit_path) {
            let mut kept = contents(&mut tx, call.uuid()).await?;
            let result_size = told.result_size.unwrap_or(0).unsigned_abs();
            (
                open(
                    &keys,
                    About::Arguments(call.uuid()),
                    kept.remove("arguments"),
                    u64::from(told.arguments_size.unsigned_abs()),
                )?,
                open(&keys, About::Result(call.uuid()), kept.remove("result"), result_size)?,
                open(&keys, About::Exchange(call.uuid()), kept.remove("exchange"), 0)?,
            )
        } else {
            (Content::Withheld, Content::Withheld, Content::Withheld)
        };
    let client = told.client_name.map(|name| match told.client_version {
        Some(version) => format!("{name} {version}"),
        None => name,
    });
    Ok(Some(CallStory {
        row,
        recorded_at: told.recorded_at,
        settled_at: told.settled_at,
        upstream_us: told.upstream_us,
        unit_path: told.units,
        credential: told.credential_name.zip(told.credential_prefix),
        client,
        protocol: told.protocol,
        session: told.session,
        address: told.address,
        module_title: told.module_title,
        policies: told.policies,
        policy_version: hex::encode(told.policy_version),
        epoch: told.epoch,
        arguments_digest: hex::encode(told.arguments_digest),
        arguments,
        result,
        exchange,
        failure: told
            .failure
            .map(serde_json::from_value)
            .transpose()
            .map_err(|error| Error::inconsistent("the failure of a call", error))?,
        amended: told.amended.map(|outcome| rows::word("amendment", &outcome)).transpose()?,
    }))
}

/// The sealed contents of a call by kind.
async fn contents(tx: &mut TenantTx, call: Uuid) -> Result<HashMap<String, Vec<u8>>, Error> {
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        "SELECT kind, sealed FROM call_contents WHERE tenant_id = $1 AND call_id = $2",
        tenant,
        call
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.kind, row.sealed)).collect())
}

fn open(keys: &TenantKeys, about: About, sealed: Option<Vec<u8>>, size: u64) -> Result<Content, Error> {
    match sealed {
        Some(sealed) => {
            let plain = String::from_utf8(keys.open(about, &sealed)?)
                .map_err(|error| Error::inconsistent("the content of a call", error))?;
            Ok(if plain.is_empty() { Content::None } else { Content::Text(plain) })
        }
        None if size > 0 => Ok(Content::TooLarge(size)),
        None => Ok(Content::None),
    }
}
