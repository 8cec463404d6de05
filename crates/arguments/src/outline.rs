//! What a schema may cost, told from its text before anything is compiled.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// How many values a schema may consist of, with what it refers to put in its place wherever that ends: what is under a
/// reference is looked at again for each way that leads there.
const VALUES: usize = 50_000;
/// How many references it may hold: the longest chain of them, for each level of the arguments, has to fit the stack.
pub(super) const REFERENCES: usize = 512;
/// From this depth on, references followed, a schema has a stack of its own.
const DEEP: usize = 100;
/// That stack, in bytes.
const STACK: usize = 128 << 20;

/// What is known of a schema before it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outline {
    /// How many values it consists of, references followed to where they come back.
    pub(super) values: usize,
    /// Whether references come back to where they were, as those of a tree's schema do, so that its depth is that of the
    /// arguments.
    pub(super) goes_on: bool,
    is_deep: bool,
}

/// Why a schema is not used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TooMuch {
    /// It is too large.
    #[error("it consists of more than {VALUES} values, references followed")]
    Values,
    /// It refers too much.
    #[error("it holds more than {REFERENCES} references")]
    References,
    /// It refers to what is not found by looking.
    #[error("it refers to `{0}`, and only references within it, `#/…`, are followed")]
    Reference(String),
    /// It is several schemas in one.
    #[error("a part of it has an `$id` of its own, which changes what its references mean")]
    Parts,
}

impl Outline {
    /// Runs what walks the schema, on a stack that suits it.
    pub(super) fn with_stack<T>(self, walk: impl FnOnce() -> T) -> T {
        if self.goes_on || self.is_deep { stacker::grow(STACK, walk) } else { walk() }
    }
}

/// Looks at a schema, which by itself nests no deeper than what serde_json reads (128 levels).
pub(super) fn outline(schema: &Value) -> Result<Outline, TooMuch> {
    let id = match schema.get("$schema").and_then(Value::as_str) {
        Some(draft) if draft.contains("draft-04") || draft.contains("draft-03") => "id",
        _ => "$id",
    };
    let (mut values, mut references, mut parts) = (0, 0, 0);
    let mut waiting = vec![schema];
    while let Some(value) = waiting.pop() {
        values += 1;
        match value {
            Value::Array(items) => waiting.extend(items),
            Value::Object(members) => {
                references += members.iter().filter(|(key, to)| is_reference(key) && to.is_string()).count();
                parts += usize::from(members.get(id).is_some_and(Value::is_string));
                waiting.extend(members.values());
            }
            _ => {}
        }
    }
    if values > VALUES {
        return Err(TooMuch::Values);
    }
    if references == 0 {
        return Ok(Outline { values, goes_on: false, is_deep: false });
    }
    if references > REFERENCES {
        return Err(TooMuch::References);
    }
    if parts > usize::from(schema.get(id).is_some_and(Value::is_string)) {
        return Err(TooMuch::Parts);
    }
    let mut unfolding =
        Unfolding { schema, known: HashMap::new(), under_way: HashSet::new(), goes_on: false };
    let extent = stacker::grow(STACK, || unfolding.whole())?;
    if extent.values > VALUES {
        return Err(TooMuch::Values);
    }
    Ok(Outline { values: extent.values, goes_on: unfolding.goes_on, is_deep: extent.depth > DEEP })
}

fn is_reference(key: &str) -> bool {
    matches!(key, "$ref" | "$dynamicRef" | "$recursiveRef")
}

/// Looks at a schema with what it refers to put in its place.
struct Unfolding<'a> {
    schema: &'a Value,
    known: HashMap<&'a str, Extent>,
    under_way: HashSet<&'a str>,
    goes_on: bool,
}

/// How many values there are, and how deep they lie.
#[derive(Clone, Copy)]
struct Extent {
    values: usize,
    depth: usize,
}

impl<'a> Unfolding<'a> {
    /// The whole schema, of whose definitions those count that are referred to.
    fn whole(&mut self) -> Result<Extent, TooMuch> {
        let mut extent = Extent { values: 1, depth: 1 };
        for (key, member) in self.schema.as_object().into_iter().flatten() {
            match member {
                _ if matches!(key.as_str(), "$defs" | "definitions") => {}
                Value::String(target) if is_reference(key) => extent.hold(self.target(target)?),
                member => extent.hold(self.extent(member)?),
            }
        }
        Ok(extent)
    }

    fn extent(&mut self, value: &'a Value) -> Result<Extent, TooMuch> {
        let mut extent = Extent { values: 1, depth: 1 };
        match value {
            Value::Array(items) => {
                for item in items {
                    extent.hold(self.extent(item)?);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    extent.hold(match member {
                        Value::String(target) if is_reference(key) => self.target(target)?,
                        member => self.extent(member)?,
                    });
                }
            }
            _ => {}
        }
        Ok(extent)
    }

    fn target(&mut self, reference: &'a str) -> Result<Extent, TooMuch> {
        if let Some(extent) = self.known.get(reference) {
            return Ok(*extent);
        }
        let target = reference.strip_prefix('#').and_then(|pointer| self.schema.pointer(pointer));
        let target = target.ok_or_else(|| TooMuch::Reference(reference.chars().take(200).collect()))?;
        if !self.under_way.insert(reference) {
            self.goes_on = true;
            return Ok(Extent { values: 1, depth: 1 });
        }
        let extent = self.extent(target)?;
        self.under_way.remove(reference);
        self.known.insert(reference, extent);
        Ok(extent)
    }
}

impl Extent {
    /// One more value in it.
    fn hold(&mut self, value: Self) {
        self.values = self.values.saturating_add(value.values);
        self.depth = self.depth.max(value.depth + 1);
    }
}
