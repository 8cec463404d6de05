//! What can go wrong on the way to a token, told so that an admin knows what to do.

/// Why there is no token. The sentences are for people who run the catalog; nothing in them is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An address that a server names cannot be used.
    #[error("`{url}` cannot be used for authorization: {why}")]
    BadAddress {
        /// As it was given, without its query.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There was no answer.
    #[error("{url} could not be asked: {why}")]
    Unreachable {
        /// Where.
        url: String,
        /// As the way there says it.
        why: String,
    },
    /// It answered with an HTTP error that says nothing of what is there.
    #[error("{url} answered with HTTP status {status}")]
    Status {
        /// Where.
        url: String,
        /// The status.
        status: u16,
    },
    /// What it answered cannot be read.
    #[error("what {url} answered cannot be used: {why}")]
    Garbage {
        /// Where.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server wants a token and does not say from whom (RFC 9728 section 2).
    #[error("the server at {url} names no authorization server")]
    NoIssuer {
        /// The MCP server.
        url: String,
    },
    /// Its metadata is about something else (RFC 9728 section 3.3).
    #[error(
        "the server at {url} says that it is “{resource}”, which is another place: its authorization server would be asked for a \
         token that is not for it"
    )]
    OtherResource {
        /// The MCP server.
        url: String,
        /// What its metadata says.
        resource: String,
    },
    /// An authorization server has no metadata (RFC 8414, OpenID Connect Discovery).
    #[error("the authorization server {issuer} does not publish how it is used{why}")]
    NoMetadata {
        /// Its issuer identifier.
        issuer: String,
        /// What was there instead, if anything.
        why: String,
    },
    /// Its metadata is that of another (RFC 8414 section 3.3).
    #[error(
        "the authorization server {issuer} publishes the metadata of another one, “{theirs}”, so none of it is used"
    )]
    OtherIssuer {
        /// The issuer that was asked.
        issuer: String,
        /// The issuer that it says it is.
        theirs: String,
    },
    /// It does not say that it takes PKCE with S256 (MCP, Authorization Code Protection).
    #[error(
        "the authorization server {issuer} does not say that it protects codes by PKCE (S256), without which MCP clients may not \
         go on"
    )]
    NoPkce {
        /// Its issuer identifier.
        issuer: String,
    },
    /// It gives no codes to who asks in a browser.
    #[error("the authorization server {issuer} does not offer the authorization code flow")]
    NoCodes {
        /// Its issuer identifier.
        issuer: String,
    },
    /// There is no way to become known to it.
    #[error(
        "the authorization server {issuer} knows only clients that were registered beforehand: register this one there, with the \
         redirect URI {redirect}, and enter its client ID and secret"
    )]
    NotRegistered {
        /// Its issuer identifier.
        issuer: String,
        /// Where people come back to.
        redirect: String,
    },
    /// It did not register us (RFC 7591 section 3.2.2).
    #[error("the authorization server {issuer} did not register this client: {why}")]
    RegistrationRefused {
        /// Its issuer identifier.
        issuer: String,
        /// In its words.
        why: String,
    },
    /// A client that was registered by hand belongs to another authorization server (MCP, Authorization Server Binding).
    #[error(
        "the server trusts the authorization server {issuer} now, and the client ID that was entered belongs to {registered}: enter \
         one of {issuer}"
    )]
    ClientOfAnother {
        /// Whom the server trusts now.
        issuer: String,
        /// Whose client it is.
        registered: String,
    },
    /// A client that was registered by hand is none.
    #[error(
        "the client ID or the secret that was entered cannot be one: look at it at {issuer} and enter it again"
    )]
    BadClient {
        /// Whose client it was to be.
        issuer: String,
    },
    /// It wants clients to prove who they are in a way that is not supported here.
    #[error(
        "the authorization server {issuer} wants clients to prove who they are by `{method}`, which is not supported here"
    )]
    UnknownMethod {
        /// Its issuer identifier.
        issuer: String,
        /// The method, as it names it.
        method: String,
    },
    /// Who came back was not sent, or comes for the second time.
    #[error("this answer does not belong to the authorization that was begun: begin it again")]
    OtherState,
    /// The answer does not say whose it is, or is another's (RFC 9207 section 2.4).
    #[error("the answer says that it comes from “{theirs}”, and {issuer} was asked: it is not used")]
    AnswerOfAnother {
        /// Who was asked.
        issuer: String,
        /// Who it says it is from.
        theirs: String,
    },
    /// It promises to say whose its answers are, and this one does not (RFC 9207 section 2.4).
    #[error("the answer does not say that it comes from {issuer}, though it promises to: it is not used")]
    AnswerOfNobody {
        /// Who was asked.
        issuer: String,
    },
    /// The answer is neither a code nor an error.
    #[error("the answer of {issuer} has no code in it")]
    NoCode {
        /// Who was asked.
        issuer: String,
    },
    /// The person, or the authorization server, said no.
    #[error("{issuer} did not give access: {why}")]
    Declined {
        /// Who was asked.
        issuer: String,
        /// Its error code, such as `access_denied`.
        error: String,
        /// In its words.
        why: String,
    },
    /// The authorization server gave no token.
    #[error("{issuer} gave no token: {why}")]
    TokenRefused {
        /// Who was asked.
        issuer: String,
        /// Its error code, such as `invalid_grant`; empty if it gave none.
        error: String,
        /// In its words.
        why: String,
    },
    /// It did not take back what it gave (RFC 7009 section 2.2.1).
    #[error("{issuer} did not take back what it gave: {why}")]
    NotRevoked {
        /// Who gave it.
        issuer: String,
        /// In its words.
        why: String,
    },
    /// The token is not one that can be presented.
    #[error("{issuer} gave a token that cannot be used: {why}")]
    BadToken {
        /// Who was asked.
        issuer: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The access token is over, and there is nothing to renew it with.
    #[error("the access that {issuer} gave is over, and it gave nothing to renew it with")]
    NoRefresh {
        /// Who gave it.
        issuer: String,
    },
}

impl Error {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadAddress { .. } => "authorization_bad_address",
            Self::Unreachable { .. } | Self::Status { .. } => "authorization_unreachable",
            Self::Garbage { .. } => "authorization_garbage",
            Self::NoIssuer { .. } => "authorization_no_issuer",
            Self::OtherResource { .. } => "authorization_other_resource",
            Self::NoMetadata { .. } => "authorization_no_metadata",
            Self::OtherIssuer { .. } => "authorization_other_issuer",
            Self::NoPkce { .. } => "authorization_no_pkce",
            Self::NoCodes { .. } => "authorization_no_codes",
            Self::NotRegistered { .. } => "authorization_not_registered",
            Self::RegistrationRefused { .. } => "authorization_registration_refused",
            Self::ClientOfAnother { .. } => "authorization_client_of_another",
            Self::BadClient { .. } => "authorization_bad_client",
            Self::UnknownMethod { .. } => "authorization_unknown_method",
            Self::OtherState => "authorization_other_state",
            Self::AnswerOfAnother { .. } | Self::AnswerOfNobody { .. } => "authorization_answer_of_another",
            Self::NoCode { .. } => "authorization_no_code",
            Self::Declined { .. } => "authorization_declined",
            Self::TokenRefused { .. } => "authorization_token_refused",
            Self::NotRevoked { .. } => "authorization_not_revoked",
            Self::BadToken { .. } => "authorization_bad_token",
            Self::NoRefresh { .. } => "authorization_no_refresh",
        }
    }

    /// Whether it may be otherwise a moment later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }

    /// Whether a person has to connect again: what was granted is over, or was taken back (RFC 6749 section 5.2; the last two are what
    /// GitHub says instead).
    pub fn is_over(&self) -> bool {
        match self {
            Self::NoRefresh { .. } => true,
            Self::TokenRefused { error, .. } => {
                matches!(
                    error.as_str(),
                    "invalid_grant"
                        | "invalid_client"
                        | "unauthorized_client"
                        | "invalid_scope"
                        | "bad_refresh_token"
                        | "incorrect_client_credentials"
                )
            }
            _ => false,
        }
    }
}
