//! Text that others wrote, made fit to be seen: what is invisible or reorders its surroundings is named.
//!
//! Escaping is the view's work; this is about characters that are legal in HTML and lie to the eye.

use std::fmt::Write;

use leptos::prelude::*;

/// Names and titles are cut to this many characters.
const NAME: usize = 240;

/// Whether a character hides, or changes the direction of what stands around it.
fn hides(c: char) -> bool {
    matches!(c,
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'   // bidirectional embeddings, overrides, isolates
        | '\u{E0000}'..='\u{E007F}'                          // tags: text that models read and people do not see
        | '\u{200B}' | '\u{2060}' | '\u{FEFF}' | '\u{00AD}'  // zero-width space, word joiner, BOM, soft hyphen
        | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}'  // blank letters
        | '\u{80}'..='\u{9F}' | '\u{7F}')
}

fn push_visible(out: &mut String, c: char, keep_lines: bool) {
    match c {
        '\n' | '\t' if keep_lines => out.push(c),
        // C0 controls have pictures of their own: U+2400 and up.
        '\0'..='\u{1F}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{FFFD}')),
        c if hides(c) => {
            let _ = write!(out, "⟦U+{:04X}⟧", u32::from(c));
        }
        c => out.push(c),
    }
}

/// One line of at most `limit` characters: controls become pictures, hidden characters are named, and what
/// was cut off is marked with `…`.
pub fn one_line(text: &str, limit: usize) -> String {
    visible(text, limit, false)
}

/// Like [`one_line`], with line breaks and tabs kept.
pub fn lines(text: &str, limit: usize) -> String {
    visible(text, limit, true)
}

fn visible(text: &str, limit: usize, keep_lines: bool) -> String {
    let mut out = String::with_capacity(text.len().min(limit.saturating_mul(4)));
    for (count, c) in text.chars().enumerate() {
        if count == limit {
            out.push('…');
            break;
        }
        push_visible(&mut out, c, keep_lines);
    }
    out
}

/// What stands in a `<textarea>`, as its inner HTML: the view does not escape it, and parsers drop a line break after the
/// opening tag, so that one is put there to be dropped.
pub fn in_textarea(text: &str) -> String {
    format!("\n{}", text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

/// A name somebody chose, isolated so that its direction does not spill into the sentence around it.
pub fn name(text: &str) -> impl IntoView + use<> {
    view! { <bdi>{one_line(text, NAME)}</bdi> }
}

/// A sentence that names things: longer than a name, with its line breaks; what stands between backticks is code.
pub fn prose(text: &str, limit: usize) -> impl IntoView + use<> {
    let text = lines(text, limit);
    let parts = text.split('`').count();
    let words = text
        .split('`')
        .enumerate()
        // A backtick without its other half is one.
        .map(|(at, part)| match at % 2 == 1 {
            true if at + 1 < parts => view! { <code>{part.to_owned()}</code> }.into_any(),
            true => format!("`{part}").into_any(),
            false => part.to_owned().into_any(),
        })
        .collect::<Vec<_>>();
    view! { <bdi>{words}</bdi> }
}

/// A tool, id or other machine word.
pub fn code(text: &str) -> impl IntoView + use<> {
    view! { <code><bdi>{one_line(text, NAME)}</bdi></code> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_named_and_what_does_not_is_kept() {
        assert_eq!(one_line("a\0b\r\nc", 100), "a␀b␍␊c");
        assert_eq!(lines("a\n\tb\u{1B}", 100), "a\n\tb␛");
        assert_eq!(one_line("invoice\u{202E}fdp.exe", 100), "invoice⟦U+202E⟧fdp.exe");
        assert_eq!(one_line("x\u{E0041}", 100), "x⟦U+E0041⟧");
        assert_eq!(one_line("שלום 👩‍👩‍👧 é", 100), "שלום 👩‍👩‍👧 é");
    }

    #[test]
    fn escaped_text_ends_no_element() {
        assert_eq!(in_textarea("</textarea><b>&amp;"), "\n&lt;/textarea&gt;&lt;b&gt;&amp;amp;");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(one_line(&"ä".repeat(10_000), 5), "äääää…");
        assert_eq!(one_line("äääää", 5), "äääää");
    }
}
