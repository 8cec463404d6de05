//! People who are invited: by whom, into what, how long a link is good, and what makes it worth nothing.

use crate::outside::{audit, epoch, invalid, not_there, signed_in, user, with_role};
use chrono::TimeDelta;
use control::invitations::{self, Invited, Standing};
use control::mail::{self, Letter};
use control::units::{self, NewUnit};
use control::{Actor, Control, people, sign_in, users};
use model::UnitId;
use model::people::{Role, UnitKind};
use secrecy::SecretString;
use testkit::TestWorld;

const PASSWORD: &str = "a long enough password";

fn sending(world: &TestWorld) -> Control {
    world.control.clone().sending_mail()
}

/// Invites one address and reads the token in the mail.
async fn invited(world: &TestWorld, actor: &Actor, email: &str, role: Role) -> String {
    let control = sending(world);
    let unit = world.tenant.unit;
    let sent = invitations::invite(&control, actor, email, unit, role).await.unwrap();
    assert_eq!(sent, Invited::Sent(vec![email.to_owned()]));
    token_of(&control, email).await
}

/// The token in the newest mail to an address; all mails are taken out of the outbox.
async fn token_of(control: &Control, email: &str) -> String {
    let mut found = None;
    for mail in mail::lease(control, 100).await.unwrap() {
        mail::sent(control, &mail).await.unwrap();
        if let (true, Letter::Invitation { token, .. }) = (mail.to.email == email, &mail.letter) {
            found = Some(token.clone());
        }
    }
    found.expect("a mail with an invitation")
}

fn secret() -> SecretString {
    PASSWORD.to_owned().into()
}

fn is_open(standing: &Standing) -> bool {
    matches!(standing, Standing::Open(_))
}

async fn line(world: &TestWorld) -> control::invitations::InvitationLine {
    invitations::list(&world.control, &world.operator, 0).await.unwrap().0.remove(0)
}

#[tokio::test]
async fn an_invited_person_joins_where_and_as_what_they_were_invited() {
    let world = TestWorld::new().await;
    let control = sending(&world);
    let owner = signed_in(&world, world.tenant.owner).await;
    let new = NewUnit { parent: None, kind: UnitKind::Team, name: "Sales".to_owned() };
    let sales: UnitId = units::create(&control, &owner, new).await.unwrap();
    let before = epoch(&world).await;
    let sent =
        invitations::invite(&control, &owner, "Ada <ADA@example.com>\nbob@example.com", sales, Role::Finance)
            .await
            .unwrap();
    assert_eq!(sent, Invited::Sent(vec!["ada@example.com".into(), "bob@example.com".into()]));
    assert_eq!(epoch(&world).await, before, "nobody may do anything yet");
    let token = token_of(&control, "ada@example.com").await;
    let Standing::Open(welcome) = invitations::opened(&control, &token).await.unwrap() else { panic!() };
    assert_eq!(
        (
            welcome.organization.as_str(),
            welcome.email.as_str(),
            welcome.unit.as_str(),
            welcome.invited_by.as_str()
        ),
        ("acme Ltd", "ada@example.com", "Sales", "Olga Owner")
    );
    assert_eq!((welcome.role, invitations::waiting(&control, &owner).await.unwrap()), (Role::Finance, 2));

    assert_eq!(invalid(invitations::accept(&control, &token, "  ", &secret()).await), "name");
    let short = "short".to_owned().into();
    assert_eq!(invalid(invitations::accept(&control, &token, "Ada", &short).await), "password");
    let joined = invitations::accept(&control, &token, " Ada Lovelace ", &secret()).await.unwrap();
    assert_eq!(
        (joined.tenant, joined.slug.as_str(), joined.user_name.as_str()),
        (world.tenant.tenant, "acme", "Ada Lovelace")
    );
    assert_eq!(epoch(&world).await, before + 1);
    let people = sign_in::sign_in(&control, "ada@example.com", &secret(), None).await.unwrap();
    assert_eq!((people[0].user, people[0].stamp.clone()), (joined.user, joined.stamp));
    let story = people::person(&control, &owner, joined.user).await.unwrap();
    assert_eq!(
        (story.home.1.as_str(), story.roles[0].role, story.roles[0].given_by.as_str()),
        ("Sales", Role::Finance, "Olga Owner")
    );

    // Once is once; whoever opens the link again is told that they are in.
    not_there(invitations::accept(&control, &token, "Ada", &secret()).await);
    assert!(matches!(invitations::opened(&control, &token).await.unwrap(), Standing::Here { .. }));
    assert_eq!(invitations::waiting(&control, &owner).await.unwrap(), 1);
    let audit = audit(&world).await;
    for action in [
        "invitation.send: ada@example.com",
        "user.create: Ada Lovelace",
        "invitation.accept: ada@example.com",
    ] {
        assert!(audit.contains(&format!("user Olga Owner {action}")), "{action}: {audit:?}");
    }
}

#[tokio::test]
async fn a_list_is_sent_whole_or_not_at_all_and_mistakes_are_told_by_line() {
    let world = TestWorld::new().await;
    let (control, unit) = (sending(&world), world.tenant.unit);
    invited(&world, &world.operator, "waits@example.com", Role::Member).await;
    let list = "new@example.com\nowner@acme.example\nWAITS@example.com";
    let Invited::Wrong(lines) =
        invitations::invite(&control, &world.operator, list, unit, Role::Member).await.unwrap()
    else {
        panic!()
    };
    let said: Vec<_> = lines.iter().map(|it| format!("{} {}", it.line, it.sentence)).collect();
    assert_eq!(
        said,
        [
            "2 is here already: “Olga Owner”",
            "3 was invited and has not come yet: send it again from the list"
        ]
    );
    assert_eq!(invitations::waiting(&control, &world.operator).await.unwrap(), 1, "nobody of the list");
    assert_eq!(
        invalid(invitations::invite(&control, &world.operator, " \n", unit, Role::Member).await),
        "emails"
    );
    // Who was removed can be invited again; an invitation that has run out makes room for another.
    let ada = user(&world, "Ada", None).await;
    users::remove(&control, &world.operator, ada, users::Agents::Stop).await.unwrap();
    invited(&world, &world.operator, "ada@acme.example", Role::Member).await;
    world.clock.as_ref().unwrap().advance(std::time::Duration::from_secs(8 * 24 * 3600));
    invited(&world, &world.operator, "waits@example.com", Role::Member).await;
    assert_eq!(invitations::waiting(&control, &world.operator).await.unwrap(), 2);
}

#[tokio::test]
async fn a_link_is_good_for_seven_days_and_only_the_newest_one() {
    let world = TestWorld::new().await;
    let control = sending(&world);
    let first = invited(&world, &world.operator, "ada@example.com", Role::Member).await;
    let id = line(&world).await.id;
    invitations::resend(&control, &world.operator, id).await.unwrap();
    let second = token_of(&control, "ada@example.com").await;
    assert_ne!(first, second);
    assert_eq!(invitations::opened(&control, &first).await.unwrap(), Standing::Unknown);
    not_there(invitations::accept(&control, &first, "Ada", &secret()).await);
    let clock = world.clock.as_ref().unwrap();
    clock.advance((invitations::LASTS - TimeDelta::seconds(1)).to_std().unwrap());
    assert!(is_open(&invitations::opened(&control, &second).await.unwrap()));
    clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(invitations::opened(&control, &second).await.unwrap(), Standing::Over);
    not_there(invitations::accept(&control, &second, "Ada", &secret()).await);
    // It stands in the list until it is sent again or withdrawn.
    invitations::resend(&control, &world.operator, id).await.unwrap();
    let third = token_of(&control, "ada@example.com").await;
    assert!(is_open(&invitations::opened(&control, &third).await.unwrap()));
    invitations::withdraw(&control, &world.operator, id).await.unwrap();
    assert_eq!(invitations::opened(&control, &third).await.unwrap(), Standing::Over);
    not_there(invitations::accept(&control, &third, "Ada", &secret()).await);
    not_there(invitations::withdraw(&control, &world.operator, id).await);
    not_there(invitations::resend(&control, &world.operator, id).await);
    for nonsense in ["", "x", &"0".repeat(64), &"ä".repeat(32)] {
        assert_eq!(invitations::opened(&control, nonsense).await.unwrap(), Standing::Unknown);
    }
}

#[tokio::test]
async fn an_invitation_gives_what_its_sender_may_still_give() {
    let world = TestWorld::new().await;
    let control = sending(&world);
    let admin = with_role(&world, "Adam", Role::Admin).await;
    let auditor = with_role(&world, "Audrey", Role::Auditor).await;
    let unit = world.tenant.unit;
    not_there(invitations::invite(&control, &auditor, "x@example.com", unit, Role::Member).await);
    not_there(invitations::invite(&control, &admin, "x@example.com", unit, Role::Owner).await);
    not_there(invitations::list(&control, &auditor, 0).await);
    let owner = signed_in(&world, world.tenant.owner).await;
    invited(&world, &owner, "owner2@example.com", Role::Owner).await;
    let id = line(&world).await.id;
    not_there(invitations::resend(&control, &admin, id).await);
    not_there(invitations::withdraw(&control, &auditor, id).await);

    // Without the role that it was sent with, it waits; with the person who sent it, it is gone.
    let token = invited(&world, &admin, "ada@example.com", Role::Admin).await;
    users::take_role(&control, &owner, admin.user_id().unwrap(), Role::Admin, None).await.unwrap();
    assert_eq!(invitations::opened(&control, &token).await.unwrap(), Standing::Over);
    not_there(invitations::accept(&control, &token, "Ada", &secret()).await);
    users::give_role(&control, &owner, admin.user_id().unwrap(), Role::Admin, None).await.unwrap();
    assert!(is_open(&invitations::opened(&control, &token).await.unwrap()));
    users::suspend(&control, &owner, admin.user_id().unwrap()).await.unwrap();
    not_there(invitations::accept(&control, &token, "Ada", &secret()).await);
    users::resume(&control, &owner, admin.user_id().unwrap()).await.unwrap();
    assert_eq!(users::parting(&control, &owner, admin.user_id().unwrap()).await.unwrap().invitations, 1);
    users::remove(&control, &owner, admin.user_id().unwrap(), users::Agents::Stop).await.unwrap();
    assert_eq!(invitations::opened(&control, &token).await.unwrap(), Standing::Over);
    assert_eq!(invitations::waiting(&control, &owner).await.unwrap(), 1, "the owner's own");
}

#[tokio::test]
async fn what_happens_meanwhile_is_told() {
    let world = TestWorld::new().await;
    let control = sending(&world);
    // An account was made at the command line.
    let token = invited(&world, &world.operator, "ada@acme.example", Role::Member).await;
    user(&world, "Ada", None).await;
    assert!(matches!(invitations::opened(&control, &token).await.unwrap(), Standing::Here { .. }));
    not_there(invitations::accept(&control, &token, "Ada", &secret()).await);
    // The unit was archived, and with it what led there.
    let new = NewUnit { parent: None, kind: UnitKind::Team, name: "Sales".to_owned() };
    let sales = units::create(&control, &world.operator, new).await.unwrap();
    invitations::invite(&control, &world.operator, "bob@example.com", sales, Role::Member).await.unwrap();
    let token = token_of(&control, "bob@example.com").await;
    assert_eq!(units::archiving(&control, &world.operator, sales).await.unwrap().invitations, 1);
    units::archive(&control, &world.operator, sales).await.unwrap();
    assert_eq!(invitations::opened(&control, &token).await.unwrap(), Standing::Over);
    // The organization was suspended.
    let token = invited(&world, &world.operator, "cyd@example.com", Role::Member).await;
    control::tenants::suspend(&control, &world.operator).await.unwrap();
    assert_eq!(invitations::opened(&control, &token).await.unwrap(), Standing::Over);
    control::tenants::resume(&control, &world.operator).await.unwrap();
    assert!(is_open(&invitations::opened(&control, &token).await.unwrap()));
}

#[tokio::test]
async fn of_many_who_join_by_one_link_at_once_one_does() {
    let world = TestWorld::in_real_time().await;
    let token = invited(&world, &world.operator, "ada@example.com", Role::Member).await;
    let mut joining = Vec::new();
    for n in 0..4 {
        let (control, token) = (world.control.clone(), token.clone());
        joining.push(tokio::spawn(async move {
            invitations::accept(&control, &token, &format!("Ada {n}"), &secret()).await.is_ok()
        }));
    }
    let mut joined = 0;
    for one in joining {
        joined += usize::from(one.await.unwrap());
    }
    assert_eq!(joined, 1);
}

#[tokio::test]
async fn invitations_of_another_organization_are_not_there() {
    let world = TestWorld::new().await;
    let control = sending(&world);
    let (other, stranger) = world.another_tenant("other").await;
    invited(&world, &world.operator, "ada@example.com", Role::Member).await;
    let id = line(&world).await.id;
    not_there(invitations::resend(&control, &stranger, id).await);
    not_there(invitations::withdraw(&control, &stranger, id).await);
    assert!(invitations::list(&control, &stranger, 0).await.unwrap().0.is_empty());
    not_there(
        invitations::invite(&control, &world.operator, "x@example.com", other.unit, Role::Member).await,
    );
    // The same address can be invited by both.
    invitations::invite(&control, &stranger, "ada@example.com", other.unit, Role::Member).await.unwrap();
    let token = token_of(&control, "ada@example.com").await;
    let joined = invitations::accept(&control, &token, "Ada", &secret()).await.unwrap();
    assert_eq!(joined.tenant, other.tenant);
}

#[tokio::test]
async fn an_organization_that_names_its_domains_invites_nobody_else() {
    let world = TestWorld::new().await;
    let (control, owner) = (sending(&world), signed_in(&world, world.tenant.owner).await);
    let rules = control::settings::get(&control, &owner).await.unwrap().sign_in;
    let rules = control::settings::SignInRules { invited_domains: vec!["acme.example".into()], ..rules };
    control::settings::set_sign_in(&control, &owner, &rules).await.unwrap();
    let list = "ada@acme.example\nbob@elsewhere.example";
    let sent = invitations::invite(&control, &owner, list, world.tenant.unit, Role::Member).await.unwrap();
    let Invited::Wrong(lines) = sent else { panic!("{sent:?}") };
    assert_eq!((lines.len(), lines[0].line), (1, 2));
    assert!(lines[0].sentence.starts_with("may not be invited: "), "{}", lines[0].sentence);
    invited(&world, &owner, "ada@acme.example", Role::Member).await;
}
