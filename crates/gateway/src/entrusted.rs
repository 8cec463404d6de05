//! A call that a person makes as one of their agents, from the dashboard: no key is presented, since the house has
//! authorized the person to act as the agent. From there on it is a call like any other: decided, admitted, executed and
//! settled by the same life.

use bytes::Bytes;
use model::call::Client;
use model::{CallId, CredentialId, McpId, Timestamp};
use tokio::time::Instant;

use crate::gateway::Gateway;
use crate::life::{self, Ask, Input, NotSeen, Presented, Proof, Received, Told};
use crate::wire::{self, Answer, Capabilities, Flaw};

/// Such a call. Whoever makes one has checked that the person may act as the credential's agent.
#[derive(Debug, Clone)]
pub struct Entrusted {
    /// The organization's endpoint.
    pub endpoint: McpId,
    /// As which credential: its agent, the person it acts for, its end and its addresses all hold.
    pub credential: CredentialId,
    /// The call's id, made at `at`.
    pub call: CallId,
    /// When the person asked for it.
    pub at: Timestamp,
    /// The tool's full name, `crm.list_companies`.
    pub tool: String,
    /// The JSON text of an object.
    pub arguments: Bytes,
    /// What is recorded of the client, with the person's address.
    pub client: Client,
}

/// Why there is no such call on record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotMade {
    /// The arguments are no object that two readers would read alike.
    #[error("the arguments are not taken: {0}")]
    Malformed(#[from] Flaw),
    /// The arguments are no JSON object, or too large.
    #[error("the arguments must be one JSON object of at most {limit} bytes")]
    NotAnObject {
        /// How large it may be.
        limit: usize,
    },
    /// The credential is not in force any more.
    #[error("the agent's key has been revoked")]
    Revoked,
    /// It could not be decided or written down, so nothing was done.
    #[error("{sentence}")]
    NotRecorded {
        /// What stands in the way and what to do.
        sentence: String,
    },
}

impl Gateway {
    /// Makes the call. When it returns `Ok`, the call is on record under its id with what was decided and, if it was
    /// permitted, what came of it.
    ///
    /// # Errors
    /// When there is nothing on record: nothing was done.
    pub async fn call_as(&self, entrusted: Entrusted) -> Result<(), NotMade> {
        let house = self.house();
        let limit = house.settings.max_body_bytes;
        let arguments = entrusted.arguments;
        if !arguments.starts_with(b"{") || arguments.len() > limit {
            return Err(NotMade::NotAnObject { limit });
        }
        wire::check_strictly(&arguments, house.settings.max_depth)?;
        let started = Instant::now();
        let deadline = started + house.settings.request_timeout;
        let presented = Presented {
            endpoint: entrusted.endpoint,
            bundle: None,
            proof: Proof::Entrusted(entrusted.credential),
            address: entrusted.client.address,
        };
        let directory = life::current(house, presented.endpoint, deadline).await.map_err(not_recorded)?;
        let caller = match life::look(house, directory, &presented, deadline).await {
            Ok(caller) => caller,
            Err(NotSeen::Unknown { .. } | NotSeen::NoBundle { .. }) => return Err(NotMade::Revoked),
            Err(NotSeen::Failed(answer)) => return Err(not_recorded(answer)),
        };
        let told = Told {
            presented,
            client: entrusted.client,
            started,
            deadline,
            revision: None,
            conduit: None,
            capabilities: Capabilities::default(),
            mirrored: None,
            subscribing: None,
        };
        let Entrusted { call, at, tool, .. } = entrusted;
        let received = Received::known(call, at, told, Ask::Call, &tool, Some(arguments), Input::default());
        let answer = Box::pin(life::live(house, received, caller)).await;
        // Whatever is answered about a call on record names it.
        match &answer.said {
            Ok(_) => Ok(()),
            Err(error) if error.has("call_id") => Ok(()),
            Err(_) => Err(not_recorded(answer)),
        }
    }
}

fn not_recorded(answer: Answer) -> NotMade {
    let sentence = match answer.said {
        Err(error) => error.message.into_owned(),
        Ok(_) => String::new(),
    };
    NotMade::NotRecorded { sentence }
}
