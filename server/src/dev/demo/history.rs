//! A week of calls, made by the gateway as if in the past and then imported: the same at each load but for its dates.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use control::Actor;
use control::activity::{self, Filter, Page};
use control::ledger::import;
use control::tenants::TenantHead;
use model::{NodeId, TenantId, Timestamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use sqlx::{Connection as _, PgConnection};

use super::crm::{self, Filled};
use super::handbook::{Handbook, Mood};
use super::past::{Past, Patience};
use super::week::{AGENTS, ENGINEER, NIGHTLY, act, first_morning, week};
use super::{Controls, STOPPED, set_up};
use crate::dev::database::Database;
use crate::{Failure, say};

/// Makes every load alike.
const SEED: u64 = 20_260_728;
/// For so long the handbook's server has been away.
const AWAY: TimeDelta = TimeDelta::hours(3);

/// Makes the week that ends now, unless there are calls on record.
pub(super) async fn load(
    controls: &Controls,
    actor: &Actor,
    head: &TenantHead,
    database: &Database,
    keys: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let Controls { now: control, hasty, founding, stopping } = controls;
    let newest = activity::list(control, actor, &Filter::default(), Page::Newest, 1).await?;
    if !newest.rows.is_empty() {
        return Ok(());
    }
    say::progress("loading the demo's CRM and a week of calls");
    let mut owner = database.owner().await?;
    clear(&mut owner, head.id).await?;
    set_up::suspend(founding, actor, false).await?;
    let handbook = Handbook::start().await?;
    let has_handbook = handbook.add(founding, actor).await?;

    let now = control.ambient().now();
    let mut random = ChaCha12Rng::seed_from_u64(SEED);
    let past = Past::open(hasty, head.mcp_id, keys, SEED, Patience::Usual)?;
    let hurried = Past::open(hasty, head.mcp_id, keys, SEED + 1, Patience::Short)?;
    let (filled, done) = crm::enter(&past, first_morning(now)).await?;
    let mut here = has_handbook;
    for (at, who) in week(done, now, &mut random) {
        let Some((agent, _, client)) = AGENTS.get(who) else { continue };
        if [NIGHTLY, ENGINEER].contains(agent) && at > now - STOPPED {
            continue;
        }
        let (tool, arguments) = act(agent, at, &filled, &mut random);
        if *agent == ENGINEER {
            if here && at > now - AWAY {
                handbook.stop().await;
                here = false;
            }
            let dice = random.random_range(0..100);
            handbook.feel(match dice {
                0..3 => Mood::Confused,
                3..8 => Mood::Silent,
                _ => Mood::Well,
            });
            if (3..5).contains(&dice) {
                hurried.leave(at, (agent, *client), tool, arguments).await?;
            } else {
                hurried.call(at, (agent, *client), tool, arguments).await?;
            }
        } else {
            past.call(at, (agent, *client), tool, arguments).await?;
        }
    }
    handbook.stop().await;
    let mut calls = past.gathered();
    calls.extend(hurried.gathered());

    // From here on some are refused: once more under the directory that says so.
    set_up::suspend(stopping, actor, true).await?;
    if has_handbook {
        handbook.switch_off(stopping, actor).await?;
    }
    let after = Past::open(hasty, head.mcp_id, keys, SEED + 2, Patience::Usual)?;
    for (at, agent) in last_hour(now) {
        call_once_more(&after, at, agent, &filled, &mut random).await?;
    }
    calls.extend(after.gathered());

    let node: NodeId = control.ambient().id();
    // Durable as usual, and with it all that was hasty before: there is one log.
    let count = import::import(control, &mut owner, head.id, node, calls).await?;
    owner.close().await?;
    say::progress(format_args!("{count} calls are on record"));
    Ok(())
}

/// What a load that was cut off had put into the CRM.
async fn clear(owner: &mut PgConnection, tenant: TenantId) -> Result<(), sqlx::Error> {
    let mut tx = owner.begin().await?;
    sqlx::query("SELECT set_config('app.tenant_id', $1, true)")
        .bind(tenant.uuid().to_string())
        .execute(&mut *tx)
        .await?;
    for delete in [
        "DELETE FROM crm_interactions WHERE tenant_id = $1",
        "DELETE FROM crm_deals WHERE tenant_id = $1",
        "DELETE FROM crm_contacts WHERE tenant_id = $1",
        "DELETE FROM crm_companies WHERE tenant_id = $1",
    ] {
        sqlx::query(delete).bind(tenant.uuid()).execute(&mut *tx).await?;
    }
    tx.commit().await
}

/// Agents that have not been told.
fn last_hour(now: Timestamp) -> Vec<(Timestamp, &'static str)> {
    [(47, NIGHTLY), (36, ENGINEER), (31, NIGHTLY), (19, ENGINEER), (12, NIGHTLY)]
        .map(|(minutes, agent)| (now - TimeDelta::minutes(minutes), agent))
        .to_vec()
}

async fn call_once_more(
    after: &Past,
    at: Timestamp,
    agent: &'static str,
    filled: &Filled,
    random: &mut ChaCha12Rng,
) -> Result<(), Failure> {
    if let Some((agent, _, client)) = AGENTS.iter().find(|(name, ..)| *name == agent) {
        let (tool, arguments) = act(agent, at, filled, random);
        after.call(at, (agent, *client), tool, arguments).await?;
    }
    Ok(())
}
