//! Asking an upstream server what it offers: the same for the command line and for the dashboard.

use std::sync::Arc;
use std::time::Duration;

use control::modules::tokens::Way;
use control::modules::{self, Discovery};
use control::{Actor, Control};
use gateway::seams::{Challenge, NotPresented};
use gateway::{Discovered, DiscoveryError, Gateway, NotBuilt, Progress, Trouble};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use model::catalog::{ModuleKind, ModuleView};
use model::{ConnectionId, TenantId};
use secrecy::SecretString;

use crate::plugs;

/// How long a page waits for a server's answer. A page is given up after twenty seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// Asks servers. Nothing can be called through it.
#[derive(Clone)]
pub(crate) struct Discoverer {
    control: Control,
    gateway: Arc<Gateway>,
    way: Way,
}

/// Why nothing was discovered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotDiscovered {
    /// The server could not be used.
    #[error(transparent)]
    Server(#[from] DiscoveryError),
    /// There is no such module, or what it offers could not be written down.
    #[error(transparent)]
    Control(#[from] control::Error),
}

impl Discoverer {
    /// For whoever runs the installation: their own shell reaches whatever the machine reaches, so this may too.
    pub(crate) fn for_operators(
        control: &Control,
        mut settings: gateway::Settings,
    ) -> Result<Self, NotBuilt> {
        settings.allowed_upstream_networks =
            vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
        Self::new(control, settings)
    }

    /// For pages: what a tenant types reaches no further than calls would, and is not waited for longer than a page is.
    pub(crate) fn for_pages(control: &Control, mut settings: gateway::Settings) -> Result<Self, NotBuilt> {
        settings.upstream_timeout = settings.upstream_timeout.min(PATIENCE);
        Self::new(control, settings)
    }

    fn new(control: &Control, settings: gateway::Settings) -> Result<Self, NotBuilt> {
        let way = plugs::way_out(&settings)?;
        let gateway = Arc::new(plugs::discovering(control, settings)?);
        Ok(Self { control: control.clone(), gateway, way })
    }

    /// Asks the server at `url`, telling how far it has come.
    pub(crate) async fn ask(
        &self,
        tenant: TenantId,
        url: &str,
        authorization: Option<SecretString>,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Discovered, DiscoveryError> {
        self.gateway.discover_telling(tenant, url, authorization, tell).await
    }

    /// The way out to authorization servers, under the same rules.
    pub(crate) fn way(&self) -> &Way {
        &self.way
    }

    /// What the server at `url` says to who comes without a token. None: it lets anybody see what it offers, or says nothing of
    /// tokens.
    pub(crate) async fn challenge(
        &self,
        tenant: TenantId,
        url: &str,
    ) -> Result<Option<Challenge>, DiscoveryError> {
        match self.gateway.discover(tenant, url, None).await {
            Err(error @ DiscoveryError::Upstream(Trouble::Unauthorized { .. })) => {
                Ok(error.challenge().cloned())
            }
            Err(error @ DiscoveryError::Upstream(_)) => Err(error),
            _ => Ok(None),
        }
    }

    /// Asks a module's server again and compares what it offers with what is there. It is presented what is `given`, or
    /// else what is kept. What came of it is remembered with the module.
    pub(crate) async fn rediscover(
        &self,
        actor: &Actor,
        module: &ModuleView,
        connection: Option<ConnectionId>,
        given: Option<SecretString>,
    ) -> Result<Discovery, NotDiscovered> {
        let url = match (module.kind, &module.url) {
            (ModuleKind::Mcp, Some(url)) => url,
            // Says that there is nothing to ask.
            _ => return Ok(modules::rediscover(&self.control, actor, module.id, Vec::new()).await?),
        };
        // Nobody learns what a server says who could not write it down.
        modules::may_rediscover(&self.control, actor, module.id).await?;
        let asked = match given {
            Some(given) => self.gateway.discover(actor.tenant(), url, Some(given)).await,
            None => self.gateway.discover_connected(actor.tenant(), url, connection).await,
        };
        match asked {
            Ok(discovered) => {
                let passed_over = passed_over(&discovered);
                let definitions = definitions(discovered);
                let mut discovery = modules::rediscover(&self.control, actor, module.id, definitions).await?;
                discovery.refused.extend(passed_over);
                modules::note_asked(&self.control, actor, module.id, None).await?;
                Ok(discovery)
            }
            Err(error) => {
                modules::note_asked(&self.control, actor, module.id, Some(&error.to_string())).await?;
                Err(error.into())
            }
        }
    }
}

/// The definitions alone.
pub(crate) fn definitions(discovered: Discovered) -> Vec<String> {
    discovered.tools.into_iter().map(|tool| tool.definition).collect()
}

/// What the gateway has left out of it, and why: not taken, like what the catalog does not take.
pub(crate) fn passed_over(discovered: &Discovered) -> Vec<(String, String)> {
    discovered.passed_over.iter().map(|tool| (tool.name.clone(), tool.why.clone())).collect()
}

/// The stable code of what went wrong.
pub(crate) fn code(error: &DiscoveryError) -> &'static str {
    match error {
        DiscoveryError::Upstream(trouble) => trouble.code(),
        DiscoveryError::BadSecret => "bad_secret",
        DiscoveryError::TooMany { .. } => "upstream_too_large",
        DiscoveryError::BadTool { .. } => "upstream_garbage",
        DiscoveryError::NotPresented(NotPresented::MustConnect) => "must_be_connected",
        DiscoveryError::NotPresented(NotPresented::Unavailable) => "unavailable",
    }
}
