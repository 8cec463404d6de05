//! Input schemas of tools: whether arguments are what a tool takes (JSON Schema 2020-12 unless the schema names another draft;
//! MCP, Tools, Data Types).
//!
//! Schemas come from upstream servers and arguments from agents, and both may be made to cost time, memory or stack. So
//! nothing is fetched, a schema that is large once references are followed is not used, patterns give up, and where a schema
//! comes back to itself the faults are not looked for one by one. The time that is left grows with the schema's size, references
//! followed, times that of the arguments.

mod outline;

use std::collections::HashSet;

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

pub use self::outline::TooMuch;
use self::outline::{Outline, outline};

/// How many faults are told.
const TOLD: usize = 3;
/// How far a pattern that looks around goes back before it gives up.
const BACKTRACKING: usize = 10_000;
/// Most memory of a compiled pattern, in bytes.
const PATTERN: usize = 1 << 20;

/// What a tool takes, compiled.
#[derive(Debug)]
pub struct InputSchema {
    validator: Validator,
    outline: Outline,
    /// The properties that it names and does not require.
    optional: HashSet<String>,
}

/// What is wrong with arguments, as far as it was looked for: where (a JSON Pointer, RFC 6901) and what, without the value.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The first of it. Empty: somewhere.
    pub faults: Vec<String>,
}

/// Why arguments are not checked against a schema.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unchecked {
    /// It is too much of a schema.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// It is none.
    #[error("{0}")]
    NoSchema(String),
}

impl InputSchema {
    /// Compiles the input schema in `definition`, the JSON text of a tool. None: it takes whatever comes.
    pub fn of(definition: &str) -> Result<Option<Self>, Unchecked> {
        #[derive(Deserialize)]
        struct Definition<'a> {
            #[serde(rename = "inputSchema", borrow)]
            input_schema: Option<&'a RawValue>,
        }
        let definition: Definition<'_> = serde_json::from_str(definition).map_err(no_schema)?;
        match definition.input_schema.map(RawValue::get) {
            None | Some(r#"{"type":"object"}"#) => Ok(None),
            Some(schema) => Self::new(schema).map(Some),
        }
    }

    fn new(schema: &str) -> Result<Self, Unchecked> {
        let schema: Value = serde_json::from_str(schema).map_err(no_schema)?;
        let outline = outline(&schema)?;
        let patterns = PatternOptions::fancy_regex()
            .backtrack_limit(BACKTRACKING)
            .size_limit(PATTERN)
            .dfa_size_limit(PATTERN);
        let options = jsonschema::options()
            .offline()
            .with_pattern_options(patterns)
            // What a format means is the server's business, as 2020-12 has it (Validation, section 7.2.1).
            .should_validate_formats(false);
        let validator =
            outline.with_stack(|| options.build(&schema)).map_err(|error| no_schema(error.masked()))?;
        let optional = optional(&schema);
        Ok(Self { validator, outline, optional })
    }

    /// About how many comparisons it may take at most to check arguments of this size in bytes. None: more than can be told.
    pub fn cost(&self, arguments: usize) -> Option<usize> {
        if self.outline.goes_on { None } else { self.outline.values.checked_mul(arguments) }
    }

    /// Whether `arguments`, the JSON text of an object, fit. Models say null of what they leave out: an optional property that is
    /// null is as good as one that is not there.
    pub fn check(&self, arguments: &[u8]) -> Result<(), Misfit> {
        let Ok(mut arguments) = serde_json::from_slice::<Value>(arguments) else {
            return Err(Misfit { faults: vec!["a number in them is too large to be read".to_owned()] });
        };
        if self.fits(&arguments) || (self.leave_out(&mut arguments) && self.fits(&arguments)) {
            return Ok(());
        }
        // Whether they fit is remembered where a schema comes back; where they do not is not, and would take ever so long.
        if self.outline.goes_on {
            return Err(Misfit { faults: Vec::new() });
        }
        let faults = self.outline.with_stack(|| self.validator.iter_errors(&arguments));
        Err(Misfit { faults: faults.take(TOLD).map(|error| fault(&error)).collect() })
    }

    fn fits(&self, arguments: &Value) -> bool {
        self.outline.with_stack(|| self.validator.is_valid(arguments))
    }

    /// Takes out what is optional and null; whether there was any.
    fn leave_out(&self, arguments: &mut Value) -> bool {
        let Value::Object(members) = arguments else { return false };
        let before = members.len();
        members.retain(|name, value| !value.is_null() || !self.optional.contains(name));
        members.len() < before
    }
}

/// The properties that a schema names and does not require, as far as it says so itself and not by reference.
fn optional(schema: &Value) -> HashSet<String> {
    let Some(Value::Object(properties)) = schema.get("properties") else { return HashSet::new() };
    let required = schema.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_required = |name: &str| required.iter().any(|required| required == name);
    properties.keys().filter(|name| !is_required(name)).cloned().collect()
}

fn no_schema(why: impl std::fmt::Display) -> Unchecked {
    Unchecked::NoSchema(why.to_string())
}

/// What is wrong where, without the value: what is told here is kept in the open.
fn fault(error: &ValidationError<'_>) -> String {
    let (at, what) = (error.instance_path().as_str(), error.masked());
    if at.is_empty() { what.to_string() } else { format!("{at}: {what}") }
}

#[cfg(test)]
mod tests;
