//! Looking at a test's database from outside, as its owner.

use control::actor::HeldRole;
use control::users::NewUser;
use control::{Actor, Error};
use model::UserId;
use model::people::Role;
use testkit::TestWorld;

/// Every audit event of the first tenant, in order: who did what to which thing.
pub async fn audit(world: &TestWorld) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT format('%s %s %s: %s', actor_kind, actor_name, action, subject_name) FROM audit_events
         WHERE tenant_id = $1 ORDER BY ctid",
    )
    .bind(world.tenant.tenant.uuid())
    .fetch_all(&mut world.database.owner().await)
    .await
    .unwrap()
}

/// How often the first tenant's epoch has moved.
pub async fn epoch(world: &TestWorld) -> i64 {
    sqlx::query_scalar("SELECT epoch FROM gates WHERE tenant_id = $1")
        .bind(world.tenant.tenant.uuid())
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap()
}

/// A person in the first unit.
pub async fn user(world: &TestWorld, name: &str, role: Option<Role>) -> UserId {
    let new = NewUser {
        email: format!("{}@acme.example", name.to_lowercase()),
        name: name.to_owned(),
        home_unit: world.tenant.unit,
        password: None,
        role,
    };
    control::users::create(&world.control, &world.operator, new).await.unwrap()
}

/// That person, signed in.
pub async fn signed_in(world: &TestWorld, user: UserId) -> Actor {
    control::sign_in::actor(&world.control, world.tenant.tenant, user).await.unwrap().unwrap()
}

/// A person of a role, signed in.
pub async fn with_role(world: &TestWorld, name: &str, role: Role) -> Actor {
    let user = user(world, name, Some(role)).await;
    let actor = signed_in(world, user).await;
    assert_eq!(actor.roles(), [HeldRole { role, unit: None }]);
    actor
}

/// The stable code of a refusal.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> &'static str {
    match result {
        Err(Error::Refused { code, .. }) => code,
        other => panic!("a refusal was expected, and not {other:?}"),
    }
}

/// Makes sure that it is as if there were nothing there.
#[track_caller]
pub fn not_there<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
}

/// The field that is wrong.
#[track_caller]
pub fn invalid<T: std::fmt::Debug>(result: Result<T, Error>) -> &'static str {
    match result {
        Err(Error::Invalid { field, .. }) => field,
        other => panic!("something invalid was expected, and not {other:?}"),
    }
}
