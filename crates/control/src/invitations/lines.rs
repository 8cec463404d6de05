//! A pasted list of addresses: each line read and checked, mistakes told by their line.

use std::collections::HashMap;

use crate::tx::TenantTx;
use crate::{Error, given, settings};

/// Most people invited at once.
pub const MOST: usize = 200;

/// What is wrong with one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineError {
    /// Which line, from 1.
    pub line: usize,
    /// What stands there, cut to 80 characters.
    pub text: String,
    /// What is wrong with it and what would be right.
    pub sentence: String,
}

impl LineError {
    fn new(line: usize, text: &str, sentence: impl Into<String>) -> Self {
        Self { line, text: text.chars().take(80).collect(), sentence: sentence.into() }
    }
}

/// Addresses, each with the line it stands on.
type Listed = Vec<(usize, String)>;

/// Reads a list: an address on each line, or several with commas or semicolons between, each alone or as mail programs write
/// it: `Ada Lovelace <ada@example.com>`. Returns each address with its line, or what is wrong.
pub(super) fn read(list: &str) -> Result<Result<Listed, Vec<LineError>>, Error> {
    let (mut emails, mut wrong) = (Vec::new(), Vec::new());
    let mut first_at: HashMap<String, usize> = HashMap::new();
    for (at, line) in list.lines().enumerate() {
        for text in line.split([',', ';']).map(str::trim).filter(|text| !text.is_empty()) {
            let inner = text.split_once('<').and_then(|(_, rest)| rest.strip_suffix('>'));
            match given::email(inner.unwrap_or(text)) {
                Err(_) => {
                    wrong.push(LineError::new(at + 1, text, "is no mail address such as ada@example.com"));
                }
                Ok(email) => match first_at.get(&email) {
                    Some(first) => {
                        wrong.push(LineError::new(at + 1, text, format!("stands on line {first} already")));
                    }
                    None => {
                        first_at.insert(email.clone(), at + 1);
                        emails.push((at + 1, email));
                    }
                },
            }
        }
        if emails.len() + wrong.len() > MOST {
            return Err(Error::invalid("emails", format!("give at most {MOST} addresses at once")));
        }
    }
    if emails.is_empty() && wrong.is_empty() {
        return Err(Error::invalid("emails", "give at least one mail address"));
    }
    Ok(if wrong.is_empty() { Ok(emails) } else { Err(wrong) })
}

/// Who of a list is here already, was invited and has not come yet, or may not be invited by the organization's own rule.
pub(super) async fn known(tx: &mut TenantTx, emails: &[(usize, String)]) -> Result<Vec<LineError>, Error> {
    let addresses: Vec<String> = emails.iter().map(|(_, email)| email.clone()).collect();
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let here = sqlx::query!(
        "SELECT email, name, standing FROM users WHERE tenant_id = $1 AND email = ANY ($2) AND removed_at IS NULL",
        tenant,
        &addresses,
    )
    .fetch_all(tx.conn())
    .await?;
    let open = sqlx::query_scalar!(
        "SELECT email FROM invitations
         WHERE tenant_id = $1 AND email = ANY ($2) AND accepted_at IS NULL AND withdrawn_at IS NULL AND expires_at > $3",
        tenant,
        &addresses,
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut wrong = Vec::new();
    for (line, email) in emails {
        if let Some(person) = here.iter().find(|person| person.email == *email) {
            let suspended = if person.standing == "active" { "" } else { ", suspended" };
            let sentence = format!("is here already: “{}”{suspended}", person.name);
            wrong.push(LineError::new(*line, email, sentence));
        } else if open.contains(email) {
            let sentence = "was invited and has not come yet: send it again from the list";
            wrong.push(LineError::new(*line, email, sentence));
        } else if let Err(error) = settings::may_be_invited(tx, email).await {
            match error {
                Error::Invalid { sentence, .. } => {
                    let sentence = format!("may not be invited: {sentence}");
                    wrong.push(LineError::new(*line, email, sentence));
                }
                other => return Err(other),
            }
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_people_paste_it() {
        let list = "Ada@Example.com\r\n\n  Bob Builder <bob@example.com> ; cyd@example.com,\ndan@example.com";
        let emails = read(list).unwrap().unwrap();
        let said: Vec<_> = emails.iter().map(|(line, email)| (*line, email.as_str())).collect();
        assert_eq!(
            said,
            [(1, "ada@example.com"), (3, "bob@example.com"), (3, "cyd@example.com"), (4, "dan@example.com")]
        );
    }

    #[test]
    fn each_mistake_is_told_by_its_line() {
        let wrong = read("ada@example.com\nnonsense\nADA@example.com\n<x@y.example").unwrap().unwrap_err();
        let said: Vec<_> =
            wrong.iter().map(|it| format!("{} {}: {}", it.line, it.text, it.sentence)).collect();
        assert_eq!(
            said,
            [
                "2 nonsense: is no mail address such as ada@example.com",
                "3 ADA@example.com: stands on line 1 already",
                "4 <x@y.example: is no mail address such as ada@example.com",
            ]
        );
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert!(read(" \n , ;").is_err());
        let many = |count: usize| (0..count).map(|n| format!("p{n}@example.com\n")).collect::<String>();
        assert_eq!(read(&many(MOST)).unwrap().unwrap().len(), MOST);
        assert!(read(&many(MOST + 1)).is_err());
        assert!(read(&"x".repeat(100_000)).unwrap().unwrap_err()[0].text.len() <= 80);
    }
}
