//! Calls of the past, written as the owner of the tables: what served calls cannot do (the ledger refuses ids of another
//! time). For demonstrations and for moving a tenant's record here from elsewhere.

use model::call::{Entry, Settlement};
use model::{NodeId, TenantId};
use sqlx::{Connection, PgConnection};

use super::flush::Admission;
use super::settle::Settling;
use crate::vault::About;
use crate::{Control, Error, money};

/// Most calls in one statement.
const GROUP: usize = 500;

/// A call of the past: as it was decided, and how it ended if it ran.
#[derive(Clone, Debug)]
pub struct PastCall {
    /// The call. Its id carries the time at which it was received.
    pub entry: Entry,
    /// How it ended; none for one that was refused.
    pub settlement: Option<Settlement>,
}

/// Writes calls of one tenant, all or nothing. Their content is sealed as that of calls that are served. `owner` is logged in as
/// the owner of the tables; the partitions must be there. Returns how many were not on record yet.
pub async fn import(
    control: &Control,
    owner: &mut PgConnection,
    tenant: TenantId,
    node: NodeId,
    past: Vec<PastCall>,
) -> Result<u64, Error> {
    let keys = control.keys(tenant).await?;
    let mut tx = owner.begin().await?;
    sqlx::query!("SELECT set_config('app.tenant_id', $1, true)", tenant.uuid().to_string())
        .fetch_one(&mut *tx)
        .await?;
    // These calls lie below what has been summed up.
    money::rollup::begin_anew(&mut tx, tenant.uuid()).await?;
    let mut written = 0;
    for group in past.chunks(GROUP) {
        let mut admissions = Vec::with_capacity(group.len());
        let mut settlings = Vec::with_capacity(group.len());
        let (mut hashes, mut states) = (Vec::new(), Vec::new());
        for PastCall { entry, settlement } in group.iter().cloned() {
            if entry.who.tenant != tenant {
                return Err(Error::inconsistent(format!("call {}", entry.id), "it is of another tenant"));
            }
            hashes.push(entry.who.state.to_vec());
            states.push(entry.who.state_json.as_ref().to_owned());
            let arguments =
                keys.seal(control.ambient(), About::Arguments(entry.id.uuid()), &entry.arguments)?;
            admissions.push(Admission::from_entry(entry, arguments));
            if let Some(settlement) = settlement {
                settlings.push(Settling::from_settlement(settlement).sealed(&keys, control.ambient())?);
            }
        }
        sqlx::query!(
            "INSERT INTO principal_states (tenant_id, hash, state)
             SELECT $1, s.hash, s.state FROM unnest($2::bytea[], $3::text[]) AS s (hash, state)
             ON CONFLICT DO NOTHING",
            tenant.uuid(),
            &hashes,
            &states,
        )
        .execute(&mut *tx)
        .await?;
        // The reply of a call that was served waited for its record; a few milliseconds is how long that takes.
        written += sqlx::query!(
            "INSERT INTO calls (
                 tenant_id, id, received_at, recorded_at, epoch, valid_until, verdict, reason, policies, policy_version,
                 credential_id, agent_id, owner_id, on_behalf_of, unit_path, principal_state,
                 tool_name, module_id, tool_id, tool_definition, rate_id, reserved, currency,
                 client_name, client_version, protocol, session, address, arguments_digest, arguments_size, node_id)
             SELECT
                 $1, c.id, c.received_at, c.received_at + interval '5 milliseconds', c.epoch, c.valid_until, c.verdict,
                 c.reason::jsonb, c.policies, c.policy_version, c.credential_id, c.agent_id, c.owner_id, c.on_behalf_of,
                 c.unit_path, c.principal_state, c.tool_name, c.module_id, c.tool_id, c.tool_definition, c.rate_id,
                 c.reserved, c.currency, c.client_name, c.client_version, c.protocol, c.session, c.address,
                 c.arguments_digest, c.arguments_size, $2
             FROM unnest($3::admission[]) AS c
             ON CONFLICT DO NOTHING",
            tenant.uuid(),
            node.uuid(),
            admissions.clone() as Vec<Admission>,
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        sqlx::query!(
            "INSERT INTO call_contents (tenant_id, call_id, kind, sealed)
             SELECT $1, c.id, 'arguments', c.arguments FROM unnest($2::admission[]) AS c
             ON CONFLICT DO NOTHING",
            tenant.uuid(),
            admissions as Vec<Admission>,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "WITH ended AS (SELECT * FROM unnest($3::settling[])), settled AS (
                 INSERT INTO settlements (
                     tenant_id, call_id, settled_at, outcome, duration_us, upstream_us, failure, result_size,
                     result_digest, node_id)
                 SELECT $1, s.call_id, s.settled_at, s.outcome, s.duration_us, s.upstream_us, s.failure::jsonb,
                        s.result_size, s.result_digest, $2
                 FROM ended s
                 ON CONFLICT DO NOTHING
                 RETURNING call_id
             ), charged AS (
                 INSERT INTO charges (tenant_id, call_id, amount, currency, rate_id)
                 SELECT $1, s.call_id, s.amount, s.currency, s.rate_id
                 FROM ended s JOIN settled USING (call_id)
             )
             INSERT INTO call_contents (tenant_id, call_id, kind, sealed)
             SELECT $1, s.call_id, 'result', s.result
             FROM ended s JOIN settled USING (call_id) WHERE s.result IS NOT NULL",
            tenant.uuid(),
            node.uuid(),
            settlings as Vec<Settling>,
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(written)
}
