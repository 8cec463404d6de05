//! Arguments checked against a tool's schema before a call is made, so that a mistake is said beside its field and not by
//! a server far away.
//!
//! The keywords that tools use are checked (JSON Schema 2020-12, and what drafts 4 to 7 write differently); others are left
//! to the tool, which checks for itself. A schema may be hostile, and no library bounds what one costs: here each step is
//! paid for, and whoever has nothing left is not checked further.

use super::{Tree, resolve};

/// Steps that one check may take, and how deep.
const STEPS: u32 = 40_000;
const DEPTH: u32 = 120;
/// Problems that are told at once.
const PROBLEMS: usize = 30;

/// A step to a value inside another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// A member of an object.
    Name(String),
    /// An entry of a list, from 0.
    Entry(usize),
}

/// What is wrong with one value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where it is; empty: the whole.
    pub path: Vec<Step>,
    /// What is wrong, and what would be right.
    pub sentence: String,
}

/// Checks a value. Nothing to say: it fits, as far as is checked here.
pub fn check(schema: &Tree, value: &Tree) -> Vec<Problem> {
    let mut check = Check { root: schema, steps: STEPS, path: Vec::new(), problems: Vec::new() };
    match check.value(schema, value, DEPTH) {
        Ok(()) => check.problems,
        // What was found until then is true all the same.
        Err(Spent) => check.problems,
    }
}

/// Nothing is left to pay the next step with.
struct Spent;

struct Check<'t> {
    root: &'t Tree,
    steps: u32,
    path: Vec<Step>,
    problems: Vec<Problem>,
}

impl<'t> Check<'t> {
    fn say(&mut self, sentence: impl Into<String>) {
        if self.problems.len() < PROBLEMS {
            self.problems.push(Problem { path: self.path.clone(), sentence: sentence.into() });
        }
    }

    fn at(&mut self, step: Step, schema: &'t Tree, value: &Tree, depth: u32) -> Result<(), Spent> {
        self.path.push(step);
        let done = self.value(schema, value, depth);
        self.path.pop();
        done
    }

    /// Whether a value fits a schema, without saying why not.
    fn fits(&mut self, schema: &'t Tree, value: &Tree, depth: u32) -> Result<bool, Spent> {
        let before = std::mem::take(&mut self.problems);
        let done = self.value(schema, value, depth);
        let fits = self.problems.is_empty();
        self.problems = before;
        done.map(|()| fits)
    }

    fn value(&mut self, schema: &'t Tree, value: &Tree, depth: u32) -> Result<(), Spent> {
        self.steps = self.steps.checked_sub(1).ok_or(Spent)?;
        let depth = depth.checked_sub(1).ok_or(Spent)?;
        match schema {
            Tree::Bool(false) => {
                self.say("leave this out: the tool does not take it");
                return Ok(());
            }
            Tree::Object(_) => {}
            _ => return Ok(()),
        }
        if schema.get("$ref").is_some() {
            // One that leads elsewhere or round in a circle is left to the tool.
            if let Some(resolved) = resolve(self.root, schema) {
                self.value(resolved, value, depth)?;
            }
        }
        if !self.is_of_kind(schema, value) {
            return Ok(());
        }
        self.is_among(schema, value)?;
        match value {
            Tree::Text(text) => self.text(schema, text),
            Tree::Number(_) => self.number(schema, value),
            Tree::List(items) => self.list(schema, items, depth)?,
            Tree::Object(members) => self.object(schema, members, value, depth)?,
            Tree::Null | Tree::Bool(_) => {}
        }
        self.combined(schema, value, depth)
    }

    fn is_of_kind(&mut self, schema: &Tree, value: &Tree) -> bool {
        let wanted: Vec<&str> = match schema.get("type") {
            Some(Tree::Text(kind)) => vec![kind],
            Some(Tree::List(kinds)) => kinds.iter().filter_map(Tree::text).collect(),
            _ => return true,
        };
        let is = |kind: &str| match kind {
            "string" => matches!(value, Tree::Text(_)),
            "number" => matches!(value, Tree::Number(_)),
            "integer" => value.number().is_some_and(|number| number.fract() == 0.0),
            "boolean" => matches!(value, Tree::Bool(_)),
            "array" => matches!(value, Tree::List(_)),
            "object" => matches!(value, Tree::Object(_)),
            "null" => matches!(value, Tree::Null),
            // Not a kind of JSON: the tool knows what it means.
            _ => true,
        };
        if wanted.iter().any(|kind| is(kind)) {
            return true;
        }
        let words: Vec<&str> = wanted.iter().take(8).map(|kind| in_words(kind)).collect();
        self.say(format!("give {}", words.join(" or ")));
        false
    }

    fn is_among(&mut self, schema: &Tree, value: &Tree) -> Result<(), Spent> {
        if let Some(only) = schema.get("const")
            && !only.same(value)
        {
            self.say(format!("it can only be {}", short(only)));
        }
        if let Some(Tree::List(choices)) = schema.get("enum") {
            let price = u32::try_from(choices.len()).unwrap_or(u32::MAX) / 16;
            self.steps = self.steps.checked_sub(price).ok_or(Spent)?;
            if !choices.iter().any(|choice| choice.same(value)) {
                let some: Vec<String> = choices.iter().take(8).map(short).collect();
                let more = if choices.len() > some.len() { " …" } else { "" };
                self.say(format!("choose one of {}{more}", some.join(", ")));
            }
        }
        Ok(())
    }

    fn text(&mut self, schema: &Tree, text: &str) {
        let length = text.chars().count() as f64;
        if let Some(least) = limit(schema, "minLength").filter(|least| length < *least) {
            self.say(format!("give at least {least} characters"));
        }
        if let Some(most) = limit(schema, "maxLength").filter(|most| length > *most) {
            self.say(format!("give at most {most} characters: these are {length}"));
        }
    }

    fn number(&mut self, schema: &Tree, value: &Tree) {
        let Some(number) = value.number() else { return };
        let over = matches!(schema.get("exclusiveMinimum"), Some(Tree::Bool(true)));
        let under = matches!(schema.get("exclusiveMaximum"), Some(Tree::Bool(true)));
        if let Some(least) = limit(schema, "minimum") {
            if over && number <= least {
                self.say(format!("give more than {least}"));
            } else if number < least {
                self.say(format!("give at least {least}"));
            }
        }
        if let Some(most) = limit(schema, "maximum") {
            if under && number >= most {
                self.say(format!("give less than {most}"));
            } else if number > most {
                self.say(format!("give at most {most}"));
            }
        }
        if let Some(bound) = limit(schema, "exclusiveMinimum").filter(|bound| number <= *bound) {
            self.say(format!("give more than {bound}"));
        }
        if let Some(bound) = limit(schema, "exclusiveMaximum").filter(|bound| number >= *bound) {
            self.say(format!("give less than {bound}"));
        }
        if let Some(step) = limit(schema, "multipleOf").filter(|step| *step > 0.0) {
            let times = number / step;
            if (times - times.round()).abs() > 1e-9 * times.abs().max(1.0) {
                self.say(format!("give a multiple of {step}"));
            }
        }
    }

    fn list(&mut self, schema: &'t Tree, items: &[Tree], depth: u32) -> Result<(), Spent> {
        let length = items.len() as f64;
        if let Some(least) = limit(schema, "minItems").filter(|least| length < *least) {
            self.say(format!("give at least {least} entries"));
        }
        if let Some(most) = limit(schema, "maxItems").filter(|most| length > *most) {
            self.say(format!("give at most {most} entries"));
        }
        if matches!(schema.get("uniqueItems"), Some(Tree::Bool(true))) {
            let price = u32::try_from(items.len().saturating_mul(items.len()) / 16).unwrap_or(u32::MAX);
            self.steps = self.steps.checked_sub(price).ok_or(Spent)?;
            let twice =
                items.iter().enumerate().find(|(at, item)| items.iter().take(*at).any(|it| it.same(item)));
            if let Some((_, item)) = twice {
                self.say(format!("{} stands there twice", short(item)));
            }
        }
        let (first, rest) = match (schema.get("prefixItems"), schema.get("items")) {
            (Some(Tree::List(first)), rest) => (first.as_slice(), rest),
            // Drafts up to 2019-09.
            (_, Some(Tree::List(first))) => (first.as_slice(), schema.get("additionalItems")),
            (_, rest) => (&[][..], rest),
        };
        for (at, item) in items.iter().enumerate() {
            if let Some(schema) = first.get(at).or(rest) {
                self.at(Step::Entry(at), schema, item, depth)?;
            }
        }
        Ok(())
    }

    fn object(
        &mut self,
        schema: &'t Tree,
        members: &[(String, Tree)],
        value: &Tree,
        depth: u32,
    ) -> Result<(), Spent> {
        for name in schema.get("required").map(Tree::items).unwrap_or_default().iter().filter_map(Tree::text)
        {
            if value.get(name).is_none() {
                self.path.push(Step::Name(name.to_owned()));
                self.say("give a value: the tool needs it");
                self.path.pop();
            }
        }
        let count = members.len() as f64;
        if let Some(least) = limit(schema, "minProperties").filter(|least| count < *least) {
            self.say(format!("give at least {least} of its values"));
        }
        if let Some(most) = limit(schema, "maxProperties").filter(|most| count > *most) {
            self.say(format!("give at most {most} of its values"));
        }
        let others = schema.get("additionalProperties");
        for (name, value) in members {
            match schema.get("properties").and_then(|properties| properties.get(name)) {
                Some(schema) => self.at(Step::Name(name.clone()), schema, value, depth)?,
                // Which names a pattern takes is the tool's to know.
                None if schema.get("patternProperties").is_some() => {}
                None => {
                    if let Some(schema) = others {
                        self.at(Step::Name(name.clone()), schema, value, depth)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn combined(&mut self, schema: &'t Tree, value: &Tree, depth: u32) -> Result<(), Spent> {
        for each in schema.get("allOf").map(Tree::items).unwrap_or_default() {
            self.value(each, value, depth)?;
        }
        if let Some(Tree::List(variants)) = schema.get("anyOf") {
            self.one_of(variants, value, depth, false)?;
        }
        if let Some(Tree::List(variants)) = schema.get("oneOf") {
            self.one_of(variants, value, depth, true)?;
        }
        if let Some(not) = schema.get("not")
            && self.fits(not, value, depth)?
        {
            self.say("this very value is what the tool does not take");
        }
        if let Some(condition) = schema.get("if") {
            let branch = if self.fits(condition, value, depth)? { "then" } else { "else" };
            if let Some(branch) = schema.get(branch) {
                self.value(branch, value, depth)?;
            }
        }
        Ok(())
    }

    fn one_of(&mut self, variants: &'t [Tree], value: &Tree, depth: u32, only: bool) -> Result<(), Spent> {
        let mut fitting = 0;
        let mut kin = None;
        for variant in variants {
            if self.fits(variant, value, depth)? {
                fitting += 1;
            } else if kin.is_none() && is_kin(self.root, variant, value) {
                kin = Some(variant);
            }
        }
        match (fitting, only, kin) {
            (1, ..) | (_, false, _) if fitting > 0 => {}
            // What was meant is told apart best by the variant of the same kind.
            (0, _, Some(variant)) => self.value(variant, value, depth)?,
            (0, ..) => self.say("it is none of what the tool takes here"),
            _ => self.say("it is several of what the tool takes here at once: be more exact"),
        }
        Ok(())
    }
}

/// Whether a variant is about values of this kind.
fn is_kin(root: &Tree, variant: &Tree, value: &Tree) -> bool {
    let kind = resolve(root, variant).and_then(|it| it.get("type")).and_then(Tree::text);
    matches!(
        (kind, value),
        (Some("string"), Tree::Text(_))
            | (Some("number" | "integer"), Tree::Number(_))
            | (Some("array"), Tree::List(_))
            | (Some("object"), Tree::Object(_))
            | (Some("boolean"), Tree::Bool(_))
    )
}

fn limit(schema: &Tree, word: &str) -> Option<f64> {
    schema.get(word).and_then(Tree::number)
}

fn in_words(kind: &str) -> &str {
    match kind {
        "string" => "a text",
        "number" => "a number",
        "integer" => "a whole number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        "null" => "nothing (null)",
        other => other,
    }
}

fn short(value: &Tree) -> String {
    let text = value.plain();
    match text.char_indices().nth(60) {
        None => format!("`{text}`"),
        Some((end, _)) => format!("`{}…`", text.split_at(end).0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(schema: &str, value: &str) -> Vec<String> {
        let problems = check(&Tree::read(schema).unwrap(), &Tree::read(value).unwrap());
        problems
            .into_iter()
            .map(|problem| {
                let path: Vec<String> = problem
                    .path
                    .iter()
                    .map(|step| match step {
                        Step::Name(name) => name.clone(),
                        Step::Entry(at) => at.to_string(),
                    })
                    .collect();
                format!("{}: {}", path.join("."), problem.sentence)
            })
            .collect()
    }

    #[test]
    fn each_mistake_is_said_where_it_is() {
        let schema = r##"{"type":"object","required":["city","days"],"additionalProperties":false,"$defs":{"P":{"type":"integer","minimum":1}},
            "properties":{"city":{"type":"string","minLength":2},"days":{"$ref":"#/$defs/P"},"unit":{"enum":["C","F"]},
            "tags":{"type":"array","items":{"type":"string"},"maxItems":2,"uniqueItems":true},
            "id":{"anyOf":[{"type":"integer"},{"type":"string","minLength":3}]},"step":{"type":"number","multipleOf":0.1}}}"##;
        assert_eq!(
            said(schema, r#"{"city":"Bonn","days":3,"unit":"C","tags":["a","b"],"id":"abc","step":0.3}"#),
            [""; 0]
        );
        assert_eq!(
            said(
                schema,
                r#"{"city":"B","days":0.5,"unit":"K","tags":["a","a",1],"id":"x","step":0.25,"more":1}"#
            ),
            [
                "city: give at least 2 characters",
                "days: give a whole number",
                "unit: choose one of `C`, `F`",
                "tags: give at most 2 entries",
                "tags: `a` stands there twice",
                "tags.2: give a text",
                "id: give at least 3 characters",
                "step: give a multiple of 0.1",
                "more: leave this out: the tool does not take it",
            ]
        );
        assert_eq!(
            said(schema, "{}"),
            ["city: give a value: the tool needs it", "days: give a value: the tool needs it"]
        );
        assert_eq!(
            said(r#"{"oneOf":[{"type":"string"},{"type":"null"}]}"#, "3"),
            [": it is none of what the tool takes here"]
        );
        assert_eq!(
            said(r#"{"if":{"type":"string"},"then":{"minLength":2},"else":{"type":"number"}}"#, "\"x\"")
                .len(),
            1
        );
        assert_eq!(said(r#"{"not":{"const":1}}"#, "1.0").len(), 1);
    }

    #[test]
    fn a_hostile_schema_costs_no_more_than_it_may() {
        let began = std::time::Instant::now();
        // Round in a circle, with and without going down.
        said(r##"{"$ref":"#"}"##, "{}");
        said(r##"{"allOf":[{"$ref":"#"},{"$ref":"#"}]}"##, "{}");
        said(r##"{"not":{"not":{"$ref":"#"}}}"##, "{}");
        // Each definition is two of the next: two to the power of sixty.
        let defs: Vec<String> = (0..60)
            .map(|n| {
                format!(
                    r##""d{n}":{{"anyOf":[{{"$ref":"#/$defs/d{0}"}},{{"$ref":"#/$defs/d{0}"}}]}}"##,
                    n + 1
                )
            })
            .collect();
        said(&format!(r##"{{"$defs":{{{},"d60":false}},"$ref":"#/$defs/d0"}}"##, defs.join(",")), "{}");
        let many: Vec<String> = (0..5_000).map(|n| n.to_string()).collect();
        said(r#"{"uniqueItems":true}"#, &format!("[{}]", many.join(",")));
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }

    proptest! {
        #[test]
        fn no_schema_makes_it_panic(schema in "[\\[\\]{}\":,a-z$#/0-9]{0,60}", value in "[\\[\\]{}\":,a-z0-9]{0,40}") {
            if let (Some(schema), Some(value)) = (Tree::read(&schema), Tree::read(&value)) {
                check(&schema, &value);
            }
        }
    }
}
