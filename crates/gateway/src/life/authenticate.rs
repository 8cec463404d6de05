//! Who calls: the key's hash is looked up in the tenant's snapshot, and in a fresh one before it is called unknown.

use std::net::IpAddr;
use std::sync::Arc;

use model::call::{Digest, Epoch, Reason};
use model::catalog::Feature;
use model::{CredentialId, McpId};
use policy::{Directory, Principal, Tool, Unauthenticated};
use tokio::time::Instant;

use super::admit::{Again, Why};
use super::decide::Decided;
use super::receive::Received;
use crate::gateway::House;
use crate::refusals;
use crate::seams::Unavailable;
use crate::wire::Answer;

/// What a request presented.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    pub(crate) endpoint: McpId,
    /// Which bundle of it; none: all that there is.
    pub(crate) bundle: Option<Arc<str>>,
    pub(crate) proof: Proof,
    pub(crate) address: Option<IpAddr>,
}

/// By what a caller is known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Proof {
    /// SHA-256 of the whole key that was presented.
    Key(Digest),
    /// A credential whose key nobody presented: somebody was authorized to act as its agent.
    Entrusted(CredentialId),
}

/// Whose key it is, by one snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) directory: Arc<Directory>,
    pub(crate) principal: Arc<Principal>,
    /// Why they may not come in although they are known.
    pub(crate) refused: Option<Reason>,
}

impl Caller {
    /// What of one kind they are shown, of everything or of a bundle; ordered by full name.
    pub(crate) fn offered(&self, bundle: Option<&str>, feature: Feature) -> Vec<Arc<Tool>> {
        match bundle {
            None => self.directory.offered(&self.principal, feature),
            Some(bundle) => self.directory.offered_in(bundle, &self.principal, feature),
        }
    }
}

/// Why there is no caller.
#[derive(Debug)]
pub(crate) enum NotSeen {
    /// Nobody has this key.
    Unknown { directory: Arc<Directory> },
    /// Somebody is known, and the bundle is not.
    NoBundle { directory: Arc<Directory>, credential: CredentialId },
    /// No snapshot could be had.
    Failed(Answer),
}

/// Looks the caller up; a key or a bundle that the snapshot does not know may be newer than it.
pub(crate) async fn look(
    house: &House,
    directory: Arc<Directory>,
    presented: &Presented,
    deadline: Instant,
) -> Result<Caller, NotSeen> {
    match in_snapshot(house, directory, presented) {
        Err(NotSeen::Unknown { directory } | NotSeen::NoBundle { directory, .. }) => {
            let newer = newer(house, presented.endpoint, directory.epoch(), deadline).await;
            in_snapshot(house, newer.map_err(NotSeen::Failed)?, presented)
        }
        looked => looked,
    }
}

/// The caller in a snapshot that has come to be the newest, if it still knows them and they may come in.
pub(crate) fn still_in(house: &House, directory: Arc<Directory>, presented: &Presented) -> Option<Caller> {
    in_snapshot(house, directory, presented).ok().filter(|caller| caller.refused.is_none())
}

/// Looks the caller up again after a decision did not hold, in a snapshot that is not the one it was made on.
pub(super) async fn look_again(house: &House, again: &Again, deadline: Instant) -> Result<Caller, NotSeen> {
    let presented = again.received.presented();
    let directory = match again.why {
        Why::Stale => newer(house, presented.endpoint, again.directory.epoch(), deadline).await,
        // Nothing was changed, time has passed; `current` gives no snapshot whose time is over.
        Why::Expired => current(house, presented.endpoint, deadline).await,
    };
    in_snapshot(house, directory.map_err(NotSeen::Failed)?, presented)
}

fn in_snapshot(house: &House, directory: Arc<Directory>, presented: &Presented) -> Result<Caller, NotSeen> {
    let now = house.ambient.now();
    let authenticated = match presented.proof {
        Proof::Key(hash) => directory.authenticate(&hash, presented.address, now),
        Proof::Entrusted(credential) => directory.authenticate_as(credential, presented.address, now),
    };
    match authenticated {
        Ok(principal) => match &presented.bundle {
            Some(bundle) if directory.bundle(bundle).is_none() => {
                let credential = principal.attribution.credential;
                Err(NotSeen::NoBundle { directory, credential })
            }
            _ => Ok(Caller { directory, principal, refused: None }),
        },
        Err(Unauthenticated::Unknown) => Err(NotSeen::Unknown { directory }),
        Err(Unauthenticated::Refused { principal, code, sentence }) => {
            let reason = Reason { code, sentence, missing_key: None, ask: None };
            Ok(Caller { directory, principal, refused: Some(reason) })
        }
    }
}

/// The newest snapshot of an endpoint's tenant.
pub(crate) async fn current(
    house: &House,
    endpoint: McpId,
    deadline: Instant,
) -> Result<Arc<Directory>, Answer> {
    read(tokio::time::timeout_at(deadline, house.plugs.directories.current(endpoint)).await)
}

async fn newer(
    house: &House,
    endpoint: McpId,
    seen: Epoch,
    deadline: Instant,
) -> Result<Arc<Directory>, Answer> {
    read(tokio::time::timeout_at(deadline, house.plugs.directories.newer(endpoint, seen)).await)
}

fn read<T>(
    reading: Result<Result<Option<Arc<Directory>>, Unavailable>, T>,
) -> Result<Arc<Directory>, Answer> {
    match reading {
        Ok(Ok(Some(directory))) => Ok(directory),
        Ok(Ok(None)) => Err(refusals::no_such_endpoint()),
        Ok(Err(Unavailable)) | Err(_) => Err(refusals::directory_unavailable()),
    }
}

/// A call of somebody who may come in.
#[derive(Debug)]
pub(super) struct Authenticated {
    pub(super) received: Box<Received>,
    pub(super) directory: Arc<Directory>,
    pub(super) principal: Arc<Principal>,
}

/// Authenticates a call. Who is known and may not come in is refused, and that is recorded as a call.
pub(super) fn authenticate(received: Box<Received>, caller: Caller) -> Result<Authenticated, Box<Decided>> {
    let Caller { directory, principal, refused } = caller;
    let authenticated = Authenticated { received, directory, principal };
    match refused {
        None => Ok(authenticated),
        Some(reason) => Err(Decided::refused_at_the_door(authenticated, reason)),
    }
}
