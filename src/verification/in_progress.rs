//! The jobs that a worker is processing.

use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::{Instrument as _, field};

use super::worker::{Claimed, Worker};
use crate::store::{JobResult, ProviderAnswer, VerificationResult};
use crate::telemetry;

/// Jobs in progress.
#[derive(Default)]
pub(super) struct InProgress {
    tasks: JoinSet<JobResult>,
    /// What to release on shutdown.
    claimed: Vec<JobResult>,
}

impl InProgress {
    pub(super) fn start(&mut self, worker: &Arc<Worker>, Claimed { claimed, probe }: Claimed) {
        let span = tracing::info_span!(
            "verification",
            otel.kind = "consumer",
            attempt = %claimed.attempt.id,
            user_id = %claimed.user.id,
            outcome = field::Empty,
        );
        let age = worker.age(&claimed);
        telemetry::continue_trace(&span, claimed.trace_context.as_deref(), age);
        let result = JobResult {
            job_id: claimed.job_id,
            lease: claimed.lease,
            client_id: claimed.user.client_id,
            user_id: claimed.user.id,
            attempt_id: claimed.attempt.id,
            result: VerificationResult::HandedBack,
            answer: ProviderAnswer::default(),
            trace_context: claimed.trace_context.clone(),
        };
        self.claimed.push(result.clone());
        let worker = Arc::clone(worker);
        let work = async move {
            let (outcome, answer) = worker.verify(&claimed).await;
            drop(probe);
            worker.measure(&claimed, &outcome);
            let trace_context = telemetry::trace_context();
            JobResult { result: outcome, answer, trace_context, ..result }
        };
        self.tasks.spawn(work.instrument(span));
    }

    /// The number of jobs.
    pub(super) const fn len(&self) -> usize {
        self.claimed.len()
    }

    /// Waits for the first that is done, and takes all others that are done by then.
    pub(super) async fn ready(&mut self) -> Vec<JobResult> {
        let mut done = Vec::new();
        let mut next = self.tasks.join_next().await;
        while let Some(joined) = next {
            // A task that panicked has no result; its job is released below.
            done.extend(joined);
            next = self.tasks.try_join_next();
        }
        self.claimed.retain(|claimed| done.iter().all(|done| done.job_id != claimed.job_id));
        if self.tasks.is_empty() {
            // The jobs of tasks that panicked, if any.
            done.append(&mut self.claimed);
        }
        done
    }

    /// Aborts all jobs and returns the unfinished ones to be released.
    pub(super) fn abort(&mut self) -> Vec<JobResult> {
        self.tasks.abort_all();
        let mut done = Vec::new();
        while let Some(joined) = self.tasks.try_join_next() {
            done.extend(joined);
        }
        self.claimed.retain(|claimed| done.iter().all(|done| done.job_id != claimed.job_id));
        done.append(&mut self.claimed);
        done
    }
}
