//! The standing policies, parsed and validated once in a process, and how Cedar is asked.
//!
//! Cedar goes through every policy that it is given for each request. So each action has a policy set of its
//! own, without the policies that cannot matter to it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cedar_policy::{
    ActionConstraint, Authorizer, Context, Decision, Effect, Entities, EntityId, EntityTypeName, EntityUid,
    Policy, PolicyId, PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use model::call::Digest;
use sha2::{Digest as _, Sha256};

use crate::directory::BuildError;
use crate::schema::{self, Action, ON_BEHALF};

/// The standing policies as they are written.
const TEXT: &str = include_str!("standing.cedar");

/// The standing policy that forbids on account of a suspension.
pub(crate) const SUSPENDED: &str = "suspended";
/// The standing policy that forbids tools that take no calls.
pub(crate) const UNAVAILABLE: &str = "unavailable";

/// Ids of policies, shared by all decisions that rest on the same ones.
pub(crate) type PolicyNames = Arc<[Arc<str>]>;

/// Policies that are fit to be asked.
pub(crate) struct Rules {
    schema: Schema,
    authorizer: Authorizer,
    /// Sorted; a policy's place here is its number.
    names: Vec<Arc<str>>,
    numbers: HashMap<PolicyId, usize>,
    list: Asked,
    call: Asked,
    call_unattended: Asked,
    alone: Context,
    on_behalf: Context,
    /// Sets of determining policies that come up all the time, by their numbers.
    usual: Vec<(Vec<usize>, PolicyNames)>,
    version: Digest,
}

/// What is asked for one action.
struct Asked {
    action: EntityUid,
    policies: PolicySet,
}

/// What Cedar answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Cedar allows it and no policy failed.
    pub(crate) allowed: bool,
    /// Numbers of the determining policies, ascending; of those that failed, if any did.
    pub(crate) determining: Vec<usize>,
    /// A policy could not be evaluated, or the question could not be put.
    pub(crate) failed: bool,
}

impl Rules {
    /// The standing policies, parsed and validated at the first call.
    ///
    /// # Errors
    /// When they do not parse or do not fit the schema: nothing can be decided.
    pub(crate) fn standing() -> Result<Arc<Self>, BuildError> {
        static STANDING: LazyLock<Result<Arc<Rules>, String>> =
            LazyLock::new(|| Rules::parse(TEXT).map(Arc::new));
        STANDING.clone().map_err(BuildError::Cedar)
    }

    /// Parses policies and validates them strictly. Each must have an `@id`, and no two the same.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let schema_text = schema::text();
        let (schema, _) = Schema::from_cedarschema_str(&schema_text).map_err(|e| format!("schema: {e}"))?;
        let mut policies = Vec::new();
        for policy in text.parse::<PolicySet>().map_err(|e| format!("policies: {e}"))?.policies() {
            let name = policy.annotation("id").ok_or_else(|| format!("policy {} has no @id", policy.id()))?;
            policies.push(policy.new_id(PolicyId::new(name)));
        }
        policies.sort_by(|a, b| a.id().cmp(b.id()));
        let all = PolicySet::from_policies(policies.iter().cloned()).map_err(|e| format!("policies: {e}"))?;
        let verdict = Validator::new(schema.clone()).validate(&all, ValidationMode::Strict);
        if !verdict.validation_passed_without_warnings() {
            return Err(format!("policies do not fit the schema: {verdict}"));
        }

        let names: Vec<Arc<str>> = policies.iter().map(|policy| Arc::from(policy.id().as_ref())).collect();
        let numbers = policies.iter().enumerate().map(|(i, policy)| (policy.id().clone(), i)).collect();
        let context = |on_behalf| {
            Context::from_pairs([(ON_BEHALF.to_owned(), RestrictedExpression::new_bool(on_behalf))])
                .map_err(|e| format!("context: {e}"))
        };
        let mut hash = Sha256::new();
        hash.update(&schema_text);
        hash.update([0]);
        hash.update(text);
        let mut rules = Self {
            authorizer: Authorizer::new(),
            list: Asked::new(Action::List, &policies)?,
            call: Asked::new(Action::Call, &policies)?,
            call_unattended: Asked::new(Action::CallUnattended, &policies)?,
            alone: context(false)?,
            on_behalf: context(true)?,
            usual: Vec::new(),
            version: hash.finalize().into(),
            schema,
            names,
            numbers,
        };
        rules.usual = rules.usual_sets();
        Ok(rules)
    }

    /// The schema that entities are checked against.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// SHA-256 of the schema, a zero byte and the policies, as written.
    pub(crate) fn version(&self) -> Digest {
        self.version
    }

    /// Asks Cedar one question; [`Action::CallUnattended`] only once the same has been allowed for
    /// [`Action::Call`]. A policy that cannot be evaluated makes the answer no, whatever the others say:
    /// Cedar alone would skip it, and a `forbid` that fails would then forbid nothing.
    pub(crate) fn ask(
        &self,
        entities: &Entities,
        principal: &EntityUid,
        action: Action,
        resource: &EntityUid,
        on_behalf: bool,
    ) -> Answer {
        let asked = match action {
            Action::List => &self.list,
            Action::Call => &self.call,
            Action::CallUnattended => &self.call_unattended,
        };
        let context = if on_behalf { &self.on_behalf } else { &self.alone };
        let request =
            Request::new(principal.clone(), asked.action.clone(), resource.clone(), context.clone(), None);
        let Ok(request) = request else {
            return Answer { allowed: false, determining: Vec::new(), failed: true };
        };
        let response = self.authorizer.is_authorized(&request, &asked.policies, entities);
        let diagnostics = response.diagnostics();
        let number = |id: &PolicyId| self.numbers.get(id).copied();
        let mut failures = diagnostics.errors().peekable();
        let failed = failures.peek().is_some();
        let mut determining: Vec<usize> = if failed {
            failures
                .filter_map(|error| match error {
                    cedar_policy::AuthorizationError::PolicyEvaluationError(error) => {
                        number(error.policy_id())
                    }
                })
                .collect()
        } else {
            diagnostics.reason().filter_map(number).collect()
        };
        determining.sort_unstable();
        Answer { allowed: !failed && response.decision() == Decision::Allow, determining, failed }
    }

    /// The names of policies, by their numbers in ascending order. Shared, not made anew, for the usual sets.
    pub(crate) fn names(&self, numbers: &[usize]) -> PolicyNames {
        self.usual
            .iter()
            .find(|(usual, _)| usual == numbers)
            .map_or_else(|| self.named(numbers), |(_, names)| Arc::clone(names))
    }

    /// Whether a policy is among these numbers.
    pub(crate) fn includes(&self, numbers: &[usize], name: &str) -> bool {
        numbers.iter().any(|number| self.names.get(*number).is_some_and(|known| &**known == name))
    }

    fn named(&self, numbers: &[usize]) -> PolicyNames {
        numbers.iter().filter_map(|number| self.names.get(*number).cloned()).collect()
    }

    /// Nothing, each policy alone, and each two of them: a permit rests on one policy for `call` and one for
    /// `callUnattended`.
    fn usual_sets(&self) -> Vec<(Vec<usize>, PolicyNames)> {
        let few = self.names.len().min(8);
        let singles = (0..few).map(|a| vec![a]);
        let pairs = (0..few).flat_map(|a| (a + 1..few).map(move |b| vec![a, b]));
        std::iter::once(Vec::new())
            .chain(singles)
            .chain(pairs)
            .map(|set| {
                let names = self.named(&set);
                (set, names)
            })
            .collect()
    }
}

impl Asked {
    fn new(action: Action, policies: &[Policy]) -> Result<Self, String> {
        let entity = action_entity(action)?;
        let mut sliced = PolicySet::new();
        for policy in policies.iter().filter(|policy| names_action(policy, &entity)) {
            let mut json = policy.to_json().map_err(|e| e.to_string())?;
            if action == Action::CallUnattended && is_settled_by_call(policy, &json)? {
                continue;
            }
            // Through JSON a policy loses what Cedar would go through for each request to no effect: the
            // action in its scope, which is this one, and the places in the text that its expressions came
            // from.
            if let Some(scope) = json.get_mut("action") {
                *scope = serde_json::json!({ "op": "All" });
            }
            let bare = Policy::from_json(Some(policy.id().clone()), json).map_err(|e| e.to_string())?;
            sliced.add(bare).map_err(|e| e.to_string())?;
        }
        Ok(Self { action: entity, policies: sliced })
    }
}

fn action_entity(action: Action) -> Result<EntityUid, String> {
    let kind = "Action".parse::<EntityTypeName>().map_err(|e| e.to_string())?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(action.id())))
}

/// Whether a policy's scope takes the action. What it does not take can neither satisfy the policy nor make
/// it fail.
fn names_action(policy: &Policy, action: &EntityUid) -> bool {
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(one) => one == *action,
        // The schema has no groups of actions, so that `in` is membership of the list.
        ActionConstraint::In(several) => several.contains(action),
    }
}

/// Whether it is known what a policy says to `callUnattended` where `call` has been allowed: a `forbid` that
/// speaks of both and does not look at the action has not forbidden the one, and principal, tool and context
/// of the other are the same.
fn is_settled_by_call(policy: &Policy, json: &serde_json::Value) -> Result<bool, String> {
    // At worst a text that a policy compares something with looks like the variable, and the policy stays.
    let looks_at_action =
        json.get("conditions").is_none_or(|conditions| conditions.to_string().contains(r#""Var":"action""#));
    Ok(policy.effect() == Effect::Forbid
        && names_action(policy, &action_entity(Action::Call)?)
        && !looks_at_action)
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules").field("names", &self.names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sliced(asked: &Asked) -> Vec<String> {
        let mut names: Vec<String> =
            asked.policies.policies().map(|policy| policy.id().to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn only_what_call_has_settled_is_not_asked_again() {
        let rules = Rules::parse(
            r#"@id("any") forbid (principal, action, resource) when { !principal.active };
               @id("both") forbid (principal, action in [Action::"call", Action::"callUnattended"], resource);
               @id("action") forbid (principal, action, resource) when { action == Action::"callUnattended" };
               @id("alone") forbid (principal, action == Action::"callUnattended", resource);
               @id("list") forbid (principal, action in [Action::"list", Action::"callUnattended"], resource);
               @id("permit") permit (principal, action, resource);"#,
        )
        .unwrap();
        assert_eq!(sliced(&rules.call_unattended), ["action", "alone", "list", "permit"]);
        assert_eq!(sliced(&rules.call), ["action", "any", "both", "permit"]);
    }

    #[test]
    fn the_standing_policies_fit_the_schema_strictly_and_without_warnings() {
        let rules = Rules::parse(TEXT).unwrap();
        let names: Vec<&str> = rules.names.iter().map(|name| &**name).collect();
        assert_eq!(names, ["granted", SUSPENDED, "unattended", UNAVAILABLE]);
        assert_eq!(sliced(&rules.list), ["granted", SUSPENDED, UNAVAILABLE]);
        assert_eq!(sliced(&rules.call), ["granted", SUSPENDED, UNAVAILABLE]);
        assert_eq!(sliced(&rules.call_unattended), ["unattended"]);
    }

    #[test]
    fn policies_that_do_not_fit_are_refused_whole() {
        for (text, fault) in [
            ("permit (principal, action, resource);", "has no @id"),
            ("@id(\"a\") permit (principal, action, resource) when { principal.age > 3 };", "age"),
            ("@id(\"a\") permit (principal in Role::\"admn\", action, resource);", "admn"),
            ("@id(\"a\") permit (principal, action, resource)", "policies:"),
            (
                "@id(\"a\") permit (principal, action, resource); @id(\"a\") forbid (principal, action, resource);",
                "duplicate",
            ),
        ] {
            let error = Rules::parse(text).unwrap_err();
            assert!(error.contains(fault), "{text}: {error}");
        }
    }

    #[test]
    fn the_version_moves_with_the_text() {
        let one = Rules::parse(TEXT).unwrap();
        assert_eq!(one.version(), Rules::standing().unwrap().version());
        assert_ne!(one.version(), Rules::parse(&format!("{TEXT}\n")).unwrap().version());
    }

    #[test]
    fn usual_sets_of_names_are_shared() {
        let rules = Rules::parse(TEXT).unwrap();
        assert!(Arc::ptr_eq(&rules.names(&[0, 2]), &rules.names(&[0, 2])));
        assert_eq!(rules.names(&[0, 2]).iter().map(|n| &**n).collect::<Vec<_>>(), ["granted", "unattended"]);
        assert_eq!(rules.names(&[0, 1, 3]).len(), 3);
    }
}
