//! Who each message of a pipe goes to, and when it is over.

use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::*;

/// Says what it is told to say, and takes what it is told.
struct Fake(mpsc::Receiver<Bytes>);

impl Source for Fake {
    async fn next(&mut self) -> Result<Vec<Bytes>, Trouble> {
        let url = || "fake".to_owned();
        self.0.recv().await.map(|message| vec![message]).ok_or_else(|| Trouble::BrokeOff { url: url() })
    }

    async fn end(self, trouble: Option<Trouble>) -> Option<Trouble> {
        trouble
    }
}

struct World {
    pipe: Arc<Pipe>,
    says: mpsc::Sender<Bytes>,
    hears: mpsc::Receiver<Line>,
}

impl World {
    fn new() -> Self {
        let (says, said) = mpsc::channel(64);
        let (lines, hears) = mpsc::channel(64);
        let idle = Duration::from_secs(60);
        let pipe = Pipe::new("fake".into(), Out::Child(lines), Fake(said), in_use(), idle);
        Self { pipe, says, hears }
    }

    async fn says(&self, message: Value) {
        self.says.send(message.to_string().into()).await.unwrap();
    }

    async fn answer(&mut self, method: Method, body: Value) -> Response<Answer> {
        let text = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let mut request = Request::new(Outgoing::any_time(text));
        *request.method_mut() = method;
        let answering = self.pipe.answer(request);
        tokio::pin!(answering);
        loop {
            tokio::select! {
                answer = &mut answering => return answer.unwrap(),
                Some(line) = self.hears.recv() => drop(line),
            }
        }
    }

    async fn ask(&mut self, id: u64) -> Response<Answer> {
        self.answer(Method::POST, json!({"jsonrpc": "2.0", "id": id, "method": "tools/call"})).await
    }
}

async fn next(answer: &mut Response<Answer>) -> Value {
    let frame = tokio::time::timeout(Duration::from_secs(5), answer.body_mut().frame()).await.unwrap();
    let piece = frame.unwrap().unwrap().into_data().unwrap();
    let text = std::str::from_utf8(&piece).unwrap().trim();
    serde_json::from_str(text.strip_prefix("data: ").unwrap()).unwrap()
}

#[tokio::test]
async fn each_message_goes_to_whom_it_belongs() {
    let mut world = World::new();
    let question = json!({"jsonrpc": "2.0", "id": "r", "method": "roots/list"});
    world.says(question.clone()).await;
    tokio::task::yield_now().await;
    let (mut one, mut two) = (world.ask(1).await, world.ask(2).await);
    let mut aside = world.answer(Method::GET, Value::Null).await;
    assert_eq!(next(&mut one).await, question, "it has waited for somebody who can be asked");
    let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x"}});
    let progress =
        json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1}});
    let answer = |id: u64| json!({"jsonrpc": "2.0", "id": id, "result": {}});
    for message in [&changed, &log, &progress, &question, &answer(7), &answer(2), &answer(1)] {
        world.says(message.clone()).await;
    }
    assert_eq!([next(&mut aside).await, next(&mut aside).await], [changed, log], "they belong to no call");
    assert_eq!([next(&mut two).await, next(&mut two).await], [question, answer(2)]);
    assert_eq!([next(&mut one).await, next(&mut one).await], [progress, answer(1)]);
    assert!(one.body_mut().frame().await.is_none() && two.body_mut().frame().await.is_none());
}

#[tokio::test]
async fn what_breaks_off_fails_all_who_wait_and_takes_no_more() {
    let mut world = World::new();
    let (mut one, mut two) = (world.ask(1).await, world.ask(2).await);
    let mut aside = world.answer(Method::GET, Value::Null).await;
    world.says = mpsc::channel(1).0;
    for answer in [&mut one, &mut two] {
        let failed = answer.body_mut().frame().await.unwrap().unwrap_err();
        assert_eq!(failed.to_string(), "the server at fake broke off before its answer was complete");
    }
    assert!(aside.body_mut().frame().await.is_none());
    assert_eq!(world.ask(3).await.status(), StatusCode::NOT_FOUND);
    let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(world.answer(Method::POST, told).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(world.answer(Method::GET, Value::Null).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn it_ends_with_whoever_has_it_and_when_it_is_left() {
    let World { pipe, says, hears: _hears } = World::new();
    drop(pipe);
    says.closed().await;
    let mut world = World::new();
    assert_eq!(world.answer(Method::DELETE, Value::Null).await.status(), StatusCode::OK);
    world.says.closed().await;
}
