//! Tables as CSV (RFC 4180), written so that a spreadsheet takes no text for a formula.

/// One field of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cell<'a> {
    /// Text that somebody wrote. Where a spreadsheet would take it for a formula it gets an apostrophe in front, which
    /// spreadsheets take for "this is text".
    Text(&'a str),
    /// What we made ourselves: numbers, times, words of ours. Written as it is, quoted where it must be.
    Plain(&'a str),
    /// Nothing.
    Empty,
}

impl<'a> From<Option<&'a str>> for Cell<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Empty, Self::Text)
    }
}

/// Appends one line, with its line break (CR LF).
pub fn line<'a>(out: &mut String, cells: impl IntoIterator<Item = Cell<'a>>) {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match cell {
            Cell::Text(text) => field(out, text, calculates(text)),
            Cell::Plain(text) => field(out, text, false),
            Cell::Empty => {}
        }
    }
    out.push_str("\r\n");
}

/// Whether a spreadsheet would calculate: it looks at the first character, and some of them behind spaces.
fn calculates(text: &str) -> bool {
    text.starts_with(['\t', '\r', '\n'])
        || text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

fn field(out: &mut String, text: &str, calculates: bool) {
    let quoted = calculates || text.contains([',', '"', '\r', '\n', ';', '\t']) || text.trim() != text;
    if quoted {
        out.push('"');
    }
    if calculates {
        out.push('\'');
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\"\""),
            // No reader agrees with another on what it means.
            '\0' => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    if quoted {
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(cell: Cell<'_>) -> String {
        let mut out = String::new();
        line(&mut out, [cell]);
        out.trim_end_matches("\r\n").to_owned()
    }

    #[test]
    fn a_line_is_read_back_as_it_was_written() {
        let mut out = String::new();
        line(&mut out, [Cell::Text("plain"), Cell::Empty, Cell::Text("a, \"b\"\nc"), Cell::Plain("-0.25")]);
        assert_eq!(out, "plain,,\"a, \"\"b\"\"\nc\",-0.25\r\n");
        assert_eq!(one(Cell::Text(" spaces ")), "\" spaces \"");
    }

    #[test]
    fn no_text_is_taken_for_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\r=1", "＝1", "=HYPERLINK(\"x\")"] {
            assert!(one(Cell::Text(text)).starts_with("\"'"), "{text:?}: {}", one(Cell::Text(text)));
        }
        for text in ["a=1", "1-2", "x@y.z", "", "שלום"] {
            assert_eq!(one(Cell::Text(text)), text);
        }
    }
}
