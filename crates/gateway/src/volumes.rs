//! How loud sessions want servers to be (2025-11-25, Logging, Setting Log Level). Kept by this node alone, and forgotten with it:
//! then a session is told nothing until it asks again.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::wire::Loudness;

/// Sessions that are remembered, at most; beyond, those of which nothing was heard for longest are forgotten.
const MOST: usize = 10_000;

/// By the id that a client says its session has.
#[derive(Debug, Default)]
pub(crate) struct Volumes(Mutex<HashMap<Arc<str>, (Loudness, Instant)>>);

impl Volumes {
    /// A session wants to be told so much from now on.
    pub(crate) fn set(&self, session: &str, loudness: Loudness) {
        let mut known = self.0.lock();
        if known.len() >= MOST && !known.contains_key(session) {
            let mut heard: Vec<Instant> = known.values().map(|(_, heard)| *heard).collect();
            let (_, middle, _) = heard.select_nth_unstable(MOST / 2);
            let middle = *middle;
            known.retain(|_, (_, heard)| *heard > middle);
        }
        known.insert(session.into(), (loudness, Instant::now()));
    }

    /// How much a session wants to be told.
    pub(crate) fn of(&self, session: &str) -> Option<Loudness> {
        let mut known = self.0.lock();
        let (loudness, heard) = known.get_mut(session)?;
        *heard = Instant::now();
        Some(*loudness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_not_heard_of_for_longest_is_forgotten() {
        let volumes = Volumes::default();
        volumes.set("first", Loudness::Error);
        for n in 0..MOST {
            volumes.set(&n.to_string(), Loudness::Info);
            volumes.of("0");
        }
        assert_eq!(volumes.of("first"), None);
        assert_eq!((volumes.of("0"), volumes.of("9999")), (Some(Loudness::Info), Some(Loudness::Info)));
        assert!(volumes.0.lock().len() <= MOST / 2 + 1);
    }
}
