//! Modules that are connected by OAuth: the way there and back, what is kept, and how it is renewed.

use std::sync::Arc;
use std::time::Duration;

use authorization::{Challenge, Scopes};
use control::modules::connecting::{self, Asked as Asking, Back, Given, NotBack, Sent, Target, Trouble};
use control::modules::drafts::{self, Told};
use control::modules::tokens::{self, MUST_CONNECT, TokenView};
use control::modules::{self, Asked, NewModule, connections};
use control::{Actor, Control, Error};
use model::people::Role;
use model::{ConnectionId, ModuleId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use testkit::TestWorld;

use crate::issuer::{ISSUER, Issuer, MCP, application, way};
use crate::outside::{audit, epoch, not_there, refused, with_role};

pub(crate) const SESSION: &str = "session-1";

pub(crate) struct Scene {
    pub(crate) world: TestWorld,
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) olga: Actor,
    pub(crate) module: ModuleId,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let world = TestWorld::new().await;
        let olga = with_role(&world, "Olga", Role::Owner).await;
        let module = modules::add_mcp(&world.control, &world.operator, drive(), vec![]).await.unwrap().module;
        Self { issuer: Arc::default(), world, olga, module }
    }

    pub(crate) async fn connected() -> (Self, ConnectionId) {
        let scene = Self::new().await;
        scene.connect(None).await;
        let connection = scene.connection().await.unwrap();
        (scene, connection)
    }

    pub(crate) async fn begin(
        &self,
        actor: &Actor,
        target: Target,
        challenge: Option<&Challenge>,
    ) -> Result<Sent, Trouble> {
        self.begin_as(actor, target, challenge, (None, false)).await
    }

    /// As a client that was registered by hand, or as one that has not connected anything yet.
    pub(crate) async fn begin_as(
        &self,
        actor: &Actor,
        target: Target,
        challenge: Option<&Challenge>,
        (given, anew): (Option<Given>, bool),
    ) -> Result<Sent, Trouble> {
        let application = application();
        let asked = Asking { target, session: SESSION, application: &application, challenge, given, anew };
        connecting::begin(&self.world.control, actor, &way(&self.issuer), asked).await
    }

    pub(crate) async fn back(&self, actor: &Actor, session: &str, query: &str) -> Result<Back, NotBack> {
        connecting::come_back(&self.world.control, actor, session, &way(&self.issuer), query).await
    }

    pub(crate) async fn connect(&self, challenge: Option<&Challenge>) -> Sent {
        let sent = self.begin(&self.olga, Target::Module(self.module), challenge).await.unwrap();
        self.back(&self.olga, SESSION, &answer(&sent)).await.unwrap();
        sent
    }

    pub(crate) async fn connection(&self) -> Option<ConnectionId> {
        modules::find(&self.world.control, &self.world.operator, "drive").await.unwrap().connection
    }

    pub(crate) async fn view(&self) -> Option<TokenView> {
        let asked = Asked::default();
        modules::module_page(&self.world.control, &self.olga, "drive", &asked).await.unwrap().token
    }

    pub(crate) async fn present(
        &self,
        control: &Control,
        connection: ConnectionId,
    ) -> Result<connections::Presented, Error> {
        let tenant = self.world.tenant.tenant;
        connections::authorization(control, &way(&self.issuer), tenant, connection).await
    }

    pub(crate) async fn presented(&self, connection: ConnectionId) -> String {
        self.present(&self.world.control, connection).await.unwrap().secret.expose_secret().to_owned()
    }

    pub(crate) async fn refused(
        &self,
        connection: ConnectionId,
        presented: &str,
        challenge: Challenge,
    ) -> Result<Option<String>, Error> {
        let presented = SecretString::from(presented.to_owned());
        let tenant = self.world.tenant.tenant;
        let other = tokens::refused(
            &self.world.control,
            &way(&self.issuer),
            tenant,
            connection,
            &presented,
            &challenge,
        )
        .await;
        Ok(other?.map(|other| other.expose_secret().to_owned()))
    }

    /// Whether Home says that the module must be connected again.
    pub(crate) async fn needs(&self) -> bool {
        let needs = control::home::needs(&self.world.control, &self.olga).await.unwrap();
        needs.all.iter().any(
            |(need, _)| matches!(need, control::home::Need::MustConnect { module, .. } if module == "drive"),
        )
    }

    /// Changes what is in the row of the token.
    pub(crate) async fn row(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&mut self.world.database.owner().await).await.unwrap();
    }

    /// As if the time were over for which what could not be renewed is left alone.
    pub(crate) async fn rested(&self) {
        self.row("UPDATE connection_tokens SET rests_until = NULL").await;
    }

    /// How often it was asked to renew.
    pub(crate) fn renewals(&self) -> usize {
        self.issuer.asked.lock().iter().filter(|asked| asked["grant_type"] == "refresh_token").count()
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.world.clock.as_ref().unwrap().advance(Duration::from_secs(seconds));
    }
}

pub(crate) fn drive() -> NewModule {
    NewModule {
        name: "drive".to_owned(),
        title: "Drive".to_owned(),
        url: MCP.to_owned(),
        owner: None,
        authorization: None,
    }
}

/// The query with which somebody comes back who agreed.
pub(crate) fn answer(sent: &Sent) -> String {
    let (_, state) = sent.url.query_pairs().find(|(name, _)| name == "state").unwrap();
    format!("code=c&state={state}")
}

pub(crate) fn code(error: &NotBack) -> &'static str {
    match &error.why {
        Trouble::Authorization(error) => error.code(),
        Trouble::Control(Error::NotFound { .. }) => "not_found",
        Trouble::Control(Error::Refused { code, .. }) => code,
        Trouble::Control(error) => panic!("{error}"),
    }
}

pub(crate) fn invalid_token() -> Challenge {
    Challenge { error: Some("invalid_token".to_owned()), ..Challenge::default() }
}

#[tokio::test]
async fn a_module_is_connected_and_what_was_given_is_sealed() {
    let scene = Scene::new().await;
    let before = epoch(&scene.world).await;
    let sent = scene.connect(None).await;
    assert_eq!(
        (sent.issuer.as_str(), sent.client.as_str(), sent.scopes.to_string().as_str()),
        (ISSUER, "client-1", "files")
    );
    assert_eq!(epoch(&scene.world).await, before + 1);
    let connection = scene.connection().await.unwrap();
    assert_eq!(scene.presented(connection).await, "Bearer token-1");
    let view = scene.view().await.unwrap();
    assert_eq!(
        (view.issuer.as_str(), view.client.as_str(), view.connected_by.as_str()),
        (ISSUER, "client-1", "Olga")
    );
    assert_eq!((view.over, view.renewable, view.wanted.is_empty()), (None, true, true));
    assert!(audit(&scene.world).await.contains(&"user Olga connection.connect: Drive".to_owned()));
    // Nothing of it can be read in the database.
    let stored: Vec<u8> = sqlx::query_scalar(
        "SELECT (SELECT string_agg(sealed, '') FROM connection_tokens) || (SELECT string_agg(sealed, '') FROM authorization_clients)",
    )
    .fetch_one(&mut scene.world.database.owner().await)
    .await
    .unwrap();
    let stored = String::from_utf8_lossy(&stored);
    assert!(!stored.contains("token-1") && !stored.contains("refresh-1") && !stored.contains("their-secret"));
    // Another organization has nothing of it.
    let (other, _) = scene.world.another_tenant("other").await;
    not_there(
        connections::authorization(&scene.world.control, &way(&scene.issuer), other.tenant, connection)
            .await
            .map(|_| ()),
    );
    // What was registered once is used again, and what was presented before is not any more.
    assert_eq!(scene.connect(None).await.client, "client-1");
    assert_eq!(scene.presented(scene.connection().await.unwrap()).await, "Bearer token-2");
    not_there(scene.present(&scene.world.control, connection).await.map(|_| ()));
    connections::revoke(&scene.world.control, &scene.olga, &way(&scene.issuer), scene.module).await.unwrap();
    assert_eq!(scene.view().await, None);
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM connection_tokens")
        .fetch_one(&mut scene.world.database.owner().await)
        .await
        .unwrap();
    assert_eq!(kept, 0, "what is not presented any more is not kept");
}

#[tokio::test]
async fn who_comes_back_is_who_was_sent_once_and_soon() {
    let scene = Scene::new().await;
    let ada = with_role(&scene.world, "Ada", Role::Admin).await;
    let target = Target::Module(scene.module);
    let sent = scene.begin(&scene.olga, target, None).await.unwrap();
    for (actor, session, query) in [
        (&scene.olga, "session-2", answer(&sent)),
        (&ada, SESSION, answer(&sent)),
        (&scene.olga, SESSION, "code=c".to_owned()),
        (&scene.olga, SESSION, "code=c&state=other".to_owned()),
    ] {
        let error = scene.back(actor, session, &query).await.unwrap_err();
        assert_eq!(code(&error), "authorization_other_state", "{query}");
    }
    // Declined: used up all the same.
    let state = answer(&sent).replace("code=c", "error=access_denied");
    let error = scene.back(&scene.olga, SESSION, &state).await.unwrap_err();
    assert_eq!((code(&error), error.target), ("authorization_declined", Some((target, "drive".to_owned()))));
    assert_eq!(
        code(&scene.back(&scene.olga, SESSION, &answer(&sent)).await.unwrap_err()),
        "authorization_other_state"
    );

    for (seconds, is_taken) in [(599, true), (600, false)] {
        let sent = scene.begin(&scene.olga, target, None).await.unwrap();
        scene.pass(seconds);
        assert_eq!(scene.back(&scene.olga, SESSION, &answer(&sent)).await.is_ok(), is_taken, "{seconds}");
    }
    // Whoever begins anew has begun nothing else.
    let first = scene.begin(&scene.olga, target, None).await.unwrap();
    let second = scene.begin(&scene.olga, target, None).await.unwrap();
    assert!(scene.back(&scene.olga, SESSION, &answer(&first)).await.is_err());
    assert!(scene.back(&scene.olga, SESSION, &answer(&second)).await.is_ok());
}

#[tokio::test]
async fn who_may_not_change_the_catalog_connects_nothing() {
    let scene = Scene::new().await;
    let auditor = with_role(&scene.world, "Aud", Role::Auditor).await;
    let target = Target::Module(scene.module);
    let sent = scene.begin(&auditor, target, None).await;
    assert!(matches!(sent, Err(Trouble::Control(Error::NotFound { .. }))), "{sent:?}");
    let sent = scene.begin(&scene.olga, target, None).await.unwrap();
    assert_eq!(code(&scene.back(&auditor, SESSION, &answer(&sent)).await.unwrap_err()), "not_found");
}

#[tokio::test]
async fn the_client_that_was_given_access_is_used_again_until_somebody_wants_another() {
    let scene = Scene::new().await;
    let target = Target::Module(scene.module);
    let begin = async |given, anew| scene.begin_as(&scene.olga, target, None, (given, anew)).await.unwrap();
    // One that led to nothing is not remembered.
    let typo = Some(Given::new("typo", None));
    assert_eq!(begin(typo, false).await.client, "typo");
    assert_eq!(begin(None, false).await.client, "client-1");
    // Who has registered is registered, whether access comes of it or not.
    assert_eq!(begin(None, false).await.client, "client-1");
    let by_hand = begin(Some(Given::new("by-hand", Some("s".to_owned()))), false).await;
    scene.back(&scene.olga, SESSION, &answer(&by_hand)).await.unwrap();
    assert_eq!(begin(None, false).await.client, "by-hand");
    // What a person entered stays until another one has been given access.
    assert_eq!(begin(None, true).await.client, "client-2");
    assert_eq!(begin(None, false).await.client, "by-hand");
    let anew = begin(None, true).await;
    assert_eq!(anew.client, "client-3");
    scene.back(&scene.olga, SESSION, &answer(&anew)).await.unwrap();
    assert_eq!(begin(None, false).await.client, "client-3");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_is_over() {
    let (scene, connection) = Scene::connected().await;
    let (control, tenant) = (&scene.world.control, scene.world.tenant.tenant);
    assert_eq!(scene.present(control, connection).await.unwrap().renew, None);
    scene.pass(3600 - 60);
    let presented = scene.present(control, connection).await.unwrap();
    assert_eq!((presented.secret.expose_secret(), presented.renew), ("Bearer token-1", Some(1)));
    let renewed = tokens::renew(control, &way(&scene.issuer), tenant, connection, 1).await.unwrap();
    assert_eq!(renewed.expose_secret(), "Bearer token-2");
    let asked = scene.issuer.asked.lock().last().unwrap().clone();
    assert_eq!((asked["refresh_token"].as_str(), asked["resource"].as_str()), ("refresh-1", MCP));
    assert_eq!(scene.present(control, connection).await.unwrap().renew, None);
    // One that is over is renewed before anything is presented; the refresh token is the new one.
    scene.pass(3600);
    assert_eq!(scene.presented(connection).await, "Bearer token-3");
    assert_eq!(scene.issuer.asked.lock().last().unwrap()["refresh_token"], "refresh-2");
    // Whoever renews an old one gets what is there.
    let there = tokens::renew(control, &way(&scene.issuer), tenant, connection, 1).await.unwrap();
    assert_eq!((there.expose_secret(), scene.issuer.asked.lock().len()), ("Bearer token-3", 3));
}

#[tokio::test]
async fn of_several_nodes_one_renews() {
    let (scene, connection) = Scene::connected().await;
    let other = scene.world.silent_control().await;
    scene.present(&other, connection).await.unwrap();
    scene.pass(3600);
    *scene.issuer.pause.lock() = Duration::from_millis(400);
    let (one, two, three) = tokio::join!(
        scene.present(&scene.world.control, connection),
        scene.present(&other, connection),
        scene.present(&scene.world.control, connection),
    );
    for presented in [one, two, three] {
        assert_eq!(presented.unwrap().secret.expose_secret(), "Bearer token-2");
    }
    assert_eq!(scene.issuer.asked.lock().len(), 2, "one for the code, one for all that wanted it renewed");
}

#[tokio::test]
async fn a_renewal_goes_on_when_nobody_waits_for_it() {
    let (scene, connection) = Scene::connected().await;
    scene.pass(3600);
    *scene.issuer.pause.lock() = Duration::from_millis(300);
    let given_up =
        tokio::time::timeout(Duration::from_millis(100), scene.present(&scene.world.control, connection))
            .await;
    assert!(given_up.is_err());
    // The refresh token that was used is not used again.
    assert_eq!(scene.presented(connection).await, "Bearer token-2");
    let asked = scene.issuer.asked.lock();
    assert_eq!(asked.iter().filter(|asked| asked["grant_type"] == "refresh_token").count(), 1);
}

#[tokio::test]
async fn what_cannot_be_renewed_must_be_connected_again() {
    let (scene, connection) = Scene::connected().await;
    let other = scene.world.silent_control().await;
    scene.present(&other, connection).await.unwrap();
    // The authorization server is away: what is good is presented, and nothing is given up.
    *scene.issuer.answer.lock() = Some((503, Value::Null));
    scene.pass(3600 - 60);
    let tenant = scene.world.tenant.tenant;
    let renewed =
        tokens::renew(&scene.world.control, &way(&scene.issuer), tenant, connection, 1).await.unwrap();
    assert_eq!(renewed.expose_secret(), "Bearer token-1");
    scene.pass(60);
    assert_eq!(
        refused(scene.present(&scene.world.control, connection).await.map(|_| ())),
        "authorization_unreachable"
    );
    assert_eq!(scene.view().await.unwrap().over, None);
    // It is left alone for a while.
    assert_eq!(
        refused(scene.present(&scene.world.control, connection).await.map(|_| ())),
        "authorization_unreachable"
    );
    assert_eq!(scene.renewals(), 1);
    scene.rested().await;
    // It says that it is over.
    *scene.issuer.answer.lock() =
        Some((400, json!({"error": "invalid_grant", "error_description": "revoked by Ada"})));
    for control in [&scene.world.control, &other] {
        assert_eq!(refused(scene.present(control, connection).await.map(|_| ())), MUST_CONNECT);
    }
    assert!(scene.view().await.unwrap().over.unwrap().contains("revoked by Ada"));
    assert!(scene.needs().await);
    let asked = scene.issuer.asked.lock().len();
    assert_eq!(refused(scene.present(&scene.world.control, connection).await.map(|_| ())), MUST_CONNECT);
    assert_eq!(scene.issuer.asked.lock().len(), asked, "it is not asked again");
    *scene.issuer.answer.lock() = None;
    scene.connect(None).await;
    assert_eq!(scene.view().await.unwrap().over, None);
    assert!(!scene.needs().await);
    assert!(scene.presented(scene.connection().await.unwrap()).await.starts_with("Bearer token-"));

    let (scene, connection) = {
        let scene = Scene::new().await;
        *scene.issuer.once.lock() = true;
        scene.connect(None).await;
        let connection = scene.connection().await.unwrap();
        (scene, connection)
    };
    scene.pass(3600);
    assert_eq!(refused(scene.present(&scene.world.control, connection).await.map(|_| ())), MUST_CONNECT);
    assert!(scene.view().await.unwrap().over.is_some());
    assert!(scene.needs().await);
}

#[tokio::test]
async fn a_token_that_its_server_refuses_is_renewed_once() {
    let (scene, connection) = Scene::connected().await;
    let bare = Challenge::default();
    assert_eq!(
        scene.refused(connection, "Bearer token-1", bare.clone()).await.unwrap().as_deref(),
        Some("Bearer token-2")
    );
    // Somebody has renewed it by now.
    assert_eq!(
        scene.refused(connection, "Bearer token-1", bare.clone()).await.unwrap().as_deref(),
        Some("Bearer token-2")
    );
    // Renewed just now and refused all the same: that does not help.
    assert_eq!(scene.refused(connection, "Bearer token-2", bare.clone()).await.unwrap(), None);
    scene.pass(30);
    assert!(scene.refused(connection, "Bearer token-2", bare).await.unwrap().is_some());
    assert_eq!(scene.issuer.asked.lock().len(), 3);

    let scene = Scene::new().await;
    *scene.issuer.once.lock() = true;
    scene.connect(None).await;
    let connection = scene.connection().await.unwrap();
    assert_eq!(scene.refused(connection, "Bearer token-1", Challenge::default()).await.unwrap(), None);
    assert_eq!(refused(scene.refused(connection, "Bearer token-1", invalid_token()).await), MUST_CONNECT);
    assert_eq!(refused(scene.present(&scene.world.control, connection).await.map(|_| ())), MUST_CONNECT);
}

#[tokio::test]
async fn what_a_server_wants_beyond_it_is_asked_for_the_next_time() {
    let (scene, connection) = Scene::connected().await;
    let more = |scopes: &str| Challenge {
        error: Some("insufficient_scope".to_owned()),
        scope: Some(Scopes::read(scopes)),
        ..Challenge::default()
    };
    for scopes in ["write", "write", "share"] {
        assert_eq!(refused(scene.refused(connection, "Bearer token-1", more(scopes)).await), MUST_CONNECT);
    }
    let view = scene.view().await.unwrap();
    assert_eq!((view.wanted.to_string().as_str(), view.over), ("share write", None));
    // What it is good for goes on meanwhile.
    assert_eq!(scene.presented(connection).await, "Bearer token-1");
    assert_eq!(scene.connect(None).await.scopes.to_string(), "files share write");
    assert!(scene.view().await.unwrap().wanted.is_empty());

    // What the authorization server does not know is asked for but once.
    let connection = scene.connection().await.unwrap();
    let presented = scene.presented(connection).await;
    assert_eq!(refused(scene.refused(connection, &presented, more("unknown")).await), MUST_CONNECT);
    let sent = scene.begin(&scene.olga, Target::Module(scene.module), None).await.unwrap();
    assert_eq!(sent.scopes.to_string(), "files share unknown write");
    let declined = answer(&sent).replace("code=c", "error=invalid_scope");
    scene.back(&scene.olga, SESSION, &declined).await.unwrap_err();
    assert_eq!(scene.connect(None).await.scopes.to_string(), "files share write");
}

#[tokio::test]
async fn a_fixed_secret_that_is_refused_is_one() {
    let scene = Scene::new().await;
    let secret = SecretString::from("Bearer fixed".to_owned());
    let connection =
        connections::set(&scene.world.control, &scene.olga, &way(&scene.issuer), scene.module, &secret)
            .await
            .unwrap();
    assert_eq!(scene.refused(connection, "Bearer fixed", invalid_token()).await.unwrap(), None);
    assert_eq!((scene.presented(connection).await.as_str(), scene.view().await), ("Bearer fixed", None));
}

#[tokio::test]
async fn a_module_that_is_being_added_is_connected_first() {
    let scene = Scene::new().await;
    let (control, olga) = (&scene.world.control, &scene.olga);
    let new = |url: &str| NewModule { name: "files".to_owned(), url: url.to_owned(), ..drive() };
    let id = drafts::ask(control, olga, None, new(MCP)).await.unwrap().draft;
    let ada = with_role(&scene.world, "Ada", Role::Admin).await;
    assert!(scene.begin(&ada, Target::Draft(id), None).await.is_err(), "it is Olga's");
    let sent = scene.begin(olga, Target::Draft(id), None).await.unwrap();
    let back = scene.back(olga, SESSION, &answer(&sent)).await.unwrap();
    assert_eq!((back.target, back.name.as_str()), (Target::Draft(id), "files"));
    assert!(drafts::draft(control, olga, id).await.unwrap().is_connected);
    let asking = drafts::ask_again(control, olga, id).await.unwrap();
    assert_eq!(asking.authorization.unwrap().expose_secret(), "Bearer token-1");
    let told = Told::Found {
        server: ("s".to_owned(), "1".to_owned(), "2025-11-25".to_owned()),
        definitions: vec![],
    };
    drafts::tell(control, olga, id, asking.asked_at, told).await.unwrap();
    let fingerprint = drafts::draft(control, olga, id).await.unwrap().fingerprint;
    drafts::finish(control, olga, id, &fingerprint, &Default::default()).await.unwrap();
    let page = modules::module_page(control, olga, "files", &Asked::default()).await.unwrap();
    assert_eq!(page.token.unwrap().issuer, ISSUER);
    assert_eq!(scene.presented(page.connection.unwrap().0).await, "Bearer token-1");

    // A token is for the address that it was given for.
    let other = NewModule { name: "other".to_owned(), ..new(MCP) };
    let id = drafts::ask(control, olga, None, other.clone()).await.unwrap().draft;
    let sent = scene.begin(olga, Target::Draft(id), None).await.unwrap();
    scene.back(olga, SESSION, &answer(&sent)).await.unwrap();
    let moved = NewModule { url: "https://evil.example/mcp".to_owned(), ..other };
    let asking = drafts::ask(control, olga, Some(id), moved).await.unwrap();
    assert!(asking.authorization.is_none() && !drafts::draft(control, olga, id).await.unwrap().is_connected);
}

#[tokio::test]
async fn what_was_asked_for_one_address_is_not_given_to_another() {
    let scene = Scene::new().await;
    let (control, olga) = (&scene.world.control, &scene.olga);
    let new = NewModule { name: "files".to_owned(), ..drive() };
    let id = drafts::ask(control, olga, None, new.clone()).await.unwrap().draft;
    let sent = scene.begin(olga, Target::Draft(id), None).await.unwrap();
    let moved = NewModule { url: "https://evil.example/mcp".to_owned(), ..new };
    drafts::ask(control, olga, Some(id), moved).await.unwrap();
    let error = scene.back(olga, SESSION, &answer(&sent)).await.unwrap_err();
    assert_eq!(
        (code(&error), error.target),
        ("address_changed", Some((Target::Draft(id), "files".to_owned())))
    );
    assert!(!drafts::draft(control, olga, id).await.unwrap().is_connected);
    assert!(scene.issuer.asked.lock().is_empty(), "the code went out");
}
