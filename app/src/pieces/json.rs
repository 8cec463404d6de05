//! JSON as people read it: a tree that keeps order, duplicate keys and every digit, flattened into paths.
//!
//! `serde_json::Value` would round large numbers and lose duplicates; what is shown here is what was sent.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Objects nested deeper than this are shown as JSON text.
const DEPTH: usize = 6;
/// Most columns and rows of a grid.
const GRID_COLUMNS: usize = 8;
const GRID_ROWS: usize = 50;

/// One line of the table: where a value stands, and the value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// `customer.addresses[0].city`; empty for a bare value.
    pub path: String,
    /// What stands there.
    pub value: Leaf,
}

/// A value that is shown in one piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Leaf {
    /// A string, unescaped.
    Text(String),
    /// A number, boolean or null, as written.
    Word(String),
    /// An empty object or array, or one nested too deep: its JSON.
    Json(String),
    /// A list of objects with the same few members.
    Grid(Grid),
}

/// Objects side by side: what they have in common heads the columns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grid {
    /// Names of the members, in the order in which they first occur.
    pub columns: Vec<String>,
    /// A cell for each column; none where an object lacks the member.
    pub rows: Vec<Vec<Option<Leaf>>>,
    /// How many objects there are; not all need be among the rows.
    pub count: usize,
}

/// The table of a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// At most as many lines as were asked for.
    pub lines: Vec<Line>,
    /// Whether there was more.
    pub cut: bool,
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some(entry) = map.next_entry::<String, &'de RawValue>()? {
                    members.push(entry);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Flattens a document into at most `limit` lines. Text that is not JSON: `None`.
pub fn table(json: &str, limit: usize) -> Option<Table> {
    let root: &RawValue = serde_json::from_str(json).ok()?;
    let mut table = Table { lines: Vec::new(), cut: false };
    flatten(root, String::new(), DEPTH, limit, &mut table);
    Some(table)
}

/// The members of an object, in order; `None` if it is no object.
pub fn members(json: &str) -> Option<Vec<(String, &RawValue)>> {
    serde_json::from_str::<Members<'_>>(json).ok().map(|members| members.0)
}

fn flatten(value: &RawValue, path: String, depth: usize, limit: usize, table: &mut Table) {
    if table.lines.len() >= limit {
        table.cut = true;
        return;
    }
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{') if depth > 0 => {
            if let Some(members) = members(text).filter(|members| !members.is_empty()) {
                for (key, member) in members {
                    let below = if path.is_empty() { key } else { format!("{path}.{key}") };
                    flatten(member, below, depth - 1, limit, table);
                }
                return;
            }
        }
        Some(b'[') if depth > 0 => {
            if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text)
                && !items.is_empty()
            {
                if let Some(grid) = grid(&items) {
                    table.lines.push(Line { path, value: Leaf::Grid(grid) });
                    return;
                }
                for (at, item) in items.into_iter().enumerate() {
                    flatten(item, format!("{path}[{at}]"), depth - 1, limit, table);
                }
                return;
            }
        }
        _ => {}
    }
    table.lines.push(Line { path, value: leaf(text) });
}

/// At least two objects whose members are plain values, with few names among them.
fn grid(items: &[&RawValue]) -> Option<Grid> {
    let mut grid = Grid { columns: Vec::new(), rows: Vec::new(), count: items.len() };
    for (at, item) in items.iter().enumerate() {
        let members = members(item.get()).filter(|members| !members.is_empty())?;
        let mut row: Vec<Option<Leaf>> = Vec::new();
        for (key, value) in members {
            let column = grid.columns.iter().position(|column| *column == key).unwrap_or(grid.columns.len());
            if column == GRID_COLUMNS {
                return None;
            }
            if column == grid.columns.len() {
                grid.columns.push(key);
            }
            row.resize(row.len().max(column + 1), None);
            let cell = row.get_mut(column)?;
            // A name that comes twice, or something nested: no grid shows that.
            if cell.is_some() || value.get().starts_with(['{', '[']) {
                return None;
            }
            *cell = Some(leaf(value.get()));
        }
        if at < GRID_ROWS {
            grid.rows.push(row);
        }
    }
    let width = grid.columns.len();
    grid.rows.iter_mut().for_each(|row| row.resize(width, None));
    (items.len() >= 2).then_some(grid)
}

fn leaf(text: &str) -> Leaf {
    match text.as_bytes().first() {
        // A lone surrogate is legal JSON and no string: then the escape itself is shown.
        Some(b'"') => match serde_json::from_str(text) {
            Ok(string) => Leaf::Text(string),
            Err(_) => Leaf::Json(text.to_owned()),
        },
        Some(b'{' | b'[') => Leaf::Json(text.to_owned()),
        _ => Leaf::Word(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(json: &str) -> Vec<(String, Leaf)> {
        table(json, 100).unwrap().lines.into_iter().map(|line| (line.path, line.value)).collect()
    }

    #[test]
    fn order_duplicates_and_digits_are_kept() {
        let lines = said(
            r#"{"z": 12345678901234567890.10, "a": "x", "z": true, "n": null, "e": {}, "l": [1, {"k": "v"}]}"#,
        );
        let word = |text: &str| Leaf::Word(text.into());
        assert_eq!(
            lines,
            vec![
                ("z".into(), word("12345678901234567890.10")),
                ("a".into(), Leaf::Text("x".into())),
                ("z".into(), word("true")),
                ("n".into(), word("null")),
                ("e".into(), Leaf::Json("{}".into())),
                ("l[0]".into(), word("1")),
                ("l[1].k".into(), Leaf::Text("v".into())),
            ]
        );
    }

    #[test]
    fn objects_alike_stand_side_by_side() {
        let lines =
            said(r#"{"all": [{"id": 1, "name": "a"}, {"name": "b", "note": null}], "one": [{"id": 1}]}"#);
        let (word, text) = (|it: &str| Some(Leaf::Word(it.into())), |it: &str| Some(Leaf::Text(it.into())));
        let grid = Grid {
            columns: vec!["id".into(), "name".into(), "note".into()],
            rows: vec![vec![word("1"), text("a"), None], vec![None, text("b"), word("null")]],
            count: 2,
        };
        assert_eq!(lines[0], ("all".into(), Leaf::Grid(grid)));
        assert_eq!(lines[1].0, "one[0].id");
        for nested in [r#"[{"a": 1}, {"a": {}}]"#, r#"[{"a": 1, "a": 2}, {"a": 1}]"#, r#"[{"a": 1}, 2]"#] {
            assert!(said(nested).iter().all(|(_, leaf)| !matches!(leaf, Leaf::Grid(_))), "{nested}");
        }
        let many = format!("[{}]", vec![r#"{"a":1}"#; 80].join(","));
        let Leaf::Grid(grid) = said(&many).remove(0).1 else { panic!("no grid") };
        assert_eq!((grid.rows.len(), grid.count), (GRID_ROWS, 80));
    }

    #[test]
    fn too_much_is_cut_and_too_deep_is_shown_as_text() {
        let wide = format!("[{}]", vec!["1"; 500].join(","));
        let cut = table(&wide, 100).unwrap();
        assert!(cut.cut && cut.lines.len() == 100);
        let deep = format!("{}1{}", "[".repeat(20), "]".repeat(20));
        assert_eq!(said(&deep).len(), 1);
        assert_eq!(table(&"[".repeat(100_000), 10), None);
        assert_eq!(table("{not json", 10), None);
        assert_eq!(said(r#""\ud800""#), vec![(String::new(), Leaf::Json(r#""\ud800""#.into()))]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in ".{0,200}") {
            let _ = table(&text, 20);
        }
    }
}
