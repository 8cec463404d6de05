//! Flushing settlements. The reply to the agent does not wait for this; what is queued is kept until it is durable.

use std::sync::Arc;
use std::time::Duration;

use model::call::Settlement;
use model::{Ambient, TenantId, Timestamp};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::Inner;
use crate::vault::{About, TenantKeys, Unsealable};

/// A settlement as the composite type `settling` of migrations 4 and 15.
#[derive(Clone, Debug, sqlx::Type)]
#[sqlx(type_name = "settling")]
pub(super) struct Settling {
    call_id: Uuid,
    settled_at: Timestamp,
    outcome: String,
    duration_us: i64,
    upstream_us: Option<i64>,
    failure: Option<String>,
    result_size: i64,
    result_digest: Option<Vec<u8>>,
    result: Option<Vec<u8>>,
    amount: Decimal,
    currency: String,
    rate_id: Option<Uuid>,
    exchange: Option<Vec<u8>>,
}

/// Nobody waits for a settlement, so it may lie this long for others to join it in one transaction.
const GATHER: Duration = Duration::from_millis(10);
/// Most settlements in one transaction.
const GROUP: usize = 1000;

impl Settling {
    /// A settlement as a row, its contents not sealed yet.
    pub(super) fn from_settlement(settlement: Settlement) -> Self {
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self {
            call_id: settlement.call.uuid(),
            settled_at: settlement.settled_at,
            outcome: settlement.outcome.word().to_owned(),
            duration_us: micros(settlement.duration),
            upstream_us: settlement.upstream_duration.map(micros),
            failure: settlement.failure.and_then(|failure| serde_json::to_string(&failure).ok()),
            result_size: i64::try_from(settlement.result_size).unwrap_or(i64::MAX),
            result_digest: settlement.result_digest.map(|digest| digest.to_vec()),
            result: settlement.result.map(|result| result.to_vec()),
            amount: settlement.charge.amount,
            currency: settlement.charge.currency.code().to_owned(),
            rate_id: settlement.rate.map(|rate| rate.uuid()),
            exchange: settlement.exchange.map(|exchange| exchange.to_vec()),
        }
    }

    /// The same with its contents sealed.
    pub(super) fn sealed(mut self, keys: &TenantKeys, ambient: &Ambient) -> Result<Self, Unsealable> {
        if let Some(result) = self.result.take() {
            self.result = Some(keys.seal(ambient, About::Result(self.call_id), &result)?);
        }
        if let Some(exchange) = self.exchange.take() {
            self.exchange = Some(keys.seal(ambient, About::Exchange(self.call_id), &exchange)?);
        }
        Ok(self)
    }
}

/// Queues a settlement. Its contents are sealed by whoever writes the group.
pub(super) fn enqueue(inner: &Arc<Inner>, settlement: Settlement) {
    let tenant = settlement.tenant;
    let mut row = Settling::from_settlement(settlement);
    if inner.settlements.len() >= inner.settings.unsettled {
        // The database has been away for long. How calls ended and what they cost stays; their contents go.
        row.result = None;
        row.exchange = None;
    }
    inner.settlements.push_beyond(tenant, row);
}

/// One settle connection, until the ledger closes and nothing is left.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut pause = GATHER;
    loop {
        match inner.settlements.take(GROUP) {
            Some((tenant, group)) => {
                if flush(&inner, tenant, group).await {
                    pause = GATHER;
                } else {
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
                if !inner.closing.is_cancelled() || pause > GATHER {
                    tokio::time::sleep(pause).await;
                }
                // A database that is gone when we stop: what is queued ends as interrupted, by the reconciler.
                if inner.closing.is_cancelled() && pause >= Duration::from_secs(5) {
                    tracing::error!(
                        unsettled = inner.settlements.len(),
                        "stopping without having settled these calls"
                    );
                    return;
                }
            }
            None if inner.closing.is_cancelled() => return,
            None => tokio::select! {
                () = inner.settlements.wait() => tokio::time::sleep(GATHER).await,
                () = inner.closing.cancelled() => {}
            },
        }
    }
}

/// Writes a group, halving it when something in it cannot be written. False: the rest was queued again.
async fn flush(inner: &Arc<Inner>, tenant: TenantId, mut group: Vec<Settling>) -> bool {
    // A repeated settlement of one call in one statement would collide with itself.
    let mut seen = std::collections::HashSet::new();
    group.retain(|row| seen.insert(row.call_id));
    let mut groups = vec![group];
    while let Some(mut group) = groups.pop() {
        match write(inner, tenant, &group).await {
            Ok(()) => inner.control.pulse().beat(tenant),
            Err(crate::Error::Database(sqlx::Error::Database(error)))
                if error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23")) =>
            {
                if group.len() > 1 {
                    let second = group.split_off(group.len() / 2);
                    groups.push(second);
                    groups.push(group);
                } else if let Some(mut row) = group.pop() {
                    tracing::error!(%tenant, call = %row.call_id, %error, "a settlement cannot be written as it is");
                    if row.result.take().is_some()
                        || row.exchange.take().is_some()
                        || row.failure.take().is_some()
                    {
                        groups.push(vec![row]);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%tenant, calls = group.len(), %error, "settlements wait for the database");
                for row in groups.drain(..).flatten().chain(group) {
                    inner.settlements.push_beyond(tenant, row);
                }
                return false;
            }
        }
    }
    true
}

async fn write(inner: &Inner, tenant: TenantId, group: &[Settling]) -> Result<(), crate::Error> {
    let keys = inner.control.keys(tenant).await?;
    let ambient = inner.control.ambient();
    let rows = group.iter().cloned().map(|row| row.sealed(&keys, ambient)).collect::<Result<Vec<_>, _>>()?;
    let node = **inner.node.load();
    sqlx::query!("SELECT settle($1, $2, $3)", tenant.uuid(), node.uuid(), rows as Vec<Settling>)
        .fetch_one(&inner.pool)
        .await?;
    Ok(())
}
