//! Who issues tokens for a server, and how it is asked.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::challenge::Challenge;
use crate::error::Error;
use crate::fetch::Reach;
use crate::place;
use crate::resource::{self, Resource};
use crate::scopes::Scopes;
use crate::server::Server;

/// How a server is protected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// What tokens are asked for, as `resource` (RFC 8707): the server's identifier, byte for byte as it says it.
    pub resource: String,
    /// The scopes that it names.
    pub scopes: Scopes,
    /// Who issues them.
    pub server: Server,
}

/// Finds out how the MCP server at `url` is protected, beginning with what it said when it refused. Of several authorization
/// servers the `preferred` issuer is taken if it is among them, else the first.
///
/// Asks at most three places for the server's metadata and three for the authorization server's. A server that publishes nothing
/// is taken to be its own authorization server, as in MCP 2025-03-26.
pub async fn discover(
    reach: Reach<'_>,
    url: &str,
    challenge: Option<&Challenge>,
    preferred: Option<&str>,
) -> Result<Protection, Error> {
    let mut server =
        Url::parse(url).map_err(|_| Error::BadAddress { url: place::shown(url), why: "it is no URL" })?;
    server.set_fragment(None);
    let server = place::checked(server.as_str(), reach.loopback)?;
    let hint = challenge.and_then(|challenge| challenge.resource_metadata.as_deref());
    let Some(found) = resource::find(reach, &server, hint).await? else {
        return Ok(Protection {
            resource: resource::canonical(&server),
            scopes: Scopes::default(),
            server: Server::of_old(reach, &server).await?,
        });
    };
    let Resource { identifier, issuers, scopes } = found;
    let issuer = preferred.filter(|preferred| issuers.iter().any(|issuer| issuer == preferred));
    let issuer = issuer.or_else(|| issuers.first().map(String::as_str));
    let issuer = issuer.ok_or_else(|| Error::NoIssuer { url: place::shown(url) })?;
    let server = Server::find(reach, issuer).await?;
    Ok(Protection { resource: identifier, scopes, server })
}
