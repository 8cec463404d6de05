//! Keeps the ledger's monthly partitions ahead of the calendar: without one, calls of a new month could not be admitted.

use crate::{Control, Error};

/// Makes the partitions of the past month to the month after next that are not there yet, and returns how many tables
/// that were. Harmless when several nodes do it at once.
pub async fn make(control: &Control) -> Result<u32, Error> {
    let made = sqlx::query_scalar!(
        r#"SELECT make_ledger_partitions(clock_timestamp() - interval '1 month',
                                         clock_timestamp() + interval '2 months') AS "made!""#
    )
    .fetch_one(control.pool())
    .await?;
    Ok(made.unsigned_abs())
}
