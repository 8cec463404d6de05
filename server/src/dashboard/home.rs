//! The front page, and the stream of its last hour.

use std::time::Duration;

use app::data;
use app::document::Notice;
use app::wording::Clock;
use axum::extract::State;
use axum::response::sse::Event;
use axum::response::{Html, Response};
use futures::stream;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, sleep, sleep_until, timeout};

use super::live::{self, Gone};
use super::refusal::Refusal;
use super::routes::Routes;
use super::session::{self, Person};
use super::{Dashboard, form};

/// Figures are sent at most this often, however much happens.
const APART: Duration = Duration::from_secs(2);
/// And at least this often: calls come through other nodes, and an hour moves on by itself.
const UNHEARD: Duration = Duration::from_secs(10);

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}", home)
        .get("/t/{tenant}/now", now)
        .post("/t/{tenant}/first-steps/hide", hide_first_steps)
}

/// `/t/{tenant}`
async fn home(State(dashboard): State<Dashboard>, person: Person) -> Result<Html<String>, Refusal> {
    Ok(Html(data::home::page(&dashboard.control, &person.actor, &person.visit).await?))
}

/// Puts the first steps away.
async fn hide_first_steps(State(dashboard): State<Dashboard>, person: Person) -> Result<Response, Refusal> {
    control::home::hide_first_steps(&dashboard.control, &person.actor).await?;
    let notice = Notice::new("The first steps are hidden. Everything they lead to is in the menu.");
    form::done(&person, notice, &person.links.home()).await
}

/// The last hour as it moves on: events `now`, each the whole of it; `end` when there is nothing more to come back for.
async fn now(
    State(dashboard): State<Dashboard>,
    person: Result<Person, Refusal>,
) -> Result<Response, Refusal> {
    let person = match person {
        Ok(person) => person,
        // A browser would take a redirect for a failure and try again for ever.
        Err(Refusal::SignIn { .. }) => return Ok(live::events(stream::iter([Ok(live::end())]))),
        Err(other) => return Err(other),
    };
    let place = dashboard.watchers.enter(person.who.user).ok_or(Refusal::TooManyWatchers)?;
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(async move {
        let _place = place;
        let _ = timeout(live::LONGEST, Box::pin(follow(dashboard, person, sender))).await;
    });
    let told =
        stream::unfold(receiver, |mut receiver| async move { Some((Ok(receiver.recv().await?), receiver)) });
    Ok(live::events(told))
}

async fn follow(dashboard: Dashboard, person: Person, sender: mpsc::Sender<Event>) -> Result<(), Gone> {
    let control = &dashboard.control;
    let Person { actor, links, who, session, visit } = person;
    let Some(id) = session.id() else { return Err(Gone) };
    let mut beats = control.pulse().watch(actor.tenant());
    let mut checking = interval_at(Instant::now() + live::RECHECK, live::RECHECK);
    // Figures at once: calls may have come between the page and this stream, or while the page was not seen.
    loop {
        beats.borrow_and_update();
        let clock = Clock { now: control.ambient().now(), zone: visit.site.zone };
        let Ok(html) = data::home::figures(control, &actor, &links, clock).await else { return Ok(()) };
        live::send(&sender, Event::default().event("now").data(html)).await?;

        let unheard = Instant::now() + UNHEARD;
        tokio::select! {
            () = sleep(APART) => {}
            () = dashboard.stop.cancelled() => return Ok(()),
            () = sender.closed() => return Err(Gone),
        }
        // A check in between neither takes a beat for heard nor puts the next figures off.
        loop {
            tokio::select! {
                // With nobody to beat there is only time.
                Ok(()) = beats.changed() => break,
                () = sleep_until(unheard) => break,
                _ = checking.tick() => match session::still(&dashboard, id, &who).await {
                    Ok(Some(now)) if now.roles() == actor.roles() => {}
                    // Other rights: the browser comes back and is judged anew.
                    Ok(Some(_)) => return Ok(()),
                    Ok(None) => return live::send(&sender, live::end()).await,
                    // It cannot be told whether they still may: then they may not.
                    Err(_) => return Ok(()),
                },
                () = dashboard.stop.cancelled() => return Ok(()),
                () = sender.closed() => return Err(Gone),
            }
        }
    }
}
