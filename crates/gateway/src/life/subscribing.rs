//! Hearing of a resource's updates. To begin is a call: decided, on record, free of charge. What reaches its server is not for this call
//! alone, since all who want to hear of a server share one stream. Each update is for whom may still read the resource.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use policy::Decision;
use tokio::time::Instant;

use super::admit::Parts;
use super::ask::Ask;
use super::authenticate::{Presented, current, still_in};
use super::ending::Failed;
use super::execute::Executed;
use crate::gateway::House;
use crate::upstream::{Brought, Key, Subscribed, Trouble};

/// Where what was subscribed to is laid down for whoever made the call.
pub(crate) type Subscribing = Arc<Mutex<Option<Subscribed>>>;

/// Executes such a call.
pub(super) async fn subscribe(house: &Arc<House>, parts: Parts) -> Executed {
    let result = subscribed(house, &parts).await;
    let result = result.map(|subscribed| {
        if let Some(subscribing) = &parts.subscribing {
            *subscribing.lock() = Some(subscribed);
        }
        Brought { result: Bytes::from_static(b"{}"), is_stateless: false }
    });
    parts.executed(result)
}

async fn subscribed(house: &Arc<House>, parts: &Parts) -> Result<Subscribed, Failed> {
    let tool = parts.permit.tool();
    let Some(url) = &tool.url else { return Err(Failed::no_url(tool)) };
    let failed = |trouble: &Trouble| Failed::of(trouble, tool, &parts.sending);
    if !parts.sending.begin() {
        return Err(failed(&Trouble::TooLate));
    }
    let (tenant, url) = (parts.permit.tenant(), url.clone());
    let key = Key { tenant, module: tool.module, url, connection: tool.connection };
    let uri = tool.uri(&parts.name);
    let subscribing = house.upstreams.subscribe(&house.plugs.connections, &key, uri, parts.deadline);
    subscribing.await.map_err(|trouble| failed(&trouble))
}

/// Whether somebody may still hear of a resource, by the newest snapshot that this node has.
pub(crate) async fn may_still(house: &House, presented: &Presented, uri: &str) -> bool {
    let deadline = Instant::now() + house.settings.request_timeout;
    let Ok(directory) = current(house, presented.endpoint, deadline).await else { return false };
    let Some(caller) = still_in(house, directory, presented) else { return false };
    let (directory, principal, feature) = (&caller.directory, &caller.principal, Ask::Subscribe.feature());
    let tool = match &presented.bundle {
        None => directory.resolve(principal, feature, uri),
        Some(bundle) => directory.resolve_in(bundle, principal, feature, uri),
    };
    let decide = |tool| directory.decide(principal, &tool, [0; 32], house.ambient.now());
    tool.is_ok_and(|tool| matches!(decide(tool), Decision::Permit(_)))
}
