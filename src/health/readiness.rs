//! Readiness and liveness of the process.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::store::{Engine, Store};

/// How long the database may take to answer a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the main runtime may take to start a check, and how long the check may take.
const START_TIMEOUT: Duration = Duration::from_millis(300);
const CHECK_TIMEOUT: Duration = Duration::from_millis(1_500);
/// While the main runtime is busy, the last result counts for this long.
const LAST_CHECK_VALID: Duration = Duration::from_secs(60);
/// The main runtime is stuck when it ran no heartbeat for this long. A restart ends all requests, so this is far above
/// the milliseconds that a request keeps a thread.
const STUCK_AFTER: Duration = Duration::from_secs(120);
/// A database that answered a statement within this time is reachable.
const RECENT: Duration = Duration::from_secs(5);

/// Whether the process may get traffic, and why not. Clones share their state.
#[derive(Clone, Debug)]
pub struct Readiness {
    state: Arc<Mutex<State>>,
    started: Arc<AtomicBool>,
    /// The number of statements that the database had answered, and when that number last changed.
    last_answer: Arc<Mutex<Option<(u64, Instant)>>>,
    last_check: Arc<Mutex<Option<LastCheck>>>,
    last_heartbeat: Arc<Mutex<Instant>>,
    details: Arc<Mutex<Vec<Detail>>>,
    conditions: Arc<Mutex<Vec<Condition>>>,
}

/// The result of the last check.
#[derive(Clone, Debug)]
struct LastCheck {
    not_ready: Option<String>,
    at: Instant,
}

/// Something besides the database that the service needs. Returns the reason when it does not hold.
struct Condition(Box<dyn Fn() -> Option<String> + Send + Sync>);

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("condition")
    }
}

/// A value that `/readyz` shows, ready or not.
struct Detail {
    name: &'static str,
    value: Box<dyn Fn() -> serde_json::Value + Send + Sync>,
}

impl fmt::Debug for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[derive(Clone, Debug)]
enum State {
    NotReady(String),
    /// Ready while this database answers.
    Ready(Store),
}

impl Readiness {
    /// A process that is not ready, for `reason`.
    #[must_use]
    pub fn not_ready(reason: impl Into<String>) -> Self {
        Self {
            state: Arc::new(Mutex::new(State::NotReady(reason.into()))),
            started: Arc::default(),
            last_answer: Arc::default(),
            last_check: Arc::default(),
            last_heartbeat: Arc::new(Mutex::new(Instant::now())),
            details: Arc::default(),
            conditions: Arc::default(),
        }
    }

    /// Makes the process ready while `store` answers and all conditions hold.
    pub fn set_ready(&self, store: Store) {
        self.set(State::Ready(store));
        self.started.store(true, Ordering::Relaxed);
    }

    /// Makes the process not ready, for `reason`. Returns whether the reason is a new one.
    pub fn set_not_ready(&self, reason: &str) -> bool {
        !matches!(self.set(State::NotReady(reason.to_owned())), State::NotReady(known) if known == reason)
    }

    fn set(&self, state: State) -> State {
        std::mem::replace(&mut *lock(&self.state), state)
    }

    /// Shows `value` under `name` at `/readyz`, without effect on the readiness.
    pub fn add_detail(&self, name: &'static str, value: impl Fn() -> serde_json::Value + Send + Sync + 'static) {
        lock(&self.details).push(Detail { name, value: Box::new(value) });
    }

    /// The process is ready only while `condition` returns no reason. It is called often and must not block.
    pub fn add_condition(&self, condition: impl Fn() -> Option<String> + Send + Sync + 'static) {
        lock(&self.conditions).push(Condition(Box::new(condition)));
    }

    /// Records that the main runtime runs tasks.
    pub fn heartbeat(&self) {
        *lock(&self.last_heartbeat) = Instant::now();
    }

    /// Whether the main runtime ran no task for so long that only a restart helps.
    #[must_use]
    pub fn is_stuck(&self, now: Instant) -> bool {
        now.saturating_duration_since(*lock(&self.last_heartbeat)) > STUCK_AFTER
    }

    /// Why the start is not complete; `None` once the process was ready.
    #[must_use]
    pub fn not_started_reason(&self) -> Option<String> {
        if self.started.load(Ordering::Relaxed) {
            return None;
        }
        match &*lock(&self.state) {
            State::NotReady(reason) => Some(reason.clone()),
            State::Ready(_) => None,
        }
    }

    /// `body` with the details.
    #[must_use]
    pub fn with_details(&self, mut body: serde_json::Value) -> serde_json::Value {
        for Detail { name, value } in lock(&self.details).iter() {
            body[*name] = value();
        }
        body
    }

    /// [`Readiness::not_ready_reason`] for a caller in another runtime than `main`, which owns the connections to the
    /// database. While all threads of `main` are busy, the last result counts for a while.
    pub async fn not_ready_reason_on(&self, main: &Handle) -> Option<String> {
        if let State::NotReady(reason) = &*lock(&self.state) {
            return Some(reason.clone());
        }
        let (started, has_started) = oneshot::channel();
        let readiness = self.clone();
        let check = main.spawn(async move {
            let _ = started.send(());
            readiness.not_ready_reason().await
        });
        if let Ok(Ok(())) = tokio::time::timeout(START_TIMEOUT, has_started).await
            && let Ok(Ok(reason)) = tokio::time::timeout(CHECK_TIMEOUT, check).await
        {
            return reason;
        }
        let last = lock(&self.last_check).clone();
        match last {
            Some(LastCheck { not_ready, at }) if at.elapsed() < LAST_CHECK_VALID => not_ready,
            _ => Some("all threads are busy".to_owned()),
        }
    }

    /// Why the process is not ready, if it is not. To be called in the runtime that owns the connections to the database.
    pub async fn not_ready_reason(&self) -> Option<String> {
        let state = lock(&self.state).clone();
        let not_ready = match state {
            State::NotReady(reason) => Some(reason),
            State::Ready(store) => self.check(&store).await,
        };
        *lock(&self.last_check) = Some(LastCheck { not_ready: not_ready.clone(), at: Instant::now() });
        not_ready
    }

    async fn check(&self, store: &Store) -> Option<String> {
        let failed = lock(&self.conditions).iter().find_map(|Condition(condition)| condition());
        if failed.is_some() {
            return failed;
        }
        let ping = tokio::time::timeout(PROBE_TIMEOUT, store.ping()).await;
        let answered_recently = self.answered_recently(store.answered());
        match ping {
            Ok(Ok(())) => None,
            Ok(Err(_)) => Some(store.unavailability(PROBE_TIMEOUT).await),
            // On PostgreSQL the ping waits for a connection of the pool, as requests do. While those are answered the
            // process is only busy, and fewer processes would only make the others busier.
            Err(_) if answered_recently && store.engine() == Engine::Postgres => None,
            Err(_) => match store.connect_failure(PROBE_TIMEOUT).await {
                Some(failure) => Some(format!("the database does not answer: {failure}")),
                None => Some("the database does not answer in time".to_owned()),
            },
        }
    }

    /// Whether the number of answered statements has changed recently.
    fn answered_recently(&self, answered: u64) -> bool {
        let mut last = lock(&self.last_answer);
        if last.is_none_or(|(before, _)| before != answered) {
            *last = Some((answered, Instant::now()));
        }
        last.is_some_and(|(_, at)| at.elapsed() < RECENT)
    }
}

/// No code panics while it holds one of these locks, other than a condition or a detail, which are only read.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_runtime_that_ran_no_task_for_minutes_is_stuck() {
        let readiness = Readiness::not_ready("starting");
        let now = Instant::now();
        assert!(!readiness.is_stuck(now + STUCK_AFTER / 2));
        assert!(readiness.is_stuck(now + 2 * STUCK_AFTER));
        readiness.heartbeat();
        assert!(!readiness.is_stuck(Instant::now()));
    }
}
