//! What servers ask of clients while they serve one of their requests (2025-11-25, Elicitation, Sampling, Roots). A question
//! goes out on the answer to the client's own request; what it answers comes as a message of its own, which must reach this
//! node: with several, clients are to be led by their `Mcp-Session-Id`.

use std::collections::HashMap;
use std::sync::Arc;

use model::CredentialId;
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use uuid::Uuid;

/// What a client answered: a result, or a JSON-RPC error.
pub(crate) type Said = Result<Box<RawValue>, Box<RawValue>>;

/// Questions that wait for their answers.
#[derive(Debug, Default)]
pub(crate) struct Correspondence(Mutex<HashMap<Uuid, Waiting>>);

#[derive(Debug)]
struct Waiting {
    of: CredentialId,
    answer: oneshot::Sender<Said>,
}

/// A question that waits. Once it is dropped, nobody can answer it.
#[derive(Debug)]
pub(crate) struct Question {
    id: Uuid,
    correspondence: Arc<Correspondence>,
    answer: oneshot::Receiver<Said>,
}

impl Correspondence {
    /// Asks whoever presents this credential. `id` is random: it is all that ties the answer to the question.
    pub(crate) fn ask(self: &Arc<Self>, id: Uuid, of: CredentialId) -> Question {
        let (sender, answer) = oneshot::channel();
        self.0.lock().insert(id, Waiting { of, answer: sender });
        Question { id, correspondence: Arc::clone(self), answer }
    }

    /// Takes an answer, by the raw text of the id that it names. What nobody asked for, or asked of somebody else, is passed
    /// over.
    pub(crate) fn answered(&self, id: &str, by: CredentialId, said: Result<&RawValue, &RawValue>) {
        let Some(id) = id.strip_prefix('"').and_then(|id| id.strip_suffix('"')) else { return };
        let Ok(id) = id.parse::<Uuid>() else { return };
        let mut waiting = self.0.lock();
        if waiting.get(&id).is_some_and(|waiting| waiting.of == by)
            && let Some(Waiting { answer, .. }) = waiting.remove(&id)
        {
            let _ = answer.send(said.map(ToOwned::to_owned).map_err(ToOwned::to_owned));
        }
    }
}

impl Question {
    /// The JSON text of its id.
    pub(crate) fn id(&self) -> String {
        format!("\"{}\"", self.id)
    }

    /// The answer. None: there will be none.
    pub(crate) async fn answer(&mut self) -> Option<Said> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.correspondence.0.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_was_asked_answers_once_and_nobody_else_does() {
        let correspondence = Arc::new(Correspondence::default());
        let (asked, other) = (CredentialId::from(Uuid::from_u128(1)), CredentialId::from(Uuid::from_u128(2)));
        let raw = serde_json::value::to_raw_value(&7).unwrap();
        let mut question = correspondence.ask(Uuid::from_u128(9), asked);
        let id = question.id();
        for (id, by) in [(id.as_str(), other), ("9", asked), ("\"x\"", asked), ("null", asked)] {
            correspondence.answered(id, by, Ok(&raw));
            assert_eq!(correspondence.0.lock().len(), 1, "{id}");
        }
        correspondence.answered(&id, asked, Err(&raw));
        correspondence.answered(&id, asked, Ok(&raw));
        assert_eq!(question.answer().await.unwrap().unwrap_err().get(), "7");
        drop(correspondence.ask(Uuid::from_u128(10), asked));
        assert!(correspondence.0.lock().is_empty());
    }
}
