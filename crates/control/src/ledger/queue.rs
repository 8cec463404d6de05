//! Things of many tenants that wait to be written, taken out in groups of one tenant, tenants in turn.

use std::collections::{HashMap, VecDeque};

use model::TenantId;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

struct State<T> {
    by_tenant: HashMap<TenantId, VecDeque<T>>,
    /// Tenants that have something waiting, each once, in the order of their turn.
    turns: VecDeque<TenantId>,
    len: usize,
}

/// See the module.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    something: Notify,
    most: usize,
}

impl<T> Queue<T> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            state: Mutex::new(State { by_tenant: HashMap::new(), turns: VecDeque::new(), len: 0 }),
            something: Notify::new(),
            most,
        }
    }

    /// Adds one thing, unless `most` are waiting.
    pub(super) fn push(&self, tenant: TenantId, thing: T) -> Result<(), Full> {
        if self.len() >= self.most {
            return Err(Full);
        }
        self.push_beyond(tenant, thing);
        Ok(())
    }

    /// Adds one thing however many are waiting.
    pub(super) fn push_beyond(&self, tenant: TenantId, thing: T) {
        let State { by_tenant, turns, len } = &mut *self.state.lock();
        let waiting = by_tenant.entry(tenant).or_default();
        if waiting.is_empty() {
            turns.push_back(tenant);
        }
        waiting.push_back(thing);
        *len += 1;
        self.something.notify_one();
    }

    /// Takes up to `most` things of the tenant whose turn it is.
    pub(super) fn take(&self, most: usize) -> Option<(TenantId, Vec<T>)> {
        let State { by_tenant, turns, len } = &mut *self.state.lock();
        let tenant = turns.pop_front()?;
        let waiting = by_tenant.get_mut(&tenant)?;
        let group: Vec<T> = waiting.drain(..waiting.len().min(most)).collect();
        if waiting.is_empty() {
            by_tenant.remove(&tenant);
        } else {
            turns.push_back(tenant);
            self.something.notify_one();
        }
        *len -= group.len();
        Some((tenant, group))
    }

    /// Waits until there may be something to take.
    pub(super) async fn wait(&self) {
        self.something.notified().await;
    }

    pub(super) fn len(&self) -> usize {
        self.state.lock().len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_of_one_tenant_and_tenants_take_turns() {
        let (a, b) = (TenantId::from(uuid::Uuid::from_u128(1)), TenantId::from(uuid::Uuid::from_u128(2)));
        let queue = Queue::new(5);
        for n in 0..4 {
            queue.push(a, n).unwrap();
        }
        queue.push(b, 9).unwrap();
        assert_eq!(queue.push(b, 10), Err(Full));
        assert_eq!(queue.take(3), Some((a, vec![0, 1, 2])));
        assert_eq!(queue.take(3), Some((b, vec![9])));
        assert_eq!(queue.take(3), Some((a, vec![3])));
        assert_eq!(queue.take(3), None);
        assert_eq!(queue.len(), 0);
    }
}
