//! Hearing of a resource's updates. To begin is a call: decided, on record, free of charge. What reaches its server is not for this call
//! alone, since all who want to hear of a server share one stream. Each update is for whom may still read the resource.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::call::Epoch;
use parking_lot::Mutex;
use policy::Decision;
use tokio::time::Instant;

use super::admit::Parts;
use super::ask::Ask;
use super::authenticate::{Presented, still_in};
use super::ending::Failed;
use super::execute::Executed;
use crate::gateway::House;
use crate::seams::Unavailable;
use crate::upstream::{Brought, Key, Subscribed, Trouble};

/// What is waited where it cannot be known who may hear of what.
const AWHILE: Duration = Duration::from_secs(1);

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
    let (tool, sending) = (parts.permit.tool(), &parts.sending);
    let Some(key) = Key::of(parts.permit.tenant(), tool) else { return Err(Failed::no_url(tool)) };
    if !sending.begin() {
        return Err(Failed::of(&Trouble::TooLate, tool, sending));
    }
    let uri = tool.uri(&parts.name);
    let subscribing = house.upstreams.subscribe(&house.plugs.connections, &key, uri, parts.deadline);
    subscribing.await.map_err(|trouble| {
        if trouble.is_ours() {
            sending.was_not_taken();
        }
        Failed::of(&trouble, tool, sending)
    })
}

/// For how long somebody may hear of a resource, as far as is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Still {
    /// Of the snapshot that says so.
    pub(crate) epoch: Epoch,
    /// When it may say something else although nothing was changed.
    pub(crate) until: Option<Instant>,
}

/// Whether somebody may still hear of a resource, where they do, by the newest snapshot that this node has. While there is none to be
/// had, it is waited for. None: they may not.
pub(crate) async fn may_still(
    house: &House,
    presented: &Presented,
    uri: &str,
    subscribed: &Subscribed,
) -> Option<Still> {
    let directory = loop {
        let reading = house.plugs.directories.current(presented.endpoint);
        match tokio::time::timeout(house.settings.request_timeout, reading).await {
            Ok(Ok(directory)) => break directory?,
            Ok(Err(Unavailable)) | Err(_) => tokio::time::sleep(AWHILE).await,
        }
    };
    let caller = still_in(house, directory, presented)?;
    let (directory, principal, feature) = (&caller.directory, &caller.principal, Ask::Subscribe.feature());
    let tool = match &presented.bundle {
        None => directory.resolve(principal, feature, uri),
        Some(bundle) => directory.resolve_in(bundle, principal, feature, uri),
    };
    let tool = tool.ok()?;
    let now = house.ambient.now();
    // What it is by now may be elsewhere.
    let is_there =
        Key::of(directory.tenant().id, &tool).is_some_and(|key| subscribed.is_to(&key, tool.uri(uri)));
    if !is_there || !matches!(directory.decide(principal, &tool, [0; 32], now), Decision::Permit(_)) {
        return None;
    }
    let until = directory.stale_at().into_iter().chain(principal.expires_at).min();
    let left = until.map(|until| until.signed_duration_since(now).to_std().unwrap_or_default());
    Some(Still { epoch: directory.epoch(), until: left.map(|left| Instant::now() + left) })
}
