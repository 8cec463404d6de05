//! Where a setting's value comes from: the defaults, a file, the environment, a secret's own file; later ones win.
//! The defaults name every key there is, and by their form also what kind of value it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// The documented defaults: every key, with a comment.
pub(crate) const DEFAULTS: &str = include_str!("../../config.default.toml");

/// What is never shown, and may be kept in a file of its own.
pub(crate) const SECRETS: &[&str] = &[
    "database.url",
    "database.migrate_url",
    "encryption.master_key",
    "mail.smtp_url",
    "programs.environment",
    "traces.headers",
];

const PREFIX: &str = "WORKINGAGENTS_";
const IN_A_FILE: &str = "_file";

/// A setting that stops the start. One line: which key, what it is, where it was found, what would be right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Wrong {
    /// No such key.
    #[error("configuration: there is no key `{key}` (in {origin}){}", hint(.meant.as_deref()))]
    Unknown { key: String, origin: Origin, meant: Option<String> },
    /// The value cannot be used.
    #[error("configuration: `{key}` = {value} (in {origin}): must be {wanted}")]
    Value { key: String, value: String, origin: Origin, wanted: String },
    /// Nothing was given and something is needed.
    #[error("configuration: `{key}` is not set: {wanted} (in the file, or as {})", variable(.key))]
    Missing { key: &'static str, wanted: &'static str },
    /// The file is no TOML or not of the form `[section]` with keys below.
    #[error("configuration: {path}{}: {why}", in_line(*.line))]
    File { path: String, line: Option<usize>, why: String },
    /// A file could not be read.
    #[error("configuration: {path} (in {origin}) cannot be read: {why}")]
    Unreadable { path: String, origin: Origin, why: std::io::Error },
}

fn hint(meant: Option<&str>) -> String {
    meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default()
}

fn in_line(number: Option<usize>) -> String {
    number.map(|number| format!(", line {number}")).unwrap_or_default()
}

/// The name of a key in the environment.
pub(crate) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// Where a value was found.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    Default,
    CommandLine,
    File(PathBuf),
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the defaults"),
            Self::CommandLine => f.write_str("the command line"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// What form a key's value has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Text,
    Number,
    Truth,
    List,
}

impl Form {
    fn of(value: &toml::Value) -> Option<Self> {
        match value {
            toml::Value::String(_) => Some(Self::Text),
            toml::Value::Integer(_) => Some(Self::Number),
            toml::Value::Boolean(_) => Some(Self::Truth),
            toml::Value::Array(_) => Some(Self::List),
            _ => None,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Text => "a text in quotation marks",
            Self::Number => "a whole number",
            Self::Truth => "true or false",
            Self::List => "a list of texts, [\"…\", \"…\"]",
        }
    }
}

/// A value as texts: one, or those of a list.
#[derive(Clone, Debug)]
struct Given {
    texts: Vec<String>,
    origin: Origin,
}

/// Every key with its value. Read each once; see [`Source::unread`].
#[derive(Debug)]
pub(crate) struct Source {
    forms: BTreeMap<String, Form>,
    values: BTreeMap<String, Given>,
    read: BTreeSet<&'static str>,
}

impl Source {
    /// The defaults, overlaid by a file and by the environment.
    pub(crate) fn gather(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Wrong> {
        let mut source = Self { forms: BTreeMap::new(), values: BTreeMap::new(), read: BTreeSet::new() };
        source.overlay(DEFAULTS, &Origin::Default)?;
        if let Some(path) = file {
            let origin = Origin::File(path.to_owned());
            let text = std::fs::read_to_string(path).map_err(|why| Wrong::Unreadable {
                path: path.display().to_string(),
                origin: Origin::CommandLine,
                why,
            })?;
            source.overlay(&text, &origin)?;
        }
        for (name, value) in environment {
            source.overlay_variable(name, value)?;
        }
        Ok(source)
    }

    fn overlay(&mut self, text: &str, origin: &Origin) -> Result<(), Wrong> {
        let broken = |line, why| Wrong::File { path: origin.to_string(), line, why };
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map(|before| before.lines().count().max(1));
            broken(line, error.message().replace('\n', " "))
        })?;
        for (section, keys) in table {
            let toml::Value::Table(keys) = keys else {
                return Err(broken(None, format!("`{section}` stands before any [section]")));
            };
            for (key, value) in keys {
                self.overlay_value(format!("{section}.{key}"), value, origin)?;
            }
        }
        Ok(())
    }

    fn overlay_value(&mut self, key: String, value: toml::Value, origin: &Origin) -> Result<(), Wrong> {
        if matches!(origin, Origin::Default)
            && let Some(form) = Form::of(&value)
        {
            self.forms.insert(key.clone(), form);
        }
        if let Some(secret) = named_file(&key) {
            let toml::Value::String(path) = value else {
                return Err(self.wrong_form(&key, "…", origin, Form::Text));
            };
            return self.overlay_file(secret.to_owned(), &path, origin);
        }
        let form = self.form(&key, origin)?;
        let shown = if SECRETS.contains(&key.as_str()) { "…".to_owned() } else { value.to_string() };
        let texts = match (form, value) {
            (Form::Text, toml::Value::String(text)) => vec![text],
            (Form::Number, toml::Value::Integer(number)) => vec![number.to_string()],
            (Form::Truth, toml::Value::Boolean(truth)) => vec![truth.to_string()],
            (Form::List, toml::Value::Array(items)) => {
                let texts: Option<Vec<String>> =
                    items.into_iter().map(|item| item.as_str().map(str::to_owned)).collect();
                texts.ok_or_else(|| self.wrong_form(&key, &shown, origin, form))?
            }
            _ => return Err(self.wrong_form(&key, &shown, origin, form)),
        };
        self.values.insert(key, Given { texts, origin: origin.clone() });
        Ok(())
    }

    /// `WORKINGAGENTS_SECTION__KEY`. What has no `__` belongs to something else, such as WORKINGAGENTS_CONFIG.
    fn overlay_variable(&mut self, name: String, value: String) -> Result<(), Wrong> {
        let Some((section, key)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__")) else {
            return Ok(());
        };
        let key = format!("{}.{}", section.to_lowercase(), key.to_lowercase());
        let origin = Origin::Variable(name);
        if let Some(secret) = named_file(&key) {
            return self.overlay_file(secret.to_owned(), &value, &origin);
        }
        let texts = match self.form(&key, &origin)? {
            Form::List => split(&value, ','),
            _ => vec![value],
        };
        self.values.insert(key, Given { texts, origin });
        Ok(())
    }

    fn overlay_file(&mut self, key: String, path: &str, origin: &Origin) -> Result<(), Wrong> {
        if path.is_empty() {
            return Ok(());
        }
        let unreadable = |why| Wrong::Unreadable { path: path.to_owned(), origin: origin.clone(), why };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let texts = match self.form(&key, origin)? {
            Form::List => split(&text, '\n'),
            _ => vec![text.trim().to_owned()],
        };
        self.values.insert(key, Given { texts, origin: origin.clone() });
        Ok(())
    }

    fn form(&self, key: &str, origin: &Origin) -> Result<Form, Wrong> {
        self.forms.get(key).copied().ok_or_else(|| Wrong::Unknown {
            key: key.to_owned(),
            origin: origin.clone(),
            meant: self.nearest(key),
        })
    }

    fn nearest(&self, key: &str) -> Option<String> {
        self.forms
            .keys()
            .map(|known| (strsim::damerau_levenshtein(known, key), known))
            .min()
            .filter(|(distance, _)| *distance <= 4)
            .map(|(_, known)| known.clone())
    }

    fn wrong_form(&self, key: &str, value: &str, origin: &Origin, form: Form) -> Wrong {
        Wrong::Value {
            key: key.to_owned(),
            value: value.to_owned(),
            origin: origin.clone(),
            wanted: form.words().to_owned(),
        }
    }

    /// Reads a key that has one value; `parse` answers what would be right when the text is not.
    pub(crate) fn one<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Wrong> {
        self.read.insert(key);
        let given = self.values.get(key);
        let text = given.and_then(|given| given.texts.first()).map_or("", |text| text.trim());
        parse(text).map_err(|wanted| self.wrong(key, text, wanted))
    }

    /// Reads a key that may be empty, which means: not set.
    pub(crate) fn maybe<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Wrong> {
        self.one(key, |text| if text.is_empty() { Ok(None) } else { parse(text).map(Some) })
    }

    /// Reads a key that has a list.
    pub(crate) fn list<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Wrong> {
        self.read.insert(key);
        let texts = self.values.get(key).map(|given| given.texts.as_slice()).unwrap_or_default();
        texts
            .iter()
            .map(|text| {
                parse(text.trim()).map_err(|wanted| self.wrong(key, text, format!("a list, each {wanted}")))
            })
            .collect()
    }

    fn wrong(&self, key: &'static str, text: &str, wanted: String) -> Wrong {
        let secret = SECRETS.contains(&key);
        let shown: String = text.chars().take(80).collect();
        Wrong::Value {
            key: key.to_owned(),
            value: if secret { "…".to_owned() } else { format!("{shown:?}") },
            origin: self.values.get(key).map_or(Origin::Default, |given| given.origin.clone()),
            wanted,
        }
    }

    /// Where a key's value was found.
    pub(crate) fn origin(&self, key: &str) -> Origin {
        self.values.get(key).map_or(Origin::Default, |given| given.origin.clone())
    }

    /// Keys of the defaults that nobody has read.
    #[cfg(test)]
    pub(crate) fn unread(&self) -> Vec<&str> {
        self.forms.keys().map(String::as_str).filter(|key| !self.read.contains(key)).collect()
    }
}

/// The secret whose file a key names: `database.url` of `database.url_file`.
fn named_file(key: &str) -> Option<&str> {
    key.strip_suffix(IN_A_FILE).filter(|secret| SECRETS.contains(secret))
}

fn split(text: &str, by: char) -> Vec<String> {
    text.split(by).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
