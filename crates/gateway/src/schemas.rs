//! The input schemas of tools that were called, each compiled at its first call and kept. What could take long is checked
//! aside, by few at a time, and nobody waits for it longer than [`PATIENCE`].

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arguments::InputSchema;
use bytes::Bytes;
use model::call::Digest;
use parking_lot::Mutex;
use policy::Tool;
use tokio::sync::Semaphore;

/// How many are kept; with more, all are forgotten and compiled again as they are needed.
const MANY: usize = 4096;
/// How long a check may take that is made aside.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many are made aside at a time.
const ASIDE: usize = 2;
/// Definitions up to this size, in bytes, are compiled at once.
const SMALL: usize = 16 << 10;
/// What takes no more comparisons is checked at once: a few milliseconds where it takes them all.
const CHEAP: usize = 1 << 20;

/// The schemas of tools that were called.
pub(crate) struct Schemas {
    /// By the hash of the definition that holds them.
    known: Mutex<HashMap<Digest, Slot>>,
    aside: Arc<Semaphore>,
}

/// None inside: there is nothing to check, or nothing to check by, which the tool's page tells.
type Slot = Arc<OnceLock<Option<InputSchema>>>;

/// Why arguments are not passed on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// They are not what the tool takes.
    Misfit(arguments::Misfit),
    /// It could not be found out in time.
    TooLong,
}

impl Default for Schemas {
    fn default() -> Self {
        Self { known: Mutex::default(), aside: Arc::new(Semaphore::new(ASIDE)) }
    }
}

impl Schemas {
    /// Whether `arguments`, the text of a JSON object, are what `tool` takes.
    pub(crate) async fn check(&self, tool: &Tool, arguments: &Bytes) -> Result<(), Unfit> {
        let slot = self.slot(tool.definition_hash);
        let known =
            if tool.listing.len() <= SMALL { Some(compiled(&slot, &tool.listing)) } else { slot.get() };
        match known {
            Some(None) => return Ok(()),
            Some(Some(schema)) if schema.cost(arguments.len()).is_some_and(|cost| cost <= CHEAP) => {
                return schema.check(arguments).map_err(Unfit::Misfit);
            }
            _ => {}
        }
        let (definition, arguments, aside) = (tool.listing.clone(), arguments.clone(), self.aside.clone());
        let checked = async move {
            // The semaphore is never closed; were it, nothing should pass.
            let place = aside.acquire_owned().await.map_err(|_| Unfit::TooLong)?;
            let checked = tokio::task::spawn_blocking(move || {
                // Held until it is done, even if nobody waits for it any more.
                let _place = place;
                match compiled(&slot, &definition) {
                    None => Ok(()),
                    Some(schema) => schema.check(&arguments).map_err(Unfit::Misfit),
                }
            });
            checked.await.unwrap_or(Err(Unfit::TooLong))
        };
        tokio::time::timeout(PATIENCE, checked).await.unwrap_or(Err(Unfit::TooLong))
    }

    fn slot(&self, definition: Digest) -> Slot {
        let mut known = self.known.lock();
        if known.len() >= MANY && !known.contains_key(&definition) {
            known.clear();
        }
        known.entry(definition).or_default().clone()
    }
}

fn compiled<'a>(slot: &'a OnceLock<Option<InputSchema>>, definition: &str) -> &'a Option<InputSchema> {
    slot.get_or_init(|| InputSchema::of(definition).ok().flatten())
}
