//! Sheets: CSV as RFC 4180 has it, for programs and for spreadsheets, which take some cells for formulas and run them.
//!
//! A cell that begins with `=`, `+`, `-`, `@` (also in their full-width forms), a tab or a line break is written with an
//! apostrophe before it, which spreadsheets show as text; a number such as `-0.25` is not, since nothing is run in it. So
//! that reading gives back what was written, a cell that has apostrophes before such a character gets one more, and
//! reading takes one away.

use bytes::Bytes;
use futures::{Stream, stream};
use uuid::Uuid;

use crate::Error;

/// Rows that are read at once.
pub(crate) const PIECE: usize = 1_000;

/// What begins a formula in one spreadsheet or another.
const FORMULAS: &[char] = &['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// A cell as it is written.
pub fn guarded(cell: &str) -> String {
    if is_formula(cell) { format!("'{cell}") } else { cell.to_owned() }
}

/// A cell as it was before it was written.
pub fn unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if is_formula(rest) => rest,
        _ => cell,
    }
}

fn is_formula(cell: &str) -> bool {
    let cell = cell.trim_start_matches('\'');
    (cell.starts_with(FORMULAS) || cell.trim_start().starts_with(FORMULAS)) && !is_negative(cell)
}

/// Whether it is a number below zero as we write them: `-12.5`.
fn is_negative(cell: &str) -> bool {
    cell.strip_prefix('-').is_some_and(|number| {
        number.starts_with(|c: char| c.is_ascii_digit())
            && number.chars().all(|c| c.is_ascii_digit() || c == '.')
            && number.matches('.').count() <= 1
    })
}

/// Lines of a sheet, each ended by CR LF.
pub fn lines<C: AsRef<str>>(
    rows: impl IntoIterator<Item = impl IntoIterator<Item = C>>,
) -> Result<Bytes, Error> {
    let broken = |error: &dyn std::fmt::Display| Error::inconsistent("a sheet", error);
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).flexible(true).from_writer(Vec::new());
    for row in rows {
        let cells: Vec<String> = row.into_iter().map(|cell| guarded(cell.as_ref())).collect();
        writer.write_record(&cells).map_err(|error| broken(&error))?;
    }
    Ok(writer.into_inner().map_err(|error| broken(&error))?.into())
}

/// A whole sheet as it comes: its head, then what `fetch` reads after the row of an id (none: from the beginning), until
/// there is nothing more. `fetch` answers with rows and the id of the last of them.
///
/// It begins with a byte order mark, without which spreadsheets take UTF-8 for something else.
pub(crate) fn in_pieces<F, Answer>(
    head: &[&str],
    fetch: F,
) -> impl Stream<Item = Result<Bytes, Error>> + Send + use<F, Answer>
where
    F: Fn(Option<Uuid>) -> Answer + Send + 'static,
    Answer: Future<Output = Result<(Vec<Vec<String>>, Option<Uuid>), Error>> + Send + 'static,
{
    let first = lines([head]).map(|line| Bytes::from([MARK, &line].concat()));
    let rest = stream::try_unfold((None, true, fetch), |(after, more, fetch)| async move {
        if !more {
            return Ok(None);
        }
        let (rows, last) = fetch(after).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let more = rows.len() >= PIECE && last.is_some();
        Ok(Some((lines(rows)?, (last, more, fetch))))
    });
    stream::StreamExt::chain(stream::once(async move { first }), rest)
}

/// A byte order mark in UTF-8, with which a sheet begins.
pub const MARK: &[u8] = "\u{FEFF}".as_bytes();

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_text() {
        for cell in
            ["=1+1", "+49 30", "-5+1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "=cmd|' /C calc'!A0"]
        {
            assert_eq!(guarded(cell), format!("'{cell}"));
        }
        for cell in ["", "Acme", "'", "'tis", "1-2", "a=b", "-5", "-0.25", "שלום"] {
            assert_eq!(guarded(cell), cell);
        }
        assert_eq!((guarded("'=1").as_str(), unguarded("''=1")), ("''=1", "'=1"));
    }

    #[test]
    fn lines_are_as_rfc_4180_has_them() {
        let sheet = lines([["a", "b,c"], ["say \"x\"", "two\nlines"]]).unwrap();
        assert_eq!(sheet, "a,\"b,c\"\r\n\"say \"\"x\"\"\",\"two\nlines\"\r\n".as_bytes());
    }

    proptest! {
        #[test]
        fn reading_gives_back_what_was_written(rows in prop::collection::vec(
            prop::collection::vec("['=+@\t-]{0,3}\\PC{0,12}[\n\r\",']{0,2}", 2..5usize), 1..6usize)) {
            let sheet = lines(rows.iter()).unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(sheet.as_ref());
            let read: Vec<Vec<String>> = reader
                .records()
                .map(|record| record.unwrap().iter().map(|cell| unguarded(cell).to_owned()).collect())
                .collect();
            prop_assert_eq!(&read, &rows);
            for record in csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(sheet.as_ref()).records() {
                for cell in record.unwrap().iter() {
                    prop_assert!(is_negative(cell) || !cell.trim_start().starts_with(FORMULAS), "{cell:?}");
                }
            }
        }
    }
}
