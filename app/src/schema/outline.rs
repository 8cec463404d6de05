//! A schema as a table: one line for each value it speaks of, those inside others indented.

use super::{Tree, resolve};

/// Most lines of a table, and how deep they go.
const LINES: usize = 250;
const DEPTH: u8 = 8;
/// Choices named in a line.
const CHOICES: usize = 24;
/// Variants shown of `anyOf` and the like.
const VARIANTS: usize = 12;

/// One value.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Line {
    /// How many others it lies in.
    pub depth: u8,
    /// Its name; none where it has none, such as an entry of a list.
    pub name: Option<String>,
    /// Its place in words, where it has no name: `each entry`.
    pub place: &'static str,
    /// What it is: `text`, `list of numbers`.
    pub kind: String,
    /// Whether it must be there.
    pub required: bool,
    /// What holds for it: `1 to 20 characters`.
    pub rules: Vec<String>,
    /// What it may be, where that is a list; at most 24.
    pub choices: Vec<String>,
    /// How many more there are.
    pub more_choices: usize,
    /// What it is if it is left out.
    pub default: Option<String>,
    /// What the server says of it.
    pub description: Option<String>,
}

/// The table.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Outline {
    /// Its lines.
    pub lines: Vec<Line>,
    /// Whether there was more than is shown.
    pub cut: bool,
}

/// Reads a schema. The outermost value itself, an object as a rule, is not among the lines.
pub fn outline(schema: &Tree) -> Outline {
    let mut walk = Walk { root: schema, out: Outline::default(), open: Vec::new() };
    match resolve(schema, schema) {
        Some(resolved) => {
            walk.open.push(resolved);
            walk.inside(resolved, 0);
        }
        None => walk.out.cut = true,
    }
    walk.out
}

struct Walk<'t> {
    root: &'t Tree,
    out: Outline,
    /// Schemas that the present one lies in, to notice one that lies in itself.
    open: Vec<&'t Tree>,
}

impl<'t> Walk<'t> {
    /// Adds a line for a value, and lines for what lies inside.
    fn value(
        &mut self,
        schema: &'t Tree,
        name: Option<&str>,
        place: &'static str,
        required: bool,
        depth: u8,
    ) {
        if self.out.lines.len() >= LINES {
            self.out.cut = true;
            return;
        }
        let resolved = resolve(self.root, schema);
        let (nullable, body) = match resolved {
            Some(resolved) => without_null(self.root, resolved),
            None => (false, schema),
        };
        let described = |tree: &Tree| tree.get("description").and_then(Tree::text).map(str::to_owned);
        let description = described(schema)
            .or_else(|| resolved.and_then(described))
            .or_else(|| described(body))
            .filter(|text| !text.trim().is_empty());
        let round = self.open.iter().any(|open| std::ptr::eq(*open, body));
        let mut kind = match resolved {
            None => "see the raw schema".to_owned(),
            Some(_) if round => format!("{}, again as above", kind(self.root, body, 1)),
            Some(_) => kind(self.root, body, 1),
        };
        if nullable {
            kind.push_str(" or nothing (null)");
        }
        let choices = choices(body);
        let default =
            [Some(schema), resolved, Some(body)].into_iter().flatten().find_map(|it| it.get("default"));
        self.out.lines.push(Line {
            depth,
            name: name.map(str::to_owned),
            place,
            kind,
            required,
            rules: rules(body),
            more_choices: choices.len().saturating_sub(CHOICES),
            choices: choices.iter().take(CHOICES).map(Tree::plain).collect(),
            default: default.map(Tree::json),
            description,
        });
        if round {
            return;
        }
        if depth < DEPTH {
            self.open.push(body);
            self.inside(body, depth + 1);
            self.open.pop();
        } else if has_inside(body) {
            self.out.cut = true;
        }
    }

    fn inside(&mut self, schema: &'t Tree, depth: u8) {
        let required: Vec<&str> = schema
            .get("required")
            .map(Tree::items)
            .unwrap_or_default()
            .iter()
            .filter_map(Tree::text)
            .collect();
        for (name, property) in schema.get("properties").map(Tree::members).unwrap_or_default() {
            self.value(property, Some(name), "", required.contains(&name.as_str()), depth);
        }
        for (pattern, property) in schema.get("patternProperties").map(Tree::members).unwrap_or_default() {
            self.value(property, Some(pattern), "every name that matches", false, depth);
        }
        if let Some(other @ Tree::Object(members)) = schema.get("additionalProperties")
            && !members.is_empty()
        {
            self.value(other, None, "any other name", false, depth);
        }
        for item in schema.get("prefixItems").map(Tree::items).unwrap_or_default() {
            self.value(item, None, "the next entry", false, depth);
        }
        if let Some(items @ Tree::Object(_)) = schema.get("items") {
            // A list of plain values has said all in its own line, unless there is more to say of each.
            let said = resolve(self.root, items).is_some_and(|each| !has_inside(each) && is_bare(each));
            if !said {
                self.value(items, None, "each entry", false, depth);
            }
        }
        for (word, place) in [("oneOf", "either"), ("anyOf", "any of"), ("allOf", "and also")] {
            let variants = schema.get(word).map(Tree::items).unwrap_or_default();
            self.out.cut |= variants.len() > VARIANTS;
            for variant in variants.iter().take(VARIANTS) {
                self.value(variant, None, place, false, depth);
            }
        }
    }
}

fn has_inside(schema: &Tree) -> bool {
    ["properties", "patternProperties", "items", "prefixItems", "oneOf", "anyOf", "allOf"]
        .iter()
        .any(|word| schema.get(word).is_some())
}

fn is_bare(schema: &Tree) -> bool {
    schema.get("description").is_none() && choices(schema).is_empty() && rules(schema).is_empty()
}

/// A value that may also be null (`anyOf` with null, as generated from optional types) is shown as what it is otherwise.
pub(super) fn without_null<'t>(root: &'t Tree, schema: &'t Tree) -> (bool, &'t Tree) {
    for word in ["anyOf", "oneOf"] {
        let variants = schema.get(word).map(Tree::items).unwrap_or_default();
        let (nulls, others): (Vec<&Tree>, Vec<&Tree>) =
            variants.iter().partition(|it| it.get("type").and_then(Tree::text) == Some("null"));
        if let (false, [only]) = (nulls.is_empty(), others.as_slice())
            && let Some(only) = resolve(root, only)
        {
            return (true, only);
        }
    }
    (false, schema)
}

/// What it may be, where that is a list.
pub(super) fn choices(schema: &Tree) -> Vec<Tree> {
    match (schema.get("enum"), schema.get("const")) {
        (Some(Tree::List(choices)), _) => choices.clone(),
        (_, Some(only)) => vec![only.clone()],
        _ => Vec::new(),
    }
}

/// What a value is, in words.
fn kind(root: &Tree, schema: &Tree, depth: u8) -> String {
    let word = |name: &str| match name {
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "null" => "nothing (null)".to_owned(),
        "array" => list_of(root, schema, depth),
        other => other.chars().take(40).collect(),
    };
    match schema.get("type") {
        Some(Tree::Text(name)) => word(name),
        Some(Tree::List(names)) => {
            let names: Vec<_> = names.iter().take(8).filter_map(Tree::text).map(word).collect();
            names.join(" or ")
        }
        _ if schema.get("properties").is_some() => "object".to_owned(),
        _ if schema.get("items").is_some() => list_of(root, schema, depth),
        _ if schema.get("const").is_some() => "always the same".to_owned(),
        _ if schema.get("enum").is_some() => "one of a list".to_owned(),
        _ if schema.get("oneOf").is_some() => "one of the following".to_owned(),
        _ if schema.get("anyOf").is_some() => "any of the following".to_owned(),
        _ if schema.get("allOf").is_some() => "all of the following".to_owned(),
        _ => match schema {
            Tree::Bool(false) => "not allowed".to_owned(),
            _ => "anything".to_owned(),
        },
    }
}

fn list_of(root: &Tree, schema: &Tree, depth: u8) -> String {
    let each = schema.get("items").and_then(|items| resolve(root, items));
    match each {
        Some(each @ Tree::Object(_)) if depth > 0 => {
            format!("list of {}", plural(&kind(root, each, depth - 1)))
        }
        _ => "list".to_owned(),
    }
}

fn plural(kind: &str) -> String {
    match kind {
        "text" | "anything" => kind.to_owned(),
        "true or false" | "list" | "object" | "whole number" | "number" => match kind {
            "true or false" => "true or false".to_owned(),
            other => format!("{other}s"),
        },
        other => other.to_owned(),
    }
}

/// What holds for a value besides what it is.
pub(super) fn rules(schema: &Tree) -> Vec<String> {
    let mut rules = Vec::new();
    let of = |word: &str| schema.get(word).filter(|it| matches!(it, Tree::Number(_))).map(Tree::plain);
    let mut range = |least: Option<String>, most: Option<String>, unit: &str| {
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        match (least, most) {
            (Some(least), Some(most)) if least == most => rules.push(format!("exactly {least}{unit}")),
            (Some(least), Some(most)) => rules.push(format!("{least} to {most}{unit}")),
            (Some(least), None) => rules.push(format!("at least {least}{unit}")),
            (None, Some(most)) => rules.push(format!("at most {most}{unit}")),
            (None, None) => {}
        }
    };
    range(of("minLength"), of("maxLength"), "characters");
    range(of("minimum"), of("maximum"), "");
    range(of("minItems"), of("maxItems"), "entries");
    range(of("minProperties"), of("maxProperties"), "members");
    for (word, said) in [
        ("exclusiveMinimum", "more than"),
        ("exclusiveMaximum", "less than"),
        ("multipleOf", "a multiple of"),
    ] {
        if let Some(number) = of(word) {
            rules.push(format!("{said} {number}"));
        }
    }
    if let Some(format) = schema.get("format").and_then(Tree::text) {
        rules.push(match format {
            "date" => "a date such as 2026-11-22".to_owned(),
            "date-time" => "an instant such as 2026-11-22T18:00:00Z".to_owned(),
            "email" => "a mail address".to_owned(),
            "uri" | "url" => "an address such as https://example.com".to_owned(),
            other => format!("format {other}"),
        });
    }
    if let Some(pattern) = schema.get("pattern").and_then(Tree::text) {
        rules.push(format!("matches `{pattern}`"));
    }
    if matches!(schema.get("uniqueItems"), Some(Tree::Bool(true))) {
        rules.push("no entry twice".to_owned());
    }
    if matches!(schema.get("additionalProperties"), Some(Tree::Bool(false)))
        && schema.get("properties").is_some()
    {
        rules.push("nothing else in it".to_owned());
    }
    if matches!(schema.get("deprecated"), Some(Tree::Bool(true))) {
        rules.push("deprecated".to_owned());
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Outline {
        outline(&Tree::read(text).unwrap())
    }

    #[test]
    fn what_a_schema_says_is_said_in_words() {
        let said = read(
            r##"{"type":"object","required":["city"],"$defs":{"U":{"enum":["C","F"],"description":"The unit."}},
               "properties":{
                 "city":{"type":"string","minLength":1,"maxLength":80,"description":"Where."},
                 "days":{"type":"integer","minimum":1,"maximum":14,"default":3},
                 "unit":{"$ref":"#/$defs/U"},
                 "tags":{"type":"array","items":{"type":"string"},"uniqueItems":true},
                 "note":{"anyOf":[{"type":"string"},{"type":"null"}]},
                 "places":{"type":"array","items":{"type":"object","properties":{"lat":{"type":"number"}}}}}}"##,
        );
        let of = |name: &str| said.lines.iter().find(|line| line.name.as_deref() == Some(name)).unwrap();
        assert_eq!((of("city").kind.as_str(), of("city").required), ("text", true));
        assert_eq!(of("city").rules, ["1 to 80 characters"]);
        assert_eq!((of("days").kind.as_str(), of("days").default.as_deref()), ("whole number", Some("3")));
        assert_eq!(of("unit").choices, ["C", "F"]);
        assert_eq!(of("unit").description.as_deref(), Some("The unit."));
        assert_eq!(
            (of("tags").kind.as_str(), of("tags").rules.as_slice()),
            ("list of text", &["no entry twice".to_owned()][..])
        );
        assert_eq!(of("note").kind, "text or nothing (null)");
        assert_eq!(of("lat").depth, 2);
        assert!(!said.cut);
    }

    #[test]
    fn a_schema_that_lies_in_itself_ends() {
        let said = read(
            r##"{"type":"object","properties":{"child":{"$ref":"#"},"all":{"allOf":[{"$ref":"#/properties/all"}]}}}"##,
        );
        assert!(said.lines.len() < 20, "{said:?}");
        assert!(said.lines.iter().any(|line| line.kind.contains("again as above")));
        let many: Vec<String> = (0..40).map(|n| format!(r##""p{n}":{{"$ref":"#"}}"##)).collect();
        let said = read(&format!(r#"{{"properties":{{{}}}}}"#, many.join(",")));
        assert!(said.lines.len() <= LINES);
        let deep = (0..30).fold("{}".to_owned(), |inner, _| format!(r#"{{"properties":{{"x":{inner}}}}}"#));
        assert!(read(&deep).cut);
        let wide: Vec<String> = (0..10_000).map(|n| format!("\"v{n}\"")).collect();
        let said = read(&format!(r#"{{"properties":{{"e":{{"enum":[{}]}}}}}}"#, wide.join(",")));
        assert_eq!((said.lines[0].choices.len(), said.lines[0].more_choices), (24, 9_976));
    }
}
