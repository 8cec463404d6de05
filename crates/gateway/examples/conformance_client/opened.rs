//! A client of the `initialize` era (2025-11-25): it is asked on the answer to its request, and answers with a message of its
//! own.

use serde_json::{Value, json};

use crate::forms;
use crate::world::World;

pub struct Opened<'w> {
    world: &'w World,
    session: String,
}

impl<'w> Opened<'w> {
    pub async fn open(world: &'w World) -> Self {
        Self { world, session: world.open(json!({"elicitation": {}})).await }
    }

    /// The message that answers the request.
    pub async fn ask(&self, method: &str, params: Value) -> Value {
        let mut events = self.world.stream(&self.session, method, params).await;
        loop {
            let message = events.next().await;
            let Some(asked) = message["method"].as_str() else { return message };
            if !message["id"].is_null() {
                let result = forms::answer(asked, &message["params"]);
                let said = json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
                let headers =
                    [("mcp-protocol-version", "2025-11-25"), ("mcp-session-id", self.session.as_str())];
                self.world.post(&headers, said).await;
            }
        }
    }
}
