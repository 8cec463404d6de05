//! The Cedar schema: what entities and actions there are. It is generated, so that the words in it are those
//! of the model and cannot drift from them.

use std::fmt::Write;

use model::people::Role;

/// The actions that a principal may take on a tool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// See that the tool exists, in `tools/list`.
    List,
    /// Call it, if need be once a person has approved.
    Call,
    /// Call it without asking anybody.
    CallUnattended,
}

impl Action {
    pub(crate) const ALL: [Self; 3] = [Self::List, Self::Call, Self::CallUnattended];

    /// The action's entity id in Cedar.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Call => "call",
            Self::CallUnattended => "callUnattended",
        }
    }
}

/// The attribute of the context that says whether the agent acts for a person.
pub(crate) const ON_BEHALF: &str = "onBehalf";

/// The schema in Cedar's own syntax (<https://docs.cedarpolicy.com/schema/human-readable-schema.html>).
pub(crate) fn text() -> String {
    let roles = Role::ALL.iter().map(|role| format!("{:?}", role.word())).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "\
entity Tenant;
entity Unit in [Unit, Tenant];
entity Role enum [{roles}];
entity User in [Unit, Role] = {{ active: Bool, keys: Set<String> }};
entity Agent in [Unit] = {{ active: Bool, keys: Set<String>, owner: User }};
entity Module;
entity Tool in [Module] = {{ key: String, moduleKey: String, moduleLive: Bool, standing: String }};
"
    );
    for action in Action::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "action {} appliesTo {{ principal: [Agent, User], resource: Tool, context: {{ {ON_BEHALF}: Bool }} }};",
            action.id()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_schema_reads_as_the_design_says() {
        assert_eq!(
            super::text(),
            r#"entity Tenant;
entity Unit in [Unit, Tenant];
entity Role enum ["owner", "admin", "auditor", "finance", "approver", "member"];
entity User in [Unit, Role] = { active: Bool, keys: Set<String> };
entity Agent in [Unit] = { active: Bool, keys: Set<String>, owner: User };
entity Module;
entity Tool in [Module] = { key: String, moduleKey: String, moduleLive: Bool, standing: String };
action list appliesTo { principal: [Agent, User], resource: Tool, context: { onBehalf: Bool } };
action call appliesTo { principal: [Agent, User], resource: Tool, context: { onBehalf: Bool } };
action callUnattended appliesTo { principal: [Agent, User], resource: Tool, context: { onBehalf: Bool } };
"#
        );
    }
}
