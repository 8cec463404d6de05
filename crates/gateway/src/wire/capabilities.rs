//! What a client says it can do for a server that asks it for input (2026-07-28, schema `ClientCapabilities`): what we can
//! carry of it, and nothing else.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::envelope::{object, present};

/// What of a client's capabilities can be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Capabilities {
    /// `elicitation.form`.
    pub(crate) form: bool,
    /// `elicitation.url`.
    pub(crate) url: bool,
    /// `sampling`.
    pub(crate) sampling: bool,
    /// `sampling.tools`.
    pub(crate) tools: bool,
    /// `roots`.
    pub(crate) roots: bool,
}

#[derive(Default, Deserialize)]
struct Declared<'b> {
    #[serde(borrow, default, deserialize_with = "present")]
    elicitation: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    sampling: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    roots: Option<&'b RawValue>,
}

#[derive(Default, Deserialize)]
struct Modes<'b> {
    #[serde(borrow, default, deserialize_with = "present")]
    form: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    url: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    tools: Option<&'b RawValue>,
}

impl Capabilities {
    /// Reads what a client declared; what is no object declares nothing.
    pub(crate) fn declared(raw: &RawValue) -> Self {
        let declared: Declared<'_> = object(raw).unwrap_or_default();
        let is_object = |raw: Option<&RawValue>| raw.is_some_and(|raw| raw.get().starts_with('{'));
        let elicitation: Option<Modes<'_>> = declared.elicitation.and_then(object);
        let sampling: Option<Modes<'_>> = declared.sampling.and_then(object);
        // Without a mode it is forms (2026-07-28, Elicitation, Capabilities).
        let (form, url) = elicitation.map_or((false, false), |modes| {
            let url = is_object(modes.url);
            (is_object(modes.form) || !url, url)
        });
        Self {
            form,
            url,
            sampling: sampling.is_some(),
            tools: sampling.is_some_and(|sampling| is_object(sampling.tools)),
            roots: is_object(declared.roots),
        }
    }

    /// As a number, for the id of a session: its client says it again with each request.
    pub(crate) fn flags(self) -> u8 {
        let all = [self.form, self.url, self.sampling, self.tools, self.roots];
        all.into_iter().rev().fold(0, |flags, flag| flags << 1 | u8::from(flag))
    }

    /// The ones that a number stands for.
    pub(crate) fn of_flags(flags: u8) -> Self {
        let flag = |at: u8| flags >> at & 1 == 1;
        Self { form: flag(0), url: flag(1), sampling: flag(2), tools: flag(3), roots: flag(4) }
    }

    /// What of `self` is not in `of`.
    pub(crate) fn missing_in(self, of: Self) -> Self {
        Self {
            form: self.form && !of.form,
            url: self.url && !of.url,
            sampling: self.sampling && !of.sampling,
            tools: self.tools && !of.tools,
            roots: self.roots && !of.roots,
        }
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            form: self.form || other.form,
            url: self.url || other.url,
            sampling: self.sampling || other.sampling,
            tools: self.tools || other.tools,
            roots: self.roots || other.roots,
        }
    }

    /// As a `ClientCapabilities` object.
    pub(crate) fn object(self) -> Value {
        let mut all = Map::new();
        if self.form || self.url {
            let modes = [("form", self.form), ("url", self.url)];
            all.insert("elicitation".to_owned(), named(&modes));
        }
        if self.sampling || self.tools {
            all.insert("sampling".to_owned(), named(&[("tools", self.tools)]));
        }
        if self.roots {
            all.insert("roots".to_owned(), json!({}));
        }
        Value::Object(all)
    }
}

fn named(members: &[(&str, bool)]) -> Value {
    members.iter().filter(|(_, there)| *there).map(|(name, _)| ((*name).to_owned(), json!({}))).collect()
}

/// The capabilities in a `ClientCapabilities` object in words, `elicitation.form, sampling`; cut to 200 characters.
pub(crate) fn in_words(capabilities: &Value) -> String {
    let mut words = Vec::new();
    for (name, value) in capabilities.as_object().into_iter().flatten().take(8) {
        match value.as_object().filter(|modes| !modes.is_empty()) {
            None => words.push(name.clone()),
            Some(modes) => words.extend(modes.keys().take(8).map(|mode| format!("{name}.{mode}"))),
        }
    }
    words.join(", ").chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_carried_is_read_and_nothing_else_is() {
        for (declared, carried) in [
            (json!({}), json!({})),
            (json!({"elicitation": {}}), json!({"elicitation": {"form": {}}})),
            (json!({"elicitation": {"url": {}}}), json!({"elicitation": {"url": {}}})),
            (
                json!({"elicitation": {"form": {}, "url": {}}}),
                json!({"elicitation": {"form": {}, "url": {}}}),
            ),
            (json!({"sampling": {"context": {}}}), json!({"sampling": {}})),
            (json!({"sampling": {"tools": {"x": 1}}}), json!({"sampling": {"tools": {}}})),
            (json!({"roots": {"listChanged": true}}), json!({"roots": {}})),
            (
                json!({"extensions": {"io.modelcontextprotocol/tasks": {}}, "experimental": {"x": {}}}),
                json!({}),
            ),
            (json!({"elicitation": true, "sampling": null, "roots": []}), json!({})),
            (json!([]), json!({})),
        ] {
            let raw = serde_json::value::to_raw_value(&declared).unwrap();
            assert_eq!(Capabilities::declared(&raw).object(), carried, "{declared}");
        }
    }

    #[test]
    fn as_a_number_they_stay_the_same() {
        for flags in 0..32 {
            assert_eq!(Capabilities::of_flags(flags).flags(), flags);
        }
        let url = Capabilities { url: true, roots: true, ..Capabilities::default() };
        assert_eq!(Capabilities::of_flags(url.flags()), url);
    }

    #[test]
    fn what_is_missing_is_told_in_words() {
        let wanted = Capabilities { form: true, sampling: true, tools: true, ..Capabilities::default() };
        let has = Capabilities { sampling: true, roots: true, ..Capabilities::default() };
        let missing = wanted.missing_in(has);
        assert_eq!(in_words(&missing.object()), "elicitation.form, sampling.tools");
        assert_eq!(wanted.missing_in(wanted), Capabilities::default());
        assert_eq!(
            in_words(&json!({"extensions": {"io.modelcontextprotocol/tasks": {}}})),
            "extensions.io.modelcontextprotocol/tasks"
        );
        assert_eq!(in_words(&json!(7)), "");
    }
}
