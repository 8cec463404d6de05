//! Limits on calls.

use model::LimitId;
use model::limit::{OfWhat, Whose};

use super::Links;

impl Links {
    /// All limits.
    pub fn limits(&self) -> String {
        self.at("settings/limits")
    }

    /// Where a limit is set.
    pub fn new_limit(&self) -> String {
        format!("{}/new", self.limits())
    }

    /// The same, filled in for whose calls of what.
    pub fn new_limit_of(&self, whose: Whose, what: OfWhat) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        match whose {
            Whose::Everybody => {}
            Whose::Unit(unit) => {
                query.append_pair("whose", &unit.to_string());
            }
            Whose::Agent(agent) => {
                query.append_pair("whose", &agent.to_string());
            }
        }
        match what {
            OfWhat::Everything => {}
            OfWhat::Module(module) => {
                query.append_pair("what", &module.to_string());
            }
            OfWhat::Tool(tool) => {
                query.append_pair("what", &tool.to_string());
            }
        }
        format!("{}?{}", self.new_limit(), query.finish())
    }

    /// One limit: where it is changed.
    pub fn limit(&self, id: LimitId) -> String {
        format!("{}/{id}", self.limits())
    }

    /// Before it is taken away; takes it away (POST).
    pub fn remove_limit(&self, id: LimitId) -> String {
        format!("{}/remove", self.limit(id))
    }
}
