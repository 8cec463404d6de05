//! A mail as plain text: lines of at most 72 characters, addresses on lines of their own.

use super::{Said, Words};
use crate::text;

const WIDTH: usize = 72;

pub(super) fn text(words: &Words, origin: &str) -> String {
    let mut paragraphs = Vec::new();
    paragraphs.extend(words.greets.as_ref().map(|name| format!("Hello {},", text::one_line(name, 120))));
    paragraphs.extend(words.before.iter().map(|sentence| wrapped(sentence)));
    paragraphs.extend(words.action.as_ref().map(|(label, href)| format!("{label}:\n{href}")));
    paragraphs.extend(words.after.iter().map(|said| match said {
        Said::Sentence(sentence) => wrapped(sentence),
        Said::Link(sentence, href) => format!("{}\n{href}", wrapped(sentence)),
    }));
    format!("{}\n\n-- \nWorkingAgents\n{origin}\n", paragraphs.join("\n\n"))
}

/// Breaks lines between words.
fn wrapped(sentence: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in text::one_line(sentence, 2_000).split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
    }
    out
}
