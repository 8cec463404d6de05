//! What a protected server says of itself (RFC 9728).

use serde::Deserialize;
use url::Url;

use crate::error::Error;
use crate::fetch::{Found, Reach, cut};
use crate::place;
use crate::scopes::Scopes;

/// Most authorization servers that are looked at.
const MOST_ISSUERS: usize = 20;
const SUFFIX: &str = "oauth-protected-resource";

/// Protected resource metadata, as far as it is used.
pub(crate) struct Resource {
    pub(crate) identifier: String,
    pub(crate) issuers: Vec<String>,
    pub(crate) scopes: Scopes,
}

#[derive(Deserialize)]
struct Document {
    resource: String,
    #[serde(default)]
    authorization_servers: Vec<String>,
    scopes_supported: Option<Vec<String>>,
}

/// Finds it: where the server says (`hint`), else at its path, else at its root. None: nowhere.
pub(crate) async fn find(
    reach: Reach<'_>,
    server: &Url,
    hint: Option<&str>,
) -> Result<Option<Resource>, Error> {
    let mut places = match hint {
        Some(hint) => vec![place::checked(hint, reach.loopback)?],
        None => vec![place::well_known(server, SUFFIX), place::at(server, &format!("/.well-known/{SUFFIX}"))],
    };
    places.dedup();
    let mut flaw = None;
    for place in places {
        match reach.document::<Document>(place).await? {
            Found::Document(document) => return document.read(server).map(Some),
            Found::Nothing(why) => flaw = flaw.or(why),
        }
    }
    match (hint, flaw) {
        (Some(hint), why) => Err(Error::Garbage {
            url: place::shown(hint),
            why: why.unwrap_or_else(|| "there is no metadata, though the server refers to it".to_owned()),
        }),
        // A page for people, such as many servers have at every address.
        (None, _) => Ok(None),
    }
}

impl Document {
    fn read(self, server: &Url) -> Result<Resource, Error> {
        if !covers(&self.resource, server) {
            return Err(Error::OtherResource {
                url: place::shown(server.as_str()),
                resource: cut(&self.resource, 200),
            });
        }
        let scopes = self.scopes_supported.unwrap_or_default();
        Ok(Resource {
            identifier: self.resource,
            issuers: self.authorization_servers.into_iter().take(MOST_ISSUERS).collect(),
            scopes: scopes.iter().map(String::as_str).collect(),
        })
    }
}

/// Whether the identifier is that of the server, or of something at its origin that it is a part of.
fn covers(identifier: &str, server: &Url) -> bool {
    let Ok(url) = Url::parse(identifier) else { return false };
    let whole = url.path().trim_end_matches('/');
    let part = server.path().strip_prefix(whole);
    url.origin() == server.origin()
        && url.fragment().is_none()
        && url.username().is_empty()
        && part.is_some_and(|part| part.is_empty() || part.starts_with('/'))
        && (url.query().is_none() || url.query() == server.query())
}

/// The identifier of a server that says nothing of itself (RFC 8707 section 2; MCP, Canonical Server URI): without query, in
/// which some servers want a key, and without a slash at its end.
pub(crate) fn canonical(server: &Url) -> String {
    place::at(server, server.path()).as_str().trim_end_matches('/').to_owned()
}
