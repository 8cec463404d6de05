//! What an authorization server says of itself (RFC 8414, OpenID Connect Discovery 1.0).

use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::Error;
use crate::fetch::{Found, Reach, cut};
use crate::place;
use crate::scopes::Scopes;

const OAUTH: &str = "oauth-authorization-server";
const OPENID: &str = "openid-configuration";

/// An authorization server, as far as it is used. All addresses are checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its issuer identifier, byte for byte.
    pub issuer: String,
    /// Where people are sent.
    pub authorization_endpoint: Url,
    /// Where codes become tokens.
    pub token_endpoint: Url,
    /// Where clients make themselves known (RFC 7591).
    pub registration_endpoint: Option<Url>,
    /// Where what it gave is given back (RFC 7009).
    #[serde(default)]
    pub revocation_endpoint: Option<Url>,
    /// The scopes that it knows.
    pub scopes: Scopes,
    /// How clients may prove who they are at the token endpoint; none if it does not say.
    pub methods: Option<Vec<String>>,
    /// Whether a client's ID may be the address of a document about it.
    pub takes_documents: bool,
    /// Whether its answers say whose they are (RFC 9207).
    pub says_issuer: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    registration_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
    response_types_supported: Option<Vec<String>>,
    grant_types_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    client_id_metadata_document_supported: bool,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Server {
    /// Finds the metadata of an issuer, in the order that MCP gives, and takes none that is another's.
    pub(crate) async fn find(reach: Reach<'_>, issuer: &str) -> Result<Self, Error> {
        let url = place::checked(issuer, reach.loopback)?;
        let mut flaw = None;
        for place in places(&url) {
            match reach.document::<Document>(place).await? {
                Found::Document(document) if document.issuer == issuer => {
                    document.has_pkce()?;
                    return document.read(reach);
                }
                Found::Document(document) => {
                    flaw = flaw.or(Some(Error::OtherIssuer {
                        issuer: cut(issuer, 200),
                        theirs: cut(&document.issuer, 200),
                    }));
                }
                Found::Nothing(Some(why)) => {
                    flaw = flaw
                        .or(Some(Error::NoMetadata { issuer: cut(issuer, 200), why: format!(": {why}") }));
                }
                Found::Nothing(None) => {}
            }
        }
        Err(flaw.unwrap_or_else(|| Error::NoMetadata { issuer: cut(issuer, 200), why: String::new() }))
    }

    /// An MCP server that is its own authorization server, with metadata or without (MCP 2025-03-26, Authorization, Server
    /// Metadata Discovery). Clients of that revision used PKCE without asking.
    pub(crate) async fn of_old(reach: Reach<'_>, server: &Url) -> Result<Self, Error> {
        let origin = server.origin().ascii_serialization();
        let place = place::at(server, &format!("/.well-known/{OAUTH}"));
        match reach.document::<Document>(place).await? {
            // It was not asked as an issuer, so that its own spelling counts.
            Found::Document(document) if document.issuer.trim_end_matches('/') == origin => {
                if document.code_challenge_methods_supported.is_some() {
                    document.has_pkce()?;
                }
                document.read(reach)
            }
            Found::Document(document) => {
                Err(Error::OtherIssuer { issuer: origin, theirs: cut(&document.issuer, 200) })
            }
            Found::Nothing(_) => Ok(Self {
                issuer: origin,
                authorization_endpoint: place::at(server, "/authorize"),
                token_endpoint: place::at(server, "/token"),
                registration_endpoint: Some(place::at(server, "/register")),
                revocation_endpoint: None,
                scopes: Scopes::default(),
                methods: None,
                takes_documents: false,
                says_issuer: false,
            }),
        }
    }
}

/// Where the metadata of an issuer may be.
fn places(issuer: &Url) -> Vec<Url> {
    let mut places = vec![place::well_known(issuer, OAUTH), place::well_known(issuer, OPENID)];
    let path = issuer.path().trim_end_matches('/');
    if !path.is_empty() {
        places.push(place::at(issuer, &format!("{path}/.well-known/{OPENID}")));
    }
    places
}

impl Document {
    fn has_pkce(&self) -> Result<(), Error> {
        let methods = self.code_challenge_methods_supported.iter().flatten();
        if methods.into_iter().any(|method| method == "S256") {
            Ok(())
        } else {
            Err(Error::NoPkce { issuer: cut(&self.issuer, 200) })
        }
    }

    fn read(self, reach: Reach<'_>) -> Result<Server, Error> {
        let lacks = |list: &Option<Vec<String>>, word: &str| {
            list.as_ref().is_some_and(|list| !list.iter().any(|entry| entry == word))
        };
        let no_codes = || Error::NoCodes { issuer: cut(&self.issuer, 200) };
        if lacks(&self.response_types_supported, "code")
            || lacks(&self.grant_types_supported, "authorization_code")
        {
            return Err(no_codes());
        }
        let (Some(authorize), Some(token)) = (&self.authorization_endpoint, &self.token_endpoint) else {
            return Err(no_codes());
        };
        let register = self.registration_endpoint.as_deref();
        // Without it all goes on but that: what is wrong with it is nobody's trouble.
        let revoke =
            self.revocation_endpoint.as_deref().and_then(|url| place::checked(url, reach.loopback).ok());
        Ok(Server {
            authorization_endpoint: place::checked(authorize, reach.loopback)?,
            token_endpoint: place::checked(token, reach.loopback)?,
            registration_endpoint: register.map(|url| place::checked(url, reach.loopback)).transpose()?,
            revocation_endpoint: revoke,
            scopes: self.scopes_supported.iter().map(String::as_str).collect(),
            methods: self.token_endpoint_auth_methods_supported,
            takes_documents: self.client_id_metadata_document_supported,
            says_issuer: self.authorization_response_iss_parameter_supported,
            issuer: self.issuer,
        })
    }
}
