//! Every verb of people, agents, catalog, grants and activity, tried by every role. What comes of it is
//! `who_may.txt`; a change there is a change of who may do what.

use std::fmt::Write as _;
use std::time::Duration;

use crate::issuer::nowhere;
use crate::outside::{signed_in, user};
use control::access::{self, Subject, Wanted};
use control::activity::{self, Filter, Page};
use control::agents::{self, NewAgent};
use control::bundles::{self, NewBundle};
use control::credentials::{self, NewCredential};
use control::modules::{self, NewModule, connections};
use control::revocations::{self, Target};
use control::units::{self, NewUnit};
use control::users::{self, NewUser};
use control::{Actor, Error, account, crm, grants, invitations, limits, people, settings, tenants};
use model::access::Grantee;
use model::catalog::Naming;
use model::crm::{Company, Records};
use model::limit::{Allowance, OfWhat, Per, Scope, Whose};
use model::people::{Role, UnitKind};
use model::{AgentId, Currency, Money};
use testkit::TestWorld;

fn further(agent: AgentId) -> NewCredential {
    NewCredential {
        agent,
        name: "new".to_owned(),
        expires_at: None,
        allowed_addresses: Vec::new(),
        on_behalf_of: None,
    }
}

/// Tries everything once, in a world where each of it could be done. What may not be done is as if it were
/// not there.
async fn tried(world: &TestWorld, actor: &Actor) -> Vec<(&'static str, bool)> {
    let (control, operator) = (&world.control, &world.operator);
    let ada = user(world, "Ada", Some(Role::Member)).await;
    let (agent, _) = world.agent("Helper").await;
    let unit = NewUnit { parent: None, kind: UnitKind::Team, name: "Sales".to_owned() };
    let unit = units::create(control, operator, unit).await.unwrap();
    let keys = credentials::list(control, operator, Some(agent)).await.unwrap();
    let key = keys[0].view.id;
    let notes = modules::find(control, operator, "notes").await.unwrap();
    let (module, tool) = (notes.view.id, notes.tools[0].id);
    let grant = world.grant("notes", Grantee::User(ada)).await;
    let secret = "Bearer secret".to_owned().into();
    let permission = "notes:read".parse().unwrap();
    let password = "a long enough password".to_owned().into();
    let page = Page::Newest;

    let mut tried = Vec::new();
    fn add<T>(tried: &mut Vec<(&'static str, bool)>, verb: &'static str, result: Result<T, Error>) {
        tried.push((verb, !matches!(result, Err(Error::NotFound { .. }))));
    }
    macro_rules! attempt {
        ($verb:literal, $result:expr) => {
            add(&mut tried, $verb, $result.await)
        };
    }
    attempt!("tenant.suspend", tenants::suspend(control, actor));
    tenants::resume(control, operator).await.ok();
    attempt!("unit.list", units::list(control, actor));
    let new = NewUnit { parent: None, kind: UnitKind::Team, name: "New".to_owned() };
    attempt!("unit.create", units::create(control, actor, new));
    attempt!("unit.rename", units::rename(control, actor, unit, "Other"));
    let spare = NewUnit { parent: None, kind: UnitKind::Team, name: "Spare".to_owned() };
    let spare = units::create(control, operator, spare).await.unwrap();
    attempt!("unit.tree", people::tree(control, actor));
    attempt!("unit.read", people::unit(control, actor, spare));
    attempt!("unit.moving", units::moving(control, actor, spare, Some(unit)));
    attempt!("unit.move", units::move_to(control, actor, spare, Some(unit)));
    attempt!("unit.archiving", units::archiving(control, actor, spare));
    attempt!("unit.archive empty", units::archive(control, actor, spare));
    attempt!("user.list", users::list(control, actor));
    attempt!("user.read", people::person(control, actor, ada));
    attempt!("user.list own", people::people(control, actor, &people::Sought::default()));
    attempt!("session.list", account::sessions(control, actor, ada));
    attempt!("session.list owner", account::sessions(control, actor, world.tenant.owner));
    attempt!("session.end", account::end_sessions(control, actor, ada, None));
    attempt!("session.end owner", account::end_sessions(control, actor, world.tenant.owner, None));
    attempt!("account.read own", account::own(control, actor));
    attempt!("account.change own", account::change(control, actor, "Tess", None));
    let sending = control.clone().sending_mail();
    let member = Role::Member;
    attempt!("invitation.send", invitations::invite(&sending, actor, "x@example.com", unit, member));
    attempt!(
        "invitation.send owner",
        invitations::invite(&sending, actor, "o@example.com", unit, Role::Owner)
    );
    attempt!("invitation.list", invitations::list(control, actor, 0));
    invitations::invite(&sending, operator, "y@example.com", unit, member).await.unwrap();
    let waiting = invitations::list(control, operator, 0).await.unwrap().0;
    let waiting = waiting.iter().find(|it| it.email == "y@example.com").unwrap().id;
    attempt!("invitation.resend", invitations::resend(&sending, actor, waiting));
    attempt!("invitation.withdraw", invitations::withdraw(control, actor, waiting));
    attempt!("user.parting", users::parting(control, actor, ada));
    attempt!("user.parting owner", users::parting(control, actor, world.tenant.owner));
    let bob = user(world, "Bob", Some(Role::Member)).await;
    attempt!("user.remove", users::remove(control, actor, bob, users::Agents::Stop));
    let second = user(world, "Second", Some(Role::Owner)).await;
    attempt!("user.remove owner", users::remove(control, actor, second, users::Agents::Stop));
    let new = |role| NewUser {
        email: format!("new{}@acme.example", u8::from(role == Some(Role::Owner))),
        name: "New".to_owned(),
        home_unit: unit,
        password: None,
        role,
    };
    attempt!("user.create", users::create(control, actor, new(None)));
    attempt!("user.create owner", users::create(control, actor, new(Some(Role::Owner))));
    attempt!("user.suspend", users::suspend(control, actor, ada));
    attempt!("user.resume", users::resume(control, actor, ada));
    attempt!("user.suspend owner", users::suspend(control, actor, world.tenant.owner));
    users::resume(control, operator, world.tenant.owner).await.ok();
    attempt!("user.set_password", users::set_password(control, actor, ada, &password));
    attempt!("user.set_password owner", users::set_password(control, actor, world.tenant.owner, &password));
    attempt!("user.move", users::move_to(control, actor, ada, unit));
    attempt!("user.join_unit", users::join_unit(control, actor, ada, world.tenant.unit));
    users::join_unit(control, operator, ada, world.tenant.unit).await.ok();
    attempt!("user.leave_unit", users::leave_unit(control, actor, ada, world.tenant.unit));
    attempt!("role.give", users::give_role(control, actor, ada, Role::Finance, None));
    attempt!("role.give owner", users::give_role(control, actor, ada, Role::Owner, None));
    attempt!("role.take", users::take_role(control, actor, ada, Role::Member, None));
    attempt!("role.take owner", users::take_role(control, actor, world.tenant.owner, Role::Owner, None));
    attempt!("unit.archive", units::archive(control, actor, unit));
    attempt!("agent.list of others", async {
        let agents = agents::list(control, actor).await?;
        let found = agents.into_iter().find(|found| found.id == agent);
        found.ok_or(Error::NotFound { what: "agent".to_owned() })
    });
    let new = NewAgent { name: "New".to_owned(), owner: ada, home_unit: world.tenant.unit };
    attempt!("agent.create", agents::create(control, actor, new));
    attempt!("agent.suspend", agents::suspend(control, actor, agent));
    attempt!("agent.resume", agents::resume(control, actor, agent));
    attempt!("agent.story", agents::story(control, actor, agent));
    attempt!("agent.move", agents::move_to(control, actor, agent, world.tenant.unit));
    attempt!("agent.if_moved", agents::if_moved(control, actor, agent, world.tenant.unit));
    attempt!("agent.rename", agents::rename(control, actor, agent, "Other"));
    attempt!("agent.hand_over", agents::hand_over(control, actor, agent, ada));
    attempt!("access.of an agent", access::of(control, actor, Subject::Agent(agent), &Wanted::default()));
    attempt!("access.of a person", access::of(control, actor, Subject::Person(ada), &Wanted::default()));
    attempt!("access.rights", access::rights(control, actor, Subject::Agent(agent)));
    attempt!("access.faces", access::faces(control, actor, agent));
    attempt!("credential.issue", credentials::issue(control, actor, further(agent)));
    attempt!("credential.rotate", credentials::rotate(control, actor, key, Duration::ZERO));
    attempt!("credential.revoke", credentials::revoke(control, actor, key));
    attempt!("consequence, an agent", revocations::consequence(control, actor, Target::Agent(agent)));
    attempt!("consequence, a person", revocations::consequence(control, actor, Target::Person(ada)));
    let another = credentials::issue(control, operator, further(agent)).await.unwrap().view.id;
    attempt!("revocation of a key", revocations::revoke_now(control, actor, Target::Key(another)));
    attempt!("revocation of an agent", revocations::revoke_now(control, actor, Target::Agent(agent)));
    attempt!("revocation of a person", revocations::revoke_now(control, actor, Target::Person(ada)));
    users::resume(control, operator, ada).await.ok();
    let owner = Target::Person(world.tenant.owner);
    attempt!("revocation of an owner", revocations::revoke_now(control, actor, owner));
    users::resume(control, operator, world.tenant.owner).await.ok();
    credentials::issue(control, operator, further(agent)).await.unwrap();
    let event = revocations::revoke_now(control, operator, Target::Agent(agent)).await.unwrap();
    attempt!("revocation.story", revocations::story(control, actor, event));
    attempt!("bundle.list", bundles::list(control, actor));
    let desk =
        |name: &str| NewBundle { name: name.to_owned(), title: "Desk".to_owned(), naming: Naming::Plain };
    attempt!("bundle.create", bundles::create(control, actor, desk("desk")));
    bundles::create(control, operator, desk("other")).await.unwrap();
    attempt!("bundle.read", bundles::page(control, actor, "other"));
    attempt!("bundle.describe", bundles::describe(control, actor, "other", "Other", Naming::Full));
    attempt!("bundle.add", bundles::add(control, actor, "other", &[tool]));
    bundles::add(control, operator, "other", &[tool]).await.unwrap();
    attempt!("bundle.rename_tool", bundles::rename(control, actor, "other", tool, "renamed"));
    attempt!("bundle.remove", bundles::remove(control, actor, "other", &[tool]));
    attempt!("bundle.delete", bundles::delete(control, actor, "other"));
    attempt!("tool.set_timeouts", modules::set_timeouts(control, actor, tool, Default::default()));
    attempt!("limit.list", limits::list(control, actor, limits::About::Everything));
    attempt!("limit.choices", limits::choices(control, actor, Some(agent), Some(tool)));
    let scope = Scope { whose: Whose::Agent(agent), what: OfWhat::Everything, each_agent: false };
    attempt!("limit.set", limits::set(control, actor, scope, Allowance::new(9, Per::Day)));
    let limit = limits::set(control, operator, scope, Allowance::new(9, Per::Hour)).await.unwrap();
    attempt!("limit.read", limits::one(control, actor, limit));
    attempt!("limit.change", limits::change(control, actor, limit, Allowance::new(8, Per::Hour)));
    attempt!("limit.remove", limits::remove(control, actor, limit));
    attempt!("module.list", modules::list(control, actor));
    let new = NewModule {
        name: "new".to_owned(),
        title: "New".to_owned(),
        url: "https://new.example/mcp".to_owned(),
        owner: None,
        authorization: None,
    };
    attempt!("module.add", modules::add_mcp(control, actor, new, Vec::new()));
    attempt!("module.enable", modules::enable_native(control, actor, "crm", None));
    attempt!("module.rediscover", modules::rediscover(control, actor, module, Vec::new()));
    attempt!("module.switch_off", modules::switch_off(control, actor, module));
    attempt!("module.switch_on", modules::switch_on(control, actor, module));
    attempt!("tool.approve", modules::approve_tool(control, actor, tool, None));
    attempt!("tool.approve all", modules::approve_all(control, actor, module));
    attempt!("tool.withdraw", modules::withdraw_tool(control, actor, tool));
    attempt!("tool.set_price", modules::set_price(control, actor, tool, Money::zero(Currency::EUR)));
    attempt!("connection.set", connections::set(control, actor, &nowhere(), module, &secret));
    connections::set(control, operator, &nowhere(), module, &secret).await.unwrap();
    attempt!("connection.revoke", connections::revoke(control, actor, &nowhere(), module));
    attempt!("grant.list", grants::list(control, actor));
    attempt!("grant.give", grants::give(control, actor, &permission, Grantee::Agent(agent), None));
    grants::give(control, operator, &permission, Grantee::Agent(agent), None).await.ok();
    attempt!("grant.revoke key", grants::revoke_key(control, actor, &permission, Grantee::Agent(agent)));
    attempt!("grant.revoke", grants::revoke(control, actor, grant));
    let give = grants::change::Give { key: permission.clone(), grantee: Grantee::Agent(agent), until: None };
    let change = grants::change::Change { gives: vec![give], revokes: vec![] };
    attempt!("grant.preview", grants::preview::preview(control, actor, change.clone()));
    attempt!("grant.change", grants::change::change(control, actor, change, None));
    attempt!("grant.cell", grants::matrix::cell(control, actor, &permission, Grantee::Agent(agent)));
    attempt!("agent.retire", agents::retire(control, actor, agent));
    modules::enable_native(control, operator, "crm", None).await.ok();
    let company = crm_record("Acme");
    let id = crm::create::<Company>(control, operator, company).await.unwrap();
    attempt!("crm.list", crm::list::<Company>(control, actor, &crm::Filter::default(), 0, 1));
    attempt!("crm.find", crm::find::<Company>(control, actor, id));
    attempt!("crm.create", crm::create::<Company>(control, actor, crm_record("New")));
    attempt!("crm.update", crm::update::<Company>(control, actor, id, crm_record("Other")));
    attempt!("crm.export", crm::sheets::export::<Company>(control, actor, crm::Filter::default()));
    attempt!("crm.template", crm::sheets::template(control, actor, Records::Companies));
    attempt!("crm.consequence", crm::consequence::<Company>(control, actor, id));
    attempt!("crm.delete", crm::delete::<Company>(control, actor, id));
    attempt!("settings.read", settings::get(control, actor));
    let zone = model::Zone::UTC;
    attempt!(
        "settings.organization",
        settings::set_organization(control, actor, "Acme", Currency::EUR, zone)
    );
    let rules = settings::SignInRules {
        sessions: settings::SessionRules::default(),
        shortest_password: 12,
        invited_domains: Vec::new(),
    };
    attempt!("settings.sign_in", settings::set_sign_in(control, actor, &rules));
    attempt!("settings.mail_sender", settings::set_sender(control, actor, &settings::MailSender::default()));
    attempt!("settings.sessions", account::all_sessions(control, actor, None, 0));
    let record = settings::RecordFilter::default();
    attempt!("settings.record", settings::list(control, actor, &record, None, 1));
    attempt!("settings.record export", settings::export(control, actor, record));
    attempt!("agents.stop_all", settings::stop_agents(control, actor));
    attempt!("agents.resume_all", settings::resume_agents(control, actor));
    attempt!("tenant.closing", settings::closing(control, actor));
    attempt!("tenant.close", settings::close(control, actor, "not its name"));
    attempt!("activity.list own", activity::list(control, actor, &Filter::default(), page, 1));
    attempt!("activity.rejections", activity::rejections(control, actor, 1));
    tried
}

fn crm_record(name: &str) -> crm::Given {
    crm::Given::from([("name".to_owned(), name.to_owned())])
}

#[tokio::test]
async fn who_may_do_what_is_as_written() {
    let mut columns: Vec<(String, Vec<(&'static str, bool)>)> = Vec::new();
    for role in Role::ALL {
        let world = TestWorld::new().await;
        let person = user(&world, "Tess", Some(*role)).await;
        let actor = signed_in(&world, person).await;
        columns.push((role.to_string(), tried(&world, &actor).await));
    }
    let world = TestWorld::new().await;
    let person = user(&world, "Tess", None).await;
    users::give_role(&world.control, &world.operator, person, Role::Admin, Some(world.tenant.unit))
        .await
        .unwrap();
    let actor = signed_in(&world, person).await;
    columns.push(("admin of a unit".to_owned(), tried(&world, &actor).await));
    let world = TestWorld::new().await;
    let (_, stranger) = world.another_tenant("other").await;
    columns.push(("operator elsewhere".to_owned(), tried(&world, &stranger).await));
    let world = TestWorld::new().await;
    columns.push(("operator".to_owned(), tried(&world, &world.operator).await));

    let mut table = format!("{:<26}", "");
    for (name, _) in &columns {
        write!(table, "  {name}").unwrap();
    }
    for (row, (verb, _)) in columns[0].1.iter().enumerate() {
        write!(table, "\n{verb:<26}").unwrap();
        for (name, tried) in &columns {
            assert_eq!(tried[row].0, *verb);
            let answer = if tried[row].1 { "may" } else { "-" };
            write!(table, "  {answer:<width$}", width = name.len()).unwrap();
        }
        table.truncate(table.trim_end().len());
    }
    table.push('\n');
    let written = include_str!("who_may.txt");
    if table != written {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("who_may.txt");
        std::fs::write(&path, &table).unwrap();
        panic!(
            "who may do what has changed; if that is meant, copy {} over tests/control/who_may.txt\n{table}",
            path.display()
        );
    }
}
