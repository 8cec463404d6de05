//! Who is in the demo organization: units, people, agents, and what they may use.

use model::people::Role;

/// A department and its teams.
pub(super) const UNITS: &[(&str, &[&str])] = &[
    ("Sales", &["EMEA", "Americas"]),
    ("Marketing", &["Content", "Campaigns"]),
    ("Engineering", &["Platform", "Product"]),
];

/// A person.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) role: Role,
    /// Where the role holds; none: everywhere.
    pub(super) on: Option<&'static str>,
}

const fn person(name: &'static str, unit: &'static str, role: Role) -> Person {
    Person { name, unit, role, on: None }
}

/// The owner, who comes with the organization.
pub(super) const OWNER: Person = person("Amara Okafor", "Sales", Role::Owner);

/// Everybody else.
pub(super) const PEOPLE: &[Person] = &[
    person("Jonas Lindqvist", "Engineering/Platform", Role::Admin),
    person("Priya Raman", "Engineering", Role::Auditor),
    person("Ingrid Solberg", "Marketing", Role::Finance),
    Person { name: "Mei-Lin Chen", unit: "Sales/Americas", role: Role::Approver, on: Some("Sales") },
    person("Yuki Tanaka", "Marketing", Role::Approver),
    person("Lena Haas", "Sales/EMEA", Role::Member),
    person("Oluwaseun Adeyemi", "Sales/EMEA", Role::Member),
    person("Grace Whitfield", "Sales/Americas", Role::Member),
    person("Farid Benali", "Marketing/Content", Role::Member),
    person("Sofia Rossi", "Marketing/Campaigns", Role::Member),
    person("Tomás Herrera", "Engineering/Product", Role::Member),
    person("Daniel Kovács", "Engineering/Platform", Role::Member),
];

/// The owner and everybody else.
pub(super) fn everybody() -> impl Iterator<Item = &'static Person> {
    std::iter::once(&OWNER).chain(PEOPLE)
}

/// `mei-lin.chen@example.com`.
pub(super) fn email(name: &str) -> String {
    let local: String = name
        .to_lowercase()
        .chars()
        .map(|c| match c {
            ' ' => '.',
            'á' => 'a',
            other => other,
        })
        .collect();
    format!("{local}@example.com")
}

/// An agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agent {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) owner: &'static str,
    /// The person for whom it acts with its key.
    pub(super) on_behalf_of: Option<&'static str>,
    /// Whether it has been stopped, after a week of work.
    pub(super) suspended: bool,
    pub(super) note: &'static str,
}

const fn agent(name: &'static str, unit: &'static str, owner: &'static str, note: &'static str) -> Agent {
    Agent { name, unit, owner, on_behalf_of: None, suspended: false, note }
}

/// The agents. Scripts look for the first three by their notes.
pub(super) const AGENTS: &[Agent] = &[
    agent("Pipeline reporter", "Sales/EMEA", "Lena Haas", "may read the CRM and not delete in it"),
    agent("CRM steward", "Sales/Americas", "Grace Whitfield", "may do everything in the CRM"),
    agent("Draft writer", "Marketing/Content", "Farid Benali", "may do nothing yet"),
    Agent {
        name: "Lead qualifier",
        unit: "Sales/EMEA",
        owner: "Oluwaseun Adeyemi",
        on_behalf_of: Some("Lena Haas"),
        suspended: false,
        note: "writes to the CRM on behalf of Lena Haas, as far as she may herself",
    },
    agent(
        "Campaign planner",
        "Marketing/Campaigns",
        "Sofia Rossi",
        "looks things up in the CRM, through its team",
    ),
    Agent {
        name: "Nightly sync",
        unit: "Engineering/Platform",
        owner: "Daniel Kovács",
        on_behalf_of: None,
        suspended: true,
        note: "kept the CRM tidy at night; suspended",
    },
    agent(
        "Release notes",
        "Engineering/Product",
        "Tomás Herrera",
        "used the team handbook, whose module is switched off",
    ),
];

/// To whom a permission key is given.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whom {
    Unit(&'static str),
    Role(Role),
    User(&'static str),
    Agent(&'static str),
}

/// What is given: key, to whom, and for how many days.
pub(super) const GRANTS: &[(&str, Whom, Option<i64>)] = &[
    ("crm:read", Whom::Unit("Sales"), None),
    ("crm:read", Whom::Unit("Marketing/Campaigns"), None),
    ("crm", Whom::Role(Role::Admin), None),
    ("crm:write", Whom::User("Lena Haas"), Some(90)),
    ("crm", Whom::Agent("CRM steward"), None),
    ("crm:write", Whom::Agent("Lead qualifier"), None),
    ("crm:delete", Whom::Agent("Lead qualifier"), None),
    ("crm:write", Whom::Agent("Nightly sync"), None),
    ("crm:read", Whom::Agent("Nightly sync"), None),
];

/// What a call costs, in euros, where it costs anything.
pub(super) const PRICES: &[(&str, &str)] = &[
    ("crm.list_companies", "0.002"),
    ("crm.get_company", "0.001"),
    ("crm.list_contacts", "0.002"),
    ("crm.get_contact", "0.001"),
    ("crm.list_deals", "0.002"),
    ("crm.get_deal", "0.001"),
    ("crm.list_interactions", "0.002"),
    ("crm.create_company", "0.01"),
    ("crm.create_contact", "0.01"),
    ("crm.create_deal", "0.01"),
    ("crm.update_company", "0.005"),
    ("crm.update_contact", "0.005"),
    ("crm.update_deal", "0.005"),
    ("crm.log_interaction", "0.0025"),
    ("crm.delete_interaction", "0.005"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain_and_scripts_find_their_agents() {
        assert_eq!(email("Tomás Herrera"), "tomas.herrera@example.com");
        assert!(everybody().all(|person| email(person.name).is_ascii()));
        let first = |word: &str| {
            AGENTS
                .iter()
                .position(|agent| format!("{}: {}", agent.name, agent.note).to_lowercase().contains(word))
        };
        assert_eq!([first("read"), first("everything"), first("nothing")], [Some(0), Some(1), Some(2)]);
    }
}
