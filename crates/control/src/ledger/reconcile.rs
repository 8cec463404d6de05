//! Settles what dead nodes left behind.

use model::NodeId;

use crate::nodes::{GRACE, interval};
use crate::{Control, Error};

/// At most this many calls in one transaction.
const GROUP: i32 = 500;

/// Settles as `interrupted` every call that was admitted by a node whose lease has been over for [`GRACE`], in all
/// tenants, and then forgets those nodes. Returns how many calls. Harmless when several nodes do it at once.
pub async fn interrupt_orphans(control: &Control, node: NodeId) -> Result<u64, Error> {
    let dead: Vec<uuid::Uuid> = sqlx::query_scalar!(
        "SELECT id FROM nodes WHERE lease_until < clock_timestamp() - $1::interval",
        interval(GRACE)
    )
    .fetch_all(control.pool())
    .await?;
    if dead.is_empty() {
        return Ok(0);
    }
    let mut interrupted = 0u64;
    let tenants = sqlx::query_scalar!(r#"SELECT tenant_ids() AS "id!""#).fetch_all(control.pool()).await?;
    for tenant in tenants {
        loop {
            let settled = sqlx::query_scalar!(
                r#"SELECT settle_interrupted($1, $2, $3::interval, $4) AS "settled!""#,
                tenant,
                node.uuid(),
                interval(GRACE),
                GROUP
            )
            .fetch_one(control.pool())
            .await?;
            interrupted += u64::from(settled.unsigned_abs());
            if settled < GROUP {
                break;
            }
        }
    }
    sqlx::query!("DELETE FROM nodes WHERE id = ANY($1)", &dead).execute(control.pool()).await?;
    if interrupted > 0 {
        tracing::warn!(
            calls = interrupted,
            nodes = dead.len(),
            "settled calls of nodes that are gone as interrupted"
        );
    }
    Ok(interrupted)
}
