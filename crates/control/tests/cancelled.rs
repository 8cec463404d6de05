//! Whoever asks may go away in the middle: a browser that disconnects, a request whose time is over. What they had begun
//! must not be found by whoever gets the connection next.

use std::time::Duration;

use control::users::NewUser;
use testkit::TestWorld;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_is_dropped_leaves_no_transaction_behind() {
    let world = TestWorld::in_real_time().await;
    let slug = "acme".parse().unwrap();
    for round in 0..600_u64 {
        let asked = control::tenants::by_slug(&world.control, &slug);
        let _ = tokio::time::timeout(Duration::from_micros(20 + round * 3), asked).await;
    }
    // As many at a time as there are connections, so that each of them is used.
    let writing = (0..40).map(|n| {
        let new = NewUser {
            email: format!("person{n}@acme.example"),
            name: format!("Person {n}"),
            home_unit: world.tenant.unit,
            password: None,
            role: None,
        };
        control::users::create(&world.control, &world.operator, new)
    });
    for made in futures::future::join_all(writing).await {
        made.expect("a connection that writes is not in somebody's reading transaction");
    }
}
