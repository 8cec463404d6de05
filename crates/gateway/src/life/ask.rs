//! What of a module is asked for, and by which method. Whatever reaches an upstream server is a call, and lives one life.

use model::catalog::Feature;

/// A method that reaches an upstream server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// `tools/call`.
    Call,
    /// `prompts/get`.
    Get,
    /// `resources/read`.
    Read,
    /// `resources/subscribe`, and what a client of 2026-07-28 listens for beside lists.
    Subscribe,
    /// `completion/complete` for an argument of a prompt.
    CompletePrompt,
    /// The same for a variable of a resource template.
    CompleteTemplate,
}

impl Ask {
    /// What the name in the request names.
    pub(crate) fn feature(self) -> Feature {
        match self {
            Self::Call => Feature::Tool,
            Self::Get | Self::CompletePrompt => Feature::Prompt,
            Self::Read | Self::Subscribe => Feature::Resource,
            Self::CompleteTemplate => Feature::Template,
        }
    }

    /// As it stands in a request.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Call => "tools/call",
            Self::Get => "prompts/get",
            Self::Read => "resources/read",
            Self::Subscribe => "resources/subscribe",
            Self::CompletePrompt | Self::CompleteTemplate => "completion/complete",
        }
    }

    /// Whether its server may ask for input before it answers (2026-07-28, Multi Round-Trip Requests).
    pub(crate) fn may_be_asked_back(self) -> bool {
        matches!(self, Self::Call | Self::Get | Self::Read)
    }

    /// Whether it is a call in MCP's narrower sense: what goes wrong with one is told as its result.
    pub(crate) fn is_tool_call(self) -> bool {
        self == Self::Call
    }

    /// Whether it helps to ask, and is no use of what is asked for: such calls have no price.
    pub(crate) fn is_free(self) -> bool {
        matches!(self, Self::Subscribe | Self::CompletePrompt | Self::CompleteTemplate)
    }
}
