//! Counters of this process, fetched by Prometheus from an internal address. No tenant, person or tool is named here:
//! that is what the ledger is for.
//!
//! `mcp_server_operation_duration_seconds` follows OpenTelemetry's conventions for the Model Context Protocol.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use control::ledger::Ledger;
use http::{StatusCode, header};
use model::call::{NotAdmitted, Outcome, Verdict};
use model::limit::{OfWhat, Per, Scope, Whose};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// One disk's sync and a half to where callers give up.
const ADMISSION: [f64; 12] = [0.0005, 0.001, 0.002, 0.004, 0.006, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0, 10.0];
/// As OpenTelemetry advises for MCP operations, in seconds.
const OPERATION: [f64; 12] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Admitted {
    verdict: &'static str,
    answer: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    mcp_method_name: &'static str,
    /// How it ended, unless well.
    error_type: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Rejected {
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Read {
    result: &'static str,
}

/// A kind of limit: nobody and nothing is named that it is of.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Limited {
    /// Whose calls it counts: `everybody`, `each_agent`, `unit`, `each_agent_of_unit`, `agent`.
    whose: &'static str,
    /// Calls of what: `everything`, `module`, `tool`.
    what: &'static str,
    /// `rate` (by second, minute or hour) or `quota` (by day or month).
    kind: &'static str,
}

impl Limited {
    fn of(scope: Scope, per: Per) -> Self {
        let whose = match (scope.whose, scope.each_agent) {
            (Whose::Everybody, false) => "everybody",
            (Whose::Everybody, true) => "each_agent",
            (Whose::Unit(_), false) => "unit",
            (Whose::Unit(_), true) => "each_agent_of_unit",
            (Whose::Agent(_), _) => "agent",
        };
        let what = match scope.what {
            OfWhat::Everything => "everything",
            OfWhat::Module(_) => "module",
            OfWhat::Tool(_) => "tool",
        };
        Self { whose, what, kind: if per.is_quota() { "quota" } else { "rate" } }
    }
}

/// What is counted. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: parking_lot::RwLock<Registry>,
    admissions: Family<Admitted, Counter>,
    admission: Histogram,
    operations: Family<Ended, Histogram>,
    rejections: Family<Rejected, Counter>,
    reads: Family<Read, Counter>,
    limits: Family<Limited, Counter>,
}

impl Metrics {
    /// All at nothing.
    pub(crate) fn new() -> Self {
        let inner = Inner {
            registry: parking_lot::RwLock::new(Registry::default()),
            admissions: Family::default(),
            admission: Histogram::new(ADMISSION),
            operations: Family::new_with_constructor(|| Histogram::new(OPERATION)),
            rejections: Family::default(),
            reads: Family::default(),
            limits: Family::default(),
        };
        {
            let mut registry = inner.registry.write();
            registry.register(
                "workingagents_admissions",
                "Calls by what policy said of them and what the ledger answered",
                inner.admissions.clone(),
            );
            registry.register_with_unit(
                "workingagents_admission_duration",
                "How long calls waited until their record was durable",
                Unit::Seconds,
                inner.admission.clone(),
            );
            registry.register_with_unit(
                "mcp_server_operation_duration",
                "How long admitted calls took from request to reply, by how they ended",
                Unit::Seconds,
                inner.operations.clone(),
            );
            registry.register(
                "workingagents_rejections",
                "Requests that never became calls, by why",
                inner.rejections.clone(),
            );
            registry.register(
                "workingagents_directory_reads",
                "Times a newer directory was asked for, by what came of it",
                inner.reads.clone(),
            );
            registry.register(
                "workingagents_limits_reached",
                "Calls that were refused for a limit, by what kind of limit it is",
                inner.limits.clone(),
            );
        }
        Self { inner: Arc::new(inner) }
    }

    /// A call was admitted or refused by the ledger.
    pub(crate) fn admission<T>(&self, verdict: Verdict, answer: Result<&T, &NotAdmitted>, took: Duration) {
        let answer = match answer {
            Ok(_) => "recorded",
            Err(NotAdmitted::Stale { .. }) => "stale",
            Err(NotAdmitted::Expired) => "expired",
            Err(NotAdmitted::Exists) => "exists",
            Err(NotAdmitted::Unavailable) => "unavailable",
        };
        self.inner.admissions.get_or_create(&Admitted { verdict: verdict.word(), answer }).inc();
        self.inner.admission.observe(took.as_secs_f64());
    }

    /// An admitted call ended.
    pub(crate) fn settlement(&self, outcome: Outcome, took: Duration) {
        // An empty label is no label.
        let error_type = if outcome == Outcome::Succeeded { "" } else { outcome.word() };
        let ended = Ended { mcp_method_name: "tools/call", error_type };
        self.inner.operations.get_or_create(&ended).observe(took.as_secs_f64());
    }

    /// A request did not become a call.
    pub(crate) fn rejection(&self, code: &'static str) {
        self.inner.rejections.get_or_create(&Rejected { code }).inc();
    }

    /// A call was refused for a limit.
    pub(crate) fn limit_reached(&self, scope: Scope, per: Per) {
        self.inner.limits.get_or_create(&Limited::of(scope, per)).inc();
    }

    /// A directory was asked for.
    pub(crate) fn directory_read(&self, result: &'static str) {
        self.inner.reads.get_or_create(&Read { result }).inc();
    }

    /// Tells from now on how much waits in a ledger.
    pub(crate) fn watch(&self, ledger: Ledger) {
        self.inner.registry.write().register_collector(Box::new(Depth { ledger }));
    }

    /// `/metrics`, in the OpenMetrics text format.
    pub(crate) fn router(&self) -> Router {
        Router::new().route("/metrics", get(show)).with_state(self.clone())
    }
}

async fn show(State(metrics): State<Metrics>) -> impl IntoResponse {
    let mut page = String::new();
    match text::encode(&mut page, &metrics.inner.registry.read()) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (StatusCode::OK, [(header::CONTENT_TYPE, kind)], page).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What waits in the ledger at the moment of asking.
#[derive(Debug)]
struct Depth {
    ledger: Ledger,
}

impl Collector for Depth {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (admissions, settlements) = self.ledger.depth();
        let whats = [
            (
                "workingagents_admissions_waiting",
                "Calls that wait to be written down before they run",
                admissions,
            ),
            ("workingagents_settlements_waiting", "Ended calls that wait to be written down", settlements),
        ];
        for (name, what, count) in whats {
            let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, what, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_shown() {
        let metrics = Metrics::new();
        metrics.admission(Verdict::Permit, Ok(&()), Duration::from_millis(3));
        metrics.admission::<()>(Verdict::Deny, Err(&NotAdmitted::Unavailable), Duration::from_millis(3));
        metrics.settlement(Outcome::ToolError, Duration::from_millis(30));
        metrics.rejection("malformed_json");
        metrics.directory_read("read");
        let all = |whose, what, each_agent| Scope { whose, what, each_agent };
        let id = testkit::test_ambient(1).0.random_uuid();
        metrics.limit_reached(all(Whose::Everybody, OfWhat::Everything, false), Per::Month);
        metrics.limit_reached(all(Whose::Everybody, OfWhat::Module(id.into()), true), Per::Second);
        metrics.limit_reached(all(Whose::Unit(id.into()), OfWhat::Everything, true), Per::Minute);
        for _ in 0..2 {
            metrics.limit_reached(all(Whose::Unit(id.into()), OfWhat::Everything, false), Per::Hour);
        }
        metrics.limit_reached(all(Whose::Agent(id.into()), OfWhat::Tool(id.into()), false), Per::Day);
        let mut page = String::new();
        text::encode(&mut page, &metrics.inner.registry.read()).unwrap();
        for line in [
            r#"workingagents_admissions_total{verdict="permit",answer="recorded"} 1"#,
            r#"workingagents_admissions_total{verdict="deny",answer="unavailable"} 1"#,
            r#"workingagents_admission_duration_seconds_bucket{le="0.004"} 2"#,
            r#"mcp_server_operation_duration_seconds_bucket{le="0.05",mcp_method_name="tools/call",error_type="tool_error"} 1"#,
            r#"workingagents_rejections_total{code="malformed_json"} 1"#,
            r#"workingagents_directory_reads_total{result="read"} 1"#,
            r#"workingagents_limits_reached_total{whose="everybody",what="everything",kind="quota"} 1"#,
            r#"workingagents_limits_reached_total{whose="each_agent",what="module",kind="rate"} 1"#,
            r#"workingagents_limits_reached_total{whose="each_agent_of_unit",what="everything",kind="rate"} 1"#,
            r#"workingagents_limits_reached_total{whose="unit",what="everything",kind="rate"} 2"#,
            r#"workingagents_limits_reached_total{whose="agent",what="tool",kind="quota"} 1"#,
        ] {
            assert!(page.lines().any(|shown| shown == line), "{line}\nis not in\n{page}");
        }
        // Whom and what limits are of is for the record.
        assert!(!page.contains(&id.to_string()) && !page.contains(&id.simple().to_string()));
    }
}
