//! Who may use what.

use form_urlencoded::Serializer;
use model::access::{Grantee, PermissionKey};

use super::Links;

impl Links {
    /// The matrix of grants.
    pub fn grants(&self) -> String {
        self.at("grants")
    }

    /// The matrix, with what it shows: `query` as [`crate::pages::grants::query::MatrixQuery::to_query`] writes it.
    pub fn grants_with(&self, query: &str) -> String {
        with(self.grants(), query)
    }

    /// The list of grants.
    pub fn grant_list(&self) -> String {
        self.at("grants/list")
    }

    /// The list, with filters: `query` as [`crate::pages::grants::query::ListQuery::to_query`] writes it.
    pub fn grant_list_with(&self, query: &str) -> String {
        with(self.grant_list(), query)
    }

    /// Everything that was given to one unit, role, person or agent.
    pub fn grants_of(&self, grantee: Grantee) -> String {
        let (name, value) = grantee_pair(grantee);
        self.grant_list_with(&pairs([(name, value)]))
    }

    /// One key and one who may or may not have it.
    pub fn grant_cell(&self, key: &PermissionKey, grantee: Grantee) -> String {
        with(self.at("grants/cell"), &pairs([("at", item(key, grantee))]))
    }

    /// Giving a key. What is known already is filled in; what is not is asked for. A module's name stands for its keys.
    pub fn new_grant(&self, key: Option<&PermissionKey>, grantee: Option<Grantee>) -> String {
        let key = key.map(|key| ("key", key.to_string()));
        with(self.at("grants/new"), &pairs(key.into_iter().chain(grantee.map(grantee_pair))))
    }

    /// Giving one of a module's keys.
    pub fn new_grant_of(&self, module: &str) -> String {
        with(self.at("grants/new"), &pairs([("q", format!("{module}:"))]))
    }

    /// What a change would come to, before it is made. A form leads here too, by POST.
    pub fn review_grants(&self) -> String {
        self.at("grants/review")
    }

    /// The same for a change that is known: `query` as [`crate::pages::grants::query::Asked::to_query`] writes it.
    pub fn review_of(&self, query: &str) -> String {
        with(self.review_grants(), query)
    }

    /// Makes the change (POST).
    pub fn change_grants(&self) -> String {
        self.at("grants/change")
    }

    /// The page of a unit, person or agent; of a role, its column.
    pub fn grantee(&self, grantee: Grantee) -> String {
        match grantee {
            Grantee::Unit(id) => self.unit(id),
            Grantee::User(id) => self.user(id),
            Grantee::Agent(id) => self.agent(id),
            Grantee::Role(_) => self.grants_with("by=roles"),
        }
    }
}

/// A grantee as a name and a value of a query: `unit=unit_…`, `role=admin`.
pub fn grantee_pair(grantee: Grantee) -> (&'static str, String) {
    match grantee {
        Grantee::Unit(id) => ("unit", id.to_string()),
        Grantee::Role(role) => ("role", role.to_string()),
        Grantee::User(id) => ("user", id.to_string()),
        Grantee::Agent(id) => ("agent", id.to_string()),
    }
}

/// A key and whose, as addresses and forms carry it: `crm:write@unit_0191…`.
pub fn item(key: &PermissionKey, grantee: Grantee) -> String {
    match grantee {
        Grantee::Role(role) => format!("{key}@role_{role}"),
        Grantee::Unit(id) => format!("{key}@{id}"),
        Grantee::User(id) => format!("{key}@{id}"),
        Grantee::Agent(id) => format!("{key}@{id}"),
    }
}

fn pairs(pairs: impl IntoIterator<Item = (&'static str, String)>) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn with(path: String, query: &str) -> String {
    if query.is_empty() { path } else { format!("{path}?{query}") }
}
