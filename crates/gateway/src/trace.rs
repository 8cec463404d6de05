//! Traces of calls (W3C Trace Context; 2026-07-28, Overview, Distributed Tracing Conventions; OpenTelemetry's conventions for the Model Context
//! Protocol). A client's trace goes on to the upstream server, and what a call was is told to whoever gathers traces, when it has ended.
//! Nothing on the path of a call waits for that. Of a trace its id alone is passed on: `tracestate` and `baggage` are text that would leave
//! without being on record.

use std::time::Duration;

use model::{AgentId, Ambient, CallId, TenantId, Timestamp};

use crate::seams::Traces;

/// Sampled (W3C Trace Context 3.2.2.5.1).
const SAMPLED: u8 = 1;

/// A trace, 16 bytes of which not all are zero.
pub type TraceId = [u8; 16];
/// A part of one, 8 bytes of which not all are zero.
pub type SpanId = [u8; 8];

/// What a client says of the trace that its request is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    trace: TraceId,
    span: SpanId,
    is_sampled: bool,
}

impl Parent {
    /// Reads a `traceparent`. None: it is none, and the request is part of no trace.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (version, rest) = text.split_once('-')?;
        let (trace, rest) = rest.split_once('-')?;
        let (span, rest) = rest.split_once('-')?;
        // Later versions may say more after the flags.
        let (flags, more) = rest.split_once('-').map_or((rest, None), |(flags, more)| (flags, Some(more)));
        let [version] = bytes::<1>(version)?;
        if version == 0xff || (version == 0 && more.is_some()) {
            return None;
        }
        let (trace, span, [flags]) = (bytes(trace)?, bytes(span)?, bytes::<1>(flags)?);
        let is_any = trace != [0; 16] && span != [0; 8];
        is_any.then_some(Self { trace, span, is_sampled: flags & SAMPLED != 0 })
    }
}

/// Lower-case hexadecimal digits, two for each byte.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    let is_lower = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    (is_lower && hex::decode_to_slice(text, &mut out).is_ok()).then_some(out)
}

/// The trace that a call is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    id: TraceId,
    is_sampled: bool,
    parent: Option<SpanId>,
    /// The call's own part and that of its server, where they are told. Else the server's part hangs on the client's.
    told: Option<(SpanId, SpanId)>,
}

impl Trace {
    /// Goes on with the client's, or begins one where traces are gathered. Who gathers decides which; a client may only ask that its own is left out.
    pub(crate) fn of(parent: Option<Parent>, traces: &dyn Traces, ambient: &Ambient) -> Option<Self> {
        let gathers = traces.is_on();
        let (id, is_wanted) = match parent {
            Some(parent) => (parent.trace, parent.is_sampled),
            None if gathers => (ambient.bytes(), true),
            None => return None,
        };
        let is_told = gathers && is_wanted && traces.samples(&id);
        let told = is_told.then(|| (ambient.bytes(), ambient.bytes()));
        let is_sampled = parent.map_or(is_told, |parent| parent.is_sampled);
        Some(Self { id, is_sampled, parent: parent.map(|parent| parent.span), told })
    }

    /// For another call of the same request: beside the first one.
    pub(crate) fn again(self, ambient: &Ambient) -> Self {
        Self { told: self.told.map(|_| (ambient.bytes(), ambient.bytes())), ..self }
    }

    /// The `traceparent` that its server is told. None: it is part of nothing that anybody knows.
    pub(crate) fn for_server(&self) -> Option<String> {
        let span = self.told.map(|(_, below)| below).or(self.parent)?;
        let flags = if self.is_sampled { SAMPLED } else { 0 };
        Some(format!("00-{}-{}-{flags:02x}", hex::encode(self.id), hex::encode(span)))
    }

    /// The call's part of it, where that is told.
    pub(crate) fn told(&self) -> Option<Part> {
        self.told.map(|(own, below)| Part { trace: self.id, parent: self.parent, own, below })
    }

    /// Its id, in hexadecimal digits.
    pub(crate) fn id(&self) -> String {
        hex::encode(self.id)
    }
}

/// Where a call stands in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The trace.
    pub trace: TraceId,
    /// The client's part of it, if it named one.
    pub parent: Option<SpanId>,
    /// The call's.
    pub own: SpanId,
    /// Its server's, below it.
    pub below: SpanId,
}

/// What is told of a call that has ended. No arguments, no results, no names of people.
#[derive(Clone, Debug)]
pub struct Traced {
    /// Where it stands.
    pub part: Part,
    /// The method, such as `tools/call`.
    pub method: &'static str,
    /// What was asked for, by the name that agents use.
    pub target: std::sync::Arc<str>,
    /// The protocol revision that the client speaks; none where it did not come over the wire.
    pub revision: Option<&'static str>,
    /// Its id on record.
    pub call: CallId,
    /// Whose.
    pub tenant: TenantId,
    /// By which agent.
    pub agent: AgentId,
    /// When it was received.
    pub at: Timestamp,
    /// From then to its end.
    pub took: Duration,
    /// What was decided: `permit`, `deny`, `hold`.
    pub verdict: &'static str,
    /// Why it did not go well, in a stable word.
    pub error: Option<String>,
    /// When it was sent to its server, measured from `at`, and how long that took; none: it was not sent.
    pub upstream: Option<(Duration, Duration)>,
}

/// Gathers nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTraces;

impl Traces for NoTraces {
    fn is_on(&self) -> bool {
        false
    }

    fn samples(&self, _: &TraceId) -> bool {
        false
    }

    fn ended(&self, _: Traced) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering};

    use model::ambient::{Clock, Entropy};
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Default)]
    struct Counts(AtomicU8);

    impl Clock for Counts {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }

        fn since_boot(&self) -> Duration {
            Duration::ZERO
        }
    }

    impl Entropy for Counts {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, Ordering::Relaxed) + 1);
        }
    }

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_parent_is_read_as_it_is_written_and_nothing_else_is() {
        let parent = Parent::read(TEXT).unwrap();
        assert_eq!(hex::encode(parent.trace), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!((hex::encode(parent.span).as_str(), parent.is_sampled), ("00f067aa0ba902b7", true));
        assert!(!Parent::read(&TEXT.replace("-01", "-02")).unwrap().is_sampled);
        assert!(Parent::read(&format!("cc{}-more", &TEXT[2..])).is_some(), "of a later version");
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Parent::read(bad), None, "{bad}");
        }
    }

    struct Gathers(bool);

    impl Traces for Gathers {
        fn is_on(&self) -> bool {
            true
        }

        fn samples(&self, _: &TraceId) -> bool {
            self.0
        }

        fn ended(&self, _: Traced) {}
    }

    #[test]
    fn a_trace_goes_on_whether_it_is_told_or_not() {
        let ambient = Ambient::new(Arc::new(Counts::default()), Arc::new(Counts::default()));
        let parent = Parent::read(TEXT);
        let of = |parent, traces: &dyn Traces| Trace::of(parent, traces, &ambient);
        let passed = of(parent, &NoTraces).unwrap();
        assert_eq!((passed.for_server().as_deref(), passed.told()), (Some(TEXT), None));
        assert_eq!(of(None, &NoTraces), None);
        let told = of(parent, &Gathers(true)).unwrap();
        let part = told.told().unwrap();
        assert_eq!(part.parent, parent.map(|parent| parent.span));
        let for_server = told.for_server().unwrap();
        assert!(for_server.contains(&hex::encode(part.below)) && for_server.starts_with(&TEXT[..35]));
        assert_eq!(of(parent, &Gathers(false)).unwrap().for_server().as_deref(), Some(TEXT));
        let unsampled = Parent::read(&TEXT.replace("-01", "-00"));
        assert_eq!(of(unsampled, &Gathers(true)).unwrap().told(), None, "it asked to be left out");
        let begun = of(None, &Gathers(true)).unwrap();
        assert!(begun.for_server().unwrap().ends_with("-01") && begun.told().unwrap().parent.is_none());
        assert_eq!(of(None, &Gathers(false)).unwrap().for_server(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_read_without_panic(text in "[0-9a-f-]{0,60}|.{0,60}") {
            if let Some(parent) = Parent::read(&text) {
                prop_assert!(parent.trace != [0; 16]);
            }
        }
    }
}
