//! Passwords: hashed with argon2id, never stored, never logged.

use std::time::Duration;

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use model::TenantId;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{Control, Error, settings};

/// OWASP's second configuration for argon2id: 19 MiB, 2 passes, 1 lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Each takes 19 MiB and some 20 ms of a core: more at once would take the machine from the calls.
static AT_ONCE: Semaphore = Semaphore::const_new(2);
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// In characters. Organizations may ask for longer ones.
pub(crate) const SHORTEST: u16 = 12;
/// In bytes. Longer ones are not hashed, not even to be refused.
pub(crate) const LONGEST: usize = 1024;

/// A hash of these parameters, of a password that nobody knows: checked where there is no other, so that it
/// takes as long to refuse an address that does not exist as one that does.
pub(crate) const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXRoaW5nIHNhbHR5$ZmRzYWZkc2FmZHNhZmRzYWZkc2FmZHNhZmRzYWZkc2E";

/// No turn came in time: the machine has too much to hash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Busy;

impl From<Busy> for Error {
    fn from(_: Busy) -> Self {
        Error::refused("busy", "too many passwords are being checked at the moment: try again in a minute")
    }
}

fn argon2() -> Result<Argon2<'static>, Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| Error::inconsistent("the parameters of argon2", error))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

async fn turn() -> Result<SemaphorePermit<'static>, Busy> {
    match tokio::time::timeout(PATIENCE, AT_ONCE.acquire()).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(Busy),
    }
}

/// Whether a new password is long enough to be hashed.
///
/// # Errors
/// When it is shorter than so many characters or longer than 1024 bytes.
fn fits(password: &SecretString, shortest: usize) -> Result<(), Error> {
    let length = password.expose_secret().chars().count();
    if length < shortest || password.expose_secret().len() > LONGEST {
        return Err(Error::invalid(
            "password",
            format!("give at least {shortest} characters and at most {LONGEST} bytes"),
        ));
    }
    Ok(())
}

/// What people choose when they are asked for twelve characters.
const OBVIOUS: &[&str] = &[
    "password",
    "passwort",
    "motdepasse",
    "contraseña",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "yxcvbnm",
    "zxcvbnm",
    "1234567890",
    "0987654321",
    "abcdefghijklm",
    "iloveyou",
    "letmein",
    "welcome",
    "changeme",
    "administrator",
    "workingagents",
];
/// So much has to be left of a password without what is obvious in it.
const LEFT: usize = 6;

/// Refuses a new password that somebody who knows the person would try first: made of `known` (the mail address, the names
/// of the person and the organization), of what everybody takes, or of few different characters.
pub(crate) fn judge(password: &SecretString, known: &[&str]) -> Result<(), Error> {
    fits(password, SHORTEST.into())?;
    let plain = password.expose_secret().to_lowercase();
    let mut words: Vec<String> = OBVIOUS.iter().map(|word| (*word).to_owned()).collect();
    for known in known {
        let known = known.trim().to_lowercase();
        words.extend(known.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
        words.push(known);
    }
    // Longer words first: the whole address, then what it is made of.
    words.retain(|word| word.chars().count() >= 4);
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let mut left = plain.clone();
    for word in &words {
        left = left.replace(word.as_str(), "");
    }
    let different = |text: &str| text.chars().collect::<std::collections::BTreeSet<_>>().len();
    if left.chars().count() < LEFT || different(&plain) < LEFT {
        return Err(Error::invalid(
            "password",
            "that is easy to guess: choose one that has nothing to do with your address, your name or the organization, such as \
             four words that do not belong together",
        ));
    }
    Ok(())
}

/// Hashes a new password, in PHC string form. `tenant`: whose rule it must follow, if there is an organization yet.
///
/// # Errors
/// `password` when it is shorter than 12 characters, or than the organization asks for, or longer than 1024 bytes.
pub(crate) async fn hash(
    control: &Control,
    tenant: Option<TenantId>,
    password: &SecretString,
) -> Result<String, Error> {
    let shortest = match tenant {
        Some(tenant) => settings::shortest_password(control, tenant).await?,
        None => SHORTEST.into(),
    };
    fits(password, shortest)?;
    let ambient = control.ambient();
    let salt = SaltString::encode_b64(&ambient.bytes::<16>())
        .map_err(|error| Error::inconsistent("a password's salt", error))?;
    let (argon2, password) = (argon2()?, password.clone());
    let turn = turn().await?;
    tokio::task::spawn_blocking(move || {
        // Kept until the work is done, even when nobody waits for it any more.
        let _turn = turn;
        argon2.hash_password(password.expose_secret().as_bytes(), &salt).map(|hash| hash.to_string())
    })
    .await
    .map_err(|error| Error::inconsistent("hashing a password", error))?
    .map_err(|error| Error::inconsistent("hashing a password", error))
}

/// Whether a password is the one of a stored hash. A hash that cannot be read fits none.
pub(crate) async fn verify(password: &SecretString, hash: String) -> Result<bool, Busy> {
    if password.expose_secret().len() > LONGEST {
        return Ok(false);
    }
    let password = password.clone();
    let turn = turn().await?;
    Ok(tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let parsed = PasswordHash::new(&hash)
            .inspect_err(|error| tracing::error!(%error, "a stored password hash is damaged"));
        // The parameters are those of the stored hash, so that older ones still verify.
        parsed.is_ok_and(|hash| {
            Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
        })
    })
    .await
    .unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_would_try_first_is_no_password() {
        let known = ["ada.lovelace@acme.example", "Ada Lovelace", "Acme & Söhne"];
        let judged = |text: &str| judge(&text.to_owned().into(), &known).is_ok();
        for bad in [
            "short",
            "ada.lovelace@acme.example",
            "AcmeAcmeAcme1",
            "Lovelace-2026",
            "passwordpassword",
            "Password12345",
            "aaaaaaaaaaaaaaaa",
            "abababababab",
            "qwertyuiop12",
            "123456789012",
            "söhne-acme-12",
            "WorkingAgents1!",
        ] {
            assert!(!judged(bad), "{bad}");
        }
        for good in [
            "correct horse battery staple",
            "Tr0ub4dor&3-again",
            "acme is where the sun sets",
            "ψαλίδι-χαρτί-πέτρα",
        ] {
            assert!(judged(good), "{good}");
        }
        assert!(!judged(&"ab1$".repeat(300)));
    }

    #[tokio::test]
    async fn the_dummy_is_a_hash_of_the_same_cost_that_fits_nothing() {
        let hash = PasswordHash::new(DUMMY).unwrap();
        let params = Params::try_from(&hash).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, LANES));
        assert_eq!(hash.hash.unwrap().len(), 32);
        assert!(!verify(&"".to_owned().into(), DUMMY.to_owned()).await.unwrap());
        assert!(!verify(&"correct horse battery".to_owned().into(), "nonsense".to_owned()).await.unwrap());
    }
}
