//! Live lists: what appears, and when a stream ends.

use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use futures::{Stream, StreamExt as _};
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use tokio::time::timeout;

use super::Browser;

#[tokio::test]
async fn a_call_appears_live_and_only_in_lists_that_want_it() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let mut all =
        events(browser.send(Request::get("/t/acme/activity/live").body(Body::empty()).unwrap()).await);
    let mut denied = events(
        browser.send(Request::get("/t/acme/activity/live?verdict=deny").body(Body::empty()).unwrap()).await,
    );
    let begins = next(&mut all).await;
    assert!(
        begins.contains("event: all") && begins.contains("data: <"),
        "browsers drop events without data: {begins}"
    );
    assert!(next(&mut denied).await.contains("event: all"));
    let (_ledger, ids) = browser.calls(&["notes.read_note", "notes.write_note"]).await;
    let mut seen = String::new();
    while !ids.iter().all(|id| seen.contains(&format!("id=\"{id}\""))) {
        seen.push_str(&next(&mut all).await);
    }
    assert!(seen.contains("event: calls") && seen.contains("<tr "));
    let seen = next(&mut denied).await;
    assert!(seen.contains(&ids[1].to_string()) && !seen.contains(&ids[0].to_string()));

    // When the server stops, streams end by themselves.
    browser.stop.cancel();
    while let Ok(Some(_)) = timeout(Duration::from_secs(5), all.next()).await {}
}

type Events = Pin<Box<dyn Stream<Item = String> + Send>>;

fn events(response: Response<Body>) -> Events {
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers().get(CONTENT_TYPE).unwrap(), "text/event-stream");
    let data = response.into_body().into_data_stream();
    Box::pin(data.map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap()))
}

async fn next(events: &mut Events) -> String {
    let seen = timeout(Duration::from_secs(10), events.next()).await;
    seen.expect("an event within ten seconds").expect("the stream goes on")
}

#[tokio::test]
async fn a_stream_without_a_session_says_so_and_ends() {
    let mut browser = Browser::new().await;
    let response = browser.send(Request::get("/t/acme/activity/live").body(Body::empty()).unwrap()).await;
    let mut stream = events(response);
    assert!(next(&mut stream).await.contains("event: end"));
    assert!(stream.next().await.is_none());
    browser.sign_in().await;
    for query in ["?verdict=perhaps", "?before=call_00000000000000000000000000000001", "?to=2026-01-01T00:00"]
    {
        assert_eq!(
            browser.get(&format!("/t/acme/activity/live{query}")).await.status,
            StatusCode::BAD_REQUEST
        );
    }
}

#[tokio::test]
async fn a_stream_ends_when_the_session_does() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let mut stream =
        events(browser.send(Request::get("/t/acme/activity/live").body(Body::empty()).unwrap()).await);
    next(&mut stream).await;
    browser.post("/sign-out", &[]).await;
    let mut said = String::new();
    while let Ok(Some(chunk)) = timeout(Duration::from_secs(15), stream.next()).await {
        said.push_str(&chunk);
    }
    assert!(said.contains("event: end"), "{said}");
}
