#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::json;

use super::outline::{REFERENCES, outline};
use super::*;

fn compiled(schema: &Value) -> InputSchema {
    InputSchema::new(&schema.to_string()).unwrap_or_else(|why| panic!("{:.300}: {why}", schema.to_string()))
}

fn faults(schema: &Value, arguments: &Value) -> Vec<String> {
    match compiled(schema).check(arguments.to_string().as_bytes()) {
        Ok(()) => Vec::new(),
        Err(Misfit { faults }) if faults.is_empty() => vec!["somewhere".to_owned()],
        Err(Misfit { faults }) => faults,
    }
}

#[test]
fn faults_are_told_with_their_place_and_without_the_value() {
    let schema = json!({
        "type": "object",
        "properties": {"amount": {"type": "integer", "minimum": 1}, "to": {"type": "array", "items": {"enum": ["a", "b"]}}},
        "required": ["amount"], "additionalProperties": false,
    });
    assert_eq!(faults(&schema, &json!({"amount": 3, "to": ["a"]})), Vec::<String>::new());
    assert_eq!(faults(&schema, &json!({})), [r#""amount" is a required property"#]);
    assert_eq!(
        faults(&schema, &json!({"amount": "my secret"})),
        [r#"/amount: value is not of type "integer""#]
    );
    let told = faults(&schema, &json!({"amount": 1, "to": ["a", "secret"], "more": "secret"}));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|fault| fault.starts_with("/to/1: ")), "{told:?}");
    assert!(!told.concat().contains("secret"), "{told:?}");
    // Not more than a model can use.
    let many: serde_json::Map<_, _> = (0..50).map(|n| (format!("p{n}"), json!({"type": "null"}))).collect();
    let wrong: serde_json::Map<_, _> = (0..50).map(|n| (format!("p{n}"), json!(1))).collect();
    assert_eq!(faults(&json!({"properties": many}), &wrong.into()).len(), TOLD);
}

#[test]
fn drafts_are_told_apart_and_formats_are_left_to_the_server() {
    let older = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"pair": {"items": [{"type": "string"}, {"type": "null"}]}},
    });
    assert_eq!(faults(&older, &json!({"pair": ["a", null]})), Vec::<String>::new());
    assert_eq!(faults(&older, &json!({"pair": ["a", 1]})).len(), 1);
    let format = json!({"properties": {"when": {"type": "string", "format": "date-time"}}});
    assert_eq!(faults(&format, &json!({"when": "yesterday"})), Vec::<String>::new());
}

#[test]
fn what_is_no_schema_or_reaches_out_is_not_used() {
    for schema in [
        json!({"type": "thing"}),
        json!({"$schema": "https://example.com/of-our-own", "type": "object"}),
        json!({"properties": {"a": {"pattern": "("}}}),
        json!({"properties": {"a": {"pattern": "((a{1000}){1000}){1000}"}}}),
    ] {
        let why = InputSchema::new(&schema.to_string()).err();
        assert!(matches!(why, Some(Unchecked::NoSchema(_))), "{schema}: {why:?}");
    }
    for (schema, refers) in [
        (json!({"$ref": "https://127.0.0.1:1/schema.json"}), true),
        (json!({"$ref": "file:///etc/passwd"}), true),
        (json!({"$ref": "#/nowhere"}), true),
        (json!({"$defs": {"a": {"$anchor": "a"}}, "$ref": "#a"}), true),
        (json!({"$defs": {"a": {"$id": "https://example.com/a", "$ref": "#/b"}}, "b": true}), false),
    ] {
        match InputSchema::new(&schema.to_string()).err() {
            Some(Unchecked::TooMuch(TooMuch::Reference(_))) if refers => {}
            Some(Unchecked::TooMuch(TooMuch::Parts)) if !refers => {}
            why => panic!("{schema}: {why:?}"),
        }
    }
    for takes_all in [r#"{"name":"a"}"#, r#"{"name":"a","inputSchema":{"type":"object"}}"#] {
        assert!(matches!(InputSchema::of(takes_all), Ok(None)), "{takes_all}");
    }
}

#[test]
fn the_schema_of_a_tree_is_checked_and_its_faults_are_not_looked_for() {
    let tree = json!({
        "$defs": {"node": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string"}, "below": {"type": "array", "items": {"$ref": "#/$defs/node"}}}}},
        "$ref": "#/$defs/node",
    });
    assert!(outline(&tree).unwrap().goes_on);
    assert_eq!(faults(&tree, &json!({"name": "a", "below": [{"name": "b"}]})), Vec::<String>::new());
    assert_eq!(faults(&tree, &json!({"name": "a", "below": [{"name": 1}]})), ["somewhere"]);
    // What many share is not what goes on.
    let shared = json!({
        "$defs": {"text": {"type": "string"}},
        "properties": {"a": {"$ref": "#/$defs/text"}, "b": {"$ref": "#/$defs/text"}},
    });
    assert!(!outline(&shared).unwrap().goes_on);
    assert_eq!(faults(&shared, &json!({"a": 1})).len(), 1);
}

/// Values in arrays or under `a`, as deep as arguments may be.
fn deep(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!({"a": inner}))
}

#[test]
fn schemas_made_to_cost_time_or_stack_cost_neither() {
    // Each level doubles, and nothing fits.
    let doubling = json!({
        "$defs": {"n": {"anyOf": [
            {"properties": {"a": {"$ref": "#/$defs/n"}}, "required": ["x"]},
            {"properties": {"a": {"$ref": "#/$defs/n"}}, "required": ["y"]},
        ]}},
        "$ref": "#/$defs/n",
    });
    assert_eq!(faults(&doubling, &deep(63)), ["somewhere"]);
    // The same without coming back: 2 to the power of 60.
    let doubled = |last: Value| {
        let defs: serde_json::Map<_, _> = (0..60)
            .map(|n| {
                let next = format!("#/$defs/n{}", n + 1);
                (format!("n{n}"), json!({"anyOf": [{"$ref": next}, {"$ref": next}]}))
            })
            .chain([("n60".to_owned(), last)])
            .collect();
        json!({"$defs": defs, "$ref": "#/$defs/n0"})
    };
    for last in [json!({"required": ["x"]}), json!({"properties": {"a": {"$ref": "#/$defs/n0"}}})] {
        let why = InputSchema::new(&doubled(last).to_string()).err();
        assert_eq!(why, Some(TooMuch::Values.into()));
    }
    // A circle that takes nothing apart.
    for circle in [
        json!({"$ref": "#"}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}),
    ] {
        assert_eq!(faults(&circle, &json!({})), Vec::<String>::new(), "{circle}");
    }
    // A chain as long as one may be, at each level of the arguments.
    let last = REFERENCES - 2;
    let chain: serde_json::Map<_, _> = (0..last)
        .map(|n| (format!("n{n}"), json!({"$ref": format!("#/$defs/n{}", n + 1)})))
        .chain([(format!("n{last}"), json!({"properties": {"a": {"$ref": "#/$defs/n0"}}}))])
        .collect();
    assert_eq!(faults(&json!({"$defs": chain, "$ref": "#/$defs/n0"}), &deep(63)), Vec::<String>::new());
    // More of them is too much.
    let more: Vec<_> = (0..=REFERENCES).map(|_| json!({"$ref": "#/$defs/a"})).collect();
    let more = json!({"$defs": {"a": true}, "allOf": more});
    assert_eq!(InputSchema::new(&more.to_string()).err(), Some(TooMuch::References.into()));
    let large = json!({"enum": vec![0; 60_000]});
    assert_eq!(InputSchema::new(&large.to_string()).err(), Some(TooMuch::Values.into()));
    // A pattern that goes back and forth gives up.
    let pattern = json!({"properties": {"a": {"pattern": r"^(?=(a+)+$)(a|a)*\1b"}}});
    let told = faults(&pattern, &json!({"a": "a".repeat(5000)}));
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn what_is_optional_and_null_is_left_out() {
    let schema = json!({
        "type": "object",
        "properties": {"region": {"type": "string"}, "limit": {"type": "integer"}, "within": {"properties": {"deep": {"type": "string"}}}},
        "required": ["limit"], "additionalProperties": false,
    });
    let fits = |arguments: &Value| faults(&schema, arguments).is_empty();
    assert!(fits(&json!({"limit": 1, "region": null})));
    // What is required, what is not named, and what lies deeper is what it is.
    assert!(!fits(&json!({"limit": null})));
    assert!(!fits(&json!({"limit": 1, "other": null})));
    assert!(!fits(&json!({"limit": 1, "within": {"deep": null}})));
    // Nor does one fault hide another.
    assert_eq!(
        faults(&schema, &json!({"limit": "1", "region": null})),
        [r#"/limit: value is not of type "integer""#]
    );
}
