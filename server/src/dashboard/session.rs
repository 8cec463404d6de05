//! Who is signed in: what a session holds, and the person at each request.
//!
//! A session holds ids alone. Name, roles, standing and password are asked for at each request, so that what was taken away
//! is gone at the next click, and another password ends the sessions of the one before.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use app::document::{Notice, Visit};
use app::links::Links;
use app::pages::people::said::counted;
use axum::extract::{FromRequestParts, Path};
use chrono::TimeDelta;
use control::actor::Actor;
use control::sessions::{Store, WHO, Who};
use control::sign_in::{Present, Stamp};
use http::header::{ACCEPT, USER_AGENT};
use http::request::Parts;
use http::{Method, StatusCode};
use model::people::Slug;
use model::{TenantId, Timestamp, UserId};
use serde::Deserialize;
use tower_sessions::cookie::SameSite;
use tower_sessions::cookie::time::Duration;
use tower_sessions::session::Id;
use tower_sessions::{Expiry, Session, SessionManagerLayer};

use super::Dashboard;
use super::headers::Nonce;
use super::refusal::Refusal;

/// Under which name a session keeps what the next page is to say.
pub(super) const NOTICE: &str = "notice";
/// A session that is not used ends after this, in every organization; most that one can set.
const IDLE: Duration = Duration::hours(12);
/// A session ends after this, used or not; most that an organization can set.
const LONGEST: TimeDelta = TimeDelta::days(30);

/// From where and with what somebody begins a session, to be shown to them later.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) address: Option<IpAddr>,
    user_agent: Option<String>,
}

impl FromRequestParts<Dashboard> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Dashboard) -> Result<Self, Infallible> {
        let user_agent = parts.headers.get(USER_AGENT).and_then(|words| words.to_str().ok());
        Ok(Self {
            address: gateway::caller_address(parts, &dashboard.gateway),
            user_agent: user_agent.map(|words| words.chars().take(200).collect()),
        })
    }
}

/// Who begins a session: they have just shown who they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Shown {
    pub(super) tenant: TenantId,
    pub(super) slug: Slug,
    pub(super) user: UserId,
    /// Of the password they gave, or that they have just set; see [`control::sign_in::Present`].
    pub(super) stamp: Stamp,
}

/// The cookie: `__Host-` where the origin is `https`, which binds it to this host, to `/` and to TLS.
pub(super) fn layer(sessions: Store, secure: bool) -> SessionManagerLayer<Store> {
    SessionManagerLayer::new(sessions)
        .with_name(if secure { "__Host-wa_session" } else { "wa_session" })
        .with_secure(secure)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(IDLE))
}

/// Begins a session under a new id, so that an id that somebody else set or saw is worth nothing.
pub(super) async fn begin(
    session: &Session,
    shown: Shown,
    caller: Caller,
    now: Timestamp,
) -> Result<(), Refusal> {
    renew(session).await?;
    let Shown { tenant, slug, user, stamp } = shown;
    let Caller { address, user_agent } = caller;
    let who = Who { tenant, user, slug, stamp, since: now, seen: now, user_agent, address };
    Ok(session.insert(WHO, who).await?)
}

/// Forgets what the session holds and gives it a new id.
pub(super) async fn renew(session: &Session) -> Result<(), Refusal> {
    session.clear().await;
    Ok(session.cycle_id().await?)
}

/// Who is signed in, if anybody.
pub(super) async fn who(session: &Session, now: Timestamp) -> Result<Option<Who>, Refusal> {
    let who = session.get::<Who>(WHO).await?;
    Ok(who.filter(|who| now.signed_duration_since(who.since) < LONGEST))
}

/// The actor of a session as it is in the store at this moment: none when the session has ended, when it is another
/// person's by now, or when they may not act.
pub(super) async fn still(dashboard: &Dashboard, id: Id, was: &Who) -> Result<Option<Actor>, Refusal> {
    let sessions = Arc::clone(&dashboard.sessions);
    let now = dashboard.control.ambient().now();
    let who = who(&Session::new(Some(id), sessions, None), now).await?;
    match who.filter(|who| (who.tenant, who.user) == (was.tenant, was.user)) {
        Some(who) => {
            let present = control::sign_in::holder(&dashboard.control, &who).await?;
            Ok(present.map(|present| present.actor))
        }
        None => Ok(None),
    }
}

/// A signed-in person at a page of their organization. Anybody else is sent to sign in; in another organization than
/// their own there is nothing.
pub(super) struct Person {
    pub(super) actor: Actor,
    pub(super) visit: Visit,
    pub(super) links: Links,
    pub(super) who: Who,
    pub(super) session: Session,
}

impl Person {
    /// The session of this request, as lists of sessions name it.
    pub(super) fn here(&self) -> Option<String> {
        self.session.id().map(|id| control::sessions::handle(&id))
    }
}

#[derive(Deserialize)]
struct InTenant {
    tenant: String,
}

impl FromRequestParts<Dashboard> for Person {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Dashboard) -> Result<Self, Refusal> {
        let control = &dashboard.control;
        let session = parts.extensions.get::<Session>().cloned().ok_or(Refusal::Broken)?;
        let nonce = parts.extensions.get::<Nonce>().cloned().ok_or(Refusal::Broken)?;
        let now = control.ambient().now();
        let next = || {
            let path = parts.uri.path_and_query().map(ToString::to_string);
            path.filter(|_| parts.method == Method::GET)
        };
        let sign_in = || Refusal::SignIn { next: next() };
        let who = who(&session, now).await?.ok_or_else(sign_in)?;
        let Some(present) = control::sign_in::holder(control, &who).await? else {
            session.flush().await?;
            return Err(Refusal::SignIn { next: None });
        };
        if now.signed_duration_since(who.seen) > present.sessions.touch() {
            session.insert(WHO, Who { seen: now, ..who.clone() }).await?;
        }
        // A page says what was done; streams and fragments must not take it away from the page.
        let notice = if parts.method == Method::GET && wants_page(parts) {
            session.remove::<Notice>(NOTICE).await?
        } else {
            None
        };
        let Path(InTenant { tenant: slug }) =
            Path::from_request_parts(parts, dashboard).await.map_err(|_| Refusal::NotFound)?;
        let Present { actor, tenant, zone, crm, .. } = present;
        if slug != tenant.slug.as_str() {
            return Err(Refusal::NotFound);
        }
        let visit = Visit {
            site: dashboard.site(&nonce, zone),
            slug: tenant.slug.clone(),
            organization: tenant.name,
            mcp_id: tenant.mcp_id.to_string(),
            currency: tenant.currency,
            user: who.user,
            person: actor.name().to_owned(),
            roles: app::data::roles(&actor),
            deeds: control::authority::deeds(&actor),
            places: app::data::places(&actor, &crm),
            notice,
        };
        Ok(Self { links: Links::of(tenant.slug), actor, visit, who, session })
    }
}

/// What is said once sessions have been ended.
pub(super) fn ended(number: u64, name: &str) -> Notice {
    let sessions = counted(number, "session", "sessions");
    Notice::new(format!("{sessions} of {name} ended."))
}

fn wants_page(parts: &Parts) -> bool {
    let accepted = parts.headers.get_all(ACCEPT).iter().filter_map(|accepted| accepted.to_str().ok());
    accepted.into_iter().any(|accepted| accepted.contains("text/html"))
}

/// A path of ours to go on to after sign-in; anything that could lead elsewhere is dropped.
pub(super) fn local(next: &str) -> Option<&str> {
    let ours = next.starts_with("/t/")
        && next.len() <= 2_000
        && !next.contains("//")
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    ours.then_some(next)
}

/// The status of a form that has to be filled in again.
pub(super) const AGAIN: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_sign_in_one_stays_here() {
        assert_eq!(local("/t/acme/activity?verdict=deny"), Some("/t/acme/activity?verdict=deny"));
        for elsewhere in [
            "",
            "/",
            "//evil.example",
            "https://evil.example/t/",
            "/\\evil.example",
            "/t/\\evil",
            "/t//evil.example",
            "/t/x\r\nSet-Cookie: a=b",
            "/t/ü",
            "t/acme",
            "javascript:alert(1)",
        ] {
            assert_eq!(local(elsewhere), None, "{elsewhere:?}");
        }
    }
}
