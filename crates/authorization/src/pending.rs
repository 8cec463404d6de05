//! The way of a person to the authorization server and back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{Ambient, Timestamp};
use oauth2::basic::BasicClient;
use oauth2::{
    AuthUrl, AuthorizationCode, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
};
use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};

use crate::access::Access;
use crate::client::{Client, in_words};
use crate::discovery::Protection;
use crate::error::Error;
use crate::fetch::{Reach, cut};
use crate::scopes::{OFFLINE, Scopes};

/// What has to be kept while a person is away. It holds secrets: whoever keeps it seals it, and uses it once.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pending {
    state: CsrfToken,
    verifier: PkceCodeVerifier,
    says_issuer: bool,
    token_endpoint: Url,
    #[serde(default)]
    revocation_endpoint: Option<Url>,
    resource: String,
    scopes: Scopes,
    client: Client,
}

/// With what a person came back: the parameters of the authorization response (RFC 6749 section 4.1.2, RFC 9207).
#[derive(Debug, Default)]
pub struct Returned {
    /// Which authorization it answers.
    pub state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    description: Option<String>,
    is_doubtful: bool,
}

impl Pending {
    /// By which it is found again: [`Returned::state`] has to be the same.
    pub fn state(&self) -> &str {
        self.state.secret()
    }
}

impl Returned {
    /// Reads the query of the address they came back to.
    pub fn read(query: &str) -> Self {
        let mut returned = Self::default();
        for (name, text) in form_urlencoded::parse(query.as_bytes()) {
            let kept = match &*name {
                "state" => &mut returned.state,
                "code" => &mut returned.code,
                "iss" => &mut returned.iss,
                "error" => &mut returned.error,
                "error_description" => &mut returned.description,
                _ => continue,
            };
            // A parameter stands but once (RFC 6749 section 3.1).
            returned.is_doubtful |= kept.replace(text.into_owned()).is_some();
        }
        returned
    }
}

/// Where to send a person who is to give access, and what has to be kept until they come back.
pub fn begin(ambient: &Ambient, protection: &Protection, client: Client, scopes: Scopes) -> (Url, Pending) {
    let state = CsrfToken::new(URL_SAFE_NO_PAD.encode(ambient.bytes::<32>()));
    // 43 characters (RFC 7636 section 4.1).
    let verifier = PkceCodeVerifier::new(URL_SAFE_NO_PAD.encode(ambient.bytes::<32>()));
    let server = &protection.server;
    let asking = BasicClient::new(client.id.clone())
        .set_auth_uri(AuthUrl::from_url(server.authorization_endpoint.clone()))
        .set_redirect_uri(RedirectUrl::from_url(client.redirect.clone()));
    let kept = state.clone();
    let mut request = asking
        .authorize_url(move || kept)
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        .add_scopes(scopes.iter().map(|scope| Scope::new(scope.to_owned())))
        .add_extra_param("resource", protection.resource.clone());
    if scopes.has(OFFLINE) {
        // Without it, it is passed over (OpenID Connect Core section 11).
        request = request.add_extra_param("prompt", "consent");
    }
    let (url, _) = request.url();
    let pending = Pending {
        state,
        verifier,
        says_issuer: server.says_issuer,
        token_endpoint: server.token_endpoint.clone(),
        revocation_endpoint: server.revocation_endpoint.clone(),
        resource: protection.resource.clone(),
        scopes,
        client,
    };
    (url, pending)
}

/// Makes a grant of what a person came back with. The code goes nowhere before the answer is known to be that of the
/// authorization server that was asked.
pub async fn redeem(
    reach: Reach<'_>,
    now: Timestamp,
    pending: Pending,
    returned: Returned,
) -> Result<Access, Error> {
    let issuer = pending.client.issuer.clone();
    let shown = || cut(&issuer, 200);
    if returned.is_doubtful || returned.state.as_ref() != Some(pending.state.secret()) {
        return Err(Error::OtherState);
    }
    match &returned.iss {
        // As it is, letter by letter (RFC 9207 section 2.4).
        Some(theirs) if *theirs != issuer => {
            return Err(Error::AnswerOfAnother { issuer: shown(), theirs: cut(theirs, 200) });
        }
        None if pending.says_issuer => return Err(Error::AnswerOfNobody { issuer: shown() }),
        _ => {}
    }
    if let Some(error) = returned.error {
        let why = in_words(&error, &returned.description.unwrap_or_default());
        return Err(Error::Declined { issuer: shown(), error: cut(&error, 60), why });
    }
    let code =
        returned.code.filter(|code| !code.is_empty()).ok_or_else(|| Error::NoCode { issuer: shown() })?;
    let Pending { verifier, token_endpoint, revocation_endpoint, resource, scopes, client, .. } = pending;
    let asked = Access::asking(client, token_endpoint, revocation_endpoint, resource, scopes);
    asked.redeem(reach, now, AuthorizationCode::new(code), verifier).await
}
