//! The worker: claims jobs, calls the provider, stores the results.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::case::Case;
use super::circuit::{Circuit, HalfOpenProbe, Permit};
use super::in_progress::InProgress;
use super::memory::Memory;
use super::overdue;
use super::provider::{FailureScope, Progress, Provider, ProviderError, ProviderResponse};
use crate::domain::verification::{Assurance, Decision, Outcome, Reason};
use crate::env::SharedEnv;
use crate::store::{
    ClaimedVerification, JobResult, ProviderAnswer, Store, StoreError, VerificationResult, with_step_timeout,
};
use crate::telemetry::Metrics;
use crate::vault::Vault;
use crate::vault::documents::DocumentStore;

/// The most verifications that one worker processes at once.
const AT_ONCE: usize = 64;
/// How long a case may wait for memory for its files; then its job is released to the queue.
const WAIT_FOR_MEMORY: Duration = Duration::from_secs(60);
/// How much longer a lease is than the longest processing time.
const SPARE: Duration = Duration::from_secs(30);
/// How often a case is tried if the failures are its own.
const CASE_TRIES: u32 = 5;
/// How often an idle worker polls for jobs of other processes and jobs that became due.
const POLL: Duration = Duration::from_millis(500);
/// The first wait before a job is tried again; doubled each time.
const FIRST_RETRY: TimeDelta = TimeDelta::seconds(1);
/// The longest wait before a job is tried again.
const LAST_RETRY: TimeDelta = TimeDelta::minutes(5);

/// The lease of a job, by the provider's budget.
fn lease(budget: Duration) -> TimeDelta {
    TimeDelta::from_std(WAIT_FOR_MEMORY + budget + SPARE).unwrap_or(TimeDelta::MAX)
}

/// A claimed job.
pub(super) struct Claimed {
    pub(super) claimed: ClaimedVerification,
    /// Held until the job is done, if it is the one that probes the provider.
    pub(super) probe: Option<HalfOpenProbe>,
}

/// Sets the flag while the worker runs.
struct Running<'a>(&'a AtomicBool);

impl<'a> Running<'a> {
    fn begin(running: &'a AtomicBool) -> Self {
        running.store(true, Ordering::Relaxed);
        Self(running)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The dependencies of a worker.
#[derive(Clone)]
pub struct WorkerDeps {
    /// The database.
    pub store: Store,
    /// Opens profiles.
    pub vault: Vault,
    /// Has the files.
    pub documents: DocumentStore,
    /// Clock, identifiers, randomness.
    pub env: SharedEnv,
    /// Notified when a call of this process creates a job.
    pub wake: Arc<Notify>,
    /// What is measured.
    pub metrics: Metrics,
}

/// Verifies users. Any number of them, in any number of processes, share the work.
pub struct Worker {
    parts: WorkerDeps,
    provider: Arc<dyn Provider>,
    circuit: Circuit,
    memory: Memory,
    running: AtomicBool,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("provider", &self.provider.name()).finish_non_exhaustive()
    }
}

/// The health of a worker, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// The provider's name.
    pub provider: &'static str,
    /// Whether the worker runs in this process.
    pub running: bool,
    /// The provider's circuit: `closed` is good.
    pub circuit: &'static str,
}

impl Worker {
    /// A worker that calls `provider`; it does nothing before [`Worker::run`].
    #[must_use]
    pub fn new(parts: WorkerDeps, provider: Arc<dyn Provider>) -> Arc<Self> {
        Arc::new(Self {
            parts,
            provider,
            circuit: Circuit::default(),
            memory: Memory::default(),
            running: AtomicBool::new(false),
        })
    }

    /// The health of the worker.
    #[must_use]
    pub fn health(&self) -> Health {
        Health {
            provider: self.provider.name(),
            running: self.running.load(Ordering::Relaxed),
            circuit: self.circuit.status(self.parts.env.now()),
        }
    }

    /// Processes jobs until `stop` is cancelled, then releases the unfinished ones. It continues after a panic.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let _running = Running::begin(&self.running);
        let mut in_progress = InProgress::default();
        while !stop.is_cancelled() {
            // The rounds share only the jobs in progress, which a panic leaves consistent.
            let working = AssertUnwindSafe(self.work(&stop, &mut in_progress)).catch_unwind();
            if working.await.is_err() {
                // The panic message may hold personal data; its location is in the log already.
                tracing::error!("the worker panicked and restarts");
                tokio::time::sleep(POLL).await;
            }
        }
        self.settle(in_progress.abort()).await;
    }

    async fn work(self: &Arc<Self>, stop: &CancellationToken, in_progress: &mut InProgress) {
        while !stop.is_cancelled() {
            let room = AT_ONCE - in_progress.len();
            // A few free slots are not worth a transaction.
            let taken = if room * 2 >= AT_ONCE { with_step_timeout(self.take_up(room)).await } else { Ok(Vec::new()) };
            let found_all = match taken {
                Ok(taken) => {
                    let found_all = taken.len() < room;
                    taken.into_iter().for_each(|taken| in_progress.start(self, taken));
                    found_all
                }
                Err(error) => {
                    tracing::warn!(%error, "claiming verifications failed");
                    true
                }
            };
            let settlements = tokio::select! {
                () = stop.cancelled() => Vec::new(),
                settlements = in_progress.ready(), if in_progress.len() > 0 => settlements,
                () = self.parts.wake.notified(), if found_all => Vec::new(),
                () = tokio::time::sleep(POLL), if found_all => Vec::new(),
            };
            self.settle(settlements).await;
        }
    }

    /// One round: moves overdue attempts to review, claims due jobs, waits for their results and stores them. Returns
    /// the number of claimed jobs.
    ///
    /// # Errors
    /// The database.
    pub async fn run_once(self: &Arc<Self>) -> Result<usize, StoreError> {
        let taken = self.take_up(AT_ONCE).await?;
        let count = taken.len();
        let mut in_progress = InProgress::default();
        taken.into_iter().for_each(|taken| in_progress.start(self, taken));
        while in_progress.len() > 0 {
            let settlements = in_progress.ready().await;
            self.parts.store.settle_verifications(self.parts.env.as_ref(), settlements).await?;
        }
        Ok(count)
    }

    /// Runs rounds until no job is due. Returns the number of claimed jobs.
    ///
    /// # Errors
    /// The database.
    pub async fn drain(self: &Arc<Self>) -> Result<usize, StoreError> {
        let mut total = 0;
        loop {
            match self.run_once().await? {
                0 => return Ok(total),
                count => total += count,
            }
        }
    }

    async fn take_up(&self, room: usize) -> Result<Vec<Claimed>, StoreError> {
        let WorkerDeps { store, env, .. } = &self.parts;
        overdue::review(store, env.as_ref()).await;
        let (limit, mut probe) = match self.circuit.permit(env.now()) {
            Permit::All => (room as u64, None),
            Permit::One(probe) => (1, Some(probe)),
            Permit::None => return Ok(Vec::new()),
        };
        let lease = lease(self.provider.budget());
        let claimed = store.claim_verifications(env.as_ref(), self.provider.name(), limit, lease).await?;
        Ok(claimed.into_iter().map(|claimed| Claimed { claimed, probe: probe.take() }).collect())
    }

    async fn settle(&self, settlements: Vec<JobResult>) {
        let count = settlements.len();
        match with_step_timeout(self.parts.store.settle_verifications(self.parts.env.as_ref(), settlements)).await {
            Ok(settled) if settled < count => {
                tracing::warn!(lost = count - settled, "leases expired before the work was done")
            }
            Ok(_) => {}
            // The leases expire and the provider is called again.
            Err(error) => tracing::warn!(%error, count, "verifications are not settled"),
        }
    }

    /// Processes one job. It does not panic if the provider does.
    pub(super) async fn verify(&self, claimed: &ClaimedVerification) -> (VerificationResult, ProviderAnswer) {
        match AssertUnwindSafe(self.ask(claimed)).catch_unwind().await {
            Ok(found) => found,
            Err(_) => {
                tracing::error!(attempt = %claimed.attempt.id, "a verification panicked");
                (self.failed(claimed, &ProviderError::Panicked), ProviderAnswer::default())
            }
        }
    }

    /// The time since the attempt was created.
    pub(super) fn age(&self, claimed: &ClaimedVerification) -> TimeDelta {
        self.parts.env.now() - claimed.attempt.created_at
    }

    /// Records the result of a job in the metrics and in its span.
    pub(super) fn measure(&self, claimed: &ClaimedVerification, found: &VerificationResult) {
        let (outcome, is_the_end) = match found {
            VerificationResult::Outcome { outcome, again_at } => {
                let word = match outcome.decision {
                    Decision::Verified => "verified",
                    Decision::Rejected => "rejected",
                    Decision::Review => "review",
                };
                (word, again_at.is_none())
            }
            VerificationResult::Pending { .. } => ("pending", false),
            VerificationResult::Failed { .. } => ("failed", false),
            VerificationResult::HandedBack => ("handed_back", false),
        };
        Span::current().record("outcome", outcome);
        let took = is_the_end.then(|| self.age(claimed).to_std().unwrap_or_default());
        self.parts.metrics.verification(self.provider.name(), outcome, took);
    }

    async fn ask(&self, claimed: &ClaimedVerification) -> (VerificationResult, ProviderAnswer) {
        let WorkerDeps { store, vault, documents, env, .. } = &self.parts;
        let case = match Case::open(claimed, store, vault, documents, env.now()) {
            Ok(case) => case,
            Err(unreadable) => return (self.failed(claimed, &unreadable.into()), ProviderAnswer::default()),
        };
        let room = self.memory.hold(self.provider.memory(&case));
        let Ok(_room) = tokio::time::timeout(WAIT_FOR_MEMORY, room).await else {
            return (VerificationResult::HandedBack, ProviderAnswer::default());
        };
        let answer = tokio::time::timeout(self.provider.budget(), self.provider.verify(&case)).await;
        let answer = answer.unwrap_or(Err(ProviderError::TooComplex));
        match answer {
            Ok(ProviderResponse { progress, reference, raw }) => {
                self.circuit.succeeded();
                let sealed = raw.map(|raw| case.seal_answer(raw));
                let sealed_reference = reference.map(|reference| case.seal_reference(reference));
                (self.found(claimed, progress), ProviderAnswer { sealed_reference, sealed })
            }
            Err(error) => (self.failed(claimed, &error), ProviderAnswer::default()),
        }
    }

    fn found(&self, claimed: &ClaimedVerification, progress: Progress) -> VerificationResult {
        let now = self.parts.env.now();
        let at = |after: Duration| {
            let after = TimeDelta::from_std(after).unwrap_or(TimeDelta::MAX);
            now.checked_add_signed(after).map_or(claimed.attempt.deadline_at, |at| at.min(claimed.attempt.deadline_at))
        };
        match progress {
            Progress::Decided(outcome) => VerificationResult::Outcome { outcome, again_at: None },
            Progress::Provisional { outcome, poll_after } => {
                VerificationResult::Outcome { outcome, again_at: Some(at(poll_after)) }
            }
            Progress::Pending { poll_after } => VerificationResult::Pending { again_at: at(poll_after) },
        }
    }

    fn failed(&self, claimed: &ClaimedVerification, error: &ProviderError) -> VerificationResult {
        let code = error.code();
        let is_over = match error.scope() {
            FailureScope::Provider => {
                if self.circuit.failed(self.parts.env.now()) {
                    let provider = self.provider.name();
                    tracing::error!(provider, code, "the provider is down; verifications wait for it");
                }
                false
            }
            FailureScope::Service => false,
            // Attempts that failed for other reasons count too, but the last two must be the case's own.
            FailureScope::Case => claimed.tries >= CASE_TRIES && claimed.last_error.as_deref() == Some(code),
            FailureScope::CaseForGood => {
                if matches!(error, ProviderError::Refused) {
                    self.circuit.succeeded();
                }
                true
            }
        };
        if is_over {
            tracing::warn!(attempt = %claimed.attempt.id, code, "a person has to decide");
            let reason = Reason::new(code, error.message());
            return VerificationResult::Outcome {
                outcome: Outcome::review(Assurance::ManualReview, reason),
                again_at: None,
            };
        }
        VerificationResult::Failed { again_at: self.again_at(claimed), code }
    }

    /// After 1, 2, 4, … seconds, less up to a half by chance, so that what failed together does not return together.
    fn again_at(&self, claimed: &ClaimedVerification) -> DateTime<Utc> {
        let doublings = claimed.tries.saturating_sub(1).min(16);
        let wait = (FIRST_RETRY * (1 << doublings)).min(LAST_RETRY);
        let mut chance = [0];
        self.parts.env.fill_random(&mut chance);
        let wait = wait - wait * i32::from(chance[0]) / 512;
        (self.parts.env.now() + wait).min(claimed.attempt.deadline_at)
    }
}
