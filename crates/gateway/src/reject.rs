//! Requests that never became calls are recorded too, once it is known whose endpoint they reached.

use std::net::IpAddr;

use http::StatusCode;
use model::call::Rejection;
use model::{CredentialId, TenantId};

use crate::gateway::House;

/// Records that a request was turned away.
pub(crate) fn record(
    house: &House,
    tenant: TenantId,
    code: &'static str,
    status: StatusCode,
    credential: Option<CredentialId>,
    address: Option<IpAddr>,
) {
    let at = house.ambient.now();
    tracing::info!(target: "call", %tenant, rejected = code, status = status.as_u16());
    house.plugs.ledger.reject(Rejection {
        id: house.ambient.id_at(at),
        tenant,
        at,
        code,
        status: status.as_u16(),
        credential,
        address,
    });
}
