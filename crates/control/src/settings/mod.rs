//! What an organization has settled for itself: its name, how its people sign in, as whom it writes mails.

mod danger;
mod record;

use chrono::TimeDelta;
use model::people::Slug;
use model::{Currency, McpId, TenantId, Timestamp, Zone};
use serde_json::json;

use crate::authority::Deed;
use crate::sessions::Who;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, given, passwords, rows};

pub use danger::{Closing, Stop, close, closing, resume_agents, stop, stop_agents};
pub use record::{Event, RecordFilter, actions, export, list};

/// Everything on the settings' pages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The organization's name.
    pub name: String,
    /// Its short name, which never changes.
    pub slug: Slug,
    /// The id in its MCP URL.
    pub mcp_id: McpId,
    /// In what its calls are charged.
    pub currency: Currency,
    /// Whether a price was set in that currency, so that it stays.
    pub currency_stays: bool,
    /// In which its people are told times who have not chosen a zone themselves.
    pub zone: Zone,
    /// How its people sign in.
    pub sign_in: SignInRules,
    /// As whom it writes mails.
    pub sender: MailSender,
    /// Since when all its agents are stopped, and by whom.
    pub stopped: Option<(Timestamp, String)>,
}

/// How people sign in and are invited.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignInRules {
    /// How long sessions last.
    pub sessions: SessionRules,
    /// The shortest password that may be chosen, in characters: 12 to 64.
    pub shortest_password: u16,
    /// Of which mail domains people may be invited, in lower case; empty: of any.
    pub invited_domains: Vec<String>,
}

/// How long sessions last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionRules {
    /// One that is not used ends after so many minutes: 15 to 720.
    pub idle_minutes: u16,
    /// One ends after so many hours, used or not: 1 to 720.
    pub longest_hours: u16,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self { idle_minutes: 720, longest_hours: 168 }
    }
}

impl SessionRules {
    pub(crate) fn of(idle_minutes: i32, longest_hours: i32) -> Self {
        let usual = Self::default();
        Self {
            idle_minutes: u16::try_from(idle_minutes).unwrap_or(usual.idle_minutes),
            longest_hours: u16::try_from(longest_hours).unwrap_or(usual.longest_hours),
        }
    }

    /// Whether a session goes on.
    pub fn allow(&self, who: &Who, now: Timestamp) -> bool {
        now.signed_duration_since(who.since) < TimeDelta::hours(self.longest_hours.into())
            && now.signed_duration_since(who.seen) < TimeDelta::minutes(self.idle_minutes.into())
    }

    /// How often use has to be written down, so that a session that is used does not end as if it were not: a tenth of the
    /// idle time, at most ten minutes.
    pub fn touch(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.idle_minutes) * 6).min(TimeDelta::minutes(10))
    }
}

/// As whom the organization writes mails.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MailSender {
    /// The name beside the installation's own address; none: the organization's.
    pub name: Option<String>,
    /// Where answers go; none: nowhere in particular.
    pub reply_to: Option<String>,
}

/// The settings.
pub async fn get(control: &Control, actor: &Actor) -> Result<Settings, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadSettings, "settings")?;
    let row = sqlx::query!(
        r#"SELECT t.name AS "name!", t.slug AS "slug!", t.mcp_id AS "mcp_id!", t.currency AS "currency!",
                  t.time_zone AS "time_zone!", s.sender_name AS "sender_name?",
                  s.reply_to AS "reply_to?", s.agents_stopped_at AS "agents_stopped_at?",
                  s.agents_stopped_by AS "agents_stopped_by?",
                  EXISTS (SELECT FROM rates r WHERE r.tenant_id = t.tenant_id) AS "currency_stays!"
           FROM tenants t LEFT JOIN settings s ON s.tenant_id = t.tenant_id"#
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Settings {
        name: row.name,
        slug: rows::word("tenant", &row.slug)?,
        mcp_id: row.mcp_id.into(),
        currency: rows::word("tenant", &row.currency)?,
        currency_stays: row.currency_stays,
        zone: rows::zone(&row.time_zone),
        sign_in: sign_in_rules(&mut tx).await?,
        sender: MailSender { name: row.sender_name, reply_to: row.reply_to },
        stopped: row.agents_stopped_at.zip(row.agents_stopped_by),
    })
}

/// Changes the organization's name, currency and time zone. Its name is in what agents are told, so the epoch moves.
///
/// # Errors
/// `currency` once a price was set: prices stay in the currency that they were set in.
pub async fn set_organization(
    control: &Control,
    actor: &Actor,
    name: &str,
    currency: Currency,
    zone: Zone,
) -> Result<(), Error> {
    let name = given::name("name", name, 120)?;
    let mut tx = actor.change(control, Deed::ChangeSettings, "settings that you may change").await?;
    let tenant = tx.tenant_uuid();
    let was = sqlx::query!(
        r#"SELECT name, currency, time_zone, EXISTS (SELECT FROM rates) AS "priced!" FROM tenants WHERE tenant_id = $1"#,
        tenant
    )
    .fetch_one(tx.conn())
    .await?;
    if was.currency != currency.code() && was.priced {
        return Err(Error::invalid(
            "currency",
            format!(
                "prices have been set in {}, so it stays the currency of this organization",
                was.currency
            ),
        ));
    }
    sqlx::query!(
        "UPDATE tenants SET name = $2, currency = $3, time_zone = $4 WHERE tenant_id = $1",
        tenant,
        name,
        currency.code(),
        zone.name(),
    )
    .execute(tx.conn())
    .await?;
    let detail = json!({
        "was": { "name": was.name, "currency": was.currency, "time_zone": was.time_zone },
        "is": { "name": name, "currency": currency, "time_zone": zone.name() },
    });
    tx.audit("settings.organization", "tenant", actor.tenant(), &name, detail).await?;
    tx.commit().await
}

/// Changes how people sign in. Sessions that last longer than is allowed from now on end with their next click;
/// passwords that are too short stay until they are changed.
pub async fn set_sign_in(control: &Control, actor: &Actor, rules: &SignInRules) -> Result<(), Error> {
    let SignInRules { sessions, shortest_password, invited_domains } = rules;
    between("idle_minutes", sessions.idle_minutes, 15, 720)?;
    between("longest_hours", sessions.longest_hours, 1, 720)?;
    between("shortest_password", *shortest_password, 12, 64)?;
    let domains = domains(invited_domains)?;
    let mut tx = actor.write(control).await?;
    tx.authorize(Deed::ChangeSettings, "settings that you may change")?;
    let (tenant, was) = (tx.tenant_uuid(), sign_in_rules(&mut tx).await?);
    sqlx::query!(
        "INSERT INTO settings (tenant_id, session_idle_minutes, session_longest_hours, shortest_password, invited_domains)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id) DO UPDATE SET
             session_idle_minutes = excluded.session_idle_minutes, session_longest_hours = excluded.session_longest_hours,
             shortest_password = excluded.shortest_password, invited_domains = excluded.invited_domains",
        tenant,
        i32::from(sessions.idle_minutes),
        i32::from(sessions.longest_hours),
        i32::from(*shortest_password),
        &domains,
    )
    .execute(tx.conn())
    .await?;
    let is = SignInRules { invited_domains: domains, ..rules.clone() };
    let detail = json!({ "was": as_json(&was), "is": as_json(&is) });
    tx.audit("settings.sign_in", "tenant", actor.tenant(), "sign-in rules", detail).await?;
    tx.commit().await
}

fn as_json(rules: &SignInRules) -> serde_json::Value {
    json!({
        "idle_minutes": rules.sessions.idle_minutes, "longest_hours": rules.sessions.longest_hours,
        "shortest_password": rules.shortest_password, "invited_domains": rules.invited_domains,
    })
}

/// Changes as whom the organization writes mails.
pub async fn set_sender(control: &Control, actor: &Actor, sender: &MailSender) -> Result<(), Error> {
    let name = match sender.name.as_deref().map(str::trim) {
        None | Some("") => None,
        // In the head of a mail: no quotes or brackets, which could make it read as an address.
        Some(name) if name.contains(['"', '<', '>', '@', '\\']) => {
            return Err(Error::invalid("sender_name", "leave out quotation marks, brackets, `@` and `\\`"));
        }
        Some(name) => Some(given::name("sender_name", name, 120)?),
    };
    let reply_to = match sender.reply_to.as_deref().map(str::trim) {
        None | Some("") => None,
        Some(address) => Some(given::email(address).map_err(|_| {
            Error::invalid("reply_to", "give one plain mail address such as help@example.com, or none")
        })?),
    };
    let mut tx = actor.write(control).await?;
    tx.authorize(Deed::ChangeSettings, "settings that you may change")?;
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "INSERT INTO settings (tenant_id, sender_name, reply_to) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id) DO UPDATE SET sender_name = excluded.sender_name, reply_to = excluded.reply_to",
        tenant,
        name,
        reply_to,
    )
    .execute(tx.conn())
    .await?;
    let detail = json!({ "name": name, "reply_to": reply_to });
    tx.audit("settings.mail_sender", "tenant", actor.tenant(), "mail sender", detail).await?;
    tx.commit().await
}

/// Whether somebody of this address may be invited. Asked where people are invited and made.
///
/// # Errors
/// `email`: of which domains people may be.
pub(crate) async fn may_be_invited(tx: &mut TenantTx, email: &str) -> Result<(), Error> {
    let allowed = sign_in_rules(tx).await?.invited_domains;
    let domain = email.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase()).unwrap_or_default();
    if allowed.is_empty() || allowed.contains(&domain) {
        Ok(())
    } else {
        Err(Error::invalid(
            "email",
            format!("people of this organization have an address at {}: see Settings", allowed.join(", ")),
        ))
    }
}

/// As whom mails are sent in the organization's name: the name that stands beside the installation's address, and where
/// answers go.
pub(crate) async fn mail_sender(tx: &mut TenantTx) -> Result<MailSender, Error> {
    let row = sqlx::query!(
        r#"SELECT coalesce(s.sender_name, t.name) AS "name!", s.reply_to AS "reply_to?"
           FROM tenants t LEFT JOIN settings s ON s.tenant_id = t.tenant_id"#
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(MailSender { name: Some(row.name), reply_to: row.reply_to })
}

/// The shortest password that people of an organization may choose. For [`passwords::hash`].
pub(crate) async fn shortest_password(control: &Control, tenant: TenantId) -> Result<usize, Error> {
    let mut tx = Actor::worker(tenant).read(control).await?;
    Ok(sign_in_rules(&mut tx).await?.shortest_password.into())
}

async fn sign_in_rules(tx: &mut TenantTx) -> Result<SignInRules, Error> {
    let row = sqlx::query!(
        "SELECT session_idle_minutes, session_longest_hours, shortest_password, invited_domains FROM settings"
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(match row {
        None => SignInRules {
            sessions: SessionRules::default(),
            shortest_password: passwords::SHORTEST,
            invited_domains: Vec::new(),
        },
        Some(row) => SignInRules {
            sessions: SessionRules::of(row.session_idle_minutes, row.session_longest_hours),
            shortest_password: u16::try_from(row.shortest_password).unwrap_or(passwords::SHORTEST),
            invited_domains: row.invited_domains,
        },
    })
}

fn between(field: &'static str, number: u16, least: u16, most: u16) -> Result<(), Error> {
    if (least..=most).contains(&number) {
        Ok(())
    } else {
        Err(Error::invalid(field, format!("give a whole number from {least} to {most}")))
    }
}

/// Mail domains as they are compared: lower case, sorted, each once.
fn domains(given: &[String]) -> Result<Vec<String>, Error> {
    let mut domains = Vec::new();
    for text in given {
        let domain = text.trim().trim_start_matches('@').to_ascii_lowercase();
        if domain.is_empty() {
            continue;
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if domain.len() > 253 || !domain.contains('.') || !domain.split('.').all(label) {
            let shown: String = text.trim().chars().take(60).collect();
            return Err(Error::invalid(
                "invited_domains",
                format!("“{shown}” is no mail domain: give what stands after the `@`, such as example.com"),
            ));
        }
        domains.push(domain);
    }
    domains.sort_unstable();
    domains.dedup();
    if domains.len() > 50 {
        Err(Error::invalid("invited_domains", "give at most 50 domains"))
    } else {
        Ok(domains)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_what_stands_after_the_at() {
        let read = |texts: &[&str]| domains(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            read(&["@B.example", " a.example ", "", "b.example"]).unwrap(),
            ["a.example", "b.example"]
        );
        for bad in [
            "example",
            "a@b.example",
            "-a.example",
            "a..example",
            "ä.example",
            "*.example",
            &"x.".repeat(200),
        ] {
            assert!(read(&[bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn use_is_written_down_well_before_a_session_ends() {
        for minutes in [15, 60, 720] {
            let rules = SessionRules { idle_minutes: minutes, longest_hours: 1 };
            assert!(rules.touch() * 5 < TimeDelta::minutes(minutes.into()));
        }
    }
}
