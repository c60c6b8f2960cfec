//! Reloading keys when a token names an unknown one, at a rate that unauthenticated callers cannot raise.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;

/// Lets one reload run at a time, and not sooner than `spacing` after the one before.
pub(super) struct ReloadGate {
    spacing: TimeDelta,
    last: Mutex<Option<Attempt>>,
}

#[derive(Clone, Copy)]
struct Attempt {
    at: DateTime<Utc>,
    succeeded: bool,
}

impl ReloadGate {
    pub(super) fn new(spacing: TimeDelta) -> Self {
        Self { spacing, last: Mutex::new(None) }
    }

    /// Runs `reload`, unless one ran a moment ago or, while this waited for another to end, made it `settled`.
    /// Returns whether the last reload succeeded.
    pub(super) async fn run(
        &self,
        now: DateTime<Utc>,
        settled: impl Fn() -> bool,
        reload: impl Future<Output = bool>,
    ) -> bool {
        let mut last = self.last.lock().await;
        if settled() {
            return true;
        }
        if let Some(attempt) = *last
            && (now - attempt.at).abs() < self.spacing
        {
            return attempt.succeeded;
        }
        let succeeded = reload.await;
        *last = Some(Attempt { at: now, succeeded });
        succeeded
    }
}
