//! The front page: what needs somebody, what happens now, and the first steps of a new organization. Everything is
//! looked at when it is asked for; nothing of it is kept.

mod needs;
mod now;
mod steps;

pub use needs::{Due, Need, Needs, needs};
pub use now::{Minute, Now, Slowest, now};
pub use steps::{FirstStep, FirstSteps, first_steps, hide_first_steps};
