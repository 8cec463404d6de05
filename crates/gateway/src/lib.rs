//! What passes through: the MCP data plane, the life of a call. No SQL, no sight of `control`.

pub mod seams;
