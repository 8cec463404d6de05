//! The gateway alone: authenticated, decided and passed on as in the product, with a ledger that remembers nothing. What
//! the product adds to this is what durable records cost.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gateway::seams::{
    BootClock, Catalog, Challenge, Connections, Directories, Limits, MeterDraw, NativeAnswer, NativeFailure,
    NativeModules, NoTraces, NotDrawn, NotPresented, StateKey, Unavailable,
};
use gateway::{Discovered, Gateway, Plugs, Settings};
use model::access::{Grantee, PermissionKey};
use model::call::{Attribution, Epoch};
use model::catalog::{ModuleKind, ModuleStanding, ToolStanding};
use model::limit::{Per, Scope};
use model::people::{Role, Standing, UnitKind};
use model::{Ambient, CallId, ConnectionId, Currency, McpId, ModuleId, Money, TenantId, key};
use policy::meter::Drawn;
use policy::{
    AgentFact, CredentialFact, Directory, Facts, GrantFact, ModuleFact, TenantFact, ToolFact, UnitFact,
    UserFact,
};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use testkit::ambient::RealClock;
use testkit::{ForgetfulLedger, SeededEntropy};

use crate::processes::end_with_stdin;
use crate::{Failure, print};

/// The module's name, as everywhere in the comparison.
pub(crate) const MODULE: &str = "bench-echo";

/// What the forgetful gateway can be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The echo upstream's URL.
    #[arg(long)]
    upstream: String,
    /// Port of 127.0.0.1 to listen on; 0 takes any and the ready line says which.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Tenants, each with an endpoint and a key of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    tenants: u32,
    /// Tools in each tenant's catalog. Of more than one, the agent may use nine of ten.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    tools: u32,
    /// End when standard input does.
    #[arg(long, hide = true)]
    end_with_stdin: bool,
}

/// Serves until it is killed. Prints one JSON line, `{"doors": [{"url": …, "key": …}], "pid": …}`, once it listens: a door for each
/// tenant.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    if options.end_with_stdin {
        end_with_stdin();
    }
    let ambient = Ambient::new(RealClock::new(), SeededEntropy::new(u64::from(std::process::id())));
    let mut all = HashMap::new();
    let mut keys = Vec::new();
    for _ in 0..options.tenants {
        let key = key::mint(ambient.bytes());
        let directory = directory(&ambient, &options, &key)?;
        keys.push((directory.tenant().mcp_id, key));
        all.insert(directory.tenant().mcp_id, Arc::new(directory));
    }
    let plugs = Plugs {
        directories: Arc::new(All(all)),
        limits: Arc::new(NoLimits),
        ledger: Arc::new(ForgetfulLedger(ambient.clone())),
        connections: Arc::new(NoSecrets),
        catalog: Arc::new(NoCatalog),
        native: Arc::new(NothingNative),
        boot: Arc::new(Boot(ambient.clone())),
        traces: Arc::new(NoTraces),
        state_key: StateKey::random(&ambient),
    };
    let network =
        "127.0.0.0/8".parse().map_err(|wrong| Failure::of("allowing the loopback network", wrong))?;
    // All of the list on one page, whatever its length.
    let list_page = usize::try_from(options.tools).unwrap_or(usize::MAX);
    let settings = Settings { allowed_upstream_networks: vec![network], list_page, ..Settings::default() };
    let gateway =
        Gateway::new(plugs, settings, ambient).map_err(|wrong| Failure::of("building the gateway", wrong))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|wrong| Failure::of("starting the gateway", wrong))?;
    runtime.block_on(async {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let wrong = |wrong: std::io::Error| Failure::of(&format!("listening on {address}"), wrong);
        let listener = tokio::net::TcpListener::bind(address).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let doors: Vec<_> = keys
            .iter()
            .map(|(endpoint, key)| json!({"url": format!("http://{address}/{endpoint}/mcp"), "key": key}))
            .collect();
        print(&json!({"doors": doors, "pid": std::process::id()}).to_string());
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream: &mut tokio::net::TcpStream| {
            let _ = stream.set_nodelay(true);
        });
        let service = gateway.router().into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await.map_err(wrong)
    })
}

/// A tenant with one agent and one module, whose tools are all the echo's.
fn directory(ambient: &Ambient, options: &Options, key: &str) -> Result<Directory, Failure> {
    let wrong = |wrong: &dyn std::fmt::Display| Failure::of("building the directory", wrong);
    let (tenant, unit, user, agent, module) =
        (ambient.id(), ambient.id(), ambient.id(), ambient.id(), ambient.id());
    let permission: PermissionKey = MODULE.parse().map_err(|it| wrong(&it))?;
    let other: PermissionKey = "bench-other".parse().map_err(|it| wrong(&it))?;
    let facts = Facts {
        epoch: Epoch { number: 1, token: ambient.random_uuid() },
        tenant: TenantFact {
            id: tenant,
            slug: "bench".parse().map_err(|it| wrong(&it))?,
            name: "Bench".into(),
            mcp_id: McpId::from(ambient.random_uuid()),
            standing: Standing::Active,
            agents_stopped: false,
            zone: model::Zone::UTC,
        },
        units: vec![UnitFact { id: unit, parent: None, kind: UnitKind::Department, name: "Bench".into() }],
        users: vec![UserFact {
            id: user,
            name: "Bench owner".into(),
            home_unit: unit,
            units: Vec::new(),
            roles: vec![Role::Owner],
            standing: Standing::Active,
        }],
        agents: vec![AgentFact {
            id: agent,
            name: "Bench agent".into(),
            owner: user,
            home_unit: unit,
            standing: Standing::Active,
        }],
        credentials: vec![CredentialFact {
            id: ambient.id(),
            agent,
            on_behalf_of: None,
            secret_hash: Sha256::digest(key).into(),
            expires_at: None,
            allowed_addresses: Vec::new(),
        }],
        modules: vec![ModuleFact {
            id: module,
            name: MODULE.into(),
            title: "Bench echo".into(),
            kind: ModuleKind::Mcp,
            url: Some(options.upstream.clone()),
            connection: None,
            owner: Some(user),
            standing: ModuleStanding::Live,
        }],
        tools: (0..options.tools)
            .map(|n| tool(ambient, module, n, if n % 10 == 9 { &other } else { &permission }))
            .collect(),
        bundles: Vec::new(),
        limits: Vec::new(),
        grants: vec![GrantFact {
            id: ambient.id(),
            key: permission,
            grantee: Grantee::Agent(agent),
            expires_at: None,
        }],
    };
    Directory::build(facts, ambient.now()).map_err(|it| wrong(&it))
}

/// The first is `echo`, the others are `echo_1` and so on, alike but for their names.
fn tool(ambient: &Ambient, module: ModuleId, n: u32, key: &PermissionKey) -> ToolFact {
    let name = if n == 0 { "echo".to_owned() } else { format!("echo_{n}") };
    let definition = crate::echo::TOOL.replacen("\"echo\"", &format!("\"{name}\""), 1);
    ToolFact {
        id: ambient.id(),
        module,
        definition_hash: Sha256::digest(&definition).into(),
        definition,
        name,
        key: key.clone(),
        standing: ToolStanding::Approved,
        price: Money::zero(Currency::USD),
        rate: None,
        timeouts: Default::default(),
    }
}

/// The directories that there are.
struct All(HashMap<McpId, Arc<Directory>>);

#[async_trait]
impl Directories for All {
    async fn current(&self, endpoint: McpId) -> Result<Option<Arc<Directory>>, Unavailable> {
        Ok(self.0.get(&endpoint).cloned())
    }

    async fn newer(&self, endpoint: McpId, _: Epoch) -> Result<Option<Arc<Directory>>, Unavailable> {
        self.current(endpoint).await
    }

    async fn moved(&self, _: McpId, _: Epoch) -> Result<Option<Arc<Directory>>, Unavailable> {
        std::future::pending().await
    }
}

/// The echo wants no authorization.
struct NoSecrets;

#[async_trait]
impl Connections for NoSecrets {
    async fn authorization(&self, _: TenantId, _: ConnectionId) -> Result<SecretString, NotPresented> {
        Err(NotPresented::Unavailable)
    }

    async fn refused(
        &self,
        _: TenantId,
        _: ConnectionId,
        _: &SecretString,
        _: &Challenge,
    ) -> Result<Option<SecretString>, NotPresented> {
        Ok(None)
    }
}

struct NothingNative;

#[async_trait]
impl NativeModules for NothingNative {
    async fn call(
        &self,
        _: &Attribution,
        _: CallId,
        module: &str,
        _: &str,
        _: Bytes,
    ) -> Result<NativeAnswer, NativeFailure> {
        Err(NativeFailure { sentence: format!("The module {module} is not built in.") })
    }
}

struct NoCatalog;

#[async_trait]
impl Catalog for NoCatalog {
    async fn offered(&self, _: TenantId, _: ModuleId, _: &str, _: Discovered) -> Result<(), Unavailable> {
        Ok(())
    }
}

struct Boot(Ambient);

impl BootClock for Boot {
    fn since_boot(&self) -> Duration {
        self.0.since_boot()
    }
}

/// Nothing is limited.
struct NoLimits;

#[async_trait]
impl Limits for NoLimits {
    async fn draw(&self, _: TenantId, _: Vec<MeterDraw>) -> Result<Vec<Drawn>, NotDrawn> {
        Err(NotDrawn::NothingDone)
    }

    fn reached(&self, _: Scope, _: Per) {}
}
