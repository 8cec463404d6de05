//! How often something may be done in a time: counted by all nodes together, under keys that tell nothing.

use std::net::IpAddr;
use std::time::Duration;

use chrono::TimeDelta;
use sha2::{Digest as _, Sha256};

use crate::{Control, Error};

/// The longest of all windows: counts that began before are of no more use.
const LONGEST: TimeDelta = TimeDelta::hours(1);

/// So often in so long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Limit {
    key: [u8; 32],
    /// How many times.
    pub(crate) most: i32,
    /// From the first one.
    window: TimeDelta,
}

/// It was done too often.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooMany {
    /// After this, it may be done again.
    pub(crate) retry_after: Duration,
}

impl TooMany {
    /// When that is, in words: `one minute`, `12 minutes`.
    fn wait(self) -> String {
        match self.retry_after.as_secs().div_ceil(60).max(1) {
            1 => "one minute".to_owned(),
            minutes => format!("{minutes} minutes"),
        }
    }
}

impl From<TooMany> for Error {
    fn from(too_many: TooMany) -> Self {
        Error::refused(
            "too_many",
            format!("that was tried too often: wait {}, then try again", too_many.wait()),
        )
    }
}

impl Limit {
    /// `what` and of whom, such as `["sign_up", "email", email]`; at most `LONGEST` long.
    pub(crate) fn new(parts: &[&str], most: i32, window: TimeDelta) -> Self {
        Self { key: Sha256::digest(parts.join("\n").as_bytes()).into(), most, window: window.min(LONGEST) }
    }

    /// Counts one more, and refuses when there were too many.
    pub(crate) async fn count(&self, control: &Control) -> Result<Result<(), TooMany>, Error> {
        let now = control.ambient().now();
        let row = sqlx::query!(
            "INSERT INTO throttles AS t (key, since, count) VALUES ($1, $2, 1)
             ON CONFLICT (key) DO UPDATE SET
                 since = CASE WHEN t.since <= $3 THEN excluded.since ELSE t.since END,
                 count = CASE WHEN t.since <= $3 THEN 1 ELSE least(t.count + 1, 1000000) END
             RETURNING since, count",
            self.key.as_slice(),
            now,
            now - self.window,
        )
        .fetch_one(control.pool())
        .await?;
        if row.count <= self.most {
            return Ok(Ok(()));
        }
        let retry_after = (row.since + self.window - now).to_std().unwrap_or_default();
        Ok(Err(TooMany { retry_after }))
    }

    /// Takes back one, or all.
    pub(crate) async fn forgive(&self, control: &Control, all: bool) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE throttles SET count = CASE WHEN $2 THEN 0 ELSE greatest(count - 1, 0) END WHERE key = $1",
            self.key.as_slice(),
            all
        )
        .execute(control.pool())
        .await?;
        Ok(())
    }
}

/// One customer of a network provider: an IPv4 address, or an IPv6 /64, all of which one machine can use.
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// Forgets counts whose time is over. Returns how many.
pub async fn delete_expired(control: &Control) -> Result<u64, Error> {
    let over = control.ambient().now() - LONGEST;
    Ok(sqlx::query!("DELETE FROM throttles WHERE since <= $1", over)
        .execute(control.pool())
        .await?
        .rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_customer_is_a_64_and_a_mapped_ipv4_is_that_ipv4() {
        assert_eq!(network("2001:db8:1:2:3::9".parse().unwrap()), "2001:db8:1:2::/64");
        assert_eq!(network("::ffff:192.0.2.7".parse().unwrap()), "192.0.2.7");
    }

    #[test]
    fn how_long_to_wait_is_said_in_minutes() {
        let wait = |seconds| TooMany { retry_after: Duration::from_secs(seconds) }.wait();
        assert_eq!(
            (wait(0), wait(60), wait(61)),
            ("one minute".into(), "one minute".into(), "2 minutes".into())
        );
    }
}
