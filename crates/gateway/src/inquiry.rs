//! What a server of the `initialize` era asks while it works on a call of a client of 2026-07-28. That client is asked in the result of
//! its request, and answers with another one: what is asked waits here in between (`life::parked`).

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::correspondence::Said;
use crate::wire::Kind;

/// Questions of one call that wait to be looked at, at most.
const WAITING: usize = 32;

/// One question. Once it is dropped, its server hears that there is no answer.
#[derive(Debug)]
pub(crate) struct Inquiry {
    pub(crate) kind: Kind,
    /// The JSON text of an object.
    pub(crate) params: Bytes,
    pub(crate) answer: oneshot::Sender<Said>,
}

/// The questions of one call, as they are asked.
pub(crate) type Inquiries = mpsc::Receiver<Inquiry>;

/// Where a call's server asks.
#[derive(Clone, Debug)]
pub(crate) struct Inquirer(mpsc::Sender<Inquiry>);

impl Inquirer {
    /// Where it asks, and where that is heard.
    pub(crate) fn new() -> (Self, Inquiries) {
        let (sender, inquiries) = mpsc::channel(WAITING);
        (Self(sender), inquiries)
    }

    /// Asks. None: there is no answer, and will be none.
    pub(crate) async fn ask(&self, method: &str, params: &str) -> Option<Said> {
        let (answer, said) = oneshot::channel();
        let params = Bytes::copy_from_slice(params.as_bytes());
        self.0.send(Inquiry { kind: Kind::of(method)?, params, answer }).await.ok()?;
        said.await.ok()
    }
}
