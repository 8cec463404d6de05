//! What a server says when it refuses a request for want of a token: `WWW-Authenticate` (RFC 9110 section 11.6.1, RFC 6750
//! section 3, RFC 9728 section 5.1).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

use crate::fetch::cut;
use crate::scopes::Scopes;

/// Most of all challenges that is read, in bytes.
const MOST: usize = 8 << 10;

/// The `Bearer` challenge of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    /// Where its protected resource metadata is, as it says.
    pub resource_metadata: Option<String>,
    /// What a token must be good for.
    pub scope: Option<Scopes>,
    /// Why the request was refused, such as `invalid_token`, `insufficient_scope`; none if no token came.
    pub error: Option<String>,
    /// The same in its words, cut to 300 characters.
    pub description: Option<String>,
}

impl Challenge {
    /// Reads the `Bearer` challenge in the headers of an answer. None: it has none, or none that can be read.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let mut left = MOST;
        for value in values {
            left = left.checked_sub(value.len())?;
            if let Some(challenge) = Self::bearer(value) {
                return Some(challenge);
            }
        }
        None
    }

    /// Whether a token was presented that is good for less than was asked.
    pub fn wants_more(&self) -> bool {
        self.error.as_deref() == Some("insufficient_scope")
    }

    fn bearer(value: &str) -> Option<Self> {
        let mut rest = value;
        let mut found: Option<Self> = None;
        let mut is_ours = false;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return found;
            }
            let (word, after) = token(rest)?;
            let tail = after.trim_start_matches([' ', '\t']);
            if let Some(text) = tail.strip_prefix('=').filter(|text| !text.starts_with(['=', ','])) {
                let (text, after) = parameter(text.trim_start_matches([' ', '\t']))?;
                rest = after;
                if is_ours && let Some(challenge) = &mut found {
                    challenge.take(word, &text);
                }
                continue;
            }
            // A scheme; another one ends the challenge that we want.
            if found.is_some() {
                return found;
            }
            is_ours = word.eq_ignore_ascii_case("bearer");
            if is_ours {
                found = Some(Self::default());
            }
            // `token68`, which `Negotiate` has, ends at a comma.
            rest = match token68(tail) {
                Some(after) => after,
                None => tail,
            };
        }
    }

    /// The first of each counts: a parameter stands but once (RFC 9110 section 11.2).
    fn take(&mut self, name: &str, text: &str) {
        let first = |kept: &mut Option<String>, most| {
            kept.get_or_insert_with(|| cut(text, most));
        };
        match name.to_ascii_lowercase().as_str() {
            "resource_metadata" => first(&mut self.resource_metadata, 2048),
            "error" => first(&mut self.error, 60),
            "error_description" => first(&mut self.description, 300),
            "scope" => {
                self.scope.get_or_insert_with(|| Scopes::read(text));
            }
            _ => {}
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn token(text: &str) -> Option<(&str, &str)> {
    let length = text.bytes().take_while(|byte| is_token(*byte)).count();
    (length > 0).then(|| text.split_at_checked(length)).flatten()
}

/// A token or a quoted string.
fn parameter(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        // Some write addresses without quotes.
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end)?;
        return Some((word.to_owned(), rest));
    };
    let mut out = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((out, quoted.get(at + 1..)?)),
            '\\' => out.push(letters.next()?.1),
            letter => out.push(letter),
        }
    }
    None
}

/// What follows a `token68`, if one stands here.
fn token68(text: &str) -> Option<&str> {
    let length =
        text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte)).count();
    let (_, after) = text.split_at_checked(length)?;
    let after = after.trim_start_matches('=');
    (length > 0 && (after.is_empty() || after.starts_with(','))).then_some(after)
}
