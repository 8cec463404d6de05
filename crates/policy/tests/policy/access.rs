//! Effective access in words: which grants are named, by which way they come, and the sentence for what is not to be had.

use crate::world::{Acme, at};
use model::access::Grantee;
use model::call::{ReasonCode, Verdict};
use model::people::Role;
use policy::{Access, Directory, Holder, Source, Subject};

fn access(directory: &Directory, subject: Subject) -> Access<'_> {
    directory.access_of(subject, at(0)).unwrap().unwrap()
}

fn sources(access: &Access<'_>, tool: &str) -> Vec<(Holder, String, Source)> {
    let said = access.said_of(tool).unwrap();
    said.rights.into_iter().map(|right| (right.holder, right.key.to_string(), right.source)).collect()
}

#[test]
fn a_right_says_which_way_it_comes() {
    let mut acme = Acme::new();
    let [commerce, _, sales] = acme.units;
    acme.world.grant("gmail", Grantee::Agent(acme.mover), Some(at(60)));
    let directory = acme.world.directory();
    let mover = access(&directory, Subject::Agent(acme.mover));
    let inherited = Source::Unit {
        above: 1,
        unit: commerce,
        name: "Commerce".to_owned(),
        through: Some("Sales".to_owned()),
    };
    assert_eq!(
        sources(&mover, "gmail.read"),
        [
            (Holder::Agent, "gmail".to_owned(), Source::Itself),
            (Holder::Agent, "gmail:read".to_owned(), inherited.clone())
        ]
    );
    let own = Source::Unit { above: 0, unit: sales, name: "Sales".to_owned(), through: None };
    assert_eq!(
        sources(&mover, "gmail.send"),
        [
            (Holder::Agent, "gmail".to_owned(), Source::Itself),
            (Holder::Agent, "gmail:send".to_owned(), own.clone())
        ]
    );
    // The grant without an end outlasts the one with one.
    assert_eq!(mover.said_of("gmail.send").unwrap().until, None);
    assert_eq!(mover.rights().len(), 3);

    let dana = access(&directory, Subject::Person(acme.dana));
    assert_eq!(
        sources(&dana, "gmail.send"),
        [
            (Holder::Person, "gmail:send".to_owned(), own),
            (Holder::Person, "gmail:send".to_owned(), Source::Role(Role::Admin))
        ]
    );
    assert_eq!(
        dana.tools().map(|(tool, verdict)| (&*tool.full_name, verdict)).collect::<Vec<_>>(),
        [("crm.list", Verdict::Deny), ("gmail.read", Verdict::Permit), ("gmail.send", Verdict::Permit)]
    );
}

#[test]
fn what_is_not_to_be_had_is_told_as_a_denial_tells_it() {
    let mut acme = Acme::new();
    // Nobody asks on behalf of Otto, who owns no agent: no request leads to him.
    let otto = acme.world.user("Otto Berg", acme.units[1]);
    let directory = acme.world.directory();
    let denied = |subject, tool: &str| {
        let said = access(&directory, subject).said_of(tool).unwrap();
        assert_eq!(said.verdict, Verdict::Deny);
        said.reason.unwrap()
    };
    let mover_for_mara = denied(Subject::OnBehalf(acme.mover, acme.mara), "gmail.send");
    assert_eq!(mover_for_mara.code, ReasonCode::OnBehalfMissingKey);
    let otto_himself = denied(Subject::Person(otto), "gmail.send");
    assert_eq!(
        otto_himself.sentence,
        "Denied: Otto Berg has no `gmail:send`. It is granted to Sales and role Admin. Ask the owner of Gmail, Dana Roth, \
         for it."
    );
    assert_eq!(otto_himself.missing_key.unwrap().as_str(), "gmail:send");
    let mover_for_otto = denied(Subject::OnBehalf(acme.mover, otto), "gmail.send");
    assert_eq!(mover_for_otto.code, ReasonCode::OnBehalfMissingKey);
    assert!(mover_for_otto.sentence.contains("Otto Berg, for whom agent Deal mover (Sales) acts, has no"));
    let both = access(&directory, Subject::OnBehalf(acme.mover, otto));
    assert_eq!(both.said_of("gmail.read").unwrap().verdict, Verdict::Permit, "what both may, also for him");
    assert!(access(&directory, Subject::Agent(acme.mover)).said_of("gmail.nothing").is_none());
    assert!(
        directory
            .access_of(Subject::Person(model::UserId::from(uuid::Uuid::nil())), at(0))
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_suspended_person_has_nothing_and_is_told_why() {
    let mut acme = Acme::new();
    acme.world.user_mut(acme.dana).standing = model::people::Standing::Suspended;
    let directory = acme.world.directory();
    let said = access(&directory, Subject::Person(acme.dana)).said_of("gmail.read").unwrap();
    assert_eq!(said.verdict, Verdict::Deny);
    let reason = said.reason.unwrap();
    assert_eq!(reason.code, ReasonCode::UserSuspended);
    assert_eq!(
        reason.sentence,
        "Denied: Dana Roth is suspended, and so is whatever acts for them. Ask an admin."
    );
    assert!(!said.rights.is_empty(), "what was given is still given");
}
