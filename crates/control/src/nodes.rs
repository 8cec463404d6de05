//! Leases of the processes that serve calls.
//!
//! A node's id is made at each start, so it is its own incarnation. While its lease runs it answers for the calls it
//! admitted; `admit` refuses it without one. Once the lease has been over for [`GRACE`], whatever it had not settled is
//! settled as interrupted.

use std::time::Duration;

use chrono::TimeDelta;
use model::NodeId;

use crate::{Control, Error};

/// How long a lease runs. Renewed every third of it.
pub const LEASE: Duration = Duration::from_secs(15);
/// How long after its end a lease's calls are left alone: longer than a call may lie between admission and sending
/// ([`SEND_WITHIN`]) together with what two clocks may differ.
pub const GRACE: Duration = Duration::from_secs(10);
/// Sending must begin within this time of admission, else the call is not sent.
pub const SEND_WITHIN: Duration = Duration::from_secs(2);

/// Takes a lease for a new node.
pub async fn join(control: &Control, host: &str, version: &str) -> Result<NodeId, Error> {
    let node: NodeId = control.ambient().id();
    sqlx::query!(
        "INSERT INTO nodes (id, host, version, started_at, lease_until)
         VALUES ($1, $2, $3, clock_timestamp(), clock_timestamp() + $4::interval)",
        node.uuid(),
        host,
        version,
        interval(LEASE),
    )
    .execute(control.pool())
    .await?;
    Ok(node)
}

/// Extends a lease that still runs; `false`: it has run out, and the node must join anew under another id.
pub async fn renew(control: &Control, node: NodeId) -> Result<bool, Error> {
    let renewed = sqlx::query!(
        "UPDATE nodes SET lease_until = clock_timestamp() + $2::interval
         WHERE id = $1 AND lease_until > clock_timestamp()",
        node.uuid(),
        interval(LEASE),
    )
    .execute(control.pool())
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Ends a lease at once: the node has settled everything it had and stops.
pub async fn leave(control: &Control, node: NodeId) -> Result<(), Error> {
    sqlx::query!("UPDATE nodes SET lease_until = clock_timestamp() WHERE id = $1", node.uuid())
        .execute(control.pool())
        .await?;
    Ok(())
}

pub(crate) fn interval(duration: Duration) -> sqlx::postgres::types::PgInterval {
    sqlx::postgres::types::PgInterval {
        months: 0,
        days: 0,
        microseconds: TimeDelta::from_std(duration).ok().and_then(|d| d.num_microseconds()).unwrap_or(0),
    }
}
