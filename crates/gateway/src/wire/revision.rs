//! Which revision of the protocol a request speaks. Two eras share one endpoint: revisions up to 2025-11-25 open
//! with `initialize`, 2026-07-28 carries everything in each request.

/// A revision of the Model Context Protocol that agents may speak here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Revision {
    /// 2025-03-26, the first of streamable HTTP; the only one with batches.
    V2025_03_26,
    /// 2025-06-18.
    V2025_06_18,
    /// 2025-11-25, the last of the `initialize` era.
    V2025_11_25,
    /// 2026-07-28, stateless.
    V2026_07_28,
}

impl Revision {
    /// Every revision, the newest first.
    pub const ALL: [Self; 4] = [Self::V2026_07_28, Self::V2025_11_25, Self::V2025_06_18, Self::V2025_03_26];

    /// The newest that opens with `initialize`.
    pub const NEWEST_OPENED: Self = Self::V2025_11_25;

    /// What a request without a version header is taken to speak (2025-11-25, Transports, Protocol Version Header).
    pub const ASSUMED: Self = Self::V2025_03_26;

    /// As it stands in headers and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision that a word names.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.word() == word)
    }

    /// Whether each request stands for itself (2026-07-28) instead of following an `initialize`.
    pub const fn is_stateless(self) -> bool {
        matches!(self, Self::V2026_07_28)
    }
}
