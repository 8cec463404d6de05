//! The last hour: how many calls, how many refused, what runs, which module is slowest.

use std::collections::HashMap;

use chrono::{DurationRound as _, TimeDelta};
use model::Timestamp;

use crate::activity::Sight;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, rows};

/// How far back it looks.
const SPAN: TimeDelta = TimeDelta::minutes(60);
/// Most calls that are looked at, the newest: where there are more in an hour, the time is shorter.
const MOST: i64 = 5_000;

/// The last hour of the calls that somebody may see, or less where more than 5,000 calls were made in it.
#[derive(Clone, PartialEq, Debug)]
pub struct Now {
    /// From when it is counted.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Calls.
    pub calls: u32,
    /// Of them, denied.
    pub denied: u32,
    /// Of them, held.
    pub held: u32,
    /// Of them, admitted and not ended.
    pub running: u32,
    /// Of them, ended otherwise than by an answer.
    pub failed: u32,
    /// Calls by minute, the oldest first, every minute from `since` to `until`.
    pub minutes: Vec<Minute>,
    /// Which module took longest to answer, at the median.
    pub slowest: Option<Slowest>,
}

/// A minute's calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Minute {
    /// When it began.
    pub at: Timestamp,
    /// Calls.
    pub calls: u32,
    /// Of them, denied.
    pub denied: u32,
}

/// A module and the time its upstream took, at the median.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slowest {
    /// The module's name.
    pub module: String,
    /// What people call it.
    pub title: String,
    /// Microseconds.
    pub median_us: i64,
    /// Of how many calls.
    pub calls: u32,
}

impl Now {
    /// Calls a minute over the time looked at.
    pub fn per_minute(&self) -> f64 {
        let minutes = self.until.signed_duration_since(self.since).as_seconds_f64() / 60.0;
        f64::from(self.calls) / minutes.max(1.0)
    }
}

/// What happens, of what the actor may see in Activity.
pub async fn now(control: &Control, actor: &Actor) -> Result<Now, Error> {
    let sight = Sight::of(actor)?;
    let mut tx = actor.read(control).await?;
    tx.bound_time().await?;
    let until = tx.now();
    let from = until - SPAN;
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        r#"WITH recent AS (
               SELECT c.id, c.received_at, c.verdict FROM calls c
               WHERE c.tenant_id = $1 AND c.id >= $2
                 AND ($3 OR c.owner_id = $4 OR c.on_behalf_of = $4 OR c.unit_path && $5::uuid[])
               ORDER BY c.id DESC LIMIT $6
           )
           SELECT date_trunc('minute', r.received_at) AS "minute!", min(r.received_at) AS "first!", count(*) AS "calls!",
                  count(*) FILTER (WHERE r.verdict = 'deny') AS "denied!",
                  count(*) FILTER (WHERE r.verdict = 'hold') AS "held!",
                  count(*) FILTER (WHERE r.verdict = 'permit' AND s.call_id IS NULL) AS "running!",
                  count(s.call_id) FILTER (WHERE s.outcome <> 'succeeded') AS "failed!"
           FROM recent r
           LEFT JOIN settlements s ON s.tenant_id = $1 AND s.call_id = r.id AND s.call_id >= $2
           GROUP BY 1 ORDER BY 1"#,
        tenant,
        rows::uuid_floor(from),
        sight.all,
        sight.person,
        &sight.units,
        MOST,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut told = Now {
        since: from,
        until,
        calls: 0,
        denied: 0,
        held: 0,
        running: 0,
        failed: 0,
        minutes: Vec::new(),
        slowest: None,
    };
    for row in &rows {
        told.calls += count(row.calls);
        told.denied += count(row.denied);
        told.held += count(row.held);
        told.running += count(row.running);
        told.failed += count(row.failed);
    }
    if i64::from(told.calls) >= MOST {
        told.since = rows.first().map_or(from, |row| row.first);
    }
    let known: HashMap<Timestamp, (u32, u32)> =
        rows.iter().map(|row| (row.minute, (count(row.calls), count(row.denied)))).collect();
    told.minutes = every_minute(told.since, until)
        .map(|at| {
            let (calls, denied) = known.get(&at).copied().unwrap_or_default();
            Minute { at, calls, denied }
        })
        .collect();
    told.slowest = modules(&mut tx, &sight, from)
        .await?
        .into_iter()
        .filter_map(|module| {
            let median_us = module.median_us?;
            Some(Slowest { module: module.name, title: module.title, median_us, calls: module.answered })
        })
        .max_by_key(|slowest| slowest.median_us);
    Ok(told)
}

/// How a module's calls of the last hour went.
pub(super) struct ModuleHour {
    pub(super) name: String,
    pub(super) title: String,
    /// Calls that have ended.
    pub(super) ended: u32,
    /// Of them, those that its upstream refused, broke off, or could not be reached for.
    pub(super) failed: u32,
    /// Since when: the first of the failures after the last answer.
    pub(super) failing_since: Option<Timestamp>,
    /// Calls whose upstream time is known.
    answered: u32,
    /// The median of it, in microseconds.
    median_us: Option<i64>,
}

/// The modules of the newest calls since `from`.
pub(super) async fn modules(
    tx: &mut TenantTx,
    sight: &Sight,
    from: Timestamp,
) -> Result<Vec<ModuleHour>, Error> {
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        r#"WITH recent AS (
               SELECT c.id, c.received_at, c.module_id FROM calls c
               WHERE c.tenant_id = $1 AND c.id >= $2 AND c.verdict = 'permit'
                 AND ($3 OR c.owner_id = $4 OR c.on_behalf_of = $4 OR c.unit_path && $5::uuid[])
               ORDER BY c.id DESC LIMIT $6
           ), ended AS (
               SELECT r.module_id, r.received_at, s.upstream_us,
                      s.outcome IN ('upstream_error', 'timed_out', 'not_sent') AS broke
               FROM recent r
               JOIN settlements s ON s.tenant_id = $1 AND s.call_id = r.id AND s.call_id >= $2
           ), summed AS (
               SELECT e.module_id, count(*) AS ended, count(*) FILTER (WHERE e.broke) AS failed,
                      max(e.received_at) FILTER (WHERE NOT e.broke) AS answered_at, count(e.upstream_us) AS answered,
                      percentile_disc(0.5) WITHIN GROUP (ORDER BY e.upstream_us) AS median_us
               FROM ended e GROUP BY e.module_id
           )
           SELECT m.name, m.title, s.ended AS "ended!", s.failed AS "failed!", s.answered AS "answered!", s.median_us,
                  (SELECT min(e.received_at) FROM ended e WHERE e.module_id = s.module_id AND e.broke
                     AND e.received_at > coalesce(s.answered_at, '-infinity')) AS failing_since
           FROM summed s JOIN modules m ON m.tenant_id = $1 AND m.id = s.module_id
           WHERE m.standing = 'live'
           ORDER BY lower(m.title), m.id"#,
        tenant,
        rows::uuid_floor(from),
        sight.all,
        sight.person,
        &sight.units,
        MOST,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ModuleHour {
            name: row.name,
            title: row.title,
            ended: count(row.ended),
            failed: count(row.failed),
            failing_since: row.failing_since,
            answered: count(row.answered),
            median_us: row.median_us,
        })
        .collect())
}

fn count(rows: i64) -> u32 {
    u32::try_from(rows).unwrap_or(0)
}

/// Each minute that has begun between two instants, and the one that the first lies in.
fn every_minute(from: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> {
    let first = from.duration_trunc(TimeDelta::minutes(1)).unwrap_or(from);
    let last = until.max(first);
    std::iter::successors(Some(first), |at| at.checked_add_signed(TimeDelta::minutes(1)))
        .take_while(move |at| *at <= last)
        .take(62)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_minute_is_there_also_those_without_a_call() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let minutes: Vec<_> = every_minute(at("2026-11-22T10:00:30Z"), at("2026-11-22T11:00:30Z")).collect();
        assert_eq!((minutes.len(), minutes[0]), (61, at("2026-11-22T10:00:00Z")));
        assert_eq!(minutes[60], at("2026-11-22T11:00:00Z"));
    }
}
