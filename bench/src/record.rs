//! What the product wrote down of the calls that were made. A throughput "with durable records" is worth nothing if the
//! records are not there, so they are counted.

use std::time::{Duration, Instant};

use serde::Serialize;
use sqlx::{Connection as _, PgConnection};

use crate::Failure;

/// Settlements trail behind the answers; after this they are missing.
const PATIENCE: Duration = Duration::from_secs(20);

const COUNT: &str = "
    SELECT count(*), count(s.call_id) FILTER (WHERE s.outcome = 'succeeded'), count(m.call_id), count(a.call_id), count(r.call_id)
    FROM calls c
    LEFT JOIN settlements s ON s.tenant_id = c.tenant_id AND s.call_id = c.id
    LEFT JOIN charges m ON m.tenant_id = c.tenant_id AND m.call_id = c.id
    LEFT JOIN call_contents a ON a.tenant_id = c.tenant_id AND a.call_id = c.id AND a.kind = 'arguments'
    LEFT JOIN call_contents r ON r.tenant_id = c.tenant_id AND r.call_id = c.id AND r.kind = 'result'
    WHERE c.tool_name = $1";

/// Rows of the benchmark's calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Record {
    /// Calls that were made, warm-up included.
    pub(crate) made: u64,
    /// Of them, written down.
    pub(crate) recorded: u64,
    /// Settled as succeeded.
    pub(crate) settled: u64,
    /// With a charge.
    pub(crate) charged: u64,
    /// With their arguments, encrypted.
    pub(crate) arguments: u64,
    /// With their result, encrypted.
    pub(crate) results: u64,
}

impl Record {
    /// Calls of which something is missing.
    pub(crate) fn missing(&self) -> u64 {
        let least =
            [self.recorded, self.settled, self.charged, self.arguments, self.results].into_iter().min();
        self.made.abs_diff(self.recorded).max(self.made.saturating_sub(least.unwrap_or(0)))
    }
}

/// Counts what is on record of calls of `tool`, until all that were `made` are settled or the patience is over.
pub(crate) fn count(database_url: &str, tool: &str, made: u64) -> Result<Record, Failure> {
    let wrong = |wrong: &dyn std::fmt::Display| Failure::of("counting the records", wrong);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|it| wrong(&it))?;
    runtime.block_on(async {
        let mut database = PgConnection::connect(database_url).await.map_err(|it| wrong(&it))?;
        let begin = Instant::now();
        loop {
            let row = sqlx::query_as::<_, (i64, i64, i64, i64, i64)>(COUNT).bind(tool);
            let (recorded, settled, charged, arguments, results) =
                row.fetch_one(&mut database).await.map_err(|it| wrong(&it))?;
            let number = |rows: i64| u64::try_from(rows).unwrap_or(0);
            let record = Record {
                made,
                recorded: number(recorded),
                settled: number(settled),
                charged: number(charged),
                arguments: number(arguments),
                results: number(results),
            };
            if record.missing() == 0 || begin.elapsed() > PATIENCE {
                return Ok(record);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_lacks_anything_is_missing() {
        let whole = Record { made: 9, recorded: 9, settled: 9, charged: 9, arguments: 9, results: 9 };
        assert_eq!(whole.missing(), 0);
        assert_eq!(Record { charged: 7, ..whole }.missing(), 2);
        assert_eq!(Record { recorded: 10, ..whole }.missing(), 1, "one too many");
    }
}
