//! Finds out of which era a server is, by asking it `server/discover`, which servers of the `initialize` era do not know
//! (2026-07-28, Versioning, Backward Compatibility). A call is never the probe: an older server might run it.

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::exchange::{Listening, Peer};
use super::request::{For, request};
use super::session::{SPOKEN, Server, Session};
use super::trouble::Trouble;
use super::{Ids, old_sse};
use crate::wire::{self, Revision};

#[derive(Deserialize)]
struct Discovered<'b> {
    #[serde(borrow, default, deserialize_with = "wire::present", rename = "supportedVersions")]
    versions: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "wire::present")]
    capabilities: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "wire::present", rename = "_meta")]
    meta: Option<&'b RawValue>,
}

#[derive(Default, Deserialize)]
struct Meta<'b> {
    #[serde(
        borrow,
        default,
        deserialize_with = "wire::present",
        rename = "io.modelcontextprotocol/serverInfo"
    )]
    server_info: Option<&'b RawValue>,
}

/// What an answer to the probe says.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Each request stands for itself.
    Stateless(Server),
    /// It opens sessions.
    Opens,
    /// It speaks 2026-07-28, and wants to be asked once more.
    Again(Trouble),
    /// It speaks nothing that we do.
    Unknown(String),
    /// It cannot be used, whatever its era.
    Trouble(Trouble),
}

/// Finds out how a server is spoken to, and opens a session if it wants one.
/// What clients can do, a session is opened with; of a
/// stateless server each request says it.
pub(crate) async fn open(
    peer: &Peer,
    ids: &Ids,
    asked: wire::Capabilities,
    deadline: Instant,
) -> Result<Session, Trouble> {
    if let Some(program) = &peer.program {
        // It is asked nothing before it is opened (2025-11-25, Lifecycle).
        let pipe = program.start(&peer.url, peer.limit).await?;
        return Session::open(peer, Some(pipe), ids.next(), asked, deadline).await;
    }
    let supposed = Session::stateless(Server::default());
    let mut asked_again = false;
    loop {
        let with = For { session: Some(&supposed), ..For::default() };
        let probe = request(ids.next(), "server/discover", None, b"", with);
        let answer = peer.ask(Some(&supposed), probe, Listening::default(), deadline).await;
        return match read(answer.map(|reply| reply.result)) {
            Found::Stateless(server) => Ok(Session::stateless(server)),
            Found::Opens => match Session::open(peer, None, ids.next(), asked, deadline).await {
                Err(trouble @ Trouble::Status { status: 400 | 404 | 405, .. }) => {
                    match old_sse::open(peer).await? {
                        Some(pipe) => Session::open(peer, Some(pipe), ids.next(), asked, deadline).await,
                        None => Err(trouble),
                    }
                }
                opened => opened,
            },
            Found::Again(_) if !asked_again => {
                asked_again = true;
                continue;
            }
            Found::Unknown(theirs) => Err(Trouble::UnknownRevision {
                url: peer.url.to_string(),
                theirs: theirs.chars().take(40).collect(),
            }),
            Found::Again(trouble) | Found::Trouble(trouble) => Err(trouble),
        };
    }
}

fn read(answer: Result<bytes::Bytes, Trouble>) -> Found {
    let trouble = match answer {
        Ok(result) => return read_result(&result),
        Err(trouble) => trouble,
    };
    if let Some(spoken) = trouble.spoken() {
        return match choose(&spoken) {
            Some(true) => Found::Again(trouble),
            Some(false) => Found::Opens,
            None => Found::Unknown(spoken.join(", ")),
        };
    }
    match &trouble {
        // It understood us, and the fault is ours; -32022 alone says nothing of what it speaks.
        Trouble::Refused { code, .. }
            if trouble.is_of_the_stateless_era() && *code != i64::from(wire::code::UNSUPPORTED_VERSION) =>
        {
            Found::Trouble(trouble)
        }
        // It does not know the method, or wants to be opened first.
        Trouble::Refused { .. } | Trouble::WrongEra { .. } | Trouble::NotMcp { .. } => Found::Opens,
        // Too often, or too slowly, says nothing about what it speaks.
        Trouble::Status { status: 408 | 429, .. } => Found::Trouble(trouble),
        Trouble::Status { status: 400..=499, .. } => Found::Opens,
        _ => Found::Trouble(trouble),
    }
}

fn read_result(result: &[u8]) -> Found {
    let Ok(said) = serde_json::from_slice::<&RawValue>(result) else { return Found::Opens };
    let Some(said) = wire::object::<Discovered<'_>>(said) else { return Found::Opens };
    // Some answer `{}` to whatever they are asked.
    let versions =
        said.versions.and_then(|versions| serde_json::from_str::<Vec<String>>(versions.get()).ok());
    let Some(versions) = versions else { return Found::Opens };
    match choose(&versions) {
        Some(true) => {
            let meta: Meta<'_> = said.meta.and_then(wire::object).unwrap_or_default();
            Found::Stateless(Server::of(Revision::V2026_07_28.word(), meta.server_info, said.capabilities))
        }
        Some(false) => Found::Opens,
        None => Found::Unknown(versions.join(", ")),
    }
}

/// Whether of these revisions the one to speak is stateless; none if we speak none of them.
fn choose(versions: &[String]) -> Option<bool> {
    let has = |word: &str| versions.iter().any(|version| version == word);
    if has(Revision::V2026_07_28.word()) {
        Some(true)
    } else {
        SPOKEN.iter().any(|word| has(word)).then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_answer_says_something_of_the_era() {
        let url = || "u".to_owned();
        let refused = |code: i64, data: serde_json::Value| {
            let raw = json!({"code": code, "message": "no", "data": data}).to_string();
            Err(Trouble::Refused { code, message: "no".to_owned(), raw: raw.into() })
        };
        let said = |result: serde_json::Value| Ok(Bytes::from(result.to_string()));
        let status = |status| Err(Trouble::Status { url: url(), status, phrase: "", hint: "" });
        let both = json!({"supported": ["2026-07-28", "2025-11-25"]});
        for (answer, found) in [
            (said(json!({"supportedVersions": ["2026-07-28"], "capabilities": {}})), "stateless"),
            (said(json!({"supportedVersions": ["2027-01-01", "2026-07-28", "2025-11-25"]})), "stateless"),
            (said(json!({"supportedVersions": ["2025-11-25"]})), "opens"),
            (said(json!({"supportedVersions": ["2031-01-01"]})), "unknown"),
            (said(json!({"supportedVersions": []})), "unknown"),
            (said(json!({"supportedVersions": "2026-07-28"})), "opens"),
            (said(json!({})), "opens"),
            (refused(-32022, both.clone()), "again"),
            (refused(-32022, json!({"supported": ["2026-07-28"]})), "again"),
            (refused(-32022, json!({"supported": ["2025-06-18"]})), "opens"),
            (refused(-32022, json!({"supported": ["v999"]})), "unknown"),
            (refused(-32022, json!(null)), "opens"),
            (refused(-32601, both), "opens"),
            (refused(-32020, json!(null)), "trouble"),
            (refused(-32021, json!({"requiredCapabilities": {"roots": {}}})), "trouble"),
            (refused(-32600, json!(null)), "opens"),
            (refused(-32602, json!(null)), "opens"),
            (refused(-32000, json!(null)), "opens"),
            (status(400), "opens"),
            (status(404), "opens"),
            (status(405), "opens"),
            (status(406), "opens"),
            (status(415), "opens"),
            (status(408), "trouble"),
            (status(429), "trouble"),
            (status(500), "trouble"),
            (status(503), "trouble"),
            (Err(Trouble::WrongEra { url: url() }), "opens"),
            (Err(Trouble::NotMcp { url: url(), why: String::new() }), "opens"),
            (Err(Trouble::Unauthorized { url: url(), status: 401, phrase: "", challenge: None }), "trouble"),
            (Err(Trouble::Unauthorized { url: url(), status: 403, phrase: "", challenge: None }), "trouble"),
            (Err(Trouble::Redirect { url: url(), to: url() }), "trouble"),
            (Err(Trouble::TimedOut { url: url(), seconds: 1 }), "trouble"),
            (Err(Trouble::BrokeOff { url: url() }), "trouble"),
            (Err(Trouble::TooLarge { url: url(), limit: 1 }), "trouble"),
            (Err(Trouble::NothingListens { authority: url() }), "trouble"),
        ] {
            let told = format!("{answer:?}");
            let read = match read(answer) {
                Found::Stateless(_) => "stateless",
                Found::Opens => "opens",
                Found::Again(_) => "again",
                Found::Unknown(_) => "unknown",
                Found::Trouble(_) => "trouble",
            };
            assert_eq!(read, found, "{told}");
        }
    }

    #[test]
    fn a_server_says_who_it_is_and_what_it_has() {
        let said = json!({"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}, "resources": {}},
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "n", "version": "v"}}});
        let Found::Stateless(server) = read(Ok(said.to_string().into())) else { panic!() };
        assert_eq!(
            (server.name.as_str(), server.version.as_str(), server.protocol.as_str()),
            ("n", "v", "2026-07-28")
        );
        assert_eq!((server.has_tools, server.has_prompts, server.has_resources), (true, false, true));
    }
}
