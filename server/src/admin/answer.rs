//! What a verb answers: words or a table for people, JSON for scripts.

use serde_json::Value;

/// An answer in both forms.
#[derive(Debug)]
pub(super) struct Answer {
    json: Value,
    words: String,
}

impl Answer {
    /// A sentence, and the same for scripts.
    pub(super) fn said(words: impl Into<String>, json: Value) -> Self {
        Self { json, words: words.into() }
    }

    /// A table, and the same for scripts.
    pub(super) fn table(heads: &[&str], rows: Vec<Vec<String>>, json: Value) -> Self {
        Self { json, words: table(heads, &rows) }
    }

    /// The form that was asked for.
    pub(super) fn shown(&self, json: bool) -> String {
        if json { self.json.to_string() } else { self.words.clone() }
    }
}

/// Columns as wide as their widest cell; two spaces between.
fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return "There are none.".to_owned();
    }
    let heads: Vec<String> = heads.iter().map(|head| head.to_uppercase()).collect();
    let mut widths: Vec<usize> = heads.iter().map(|head| head.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(shown(cell).chars().count());
        }
    }
    let line = |cells: &[String]| {
        let cells: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{:<width$}", shown(cell))).collect();
        cells.join("  ").trim_end().to_owned()
    };
    std::iter::once(line(&heads)).chain(rows.iter().map(|row| line(row))).collect::<Vec<_>>().join("\n")
}

/// What somebody named a thing must not move the terminal's cursor.
fn shown(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_control_characters_do_nothing() {
        let rows =
            vec![vec!["a".to_owned(), "x\u{1b}[31m".to_owned()], vec!["Ünïcode".to_owned(), "y".to_owned()]];
        assert_eq!(table(&["name", "what"], &rows), "NAME     WHAT\na        x\u{FFFD}[31m\nÜnïcode  y");
        assert_eq!(table(&["name"], &[]), "There are none.");
    }
}
