//! `tools/list` and its like: pages of definitions, written together as they stand in the directory.

use std::sync::Arc;

use policy::Tool;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::envelope::text_of;
use super::reply::write_string;

/// Longest cursor that is taken, in bytes.
const LONGEST_CURSOR: usize = 1024;
/// How much of the hash stands in a cursor, in bytes.
const SEAL: usize = 8;

/// A cursor that we did not hand out, or handed out to another agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadCursor;

/// The full name after which the next page begins. A page begins after a name and not at a number, so that tools
/// that come or go in between shift nothing.
pub(crate) fn after(cursor: Option<&RawValue>, reader: &[u8]) -> Result<Option<String>, BadCursor> {
    let Some(cursor) = cursor else { return Ok(None) };
    let text = text_of(cursor).filter(|text| text.len() <= LONGEST_CURSOR).ok_or(BadCursor)?;
    let bytes = decode_hex(&text).ok_or(BadCursor)?;
    let (seal, name) = bytes.split_at_checked(SEAL).ok_or(BadCursor)?;
    let name = std::str::from_utf8(name).map_err(|_| BadCursor)?;
    if seal == seal_of(name, reader) { Ok(Some(name.to_owned())) } else { Err(BadCursor) }
}

/// Writes one page: the members of a `ListToolsResult`, or of another list, without those of its era. `tools` are ordered by
/// full name.
pub(crate) fn page(
    member: &str,
    tools: &[Arc<Tool>],
    after: Option<&str>,
    size: usize,
    reader: &[u8],
) -> Vec<u8> {
    let first = after.map_or(0, |name| tools.partition_point(|tool| &*tool.full_name <= name));
    let rest = tools.get(first..).unwrap_or_default();
    let page = rest.get(..size).unwrap_or(rest);
    let mut out = Vec::with_capacity(64 + page.iter().map(|tool| tool.listing.len() + 1).sum::<usize>());
    write_string(&mut out, member);
    out.extend_from_slice(b":[");
    for (n, tool) in page.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        out.extend_from_slice(tool.listing.as_bytes());
    }
    out.push(b']');
    if let (true, Some(last)) = (rest.len() > page.len(), page.last()) {
        out.extend_from_slice(b",\"nextCursor\":");
        write_string(&mut out, &cursor(&last.full_name, reader));
    }
    out
}

fn cursor(name: &str, reader: &[u8]) -> String {
    let mut cursor = String::with_capacity(2 * (SEAL + name.len()));
    for byte in seal_of(name, reader).iter().chain(name.as_bytes()) {
        cursor.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        cursor.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    cursor
}

/// Binds a cursor to its reader. It keeps cursors from being mixed up; it guards nothing, since a page shows only
/// what its reader may see, wherever it begins.
fn seal_of(name: &str, reader: &[u8]) -> [u8; SEAL] {
    let hash: [u8; 32] = Sha256::new().chain_update(reader).chain_update(name).finalize().into();
    let mut seal = [0; SEAL];
    seal.iter_mut().zip(hash).for_each(|(seal, byte)| *seal = byte);
    seal
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<Vec<u32>>>()?;
    if digits.len() % 2 != 0 {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn a_cursor_comes_back_as_the_name_and_only_to_its_reader() {
        let cursor = raw(&format!("\"{}\"", cursor("crm.listé", b"one")));
        assert_eq!(after(Some(&cursor), b"one"), Ok(Some("crm.listé".to_owned())));
        assert_eq!(after(Some(&cursor), b"two"), Err(BadCursor));
        assert_eq!(after(None, b"one"), Ok(None));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let long = format!("\"{}\"", "00".repeat(600));
        for text in ["7", "null", "\"\"", "\"zz\"", "\"abc\"", "\"00112233445566778899\"", "{}", &long] {
            assert_eq!(after(Some(&raw(text)), b"one"), Err(BadCursor), "{text}");
        }
    }
}
