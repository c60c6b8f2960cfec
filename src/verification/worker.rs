//! The worker: claims jobs, asks the provider, settles.

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
use super::circuit::{Circuit, Permit, Trial};
use super::memory::Memory;
use super::overdue;
use super::provider::{Answer, Blame, Provider, ProviderError, Verdict};
use super::under_way::UnderWay;
use crate::ambient::SharedAmbient;
use crate::domain::verification::{Assurance, Decision, Outcome, Reason};
use crate::store::{ClaimedVerification, Found, ProviderAnswer, Settlement, Store, StoreError, in_time};
use crate::telemetry::Metrics;
use crate::vault::Vault;
use crate::vault::documents::DocumentStore;

/// Verifications that one worker has under way at most.
const AT_ONCE: usize = 64;
/// How long a case may wait for room for its files; then its job is handed back, and comes again in its turn.
const WAIT_FOR_MEMORY: Duration = Duration::from_secs(60);
/// How much longer than all that it may take a job is ours.
const SPARE: Duration = Duration::from_secs(30);
/// How often a case is tried whose errors are its own.
const CASE_TRIES: u32 = 5;
/// How often an idle worker looks for work that other processes have made, or that has become due.
const POLL: Duration = Duration::from_millis(500);
/// The first wait before a job is tried again; doubled each time.
const FIRST_RETRY: TimeDelta = TimeDelta::seconds(1);
/// The longest wait before a job is tried again.
const LAST_RETRY: TimeDelta = TimeDelta::minutes(5);

/// How long a job is ours, by the time that the provider may take.
fn lease(budget: Duration) -> TimeDelta {
    TimeDelta::from_std(WAIT_FOR_MEMORY + budget + SPARE).unwrap_or(TimeDelta::MAX)
}

/// A job that was taken up.
pub(super) struct TakenUp {
    pub(super) claimed: ClaimedVerification,
    /// Where the job is the one that tries a provider again: held until it is done.
    pub(super) trial: Option<Trial>,
}

/// Says that the worker runs, for as long as it does.
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

/// What a worker stands on.
#[derive(Clone)]
pub struct Parts {
    /// The database.
    pub store: Store,
    /// Opens profiles.
    pub vault: Vault,
    /// Has the files.
    pub documents: DocumentStore,
    /// Clock, identifiers, randomness.
    pub ambient: SharedAmbient,
    /// Told when a call of this process has made a job.
    pub wanted: Arc<Notify>,
    /// What is measured.
    pub metrics: Metrics,
}

/// Verifies users. Any number of them, in any number of processes, share the work.
pub struct Worker {
    parts: Parts,
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

/// How a worker is, for operators.
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
    /// A worker that asks `provider`; it does nothing by itself before [`Worker::run`].
    #[must_use]
    pub fn new(parts: Parts, provider: Arc<dyn Provider>) -> Arc<Self> {
        Arc::new(Self {
            parts,
            provider,
            circuit: Circuit::default(),
            memory: Memory::default(),
            running: AtomicBool::new(false),
        })
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> Health {
        Health {
            provider: self.provider.name(),
            running: self.running.load(Ordering::Relaxed),
            circuit: self.circuit.word(self.parts.ambient.now()),
        }
    }

    /// Works until told to stop, then hands back what is not done. A panic costs a pause, no more.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let _running = Running::begin(&self.running);
        let mut under_way = UnderWay::default();
        while !stop.is_cancelled() {
            // What a round shares with the next one is the jobs under way, each of which is either there or not.
            let working = AssertUnwindSafe(self.work(&stop, &mut under_way)).catch_unwind();
            if working.await.is_err() {
                // What it said may hold anything; where it was is in the log already.
                tracing::error!("the worker panicked and begins anew");
                tokio::time::sleep(POLL).await;
            }
        }
        self.settle(under_way.give_up()).await;
    }

    async fn work(self: &Arc<Self>, stop: &CancellationToken, under_way: &mut UnderWay) {
        while !stop.is_cancelled() {
            let room = AT_ONCE - under_way.len();
            // A handful of free places is not worth a transaction.
            let taken = if room * 2 >= AT_ONCE { in_time(self.take_up(room)).await } else { Ok(Vec::new()) };
            let found_all = match taken {
                Ok(taken) => {
                    let found_all = taken.len() < room;
                    taken.into_iter().for_each(|taken| under_way.start(self, taken));
                    found_all
                }
                Err(error) => {
                    tracing::warn!(%error, "no verification can be taken up");
                    true
                }
            };
            let settlements = tokio::select! {
                () = stop.cancelled() => Vec::new(),
                settlements = under_way.ready(), if under_way.len() > 0 => settlements,
                () = self.parts.wanted.notified(), if found_all => Vec::new(),
                () = tokio::time::sleep(POLL), if found_all => Vec::new(),
            };
            self.settle(settlements).await;
        }
    }

    /// One round: moves attempts past their deadline, takes up what is due, waits for the answers and settles them.
    /// Returns how many jobs it took up.
    ///
    /// # Errors
    /// The database.
    pub async fn run_once(self: &Arc<Self>) -> Result<usize, StoreError> {
        let taken = self.take_up(AT_ONCE).await?;
        let count = taken.len();
        let mut under_way = UnderWay::default();
        taken.into_iter().for_each(|taken| under_way.start(self, taken));
        while under_way.len() > 0 {
            let settlements = under_way.ready().await;
            self.parts.store.settle_verifications(self.parts.ambient.as_ref(), settlements).await?;
        }
        Ok(count)
    }

    /// Rounds until nothing is due at this moment. Returns how many jobs were taken up.
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

    async fn take_up(&self, room: usize) -> Result<Vec<TakenUp>, StoreError> {
        let Parts { store, ambient, .. } = &self.parts;
        overdue::review(store, ambient.as_ref()).await;
        let (limit, mut trial) = match self.circuit.permit(ambient.now()) {
            Permit::All => (room as u64, None),
            Permit::One(trial) => (1, Some(trial)),
            Permit::None => return Ok(Vec::new()),
        };
        let lease = lease(self.provider.budget());
        let claimed = store.claim_verifications(ambient.as_ref(), self.provider.name(), limit, lease).await?;
        Ok(claimed.into_iter().map(|claimed| TakenUp { claimed, trial: trial.take() }).collect())
    }

    async fn settle(&self, settlements: Vec<Settlement>) {
        let count = settlements.len();
        match in_time(self.parts.store.settle_verifications(self.parts.ambient.as_ref(), settlements)).await {
            Ok(settled) if settled < count => tracing::warn!(lost = count - settled, "leases ended before the work"),
            Ok(_) => {}
            // The leases end and the provider is asked again.
            Err(error) => tracing::warn!(%error, count, "verifications are not settled"),
        }
    }

    /// Asks the provider about one job. Never panics, whatever the provider does.
    pub(super) async fn verify(&self, claimed: &ClaimedVerification) -> (Found, ProviderAnswer) {
        match AssertUnwindSafe(self.ask(claimed)).catch_unwind().await {
            Ok(found) => found,
            Err(_) => {
                tracing::error!(attempt = %claimed.attempt.id, "a verification panicked");
                (self.failed(claimed, &ProviderError::Panicked), ProviderAnswer::default())
            }
        }
    }

    /// How long ago it was asked for.
    pub(super) fn age(&self, claimed: &ClaimedVerification) -> TimeDelta {
        self.parts.ambient.now() - claimed.attempt.created_at
    }

    /// Counts what came of a job, and tells it to its span.
    pub(super) fn measure(&self, claimed: &ClaimedVerification, found: &Found) {
        let (outcome, is_the_end) = match found {
            Found::Outcome { outcome, again_at } => {
                let word = match outcome.decision {
                    Decision::Verified => "verified",
                    Decision::Rejected => "rejected",
                    Decision::Review => "review",
                };
                (word, again_at.is_none())
            }
            Found::Pending { .. } => ("pending", false),
            Found::Failed { .. } => ("failed", false),
            Found::HandedBack => ("handed_back", false),
        };
        Span::current().record("outcome", outcome);
        let took = is_the_end.then(|| self.age(claimed).to_std().unwrap_or_default());
        self.parts.metrics.verification(self.provider.name(), outcome, took);
    }

    async fn ask(&self, claimed: &ClaimedVerification) -> (Found, ProviderAnswer) {
        let Parts { store, vault, documents, ambient, .. } = &self.parts;
        let case = match Case::open(claimed, store, vault, documents, ambient.now()) {
            Ok(case) => case,
            Err(unreadable) => return (self.failed(claimed, &unreadable.into()), ProviderAnswer::default()),
        };
        let room = self.memory.hold(self.provider.memory(&case));
        let Ok(_room) = tokio::time::timeout(WAIT_FOR_MEMORY, room).await else {
            return (Found::HandedBack, ProviderAnswer::default());
        };
        let answer = tokio::time::timeout(self.provider.budget(), self.provider.verify(&case)).await;
        let answer = answer.unwrap_or(Err(ProviderError::TooComplex));
        match answer {
            Ok(Answer { verdict, reference, raw }) => {
                self.circuit.succeeded();
                let sealed = raw.map(|raw| case.seal_answer(raw));
                (self.found(claimed, verdict), ProviderAnswer { reference, sealed })
            }
            Err(error) => (self.failed(claimed, &error), ProviderAnswer::default()),
        }
    }

    fn found(&self, claimed: &ClaimedVerification, verdict: Verdict) -> Found {
        let now = self.parts.ambient.now();
        let at = |after: Duration| {
            let after = TimeDelta::from_std(after).unwrap_or(TimeDelta::MAX);
            now.checked_add_signed(after).map_or(claimed.attempt.deadline_at, |at| at.min(claimed.attempt.deadline_at))
        };
        match verdict {
            Verdict::Decided(outcome) => Found::Outcome { outcome, again_at: None },
            Verdict::Provisional { outcome, poll_after } => Found::Outcome { outcome, again_at: Some(at(poll_after)) },
            Verdict::Pending { poll_after } => Found::Pending { again_at: at(poll_after) },
        }
    }

    fn failed(&self, claimed: &ClaimedVerification, error: &ProviderError) -> Found {
        let code = error.code();
        let is_over = match error.blame() {
            Blame::Provider => {
                if self.circuit.failed(self.parts.ambient.now()) {
                    let provider = self.provider.name();
                    tracing::error!(provider, code, "the provider is down; verifications wait for it");
                }
                false
            }
            Blame::Service => false,
            // Tries that failed otherwise count too, but two in a row are the case's own.
            Blame::Case => claimed.tries >= CASE_TRIES && claimed.last_error.as_deref() == Some(code),
            Blame::CaseForGood => {
                if matches!(error, ProviderError::Refused) {
                    self.circuit.succeeded();
                }
                true
            }
        };
        if is_over {
            tracing::warn!(attempt = %claimed.attempt.id, code, "a person has to decide");
            let reason = Reason::new(code, error.message());
            return Found::Outcome { outcome: Outcome::review(Assurance::ManualReview, reason), again_at: None };
        }
        Found::Failed { again_at: self.again_at(claimed), code }
    }

    /// After 1, 2, 4, … seconds, less up to a half by chance, so that what failed together does not return together.
    fn again_at(&self, claimed: &ClaimedVerification) -> DateTime<Utc> {
        let doublings = claimed.tries.saturating_sub(1).min(16);
        let wait = (FIRST_RETRY * (1 << doublings)).min(LAST_RETRY);
        let mut chance = [0];
        self.parts.ambient.fill_random(&mut chance);
        let wait = wait - wait * i32::from(chance[0]) / 512;
        (self.parts.ambient.now() + wait).min(claimed.attempt.deadline_at)
    }
}
