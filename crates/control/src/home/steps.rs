//! The first steps of a new organization: done or not, by what there is.

use model::words;

use crate::authority::{Deed, may};
use crate::{Actor, Control, Error};

words! {
    /// What a new organization does, in this order.
    FirstStep {
        /// Prove the mail address. Done by whoever can sign in.
        VerifyMail = "verify_mail",
        /// Add a module or switch on the CRM, so that there is a tool that may be called.
        AddModule = "add_module",
        /// Make a unit besides the first: a team, or another department.
        MakeUnit = "make_unit",
        /// Invite somebody. Done with the first invitation, not when somebody comes: that is not up to who invites.
        Invite = "invite",
        /// Give somebody a permission key.
        GiveKey = "give_key",
        /// Make an agent with a key of its own.
        ConnectAgent = "connect_agent",
        /// See the first call.
        SeeCall = "see_call",
    }
}

/// The first steps as they stand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FirstSteps {
    /// Each, and whether it is done.
    pub steps: Vec<(FirstStep, bool)>,
}

impl FirstSteps {
    /// How many are done.
    pub fn done(&self) -> usize {
        self.steps.iter().filter(|(_, done)| *done).count()
    }
}

/// The deeds that the steps take.
const STEPS_TAKE: [Deed; 4] =
    [Deed::ChangeCatalog, Deed::ChangePeople, Deed::ChangeGrants, Deed::ChangeAgents];

/// What is left to be done. None: all of it is done, the person has put it away, or it is not theirs to do.
pub async fn first_steps(control: &Control, actor: &Actor) -> Result<Option<FirstSteps>, Error> {
    let Some(user) = actor.user_id() else { return Ok(None) };
    if !STEPS_TAKE.iter().all(|deed| may(actor, *deed)) {
        return Ok(None);
    }
    let mut tx = actor.read(control).await?;
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM first_steps_hidden WHERE tenant_id = $1 AND user_id = $2) AS "hidden!",
                  EXISTS (SELECT FROM modules m JOIN tools t ON t.tenant_id = m.tenant_id AND t.module_id = m.id
                          WHERE m.tenant_id = $1 AND m.standing = 'live' AND t.standing = 'approved') AS "module!",
                  (SELECT count(*) FROM units WHERE tenant_id = $1 AND archived_at IS NULL) > 1 AS "divided!",
                  EXISTS (SELECT FROM users WHERE tenant_id = $1 AND id <> $2 AND removed_at IS NULL)
                      OR EXISTS (SELECT FROM invitations WHERE tenant_id = $1 AND accepted_at IS NULL AND withdrawn_at IS NULL)
                      AS "others!",
                  EXISTS (SELECT FROM grants WHERE tenant_id = $1) AS "granted!",
                  EXISTS (SELECT FROM credentials WHERE tenant_id = $1) AS "connected!",
                  EXISTS (SELECT FROM calls WHERE tenant_id = $1) AS "called!""#,
        tenant,
        user.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    let steps = FirstSteps {
        steps: vec![
            (FirstStep::VerifyMail, true),
            (FirstStep::AddModule, row.module),
            (FirstStep::MakeUnit, row.divided),
            (FirstStep::Invite, row.others),
            (FirstStep::GiveKey, row.granted),
            (FirstStep::ConnectAgent, row.connected),
            (FirstStep::SeeCall, row.called),
        ],
    };
    Ok((!row.hidden && steps.done() < steps.steps.len()).then_some(steps))
}

/// Puts the first steps away, for this person alone.
pub async fn hide_first_steps(control: &Control, actor: &Actor) -> Result<(), Error> {
    let user = actor.user_id().ok_or_else(|| Error::not_found("list of first steps"))?;
    let mut tx = actor.write(control).await?;
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "INSERT INTO first_steps_hidden (tenant_id, user_id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        tenant,
        user.uuid(),
        now,
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await
}
