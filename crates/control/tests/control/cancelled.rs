//! Whoever asks may go away in the middle: a browser that disconnects, a request whose time is over. What they had begun
//! must not be found by whoever gets the connection next.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use testkit::TestWorld;

/// Asks, and goes away after having been told to wait this many times.
async fn give_up_after<F: Future>(waits: usize, asked: F) {
    let mut asked = pin!(asked);
    let mut waited = 0;
    poll_fn(|context| match asked.as_mut().poll(context) {
        Poll::Pending if waited < waits => {
            waited += 1;
            Poll::Pending
        }
        _ => Poll::Ready(()),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_is_dropped_leaves_no_transaction_behind() {
    let world = TestWorld::in_real_time().await;
    let slug = "acme".parse().unwrap();
    for waits in 0..10 {
        // Every connection knows the statements, so that the first wait of one is for its answer.
        for _ in 0..3 {
            futures::future::join_all((0..40).map(|_| control::tenants::by_slug(&world.control, &slug)))
                .await;
        }
        // As many at a time as there are connections.
        let asked = (0..20).map(|_| give_up_after(waits, control::tenants::by_slug(&world.control, &slug)));
        futures::future::join_all(asked).await;
        // Given back connections are looked at first.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let writing = (0..20).map(|_| control::throttle::delete_expired(&world.control));
        for written in futures::future::join_all(writing).await {
            written.expect("a connection that writes is not in somebody's reading transaction");
        }
    }
}
