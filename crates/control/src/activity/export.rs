//! Activity as CSV: what is filtered, a page at a time, for as long as the rights last and not without end.

use futures::{Stream, StreamExt as _};
use model::call::CallRow;
use tokio::time::Instant;

use super::{Filter, LONGEST, Page, list};
use crate::csv::{self, Cell};
use crate::{Actor, Control, Error, sign_in};

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
) -> impl Stream<Item = Result<String, Error>> + Send + 'static + use<> {
    let mut head = String::new();
    csv::line(&mut head, HEAD.into_iter().map(Cell::Plain));
    let export = Export {
        control: control.clone(),
        actor: actor.clone(),
        filter,
        head: Some(head),
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
    head: Option<String>,
    /// Where to go on; none: at the end.
    page: Option<Page>,
    left: usize,
    checked: Instant,
}

impl Export {
    async fn next(&mut self) -> Result<Option<String>, Error> {
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
        let mut out = self.head.take().unwrap_or_default();
        for row in &listing.rows {
            write(&mut out, row);
        }
        self.left = self.left.saturating_sub(listing.rows.len());
        if listing.has_older {
            if self.left == 0 {
                let says = format!("there are more than these {EXPORT} calls: give a shorter time");
                csv::line(&mut out, [Cell::Plain(&says)]);
            } else {
                self.page = listing.rows.last().map(|last| Page::Before(last.id));
            }
        }
        Ok(Some(out))
    }
}

fn write(out: &mut String, row: &CallRow) {
    let id = row.id.to_string();
    let at = row.received_at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    // Milliseconds with three decimals, without the detour of a float.
    let duration = row.duration_us.map(|us| format!("{}.{:03}", us / 1_000, us.rem_euclid(1_000)));
    let amount = row.charge.map(|money| money.amount.normalize().to_string());
    let reason = row.reason.as_ref();
    let plain = |text: Option<&'static str>| text.map_or(Cell::Empty, Cell::Plain);
    csv::line(
        out,
        [
            Cell::Plain(&id),
            Cell::Plain(&at),
            Cell::Text(&row.agent_name),
            Cell::Text(&row.owner_name),
            row.on_behalf_of_name.as_deref().into(),
            row.unit_name.as_deref().into(),
            Cell::Text(&row.tool_name),
            Cell::Plain(row.verdict.word()),
            plain(reason.map(|reason| reason.code.word())),
            reason.map(|reason| reason.sentence.as_str()).into(),
            plain(row.outcome.map(|outcome| outcome.word())),
            duration.as_deref().map_or(Cell::Empty, Cell::Plain),
            amount.as_deref().map_or(Cell::Empty, Cell::Plain),
            row.charge.as_ref().map_or(Cell::Empty, |money| Cell::Plain(money.currency.code())),
        ],
    );
}
