//! How verdicts, outcomes, times, durations and amounts are said. One wording, used by every page.

mod deeds;

use chrono::Datelike;
use model::call::{CallRow, Outcome, Reason, ReasonCode, Verdict};
use model::people::Role;
use model::{Timestamp, Zone};

pub use deeds::deed;

/// The tone that a piece of meaning is shown in. Never shown alone: a word and an icon stand beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// Permitted, succeeded.
    Permit,
    /// Denied.
    Deny,
    /// Held, waiting.
    Hold,
    /// No longer what was approved.
    Drift,
    /// Something broke.
    Fault,
    /// Under way.
    Busy,
    /// Nothing to say.
    Quiet,
}

impl Tone {
    /// The value of `data-tone`, which the style sheet colours.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Deny => "deny",
            Self::Hold => "hold",
            Self::Drift => "drift",
            Self::Fault => "fault",
            Self::Busy => "busy",
            Self::Quiet => "quiet",
        }
    }
}

/// What is shown of a state: tone, icon and word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sign {
    /// Its colour role.
    pub tone: Tone,
    /// Name of its icon, see [`crate::icon`].
    pub icon: &'static str,
    /// Its word.
    pub word: &'static str,
}

/// How a verdict is shown.
pub const fn verdict(verdict: Verdict) -> Sign {
    match verdict {
        Verdict::Permit => Sign { tone: Tone::Permit, icon: "permit", word: "Permitted" },
        Verdict::Hold => Sign { tone: Tone::Hold, icon: "hold", word: "Held" },
        Verdict::Deny => Sign { tone: Tone::Deny, icon: "deny", word: "Denied" },
    }
}

/// The sentence without the verdict that it begins with, where a badge has said it.
pub fn without_verdict(sentence: &str) -> String {
    let rest = match sentence.split_once(": ") {
        Some(("Denied" | "Held" | "Permitted" | "Refused", rest)) => rest,
        _ => sentence,
    };
    let mut letters = rest.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// Why a call was not permitted, in the room of a row, beside the names of the agent and the tool.
pub fn short_reason(reason: &Reason) -> String {
    let ask = reason.ask.as_deref().map(|whom| format!(" Ask {whom}.")).unwrap_or_default();
    let key = reason.missing_key.as_ref();
    match (reason.code, key) {
        (ReasonCode::MissingKey, Some(key)) => format!("The agent has no `{key}`.{ask}"),
        (ReasonCode::OnBehalfMissingKey, Some(key)) => format!("The person it acts for has no `{key}`.{ask}"),
        (ReasonCode::AgentSuspended, _) => format!("The agent is suspended.{ask}"),
        (ReasonCode::CredentialExpired, _) => format!("The key's time is over.{ask}"),
        (ReasonCode::CredentialAddress, _) => "The key may not be used from that address.".to_owned(),
        (ReasonCode::UnknownTool, _) => "There is no such tool for this agent.".to_owned(),
        (ReasonCode::ToolDrifted, _) => format!("The tool is not what was approved.{ask}"),
        _ => without_verdict(&reason.sentence),
    }
}

/// How an outcome is shown.
pub const fn outcome(outcome: Outcome) -> Sign {
    match outcome {
        Outcome::Succeeded => Sign { tone: Tone::Permit, icon: "check", word: "Succeeded" },
        Outcome::ToolError => Sign { tone: Tone::Fault, icon: "alert", word: "Tool error" },
        Outcome::UpstreamError => Sign { tone: Tone::Fault, icon: "alert", word: "Upstream error" },
        Outcome::TimedOut => Sign { tone: Tone::Fault, icon: "clock", word: "Timed out" },
        Outcome::Cancelled => Sign { tone: Tone::Quiet, icon: "stop", word: "Cancelled" },
        Outcome::NotSent => Sign { tone: Tone::Fault, icon: "stop", word: "Not sent" },
        Outcome::Interrupted => Sign { tone: Tone::Fault, icon: "break", word: "Interrupted" },
    }
}

/// How the end of a call is shown, also when there is none yet or never will be.
pub const fn ending(row: &CallRow) -> Sign {
    match (row.outcome, row.verdict) {
        (Some(ended), _) => outcome(ended),
        (None, Verdict::Permit) => Sign { tone: Tone::Busy, icon: "busy", word: "Running" },
        (None, Verdict::Hold) => Sign { tone: Tone::Hold, icon: "clock", word: "Waiting" },
        (None, Verdict::Deny) => Sign { tone: Tone::Quiet, icon: "none", word: "Not run" },
    }
}

/// A sentence about what an outcome means for the world upstream.
pub const fn outcome_meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "The tool answered.",
        Outcome::ToolError => "The tool answered that it failed.",
        Outcome::UpstreamError => "The upstream server refused, broke off, or could not be understood.",
        Outcome::TimedOut => "The upstream server took too long. It may or may not have acted.",
        Outcome::Cancelled => "The caller went away or asked to stop. It may or may not have acted.",
        Outcome::NotSent => "It was never sent to the upstream server.",
        Outcome::Interrupted => "The process that ran it ended. It may or may not have acted.",
    }
}

/// A role as people say it.
pub const fn role(role: Role) -> &'static str {
    role.title()
}

/// The present, and the zone in which a reader is told times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// The present.
    pub now: Timestamp,
    /// The reader's zone.
    pub zone: Zone,
}

impl Clock {
    /// Day and month, with the year when it is not the present one: `22 Nov`, `3 Jan 2025`.
    pub fn day(self, at: Timestamp) -> String {
        let (at, now) = (at.with_timezone(&self.zone), self.now.with_timezone(&self.zone));
        let pattern = if at.year() == now.year() { "%-d %b" } else { "%-d %b %Y" };
        at.format(pattern).to_string()
    }

    /// The time of day to the second: `18:03:22`.
    pub fn time(self, at: Timestamp) -> String {
        at.with_timezone(&self.zone).format("%H:%M:%S").to_string()
    }

    /// Day and time to the minute: `22 Nov, 18:03`.
    pub fn minute(self, at: Timestamp) -> String {
        format!("{}, {}", self.day(at), at.with_timezone(&self.zone).format("%H:%M"))
    }

    /// The whole instant with its zone, for tooltips: `2026-11-22 19:03:22.481 CET`.
    pub fn exact(self, at: Timestamp) -> String {
        at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S%.3f %Z").to_string()
    }

    /// How long ago, roughly, with its unit: `just now`, `5 min ago`, `3 h ago`, `12 days ago`.
    pub fn ago(self, at: Timestamp) -> String {
        match self.now.signed_duration_since(at).num_seconds() {
            ..60 => "just now".to_owned(),
            seconds @ 60..3_600 => format!("{} min ago", seconds / 60),
            seconds @ 3_600..172_800 => format!("{} h ago", seconds / 3_600),
            seconds => format!("{} days ago", seconds / 86_400),
        }
    }

    /// What the zone is called at present: `CET`, `UTC`.
    pub fn zone_name(self) -> String {
        self.now.with_timezone(&self.zone).format("%Z").to_string()
    }
}

/// The whole instant, for machines: `2026-11-22T18:03:22.481Z`.
pub fn instant(at: Timestamp) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A sentence as it stands alone: begins with a capital letter, ends with a full stop.
pub fn sentence(text: &str) -> String {
    let mut letters = text.trim().chars();
    let mut out: String = match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => return String::new(),
    };
    if !out.ends_with(['.', '!', '?', ':']) {
        out.push('.');
    }
    out
}

/// A span of microseconds with three figures that matter: `0.42 ms`, `182 ms`, `1.28 s`, `2 min 05 s`.
pub fn duration(us: i64) -> String {
    let us = us.max(0);
    let ms = us as f64 / 1_000.0;
    match us {
        0..=9_994 => format!("{ms:.2} ms"),
        9_995..=99_949 => format!("{ms:.1} ms"),
        99_950..=999_499 => format!("{ms:.0} ms"),
        999_500..=9_994_999 => format!("{:.2} s", ms / 1_000.0),
        9_995_000..=59_949_999 => format!("{:.1} s", ms / 1_000.0),
        _ => {
            let seconds = us.saturating_add(500_000) / 1_000_000;
            if seconds < 3_600 {
                format!("{} min {:02} s", seconds / 60, seconds % 60)
            } else {
                format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60)
            }
        }
    }
}

/// The same span, exact, for the tooltip: `182,345 µs`.
pub fn microseconds(us: i64) -> String {
    format!("{} µs", grouped(us.max(0).unsigned_abs()))
}

/// A number with its thousands apart: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A size: `812 B`, `12.4 kB`, `3.1 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..=999 => format!("{bytes} B"),
        1_000..=999_949 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_keep_the_figures_that_matter() {
        for (us, said) in [
            (-5, "0.00 ms"),
            (420, "0.42 ms"),
            (9_994, "9.99 ms"),
            (9_995, "10.0 ms"),
            (99_950, "100 ms"),
            (182_345, "182 ms"),
            (999_500, "1.00 s"),
            (1_284_000, "1.28 s"),
            (59_949_999, "59.9 s"),
            (59_950_000, "1 min 00 s"),
            (125_000_000, "2 min 05 s"),
            (7_260_000_000, "2 h 01 min"),
            (i64::MAX, "2562047788 h 00 min"),
        ] {
            assert_eq!(duration(us), said, "{us}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(size(12_400), "12.4 kB");
    }

    #[test]
    fn the_year_is_said_only_when_it_is_another() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let clock = Clock { now: at("2026-11-22T10:00:00Z"), zone: Zone::UTC };
        assert_eq!(clock.day(at("2026-11-02T10:00:00Z")), "2 Nov");
        assert_eq!(clock.day(at("2025-11-02T10:00:00Z")), "2 Nov 2025");
        assert_eq!(instant(at("2026-11-02T10:00:00.481234Z")), "2026-11-02T10:00:00.481Z");
    }

    #[test]
    fn times_are_told_in_the_readers_zone() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let clock = Clock { now: at("2026-11-22T10:00:00Z"), zone: Zone::Asia__Tokyo };
        assert_eq!(clock.day(at("2025-12-31T15:00:00Z")), "1 Jan");
        assert_eq!(clock.minute(at("2026-11-02T23:30:00Z")), "3 Nov, 08:30");
        assert_eq!(clock.exact(at("2026-11-02T23:30:00Z")), "2026-11-03 08:30:00.000 JST");
        assert_eq!(clock.ago(at("2026-11-22T09:12:00Z")), "48 min ago");
        assert_eq!(clock.ago(at("2026-11-20T11:00:00Z")), "47 h ago");
        assert_eq!(clock.ago(at("2026-11-01T10:00:00Z")), "21 days ago");
    }

    #[test]
    fn a_sentence_stands_alone() {
        assert_eq!(sentence("give 1 to 120 characters"), "Give 1 to 120 characters.");
        assert_eq!(sentence("Really?"), "Really?");
        assert_eq!(sentence(""), "");
    }
}
