//! Verification attempts and the jobs that carry them out.
//!
//! The rules are not here: [`Store::change_attempts`] locks an attempt with its user, shows both to a pure function of
//! the caller's, and writes what that decides, all in one transaction. Whatever moves a user's status (a worker, a
//! callback, a reviewer, a deadline) goes through it, so that no two of them can both win.

mod change;
mod history;
mod jobs;

pub use change::{AttemptChange, AttemptView, Decision, JobChange, Lease, ReviewStep, Settled};
pub use history::AttemptRecord;
pub use jobs::{JobRecord, QueueState};
