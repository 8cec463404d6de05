//! Deciding one call.

use std::sync::Arc;

use cedar_policy::{Entities, EntityUid};
use model::Timestamp;
use model::call::{Digest, Reason, Verdict};

use crate::decision::{Decision, Permit, Refusal};
use crate::directory::{Directory, Principal, Tool};
use crate::explain::Lacking;
use crate::keys::{Keys, earlier, over};
use crate::schema::Action;
use crate::standing::{SUSPENDED, UNAVAILABLE};

/// What Cedar said of one of the two, agent or person.
pub(crate) struct Side {
    pub(crate) verdict: Verdict,
    pub(crate) determining: Vec<usize>,
    pub(crate) failed: bool,
}

/// What came of weighing agent and person.
pub(crate) enum Weighed {
    Permit {
        determining: Vec<usize>,
        /// When the first of the keys ends that it rests on.
        until: Option<Timestamp>,
    },
    Hold(Refusal),
    Deny(Refusal),
}

impl Directory {
    /// Decides one call.
    ///
    /// Principal and tool must be of this directory's tenant and epoch; anything else is denied. `now` is
    /// compared with the ends of the credential and of the grants that the call rests on.
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

        match self.weigh(&self.entities, principal, tool, &tool.uid, now) {
            Weighed::Deny(refusal) => Decision::Deny(refusal),
            Weighed::Hold(refusal) => Decision::Hold(refusal),
            Weighed::Permit { determining, until } => Decision::Permit(Permit {
                tenant: self.tenant.id,
                epoch: self.origin.epoch,
                principal: Arc::clone(principal),
                tool: Arc::clone(tool),
                arguments_digest,
                valid_until: earlier(principal.expires_at, until),
                policies: self.rules.names(&determining),
                policy_version: self.rules.version(),
            }),
        }
    }

    /// What policy and grants say of a principal and a tool, whatever credential is presented. `resource` is the tool
    /// as `entities` have it.
    pub(crate) fn weigh(
        &self,
        entities: &Entities,
        principal: &Principal,
        tool: &Tool,
        resource: &EntityUid,
        now: Timestamp,
    ) -> Weighed {
        let on_behalf = principal.person.is_some();
        let agent = self.side(entities, &principal.agent.uid, resource, on_behalf);
        let person = principal
            .person
            .as_ref()
            .map(|person| (person, self.side(entities, &person.uid, resource, on_behalf)));
        let mut strictest = (&agent, Lacking::Agent);
        if let Some((_, side)) = &person
            && severity(side) > severity(&agent)
        {
            strictest = (side, Lacking::Person);
        }
        match strictest {
            (side, _) if side.failed => {
                return Weighed::Deny(
                    self.refusal(self.policy_failed(principal, tool, &side.determining), &side.determining),
                );
            }
            (side, who) if side.verdict == Verdict::Deny => {
                return Weighed::Deny(
                    self.refusal(self.why_denied(principal, tool, who, side), &side.determining),
                );
            }
            _ => {}
        }

        let agent_until = until(&principal.agent.keys, tool);
        if over(agent_until, now) {
            return Weighed::Deny(self.refusal(self.key_over(principal, tool, Lacking::Agent), &[]));
        }
        let person_until = principal.person.as_ref().and_then(|person| until(&person.keys, tool));
        if over(person_until, now) {
            return Weighed::Deny(self.refusal(self.key_over(principal, tool, Lacking::Person), &[]));
        }
        if let (Side { verdict: Verdict::Hold, determining, .. }, _) = strictest {
            return Weighed::Hold(self.refusal(self.approval_required(principal, tool), determining));
        }

        let mut determining = agent.determining;
        if let Some((_, person)) = person
            && person.determining != determining
        {
            determining.extend(person.determining);
            determining.sort_unstable();
            determining.dedup();
        }
        Weighed::Permit { determining, until: earlier(agent_until, person_until) }
    }

    /// Asks Cedar for agent or person: may it call, and if so, without asking anybody?
    pub(crate) fn side(
        &self,
        entities: &Entities,
        who: &EntityUid,
        resource: &EntityUid,
        on_behalf: bool,
    ) -> Side {
        let call = self.rules.ask(entities, who, Action::Call, resource, on_behalf);
        if !call.allowed {
            return Side { verdict: Verdict::Deny, determining: call.determining, failed: call.failed };
        }
        let alone = self.rules.ask(entities, who, Action::CallUnattended, resource, on_behalf);
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
pub(crate) fn until(keys: &Keys, tool: &Tool) -> Option<Timestamp> {
    keys.until(&tool.key, &tool.module_key).flatten()
}

/// What only other policies than the standing ones can lead to.
#[cfg(test)]
mod tests {
    use model::call::ReasonCode;

    use crate::directory::Directory;
    use crate::standing::Rules;
    use crate::world::{Acme, at, call, principal};
    use crate::{Decision, Refusal};

    const STANDING: &str = include_str!("standing.cedar");

    fn under(acme: &Acme, policies: &str) -> Directory {
        let rules = Rules::parse(policies).unwrap();
        Directory::build_under(rules.into(), acme.world.facts.clone(), at(0)).unwrap()
    }

    fn with(more: &str) -> Directory {
        under(&Acme::new(), &format!("{STANDING}\n{more}"))
    }

    fn names(refusal: &Refusal) -> Vec<&str> {
        refusal.policies.iter().map(|name| &**name).collect()
    }

    fn denied(decision: Decision) -> Refusal {
        match decision {
            Decision::Deny(refusal) => refusal,
            other => panic!("not denied: {other:?}"),
        }
    }

    #[test]
    fn a_call_that_is_permitted_but_not_unattended_is_held() {
        let directory = with(
            r#"@id("ask first") forbid (principal, action == Action::"callUnattended", resource)
               when { resource.key == "gmail:send" };"#,
        );
        let Decision::Hold(refusal) = call(&directory, 3, "gmail.send") else { panic!("not held") };
        assert_eq!(refusal.reason.code, ReasonCode::ApprovalRequired);
        assert_eq!(
            refusal.reason.sentence,
            "Held: agent Deal mover (Sales) may call `gmail.send` only once a person has approved the call. Ask the owner \
             of Gmail, Dana Roth, about it."
        );
        assert_eq!(names(&refusal), ["ask first", "granted"]);
        assert!(matches!(call(&directory, 3, "gmail.read"), Decision::Permit(_)));
        assert!(matches!(call(&directory, 1, "gmail.send"), Decision::Deny(_)), "a hold is no way to a key");
        assert_eq!(directory.visible(&principal(&directory, 3)).len(), 2, "what is held is shown");
    }

    /// The policy speaks of people, or of agents, alone: either side's answer can be the stricter one.
    #[test]
    fn of_agent_and_person_the_stricter_answer_holds() {
        let rule = |effect: &str, kind: &str, action: &str| {
            with(&format!(
                r#"@id("x") {effect} (principal is {kind}, action == Action::"{action}", resource);"#
            ))
        };
        for kind in ["Agent", "User"] {
            let held = rule("forbid", kind, "callUnattended");
            assert!(matches!(call(&held, 4, "gmail.read"), Decision::Hold(_)), "{kind}");
            let directory = rule("forbid", kind, "call");
            let refusal = denied(call(&directory, 4, "gmail.read"));
            assert_eq!(
                (refusal.reason.code, names(&refusal)),
                (ReasonCode::PolicyForbids, vec!["x"]),
                "{kind}"
            );
        }
        let alone = rule("forbid", "User", "call");
        assert!(matches!(call(&alone, 3, "gmail.read"), Decision::Permit(_)), "nobody is acted for");

        // The agent would be held, the person denied.
        let both = with(
            r#"@id("a") forbid (principal is Agent, action == Action::"callUnattended", resource);
               @id("b") forbid (principal is User, action == Action::"call", resource);"#,
        );
        assert_eq!(names(&denied(call(&both, 4, "gmail.read"))), ["b"]);
        let lists = rule("forbid", "User", "list");
        assert!(lists.visible(&principal(&lists, 4)).is_empty());
        assert_eq!(lists.visible(&principal(&lists, 3)).len(), 2);
    }

    #[test]
    fn a_forbidding_policy_is_named() {
        let directory = with(
            r#"@id("no sending") forbid (principal, action, resource) when { resource.key == "gmail:send" };"#,
        );
        let refusal = denied(call(&directory, 3, "gmail.send"));
        assert_eq!(refusal.reason.code, ReasonCode::PolicyForbids);
        assert_eq!(
            refusal.reason.sentence,
            "Denied: agent Deal mover (Sales) is kept from calling `gmail.send` by policy `no sending`. Ask an admin about \
             it."
        );
        let only_lists =
            under(&Acme::new(), r#"@id("a") permit (principal, action == Action::"list", resource);"#);
        let refusal = denied(call(&only_lists, 3, "gmail.send"));
        assert_eq!(refusal.reason.code, ReasonCode::PolicyForbids);
        assert_eq!(
            refusal.reason.sentence,
            "Denied: no policy permits agent Deal mover (Sales) to call `gmail.send`. Ask an admin about it."
        );
        assert_eq!(names(&refusal), Vec::<&str>::new());
    }

    /// Each of these fits the schema and fails when it is evaluated. Cedar alone would skip it and allow the
    /// call.
    #[test]
    fn a_policy_that_fails_denies_whatever_the_others_say() {
        let nobody = r#"User::"nobody".active"#;
        for (policy, holder, listed) in [
            (format!(r#"@id("x") forbid (principal, action, resource) when {{ {nobody} }};"#), 3, 0),
            (format!(r#"@id("x") permit (principal, action, resource) when {{ {nobody} }};"#), 3, 0),
            (
                r#"@id("x") forbid (principal, action == Action::"call", resource)
               when { 9223372036854775807 + 1 > 0 };"#
                    .to_owned(),
                3,
                2,
            ),
            (
                format!(
                    r#"@id("x") forbid (principal, action == Action::"callUnattended", resource) when {{ {nobody} }};"#
                ),
                3,
                2,
            ),
            (format!(r#"@id("x") forbid (principal is User, action, resource) when {{ {nobody} }};"#), 4, 0),
            (
                format!(
                    r#"@id("x") permit (principal is User, action == Action::"callUnattended", resource) when {{ {nobody} }};"#
                ),
                4,
                1,
            ),
        ] {
            let directory = with(&policy);
            let refusal = denied(call(&directory, holder, "gmail.read"));
            assert_eq!(refusal.reason.code, ReasonCode::PolicyError, "{policy}");
            assert_eq!(names(&refusal), ["x"], "{policy}");
            assert_eq!(directory.visible(&principal(&directory, holder)).len(), listed, "{policy}");
        }
        let directory =
            with(&format!(r#"@id("x") permit (principal, action, resource) when {{ {nobody} }};"#));
        assert_eq!(
            denied(call(&directory, 3, "gmail.read")).reason.sentence,
            "Denied: policy `x` could not be evaluated when agent Deal mover (Sales) called `gmail.read`, and nothing is \
             permitted in doubt. Ask an admin to mend it."
        );
    }

    /// A failing policy is the strictest answer even when the other side is merely denied.
    #[test]
    fn a_failure_outranks_a_denial() {
        let directory =
            with(r#"@id("x") forbid (principal is User, action, resource) when { User::"nobody".active };"#);
        assert_eq!(denied(call(&directory, 2, "gmail.send")).reason.code, ReasonCode::PolicyError);
    }

    #[test]
    fn a_permit_that_rests_on_no_key_has_no_end_of_its_own() {
        let directory = with(r#"@id("open") permit (principal, action, resource);"#);
        let Decision::Permit(permit) = call(&directory, 1, "crm.list") else { panic!("not permitted") };
        assert_eq!(permit.valid_until(), None);
        assert_eq!(permit.policies().iter().map(|name| &**name).collect::<Vec<_>>(), ["open", "unattended"]);
    }
}
