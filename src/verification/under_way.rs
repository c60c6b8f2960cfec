//! The jobs that a worker is at.

use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::{Instrument as _, field};

use super::worker::{TakenUp, Worker};
use crate::store::{Found, ProviderAnswer, Settlement};
use crate::telemetry;

/// Jobs that are being worked on.
#[derive(Default)]
pub(super) struct UnderWay {
    tasks: JoinSet<Settlement>,
    /// What to hand back if there is no time left.
    claimed: Vec<Settlement>,
}

impl UnderWay {
    pub(super) fn start(&mut self, worker: &Arc<Worker>, TakenUp { claimed, trial }: TakenUp) {
        let span = tracing::info_span!(
            "verification",
            otel.kind = "consumer",
            attempt = %claimed.attempt.id,
            user_id = %claimed.user.id,
            outcome = field::Empty,
        );
        let age = worker.age(&claimed);
        telemetry::continue_trace(&span, claimed.trace_context.as_deref(), age);
        let settlement = Settlement {
            job_id: claimed.job_id,
            lease: claimed.lease,
            user_id: claimed.user.id,
            attempt_id: claimed.attempt.id,
            found: Found::HandedBack,
            answer: ProviderAnswer::default(),
            trace_context: claimed.trace_context.clone(),
        };
        self.claimed.push(settlement.clone());
        let worker = Arc::clone(worker);
        let work = async move {
            let (found, answer) = worker.verify(&claimed).await;
            drop(trial);
            worker.measure(&claimed, &found);
            let trace_context = telemetry::trace_context();
            Settlement { found, answer, trace_context, ..settlement }
        };
        self.tasks.spawn(work.instrument(span));
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.claimed.len()
    }

    /// Waits for the first that is done, and takes all others that are done by then.
    pub(super) async fn ready(&mut self) -> Vec<Settlement> {
        let mut done = Vec::new();
        let mut next = self.tasks.join_next().await;
        while let Some(joined) = next {
            // A task that died has no result; its job is handed back below.
            done.extend(joined);
            next = self.tasks.try_join_next();
        }
        self.claimed.retain(|claimed| done.iter().all(|done| done.job_id != claimed.job_id));
        if self.tasks.is_empty() {
            // The jobs of tasks that died, if any.
            done.append(&mut self.claimed);
        }
        done
    }

    /// Stops everything; what is not done is handed back.
    pub(super) fn give_up(&mut self) -> Vec<Settlement> {
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
