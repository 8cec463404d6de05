//! Requests that never became calls. Anybody can cause them, so like ones are merged and their number is bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use model::call::Rejection;
use model::{CredentialId, TenantId};
use parking_lot::Mutex;

use super::Inner;
use crate::actor::Actor;

/// How long like rejections are gathered into one row.
const GATHER: Duration = Duration::from_secs(1);
/// Most different ones kept for one second; beyond, only the count in the log.
const MOST: usize = 1000;

#[derive(PartialEq, Eq, Hash)]
struct Alike {
    tenant: TenantId,
    code: &'static str,
    credential: Option<CredentialId>,
    address: Option<IpAddr>,
}

/// Those of the present second.
#[derive(Default)]
pub(super) struct Rejections {
    gathered: Mutex<HashMap<Alike, (Rejection, i32)>>,
}

impl Rejections {
    pub(super) fn note(&self, rejection: Rejection) {
        let alike = Alike {
            tenant: rejection.tenant,
            code: rejection.code,
            credential: rejection.credential,
            address: rejection.address,
        };
        let mut gathered = self.gathered.lock();
        if let Some((_, count)) = gathered.get_mut(&alike) {
            *count = count.saturating_add(1);
        } else if gathered.len() < MOST {
            gathered.insert(alike, (rejection, 1));
        } else {
            drop(gathered);
            tracing::warn!(tenant = %rejection.tenant, code = rejection.code, "too many kinds of rejected requests to record");
        }
    }
}

/// Writes what was gathered, each second, until the ledger closes.
pub(super) async fn run(inner: Arc<Inner>) {
    loop {
        let closing = inner.closing.is_cancelled();
        let gathered = std::mem::take(&mut *inner.rejections.gathered.lock());
        for (rejection, count) in gathered.into_values() {
            if let Err(error) = write(&inner, &rejection, count).await {
                tracing::warn!(tenant = %rejection.tenant, code = rejection.code, count, %error, "a rejected request was not recorded");
            }
        }
        if closing {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(GATHER) => {}
            () = inner.closing.cancelled() => {}
        }
    }
}

async fn write(inner: &Inner, rejection: &Rejection, count: i32) -> Result<(), crate::Error> {
    let mut tx = Actor::worker(rejection.tenant).write(&inner.control).await?;
    sqlx::query!(
        "INSERT INTO rejections (tenant_id, id, at, code, status, credential_id, address, count)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        rejection.tenant.uuid(),
        rejection.id.uuid(),
        rejection.at,
        rejection.code,
        i32::from(rejection.status),
        rejection.credential.map(|credential| credential.uuid()),
        rejection.address.map(ipnet::IpNet::from),
        count,
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await
}
