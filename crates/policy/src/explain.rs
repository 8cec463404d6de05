//! Sentences: why something was refused, for agents and people alike. What happened, to which thing, and whom
//! to ask.
//!
//! Names come from people and upstream servers. They are shown without control and direction characters and
//! cut, so that none can break out of its sentence.

use std::fmt::Write;
use std::net::IpAddr;

use model::Timestamp;
use model::call::{Reason, ReasonCode, Verdict};
use model::catalog::{Feature, ToolStanding};
use model::people::Standing;

use crate::decide::Side;
use crate::directory::{Directory, Principal, Tool};
use crate::people::Person;
use crate::standing::{SUSPENDED, UNAVAILABLE};

/// Names in a sentence are cut to this many characters.
const NAME: usize = 60;
/// Whom to ask where nobody in particular answers for a thing.
const ADMIN: &str = "an admin";

/// Who lacks a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lacking {
    Agent,
    Person,
    Both,
}

impl Directory {
    /// There is no tool of that name.
    pub(crate) fn unknown_tool(
        &self,
        principal: &Principal,
        feature: Feature,
        wanted: &str,
        near: &[impl AsRef<str>],
    ) -> Reason {
        let wanted = shown(wanted);
        let who = agent(principal);
        let (what, list) = match feature {
            Feature::Tool => ("tool", "tools/list"),
            Feature::Prompt => ("prompt", "prompts/list"),
            Feature::Resource | Feature::Template => ("resource", "resources/list"),
        };
        let mut sentence = if wanted.is_empty() {
            format!("Denied: {who} named no {what}.")
        } else {
            format!("Denied: there is no {what} `{wanted}` for {who}.")
        };
        let near: Vec<String> = near.iter().map(|name| format!("`{}`", shown(name.as_ref()))).collect();
        if !near.is_empty() {
            let _ = write!(sentence, " Did you mean {}?", any_of(&near));
        }
        let _ = write!(sentence, " `{list}` names those it may use.");
        self.reason(ReasonCode::UnknownTool, sentence)
    }

    /// The tool or its module takes no calls.
    pub(crate) fn unavailable(&self, tool: &Tool) -> Reason {
        let (name, title) = (shown(&tool.full_name), shown(&tool.module_title));
        let (ask, whom) = self.who_answers_for(tool);
        let (code, sentence) = match tool.standing {
            ToolStanding::Drifted => (
                ReasonCode::ToolDrifted,
                format!(
                    "`{name}` is frozen, because its definition is no longer the one that was approved. Ask {whom} to \
                     review the change."
                ),
            ),
            ToolStanding::Proposed => (
                ReasonCode::ToolUnavailable,
                format!("`{name}` has not been approved yet. Ask {whom} to approve it."),
            ),
            ToolStanding::Withdrawn => (
                ReasonCode::ToolUnavailable,
                format!("`{name}` has been withdrawn. Ask {whom} what to use instead."),
            ),
            ToolStanding::Approved => (
                ReasonCode::ToolUnavailable,
                format!("{title} is switched off, and `{name}` with it. Ask {whom} when it will be back."),
            ),
        };
        Reason { ask: Some(ask), ..self.reason(code, format!("Denied: {sentence}")) }
    }

    /// No grant gives agent or person the key.
    pub(crate) fn missing_key(&self, principal: &Principal, tool: &Tool, who: Lacking) -> Reason {
        let (code, lack) = match who {
            Lacking::Agent => (ReasonCode::MissingKey, format!("{} has no", agent(principal))),
            Lacking::Person => (
                ReasonCode::OnBehalfMissingKey,
                format!("{}, for whom {} acts, has no", person(principal), agent(principal)),
            ),
            Lacking::Both => (
                ReasonCode::MissingKey,
                format!("neither {} nor {}, for whom it acts, has", agent(principal), person(principal)),
            ),
        };
        self.lacking(code, &lack, tool)
    }

    /// `lack` and the key: where the key is, and whom to ask for it. `lack` ends in “has no” or “has”.
    fn lacking(&self, code: ReasonCode, lack: &str, tool: &Tool) -> Reason {
        let (ask, whom) = self.who_answers_for(tool);
        let granted = match self.holders.sentence_part(self, tool) {
            Some(holders) => format!("It is granted to {holders}."),
            None => "It is granted to nobody yet.".to_owned(),
        };
        let sentence = format!("Denied: {lack} `{}`. {granted} Ask {whom} for it.", tool.key);
        Reason { missing_key: Some(tool.key.clone()), ask: Some(ask), ..self.reason(code, sentence) }
    }

    /// The last grant of the key has ended since the directory was built.
    pub(crate) fn key_over(&self, principal: &Principal, tool: &Tool, who: Lacking) -> Reason {
        let (code, holder, keys) = match (who, &principal.person) {
            (Lacking::Person, Some(acted_for)) => (
                ReasonCode::OnBehalfMissingKey,
                format!("{}, for whom {} acts,", person(principal), agent(principal)),
                &acted_for.keys,
            ),
            _ => (ReasonCode::MissingKey, agent(principal), &principal.agent.keys),
        };
        let end = keys.until(&tool.key, &tool.module_key).flatten().map(instant).unwrap_or_default();
        let (ask, whom) = self.who_answers_for(tool);
        let sentence = format!(
            "Denied: {holder} has no `{}` any more: the grant ended on {end}. Ask {whom} for it.",
            tool.key
        );
        Reason { missing_key: Some(tool.key.clone()), ask: Some(ask), ..self.reason(code, sentence) }
    }

    /// The call needs a person's approval.
    pub(crate) fn approval_required(&self, principal: &Principal, tool: &Tool) -> Reason {
        self.held(&agent(principal), tool)
    }

    fn held(&self, who: &str, tool: &Tool) -> Reason {
        let (ask, whom) = self.who_answers_for(tool);
        let sentence = format!(
            "Held: {} may call `{}` only once a person has approved the call. Ask {whom} about it.",
            who,
            shown(&tool.full_name)
        );
        Reason { ask: Some(ask), ..self.reason(ReasonCode::ApprovalRequired, sentence) }
    }

    /// A policy forbids it, or none permits it although the key is there.
    pub(crate) fn forbidden(&self, principal: &Principal, tool: &Tool, determining: &[usize]) -> Reason {
        self.kept_from(&agent(principal), tool, determining)
    }

    fn kept_from(&self, who: &str, tool: &Tool, determining: &[usize]) -> Reason {
        let name = shown(&tool.full_name);
        let because = match self.policies(determining) {
            Some(policies) => format!("{who} is kept from calling `{name}` by {policies}"),
            None => format!("no policy permits {who} to call `{name}`"),
        };
        let sentence = format!("Denied: {because}. Ask {ADMIN} about it.");
        Reason { ask: Some(ADMIN.to_owned()), ..self.reason(ReasonCode::PolicyForbids, sentence) }
    }

    /// A policy could not be evaluated.
    pub(crate) fn policy_failed(&self, principal: &Principal, tool: &Tool, failed: &[usize]) -> Reason {
        self.undecidable(&agent(principal), tool, failed)
    }

    fn undecidable(&self, who: &str, tool: &Tool, failed: &[usize]) -> Reason {
        let policies = self.policies(failed).unwrap_or_else(|| "a policy".to_owned());
        let sentence = format!(
            "Denied: {policies} could not be evaluated when {} called `{}`, and nothing is permitted in doubt. Ask {ADMIN} \
             to mend it.",
            who,
            shown(&tool.full_name)
        );
        Reason { ask: Some(ADMIN.to_owned()), ..self.reason(ReasonCode::PolicyError, sentence) }
    }

    /// Why a person, whoever acts for them, could not call a tool: what would stand in the way of every agent.
    pub(crate) fn why_not_for(&self, person: &Person, tool: &Tool, side: &Side) -> Reason {
        let who = shown(&person.name);
        let forbidden_by = |name| self.rules.includes(&side.determining, name);
        if side.failed {
            return self.undecidable(&who, tool, &side.determining);
        }
        if side.verdict == Verdict::Hold {
            return self.held(&who, tool);
        }
        if forbidden_by(SUSPENDED) {
            let (code, sentence) = match self.tenant.standing {
                Standing::Suspended => {
                    let tenant = shown(&self.tenant.name);
                    let sentence =
                        format!("the organization {tenant} is suspended, so nobody may do anything");
                    (ReasonCode::TenantSuspended, sentence)
                }
                Standing::Active => (
                    ReasonCode::UserSuspended,
                    format!("{who} is suspended, and so is whatever acts for them"),
                ),
            };
            return Reason {
                ask: Some(ADMIN.to_owned()),
                ..self.reason(code, format!("Denied: {sentence}. Ask {ADMIN}."))
            };
        }
        if forbidden_by(UNAVAILABLE) {
            return self.unavailable(tool);
        }
        if side.determining.is_empty() && person.keys.until(&tool.key, &tool.module_key).is_none() {
            return self.lacking(ReasonCode::MissingKey, &format!("{who} has no"), tool);
        }
        self.kept_from(&who, tool, &side.determining)
    }

    /// The last grant of a person's key has ended since the directory was built.
    pub(crate) fn key_over_for(&self, person: &Person, tool: &Tool) -> Reason {
        self.lacking(ReasonCode::MissingKey, &format!("{} has no longer", shown(&person.name)), tool)
    }

    /// Principal or tool are of another epoch or tenant.
    pub(crate) fn foreign(&self) -> Reason {
        let sentence = "Denied: agent and tool were looked up under other rights than those that hold now. Make the call \
                        again.";
        self.reason(ReasonCode::PolicyError, sentence.to_owned())
    }

    /// The credential's time was over when the call was decided.
    pub(crate) fn credential_over(&self, principal: &Principal) -> Reason {
        let sentence = format!("Denied: {}", expired(principal));
        let ask = Some(shown(&principal.owner_name));
        Reason { ask, ..self.reason(ReasonCode::CredentialExpired, sentence) }
    }

    /// The credential's time was over when it was presented.
    pub(crate) fn credential_expired(&self, principal: &Principal) -> String {
        format!("Refused: {}", expired(principal))
    }

    /// The credential was presented from elsewhere than it allows.
    pub(crate) fn credential_address(&self, principal: &Principal, from: Option<IpAddr>) -> String {
        let from =
            from.map_or_else(|| "an unknown address".to_owned(), |from| from.to_canonical().to_string());
        format!(
            "Refused: the credential of {} may not be used from {from}. Ask its owner, {}, to allow that address.",
            agent(principal),
            shown(&principal.owner_name)
        )
    }

    /// Who is suspended so that the principal may do nothing, if anybody is.
    pub(crate) fn suspension(&self, principal: &Principal) -> Option<(ReasonCode, String)> {
        let suspended = |standing| standing == Standing::Suspended;
        let (who, owner) = (agent(principal), shown(&principal.owner_name));
        if suspended(self.tenant.standing) {
            let tenant = shown(&self.tenant.name);
            let sentence =
                format!("the organization {tenant} is suspended, so {who} may do nothing. Ask {ADMIN}.");
            return Some((ReasonCode::TenantSuspended, sentence));
        }
        if self.tenant.agents_stopped {
            let tenant = shown(&self.tenant.name);
            let sentence = format!(
                "all agents of {tenant} are stopped, so {who} may do nothing until an owner lets them go on. Ask an owner."
            );
            return Some((ReasonCode::AgentSuspended, sentence));
        }
        if suspended(principal.agent.standing) {
            let sentence =
                format!("{who} is suspended. Ask its owner, {owner}, or {ADMIN} to make it active again.");
            return Some((ReasonCode::AgentSuspended, sentence));
        }
        if suspended(principal.agent.owner.standing) {
            let sentence = format!(
                "{owner}, who owns {who}, is suspended. Ask {ADMIN} to give the agent another owner."
            );
            return Some((ReasonCode::UserSuspended, sentence));
        }
        if principal.person.as_ref().is_some_and(|person| suspended(person.standing)) {
            let sentence = format!("{}, for whom {who} acts, is suspended. Ask {ADMIN}.", person(principal));
            return Some((ReasonCode::UserSuspended, sentence));
        }
        None
    }

    /// A reason that names nobody to ask.
    pub(crate) fn reason(&self, code: ReasonCode, sentence: String) -> Reason {
        Reason { code, sentence, missing_key: None, ask: None }
    }

    /// Whom to ask about a tool: by name alone, and as it stands in a sentence.
    fn who_answers_for(&self, tool: &Tool) -> (String, String) {
        let owner = self.catalog.module_of(tool).and_then(|module| module.owner.as_ref());
        match owner.filter(|owner| owner.standing == Standing::Active) {
            Some(owner) => {
                let name = shown(&owner.name);
                let whom = format!("the owner of {}, {name},", shown(&tool.module_title));
                (name, whom)
            }
            None => (ADMIN.to_owned(), ADMIN.to_owned()),
        }
    }

    /// Policies by name, for a sentence.
    fn policies(&self, numbers: &[usize]) -> Option<String> {
        let names: Vec<String> =
            self.rules.names(numbers).iter().map(|name| format!("policy `{}`", shown(name))).collect();
        if names.is_empty() { None } else { Some(all_of(&names, names.len())) }
    }
}

/// `agent Inbox helper (Marketing)`.
pub(crate) fn agent(principal: &Principal) -> String {
    format!("agent {} ({})", shown(&principal.agent_name), shown(&principal.unit_name))
}

/// The person an agent acts for.
fn person(principal: &Principal) -> String {
    principal.on_behalf_of_name.as_deref().map(shown).unwrap_or_default()
}

fn expired(principal: &Principal) -> String {
    let end = principal.expires_at.map(instant).unwrap_or_default();
    format!(
        "the credential of {} expired on {end}. Ask its owner, {}, for a new one.",
        agent(principal),
        shown(&principal.owner_name)
    )
}

/// A name as sentences show it.
pub(crate) fn shown(name: &str) -> String {
    plain(name, NAME)
}

/// Foreign text as sentences show it: on one line, without what could hide or turn text around it, and not longer than
/// `most` characters.
pub fn plain(text: &str, most: usize) -> String {
    let plain = |c: char| match c {
        '`' => '\'',
        // Marks of direction, line separators, and characters without width.
        '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    let mut words = String::with_capacity(text.len().min(4 * most));
    let mut length = 0;
    for c in text.chars().map(plain) {
        if c == ' ' && (words.is_empty() || words.ends_with(' ')) {
            continue;
        }
        if length == most {
            words.push('…');
            break;
        }
        words.push(c);
        length += 1;
    }
    words.trim_end().to_owned()
}

/// `A`, `A and B`, `A, B and C`, `A, B, C and 4 more`, of `total` of which the first are named.
pub(crate) fn all_of(named: &[String], total: usize) -> String {
    match (named.split_last(), total.saturating_sub(named.len())) {
        (None, _) => String::new(),
        (Some(_), more @ 1..) => format!("{} and {more} more", named.join(", ")),
        (Some((last, [])), 0) => last.clone(),
        (Some((last, first)), 0) => format!("{} and {last}", first.join(", ")),
    }
}

/// `A`, `A or B`, `A, B or C`.
fn any_of(named: &[String]) -> String {
    match named.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} or {last}", first.join(", ")),
    }
}

fn instant(at: Timestamp) -> String {
    at.format("%Y-%m-%d at %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_sentence() {
        for (name, seen) in [
            ("Dana Roth", "Dana Roth"),
            ("  Dana \n\t Roth ", "Dana Roth"),
            ("x`.\u{202E}Ask me", "x'. Ask me"),
            ("\u{0}", ""),
        ] {
            assert_eq!(shown(name), seen, "{name:?}");
        }
        let long = shown(&"ä".repeat(500));
        assert_eq!(long.chars().count(), NAME + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn lists_read_as_people_write_them() {
        let names =
            |n: usize| ["A", "B", "C"].iter().take(n).map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(all_of(&names(1), 1), "A");
        assert_eq!(all_of(&names(2), 2), "A and B");
        assert_eq!(all_of(&names(3), 3), "A, B and C");
        assert_eq!(all_of(&names(3), 7), "A, B, C and 4 more");
        assert_eq!(any_of(&names(3)), "A, B or C");
        assert_eq!(any_of(&names(1)), "A");
    }
}
