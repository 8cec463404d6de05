//! Connecting a module by OAuth: a person is sent to the authorization server that its server trusts, and comes back with a
//! code. What is kept meanwhile is used once, by the session that began it, within ten minutes.

use authorization::{Access, Challenge, Client, Pending, Returned, Scopes};
pub use authorization::{Application, Given, Origin};
use chrono::TimeDelta;
use model::catalog::ModuleKind;
use model::{DraftId, ModuleId};
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::tokens::{self, Way};
use super::{connections, drafts, one, revoking};
use crate::actor::Actor;
use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::vault::About;
use crate::{Control, Error, token};

/// How long a person may take.
const TIME: TimeDelta = TimeDelta::minutes(10);

/// What is connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// A module.
    Module(ModuleId),
    /// One that is being added.
    Draft(DraftId),
}

/// Why nothing was connected.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// For a reason of ours.
    #[error(transparent)]
    Control(#[from] Error),
    /// For one of the authorization server's.
    #[error(transparent)]
    Authorization(#[from] authorization::Error),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Control(error.into())
    }
}

impl From<crate::vault::Unsealable> for Trouble {
    fn from(error: crate::vault::Unsealable) -> Self {
        Self::Control(error.into())
    }
}

/// Who is to be connected to what, and as whom.
#[derive(Debug)]
pub struct Asked<'a> {
    /// To what.
    pub target: Target,
    /// The session that begins it, as [`crate::sessions::handle`] names it.
    pub session: &'a str,
    /// What we say of ourselves.
    pub application: &'a Application,
    /// What the server said when it was asked without a token.
    pub challenge: Option<&'a Challenge>,
    /// A client that the person has registered by hand.
    pub given: Option<Given>,
    /// Whether to become known anew, as if this had never been connected: what was registered may be gone there.
    pub anew: bool,
}

/// Where a person goes, and what they are to know before.
#[derive(Debug)]
pub struct Sent {
    /// Where.
    pub url: Url,
    /// Who gives the access.
    pub issuer: String,
    /// As which client we ask.
    pub client: String,
    /// How that client became known there.
    pub origin: Origin,
    /// What is asked for; empty: what the authorization server thinks fit.
    pub scopes: Scopes,
}

/// A person who came back, and what is connected now.
#[derive(Debug)]
pub struct Back {
    /// What.
    pub target: Target,
    /// Its permission key.
    pub name: String,
    /// What people call it.
    pub title: String,
}

/// An answer that led to nothing, with what was to be connected, if that is known.
#[derive(Debug)]
pub struct NotBack {
    /// What was to be connected, and its permission key.
    pub target: Option<(Target, String)>,
    /// Why it is not.
    pub why: Trouble,
}

/// The URL of what is to be connected, and what it had before.
struct Place {
    url: String,
    name: String,
    title: String,
    before: Option<(String, Scopes)>,
}

/// What was kept while a person was away.
struct Begun {
    target: Target,
    /// Of the server that access was asked for.
    url: String,
    pending: Pending,
}

/// Finds out who gives access to a server, makes us known there, and says where the person is to go.
///
/// # Errors
/// In words for the person who connects it.
pub async fn begin(control: &Control, actor: &Actor, way: &Way, asked: Asked<'_>) -> Result<Sent, Trouble> {
    super::may_change(actor)?;
    let Asked { target, session, application, challenge, given, anew } = asked;
    let keys = control.keys(actor.tenant()).await?;
    let place = {
        let mut tx = actor.read(control).await?;
        place(&mut tx, target).await?
    };
    let preferred = place.before.as_ref().map(|(issuer, _)| issuer.as_str());
    let found = authorization::discover(way.reach(), &place.url, challenge, preferred).await?;
    let issuer = found.server.issuer.clone();
    let known = {
        let mut tx = actor.read(control).await?;
        let row = sqlx::query!(
            "SELECT id, sealed FROM authorization_clients WHERE tenant_id = $1 AND issuer = $2",
            tx.tenant_uuid(),
            issuer,
        )
        .fetch_optional(tx.conn())
        .await?;
        row.map(|row| client(keys.open(About::Client(row.id), &row.sealed)?)).transpose()?
    };
    // A registration is used again from now on, whether access comes of it or not; what a person entered stays until it does.
    let may_keep = known.as_ref().is_none_or(|client| client.origin != Origin::Given);
    let known = known.filter(|_| !anew);
    // One that was entered once is used again.
    let kept = known.as_ref().filter(|client| client.origin == Origin::Given).map(|client| Given {
        id: client.id.clone(),
        secret: client.secret.clone(),
        issuer: Some(client.issuer.clone()),
    });
    let given = given.or(kept);
    let now = control.ambient().now();
    let client =
        authorization::register(way.reach(), &found.server, application, given.as_ref(), known.as_ref(), now)
            .await?;
    let is_new = known.is_none_or(|known| known.id != client.id);
    if may_keep && is_new && client.origin == Origin::Registered {
        keep(control, actor, &client).await?;
    }
    let before = place.before.filter(|(theirs, _)| *theirs == issuer).map(|(_, scopes)| scopes);
    let scopes = authorization::wanted(&found, challenge, &before.unwrap_or_default());
    let sent = |url| Sent {
        url,
        issuer,
        client: client.id.to_string(),
        origin: client.origin,
        scopes: scopes.clone(),
    };
    let (url, pending) = authorization::begin(control.ambient(), &found, client.clone(), scopes.clone());
    let sent = sent(url);

    let mut tx = actor.write(control).await?;
    tx.authorize(Deed::ChangeCatalog, "module")?;
    let maker = tx.actor().user_id().ok_or_else(|| Error::not_found("such module"))?;
    let id = control.ambient().random_uuid();
    let sealed = keys.seal(control.ambient(), About::Request(id), &written(&pending)?)?;
    let state = token::hash(pending.state());
    let (module, draft) = match target {
        Target::Module(id) => (Some(id.uuid()), None),
        Target::Draft(id) => (None, Some(id.uuid())),
    };
    sqlx::query!(
        "DELETE FROM authorization_requests WHERE tenant_id = $1 AND (made_at < $2 OR made_by = $3 AND session = $4)",
        tx.tenant_uuid(),
        now - TIME,
        maker.uuid(),
        session,
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO authorization_requests (tenant_id, id, state_hash, made_by, session, module_id, draft_id, url, sealed, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        tx.tenant_uuid(),
        id,
        state.as_slice(),
        maker.uuid(),
        session,
        module,
        draft,
        place.url,
        sealed,
        now,
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(sent)
}

/// A person came back, with `query` in the address. What was kept for them is used up, whatever comes of it.
pub async fn come_back(
    control: &Control,
    actor: &Actor,
    session: &str,
    way: &Way,
    query: &str,
) -> Result<Back, NotBack> {
    let returned = Returned::read(query);
    let begun = take(control, actor, session, &returned).await;
    let Begun { target, url, pending } = begun.map_err(|why| NotBack { target: None, why })?;
    let mut named = None;
    let done = async {
        let place = {
            let mut tx = actor.read(control).await?;
            place(&mut tx, target).await?
        };
        named = Some(place.name.clone());
        // What is given is for the server that was asked, and goes to no other.
        if place.url != url {
            let sentence =
                "its address was changed meanwhile, and access was asked for the one before: begin it again";
            return Err(Error::refused("address_changed", sentence).into());
        }
        let now = control.ambient().now();
        let access = match authorization::redeem(way.reach(), now, pending, returned).await {
            Ok(access) => access,
            Err(why) => {
                if let (authorization::Error::Declined { error, .. }, Target::Module(module)) = (&why, target)
                    && error == "invalid_scope"
                {
                    // Asked for once more, what its server wants would stand in the way for good.
                    tokens::want_nothing_more(control, actor, module).await?;
                }
                return Err(why.into());
            }
        };
        connect(control, actor, way, target, &access, &url).await?;
        // It is connected, whatever becomes of this: then it is only registered once more.
        if let Err(error) = keep(control, actor, &access.client).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(tenant = %actor.tenant(), error, "the client by which a module was connected is not remembered");
        }
        Ok::<_, Trouble>(Back { target, name: place.name, title: place.title })
    };
    let done = done.await;
    done.map_err(|why| NotBack { target: named.map(|name| (target, name)), why })
}

async fn take(
    control: &Control,
    actor: &Actor,
    session: &str,
    returned: &Returned,
) -> Result<Begun, Trouble> {
    super::may_change(actor)?;
    let keys = control.keys(actor.tenant()).await?;
    let state = token::hash(returned.state.as_deref().ok_or(authorization::Error::OtherState)?);
    let mut tx = actor.write(control).await?;
    let maker = tx.actor().user_id().ok_or_else(|| Error::not_found("such module"))?;
    let row = sqlx::query!(
        "DELETE FROM authorization_requests
         WHERE tenant_id = $1 AND state_hash = $2 AND made_by = $3 AND session = $4
         RETURNING id, module_id, draft_id, url, sealed, made_at",
        tx.tenant_uuid(),
        state.as_slice(),
        maker.uuid(),
        session,
    )
    .fetch_optional(tx.conn())
    .await?;
    tx.commit().await?;
    let row = row.ok_or(authorization::Error::OtherState)?;
    if row.made_at + TIME <= control.ambient().now() {
        return Err(authorization::Error::OtherState.into());
    }
    let target = match (row.module_id, row.draft_id) {
        (Some(module), _) => Target::Module(module.into()),
        (None, Some(draft)) => Target::Draft(draft.into()),
        (None, None) => {
            return Err(Error::inconsistent("an authorization request", "it is for nothing").into());
        }
    };
    let plain = Zeroizing::new(keys.open(About::Request(row.id), &row.sealed)?);
    let pending = serde_json::from_slice(&plain)
        .map_err(|error| Error::inconsistent("an authorization request", error))?;
    Ok(Begun { target, url: row.url, pending })
}

/// Presents the token from now on, to the server at `url` and to no other.
async fn connect(
    control: &Control,
    actor: &Actor,
    way: &Way,
    target: Target,
    access: &Access,
    url: &str,
) -> Result<(), Error> {
    let keys = control.keys(actor.tenant()).await?;
    match target {
        Target::Module(module) => {
            let mut tx = actor.change(control, Deed::ChangeCatalog, "module").await?;
            let module = one(&mut tx, module).await?;
            let was = connections::end(&mut tx, module.id).await?;
            tokens::insert(control, &mut tx, &keys, &module, access).await?;
            tx.commit().await?;
            revoking::ended(control, way, actor.tenant(), was);
        }
        Target::Draft(draft) => {
            let sealed =
                keys.seal(control.ambient(), About::DraftToken(draft.uuid()), &tokens::plain(access)?)?;
            drafts::connect(control, actor, draft, url, &sealed).await?;
        }
    }
    Ok(())
}

/// Remembers the client by which access was given: it is used again, until somebody asks for another one.
async fn keep(control: &Control, actor: &Actor, client: &Client) -> Result<(), Error> {
    if client.origin == Origin::Document {
        return Ok(());
    }
    let keys = control.keys(actor.tenant()).await?;
    let id: Uuid = control.ambient().random_uuid();
    let sealed = keys.seal(control.ambient(), About::Client(id), &written(client)?)?;
    let mut tx = actor.write(control).await?;
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "INSERT INTO authorization_clients (tenant_id, id, issuer, sealed, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id, issuer) DO UPDATE SET id = $2, sealed = $4, created_at = $5",
        tenant,
        id,
        client.issuer,
        sealed,
        now,
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await
}

async fn place(tx: &mut TenantTx, target: Target) -> Result<Place, Error> {
    tx.authorize(Deed::ChangeCatalog, "module")?;
    match target {
        Target::Draft(draft) => {
            let draft = drafts::one(tx, draft).await?;
            Ok(Place { url: draft.url, name: draft.name, title: draft.title, before: None })
        }
        Target::Module(module) => {
            let view = one(tx, module).await?;
            let (ModuleKind::Mcp, Some(url)) = (view.kind, view.url) else {
                let sentence = format!("“{}” is built in: nothing is presented to it", view.title);
                return Err(Error::refused("built_in", sentence));
            };
            let before = match connections::of_module(tx, view.id).await? {
                Some(connection) => tokens::before(tx, connection).await?,
                None => None,
            };
            Ok(Place { url, name: view.name, title: view.title, before })
        }
    }
}

fn client(plain: Vec<u8>) -> Result<Client, Error> {
    let plain = Zeroizing::new(plain);
    serde_json::from_slice(&plain).map_err(|error| Error::inconsistent("a client", error))
}

fn written(what: &impl serde::Serialize) -> Result<Zeroizing<Vec<u8>>, Error> {
    let text =
        serde_json::to_vec(what).map_err(|error| Error::inconsistent("what is to be sealed", error))?;
    Ok(Zeroizing::new(text))
}
