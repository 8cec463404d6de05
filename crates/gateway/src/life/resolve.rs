//! What is called: the tool that the name stands for, as far as this agent may know of it.

use std::sync::Arc;

use policy::{Directory, Principal, Tool};
use serde_json::json;

use super::authenticate::Authenticated;
use super::decide::Decided;
use super::receive::Received;
use super::rounds::{Bound, NotOpened};
use crate::gateway::House;
use crate::reject;
use crate::wire::{self, Answer, RpcError, code};

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
    /// The request contradicts itself or what it goes on from, which shows once the tool is known.
    Malformed(Box<Malformed>),
}

/// A request that is no call after all.
#[derive(Debug)]
pub(super) struct Malformed {
    resolved: Resolved,
    code: &'static str,
    answer: Answer,
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
                Some((code, answer)) => {
                    Err(Unresolved::Malformed(Box::new(Malformed { resolved, code, answer })))
                }
            }
        }
    }
}

impl Resolved {
    /// Whether headers say something else than the arguments that the tool wants mirrored, or the call goes on from one of
    /// somebody else or for something else (2026-07-28). What is answered then, and its code for the record.
    fn contradiction(&self) -> Option<(&'static str, Answer)> {
        let received = &self.received;
        if let Some(round) = &received.input().round
            && round.bound != Bound::to(&self.principal.attribution, &self.tool)
        {
            let why = NotOpened::Foreign;
            let sentence = match received.is_stateless() {
                true => why.sentence(),
                // It was asked on its own request, and knows of no state.
                false => "the tool or the agent has changed since the call began: make the call again",
            };
            let error = RpcError::new(code::INVALID_PARAMS, sentence);
            return Some((why.code(), Answer::error(error.with(json!({"code": why.code()})))));
        }
        let headers = received.mirrored().filter(|_| received.ask().is_tool_call())?;
        let error =
            wire::check_mirrored_arguments(&self.tool.listing, received.arguments(), headers).err()?;
        Some(("header_mismatch", Answer::refused(http::StatusCode::BAD_REQUEST, error)))
    }
}

impl Malformed {
    /// Answers it, and records that it was turned away.
    pub(super) fn rejected(self, house: &House) -> Answer {
        let Self { resolved, code, answer } = self;
        let Resolved { received, directory, principal, .. } = &resolved;
        let (tenant, credential) = (directory.tenant().id, Some(principal.attribution.credential));
        reject::record(house, tenant, code, answer.status, credential, received.presented().address);
        answer
    }
}
