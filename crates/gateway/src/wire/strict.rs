//! JSON that is forwarded byte for byte is read strictly first: what two parsers could read in two ways is refused,
//! not guessed. Duplicate keys, lone surrogates and deep nesting are such things.
//!
//! One pass over the bytes, an explicit stack instead of recursion, memory bounded by the input.

use std::borrow::Cow;

/// What is wrong with a text, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is not JSON (RFC 8259).
    #[error("no valid JSON at byte {at}")]
    NotJson {
        /// Where.
        at: usize,
    },
    /// More arrays and objects lie in each other than are taken.
    #[error("nested more than {limit} levels deep at byte {at}")]
    TooDeep {
        /// Where.
        at: usize,
        /// How many would have been taken.
        limit: usize,
    },
    /// An object has the same key twice; readers differ on which one counts (RFC 8259 section 4).
    #[error("the key {key:?} stands twice in one object, which ends at byte {at}")]
    DuplicateKey {
        /// Where the object ends.
        at: usize,
        /// The key, cut to 80 characters.
        key: String,
    },
    /// A `\u` escape is half of a surrogate pair, which is no character (RFC 8259 section 8.2).
    #[error("half of a surrogate pair is escaped at byte {at}")]
    LoneSurrogate {
        /// Where.
        at: usize,
    },
}

/// Checks that `text` is one JSON value, nested at most `depth` levels, without duplicate keys or lone surrogates.
pub fn check(text: &[u8], depth: usize) -> Result<(), Flaw> {
    if let Err(error) = std::str::from_utf8(text) {
        return Err(Flaw::NotJson { at: error.valid_up_to() });
    }
    let mut walk = Walk { text, at: 0, limit: depth, open: Vec::new(), keys: Vec::new() };
    walk.value()?;
    walk.space();
    if walk.at == text.len() { Ok(()) } else { Err(walk.not_json()) }
}

/// An array or object that has not been closed yet.
enum Open {
    Array,
    /// With where its keys begin in [`Walk::keys`].
    Object {
        first_key: usize,
    },
}

/// A key as it stands between its quotes.
#[derive(Clone, Copy)]
struct Key<'t> {
    text: &'t [u8],
    escaped: bool,
}

struct Walk<'t> {
    text: &'t [u8],
    at: usize,
    limit: usize,
    open: Vec<Open>,
    /// The keys of all open objects, those of the innermost last.
    keys: Vec<Key<'t>>,
}

impl<'t> Walk<'t> {
    /// Reads one whole value, whatever lies inside.
    fn value(&mut self) -> Result<(), Flaw> {
        loop {
            // Here a value must begin.
            self.space();
            match self.peek() {
                Some(b'{') => {
                    self.enter(Open::Object { first_key: self.keys.len() })?;
                    self.space();
                    if self.peek() == Some(b'}') {
                        self.at += 1;
                        self.open.pop();
                    } else {
                        self.key()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.enter(Open::Array)?;
                    self.space();
                    if self.peek() == Some(b']') {
                        self.at += 1;
                        self.open.pop();
                    } else {
                        continue;
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.word(b"true")?,
                Some(b'f') => self.word(b"false")?,
                Some(b'n') => self.word(b"null")?,
                _ => return Err(self.not_json()),
            }
            // Here a value has ended: close what it closes, up to the next comma.
            if !self.next_value()? {
                return Ok(());
            }
        }
    }

    /// After a value: whether another follows (in which case its key has been read).
    fn next_value(&mut self) -> Result<bool, Flaw> {
        loop {
            let Some(innermost) = self.open.last() else { return Ok(false) };
            let first_key = match innermost {
                Open::Array => None,
                Open::Object { first_key } => Some(*first_key),
            };
            self.space();
            match (self.peek(), first_key) {
                (Some(b','), None) => {
                    self.at += 1;
                    return Ok(true);
                }
                (Some(b','), Some(_)) => {
                    self.at += 1;
                    self.space();
                    self.key()?;
                    return Ok(true);
                }
                (Some(b']'), None) => {
                    self.at += 1;
                    self.open.pop();
                }
                (Some(b'}'), Some(first_key)) => {
                    self.at += 1;
                    self.unique(first_key)?;
                    self.keys.truncate(first_key);
                    self.open.pop();
                }
                _ => return Err(self.not_json()),
            }
        }
    }

    fn enter(&mut self, open: Open) -> Result<(), Flaw> {
        if self.open.len() >= self.limit {
            return Err(Flaw::TooDeep { at: self.at, limit: self.limit });
        }
        self.open.push(open);
        self.at += 1;
        Ok(())
    }

    fn key(&mut self) -> Result<(), Flaw> {
        if self.peek() != Some(b'"') {
            return Err(self.not_json());
        }
        let key = self.string()?;
        self.keys.push(key);
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.not_json());
        }
        self.at += 1;
        Ok(())
    }

    /// Refuses the object that has just ended if two of its keys mean the same text. Sorted, so that an object
    /// of a hundred thousand keys costs no more than reading it does.
    fn unique(&mut self, first_key: usize) -> Result<(), Flaw> {
        let at = self.at;
        let keys = self.keys.get_mut(first_key..).unwrap_or_default();
        let twice = if keys.iter().any(|key| key.escaped) {
            let mut plain: Vec<Cow<'t, [u8]>> = keys.iter().map(Key::plain).collect();
            plain.sort_unstable();
            plain.windows(2).find_map(|pair| match pair {
                [a, b] if a == b => Some(a.to_vec()),
                _ => None,
            })
        } else {
            keys.sort_unstable_by_key(|key| key.text);
            keys.windows(2).find_map(|pair| match pair {
                [a, b] if a.text == b.text => Some(a.text.to_vec()),
                _ => None,
            })
        };
        match twice {
            None => Ok(()),
            Some(key) => {
                Err(Flaw::DuplicateKey { at, key: String::from_utf8_lossy(&key).chars().take(80).collect() })
            }
        }
    }

    /// Reads a string, both quotes included.
    fn string(&mut self) -> Result<Key<'t>, Flaw> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let text = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(Key { text, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                None | Some(0..=0x1F) => return Err(self.not_json()),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), Flaw> {
        let at = self.at;
        match self.text.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => match self.unit(at)? {
                0xD800..=0xDBFF => {
                    let low = at + 6;
                    let follows = self.text.get(low..low + 2) == Some(b"\\u");
                    if follows && matches!(self.unit(low)?, 0xDC00..=0xDFFF) {
                        self.at = low + 6;
                        Ok(())
                    } else {
                        Err(Flaw::LoneSurrogate { at })
                    }
                }
                0xDC00..=0xDFFF => Err(Flaw::LoneSurrogate { at }),
                _ => {
                    self.at += 6;
                    Ok(())
                }
            },
            _ => Err(self.not_json()),
        }
    }

    /// The four hexadecimal digits of the `\u` escape at `at`.
    fn unit(&self, at: usize) -> Result<u32, Flaw> {
        let digits = self.text.get(at + 2..at + 6).unwrap_or_default();
        let mut unit = 0;
        for digit in digits {
            let value = char::from(*digit).to_digit(16).ok_or(Flaw::NotJson { at })?;
            unit = unit * 16 + value;
        }
        if digits.len() == 4 { Ok(unit) } else { Err(Flaw::NotJson { at }) }
    }

    fn number(&mut self) -> Result<(), Flaw> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.not_json()),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(self.not_json()) }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Flaw> {
        if self.text.get(self.at..self.at + word.len()) == Some(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.not_json())
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn not_json(&self) -> Flaw {
        Flaw::NotJson { at: self.at }
    }
}

impl<'t> Key<'t> {
    /// The key with its escapes resolved. They were checked when it was read; a key that could not be resolved
    /// all the same is compared as it stands.
    fn plain(&self) -> Cow<'t, [u8]> {
        if !self.escaped {
            return Cow::Borrowed(self.text);
        }
        let mut quoted = Vec::with_capacity(self.text.len() + 2);
        quoted.push(b'"');
        quoted.extend_from_slice(self.text);
        quoted.push(b'"');
        match serde_json::from_slice::<String>(&quoted) {
            Ok(key) => Cow::Owned(key.into_bytes()),
            Err(_) => Cow::Borrowed(self.text),
        }
    }
}

#[cfg(test)]
mod tests;
