//! Time and randomness as arguments. Nothing else in the project reads a clock or a generator.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::id::Id;

/// An instant in UTC.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Wall-clock time, for records and expiry.
    fn now(&self) -> Timestamp;

    /// Time since the machine was started, sleep included: for bounds that a paused process must not outlive.
    fn since_boot(&self) -> Duration;
}

/// Gives random bytes, fit for secrets outside tests.
pub trait Entropy: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// The clock and the randomness that a piece of work is given. Cheap to clone.
#[derive(Clone)]
pub struct Ambient {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Ambient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ambient").finish_non_exhaustive()
    }
}

impl Ambient {
    /// Joins a clock and a source of randomness.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Time since the machine was started, sleep included.
    pub fn since_boot(&self) -> Duration {
        self.clock.since_boot()
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// A new id that sorts by time (UUIDv7, RFC 9562 section 5.7).
    pub fn id<T: Id>(&self) -> T {
        self.id_at(self.now())
    }

    /// A new id as if made at `at`: for history that is imported.
    pub fn id_at<T: Id>(&self, at: Timestamp) -> T {
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
        let random = self.bytes::<10>();
        T::from(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// A random UUID (version 4), for what must not tell when it was made.
    pub fn random_uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes::<16>()).into_uuid()
    }
}
