//! Which limits count a call, and what is said of one that is reached.

use std::time::Duration;

use model::call::ReasonCode;
use model::limit::{Allowance, OfWhat, Per, Scope, Whose};
use model::{LimitId, Zone};
use policy::{BuildError, Decision, Directory, LimitFact};
use uuid::Uuid;

use crate::world::{World, at, principal};

struct Firm {
    world: World,
    whose: [Whose; 5],
    what: [OfWhat; 5],
}

/// Agent 1 is in Inside Sales, below Sales, and agent 2 in Support; both may use `mail.send`, `mail.read` and `crm.find`.
fn firm() -> Firm {
    let mut world = World::new();
    let sales = world.unit("Sales", None);
    let inside = world.unit("Inside Sales", Some(sales));
    let support = world.unit("Support", None);
    let ada = world.user("Ada", sales);
    let (scout, helper) = (world.agent("Scout", ada, inside), world.agent("Helper", ada, support));
    world.credential(1, scout, None);
    world.credential(2, helper, None);
    let (mail, crm) = (world.module("mail", "Mail", None), world.module("crm", "CRM", None));
    let send = world.tool(mail, "send", "mail:write");
    let read = world.tool(mail, "read", "mail:read");
    world.tool(crm, "find", "crm:read");
    for unit in [sales, support] {
        world.grant("mail", model::access::Grantee::Unit(unit), None);
        world.grant("crm", model::access::Grantee::Unit(unit), None);
    }
    world.facts.tenant.zone = Zone::Europe__Berlin;
    Firm {
        world,
        whose: [
            Whose::Everybody,
            Whose::Unit(sales),
            Whose::Unit(inside),
            Whose::Unit(support),
            Whose::Agent(scout),
        ],
        what: [
            OfWhat::Everything,
            OfWhat::Module(mail),
            OfWhat::Module(crm),
            OfWhat::Tool(send),
            OfWhat::Tool(read),
        ],
    }
}

fn limit(n: u128, whose: Whose, what: OfWhat, each_agent: bool, allowance: Allowance) -> LimitFact {
    let scope = Scope { whose, what, each_agent };
    LimitFact { id: LimitId::from(Uuid::from_u128(n)), scope, allowance, set_by: "Dana Roth".to_owned() }
}

/// Numbers of the limits that count a call.
fn counting(directory: &Directory, credential: u8, name: &str) -> Vec<u128> {
    let who = principal(directory, credential);
    let tool = directory.resolve(&who, model::catalog::Feature::Tool, name).unwrap();
    match directory.decide(&who, &tool, [0; 32], at(0)) {
        Decision::Permit(permit) => permit.limits().map(|limit| limit.id.uuid().as_u128()).collect(),
        other => panic!("not permitted: {other:?}"),
    }
}

#[test]
fn a_limit_counts_the_calls_of_whom_and_of_what_it_names() {
    let Firm { mut world, whose, what } = firm();
    let allowance = Allowance::new(1, Per::Minute);
    let mut number = 0;
    for whose in whose {
        for what in what {
            number += 1;
            world.facts.limits.push(limit(number, whose, what, false, allowance));
        }
    }
    let directory = world.directory();
    // Of everything, of Mail, of `mail.send`: for everybody, Sales, Inside Sales, and Scout itself.
    assert_eq!(counting(&directory, 1, "mail.send"), [1, 2, 4, 6, 7, 9, 11, 12, 14, 21, 22, 24]);
    assert_eq!(counting(&directory, 1, "crm.find"), [1, 3, 6, 8, 11, 13, 21, 23]);
    assert_eq!(counting(&directory, 2, "mail.read"), [1, 2, 5, 16, 17, 20]);
}

#[test]
fn what_is_told_says_which_limit_when_to_try_again_and_who_set_it() {
    let Firm { mut world, whose: [everybody, sales, .., scout], what: [all, mail, _, send, _] } = firm();
    let fact = |n, whose, what, each, allowance| limit(n, whose, what, each, allowance);
    world.facts.limits = vec![
        fact(1, everybody, all, true, Allowance::new(1000, Per::Hour)),
        fact(2, sales, mail, false, Allowance::new(1, Per::Second)),
        fact(3, scout, send, false, Allowance::new(1_000_000, Per::Month)),
        fact(4, everybody, all, false, Allowance::new(12_345, Per::Day)),
        fact(5, sales, all, true, Allowance::new(60, Per::Minute)),
    ];
    let directory = world.directory();
    let who = principal(&directory, 1);
    let tool = directory.resolve(&who, model::catalog::Feature::Tool, "mail.send").unwrap();
    let Decision::Permit(permit) = directory.decide(&who, &tool, [0; 32], at(0)) else { panic!() };
    let waits = [1500, 20, 500_000_000, 86_400_000 / 2, 121_000].map(Duration::from_millis);
    let said: Vec<_> =
        permit.limits().zip(waits).map(|(limit, wait)| limit.reached(&who, at(0), wait)).collect();
    let sentences: Vec<_> = said.iter().map(|reason| reason.sentence.as_str()).collect();
    let denied = "Denied: agent Scout (Inside Sales) has reached a limit:";
    let set = "The limit was set by Dana Roth.";
    assert_eq!(
        sentences,
        [
            format!(
                "{denied} each agent may make 1,000 calls an hour. Nothing was done. Try again in 2 s. {set}"
            ),
            format!(
                "{denied} the agents of Sales together may make 1 call of Mail a second. Nothing was done. Try again in 1 s. \
                 {set}"
            ),
            format!(
                "{denied} agent Scout may make 1,000,000 calls of `mail.send` a month. Nothing was done. Try again from \
                 2027-01-21 03:53 on (Europe/Berlin). {set}"
            ),
            format!(
                "{denied} all agents together may make 12,345 calls a day. Nothing was done. Try again from 2027-01-15 21:00 \
                 on (Europe/Berlin). {set}"
            ),
            format!(
                "{denied} each agent of Sales may make 60 calls a minute. Nothing was done. Try again in 3 minutes. {set}"
            ),
        ]
    );
    assert!(said.iter().all(|reason| reason.code == ReasonCode::LimitReached));
    assert_eq!(said[0].ask.as_deref(), Some("Dana Roth"));
}

#[test]
fn a_limit_on_what_is_not_there_is_refused_as_inconsistent() {
    let Firm { mut world, .. } = firm();
    let nobody = Whose::Agent(Uuid::from_u128(999).into());
    world.facts.limits = vec![limit(1, nobody, OfWhat::Everything, false, Allowance::new(1, Per::Minute))];
    let refused = Directory::build(world.facts, at(0));
    assert!(matches!(refused, Err(BuildError::Dangling { .. })));
}
