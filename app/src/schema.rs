//! JSON Schemas of tools, as people meet them: read as a table, filled in as a form, checked before a call, compared.
//!
//! Schemas come from servers that may be hostile: each walk here is bounded in depth, lines and steps, and a schema that
//! refers to itself is followed no further than that. What is beyond the bounds is shown or entered as JSON.

pub mod check;
pub mod diff;
pub mod form;
pub mod outline;
mod tree;

pub use tree::Tree;

use outline::Outline;

/// A tool's definition, an MCP `Tool` object, as far as pages show it.
#[derive(Clone, Debug)]
pub struct Definition {
    /// What the server calls it for people.
    pub title: Option<String>,
    /// What it says that it does.
    pub description: Option<String>,
    /// What it takes.
    pub input: Tree,
    /// What it answers with, if it says.
    pub output: Option<Tree>,
    /// What it says of itself.
    pub hints: Hints,
    /// All of it.
    pub whole: Tree,
}

/// What a tool says of itself (MCP, tool annotations). Nothing checks it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Hints {
    /// It changes nothing.
    pub read_only: Option<bool>,
    /// What it changes may be lost.
    pub destructive: Option<bool>,
    /// Doing it twice is as doing it once.
    pub idempotent: Option<bool>,
    /// It reaches out into the world.
    pub open_world: Option<bool>,
}

impl Definition {
    /// Reads the JSON text of a definition. What is not there is shown as absent; what is no JSON is nothing.
    pub fn read(text: &str) -> Self {
        let whole = Tree::read(text).unwrap_or(Tree::Null);
        let string = |tree: &Tree, key: &str| tree.get(key).and_then(Tree::text).map(str::to_owned);
        let annotations = whole.get("annotations").cloned().unwrap_or(Tree::Null);
        let hint = |key: &str| match annotations.get(key) {
            Some(Tree::Bool(yes)) => Some(*yes),
            _ => None,
        };
        Self {
            title: string(&whole, "title").or_else(|| string(&annotations, "title")),
            description: string(&whole, "description").filter(|text| !text.trim().is_empty()),
            input: whole.get("inputSchema").cloned().unwrap_or_else(|| prompted(&whole)),
            output: whole.get("outputSchema").cloned(),
            hints: Hints {
                read_only: hint("readOnlyHint"),
                destructive: hint("destructiveHint"),
                idempotent: hint("idempotentHint"),
                open_world: hint("openWorldHint"),
            },
            whole,
        }
    }

    /// What it takes, as a table.
    pub fn takes(&self) -> Outline {
        outline::outline(&self.input)
    }
}

/// The arguments of a prompt (MCP, `PromptArgument`) as a schema: all of them are text.
fn prompted(prompt: &Tree) -> Tree {
    let Some(Tree::List(arguments)) = prompt.get("arguments") else { return Tree::Null };
    let text = |text: &str| Tree::Text(text.to_owned());
    let object = |members: Vec<(&str, Tree)>| {
        Tree::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    };
    let (mut properties, mut required) = (Vec::new(), Vec::new());
    for argument in arguments {
        let Some(name) = argument.get("name").and_then(Tree::text) else { continue };
        let described = argument.get("description").cloned();
        let described = described.map(|description| ("description", description));
        properties.push((
            name.to_owned(),
            object([("type", text("string"))].into_iter().chain(described).collect()),
        ));
        if matches!(argument.get("required"), Some(Tree::Bool(true))) {
            required.push(text(name));
        }
    }
    object(vec![
        ("type", text("object")),
        ("properties", Tree::Object(properties)),
        ("required", Tree::List(required)),
    ])
}

impl Hints {
    /// In words, with what holds where nothing is said (MCP, `ToolAnnotations`).
    pub fn words(self) -> Vec<(&'static str, &'static str)> {
        let mut words = Vec::new();
        if self.read_only == Some(true) {
            words.push(("Only reads", "It changes nothing."));
        } else {
            words.push(("May change things", "It does not say that it only reads."));
            words.push(match self.destructive {
                Some(false) => ("Only adds", "It says that nothing is lost by what it changes."),
                _ => ("May destroy", "What it changes or deletes may be lost."),
            });
            words.push(match self.idempotent {
                Some(true) => {
                    ("Repeatable", "Calling it twice with the same arguments does no more than once.")
                }
                _ => ("Not repeatable", "Calling it twice may do it twice."),
            });
        }
        words.push(match self.open_world {
            Some(false) => ("Closed world", "It works on its own data alone."),
            _ => ("Open world", "It may reach people and systems outside, such as the web."),
        });
        words
    }
}

/// Follows `$ref` inside one schema. None: it leads elsewhere, nowhere, or round in a circle.
pub(crate) fn resolve<'t>(root: &'t Tree, schema: &'t Tree) -> Option<&'t Tree> {
    let mut here = schema;
    for _ in 0..16 {
        match here.get("$ref").and_then(Tree::text) {
            None => return Some(here),
            Some(pointer) => here = at(root, pointer)?,
        }
    }
    None
}

/// A JSON pointer in a fragment: `#/$defs/Address` (RFC 6901 section 6).
fn at<'t>(root: &'t Tree, pointer: &str) -> Option<&'t Tree> {
    let path = pointer.strip_prefix('#')?;
    let mut here = root;
    for step in path.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        here = match here {
            Tree::Object(_) => here.get(&step)?,
            Tree::List(items) => items.get(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    (path.is_empty() || path.starts_with('/')).then_some(here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_inside_and_never_round() {
        let schema = Tree::read(
            r##"{"$defs":{"a/b":{"type":"string"},"c":{"$ref":"#/$defs/a~1b"},"l":{"$ref":"#/$defs/m"},"m":{"$ref":"#/$defs/l"}},"self":{"$ref":"#"}}"##,
        )
        .unwrap();
        let to = |pointer: &str| Tree::Object(vec![("$ref".into(), Tree::Text(pointer.into()))]);
        let kind = |pointer: &str| {
            resolve(&schema, &to(pointer))
                .and_then(|it| it.get("type"))
                .and_then(Tree::text)
                .map(str::to_owned)
        };
        assert_eq!(kind("#/$defs/c").as_deref(), Some("string"));
        assert!(resolve(&schema, &to("#/$defs/l")).is_none());
        assert!(resolve(&schema, &to("https://evil.example/schema")).is_none());
        assert!(resolve(&schema, &to("#nope")).is_none());
        assert!(resolve(&schema, &to("#")).is_some());
    }
}
