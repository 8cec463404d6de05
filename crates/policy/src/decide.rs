//! Deciding one call.

use std::sync::Arc;

use cedar_policy::EntityUid;
use model::Timestamp;
use model::call::{Digest, Reason, Verdict};

use crate::decision::{Decision, Permit, Refusal};
use crate::directory::{Directory, Principal, Tool};
use crate::explain::Lacking;
use crate::keys::{Keys, earlier, over};
use crate::schema::Action;
use crate::standing::{SUSPENDED, UNAVAILABLE};

/// What Cedar said of one of the two, agent or person.
struct Side {
    verdict: Verdict,
    determining: Vec<usize>,
    failed: bool,
}

impl Directory {
    /// Decides one call.
    ///
    /// Principal and tool must be of this directory's tenant and epoch; anything else is denied. `now` is compared with
    /// the ends of the credential and of the grants that the call rests on.
    pub fn decide(
        &self,
        principal: &Arc<Principal>,
        tool: &Arc<Tool>,
        arguments_digest: Digest,
        now: Timestamp,
    ) -> Decision {
        if principal.origin != self.origin || tool.origin != self.origin {
            return Decision::Deny(self.refusal(self.foreign(), &[]));
        }
        if over(principal.expires_at, now) {
            return Decision::Deny(self.refusal(self.credential_over(principal), &[]));
        }

        let on_behalf = principal.person.is_some();
        let agent = self.side(&principal.agent.uid, tool, on_behalf);
        let person =
            principal.person.as_ref().map(|person| (person, self.side(&person.uid, tool, on_behalf)));
        let mut strictest = (&agent, Lacking::Agent);
        if let Some((_, side)) = &person
            && severity(side) > severity(&agent)
        {
            strictest = (side, Lacking::Person);
        }
        match strictest {
            (side, _) if side.failed => {
                return Decision::Deny(
                    self.refusal(self.policy_failed(principal, tool, &side.determining), &side.determining),
                );
            }
            (side, who) if side.verdict == Verdict::Deny => {
                return Decision::Deny(
                    self.refusal(self.why_denied(principal, tool, who, side), &side.determining),
                );
            }
            _ => {}
        }

        let agent_until = until(&principal.agent.keys, tool);
        if over(agent_until, now) {
            return Decision::Deny(self.refusal(self.key_over(principal, tool, Lacking::Agent), &[]));
        }
        let person_until = principal.person.as_ref().and_then(|person| until(&person.keys, tool));
        if over(person_until, now) {
            return Decision::Deny(self.refusal(self.key_over(principal, tool, Lacking::Person), &[]));
        }
        if let (Side { verdict: Verdict::Hold, determining, .. }, _) = strictest {
            return Decision::Hold(self.refusal(self.approval_required(principal, tool), determining));
        }

        let mut determining = agent.determining;
        if let Some((_, person)) = person
            && person.determining != determining
        {
            determining.extend(person.determining);
            determining.sort_unstable();
            determining.dedup();
        }
        Decision::Permit(Permit {
            tenant: self.tenant.id,
            epoch: self.origin.epoch,
            principal: Arc::clone(principal),
            tool: Arc::clone(tool),
            arguments_digest,
            valid_until: earlier(principal.expires_at, earlier(agent_until, person_until)),
            policies: self.rules.names(&determining),
            policy_version: self.rules.version(),
        })
    }

    /// Asks Cedar for agent or person: may it call, and if so, without asking anybody?
    fn side(&self, who: &EntityUid, tool: &Tool, on_behalf: bool) -> Side {
        let call = self.rules.ask(&self.entities, who, Action::Call, &tool.uid, on_behalf);
        if !call.allowed {
            return Side { verdict: Verdict::Deny, determining: call.determining, failed: call.failed };
        }
        let alone = self.rules.ask(&self.entities, who, Action::CallUnattended, &tool.uid, on_behalf);
        if alone.failed {
            return Side { verdict: Verdict::Deny, determining: alone.determining, failed: true };
        }
        let mut determining = call.determining;
        determining.extend(alone.determining);
        determining.sort_unstable();
        determining.dedup();
        let verdict = if alone.allowed { Verdict::Permit } else { Verdict::Hold };
        Side { verdict, determining, failed: false }
    }

    fn why_denied(&self, principal: &Principal, tool: &Tool, who: Lacking, side: &Side) -> Reason {
        let forbidden_by = |name| self.rules.includes(&side.determining, name);
        let suspension = if forbidden_by(SUSPENDED) { self.suspension(principal) } else { None };
        if let Some((code, sentence)) = suspension {
            return self.reason(code, format!("Denied: {sentence}"));
        }
        if forbidden_by(UNAVAILABLE) {
            return self.unavailable(tool);
        }
        let lacks = |keys: &Keys| keys.until(&tool.key, &tool.module_key).is_none();
        let agent_lacks = lacks(&principal.agent.keys);
        let person_lacks = principal.person.as_ref().is_some_and(|person| lacks(&person.keys));
        match (who, agent_lacks, person_lacks) {
            _ if !side.determining.is_empty() => self.forbidden(principal, tool, &side.determining),
            (Lacking::Agent, true, true) => self.missing_key(principal, tool, Lacking::Both),
            (Lacking::Agent, true, false) => self.missing_key(principal, tool, Lacking::Agent),
            (Lacking::Person, _, true) => self.missing_key(principal, tool, Lacking::Person),
            _ => self.forbidden(principal, tool, &[]),
        }
    }

    /// A refusal under this directory's epoch and policies.
    pub(crate) fn refusal(&self, reason: Reason, determining: &[usize]) -> Refusal {
        Refusal {
            epoch: self.origin.epoch,
            reason,
            policies: self.rules.names(determining),
            policy_version: self.rules.version(),
        }
    }
}

/// Orders what was said of agent and person: the stricter comes later, and a failure is the strictest.
fn severity(side: &Side) -> u8 {
    match (side.failed, side.verdict) {
        (true, _) => 3,
        (false, Verdict::Deny) => 2,
        (false, Verdict::Hold) => 1,
        (false, Verdict::Permit) => 0,
    }
}

/// When the grants end that give these keys the tool's; none also when a policy permits without a key.
fn until(keys: &Keys, tool: &Tool) -> Option<Timestamp> {
    keys.until(&tool.key, &tool.module_key).flatten()
}
