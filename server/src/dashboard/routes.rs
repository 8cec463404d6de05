//! The route table: every address of the dashboard with what it takes, in a form that can be read back. A test attacks
//! each of them, and one that is added cannot be forgotten.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{get, post};
use http::Method;

use super::Dashboard;

/// One address and method.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Route {
    pub(super) method: Method,
    /// As axum has it: `/t/{tenant}/people/units/{unit}`.
    pub(super) path: String,
}

/// Routes, and the list of them.
pub(super) struct Routes {
    router: Router<Dashboard>,
    table: Vec<Route>,
}

impl Routes {
    pub(super) fn new() -> Self {
        Self { router: Router::new(), table: Vec::new() }
    }

    /// Reads.
    pub(super) fn get<H: Handler<T, Dashboard>, T: 'static>(self, path: &str, handler: H) -> Self {
        self.add(Method::GET, path, |router| router.route(path, get(handler)))
    }

    /// Changes something.
    pub(super) fn post<H: Handler<T, Dashboard>, T: 'static>(self, path: &str, handler: H) -> Self {
        self.add(Method::POST, path, |router| router.route(path, post(handler)))
    }

    /// Changes something, by a body that is larger than forms are.
    pub(super) fn post_up_to<H: Handler<T, Dashboard>, T: 'static>(
        self,
        path: &str,
        bytes: usize,
        handler: H,
    ) -> Self {
        self.add(Method::POST, path, |router| {
            router.route(path, post(handler).layer(DefaultBodyLimit::max(bytes)))
        })
    }

    /// These and those.
    pub(super) fn and(mut self, others: Self) -> Self {
        self.table.extend(others.table);
        Self { router: self.router.merge(others.router), table: self.table }
    }

    fn add(
        mut self,
        method: Method,
        path: &str,
        route: impl FnOnce(Router<Dashboard>) -> Router<Dashboard>,
    ) -> Self {
        self.table.push(Route { method, path: path.to_owned() });
        Self { router: route(self.router), table: self.table }
    }

    /// What answers.
    pub(super) fn into_router(self) -> Router<Dashboard> {
        self.router
    }

    /// What there is.
    #[cfg(test)]
    pub(super) fn table(&self) -> &[Route] {
        &self.table
    }
}
