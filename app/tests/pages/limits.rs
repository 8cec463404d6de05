//! Pages about limits, with names that would like to be markup.

use app::pages::settings::limits as pages;
use app::pieces::limits::{allowance, facts, used};
use control::limits::{Choices, LimitRow};
use model::limit::{Allowance, OfWhat, Per, Scope, Whose};
use model::{AgentId, LimitId, ModuleId, ToolId, UnitId};
use uuid::Uuid;

use crate::hostile::is_harmless;
use crate::sample::{self, HOSTILE};

fn id<T: From<Uuid>>(number: u128) -> T {
    T::from(Uuid::from_u128(number))
}

fn row(whose: Whose, what: OfWhat, each_agent: bool, allowance: Allowance) -> LimitRow {
    let bad = || HOSTILE.to_owned();
    LimitRow {
        id: id::<LimitId>(1),
        scope: Scope { whose, what, each_agent },
        allowance,
        set_by: bad(),
        set_at: sample::clock().now,
        whose: (whose != Whose::Everybody).then(bad),
        what: match what {
            OfWhat::Everything => None,
            OfWhat::Module(_) => Some((bad(), bad(), None)),
            OfWhat::Tool(_) => Some((bad(), bad(), Some(bad()))),
        },
        used: 412,
        used_by: each_agent.then(|| (id::<AgentId>(2), bad())),
    }
}

#[test]
fn names_are_shown_as_text_wherever_limits_are() {
    let visit = sample::visit();
    let mut rows = Vec::new();
    for whose in [Whose::Everybody, Whose::Unit(id::<UnitId>(3)), Whose::Agent(id::<AgentId>(4))] {
        for what in [OfWhat::Everything, OfWhat::Module(id::<ModuleId>(5)), OfWhat::Tool(id::<ToolId>(6))] {
            rows.push(row(whose, what, false, Allowance::new(1000, Per::Hour)));
            rows.push(row(whose, what, true, Allowance::new(1000, Per::Month)));
        }
    }
    is_harmless("list", &pages::list(&visit, &rows), 0);
    let bad = || HOSTILE.to_owned();
    let choices = Choices {
        units: vec![(id(3), bad())],
        modules: vec![(id(5), bad())],
        agent: Some((id(4), bad())),
        tool: Some((id(6), bad())),
    };
    let form =
        pages::begin_new(Whose::Agent(id(4)), OfWhat::Tool(id(6))).with("calls", bad()).with("burst", bad());
    is_harmless("new", &pages::new(&visit, &choices, &form), 0);
    for row in &rows {
        is_harmless("change", &pages::change(&visit, row, &form), 0);
        is_harmless("remove", &pages::remove(&visit, row), 0);
    }
    let shown = facts(&visit, Some(&rows), (Whose::Everybody, OfWhat::Everything));
    assert!(shown.is_some());
    assert!(
        facts(&visit, None, (Whose::Everybody, OfWhat::Everything)).is_none(),
        "who may not see limits sees none"
    );
}

#[test]
fn a_limit_and_its_use_are_said_in_words() {
    let of = |allowance| row(Whose::Everybody, OfWhat::Everything, false, allowance);
    assert_eq!(allowance(Allowance::new(1, Per::Second)), "1 call a second");
    assert_eq!(
        allowance(Allowance { calls: 1_000, per: Per::Hour, burst: 50 }),
        "1,000 calls an hour, at most 50 at once"
    );
    assert_eq!(used(&of(Allowance::new(1_000, Per::Month))), "412 of 1,000 this month");
    assert_eq!(used(&of(Allowance::new(1_000, Per::Day))), "412 of 1,000 today");
    assert_eq!(
        used(&of(Allowance { calls: 60_000, per: Per::Minute, burst: 1_000 })),
        "412 of 1,000 at present"
    );
}
