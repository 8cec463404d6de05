//! A module on its way into the catalog: where it is, what its server answered, what was chosen. Each step is kept, so
//! that nothing is lost by a reload, a restart or another day.

use std::collections::HashMap;

use chrono::TimeDelta;
use model::{DraftId, ModuleId, Money, Timestamp, UserId};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::definition::{self, Definition};
use super::discovery::Offered;
use super::{NewModule, discovery, put, store, tokens, tools};
use crate::actor::Actor;
use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::vault::About;
use crate::{Control, Error, users};

/// Drafts that nobody came back to are cleared away after this.
const KEPT: TimeDelta = TimeDelta::days(7);
/// A server that was asked this long ago and has not answered is asked by nobody any more.
const GIVEN_UP: TimeDelta = TimeDelta::seconds(40);
/// Names shown while they are found.
const SEEN: usize = 2_000;

/// How far a draft has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DraftState {
    /// Its server is being asked.
    Asking,
    /// Its tools are there, to be reviewed.
    Found,
    /// Its server could not be used.
    Failed {
        /// Stable code such as `upstream_unreachable`.
        code: String,
        /// What happened and what to do.
        sentence: String,
    },
}

/// A module that is being added.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its id.
    pub id: DraftId,
    /// Its permission key.
    pub name: String,
    /// What people will call it.
    pub title: String,
    /// Where it is.
    pub url: String,
    /// Who will answer for it.
    pub owner: Option<UserId>,
    /// Their mail address.
    pub owner_email: Option<String>,
    /// Whether a value for the `Authorization` header was given.
    pub has_authorization: bool,
    /// Whether it was connected by OAuth.
    pub is_connected: bool,
    /// How far it has come.
    pub state: DraftState,
    /// When its server was asked last.
    pub asked_at: Timestamp,
    /// The server's name and version and the protocol revision, once it has answered.
    pub server: Option<(String, String, String)>,
    /// Names of the tools found so far.
    pub seen: Vec<String>,
    /// What it offers, in its order: what can be taken, and what cannot and why.
    pub offered: Vec<OfferedTool>,
    /// What is offered, as one value: reviewed is what has this.
    pub fingerprint: String,
}

/// A tool that a server offers.
#[derive(Clone, Debug)]
pub struct OfferedTool {
    /// Its name.
    pub name: String,
    /// The JSON text of the MCP `Tool` object.
    pub definition: String,
    /// Whether it says that it only reads, which suggests its key.
    pub read_only: bool,
    /// Why it cannot be taken.
    pub refused: Option<String>,
}

/// A question that was begun: what to ask, and when it was, which its answers must name.
#[derive(Debug)]
pub struct Asking {
    /// The draft.
    pub draft: DraftId,
    /// Where.
    pub url: String,
    /// What to present.
    pub authorization: Option<SecretString>,
    /// When the question was begun.
    pub asked_at: Timestamp,
}

/// What became of the question so far.
#[derive(Debug)]
pub enum Told {
    /// The server answered; tools found so far.
    Opened {
        /// Name, version, protocol revision.
        server: (String, String, String),
        /// Names found so far.
        seen: Vec<String>,
    },
    /// All of its tools.
    Found {
        /// Name, version, protocol revision.
        server: (String, String, String),
        /// The JSON text of each MCP `Tool` object.
        definitions: Vec<String>,
    },
    /// It could not be used.
    Failed {
        /// Stable code.
        code: &'static str,
        /// In words.
        sentence: String,
    },
}

/// What was chosen for one tool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// Whether it may be called as it is.
    pub approve: bool,
    /// Whether it asks for the key to write, rather than to read.
    pub writes: bool,
    /// What a call costs; none: nothing.
    pub price: Option<Money>,
}

/// Begins, or corrects, a draft, and a question to its server. Without a new value for `authorization`, the one that was
/// given before stays.
///
/// # Errors
/// What is wrong with name, title, URL, owner or header, by the name of the field.
pub async fn ask(
    control: &Control,
    actor: &Actor,
    draft: Option<DraftId>,
    new: NewModule,
) -> Result<Asking, Error> {
    super::may_change(actor)?;
    let new = super::checked(new)?;
    let keys = control.keys(actor.tenant()).await?;
    let mut tx = actor.write(control).await?;
    let maker = maker(&tx)?;
    if let Some(owner) = new.owner {
        owner_of(&mut tx, owner).await?;
    }
    if store::module_of_name(&mut tx, &new.name).await?.is_some() {
        let sentence = format!("there is a module `{}` already: take another name", new.name);
        return Err(Error::refused("name_taken", sentence));
    }
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let id: DraftId = match draft {
        Some(draft) => draft,
        None => tx.id(),
    };
    let about = About::Draft(id.uuid());
    let sealed = match &new.authorization {
        Some(secret) => Some(keys.seal(control.ambient(), about, secret.expose_secret().as_bytes())?),
        None => None,
    };
    sqlx::query!("DELETE FROM module_drafts WHERE tenant_id = $1 AND made_at < $2", tenant, now - KEPT)
        .execute(tx.conn())
        .await?;
    let (kept, token) = if draft.is_some() {
        let row = sqlx::query!(
            "UPDATE module_drafts
             SET name = $4, title = $5, url = $6, owner_id = $7, sealed = coalesce($8, sealed), state = 'asking', asked_at = $9,
                 token = CASE WHEN url = $6 AND $8::bytea IS NULL THEN token END,
                 server_name = NULL, server_version = NULL, protocol = NULL, seen = '{}', definitions = '{}',
                 failure_code = NULL, failure = NULL
             WHERE tenant_id = $1 AND id = $2 AND made_by = $3 RETURNING sealed, token",
            tenant,
            id.uuid(),
            maker.uuid(),
            new.name,
            new.title,
            new.url,
            new.owner.map(|owner| owner.uuid()),
            sealed,
            now,
        )
        .fetch_optional(tx.conn())
        .await?
        .ok_or_else(|| Error::not_found("such draft"))?;
        (row.sealed, row.token)
    } else {
        sqlx::query!(
            "INSERT INTO module_drafts (tenant_id, id, made_by, made_at, name, title, url, owner_id, sealed, state, asked_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'asking', $4)",
            tenant,
            id.uuid(),
            maker.uuid(),
            now,
            new.name,
            new.title,
            new.url,
            new.owner.map(|owner| owner.uuid()),
            sealed.clone(),
        )
        .execute(tx.conn())
        .await?;
        (sealed, None)
    };
    tx.commit().await?;
    let authorization = match (new.authorization, token, kept) {
        (Some(secret), ..) => Some(secret),
        (None, Some(token), _) => {
            Some(tokens::opened(keys.open(About::DraftToken(id.uuid()), &token)?)?.authorization())
        }
        (None, None, None) => None,
        (None, None, Some(sealed)) => Some(opened(&keys.open(about, &sealed)?)?),
    };
    Ok(Asking { draft: id, url: new.url, authorization, asked_at: now })
}

/// Asks a draft's server again, as it is: after it was connected.
pub async fn ask_again(control: &Control, actor: &Actor, draft: DraftId) -> Result<Asking, Error> {
    let known = self::draft(control, actor, draft).await?;
    let new = NewModule {
        name: known.name,
        title: known.title,
        url: known.url,
        owner: known.owner,
        authorization: None,
    };
    ask(control, actor, Some(draft), new).await
}

/// Keeps the token by which a draft's server is asked from now on, sealed; for the address that it was given for alone.
pub(super) async fn connect(
    control: &Control,
    actor: &Actor,
    draft: DraftId,
    url: &str,
    sealed: &[u8],
) -> Result<(), Error> {
    let mut tx = actor.write(control).await?;
    let (tenant, maker) = (tx.tenant_uuid(), maker(&tx)?);
    let kept = sqlx::query!(
        "UPDATE module_drafts SET token = $5 WHERE tenant_id = $1 AND id = $2 AND made_by = $3 AND url = $4",
        tenant,
        draft.uuid(),
        maker.uuid(),
        url,
        sealed,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if kept == 0 {
        return Err(Error::not_found("such draft"));
    }
    tx.commit().await
}

/// Writes down what has become of a question, unless another was begun since.
pub async fn tell(
    control: &Control,
    actor: &Actor,
    draft: DraftId,
    asked_at: Timestamp,
    told: Told,
) -> Result<(), Error> {
    let mut tx = actor.write(control).await?;
    let (tenant, maker) = (tx.tenant_uuid(), maker(&tx)?);
    let (state, server, seen, definitions, failure) = match told {
        Told::Opened { server, seen } => ("asking", Some(server), seen, Vec::new(), None),
        Told::Found { server, definitions } => {
            // What cannot be read, or is too many, is said now, not after the review.
            match Offered::read(definitions.clone()) {
                Ok(_) => ("found", Some(server), Vec::new(), definitions, None),
                Err(error) => {
                    ("failed", None, Vec::new(), Vec::new(), Some(("upstream_too_large", error.to_string())))
                }
            }
        }
        Told::Failed { code, sentence } => ("failed", None, Vec::new(), Vec::new(), Some((code, sentence))),
    };
    let (server_name, server_version, protocol) = match server {
        Some((name, version, protocol)) => {
            (Some(storable(&name)), Some(storable(&version)), Some(storable(&protocol)))
        }
        None => (None, None, None),
    };
    let seen: Vec<String> = seen.iter().take(SEEN).map(|name| storable(name)).collect();
    let (code, sentence) = failure.map(|(code, sentence)| (code, storable(&sentence))).unzip();
    sqlx::query!(
        "UPDATE module_drafts
         SET state = $5, server_name = $6, server_version = $7, protocol = $8, seen = $9, definitions = $10,
             failure_code = $11, failure = $12
         WHERE tenant_id = $1 AND id = $2 AND made_by = $3 AND asked_at = $4 AND state = 'asking'",
        tenant,
        draft.uuid(),
        maker.uuid(),
        asked_at,
        state,
        server_name,
        server_version,
        protocol,
        &seen,
        &definitions,
        code,
        sentence,
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await
}

/// One draft of the actor's own.
pub async fn draft(control: &Control, actor: &Actor, draft: DraftId) -> Result<Draft, Error> {
    let mut tx = actor.read(control).await?;
    one(&mut tx, draft).await
}

/// The actor's drafts that are not finished, newest first: name, title and id.
pub async fn drafts(control: &Control, actor: &Actor) -> Result<Vec<(DraftId, String)>, Error> {
    let mut tx = actor.read(control).await?;
    let (tenant, maker) = (tx.tenant_uuid(), maker(&tx)?);
    Ok(sqlx::query!(
        "SELECT id, title FROM module_drafts WHERE tenant_id = $1 AND made_by = $2 ORDER BY made_at DESC, id LIMIT 10",
        tenant,
        maker.uuid(),
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| (row.id.into(), row.title))
    .collect())
}

/// Throws a draft away.
pub async fn discard(control: &Control, actor: &Actor, draft: DraftId) -> Result<(), Error> {
    let mut tx = actor.write(control).await?;
    let (tenant, maker) = (tx.tenant_uuid(), maker(&tx)?);
    let gone = sqlx::query!(
        "DELETE FROM module_drafts WHERE tenant_id = $1 AND id = $2 AND made_by = $3",
        tenant,
        draft.uuid(),
        maker.uuid(),
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if gone == 0 {
        return Err(Error::not_found("such draft"));
    }
    tx.commit().await
}

/// Puts a reviewed draft into the catalog: its tools with the keys, approvals and prices that were chosen, by name. What
/// nothing was chosen for is proposed. `fingerprint` is that of what was reviewed.
///
/// # Errors
/// `changed_since` when the server was asked again meanwhile; `not_found_yet` before it has answered; `name_taken`.
pub async fn finish(
    control: &Control,
    actor: &Actor,
    draft: DraftId,
    fingerprint: &str,
    choices: &HashMap<String, Choice>,
) -> Result<(ModuleId, u64), Error> {
    let keys = control.keys(actor.tenant()).await?;
    let mut tx = actor.change(control, Deed::ChangeCatalog, "draft").await?;
    let known = one(&mut tx, draft).await?;
    if known.state != DraftState::Found {
        return Err(Error::refused("not_found_yet", "its server has not answered yet: ask it again first"));
    }
    if known.fingerprint != fingerprint {
        return Err(Error::refused(
            "changed_since",
            "its server was asked again since you looked: review its tools once more",
        ));
    }
    let (tenant, maker) = (tx.tenant_uuid(), maker(&tx)?);
    let gone = sqlx::query!(
        "DELETE FROM module_drafts WHERE tenant_id = $1 AND id = $2 AND made_by = $3
         RETURNING sealed, token, definitions, protocol",
        tenant,
        draft.uuid(),
        maker.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    let authorization = match gone.sealed.filter(|_| gone.token.is_none()) {
        Some(sealed) => Some(opened(&keys.open(About::Draft(draft.uuid()), &sealed)?)?),
        None => None,
    };
    let new =
        NewModule { name: known.name, title: known.title, url: known.url, owner: known.owner, authorization };
    let offered = Offered::read(gone.definitions)?;
    let added = put(control, &mut tx, Some(&keys), new, offered).await?;
    if let Some(token) = gone.token {
        let access = tokens::opened(keys.open(About::DraftToken(draft.uuid()), &token)?)?;
        let module = super::one(&mut tx, added.module).await?;
        tokens::insert(control, &mut tx, &keys, &module, &access).await?;
    }
    let approved = choose(&mut tx, added.module, choices).await?;
    tx.commit().await?;
    Ok((added.module, approved))
}

async fn choose(
    tx: &mut TenantTx,
    module: ModuleId,
    choices: &HashMap<String, Choice>,
) -> Result<u64, Error> {
    let view = super::one(tx, module).await?;
    let mut approved = 0;
    for tool in store::shelf(tx, module).await? {
        let Some(choice) = choices.get(&tool.name) else { continue };
        let detail = tools::detail(tx, tool.id).await?;
        let key = discovery::part(&view.name, choice.writes);
        if detail.view.key.as_str() != key {
            let by = tx.actor().name().to_owned();
            store::choose_key(tx, tool.id, &key, &by).await?;
        }
        if let Some(price) = choice.price.filter(|price| !price.amount.is_zero()) {
            tools::price(tx, &view, &detail, price).await?;
        }
        if choice.approve {
            let detail = tools::detail(tx, tool.id).await?;
            tools::approve(tx, &view, &detail).await?;
            approved += 1;
        }
    }
    Ok(approved)
}

pub(super) async fn one(tx: &mut TenantTx, draft: DraftId) -> Result<Draft, Error> {
    let (tenant, maker, now) = (tx.tenant_uuid(), maker(tx)?, tx.now());
    let row = sqlx::query!(
        r#"SELECT d.name, d.title, d.url, d.owner_id, u.email AS "owner_email?",
                  d.sealed IS NOT NULL AS "has_authorization!", d.token IS NOT NULL AS "is_connected!", d.state, d.asked_at, d.server_name, d.server_version,
                  d.protocol, d.seen, d.definitions, d.failure_code, d.failure
           FROM module_drafts d
           LEFT JOIN users u ON u.tenant_id = d.tenant_id AND u.id = d.owner_id
           WHERE d.tenant_id = $1 AND d.id = $2 AND d.made_by = $3"#,
        tenant,
        draft.uuid(),
        maker.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::not_found("such draft"))?;
    let state = match row.state.as_str() {
        "asking" if row.asked_at + GIVEN_UP < now => DraftState::Failed {
            code: "not_asked".to_owned(),
            sentence: "asking was interrupted on our side: ask again".to_owned(),
        },
        "asking" => DraftState::Asking,
        "found" => DraftState::Found,
        _ => DraftState::Failed {
            code: row.failure_code.unwrap_or_default(),
            sentence: row.failure.unwrap_or_default(),
        },
    };
    let server = row.server_name.zip(row.server_version).zip(row.protocol);
    Ok(Draft {
        id: draft,
        name: row.name,
        title: row.title,
        url: row.url,
        owner: row.owner_id.map(Into::into),
        owner_email: row.owner_email,
        has_authorization: row.has_authorization,
        is_connected: row.is_connected,
        state,
        asked_at: row.asked_at,
        server: server.map(|((name, version), protocol)| (name, version, protocol)),
        seen: row.seen,
        fingerprint: fingerprint(&row.definitions),
        offered: offered(row.definitions)?,
    })
}

/// Each definition with whether it can be taken.
fn offered(texts: Vec<String>) -> Result<Vec<OfferedTool>, Error> {
    let taken = Offered::read(texts.clone())?;
    let known: HashMap<&str, &Definition> =
        taken.tools.iter().map(|tool| (tool.name.as_str(), tool)).collect();
    let mut refused: HashMap<String, String> = taken.refused.iter().cloned().collect();
    Ok(texts
        .into_iter()
        .map(|text| {
            let name = definition::read(&text).map_or_else(|_| definition::name_of(&text), |read| read.name);
            match known.get(name.as_str()) {
                Some(tool) => {
                    OfferedTool { read_only: tool.read_only, refused: None, name, definition: text }
                }
                None => OfferedTool {
                    read_only: false,
                    refused: Some(
                        refused.remove(&name).unwrap_or_else(|| "its definition is not taken".to_owned()),
                    ),
                    name,
                    definition: text,
                },
            }
        })
        .collect())
}

/// One value for a list of definitions, in their order.
fn fingerprint(definitions: &[String]) -> String {
    let mut hash = Sha256::new();
    for text in definitions {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// Who owns modules is somebody who may act.
async fn owner_of(tx: &mut TenantTx, owner: UserId) -> Result<(), Error> {
    match users::one(tx, owner).await {
        Ok(_) => Ok(()),
        Err(Error::NotFound { .. }) => Err(Error::invalid("owner", "choose somebody of this organization")),
        Err(other) => Err(other),
    }
}

/// Drafts belong to people who may change the catalog.
fn maker(tx: &TenantTx) -> Result<UserId, Error> {
    tx.authorize(Deed::ChangeCatalog, "such draft")?;
    tx.actor().user_id().ok_or_else(|| Error::not_found("such draft"))
}

/// What servers say, without the one character that the database's text cannot hold.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}

fn opened(plain: &[u8]) -> Result<SecretString, Error> {
    let plain = Zeroizing::new(plain.to_vec());
    let text = std::str::from_utf8(&plain).map_err(|error| Error::inconsistent("a draft", error))?;
    Ok(SecretString::from(text))
}
