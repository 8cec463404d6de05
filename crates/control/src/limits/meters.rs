//! Drawing from meters. Whoever draws holds the meters' rows for as long as it takes to write them: nodes draw a few times a
//! second for all that wait and are to come, not once for each call.

use std::collections::HashMap;

use model::limit::Allowance;
use model::{AgentId, LimitId, TenantId, Zone};
use policy::meter::{Draw, Drawn, Meter};
use uuid::Uuid;

use crate::actor::Actor;
use crate::tx::TenantTx;
use crate::{Control, Error};

/// A draw from one meter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Of which limit.
    pub limit: LimitId,
    /// Whose, where each agent has it to itself.
    pub agent: Option<AgentId>,
    /// What the limit allows.
    pub allowance: Allowance,
    /// Where its days begin.
    pub zone: Zone,
    /// What is wanted and what is brought back.
    pub draw: Draw,
}

/// Why nothing was drawn.
#[derive(Debug, thiserror::Error)]
pub enum NotDrawn {
    /// No meter was changed.
    #[error(transparent)]
    NothingDone(#[from] Error),
    /// It broke off while it was made to last: it is not known whether meters were changed.
    #[error("it is not known whether the draw was written down: {0}")]
    InDoubt(#[source] Error),
}

/// Draws from meters of one tenant, all at one instant of the database's clock, and answers in their order. No meter is named
/// twice. What is given is written down before it is answered.
///
/// # Errors
/// [`NotDrawn`] says whether what was brought back may be used.
pub async fn draw(control: &Control, tenant: TenantId, wanted: &[Wanted]) -> Result<Vec<Drawn>, NotDrawn> {
    let mut tx = Actor::worker(tenant).write(control).await?;
    let drawn = draw_within(&mut tx, tenant.uuid(), wanted).await?;
    tx.commit().await.map_err(NotDrawn::InDoubt)?;
    Ok(drawn)
}

async fn draw_within(tx: &mut TenantTx, tenant: Uuid, wanted: &[Wanted]) -> Result<Vec<Drawn>, Error> {
    // Callers wait, and after a short while they are told that it cannot be found out: whoever holds a row for longer, for instance a
    // node that is cut off in the middle of a draw, must not hold up the draws of all others.
    sqlx::query!(
        "SELECT set_config('lock_timeout', '1500ms', true) AS locks,
                set_config('idle_in_transaction_session_timeout', '5s', true) AS idle"
    )
    .fetch_one(tx.conn())
    .await?;
    // What a rate has lost with the database's last moments it has back a moment later; a quota has not.
    if wanted.iter().all(|it| !it.allowance.per.is_quota()) {
        sqlx::query!("SELECT set_config('synchronous_commit', 'off', true)").fetch_one(tx.conn()).await?;
    }
    let keys = wanted.iter().map(key);
    let (limits, agents): (Vec<Uuid>, Vec<Uuid>) = keys.unzip();
    // Everybody takes the rows in the same order. The clock is read for each once it is held, so the last instant is later than
    // whatever was drawn before.
    let rows = sqlx::query!(
        r#"INSERT INTO meters AS m (tenant_id, limit_id, agent_id)
           SELECT $1, w.limit_id, w.agent_id FROM unnest($2::uuid[], $3::uuid[]) AS w (limit_id, agent_id) ORDER BY 2, 3
           ON CONFLICT (tenant_id, limit_id, agent_id) DO UPDATE SET taken = m.taken
           RETURNING limit_id, agent_id, arrival, since, taken, clock_timestamp() AS "now!""#,
        tenant,
        &limits,
        &agents,
    )
    .fetch_all(tx.conn())
    .await?;
    let now = rows.iter().map(|row| row.now).max().unwrap_or_else(|| tx.now());
    let mut meters: HashMap<(Uuid, Uuid), Meter> = rows
        .into_iter()
        .map(|row| {
            let meter = Meter { arrival: row.arrival, since: row.since, taken: row.taken };
            ((row.limit_id, row.agent_id), meter)
        })
        .collect();
    let mut drawn = Vec::with_capacity(wanted.len());
    for it in wanted {
        let meter = meters.get_mut(&key(it)).ok_or_else(|| Error::inconsistent("a meter", "it is gone"))?;
        drawn.push(meter.draw(it.allowance, it.zone, now, it.draw));
    }
    let (mut arrival, mut since, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for it in wanted {
        let meter = meters.get(&key(it)).copied().unwrap_or_default();
        arrival.push(meter.arrival);
        since.push(meter.since);
        taken.push(meter.taken);
    }
    sqlx::query!(
        "UPDATE meters m SET arrival = w.arrival, since = w.since, taken = w.taken
         FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[])
              AS w (limit_id, agent_id, arrival, since, taken)
         WHERE m.tenant_id = $1 AND m.limit_id = w.limit_id AND m.agent_id = w.agent_id",
        tenant,
        &limits,
        &agents,
        &arrival,
        &since,
        &taken,
    )
    .execute(tx.conn())
    .await?;
    Ok(drawn)
}

fn key(wanted: &Wanted) -> (Uuid, Uuid) {
    (wanted.limit.uuid(), wanted.agent.map_or(Uuid::nil(), |agent| agent.uuid()))
}
