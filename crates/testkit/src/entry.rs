//! A call decided as the gateway decides it, for tests of the ledger alone.

use bytes::Bytes;
use model::Ambient;
use model::call::{Client, Entry, Verdict, Wanted};
use model::catalog::Feature;
use policy::{Decision, Directory};
use sha2::{Digest as _, Sha256};

/// Authenticates, resolves and decides a call without arguments. `None`: the key or the tool is unknown.
pub fn entry(ambient: &Ambient, directory: &Directory, key: [u8; 32], tool: &str) -> Option<Entry> {
    let at = ambient.now();
    let principal = directory.authenticate(&key, None, at).ok()?;
    let arguments = Bytes::from_static(b"{}");
    let arguments_digest = Sha256::digest(&arguments).into();
    let tool = directory.resolve(&principal, Feature::Tool, tool).ok()?;
    let (verdict, reason, valid_until, policies, policy_version) =
        match directory.decide(&principal, &tool, arguments_digest, at) {
            Decision::Permit(permit) => (
                Verdict::Permit,
                None,
                permit.valid_until(),
                permit.policies().clone(),
                *permit.policy_version(),
            ),
            Decision::Deny(refusal) | Decision::Hold(refusal) => {
                (Verdict::Deny, Some(refusal.reason), None, refusal.policies, refusal.policy_version)
            }
        };
    Some(Entry {
        id: ambient.id(),
        received_at: at,
        epoch: directory.epoch(),
        valid_until,
        verdict,
        reason,
        policies,
        policy_version,
        who: principal.attribution.clone(),
        wanted: Wanted {
            name: tool.full_name.clone(),
            module: Some(tool.module),
            tool: Some(tool.id),
            definition: Some(tool.definition_hash),
            rate: tool.rate,
            price: tool.price,
        },
        client: Client::default(),
        arguments,
        arguments_digest,
    })
}
