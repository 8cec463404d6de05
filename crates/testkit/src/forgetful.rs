//! A ledger that forgets: for measuring the gateway alone. It exists in this crate only, so that nothing that serves
//! can be built with it.

use std::time::Duration;

use async_trait::async_trait;
use gateway::seams::Ledger;
use model::Ambient;
use model::call::{Entry, NotAdmitted, Receipt, Rejection, Settlement};

/// Admits everything at once and remembers nothing.
#[derive(Debug)]
pub struct ForgetfulLedger(pub Ambient);

#[async_trait]
impl Ledger for ForgetfulLedger {
    async fn admit(&self, entry: Entry) -> Result<Receipt, NotAdmitted> {
        Ok(Receipt {
            call: entry.id,
            arguments_digest: entry.arguments_digest,
            admitted_at: entry.received_at,
            send_before: self.0.since_boot() + Duration::from_secs(2),
        })
    }

    fn settle(&self, _: Settlement) {}

    fn reject(&self, _: Rejection) {}
}
