//! Reading spend: sums below the mark, the ledger above it.

use std::collections::HashMap;

use chrono::{Datelike as _, Days, Months, NaiveDate, NaiveTime};
use uuid::Uuid;

use super::{
    Answer, Dimension, Filter, LONGEST, Named, Period, Question, Row, Sight, Subject, Sums, first_of_month,
};
use crate::tx::TenantTx;
use crate::{Error, rows};

/// Up to where the sums go; the least id where there are none.
pub(crate) async fn mark(tx: &mut TenantTx) -> Result<Uuid, Error> {
    let tenant = tx.tenant_uuid();
    let below = sqlx::query_scalar!("SELECT below FROM money_marks WHERE tenant_id = $1", tenant)
        .fetch_optional(tx.conn())
        .await?;
    Ok(below.unwrap_or(Uuid::nil()))
}

/// The kept sums of some periods: whole months and whole thirds of a month as such, the rest as days.
#[derive(Default)]
struct Kept {
    days: Vec<NaiveDate>,
    thirds: Vec<NaiveDate>,
    months: Vec<NaiveDate>,
}

impl Kept {
    fn add(&mut self, period: Period, by_day: bool) {
        let mut next = period.from;
        while next < period.until {
            let month = first_of_month(next).checked_add_months(Months::new(1)).unwrap_or(period.until);
            let third = match next.day() {
                1 | 11 => next.checked_add_days(Days::new(10)),
                21 => Some(month),
                _ => None,
            };
            let whole = |until: NaiveDate| !by_day && until <= period.until;
            let (grain, until) = match third {
                Some(_) if next.day() == 1 && whole(month) => (&mut self.months, month),
                Some(third) if whole(third) => (&mut self.thirds, third),
                _ => (&mut self.days, next.succ_opt().unwrap_or(period.until)),
            };
            grain.push(next);
            next = until;
        }
    }
}

/// A period that lasts beyond what is summed up, to the end of its month: there is nothing in what is added, and a month is
/// read in one.
fn stretched(period: Period, latest: Option<NaiveDate>) -> Period {
    if latest.is_none_or(|latest| latest >= period.until) {
        return period;
    }
    let until = first_of_month(period.last()).checked_add_months(Months::new(1)).unwrap_or(period.until);
    Period { until, ..period }
}

/// The least id of a day.
fn floor(day: NaiveDate) -> Uuid {
    rows::uuid_floor(day.and_time(NaiveTime::MIN).and_utc())
}

pub(super) async fn answer(
    tx: &mut TenantTx,
    sight: &Sight,
    question: &Question,
    mark: Uuid,
) -> Result<Answer, Error> {
    let tenant = tx.tenant_uuid();
    let dimension = |at: usize| question.by.get(at).copied();
    let (first, second) = (dimension(0), dimension(1));
    let by = |it: Dimension| question.by.contains(&it);
    let time = question.by.iter().copied().find(|it| matches!(it, Dimension::Day | Dimension::Month));
    let latest = sqlx::query_scalar!(
        "SELECT max(since) FROM money_totals WHERE tenant_id = $1 AND dimension = 'all' AND grain = 'day'",
        tenant
    )
    .fetch_one(tx.conn())
    .await?;
    let mut kept = Kept::default();
    kept.add(stretched(question.period, latest), by(Dimension::Day));
    if let Some(before) = question.before {
        kept.add(before, by(Dimension::Day));
    }
    let alone = alone(sight, question);
    let few = if alone.is_some() { None } else { few_lines(tx, sight, question).await? };
    let (from, until) = (floor(question.period.from), floor(question.period.until));
    // An empty range where nothing is compared.
    let (before_from, before_until) =
        question.before.map_or((from, from), |before| (floor(before.from), floor(before.until)));
    let filter = &question.filter;
    let rows = sqlx::query!(
        r#"WITH kept AS (
               SELECT l.agent_id, l.owner_id, l.on_behalf_of, l.unit_path, l.department_id,
                      l.unit_path[cardinality(l.unit_path)] AS team_id, coalesce(l.on_behalf_of, l.owner_id) AS user_id,
                      l.module_id, l.tool_id, l.currency, s.since, s.calls, s.permitted, s.denied, s.failed, s.amount
               FROM (
                   SELECT * FROM money_sums WHERE tenant_id = $1 AND grain = 'day' AND since = ANY ($2::date[])
                   UNION ALL
                   SELECT * FROM money_sums WHERE tenant_id = $1 AND grain = 'third' AND since = ANY ($3::date[])
                   UNION ALL
                   SELECT * FROM money_sums WHERE tenant_id = $1 AND grain = 'month' AND since = ANY ($4::date[])
               ) s
               JOIN money_lines l ON l.tenant_id = $1 AND l.id = s.line
               WHERE $31 = '' AND ($30::bigint[] IS NULL OR s.line = ANY ($30))
               UNION ALL
               SELECT CASE $31 WHEN 'agent' THEN x.id END, NULL, NULL, NULL, CASE $31 WHEN 'department' THEN x.id END,
                      CASE $31 WHEN 'team' THEN x.id END, CASE $31 WHEN 'user' THEN x.id END,
                      CASE $31 WHEN 'module' THEN x.id END, CASE $31 WHEN 'tool' THEN x.id END,
                      t.currency, t.since, t.calls, t.permitted, t.denied, t.failed, t.amount
               FROM money_totals t
               CROSS JOIN LATERAL (SELECT nullif(t.subject, '00000000-0000-0000-0000-000000000000') AS id) x
               WHERE t.tenant_id = $1 AND t.dimension = $31 AND t.currency = $15
                 AND (t.grain = 'day' AND t.since = ANY ($2::date[]) OR t.grain = 'third' AND t.since = ANY ($3::date[])
                      OR t.grain = 'month' AND t.since = ANY ($4::date[]))
           ), fresh AS (
               SELECT c.agent_id, c.owner_id, c.on_behalf_of, c.unit_path, c.module_id, c.tool_id,
                      coalesce(h.currency, CASE WHEN c.tool_id IS NULL THEN (SELECT t.currency FROM tenants t WHERE t.tenant_id = $1)
                                                ELSE c.currency END) AS currency, NOT (c.id >= $7 AND c.id < $8) AS before,
                      CASE $6 WHEN 'day' THEN date_trunc('day', uuid_time(c.id) AT TIME ZONE 'UTC')::date
                              WHEN 'month' THEN date_trunc('month', uuid_time(c.id) AT TIME ZONE 'UTC')::date END AS time,
                      count(*) AS calls, count(*) FILTER (WHERE c.verdict = 'permit') AS permitted,
                      count(*) FILTER (WHERE c.verdict = 'deny') AS denied,
                      count(*) FILTER (WHERE e.outcome <> 'succeeded') AS failed, coalesce(sum(h.amount), 0) AS amount
               FROM calls c
               LEFT JOIN settlements e ON e.tenant_id = c.tenant_id AND e.call_id = c.id AND e.call_id >= $11
               LEFT JOIN charges h ON h.tenant_id = c.tenant_id AND h.call_id = c.id AND h.call_id >= $11
               WHERE c.tenant_id = $1 AND c.id >= $11 AND (c.id >= $7 AND c.id < $8 OR c.id >= $9 AND c.id < $10)
               GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
           ), both_parts AS (
               SELECT k.agent_id, k.owner_id, k.on_behalf_of, k.unit_path, k.department_id, k.team_id, k.user_id, k.module_id,
                      k.tool_id, k.currency, k.since < $5 AS before,
                      CASE $6 WHEN 'day' THEN k.since WHEN 'month' THEN date_trunc('month', k.since::timestamp)::date END AS time,
                      k.calls, k.permitted, k.denied, k.failed, k.amount
               FROM kept k
               UNION ALL
               SELECT f.agent_id, f.owner_id, f.on_behalf_of, f.unit_path,
                      (SELECT u.id FROM unnest(f.unit_path) WITH ORDINALITY AS p (id, depth)
                       JOIN units u ON u.tenant_id = $1 AND u.id = p.id AND u.kind = 'department' ORDER BY p.depth LIMIT 1),
                      f.unit_path[cardinality(f.unit_path)], coalesce(f.on_behalf_of, f.owner_id), f.module_id, f.tool_id, f.currency,
                      f.before, f.time, f.calls, f.permitted, f.denied, f.failed, f.amount
               FROM fresh f
           ), keyed AS (
               SELECT CASE $12
                          WHEN 'department' THEN b.department_id
                          WHEN 'unit' THEN coalesce(b.unit_path[coalesce(array_position(b.unit_path, $14), 0) + 1], $14)
                          WHEN 'team' THEN b.team_id
                          WHEN 'user' THEN b.user_id
                          WHEN 'agent' THEN b.agent_id
                          WHEN 'module' THEN b.module_id
                          WHEN 'tool' THEN b.tool_id END AS one,
                      CASE $13
                          WHEN 'department' THEN b.department_id
                          WHEN 'unit' THEN coalesce(b.unit_path[coalesce(array_position(b.unit_path, $14), 0) + 1], $14)
                          WHEN 'team' THEN b.team_id
                          WHEN 'user' THEN b.user_id
                          WHEN 'agent' THEN b.agent_id
                          WHEN 'module' THEN b.module_id
                          WHEN 'tool' THEN b.tool_id END AS two,
                      b.time, b.before, b.calls, b.permitted, b.denied, b.failed, b.amount
               FROM both_parts b
               WHERE b.currency = $15
                 AND ($16 OR b.owner_id = $17 OR b.on_behalf_of = $17 OR b.unit_path && $18::uuid[])
                 AND ($14::uuid IS NULL OR b.unit_path @> ARRAY[$14])
                 AND ($19::uuid IS NULL OR b.team_id = $19)
                 AND ($20::uuid IS NULL OR b.department_id = $20)
                 AND ($21::uuid IS NULL OR b.user_id = $21)
                 AND ($22::uuid IS NULL OR b.agent_id = $22)
                 AND ($23::uuid IS NULL OR b.module_id = $23)
                 AND ($24::uuid IS NULL OR b.tool_id = $24)
           ), chosen AS (
               SELECT k.one, w.apart, CASE WHEN w.apart THEN k.two END AS two,
                      k.time, k.before, k.calls, k.permitted, k.denied, k.failed, k.amount
               FROM keyed k
               CROSS JOIN LATERAL (SELECT cardinality($26::uuid[]) = 0
                   OR coalesce(k.two, '00000000-0000-0000-0000-000000000000') = ANY ($26::uuid[])) AS w (apart)
               WHERE cardinality($25::uuid[]) = 0 OR coalesce(k.one, '00000000-0000-0000-0000-000000000000') = ANY ($25::uuid[])
           ), grouped AS (
               SELECT one, two, apart, time,
                      coalesce(sum(calls) FILTER (WHERE NOT before), 0) AS calls,
                      coalesce(sum(permitted) FILTER (WHERE NOT before), 0) AS permitted,
                      coalesce(sum(denied) FILTER (WHERE NOT before), 0) AS denied,
                      coalesce(sum(failed) FILTER (WHERE NOT before), 0) AS failed,
                      coalesce(sum(amount) FILTER (WHERE NOT before), 0) AS amount,
                      coalesce(sum(calls) FILTER (WHERE before), 0) AS calls_before,
                      coalesce(sum(permitted) FILTER (WHERE before), 0) AS permitted_before,
                      coalesce(sum(denied) FILTER (WHERE before), 0) AS denied_before,
                      coalesce(sum(failed) FILTER (WHERE before), 0) AS failed_before,
                      coalesce(sum(amount) FILTER (WHERE before), 0) AS amount_before
               FROM chosen
               GROUP BY 1, 2, 3, 4
           )
           SELECT one, two, apart AS "apart!", time, calls::bigint AS "calls!", permitted::bigint AS "permitted!",
                  denied::bigint AS "denied!", failed::bigint AS "failed!", amount AS "amount!",
                  calls_before::bigint AS "calls_before!", permitted_before::bigint AS "permitted_before!",
                  denied_before::bigint AS "denied_before!", failed_before::bigint AS "failed_before!",
                  amount_before AS "amount_before!", count(*) OVER () AS "count!",
                  (sum(calls) OVER ())::bigint AS "all_calls!", (sum(permitted) OVER ())::bigint AS "all_permitted!",
                  (sum(denied) OVER ())::bigint AS "all_denied!", (sum(failed) OVER ())::bigint AS "all_failed!",
                  sum(amount) OVER () AS "all_amount!", (sum(calls_before) OVER ())::bigint AS "all_calls_before!",
                  (sum(permitted_before) OVER ())::bigint AS "all_permitted_before!",
                  (sum(denied_before) OVER ())::bigint AS "all_denied_before!",
                  (sum(failed_before) OVER ())::bigint AS "all_failed_before!",
                  sum(amount_before) OVER () AS "all_amount_before!"
           FROM grouped
           ORDER BY CASE WHEN $27 = 'time' THEN time END,
                    CASE $27 WHEN 'amount' THEN amount WHEN 'change' THEN abs(amount - amount_before) END DESC NULLS LAST,
                    calls DESC, one, two, time
           OFFSET $28 LIMIT $29"#,
        tenant,
        &kept.days,
        &kept.thirds,
        &kept.months,
        question.period.from,
        time.map_or("", |time| time.word()),
        from,
        until,
        before_from,
        before_until,
        mark,
        first.map_or("", |it| it.word()),
        second.map_or("", |it| it.word()),
        filter.unit.map(|unit| unit.uuid()),
        question.currency.code(),
        sight.all,
        sight.person,
        &sight.units,
        filter.team.map(|unit| unit.uuid()),
        filter.department.map(|unit| unit.uuid()),
        filter.user.map(|user| user.uuid()),
        filter.agent.map(|agent| agent.uuid()),
        filter.module.map(|module| module.uuid()),
        filter.tool.map(|tool| tool.uuid()),
        &question.only,
        &question.beside,
        question.order.word(),
        i64::from(question.offset),
        i64::from(question.limit.clamp(1, LONGEST)),
        few.as_deref(),
        alone.unwrap_or(""),
    )
    .fetch_all(tx.conn())
    .await
    .map_err(rows::too_slow)?;

    let count = |number: i64| number.unsigned_abs();
    let mut answer = Answer::default();
    let mut told = Vec::with_capacity(rows.len());
    for row in rows {
        answer.count = count(row.count);
        answer.total = Sums {
            calls: count(row.all_calls),
            permitted: count(row.all_permitted),
            denied: count(row.all_denied),
            failed: count(row.all_failed),
            amount: row.all_amount.normalize(),
        };
        answer.total_before = Sums {
            calls: count(row.all_calls_before),
            permitted: count(row.all_permitted_before),
            denied: count(row.all_denied_before),
            failed: count(row.all_failed_before),
            amount: row.all_amount_before.normalize(),
        };
        let about = [(first, row.one, true), (second, row.two, row.apart)]
            .into_iter()
            .filter_map(|(dimension, id, apart)| Some((dimension?, id, apart)))
            .map(|(dimension, id, apart)| subject(dimension, id, row.time, apart))
            .collect::<Vec<_>>();
        let now = Sums {
            calls: count(row.calls),
            permitted: count(row.permitted),
            denied: count(row.denied),
            failed: count(row.failed),
            amount: row.amount.normalize(),
        };
        let before = Sums {
            calls: count(row.calls_before),
            permitted: count(row.permitted_before),
            denied: count(row.denied_before),
            failed: count(row.failed_before),
            amount: row.amount_before.normalize(),
        };
        told.push((about, now, before));
    }
    let mut names = Vec::new();
    for (at, dimension) in question.by.iter().enumerate() {
        let ids: Vec<Uuid> = told.iter().filter_map(|(about, ..)| about.get(at)?.uuid()).collect();
        names.push(self::names(tx, *dimension, &ids).await?);
    }
    answer.rows = told
        .into_iter()
        .map(|(about, now, before)| Row {
            about: about
                .into_iter()
                .enumerate()
                .map(|(at, subject)| {
                    let known = subject.uuid().and_then(|id| names.get(at)?.get(&id).cloned());
                    known.unwrap_or_else(|| unnamed(subject))
                })
                .collect(),
            now,
            before,
        })
        .collect();
    Ok(answer)
}

/// The one dimension that a question is about, in words of `money_totals`: all that is told apart or filtered by, but for
/// time. None: it is about more, or about what not everybody may see, and lines are read.
fn alone(sight: &Sight, question: &Question) -> Option<&'static str> {
    let filter = &question.filter;
    let filtered = [
        (Dimension::Unit, filter.unit.is_some()),
        (Dimension::Team, filter.team.is_some()),
        (Dimension::Department, filter.department.is_some()),
        (Dimension::User, filter.user.is_some()),
        (Dimension::Agent, filter.agent.is_some()),
        (Dimension::Module, filter.module.is_some()),
        (Dimension::Tool, filter.tool.is_some()),
    ];
    let filtered = filtered.into_iter().filter_map(|(dimension, is)| is.then_some(dimension));
    let told = question.by.iter().copied().filter(|it| !matches!(it, Dimension::Day | Dimension::Month));
    let mut about = filtered.chain(told);
    let first = about.next();
    let alone = sight.all && first != Some(Dimension::Unit) && about.all(|next| Some(next) == first);
    alone.then(|| first.map_or("all", |dimension| dimension.word()))
}

/// The lines of what little is asked about, so that only their sums are read: an agent's, a person's, those of the rows that
/// were picked. None: too many.
async fn few_lines(tx: &mut TenantTx, sight: &Sight, question: &Question) -> Result<Option<Vec<i64>>, Error> {
    const FEW: usize = 1_000;
    let Filter { team, user, agent, .. } = question.filter;
    if sight.all && team.is_none() && user.is_none() && agent.is_none() && question.only.is_empty() {
        return Ok(None);
    }
    let tenant = tx.tenant_uuid();
    let lines = sqlx::query_scalar!(
        "SELECT id FROM money_lines
         WHERE tenant_id = $1 AND ($2 OR owner_id = $3 OR on_behalf_of = $3 OR unit_path && $4::uuid[])
           AND ($5::uuid IS NULL OR unit_path[cardinality(unit_path)] = $5)
           AND ($6::uuid IS NULL OR coalesce(on_behalf_of, owner_id) = $6)
           AND ($7::uuid IS NULL OR agent_id = $7)
           AND (cardinality($9::uuid[]) = 0 OR $8 NOT IN ('department', 'team', 'user', 'agent', 'module', 'tool')
                OR coalesce(CASE $8 WHEN 'department' THEN department_id WHEN 'team' THEN unit_path[cardinality(unit_path)]
                                    WHEN 'user' THEN coalesce(on_behalf_of, owner_id) WHEN 'agent' THEN agent_id
                                    WHEN 'module' THEN module_id WHEN 'tool' THEN tool_id END,
                            '00000000-0000-0000-0000-000000000000') = ANY ($9::uuid[]))
         LIMIT $10",
        tenant,
        sight.all,
        sight.person,
        &sight.units,
        team.map(|unit| unit.uuid()),
        user.map(|user| user.uuid()),
        agent.map(|agent| agent.uuid()),
        question.by.first().map_or("", |dimension| dimension.word()),
        &question.only,
        i64::try_from(FEW).unwrap_or(0) + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok((lines.len() <= FEW).then_some(lines))
}

fn subject(dimension: Dimension, id: Option<Uuid>, time: Option<NaiveDate>, apart: bool) -> Subject {
    if matches!(dimension, Dimension::Day | Dimension::Month) {
        return time.map_or(Subject::None, Subject::Day);
    }
    match id {
        None if !apart => Subject::Others,
        None => Subject::None,
        Some(id) => of(dimension, id),
    }
}

fn of(dimension: Dimension, id: Uuid) -> Subject {
    match dimension {
        Dimension::Department | Dimension::Unit | Dimension::Team => Subject::Unit(id.into()),
        Dimension::User => Subject::User(id.into()),
        Dimension::Agent => Subject::Agent(id.into()),
        Dimension::Module => Subject::Module(id.into()),
        Dimension::Tool => Subject::Tool(id.into()),
        Dimension::Day | Dimension::Month => Subject::None,
    }
}

/// Nothing is ever deleted, so everything has a name; a page must not fail should something not have one.
fn unnamed(subject: Subject) -> Named {
    let name = if subject.uuid().is_some() { "(unknown)" } else { "" };
    Named { subject, name: name.to_owned(), key: None }
}

/// The present names of some of a dimension.
pub(super) async fn names(
    tx: &mut TenantTx,
    dimension: Dimension,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Named>, Error> {
    let tenant = tx.tenant_uuid();
    let mut out = HashMap::new();
    if ids.is_empty() {
        return Ok(out);
    }
    let mut put = |id: Uuid, name: String, key: Option<String>| {
        out.insert(id, Named { subject: of(dimension, id), name, key });
    };
    match dimension {
        Dimension::Department | Dimension::Unit | Dimension::Team => {
            let found = sqlx::query!(
                "SELECT id, name FROM units WHERE tenant_id = $1 AND id = ANY ($2)",
                tenant,
                ids
            )
            .fetch_all(tx.conn())
            .await?;
            found.into_iter().for_each(|row| put(row.id, row.name, None));
        }
        Dimension::User => {
            let found = sqlx::query!(
                "SELECT id, name FROM users WHERE tenant_id = $1 AND id = ANY ($2)",
                tenant,
                ids
            )
            .fetch_all(tx.conn())
            .await?;
            found.into_iter().for_each(|row| put(row.id, row.name, None));
        }
        Dimension::Agent => {
            let found = sqlx::query!(
                "SELECT id, name FROM agents WHERE tenant_id = $1 AND id = ANY ($2)",
                tenant,
                ids
            )
            .fetch_all(tx.conn())
            .await?;
            found.into_iter().for_each(|row| put(row.id, row.name, None));
        }
        Dimension::Module => {
            let found = sqlx::query!(
                "SELECT id, title, name FROM modules WHERE tenant_id = $1 AND id = ANY ($2)",
                tenant,
                ids
            )
            .fetch_all(tx.conn())
            .await?;
            found.into_iter().for_each(|row| put(row.id, row.title, Some(row.name)));
        }
        Dimension::Tool => {
            let found = sqlx::query!(
                r#"SELECT t.id, m.name || '.' || t.name AS "name!" FROM tools t
                   JOIN modules m ON m.tenant_id = t.tenant_id AND m.id = t.module_id
                   WHERE t.tenant_id = $1 AND t.id = ANY ($2)"#,
                tenant,
                ids
            )
            .fetch_all(tx.conn())
            .await?;
            found.into_iter().for_each(|row| put(row.id, row.name, None));
        }
        Dimension::Day | Dimension::Month => {}
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_months_are_read_as_months_and_every_day_once() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let add = |day: NaiveDate, days| day.checked_add_days(Days::new(days)).unwrap();
        for (from, last) in [
            ("2026-01-01", "2026-12-31"),
            ("2026-01-15", "2026-03-20"),
            ("2026-01-31", "2026-02-01"),
            ("2026-02-01", "2026-02-28"),
            ("2026-02-02", "2026-02-03"),
            ("2026-02-15", "2026-03-31"),
            ("2026-02-01", "2026-03-01"),
        ] {
            let period = Period::of(day(from), day(last)).unwrap();
            let mut kept = Kept::default();
            kept.add(period, false);
            let next = |first: NaiveDate| first.checked_add_months(Months::new(1)).unwrap();
            let mut days: Vec<NaiveDate> = kept.days.clone();
            for third in &kept.thirds {
                let until = if third.day() == 21 { next(first_of_month(*third)) } else { add(*third, 10) };
                days.extend(third.iter_days().take_while(|day| *day < until));
            }
            for month in &kept.months {
                days.extend(month.iter_days().take_while(|day| *day < next(*month)));
            }
            days.sort();
            assert!(
                days.iter().copied().eq(period.from.iter_days().take_while(|day| *day < period.until)),
                "{period:?}"
            );
            assert!(kept.days.len() <= 20, "{:?}", kept.days);
        }
    }

    #[test]
    fn a_month_that_goes_on_is_read_in_one() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let period = Period::month_to(day("2026-11-22"));
        let whole = Period::month_before(day("2026-12-22"));
        assert_eq!(stretched(period, Some(day("2026-11-22"))), whole);
        assert_eq!(stretched(period, Some(day("2026-11-23"))), period, "there is more in it");
        assert_eq!(stretched(period, None), period);
    }
}
