//! What people see, as HTML: snapshots of the pieces, and hostile text in every place that somebody outside can fill.

mod hostile;
mod look;
mod sample;
mod snapshots;
