//! An invited person's link. Opening it changes nothing; joining is a form.

use app::links::Links;
use app::pages::people::join as page;
use app::pieces::form::Form;
use axum::extract::{Extension, Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use control::invitations::{self, Standing};
use http::StatusCode;
use model::Zone;
use secrecy::SecretString;
use tower_sessions::Session;

use crate::dashboard::Dashboard;
use crate::dashboard::form::{self, Typed, again};
use crate::dashboard::headers::Nonce;
use crate::dashboard::refusal::Refusal;
use crate::dashboard::routes::Routes;
use crate::dashboard::session::{self, Caller};

pub(super) fn routes() -> Routes {
    Routes::new().get("/join/{token}", opened).post("/join/{token}", join)
}

async fn opened(
    State(dashboard): State<Dashboard>,
    Extension(nonce): Extension<Nonce>,
    Path(token): Path<String>,
) -> Result<Response, Refusal> {
    shown(&dashboard, &nonce, &token).await
}

/// How the link stands, as a page.
async fn shown(dashboard: &Dashboard, nonce: &Nonce, token: &str) -> Result<Response, Refusal> {
    let standing = invitations::opened(&dashboard.control, token).await?;
    let status = match standing {
        Standing::Open(_) | Standing::Here { .. } => StatusCode::OK,
        Standing::Over => StatusCode::GONE,
        Standing::Unknown => StatusCode::NOT_FOUND,
    };
    let page = page::page(&dashboard.site(nonce, Zone::UTC), token, &standing, &Form::default());
    Ok((status, Html(page)).into_response())
}

async fn join(
    State(dashboard): State<Dashboard>,
    Extension(nonce): Extension<Nonce>,
    Path(token): Path<String>,
    session: Session,
    caller: Caller,
    typed: Typed,
) -> Result<Response, Refusal> {
    let control = &dashboard.control;
    let password = SecretString::from(typed.text("password"));
    match invitations::accept(control, &token, typed.text("name"), &password).await {
        Ok(joined) => {
            let place = Links::of(joined.slug.clone()).home();
            let shown = session::Shown {
                tenant: joined.tenant,
                slug: joined.slug,
                user: joined.user,
                stamp: joined.stamp,
            };
            session::begin(&session, shown, caller, control.ambient().now()).await?;
            Ok(Redirect::to(&place).into_response())
        }
        // Not good any more: the page says why.
        Err(control::Error::NotFound { .. }) => shown(&dashboard, &nonce, &token).await,
        Err(error) => {
            let wrong = typed.wrong(form::errors(error)?);
            let standing = invitations::opened(control, &token).await?;
            Ok(again(page::page(&dashboard.site(&nonce, Zone::UTC), &token, &standing, &wrong)))
        }
    }
}
