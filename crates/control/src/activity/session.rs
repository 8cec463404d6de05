//! All calls of one protocol session, in order.

use chrono::TimeDelta;
use model::call::CallRow;
use model::{AgentId, CallId, Currency, Money, Timestamp};

use super::{Filter, Page, Sight, list, store};
use crate::{Actor, Control, Error, rows};

/// Most calls of a session on one page.
pub const SESSION_PAGE: u16 = 100;

/// What is known of a whole session.
#[derive(Clone, PartialEq, Debug)]
pub struct SessionHead {
    /// Its id, as the protocol has it.
    pub session: String,
    /// The agents that called in it; one, unless a session id came from two.
    pub agents: Vec<(AgentId, String)>,
    /// The person on whose behalf, or who answers for the agent.
    pub person: String,
    /// The client as it named itself, with version.
    pub client: Option<String>,
    /// The protocol revision.
    pub protocol: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// When its first call came.
    pub first: Timestamp,
    /// When its last call came.
    pub last: Timestamp,
    /// Calls.
    pub calls: u64,
    /// Of them, denied.
    pub denied: u64,
    /// Of them, ended otherwise than by an answer.
    pub failed: u64,
    /// What they cost, by currency.
    pub charges: Vec<Money>,
}

/// A page of a session.
#[derive(Clone, PartialEq, Debug)]
pub struct Session {
    /// What is known of the whole.
    pub head: SessionHead,
    /// Calls, the oldest first.
    pub rows: Vec<CallRow>,
    /// Whether there are calls before these.
    pub earlier: bool,
    /// Whether there are calls after these.
    pub later: bool,
}

/// A session of which the actor may see at least one call, and its calls that the actor may see: from the beginning, or
/// after a call.
pub async fn session(
    control: &Control,
    actor: &Actor,
    session: &str,
    after: Option<CallId>,
) -> Result<Option<Session>, Error> {
    if session.is_empty() || session.len() > 400 || session.contains('\0') {
        return Ok(None);
    }
    let Some(head) = head(control, actor, session).await? else { return Ok(None) };
    // A second more than its ends: ids are to the millisecond, and only partitions in between are read.
    let filter = Filter {
        session: Some(session.to_owned()),
        from: Some(head.first - TimeDelta::seconds(1)),
        to: Some(head.last + TimeDelta::seconds(1)),
        ..Filter::default()
    };
    let page =
        Page::After(after.unwrap_or_else(|| rows::uuid_floor(head.first - TimeDelta::seconds(1)).into()));
    let listing = list(control, actor, &filter, page, SESSION_PAGE).await?;
    let mut rows = listing.rows;
    rows.reverse();
    Ok(Some(Session { head, rows, earlier: after.is_some() && listing.has_older, later: listing.has_newer }))
}

async fn head(control: &Control, actor: &Actor, session: &str) -> Result<Option<SessionHead>, Error> {
    let sight = Sight::of(actor)?;
    let mut tx = actor.read(control).await?;
    tx.bound_time().await?;
    let tenant = tx.tenant_uuid();
    let Some(told) = sqlx::query!(
        r#"SELECT count(*) AS "calls!", count(*) FILTER (WHERE c.verdict = 'deny') AS "denied!",
                  min(c.received_at) AS first, max(c.received_at) AS last,
                  (array_agg(c.client_name ORDER BY c.id))[1] AS client_name,
                  (array_agg(c.client_version ORDER BY c.id))[1] AS client_version,
                  (array_agg(c.protocol ORDER BY c.id))[1] AS protocol,
                  host((array_agg(c.address ORDER BY c.id))[1]) AS address,
                  (array_agg(coalesce(c.on_behalf_of, c.owner_id) ORDER BY c.id))[1] AS person,
                  array_agg(DISTINCT c.agent_id) AS "agents!"
           FROM calls c
           WHERE c.tenant_id = $1 AND c.session = $2
             AND ($3 OR c.owner_id = $4 OR c.on_behalf_of = $4 OR c.unit_path && $5::uuid[])
           HAVING count(*) > 0"#,
        tenant,
        session,
        sight.all,
        sight.person,
        &sight.units,
    )
    .fetch_optional(tx.conn())
    .await
    .map_err(rows::too_slow)?
    else {
        return Ok(None);
    };
    let (Some(first), Some(last)) = (told.first, told.last) else { return Ok(None) };
    let ended = sqlx::query!(
        r#"SELECT h.currency AS "currency?", sum(h.amount) AS amount, count(*) FILTER (WHERE s.outcome <> 'succeeded') AS "failed!"
           FROM calls c
           JOIN settlements s ON s.tenant_id = $1 AND s.call_id = c.id AND s.call_id >= $6
           LEFT JOIN charges h ON h.tenant_id = $1 AND h.call_id = c.id AND h.call_id >= $6
           WHERE c.tenant_id = $1 AND c.session = $2 AND c.id >= $6
             AND ($3 OR c.owner_id = $4 OR c.on_behalf_of = $4 OR c.unit_path && $5::uuid[])
           GROUP BY h.currency ORDER BY h.currency"#,
        tenant,
        session,
        sight.all,
        sight.person,
        &sight.units,
        rows::uuid_floor(first - TimeDelta::seconds(1)),
    )
    .fetch_all(tx.conn())
    .await
    .map_err(rows::too_slow)?;
    let agents = sqlx::query!(
        "SELECT id, name FROM agents WHERE tenant_id = $1 AND id = ANY ($2) ORDER BY lower(name), id LIMIT 10",
        tenant,
        &told.agents,
    )
    .fetch_all(tx.conn())
    .await?;
    let person =
        sqlx::query_scalar!("SELECT name FROM users WHERE tenant_id = $1 AND id = $2", tenant, told.person,)
            .fetch_optional(tx.conn())
            .await?;
    let mut charges = Vec::new();
    for row in &ended {
        if let (Some(currency), Some(amount)) = (&row.currency, row.amount) {
            let currency: Currency = rows::word("charge", currency)?;
            charges.push(Money { amount, currency });
        }
    }
    let count = |rows: i64| u64::try_from(rows).unwrap_or(0);
    Ok(Some(SessionHead {
        session: session.to_owned(),
        agents: agents.into_iter().map(|row| (row.id.into(), row.name)).collect(),
        person: store::name(person),
        client: told.client_name.map(|name| match told.client_version {
            Some(version) => format!("{name} {version}"),
            None => name,
        }),
        protocol: told.protocol,
        address: told.address,
        first,
        last,
        calls: count(told.calls),
        denied: count(told.denied),
        failed: count(ended.iter().map(|row| row.failed).sum()),
        charges,
    }))
}
