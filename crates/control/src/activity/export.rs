//! Activity as CSV: what is filtered, a page at a time, for as long as the rights last and not without end.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use model::call::CallRow;
use tokio::time::Instant;

use super::{Filter, LONGEST, Page, list};
use crate::{Actor, Control, Error, sheet, sign_in};

/// Most calls of one file.
pub const EXPORT: usize = 50_000;
/// How often it is asked whether the actor may still look.
const RIGHTS: std::time::Duration = std::time::Duration::from_secs(10);

const HEAD: [&str; 14] = [
    "call",
    "received_at",
    "agent",
    "owner",
    "on_behalf_of",
    "unit",
    "tool",
    "decision",
    "reason_code",
    "reason",
    "outcome",
    "duration_ms",
    "charge",
    "currency",
];

/// The calls of a filter as lines of CSV, newest first: a head, then pages, each asked for once the one before has been
/// taken. After 50,000 calls a last line says that there are more. Times are UTC. Ends with an error when the actor's
/// rights are gone or the database is.
pub fn export(
    control: &Control,
    actor: &Actor,
    filter: Filter,
) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static + use<> {
    let export = Export {
        control: control.clone(),
        actor: actor.clone(),
        filter,
        begun: false,
        page: Some(Page::Newest),
        left: EXPORT,
        checked: Instant::now(),
    };
    futures::stream::unfold(Some(export), |export| async move {
        let mut export = export?;
        match export.next().await {
            Ok(Some(lines)) => Some((Ok(lines), Some(export))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
    // Whoever compresses it asks once more after its end.
    .fuse()
}

struct Export {
    control: Control,
    actor: Actor,
    filter: Filter,
    /// Whether the head was written.
    begun: bool,
    /// Where to go on; none: at the end.
    page: Option<Page>,
    left: usize,
    checked: Instant,
}

impl Export {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(page) = self.page.take() else { return Ok(None) };
        if self.checked.elapsed() >= RIGHTS {
            if let Some(user) = self.actor.user_id() {
                self.actor = sign_in::actor(&self.control, self.actor.tenant(), user)
                    .await?
                    .ok_or_else(|| Error::not_found("activity that you may see any more"))?;
            }
            self.checked = Instant::now();
        }
        let limit = LONGEST.min(u16::try_from(self.left).unwrap_or(LONGEST));
        let listing = list(&self.control, &self.actor, &self.filter, page, limit).await?;
        let mut rows: Vec<Vec<String>> = listing.rows.iter().map(cells).collect();
        self.left = self.left.saturating_sub(listing.rows.len());
        if listing.has_older {
            if self.left == 0 {
                rows.push(vec![format!("there are more than these {EXPORT} calls: give a shorter time")]);
            } else {
                self.page = listing.rows.last().map(|last| Page::Before(last.id));
            }
        }
        let lines = sheet::lines(rows)?;
        if std::mem::replace(&mut self.begun, true) {
            return Ok(Some(lines));
        }
        Ok(Some([sheet::MARK, &sheet::lines([HEAD])?, &lines].concat().into()))
    }
}

fn cells(row: &CallRow) -> Vec<String> {
    let reason = row.reason.as_ref();
    // Milliseconds with three decimals, without the detour of a float.
    let duration = row.duration_us.map(|us| format!("{}.{:03}", us / 1_000, us.rem_euclid(1_000)));
    vec![
        row.id.to_string(),
        row.received_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        row.agent_name.clone(),
        row.owner_name.clone(),
        row.on_behalf_of_name.clone().unwrap_or_default(),
        row.unit_name.clone().unwrap_or_default(),
        row.tool_name.clone(),
        row.verdict.word().to_owned(),
        reason.map_or("", |reason| reason.code.word()).to_owned(),
        reason.map(|reason| reason.sentence.clone()).unwrap_or_default(),
        row.outcome.map_or("", |outcome| outcome.word()).to_owned(),
        duration.unwrap_or_default(),
        row.charge.map(|money| money.amount.normalize().to_string()).unwrap_or_default(),
        row.charge.as_ref().map_or("", |money| money.currency.code()).to_owned(),
    ]
}
