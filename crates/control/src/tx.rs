//! The only door to a tenant's rows.

use model::{TenantId, Timestamp};
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::actor::{Actor, Who};
use crate::authority::{self, Deed};
use crate::{Control, Error};

/// A transaction that sees one tenant's rows and no other's. Rolled back unless committed.
///
/// Row security does the separating: the transaction says its tenant once (`app.tenant_id`), and the role it runs
/// under cannot see past that.
pub struct TenantTx {
    tx: Transaction<'static, Postgres>,
    actor: Actor,
    ambient: model::Ambient,
}

impl std::fmt::Debug for TenantTx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TenantTx").field("actor", &self.actor).finish_non_exhaustive()
    }
}

impl TenantTx {
    pub(crate) async fn read(control: &Control, actor: Actor) -> Result<Self, Error> {
        Self::open(control, actor, "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY").await
    }

    /// Reads everything at one instant, for what must be consistent with itself.
    pub(crate) async fn snapshot(control: &Control, actor: Actor) -> Result<Self, Error> {
        Self::open(control, actor, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    pub(crate) async fn write(control: &Control, actor: Actor) -> Result<Self, Error> {
        Self::open(control, actor, "BEGIN ISOLATION LEVEL READ COMMITTED").await
    }

    async fn open(control: &Control, actor: Actor, begin: &'static str) -> Result<Self, Error> {
        let mut tx = begun(control, begin).await?;
        // Statements with optional filters are planned for the values at hand, never once for all.
        sqlx::query!(
            "SELECT set_config('app.tenant_id', $1, true) AS tenant, set_config('plan_cache_mode', 'force_custom_plan', true) AS plans",
            actor.tenant().uuid().to_string()
        )
        .fetch_one(&mut *tx)
        .await?;
        Ok(Self { tx, actor, ambient: control.ambient().clone() })
    }

    /// The gate is the first thing it takes, so that nobody waits for it while holding something else; and it
    /// may not be held for long, since the tenant's calls wait. Who may not do the deed does not get as far.
    pub(crate) async fn change(
        control: &Control,
        actor: Actor,
        deed: Deed,
        what: &str,
    ) -> Result<Self, Error> {
        permit(&actor, deed, what)?;
        Self::through_gate(control, actor).await
    }

    /// For what a person does to themselves alone, and can do but once.
    pub(crate) async fn change_self(control: &Control, actor: Actor, what: &str) -> Result<Self, Error> {
        match actor.user_id() {
            Some(_) => Self::through_gate(control, actor).await,
            None => Err(Error::not_found(what)),
        }
    }

    async fn through_gate(control: &Control, actor: Actor) -> Result<Self, Error> {
        let mut tx = begun(control, "BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        sqlx::query!("SELECT take_gate($1, $2)", actor.tenant().uuid(), control.ambient().random_uuid())
            .fetch_one(&mut *tx)
            .await?;
        Ok(Self { tx, actor, ambient: control.ambient().clone() })
    }

    /// For statements of this crate.
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Whose rows these are.
    pub fn tenant(&self) -> TenantId {
        self.actor.tenant()
    }

    /// The tenant as the database has it.
    pub(crate) fn tenant_uuid(&self) -> Uuid {
        self.actor.tenant().uuid()
    }

    /// Who acts.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The present instant, for the rows written.
    pub(crate) fn now(&self) -> Timestamp {
        self.ambient.now()
    }

    /// A new id.
    pub(crate) fn id<T: model::Id>(&self) -> T {
        self.ambient.id()
    }

    /// Refuses, as if there were nothing there, what the actor's roles do not include.
    pub(crate) fn authorize(&self, deed: Deed, what: &str) -> Result<(), Error> {
        permit(&self.actor, deed, what)
    }

    /// Bounds what each statement of it may take, for questions whose answer can be far away.
    pub(crate) async fn bound_time(&mut self) -> Result<(), Error> {
        sqlx::query!("SELECT set_config('statement_timeout', '10s', true)").fetch_one(&mut *self.tx).await?;
        Ok(())
    }

    /// The actor as the record has it.
    fn kind_and_id(&self) -> (&'static str, Option<Uuid>) {
        match self.actor.who() {
            Who::User { id, .. } => ("user", Some(id.uuid())),
            Who::Agent(who) => ("agent", Some(who.agent.uuid())),
            Who::Operator { .. } => ("operator", None),
            Who::Worker => ("worker", None),
        }
    }

    /// Records what the actor did, in the same transaction.
    pub(crate) async fn audit(
        &mut self,
        action: &str,
        subject_kind: &str,
        subject_id: impl std::fmt::Display,
        subject_name: &str,
        detail: serde_json::Value,
    ) -> Result<(), Error> {
        let id = self.id();
        self.audit_as(id, action, subject_kind, subject_id, subject_name, detail).await
    }

    /// The same, under an id that is known.
    pub(crate) async fn audit_as(
        &mut self,
        id: model::AuditEventId,
        action: &str,
        subject_kind: &str,
        subject_id: impl std::fmt::Display,
        subject_name: &str,
        detail: serde_json::Value,
    ) -> Result<(), Error> {
        let (kind, actor_id) = self.kind_and_id();
        sqlx::query!(
            "INSERT INTO audit_events (tenant_id, id, at, actor_kind, actor_id, actor_name, action, subject_kind,
                                       subject_id, subject_name, detail)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            self.actor.tenant().uuid(),
            id.uuid(),
            self.ambient.now(),
            kind,
            actor_id,
            self.actor.name(),
            action,
            subject_kind,
            subject_id.to_string(),
            subject_name,
            detail,
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Records many acts at once: action, kind and id of the subject, its name, and what else there is to say.
    pub(crate) async fn audit_all(
        &mut self,
        acts: &[(String, &'static str, String, String, serde_json::Value)],
    ) -> Result<(), Error> {
        let (kind, actor_id) = self.kind_and_id();
        let rows: serde_json::Value = acts
            .iter()
            .map(|(action, subject_kind, subject_id, subject_name, detail)| {
                let id: model::AuditEventId = self.id();
                serde_json::json!({
                    "id": id.uuid(), "action": action, "subject_kind": subject_kind, "subject_id": subject_id,
                    "subject_name": subject_name, "detail": detail,
                })
            })
            .collect();
        sqlx::query!(
            "INSERT INTO audit_events (tenant_id, id, at, actor_kind, actor_id, actor_name, action, subject_kind,
                                       subject_id, subject_name, detail)
             SELECT $1, r.id, $2, $3, $4, $5, r.action, r.subject_kind, r.subject_id, r.subject_name, r.detail
             FROM jsonb_to_recordset($6) AS r (id uuid, action text, subject_kind text, subject_id text,
                                               subject_name text, detail jsonb)",
            self.actor.tenant().uuid(),
            self.ambient.now(),
            kind,
            actor_id,
            self.actor.name(),
            rows,
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Makes it durable.
    pub(crate) async fn commit(self) -> Result<(), Error> {
        Ok(self.tx.commit().await?)
    }
}

/// Begins in a task of its own, which ends whether or not somebody still waits for it. A question can be dropped at any
/// moment (a browser that disconnects, a time that is over), and sqlx, dropped while `BEGIN` is on its way, gives the
/// connection back with the transaction begun: whoever gets it next would be inside it. A transaction that is begun
/// and not wanted any more is rolled back as any other.
pub(crate) async fn begun(
    control: &Control,
    begin: &'static str,
) -> Result<Transaction<'static, Postgres>, Error> {
    let pool = control.pool().clone();
    match tokio::spawn(async move { pool.begin_with(begin).await }).await {
        Ok(begun) => Ok(begun?),
        Err(_) => Err(sqlx::Error::WorkerCrashed.into()),
    }
}

fn permit(actor: &Actor, deed: Deed, what: &str) -> Result<(), Error> {
    if authority::may(actor, deed) { Ok(()) } else { Err(Error::not_found(what)) }
}
