//! Flushing admissions: one statement, one transaction, for a group of one tenant.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::call::{Digest, Entry, Epoch, NotAdmitted, Outcome, Receipt, Settlement};
use model::{Currency, Money, TenantId, Timestamp};
use parking_lot::Mutex;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{Inner, Waiting, settle};
use crate::actor::Actor;
use crate::nodes::SEND_WITHIN;
use crate::tx::TenantTx;

/// A call as the composite type `admission` of migration 4.
#[derive(Clone, Debug, sqlx::Type)]
#[sqlx(type_name = "admission")]
pub(super) struct Admission {
    id: Uuid,
    received_at: Timestamp,
    epoch: i64,
    epoch_token: Uuid,
    valid_until: Option<Timestamp>,
    verdict: String,
    reason: Option<String>,
    policies: Vec<String>,
    policy_version: Vec<u8>,
    credential_id: Uuid,
    agent_id: Uuid,
    owner_id: Uuid,
    on_behalf_of: Option<Uuid>,
    unit_path: Vec<Uuid>,
    principal_state: Vec<u8>,
    tool_name: String,
    module_id: Option<Uuid>,
    tool_id: Option<Uuid>,
    tool_definition: Option<Vec<u8>>,
    rate_id: Option<Uuid>,
    reserved: Decimal,
    currency: String,
    client_name: Option<String>,
    client_version: Option<String>,
    protocol: Option<String>,
    session: Option<String>,
    address: Option<ipnet::IpNet>,
    arguments_digest: Vec<u8>,
    arguments_size: i32,
    arguments: Vec<u8>,
}

impl Admission {
    pub(super) fn from_entry(entry: Entry, arguments: Vec<u8>) -> Self {
        let text = |text: Option<Arc<str>>| text.map(|text| text.as_ref().to_owned());
        Self {
            id: entry.id.uuid(),
            received_at: entry.received_at,
            epoch: entry.epoch.number,
            epoch_token: entry.epoch.token,
            valid_until: entry.valid_until,
            verdict: entry.verdict.word().to_owned(),
            reason: entry.reason.and_then(|reason| serde_json::to_string(&reason).ok()),
            policies: entry.policies.iter().map(|policy| policy.as_ref().to_owned()).collect(),
            policy_version: entry.policy_version.to_vec(),
            credential_id: entry.who.credential.uuid(),
            agent_id: entry.who.agent.uuid(),
            owner_id: entry.who.owner.uuid(),
            on_behalf_of: entry.who.on_behalf_of.map(|user| user.uuid()),
            unit_path: entry.who.unit_path.iter().map(|unit| unit.uuid()).collect(),
            principal_state: entry.who.state.to_vec(),
            tool_name: entry.wanted.name.as_ref().to_owned(),
            module_id: entry.wanted.module.map(|module| module.uuid()),
            tool_id: entry.wanted.tool.map(|tool| tool.uuid()),
            tool_definition: entry.wanted.definition.map(|definition| definition.to_vec()),
            rate_id: entry.wanted.rate.map(|rate| rate.uuid()),
            reserved: entry.wanted.price.amount,
            currency: entry.wanted.price.currency.code().to_owned(),
            client_name: text(entry.client.name),
            client_version: text(entry.client.version),
            protocol: text(entry.client.protocol),
            session: text(entry.client.session),
            address: entry.client.address.map(ipnet::IpNet::from),
            arguments_size: i32::try_from(entry.arguments.len()).unwrap_or(i32::MAX),
            arguments_digest: entry.arguments_digest.to_vec(),
            arguments,
        }
    }

    fn digest(&self) -> Digest {
        Digest::try_from(self.arguments_digest.as_slice()).unwrap_or_default()
    }
}

/// Principal states that this node knows to be on record, so that they are not sent again with each call.
#[derive(Default)]
pub(super) struct KnownStates {
    known: Mutex<HashSet<(TenantId, Vec<u8>)>>,
}

impl KnownStates {
    /// Keeps memory bounded; forgetting only costs sending a state once more.
    const MOST: usize = 100_000;

    fn unknown(&self, tenant: TenantId, group: &[Waiting]) -> (Vec<Vec<u8>>, Vec<String>) {
        let known = self.known.lock();
        let mut seen = HashSet::new();
        group
            .iter()
            .map(|waiting| &waiting.state)
            .filter(|(hash, _)| !known.contains(&(tenant, hash.clone())) && seen.insert(hash))
            .map(|(hash, state)| (hash.clone(), state.as_ref().to_owned()))
            .unzip()
    }

    fn learn(&self, tenant: TenantId, hashes: Vec<Vec<u8>>) {
        if hashes.is_empty() {
            return;
        }
        let mut known = self.known.lock();
        if known.len() + hashes.len() > Self::MOST {
            known.clear();
        }
        known.extend(hashes.into_iter().map(|hash| (tenant, hash)));
    }
}

struct Answer {
    id: Uuid,
    answer: String,
    recorded_at: Timestamp,
    epoch: Epoch,
}

/// One flush connection: takes the group whose turn it is, until the ledger closes and nothing is left.
pub(super) async fn run(inner: Arc<Inner>) {
    loop {
        while let Some((tenant, group)) = inner.admissions.take(inner.settings.group) {
            flush(&inner, tenant, group).await;
        }
        if inner.closing.is_cancelled() {
            return;
        }
        tokio::select! {
            () = inner.admissions.wait() => {}
            () = inner.closing.cancelled() => {}
        }
    }
}

/// What a failed flush tells of the group.
enum Failed {
    /// The transaction was certainly rolled back, because of something in the group.
    Poisoned(sqlx::Error),
    /// The transaction was certainly rolled back, and it was not the group's fault.
    RolledBack(sqlx::Error),
    /// Nobody knows whether it was committed.
    InDoubt(sqlx::Error),
}

/// Writes a group; one that fails because of something in it is halved until the culprit is alone.
async fn flush(inner: &Arc<Inner>, tenant: TenantId, group: Vec<Waiting>) {
    let mut groups = vec![group];
    while let Some(mut group) = groups.pop() {
        let begun = inner.control.ambient().since_boot();
        match write(inner, tenant, &group).await {
            Ok(answers) => {
                answer(group, answers, begun + SEND_WITHIN);
                inner.control.pulse().beat(tenant);
            }
            Err(Failed::Poisoned(error)) if group.len() > 1 => {
                tracing::warn!(%tenant, calls = group.len(), %error, "a group of calls cannot be written; halving it");
                let second = group.split_off(group.len() / 2);
                groups.push(second);
                groups.push(group);
            }
            Err(Failed::Poisoned(error) | Failed::RolledBack(error)) => {
                tracing::error!(%tenant, calls = group.len(), %error, "calls could not be recorded and were refused");
                refuse(group);
            }
            Err(Failed::InDoubt(error)) => {
                tracing::error!(%tenant, calls = group.len(), %error, "the database did not say whether it recorded calls");
                resolve(inner, tenant, group, begun + SEND_WITHIN).await;
            }
        }
    }
}

async fn write(inner: &Inner, tenant: TenantId, group: &[Waiting]) -> Result<Vec<Answer>, Failed> {
    let (hashes, states) = inner.known_states.unknown(tenant, group);
    let rows: Vec<Admission> = group.iter().map(|waiting| waiting.row.clone()).collect();
    let node = **inner.node.load();
    // Not having a connection is not being in doubt.
    let mut connection = inner.pool.acquire().await.map_err(Failed::RolledBack)?;
    // Reads the whole answer up to ReadyForQuery: only then is the group committed, and a call admitted.
    let answers = sqlx::query!(
        r#"SELECT id AS "id!", answer AS "answer!", recorded_at AS "recorded_at!", epoch AS "epoch!",
                  epoch_token AS "epoch_token!"
           FROM admit($1, $2, $3, $4, $5)"#,
        tenant.uuid(),
        node.uuid(),
        &hashes,
        &states,
        rows as Vec<Admission>,
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(failed)?;
    inner.known_states.learn(tenant, hashes);
    Ok(answers
        .into_iter()
        .map(|row| Answer {
            id: row.id,
            answer: row.answer,
            recorded_at: row.recorded_at,
            epoch: Epoch { number: row.epoch, token: row.epoch_token },
        })
        .collect())
}

fn failed(error: sqlx::Error) -> Failed {
    match &error {
        sqlx::Error::Database(said) => match said.code().as_deref() {
            // Data exceptions, constraint violations, program limits: something in the group.
            Some(code) if ["22", "23", "54"].iter().any(|class| code.starts_with(class)) => {
                Failed::Poisoned(error)
            }
            // Terminated by an administrator or a crash, perhaps while committing.
            Some(code) if code.starts_with("57P") || code.starts_with("08") || code.starts_with("XX") => {
                Failed::InDoubt(error)
            }
            _ => Failed::RolledBack(error),
        },
        // Values that could not even be encoded never left this process.
        sqlx::Error::Encode(_) | sqlx::Error::TypeNotFound { .. } => Failed::Poisoned(error),
        _ => Failed::InDoubt(error),
    }
}

fn answer(group: Vec<Waiting>, answers: Vec<Answer>, send_before: Duration) {
    let mut answers: std::collections::HashMap<Uuid, Answer> =
        answers.into_iter().map(|answer| (answer.id, answer)).collect();
    for Waiting { row, answer: whom, .. } in group {
        let said = match answers.remove(&row.id) {
            Some(said) => match said.answer.as_str() {
                "admitted" => Ok(receipt(&row, said.recorded_at, send_before)),
                "stale" => Err(NotAdmitted::Stale { current: said.epoch }),
                "expired" => Err(NotAdmitted::Expired),
                "exists" => Err(NotAdmitted::Exists),
                other => {
                    tracing::error!(
                        call = %row.id, answer = other,
                        "a call was refused by the database; do this machine's clock and the database's agree?"
                    );
                    Err(NotAdmitted::Unavailable)
                }
            },
            None => Err(NotAdmitted::Unavailable),
        };
        // The caller may have gone away meanwhile; then its record stays and is settled by whoever drops the call.
        let _ = whom.send(said);
    }
}

fn receipt(row: &Admission, admitted_at: Timestamp, send_before: Duration) -> Receipt {
    Receipt { call: row.id.into(), arguments_digest: row.digest(), admitted_at, send_before }
}

fn refuse(group: Vec<Waiting>) {
    for waiting in group {
        let _ = waiting.answer.send(Err(NotAdmitted::Unavailable));
    }
}

/// Looks up, on another connection, which calls of a group in doubt are on record. They are never inserted again.
async fn resolve(inner: &Arc<Inner>, tenant: TenantId, group: Vec<Waiting>, send_before: Duration) {
    let ids: Vec<Uuid> = group.iter().map(|waiting| waiting.row.id).collect();
    let found = look_up(inner, tenant, &ids).await.unwrap_or_default();
    let mut lost = Vec::new();
    for Waiting { row, answer: whom, .. } in group {
        match found.iter().find(|(id, _)| *id == row.id) {
            Some((_, at)) if inner.control.ambient().since_boot() < send_before => {
                let _ = whom.send(Ok(receipt(&row, *at, send_before)));
            }
            _ => {
                let _ = whom.send(Err(NotAdmitted::Unavailable));
                lost.push(row);
            }
        }
    }
    // The old connection's transaction may still commit: such a call was refused and never sent. Settling what is not
    // on record changes nothing, so say so now and once more when the server must have given up.
    for delay in [Duration::ZERO, Duration::from_secs(60)] {
        let (inner, lost) = (inner.clone(), lost.clone());
        let later = inner.clone();
        inner.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = later.closing.cancelled() => {}
            }
            for row in lost.iter().filter(|row| row.verdict == "permit") {
                settle::enqueue(&later, never_sent(tenant, row, later.control.ambient().now()));
            }
        });
    }
}

async fn look_up(inner: &Inner, tenant: TenantId, ids: &[Uuid]) -> Option<Vec<(Uuid, Timestamp)>> {
    for attempt in 0..5u32 {
        tokio::time::sleep(Duration::from_millis(100) * attempt).await;
        let Ok(mut tx) = TenantTx::read(&inner.control, Actor::worker(tenant)).await else { continue };
        let rows = sqlx::query!("SELECT id, recorded_at FROM calls WHERE id = ANY($1)", ids)
            .fetch_all(tx.conn())
            .await;
        if let Ok(rows) = rows {
            return Some(rows.into_iter().map(|row| (row.id, row.recorded_at)).collect());
        }
    }
    None
}

fn never_sent(tenant: TenantId, row: &Admission, now: Timestamp) -> Settlement {
    Settlement {
        tenant,
        call: row.id.into(),
        settled_at: now,
        outcome: Outcome::NotSent,
        duration: Duration::ZERO,
        upstream_duration: None,
        failure: Some(model::call::Failure {
            code: "admission_in_doubt".to_owned(),
            sentence: "The database did not confirm in time that the call was recorded, so it was not sent."
                .to_owned(),
        }),
        result: None::<Bytes>,
        exchange: None,
        result_size: 0,
        result_digest: None,
        charge: Money::zero(row.currency.parse().unwrap_or(Currency::USD)),
        rate: row.rate_id.map(Into::into),
    }
}
