//! What is called: the tool that the name stands for, as far as this agent may know of it.

use std::sync::Arc;

use policy::{Directory, Principal, Tool};

use super::authenticate::Authenticated;
use super::decide::Decided;
use super::receive::Received;
use crate::gateway::House;
use crate::reject;
use crate::wire::{self, Answer, RpcError};

/// A call whose tool is known.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) received: Box<Received>,
    pub(super) directory: Arc<Directory>,
    pub(super) principal: Arc<Principal>,
    pub(super) tool: Arc<Tool>,
}

/// Why there is nothing to decide.
#[derive(Debug)]
pub(super) enum Unresolved {
    /// No such tool, none that takes calls, or none that this agent may know of.
    Refused(Box<Decided>),
    /// The request contradicts itself, which shows once the tool is known.
    Malformed(Malformed),
}

/// A request that is no call after all.
#[derive(Debug)]
pub(super) struct Malformed {
    resolved: Resolved,
    error: Box<RpcError>,
}

/// Resolves the tool's name.
pub(super) fn resolve(authenticated: Authenticated) -> Result<Resolved, Unresolved> {
    let Authenticated { received, directory, principal } = authenticated;
    let (feature, name) = (received.ask().feature(), received.name());
    let found = match &received.presented().bundle {
        None => directory.resolve(&principal, feature, name),
        Some(bundle) => directory.resolve_in(bundle, &principal, feature, name),
    };
    match found {
        Err(refusal) => {
            let authenticated = Authenticated { received, directory, principal };
            Err(Unresolved::Refused(Decided::unresolved(authenticated, refusal)))
        }
        Ok(tool) => {
            let resolved = Resolved { received, directory, principal, tool };
            match resolved.contradiction() {
                None => Ok(resolved),
                Some(error) => Err(Unresolved::Malformed(Malformed { resolved, error: Box::new(error) })),
            }
        }
    }
}

impl Resolved {
    /// Whether headers say something else than the arguments that the tool wants mirrored (2026-07-28).
    fn contradiction(&self) -> Option<RpcError> {
        let headers = self.received.mirrored().filter(|_| self.received.ask().is_tool_call())?;
        wire::check_mirrored_arguments(&self.tool.listing, self.received.arguments(), headers).err()
    }
}

impl Malformed {
    /// Answers it, and records that it was turned away.
    pub(super) fn rejected(self, house: &House) -> Answer {
        let answer = Answer::refused(http::StatusCode::BAD_REQUEST, *self.error);
        let Resolved { received, directory, principal, .. } = &self.resolved;
        let (tenant, credential) = (directory.tenant().id, Some(principal.attribution.credential));
        reject::record(
            house,
            tenant,
            "header_mismatch",
            answer.status,
            credential,
            received.presented().address,
        );
        answer
    }
}
