//! Values that fit a schema, and what a person does who leaves a form as it is.

use serde_json::{Map, Value, json};

/// A value for a schema: its default, else the first that is allowed, else something of its type. Of an object, all properties.
pub fn sample(schema: &Value) -> Value {
    if let Some(value) = schema.get("default").or_else(|| schema.get("const")) {
        return value.clone();
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    if let Some(first) = schema["oneOf"].get(0).or_else(|| schema["anyOf"].get(0)) {
        return sample(first);
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("null") => Value::Null,
        Some("string") => json!("text"),
        _ => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties.map(|(name, schema)| (name.clone(), sample(schema))).collect::<Map<_, _>>().into()
        }
    }
}

/// The result with which a client answers a question of its server's.
pub fn answer(method: &str, params: &Value) -> Value {
    match method {
        "elicitation/create" => json!({"action": "accept", "content": sample(&params["requestedSchema"])}),
        "sampling/createMessage" => {
            json!({"role": "assistant", "model": "none", "content": {"type": "text", "text": "text"}})
        }
        _ => json!({"roots": []}),
    }
}
