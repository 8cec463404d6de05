//! Several grants given and revoked at once: all or nothing, under the gate, as they were reviewed.

use model::Timestamp;
use model::access::{Grantee, PermissionKey};
use model::call::Digest;

use super::{preview, put, take};
use crate::authority::Deed;
use crate::{Actor, Control, Error, given};

/// At most this many grants are changed at once.
pub const MOST: usize = 200;
/// How often a change is tried anew when rights keep changing while it is made, in ways that do not matter to it.
const TRIES: usize = 5;

/// A key to be given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Give {
    /// The key.
    pub key: PermissionKey,
    /// To whom.
    pub grantee: Grantee,
    /// Until when; none: until it is revoked.
    pub until: Option<Timestamp>,
}

/// A key to be taken away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revoke {
    /// The key.
    pub key: PermissionKey,
    /// From whom.
    pub grantee: Grantee,
}

/// What is to be changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// Keys to be given. Where one is given already, until another time, the new end holds.
    pub gives: Vec<Give>,
    /// Keys to be taken away.
    pub revokes: Vec<Revoke>,
}

impl Change {
    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.gives.is_empty() && self.revokes.is_empty()
    }

    /// How many grants it is about.
    pub fn len(&self) -> usize {
        self.gives.len() + self.revokes.len()
    }

    /// Refuses what cannot be one change: too much, something twice, an end that has passed. Ends are brought to the
    /// precision that the database keeps.
    pub(super) fn checked(mut self, now: Timestamp) -> Result<Self, Error> {
        if self.len() > MOST {
            return Err(Error::refused(
                "too_many",
                format!("that would change {} grants; change at most {MOST} at once", self.len()),
            ));
        }
        let mut seen = std::collections::HashSet::new();
        let gives = self.gives.iter().map(|give| (&give.key, give.grantee));
        for (key, grantee) in gives.chain(self.revokes.iter().map(|revoke| (&revoke.key, revoke.grantee))) {
            if !seen.insert((key, grantee)) {
                return Err(Error::invalid("change", format!("`{key}` is in it twice for the same one")));
            }
        }
        for give in &mut self.gives {
            give.until = given::end("until", give.until, now)?;
        }
        Ok(self)
    }
}

/// What somebody saw before they confirmed, see [`preview::preview`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reviewed {
    /// The epoch under which it was worked out.
    pub epoch: i64,
    /// What was seen.
    pub digest: Digest,
}

/// What was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done {
    /// How many keys were given, new ends included.
    pub given: usize,
    /// How many were revoked.
    pub revoked: usize,
    /// What would undo it. What had ended, or would have by now, is not given again.
    pub undo: Change,
}

/// Gives and revokes, all or nothing. With `reviewed`, only what was reviewed: should rights have changed since, it is
/// worked out anew, and done only if it comes to the same.
///
/// # Errors
/// `changed_since` when it would come to something else than was reviewed; `too_many`; `already_given`; and not
/// found, where there is nothing to revoke.
pub async fn change(
    control: &Control,
    actor: &Actor,
    change: Change,
    reviewed: Option<Reviewed>,
) -> Result<Done, Error> {
    let change = change.checked(control.ambient().now())?;
    let mut expected = reviewed.map(|reviewed| reviewed.epoch);
    for _ in 0..TRIES {
        if let Some(done) = attempt(control, actor, &change, expected).await? {
            return Ok(done);
        }
        // Outside of the gate, which calls wait for: this takes longer than one would hold it.
        let Some(reviewed) = reviewed else { break };
        let now_is = preview::preview(control, actor, change.clone()).await?.reviewed;
        if now_is.digest != reviewed.digest {
            break;
        }
        expected = Some(now_is.epoch);
    }
    Err(Error::refused(
        "changed_since",
        "rights have changed since you looked at this, and it would come to something else now: look again",
    ))
}

/// One transaction. None, and nothing done, when the epoch is not the expected one.
async fn attempt(
    control: &Control,
    actor: &Actor,
    change: &Change,
    expected: Option<i64>,
) -> Result<Option<Done>, Error> {
    let mut tx = actor.change(control, Deed::ChangeGrants, "grant").await?;
    let tenant = tx.tenant_uuid();
    let moved = sqlx::query_scalar!("SELECT epoch FROM gates WHERE tenant_id = $1", tenant)
        .fetch_one(tx.conn())
        .await?;
    // Taking the gate moved it by one.
    if expected.is_some_and(|expected| expected + 1 != moved) {
        return Ok(None);
    }
    let now = tx.now();
    let mut undo = Change::default();
    let mut again = |key: &PermissionKey, grantee, until: Option<Timestamp>| {
        if until.is_none_or(|until| until > now) {
            undo.gives.push(Give { key: key.clone(), grantee, until });
            true
        } else {
            false
        }
    };
    let mut revokes = Vec::new();
    for Revoke { key, grantee } in &change.revokes {
        let until = take(&mut tx, key, *grantee).await?;
        again(key, *grantee, until);
    }
    for Give { key, grantee, until } in &change.gives {
        let (_, was) = put(&mut tx, key, *grantee, *until).await?;
        if !was.is_some_and(|was| again(key, *grantee, was)) {
            revokes.push(Revoke { key: key.clone(), grantee: *grantee });
        }
    }
    undo.revokes = revokes;
    tx.commit().await?;
    Ok(Some(Done { given: change.gives.len(), revoked: change.revokes.len(), undo }))
}
