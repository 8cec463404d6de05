//! What can go wrong in any slice. Slices with more to say have an enum of their own.

/// PostgreSQL's `character_not_in_repertoire`: a NUL, for all that UTF-8 allows it.
const NOT_TEXT: &str = "22021";

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or the actor may not know of it.
    #[error("there is no {what} here")]
    NotFound {
        /// What was looked for, in words: `agent “Inbox helper”`.
        what: String,
    },
    /// Something that was given cannot be used.
    #[error("{field}: {sentence}")]
    Invalid {
        /// Name of the form field or option.
        field: &'static str,
        /// What is wrong with it and what would be right.
        sentence: String,
    },
    /// It is understood and cannot be done as things stand.
    #[error("{sentence}")]
    Refused {
        /// Stable code such as `name_taken`.
        code: &'static str,
        /// What stands in the way and what to do.
        sentence: String,
    },
    /// Stored rows contradict what the code relies on. Nothing was done.
    #[error("{what} in the database cannot be right: {why}")]
    Inconsistent {
        /// Table and row.
        what: String,
        /// What contradicts.
        why: String,
    },
    /// The database could not be reached, or failed.
    #[error("the database cannot be reached or has failed; nothing was changed")]
    Database(#[source] sqlx::Error),
}

impl Error {
    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::NotFound { what: what.into() }
    }

    pub(crate) fn invalid(field: &'static str, sentence: impl Into<String>) -> Self {
        Self::Invalid { field, sentence: sentence.into() }
    }

    pub(crate) fn refused(code: &'static str, sentence: impl Into<String>) -> Self {
        Self::Refused { code, sentence: sentence.into() }
    }

    pub(crate) fn inconsistent(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Inconsistent { what: what.into(), why: why.to_string() }
    }

    /// A violated unique constraint of this name as the sentence, anything else as what it is.
    pub(crate) fn taken(
        error: sqlx::Error,
        constraint: &str,
        code: &'static str,
        sentence: impl FnOnce() -> String,
    ) -> Self {
        if Self::violates(&error, constraint) { Self::refused(code, sentence()) } else { error.into() }
    }

    /// Whether the error is a violated unique constraint of this name.
    pub(crate) fn violates(error: &sqlx::Error, constraint: &str) -> bool {
        error.as_database_error().and_then(|error| error.constraint()) == Some(constraint)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        // Fields refuse it where they are read. Where one does not, the database stands and the text is at fault.
        if error.as_database_error().and_then(|error| error.code()).as_deref() == Some(NOT_TEXT) {
            return Self::refused(
                "not_text",
                "something that was given holds a character that no text can hold",
            );
        }
        Self::Database(error)
    }
}
