//! Tells this node's live pages that something was recorded. A hint: what was recorded is read from the database.

use std::collections::HashMap;
use std::sync::Arc;

use model::TenantId;
use parking_lot::Mutex;
use tokio::sync::watch;

/// One counter for each tenant that somebody watches.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    watched: Arc<Mutex<HashMap<TenantId, watch::Sender<u64>>>>,
}

impl Pulse {
    /// Something was recorded. Costs next to nothing where nobody watches.
    pub fn beat(&self, tenant: TenantId) {
        let mut watched = self.watched.lock();
        let Some(sender) = watched.get(&tenant) else { return };
        if sender.receiver_count() == 0 {
            watched.remove(&tenant);
        } else {
            sender.send_modify(|beats| *beats = beats.wrapping_add(1));
        }
    }

    /// Watches a tenant.
    pub fn watch(&self, tenant: TenantId) -> watch::Receiver<u64> {
        self.watched.lock().entry(tenant).or_insert_with(|| watch::channel(0).0).subscribe()
    }
}
