//! Signing up: an organization and its first owner. Nothing is made before the mail address is proved: until then there is a
//! sealed row, found by the hash of the token in the mail, gone after a day.
//!
//! What is answered does not tell whether an address is known: the same is done for all of them, and a known person gets
//! another mail.

use std::net::IpAddr;

use chrono::{SubsecRound as _, TimeDelta};
use model::people::Slug;
use model::{Currency, TenantId, Timestamp, UserId, Zone};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::mail::{self, Letter, To};
use crate::sign_in::Stamp;
use crate::tenants::{self, Founding};
use crate::throttle::{Limit, network};
use crate::vault::Stored;
use crate::{Actor, Control, Error, given, passwords, token, tx};

/// How long the link in the mail is good.
const GOOD_FOR: TimeDelta = TimeDelta::hours(24);
/// Sign-ups are counted for this long.
const WINDOW: TimeDelta = TimeDelta::hours(1);
/// For one mail address from anywhere: each is a mail to somebody who may not have asked.
const FOR_EMAIL: i32 = 5;
/// From one network address: each costs the hash of a password.
const FROM_ADDRESS: i32 = 30;
/// Short names that are tried with a number before one with random letters is taken.
const NUMBERED: u32 = 20;
/// The longest short name, and what is left of it for a name before a number.
const STEM: usize = 32;

/// Currencies that can be chosen. What calls cost is kept in one of them and never converted.
pub const CURRENCIES: &[&str] = &[
    "USD", "EUR", "GBP", "CHF", "AUD", "BRL", "CAD", "CNY", "CZK", "DKK", "HKD", "HUF", "ILS", "INR", "JPY",
    "KRW", "MXN", "NOK", "NZD", "PLN", "RON", "SEK", "SGD", "THB", "TRY", "TWD", "ZAR",
];

/// What somebody who signs up gives.
#[derive(Clone, Debug)]
pub struct NewSignUp {
    /// The organization's name: 1 to 120 characters.
    pub organization: String,
    /// Their own name: 1 to 120 characters.
    pub name: String,
    /// Their mail address.
    pub email: String,
    /// With what they will sign in: at least 12 characters, nothing obvious.
    pub password: SecretString,
    /// In what calls are charged, one of [`CURRENCIES`].
    pub currency: String,
    /// In which the organization is told times, as the browser says; what is no zone is UTC.
    pub time_zone: String,
}

/// What a link leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// The organization's name.
    pub organization: String,
    /// The address that is proved by following the link.
    pub email: String,
}

/// An organization that was just made, and its owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Founded {
    /// The organization.
    pub tenant: TenantId,
    /// Its short name.
    pub slug: Slug,
    /// Its owner.
    pub owner: UserId,
    /// With what the owner's first session begins.
    pub stamp: Stamp,
}

/// What is kept, sealed, until the address is proved.
#[derive(Serialize, Deserialize)]
struct Kept {
    organization: String,
    name: String,
    email: String,
    password_hash: String,
    currency: Currency,
    zone: Zone,
}

/// Everything that is wrong with what was given, each by its field.
pub fn check(new: &NewSignUp) -> Vec<Error> {
    let known = [new.email.as_str(), &new.name, &new.organization];
    [
        given::name("organization", &new.organization, 120).err(),
        given::name("name", &new.name, 120).err(),
        given::email(&new.email).err(),
        passwords::judge(&new.password, &known).err(),
        currency(&new.currency).err(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn currency(text: &str) -> Result<Currency, Error> {
    let known = CURRENCIES.contains(&text).then(|| text.parse().ok()).flatten();
    known.ok_or_else(|| Error::invalid("currency", "choose one of the currencies"))
}

/// Keeps what was given, and sends a mail with the link that proves the address.
///
/// # Errors
/// `too_many`; `no_mail` where the installation sends none; the first of what [`check`] finds.
pub async fn begin(control: &Control, new: NewSignUp, from: Option<IpAddr>) -> Result<(), Error> {
    if !control.sends_mail() {
        return Err(Error::refused("no_mail", "this installation sends no mail, so nobody can sign up"));
    }
    if let Some(error) = check(&new).into_iter().next() {
        return Err(error);
    }
    let email = given::email(&new.email)?;
    if let Some(from) = from.map(network) {
        Limit::new(&["sign_up", "address", &from], FROM_ADDRESS, WINDOW).count(control).await??;
    }
    Limit::new(&["sign_up", "email", &email], FOR_EMAIL, WINDOW).count(control).await??;
    let ambient = control.ambient();
    let kept = Kept {
        organization: given::name("organization", &new.organization, 120)?,
        name: given::name("name", &new.name, 120)?,
        email,
        password_hash: passwords::hash(control, None, &new.password).await?,
        currency: currency(&new.currency)?,
        zone: new.time_zone.trim().parse().unwrap_or(Zone::UTC),
    };
    let plain = serde_json::to_vec(&kept).map_err(|error| Error::inconsistent("a sign-up", error))?;
    let (token, hash) = token::new(ambient);
    let sealed = control.vault().seal_stored(ambient, Stored::SignUp(hash), &plain)?;
    let until = ambient.now().trunc_subsecs(6) + GOOD_FOR;
    let email_hash = email_hash(&kept.email);
    let known = organizations_of(control, &kept.email).await?;
    let mut tx = tx::begun(control, "BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    sqlx::query!(
        "INSERT INTO sign_ups (token_hash, email_hash, sealed, expires_at) VALUES ($1, $2, $3, $4)",
        hash.as_slice(),
        email_hash.as_slice(),
        sealed,
        until,
    )
    .execute(&mut *tx)
    .await?;
    let Kept { organization, email, .. } = kept;
    // The name is not written into the mail: whoever signs up can give any, and any address.
    let letter = if known.is_empty() {
        Letter::VerifySignUp { organization, token, until }
    } else {
        Letter::SignUpKnown { organization, known, token, until }
    };
    mail::post(control, &mut tx, To::address(email), letter).await?;
    tx.commit().await?;
    Ok(())
}

/// Names of the organizations in which an address can sign in.
async fn organizations_of(control: &Control, email: &str) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar!(r#"SELECT tenant_name AS "name!" FROM sign_in_candidates($1)"#, email)
        .fetch_all(control.pool())
        .await?)
}

/// Under which sign-ups and resets of one address are found.
pub(crate) fn email_hash(email: &str) -> [u8; 32] {
    Sha256::digest(email.as_bytes()).into()
}

/// What a link leads to; none when it was used, is too old, or never was.
pub async fn look(control: &Control, token: &str) -> Result<Option<Waiting>, Error> {
    let (hash, now) = (token::hash(token), control.ambient().now());
    let row = sqlx::query!(
        "SELECT sealed FROM sign_ups WHERE token_hash = $1 AND expires_at > $2",
        hash.as_slice(),
        now
    )
    .fetch_optional(control.pool())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let kept = open(control, hash, &row.sealed)?;
    Ok(Some(Waiting { organization: kept.organization, email: kept.email }))
}

fn open(control: &Control, hash: [u8; 32], sealed: &[u8]) -> Result<Kept, Error> {
    let plain = control.vault().open_stored(Stored::SignUp(hash), sealed)?;
    serde_json::from_slice(&plain).map_err(|error| Error::inconsistent("a sign-up", error))
}

/// Makes the organization, its first unit and its owner. The link is used up, and so are all others of that address.
///
/// # Errors
/// Not found when the link was used, is too old, or never was.
pub async fn verify(control: &Control, token: &str) -> Result<Founded, Error> {
    let (hash, ambient) = (token::hash(token), control.ambient());
    let id: TenantId = ambient.id();
    let actor = Actor::worker(id);
    // Nobody can know of the tenant before the commit, so there is no gate to take.
    let mut tx = actor.write(control).await?;
    let now = tx.now();
    let gone = || Error::not_found("sign-up that waits to be verified");
    let email_hash = sqlx::query_scalar!(
        "SELECT email_hash FROM sign_ups WHERE token_hash = $1 AND expires_at > $2",
        hash.as_slice(),
        now
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(gone)?;
    // Two links of one address at the same time: the second waits here, and is used up by the first.
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('sign_up:' || encode($1, 'hex'), 0))",
        email_hash.as_slice()
    )
    .fetch_one(tx.conn())
    .await?;
    let sealed =
        sqlx::query_scalar!("DELETE FROM sign_ups WHERE token_hash = $1 RETURNING sealed", hash.as_slice())
            .fetch_optional(tx.conn())
            .await?
            .ok_or_else(gone)?;
    sqlx::query!("DELETE FROM sign_ups WHERE email_hash = $1", email_hash).execute(tx.conn()).await?;
    let kept = open(control, hash, &sealed)?;
    let slug = free_slug(control, &mut tx, &kept.organization).await?;
    let stamp = Stamp::of(Some(&kept.password_hash));
    let created = tenants::found(
        control,
        &mut tx,
        Founding {
            slug: slug.clone(),
            name: kept.organization.clone(),
            currency: kept.currency,
            zone: kept.zone,
            first_unit: kept.organization,
            owner_email: kept.email,
            owner_name: kept.name.clone(),
            owner_password_hash: kept.password_hash,
        },
    )
    .await?;
    tx.audit("user.sign_up", "user", created.owner, &kept.name, json!({})).await?;
    tx.commit().await?;
    Ok(Founded { tenant: created.tenant, slug, owner: created.owner, stamp })
}

/// Takes a short name made from an organization's name: `acme`, `acme-2`, and so on.
async fn free_slug(control: &Control, tx: &mut tx::TenantTx, name: &str) -> Result<Slug, Error> {
    let stem = stem(name);
    for number in 1..=NUMBERED {
        let text = if number == 1 { stem.clone() } else { format!("{stem}-{number}") };
        if let Ok(slug) = text.parse::<Slug>()
            && tenants::claim(tx, &slug).await?
        {
            return Ok(slug);
        }
    }
    let slug: Slug = format!("{stem}-{}", hex::encode(control.ambient().bytes::<3>()))
        .parse()
        .map_err(|error| Error::inconsistent("a short name", error))?;
    if tenants::claim(tx, &slug).await? {
        Ok(slug)
    } else {
        Err(Error::refused("busy", "no short name could be found: try again"))
    }
}

/// What a short name can be of an organization's name: its Latin letters without their marks, and its digits.
fn stem(name: &str) -> String {
    let mut stem = String::new();
    for c in name.to_lowercase().chars() {
        match plain(c) {
            Some(letters) if stem.ends_with('-') => stem.push_str(letters.trim_start_matches('-')),
            Some(letters) => stem.push_str(letters),
            None if c.is_ascii_lowercase() || c.is_ascii_digit() => stem.push(c),
            None if !stem.ends_with('-') && !stem.is_empty() && c != '\'' && c != '’' => stem.push('-'),
            None => {}
        }
    }
    let stem = stem.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let cut: String = stem.chars().take(STEM).collect();
    let cut = cut.trim_matches('-');
    if cut.len() < 2 { "organization".to_owned() } else { cut.to_owned() }
}

/// A Latin letter without its marks, as people of the language write it where they have none.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'ä' | 'æ' => "ae",
        'ö' | 'œ' | 'ø' => "oe",
        'ü' => "ue",
        'ß' => "ss",
        'à' | 'á' | 'â' | 'ã' | 'ā' | 'ă' | 'ą' => "a",
        'å' => "aa",
        'ç' | 'ć' | 'č' | 'ĉ' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'ğ' | 'ģ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => "i",
        'ķ' => "k",
        'ł' | 'ľ' | 'ļ' | 'ĺ' => "l",
        'ñ' | 'ń' | 'ň' | 'ņ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ō' | 'ő' => "o",
        'ř' | 'ŕ' => "r",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ť' | 'ţ' | 'ț' => "t",
        'þ' => "th",
        'ù' | 'ú' | 'û' | 'ū' | 'ů' | 'ű' | 'ų' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ž' | 'ż' => "z",
        '&' => "-and-",
        _ => return None,
    })
}

/// Forgets sign-ups whose links are too old.
pub async fn delete_expired(control: &Control) -> Result<(), Error> {
    let now: Timestamp = control.ambient().now();
    sqlx::query!("DELETE FROM sign_ups WHERE expires_at <= $1", now).execute(control.pool()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_what_people_would_type() {
        for (name, short) in [
            ("Acme", "acme"),
            ("Acme, Inc.", "acme-inc"),
            ("Müller & Söhne GmbH", "mueller-and-soehne-gmbh"),
            ("  L'Oréal  ", "loreal"),
            ("3M", "organization"),
            ("42 Degrees North", "degrees-north"),
            ("株式会社", "organization"),
            ("X", "organization"),
            ("A very long name of an organization indeed", "a-very-long-name-of-an-organizat"),
            ("\u{202E}evil", "evil"),
        ] {
            assert_eq!(stem(name), short, "{name}");
            assert!(format!("{}-20", stem(name)).parse::<Slug>().is_ok());
            assert!(format!("{}-abcdef", stem(name)).parse::<Slug>().is_ok());
        }
    }
}
