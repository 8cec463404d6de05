//! What a schema may cost, told from its text before anything is compiled.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// The stack for schemas that go on, in bytes: deep arguments times long chains of references.
const STACK: usize = 128 << 20;
/// How many values a schema may consist of.
const VALUES: usize = 50_000;
/// How many references it may hold: the longest chain of them, for each level of the arguments, has to fit the stack.
pub(super) const REFERENCES: usize = 512;
/// How large a schema may be with what it refers to put in its place, in values, so that each fault is looked for.
const UNFOLDED: usize = 50_000;
/// The same in depth: neither what looks at it here nor what walks it takes much of a stack then.
const DEEPEST: usize = 100;

/// What is known of a schema before it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outline {
    /// Whether it goes on without end, as the schema of a tree does, or is as good as endless once references are followed.
    pub(super) goes_on: bool,
}

/// Why a schema is not used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TooMuch {
    /// It is too large.
    #[error("the schema consists of more than {VALUES} values")]
    Values,
    /// It refers too much.
    #[error("the schema holds more than {REFERENCES} references")]
    References,
}

impl Outline {
    /// Runs what walks the schema, on a stack that suits it.
    pub(super) fn with_stack<T>(self, walk: impl FnOnce() -> T) -> T {
        if self.goes_on { stacker::grow(STACK, walk) } else { walk() }
    }
}

/// Looks at a schema, which nests no deeper than what serde_json reads (128 levels).
pub(super) fn outline(schema: &Value) -> Result<Outline, TooMuch> {
    let (mut values, mut references) = (0, 0);
    let mut waiting = vec![schema];
    while let Some(value) = waiting.pop() {
        values += 1;
        if values > VALUES {
            return Err(TooMuch::Values);
        }
        match value {
            Value::Array(items) => waiting.extend(items),
            Value::Object(members) => {
                references += members.keys().filter(|key| is_reference(key)).count();
                if references > REFERENCES {
                    return Err(TooMuch::References);
                }
                waiting.extend(members.values());
            }
            _ => {}
        }
    }
    let mut unfolding = Unfolding { schema, known: HashMap::new(), under_way: HashSet::new() };
    let extent = unfolding.extent(schema, 0);
    Ok(Outline { goes_on: extent.is_none_or(|extent| extent.values > UNFOLDED) })
}

fn is_reference(key: &str) -> bool {
    matches!(key, "$ref" | "$dynamicRef" | "$recursiveRef")
}

/// Looks at a schema with what it refers to put in its place.
struct Unfolding<'a> {
    schema: &'a Value,
    known: HashMap<&'a str, Extent>,
    under_way: HashSet<&'a str>,
}

/// How many values there are, and how deep they lie.
#[derive(Clone, Copy)]
struct Extent {
    values: usize,
    depth: usize,
}

impl<'a> Unfolding<'a> {
    /// Its extent. None: it has no end, is too deep, or refers by other means than `#/…`.
    fn extent(&mut self, value: &'a Value, above: usize) -> Option<Extent> {
        let mut extent = Extent { values: 1, depth: 1 };
        if above > DEEPEST {
            return None;
        }
        match value {
            Value::Array(items) => {
                for item in items {
                    extent.hold(self.extent(item, above + 1)?)?;
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    extent.hold(match member {
                        Value::String(target) if is_reference(key) => self.target(target, above + 1)?,
                        member => self.extent(member, above + 1)?,
                    })?;
                }
            }
            _ => {}
        }
        Some(extent)
    }

    fn target(&mut self, reference: &'a str, above: usize) -> Option<Extent> {
        if let Some(extent) = self.known.get(reference) {
            return Some(*extent);
        }
        let target = self.schema.pointer(reference.strip_prefix('#')?)?;
        if !self.under_way.insert(reference) {
            return None;
        }
        let extent = self.extent(target, above)?;
        self.under_way.remove(reference);
        self.known.insert(reference, extent);
        Some(extent)
    }
}

impl Extent {
    /// One more value in it. None: that is too deep.
    fn hold(&mut self, value: Self) -> Option<()> {
        self.values = self.values.saturating_add(value.values);
        self.depth = self.depth.max(value.depth + 1);
        (self.depth <= DEEPEST).then_some(())
    }
}
