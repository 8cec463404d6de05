//! Grants as a list: found by key or name, those that end soon, one of them alone.

use model::access::{GrantView, Grantee};
use model::words;

use super::GrantLine;
use super::pick::{Found, Kind};
use crate::authority::Deed;
use crate::{Actor, Control, Error, rows};

/// Rows on a page of the list.
pub const PAGE: i64 = 50;

words! {
    /// Which grants, by when they end.
    Ends {
        /// All of them.
        Any = "any",
        /// Those that end in the next seven days.
        Week = "7d",
        /// Those that end in the next thirty days.
        Month = "30d",
        /// Those that have ended.
        Over = "over",
        /// Those without an end.
        Never = "never",
    }
}

/// What is looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Part of a key or of a grantee's name; empty: any.
    pub text: String,
    /// Given to this kind.
    pub kind: Option<Kind>,
    /// Given to this one.
    pub grantee: Option<Grantee>,
    /// By when they end.
    pub ends: Ends,
    /// Which page, the first one being 0.
    pub page: u32,
}

/// A page of grants: by whom they are given to and then by key; of those that end, the next first.
pub async fn search(control: &Control, actor: &Actor, wanted: &Wanted) -> Result<Found<GrantLine>, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadGrants, "list of grants")?;
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let (after, until) = match wanted.ends {
        Ends::Any | Ends::Never => (None, None),
        Ends::Week => (Some(now), Some(now + chrono::TimeDelta::days(7))),
        Ends::Month => (Some(now), Some(now + chrono::TimeDelta::days(30))),
        Ends::Over => (None, Some(now)),
    };
    let only = wanted.grantee.map(super::Columns::from);
    let found = sqlx::query!(
        r#"SELECT g.id, g.permission_key, g.unit_id, g.role, g.user_id, g.agent_id, g.given_by, g.given_at, g.expires_at,
                  coalesce(n.name, u.name, a.name, g.role) AS "name!", count(*) OVER () AS "total!"
           FROM grants g
           LEFT JOIN units n ON n.tenant_id = g.tenant_id AND n.id = g.unit_id
           LEFT JOIN users u ON u.tenant_id = g.tenant_id AND u.id = g.user_id
           LEFT JOIN agents a ON a.tenant_id = g.tenant_id AND a.id = g.agent_id
           WHERE g.tenant_id = $1
             AND (strpos(g.permission_key, lower($2)) > 0
                  OR strpos(lower(coalesce(n.name, u.name, a.name, g.role)), lower($2)) > 0)
             AND CASE $3::text WHEN 'units' THEN g.unit_id IS NOT NULL WHEN 'roles' THEN g.role IS NOT NULL
                               WHEN 'people' THEN g.user_id IS NOT NULL WHEN 'agents' THEN g.agent_id IS NOT NULL
                               ELSE true END
             AND (NOT $4 OR (g.unit_id IS NOT DISTINCT FROM $5 AND g.role IS NOT DISTINCT FROM $6
                             AND g.user_id IS NOT DISTINCT FROM $7 AND g.agent_id IS NOT DISTINCT FROM $8))
             AND ($9::timestamptz IS NULL OR g.expires_at > $9)
             AND ($10::timestamptz IS NULL OR g.expires_at <= $10)
             AND (NOT $11 OR g.expires_at IS NULL)
           ORDER BY CASE WHEN $10::timestamptz IS NULL THEN NULL ELSE g.expires_at END,
                    lower(coalesce(n.name, u.name, a.name, g.role)), g.permission_key, g.id
           LIMIT $12 OFFSET $13"#,
        tenant,
        wanted.text,
        wanted.kind.map(Kind::word),
        only.is_some(),
        only.as_ref().and_then(|only| only.unit),
        only.as_ref().and_then(|only| only.role),
        only.as_ref().and_then(|only| only.user),
        only.as_ref().and_then(|only| only.agent),
        after,
        until,
        wanted.ends == Ends::Never,
        PAGE,
        i64::from(wanted.page) * PAGE,
    )
    .fetch_all(tx.conn())
    .await?;
    let total = found.first().map_or(0, |row| row.total);
    let rows = found
        .into_iter()
        .map(|row| {
            let grantee = rows::grantee(row.unit_id, row.role.as_deref(), row.user_id, row.agent_id)?;
            Ok(GrantLine {
                view: GrantView {
                    id: row.id.into(),
                    key: rows::word("grant", &row.permission_key)?,
                    grantee,
                    expires_at: row.expires_at,
                },
                // The bare name: a list says beside it of which kind it is.
                grantee_name: row.name,
                given_by: row.given_by,
                given_at: row.given_at,
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(Found { rows, total })
}
