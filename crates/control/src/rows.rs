//! Reading rows: what the database's own constraints promise is checked once more where it becomes a value of
//! ours.

use model::access::Grantee;
use model::call::Digest;
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::Error;

/// Parses a word that the database's own CHECK constraints allow.
pub(crate) fn word<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, Error>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| Error::inconsistent(what, error))
}

/// How long a tool's server may take, from seconds.
pub(crate) fn timeouts(first_byte: Option<i32>, total: Option<i32>) -> model::catalog::Timeouts {
    let time = |seconds: Option<i32>| {
        seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(std::time::Duration::from_secs)
    };
    model::catalog::Timeouts { first_byte: time(first_byte), total: time(total) }
}

/// A SHA-256.
pub(crate) fn digest(what: &str, bytes: Vec<u8>) -> Result<Digest, Error> {
    Digest::try_from(bytes.as_slice()).map_err(|_| Error::inconsistent(what, "a SHA-256 has 32 bytes"))
}

/// An amount and its currency.
pub(crate) fn money(what: &str, amount: Decimal, currency: &str) -> Result<model::Money, Error> {
    Ok(model::Money { amount, currency: word(what, currency)? })
}

/// The four columns of a grantee, of which one is set.
pub(crate) fn grantee(
    unit: Option<Uuid>,
    role: Option<&str>,
    user: Option<Uuid>,
    agent: Option<Uuid>,
) -> Result<Grantee, Error> {
    match (unit, role, user, agent) {
        (Some(unit), None, None, None) => Ok(Grantee::Unit(unit.into())),
        (None, Some(role), None, None) => Ok(Grantee::Role(word("grant", role)?)),
        (None, None, Some(user), None) => Ok(Grantee::User(user.into())),
        (None, None, None, Some(agent)) => Ok(Grantee::Agent(agent.into())),
        _ => Err(Error::inconsistent("a grant", "it names none or several grantees")),
    }
}

/// A statement that was given up for its time as a sentence for whoever asked.
pub(crate) fn too_slow(error: sqlx::Error) -> Error {
    match error.as_database_error().and_then(|error| error.code()).as_deref() {
        Some("57014") => {
            Error::refused("too_slow", "there are too many calls to go through: give a shorter time")
        }
        _ => error.into(),
    }
}

/// The smallest UUIDv7 of an instant, as `uuid_floor` of migration 4 makes it: ids in a time are a range, so
/// that only its partitions are read.
pub(crate) fn uuid_floor(at: model::Timestamp) -> Uuid {
    let millis = u128::try_from(at.timestamp_millis()).unwrap_or(0);
    Uuid::from_u128(millis << 80 | 0x7000_8000_0000_0000_0000)
}

/// A time zone by its name. Names leave the IANA database now and then: one that is gone reads as UTC, and nobody loses
/// a page for it.
pub(crate) fn zone(name: &str) -> model::Zone {
    name.parse().unwrap_or(model::Zone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_of_an_instant_is_below_every_id_made_then_and_above_those_before() {
        let at: model::Timestamp = "2026-03-01T12:00:00.123Z".parse().unwrap();
        let id = |millis: i64, random: u8| {
            uuid::Builder::from_unix_timestamp_millis((at.timestamp_millis() + millis) as u64, &[random; 10])
                .into_uuid()
        };
        assert!(uuid_floor(at) <= id(0, 0) && uuid_floor(at) > id(-1, 255));
        assert_eq!(uuid_floor(at).get_version_num(), 7);
    }
}
