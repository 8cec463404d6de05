//! How loud a server may be (2025-11-25 and 2026-07-28, Logging; RFC 5424 section 6.2.1).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::{object, present, text_of};

/// The least that is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Loudness {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

impl Loudness {
    const ALL: [(Self, &str); 8] = [
        (Self::Debug, "debug"),
        (Self::Info, "info"),
        (Self::Notice, "notice"),
        (Self::Warning, "warning"),
        (Self::Error, "error"),
        (Self::Critical, "critical"),
        (Self::Alert, "alert"),
        (Self::Emergency, "emergency"),
    ];

    /// The one that a JSON string names.
    pub(crate) fn named(raw: &RawValue) -> Option<Self> {
        let word = text_of(raw)?;
        Self::ALL.into_iter().find(|(_, known)| *known == word).map(|(level, _)| level)
    }

    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(level, _)| *level == self).map_or("", |(_, word)| word)
    }

    /// Of a `notifications/message`, by its `params`.
    pub(crate) fn of(params: &RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        struct Message<'b> {
            #[serde(borrow, default, deserialize_with = "present")]
            level: Option<&'b RawValue>,
        }
        object::<Message<'_>>(params)?.level.and_then(Self::named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_named_and_ordered() {
        let raw = |text: &str| serde_json::from_str::<Box<RawValue>>(text).unwrap();
        assert_eq!(Loudness::named(&raw("\"notice\"")), Some(Loudness::Notice));
        assert_eq!(Loudness::of(&raw(r#"{"level":"error","data":1}"#)), Some(Loudness::Error));
        for none in ["\"loud\"", "7", "null", "\"Info\""] {
            assert_eq!(Loudness::named(&raw(none)), None, "{none}");
        }
        assert_eq!(Loudness::of(&raw("[]")), None);
        assert!(Loudness::Debug < Loudness::Info && Loudness::Alert < Loudness::Emergency);
        assert!(Loudness::ALL.into_iter().all(|(level, word)| level.word() == word));
    }
}
