//! Who works with the CRM: an agent whose calls were admitted, and a person who fills in forms.

use std::sync::Arc;

use control::crm::Given;
use control::{modules, native};
use model::call::Attribution;
use model::{CallId, TenantId, UserId};
use serde_json::Value;
use testkit::TestWorld;

/// An agent whose calls were admitted.
pub struct Agent<'w> {
    world: &'w TestWorld,
    pub who: Attribution,
    pub call: CallId,
}

pub fn agent(world: &TestWorld, tenant: TenantId, owner: UserId) -> Agent<'_> {
    let ambient = world.control.ambient();
    let who = Attribution {
        tenant,
        credential: ambient.id(),
        agent: ambient.id(),
        owner,
        on_behalf_of: None,
        unit_path: Arc::new([]),
        state: [0; 32],
        state_json: "{}".into(),
    };
    Agent { world, who, call: ambient.id() }
}

pub fn ours(world: &TestWorld) -> Agent<'_> {
    agent(world, world.tenant.tenant, world.tenant.owner)
}

impl Agent<'_> {
    async fn result(&self, tool: &str, arguments: Value) -> (Value, bool) {
        let (text, is_error) = native::call(
            &self.world.control,
            &self.who,
            self.call,
            "crm",
            tool,
            arguments.to_string().as_bytes(),
        )
        .await
        .unwrap();
        let result: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(result["isError"], is_error);
        (result, is_error)
    }

    /// The structured content of a call that succeeds; the text says the same.
    pub async fn does(&self, tool: &str, arguments: Value) -> Value {
        let (mut result, is_error) = self.result(tool, arguments).await;
        assert!(!is_error, "{result}");
        let structured = result["structuredContent"].take();
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, structured);
        self.fits(tool, &structured);
        structured
    }

    /// The sentence of a call that does not.
    pub async fn fails(&self, tool: &str, arguments: Value) -> String {
        let (result, is_error) = self.result(tool, arguments).await;
        assert!(is_error, "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }

    /// What a tool answers is what its output schema promises: every required member, and none that is not
    /// declared.
    fn fits(&self, tool: &str, structured: &Value) {
        let listed: Value = serde_json::from_str(include_str!("../../src/crm/definitions.json")).unwrap();
        let tool = listed.as_array().unwrap().iter().find(|listed| listed["tool"]["name"] == tool).unwrap();
        fits(&tool["tool"]["outputSchema"], structured);
    }
}

fn fits(schema: &Value, value: &Value) {
    let kind = schema["type"].as_str().unwrap();
    match kind {
        "object" => {
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(value.get(name.as_str().unwrap()).is_some(), "{name} is missing in {value}");
            }
            for (name, value) in value.as_object().unwrap() {
                let declared = &schema["properties"][name];
                assert!(!declared.is_null(), "{name} is not declared");
                fits(declared, value);
            }
        }
        "array" => value.as_array().unwrap().iter().for_each(|item| fits(&schema["items"], item)),
        "string" => assert!(value.is_string(), "{value}"),
        "integer" => assert!(value.is_u64(), "{value}"),
        "number" => assert!(value.is_number(), "{value}"),
        other => panic!("{other}"),
    }
}

/// The module in the catalog, so that people can use it.
pub async fn enabled(world: &TestWorld) {
    modules::enable_native(&world.control, &world.operator, "crm", None).await.unwrap();
}

/// A form as it was filled in.
pub fn given(fields: &[(&str, &str)]) -> Given {
    fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}
