//! What people type in, checked before it goes anywhere: names, mail addresses.

use chrono::SubsecRound as _;
use model::Timestamp;

use crate::Error;

/// A name or title for people: trimmed, 1 to `most` characters, nothing that could make it read as another
/// name.
pub(crate) fn name(field: &'static str, text: &str, most: usize) -> Result<String, Error> {
    let text = text.trim();
    // Said in a list of all that is wrong as well, where nothing else tells which field it is about.
    let what = field.replace('_', " ");
    if text.is_empty() {
        return Err(Error::invalid(field, format!("give the {what}")));
    }
    if text.chars().count() > most {
        return Err(Error::invalid(field, format!("give at most {most} characters for the {what}")));
    }
    match text.chars().find(|c| misleads(*c)) {
        None => Ok(text.to_owned()),
        Some(c) => Err(Error::invalid(
            field,
            format!("it contains the invisible character U+{:04X}; leave it out", u32::from(c)),
        )),
    }
}

/// Control characters, and those that turn the direction of text, so that a name would show as something
/// else.
fn misleads(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A mail address in the form it is stored in: lower case, ASCII (RFC 5321 without SMTPUTF8), at most 254
/// characters.
pub(crate) fn email(text: &str) -> Result<String, Error> {
    let text = text.trim();
    let fits = text.len() <= 254
        && text.bytes().all(|b| b.is_ascii_graphic() && !b"<>()[],;:\\\"".contains(&b))
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !domain.starts_with('.')
        });
    if fits {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(Error::invalid(
            "email",
            "give one plain mail address such as ada@example.com, at most 254 characters",
        ))
    }
}

/// When something is to end, to the microsecond, as the database keeps it.
pub(crate) fn end(
    field: &'static str,
    at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    match at {
        Some(at) if at <= now => Err(Error::invalid(field, "give a time that has not passed")),
        at => Ok(at.map(|at| at.trunc_subsecs(6))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_bounded_and_show_as_what_they_are() {
        assert_eq!(name("name", "  Inbox helper ", 20).unwrap(), "Inbox helper");
        assert_eq!(name("name", &"é".repeat(20), 20).unwrap().chars().count(), 20);
        for bad in ["", "   ", "a\u{0}b", "a\nb", "evil\u{202E}txt", &"x".repeat(21)] {
            assert!(name("name", bad, 20).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn mail_addresses_are_one_plain_address() {
        assert_eq!(email(" Ada@Example.COM ").unwrap(), "ada@example.com");
        for bad in [
            "",
            "ada",
            "@x",
            "a@",
            "a@b@c",
            "a b@c",
            "ä@c.de",
            "<a@b>",
            "a@.b",
            &format!("{}@b.c", "a".repeat(251)),
        ] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
    }
}
