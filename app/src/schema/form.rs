//! A form made of a schema: a control for each value that has one, and what was typed read back as JSON.
//!
//! Fields have names of their own (`a0`, `a1-0`), so that what a server calls its values is never a name or an id in a page.
//! What no control fits, such as lists of objects or schemas that lie in themselves, is entered as JSON.

use super::check::{self, Problem, Step};
use super::outline::{choices, rules, without_null};
use super::{Tree, resolve};
use crate::pieces::field::{FORM, FieldError};

/// Objects inside objects that have fields of their own.
const DEPTH: u8 = 3;
/// Most fields of a form; beyond, all is entered as JSON.
const FIELDS: usize = 80;
/// Most choices of a list that opens, and of boxes to tick.
const OPTIONS: usize = 400;
const BOXES: usize = 24;
/// From how many characters on a text has an area.
const LONG: f64 = 160.0;
/// The field of all arguments as JSON.
pub const JSON: &str = "json";

/// What a plain value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scalar {
    /// A string.
    Text,
    /// A number, whole or not.
    Number,
    /// `true` or `false`.
    Bool,
}

/// How a value is entered.
#[derive(Clone, PartialEq, Debug)]
pub enum Control {
    /// One line.
    Line {
        /// What it is.
        scalar: Scalar,
        /// The `type` of the input.
        kind: &'static str,
    },
    /// Several lines of text.
    Area,
    /// One of these.
    Choice(Vec<Tree>),
    /// Some of these.
    Several(Vec<Tree>),
    /// Plain values, one on each line.
    Lines(Scalar),
    /// An object of fields.
    Group(Vec<Field>),
    /// JSON text.
    Json,
}

/// A value of the arguments.
#[derive(Clone, PartialEq, Debug)]
pub struct Field {
    /// Name and id of its control.
    pub name: String,
    /// Where its value is.
    pub path: Vec<Step>,
    /// What the server calls it.
    pub label: String,
    /// Whether it must be given.
    pub required: bool,
    /// What the server says of it.
    pub description: Option<String>,
    /// What holds for it.
    pub rules: Vec<String>,
    /// What it is if it is left out, as the control holds it.
    pub default: Vec<String>,
    /// How it is entered.
    pub control: Control,
}

/// The form of a tool.
#[derive(Clone, PartialEq, Debug)]
pub enum Fields {
    /// A field for each value. None: the tool takes nothing.
    Some(Vec<Field>),
    /// Its arguments are entered as JSON.
    Json,
}

/// Makes the form of a schema.
pub fn fields(schema: &Tree) -> Fields {
    let Some(root) = resolve(schema, schema) else { return Fields::Json };
    let combined =
        ["anyOf", "oneOf", "allOf", "if", "patternProperties"].iter().any(|word| root.get(word).is_some());
    let properties = root.get("properties").map(Tree::members).unwrap_or_default();
    let open = !matches!(root.get("additionalProperties"), None | Some(Tree::Bool(false)));
    if combined || (properties.is_empty() && open) {
        return Fields::Json;
    }
    let mut making = Making { root: schema, count: 0 };
    let fields = making.of(root, "a", &[], DEPTH);
    if making.count > FIELDS { Fields::Json } else { Fields::Some(fields) }
}

struct Making<'t> {
    root: &'t Tree,
    count: usize,
}

impl<'t> Making<'t> {
    fn of(&mut self, schema: &'t Tree, prefix: &str, path: &[Step], depth: u8) -> Vec<Field> {
        let required: Vec<&str> = schema
            .get("required")
            .map(Tree::items)
            .unwrap_or_default()
            .iter()
            .filter_map(Tree::text)
            .collect();
        let properties = schema.get("properties").map(Tree::members).unwrap_or_default();
        let mut fields = Vec::new();
        for (at, (name, property)) in properties.iter().enumerate() {
            self.count += 1;
            if self.count > FIELDS {
                break;
            }
            let path: Vec<Step> = path.iter().cloned().chain([Step::Name(name.clone())]).collect();
            let must = required.contains(&name.as_str());
            fields.push(self.field(property, format!("{prefix}{at}"), path, name, must, depth));
        }
        fields
    }

    fn field(
        &mut self,
        schema: &'t Tree,
        name: String,
        path: Vec<Step>,
        label: &str,
        required: bool,
        depth: u8,
    ) -> Field {
        let resolved = resolve(self.root, schema);
        let body = resolved.map_or(schema, |resolved| without_null(self.root, resolved).1);
        let control = match resolved {
            Some(_) => self.control(body, &name, &path, depth),
            None => Control::Json,
        };
        let said = |tree: &Tree| tree.get("description").and_then(Tree::text).map(str::to_owned);
        let description = said(schema).or_else(|| resolved.and_then(said)).or_else(|| said(body));
        let default =
            [Some(schema), resolved, Some(body)].into_iter().flatten().find_map(|it| it.get("default"));
        Field {
            default: default.map(|value| held(&control, value)).unwrap_or_default(),
            label: schema
                .get("title")
                .and_then(Tree::text)
                .filter(|title| title.replace(' ', "_").eq_ignore_ascii_case(label))
                .unwrap_or(label)
                .to_owned(),
            rules: rules(body),
            name,
            path,
            required,
            description,
            control,
        }
    }

    fn control(&mut self, schema: &'t Tree, name: &str, path: &[Step], depth: u8) -> Control {
        let choices = choices(schema);
        if !choices.is_empty() {
            let plain = choices.len() <= OPTIONS && choices.iter().all(Tree::is_plain);
            return if plain { Control::Choice(choices) } else { Control::Json };
        }
        match kind(schema) {
            Some("string") => match schema.get("format").and_then(Tree::text) {
                Some("date") => Control::Line { scalar: Scalar::Text, kind: "date" },
                _ if schema.get("maxLength").and_then(Tree::number).is_some_and(|most| most > LONG) => {
                    Control::Area
                }
                _ if is_prose(path) => Control::Area,
                _ => Control::Line { scalar: Scalar::Text, kind: "text" },
            },
            Some("number" | "integer") => Control::Line { scalar: Scalar::Number, kind: "text" },
            Some("boolean") => Control::Choice(vec![Tree::Bool(true), Tree::Bool(false)]),
            Some("array") => self.list(schema),
            Some("object") if depth > 1 && schema.get("properties").is_some() => {
                Control::Group(self.of(schema, &format!("{name}-"), path, depth - 1))
            }
            _ => Control::Json,
        }
    }

    fn list(&self, schema: &Tree) -> Control {
        let Some(items) = schema.get("items").and_then(|items| resolve(self.root, items)) else {
            return Control::Json;
        };
        let choices = choices(items);
        match (kind(items), choices.as_slice()) {
            (_, [_, ..]) if choices.len() <= BOXES && choices.iter().all(Tree::is_plain) => {
                Control::Several(choices)
            }
            (_, [_, ..]) => Control::Json,
            (Some("string"), []) => Control::Lines(Scalar::Text),
            (Some("number" | "integer"), []) => Control::Lines(Scalar::Number),
            (Some("boolean"), []) => Control::Lines(Scalar::Bool),
            _ => Control::Json,
        }
    }
}

/// The one kind of a value, besides null.
fn kind(schema: &Tree) -> Option<&str> {
    match schema.get("type") {
        Some(Tree::Text(kind)) => Some(kind),
        Some(Tree::List(kinds)) => {
            let mut others = kinds.iter().filter_map(Tree::text).filter(|kind| *kind != "null");
            others.next().filter(|_| others.next().is_none())
        }
        _ if schema.get("properties").is_some() => Some("object"),
        _ => None,
    }
}

/// Values that by their name are texts of several lines.
fn is_prose(path: &[Step]) -> bool {
    let Some(Step::Name(name)) = path.last() else { return false };
    [
        "body",
        "code",
        "content",
        "contents",
        "description",
        "markdown",
        "message",
        "notes",
        "prompt",
        "summary",
        "text",
    ]
    .contains(&name.to_ascii_lowercase().as_str())
}

/// A value as its control holds it.
fn held(control: &Control, value: &Tree) -> Vec<String> {
    let place = |choices: &[Tree], value: &Tree| choices.iter().position(|choice| choice.same(value));
    match control {
        Control::Choice(choices) => place(choices, value).map(|at| at.to_string()).into_iter().collect(),
        Control::Several(choices) => {
            value.items().iter().filter_map(|item| place(choices, item)).map(|at| at.to_string()).collect()
        }
        Control::Lines(_) if value.items().iter().all(Tree::is_plain) => {
            vec![value.items().iter().map(Tree::plain).collect::<Vec<_>>().join("\n")]
        }
        Control::Line { .. } | Control::Area if value.is_plain() && *value != Tree::Null => {
            vec![value.plain()]
        }
        Control::Json => vec![value.json()],
        _ => Vec::new(),
    }
}

/// What the controls hold for arguments that are there, or at first.
pub fn values(fields: &[Field], arguments: Option<&Tree>) -> Vec<(String, String)> {
    let mut values = Vec::new();
    for field in fields {
        let name = match field.path.last() {
            Some(Step::Name(name)) => name.as_str(),
            _ => "",
        };
        let there = arguments.and_then(|arguments| arguments.get(name));
        if let Control::Group(inner) = &field.control {
            values.extend(self::values(
                inner,
                if arguments.is_some() { Some(there.unwrap_or(&Tree::Null)) } else { None },
            ));
            continue;
        }
        let held = match (arguments, there) {
            (None, _) => field.default.clone(),
            (Some(_), Some(value)) => held(&field.control, value),
            (Some(_), None) => Vec::new(),
        };
        values.extend(held.into_iter().map(|value| (field.name.clone(), value)));
    }
    values
}

/// Reads what was typed. `typed` gives the values of a field by its name.
///
/// # Errors
/// What is wrong with which field.
pub fn read<'v>(
    schema: &Tree,
    fields: &Fields,
    typed: &dyn Fn(&str) -> Vec<&'v str>,
) -> Result<Tree, Vec<FieldError>> {
    let mut errors = Vec::new();
    let arguments = match fields {
        Fields::Some(fields) => {
            let members = members(fields, typed, &mut errors).into_iter().collect();
            Tree::Object(members)
        }
        Fields::Json => {
            let text = typed(JSON).first().copied().unwrap_or_default();
            match json(text) {
                Ok(None) => Tree::Object(Vec::new()),
                Ok(Some(tree @ Tree::Object(_))) => tree,
                Ok(Some(_)) => {
                    return Err(vec![FieldError::new(
                        JSON,
                        "Give one JSON object: begin with { and end with }.",
                    )]);
                }
                Err(sentence) => return Err(vec![FieldError::new(JSON, sentence)]),
            }
        }
    };
    if errors.is_empty() {
        errors =
            check::check(schema, &arguments).into_iter().map(|problem| beside(fields, &problem)).collect();
        errors.dedup();
    }
    if errors.is_empty() { Ok(arguments) } else { Err(errors) }
}

fn members<'v>(
    fields: &[Field],
    typed: &dyn Fn(&str) -> Vec<&'v str>,
    errors: &mut Vec<FieldError>,
) -> Vec<(String, Tree)> {
    let mut members = Vec::new();
    for field in fields {
        let Some(Step::Name(name)) = field.path.last() else { continue };
        match value(field, typed, errors) {
            Ok(Some(value)) => members.push((name.clone(), value)),
            Ok(None) if field.required => {
                let else_ = match field.control {
                    Control::Area | Control::Line { scalar: Scalar::Text, .. } => {
                        " An empty text can be given in the form as JSON."
                    }
                    _ => "",
                };
                let sentence = format!("{} is needed: give a value.{else_}", short(&field.label));
                errors.push(FieldError::new(field.name.clone(), sentence));
            }
            Ok(None) => {}
            Err(sentence) => errors.push(FieldError::new(field.name.clone(), sentence)),
        }
    }
    members
}

fn short(label: &str) -> String {
    crate::text::one_line(label, 60)
}

/// The value of a field; none: it was left empty.
fn value<'v>(
    field: &Field,
    typed: &dyn Fn(&str) -> Vec<&'v str>,
    errors: &mut Vec<FieldError>,
) -> Result<Option<Tree>, String> {
    let given = typed(&field.name);
    let first = given.first().copied().unwrap_or_default();
    let choice = |choices: &[Tree], text: &str| {
        let at = text.parse::<usize>().ok().and_then(|at| choices.get(at));
        at.cloned().ok_or_else(|| "Choose one of the list.".to_owned())
    };
    match &field.control {
        Control::Area if first.is_empty() => Ok(None),
        // Browsers send line breaks as two characters.
        Control::Area => Ok(Some(Tree::Text(first.replace("\r\n", "\n")))),
        Control::Line { .. } if first.is_empty() => Ok(None),
        Control::Line { scalar, .. } => scalar_of(*scalar, first).map(Some),
        Control::Choice(_) if first.is_empty() => Ok(None),
        Control::Choice(choices) => choice(choices, first).map(Some),
        Control::Several(choices) => {
            let items: Vec<Tree> =
                given.iter().map(|text| choice(choices, text)).collect::<Result<_, _>>()?;
            Ok((field.required || !items.is_empty()).then_some(Tree::List(items)))
        }
        Control::Lines(scalar) => {
            let lines = first.lines().filter(|line| !line.trim().is_empty());
            let items: Vec<Tree> = lines.map(|line| scalar_of(*scalar, line)).collect::<Result<_, _>>()?;
            Ok((field.required || !items.is_empty()).then_some(Tree::List(items)))
        }
        Control::Group(inner) => {
            let mut inside = Vec::new();
            let members = members(inner, typed, &mut inside);
            // An object that need not be there and was left empty is not there.
            if members.is_empty() && !field.required {
                return Ok(None);
            }
            errors.append(&mut inside);
            Ok(Some(Tree::Object(members)))
        }
        Control::Json => json(first),
    }
}

fn scalar_of(scalar: Scalar, text: &str) -> Result<Tree, String> {
    match scalar {
        Scalar::Text => Ok(Tree::Text(text.to_owned())),
        Scalar::Number => match Tree::read(text.trim()) {
            Some(number @ Tree::Number(_)) => Ok(number),
            _ => Err(format!("Give a number such as 42 or 0.5, not `{}`.", short(text))),
        },
        Scalar::Bool => match text.trim() {
            "true" => Ok(Tree::Bool(true)),
            "false" => Ok(Tree::Bool(false)),
            other => Err(format!("Give true or false, not `{}`.", short(other))),
        },
    }
}

fn json(text: &str) -> Result<Option<Tree>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match (Tree::read(text.trim()), serde_json::from_str::<serde::de::IgnoredAny>(text)) {
        (Some(tree), _) => Ok(Some(tree)),
        (None, Err(error)) => Err(format!("This is no valid JSON: {error}.")),
        (None, Ok(_)) => Err("This is nested too deep.".to_owned()),
    }
}

/// A problem as the error of the field that it is in.
fn beside(fields: &Fields, problem: &Problem) -> FieldError {
    let (name, rest) = match fields {
        Fields::Json => (JSON.to_owned(), problem.path.as_slice()),
        Fields::Some(fields) => match field_of(fields, &problem.path) {
            Some(field) => (field.name.clone(), problem.path.get(field.path.len()..).unwrap_or_default()),
            None => (FORM.to_owned(), problem.path.as_slice()),
        },
    };
    let place: Vec<String> = rest
        .iter()
        .map(|step| match step {
            Step::Name(name) => format!("`{}`", short(name)),
            Step::Entry(at) => format!("entry {}", at + 1),
        })
        .collect();
    let sentence = crate::wording::sentence(&problem.sentence);
    let sentence = if place.is_empty() { sentence } else { format!("At {}: {sentence}", place.join(", ")) };
    FieldError::new(name, sentence)
}

fn field_of<'f>(fields: &'f [Field], path: &[Step]) -> Option<&'f Field> {
    let field = fields.iter().find(|field| path.starts_with(&field.path))?;
    match &field.control {
        Control::Group(inner) => field_of(inner, path).or_else(|| inner.first()),
        _ => Some(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCHEMA: &str = r##"{"type":"object","required":["city","days","where"],"$defs":{"Self":{"type":"object","properties":{"me":{"$ref":"#/$defs/Self"}}}},
        "properties":{"city":{"type":"string","minLength":2},"days":{"type":"integer","default":3},
        "unit":{"enum":["C","F",null],"default":"F"},"fast":{"type":["boolean","null"]},
        "tags":{"type":"array","items":{"type":"string"}},"days_of":{"type":"array","items":{"enum":["mo","tu"]}},
        "where":{"type":"object","required":["lat"],"properties":{"lat":{"type":"number"},"name":{"type":"string"}}},
        "more":{"type":"object","required":["x"],"properties":{"x":{"type":"string"}}},
        "any":{},"self":{"$ref":"#/$defs/Self"},"message":{"type":"string"}}}"##;

    fn sent(schema: &str, values: &[(&str, &str)]) -> Result<String, Vec<(String, String)>> {
        let schema = Tree::read(schema).unwrap();
        let typed =
            |name: &str| values.iter().filter(|(known, _)| *known == name).map(|(_, value)| *value).collect();
        read(&schema, &fields(&schema), &typed).map(|tree| tree.json()).map_err(|errors| {
            errors.into_iter().map(|error| (error.field.into_owned(), error.sentence)).collect()
        })
    }

    #[test]
    fn what_is_typed_becomes_arguments() {
        let values = [
            ("a0", "Bonn"),
            ("a1", "12345678901234567890"),
            ("a2", "0"),
            ("a3", "1"),
            ("a4", "one\r\n\r\ntwo three"),
            ("a5", "1"),
            ("a6-0", "50.7"),
            ("a8", "[1,{\"b\":2}]"),
            ("a9-0", ""),
            ("a10", "two\r\nlines"),
        ];
        assert_eq!(
            sent(SCHEMA, &values).unwrap(),
            r#"{"city":"Bonn","days":12345678901234567890,"unit":"C","fast":false,"tags":["one","two three"],"days_of":["tu"],"where":{"lat":50.7},"any":[1,{"b":2}],"message":"two\nlines"}"#
        );
    }

    #[test]
    fn each_mistake_stands_beside_its_field() {
        let told = sent(SCHEMA, &[("a1", "three"), ("a2", "9"), ("a6-1", "x"), ("a8", "{")]).unwrap_err();
        let of = |name: &str| {
            told.iter().find(|(field, _)| field == name).map(|(_, said)| said.as_str()).unwrap_or("")
        };
        assert!(of("a0").starts_with("city is needed"));
        assert!(of("a1").contains("Give a number"));
        assert!(of("a2").contains("Choose one"));
        assert!(of("a6-0").starts_with("lat is needed"));
        assert!(of("a8").contains("no valid JSON"));
        assert_eq!(of("a7-0"), "", "an object that need not be there is left out");
        let told = sent(SCHEMA, &[("a0", "B"), ("a1", "1"), ("a6-0", "1")]).unwrap_err();
        assert_eq!(told, [("a0".to_owned(), "Give at least 2 characters.".to_owned())]);
    }

    #[test]
    fn what_no_field_fits_is_json() {
        assert_eq!(
            fields(&Tree::read(r#"{"type":"object","additionalProperties":true}"#).unwrap()),
            Fields::Json
        );
        assert_eq!(fields(&Tree::read(r##"{"$ref":"#"}"##).unwrap()), Fields::Json);
        assert_eq!(fields(&Tree::read(r#"{"type":"object"}"#).unwrap()), Fields::Some(vec![]));
        let many: Vec<String> = (0..200).map(|n| format!(r#""p{n}":{{"type":"string"}}"#)).collect();
        assert_eq!(
            fields(&Tree::read(&format!(r#"{{"properties":{{{}}}}}"#, many.join(","))).unwrap()),
            Fields::Json
        );
        let open = r#"{"type":"object","additionalProperties":{"type":"number"}}"#;
        assert_eq!(sent(open, &[("json", r#"{"a":1}"#)]).unwrap(), r#"{"a":1}"#);
        assert_eq!(sent(open, &[("json", "")]).unwrap(), "{}");
        assert_eq!(sent(open, &[("json", "[1]")]).unwrap_err().len(), 1);
        assert_eq!(sent(open, &[("json", r#"{"a":"x"}"#)]).unwrap_err()[0].0, "json");
    }

    #[test]
    fn a_form_begins_with_defaults_or_with_arguments() {
        let schema = Tree::read(SCHEMA).unwrap();
        let Fields::Some(fields) = fields(&schema) else { panic!("no fields") };
        let first = values(&fields, None);
        assert_eq!(first, [("a1".to_owned(), "3".to_owned()), ("a2".to_owned(), "1".to_owned())]);
        let arguments = Tree::read(r#"{"city":"Bonn","tags":["a","b"],"where":{"lat":1.50}}"#).unwrap();
        let again = values(&fields, Some(&arguments));
        assert_eq!(
            again,
            [("a0", "Bonn"), ("a4", "a\nb"), ("a6-0", "1.50")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    proptest! {
        #[test]
        fn nothing_typed_makes_it_panic(text in "\\PC{0,40}", number in "[-0-9.eE]{0,8}") {
            let _ = sent(SCHEMA, &[("a0", &text), ("a1", &number), ("a2", &text), ("a4", &text), ("a6-0", &number), ("a8", &text)]);
        }
    }
}
