//! A read replica for lists, which show many rows. Everything else reads from the primary.
//!
//! A replica is used when it has every event that the primary has: it repeats the primary's transactions in their order,
//! so that whatever was committed before that event is there as well. Where it lags, fails or stalls, the primary answers.

use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use entity::event_cursor;
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};

use super::events::ASSIGNED;
use super::measure::Meter;
use super::transaction::Statements;
use super::{Store, StoreError};

/// How long a statement may take on the replica before the primary answers it.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// How long a replica that has failed is not asked again.
const REST: Duration = Duration::from_secs(5);

/// What a replica is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaState {
    /// It has answered last, or was not asked yet.
    Used,
    /// It lacked what the primary had.
    Behind,
    /// It failed or did not answer.
    Unavailable,
}

impl ReplicaState {
    /// Its name at `/readyz`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Behind => "behind",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A replica and what is known of it.
pub(super) struct Replica {
    pool: DatabaseConnection,
    meter: Arc<Meter>,
    /// The last position that it is known to have.
    position: AtomicI64,
    state: AtomicU8,
    resting: Mutex<Option<Instant>>,
}

impl Replica {
    pub(super) fn new(pool: DatabaseConnection, meter: Arc<Meter>) -> Self {
        Self { pool, meter, position: AtomicI64::default(), state: AtomicU8::default(), resting: Mutex::default() }
    }

    pub(super) fn pool(&self) -> DatabaseConnection {
        self.pool.clone()
    }

    pub(super) fn statements(&self) -> Statements {
        Statements::implicit(self.pool.clone(), Arc::clone(&self.meter))
    }

    /// Whether it has the event at `position`, and with it all that was committed before.
    async fn has(&self, position: i64) -> bool {
        if self.is_resting() {
            return false;
        }
        if self.position.load(Ordering::Relaxed) >= position {
            return true;
        }
        let statements = self.statements();
        let cursor = event_cursor::Entity::find_by_id(ASSIGNED).one(&statements);
        let Some(cursor) = self.outcome(tokio::time::timeout(PATIENCE, cursor).await.ok()) else { return false };
        let known = cursor.map(|cursor| cursor.position).unwrap_or_default();
        self.position.store(known, Ordering::Relaxed);
        self.show(if known >= position { ReplicaState::Used } else { ReplicaState::Behind });
        known >= position
    }

    /// What it has answered; after a failure (None: no answer in time) it rests.
    pub(super) fn outcome<T>(&self, outcome: Option<Result<T, DbErr>>) -> Option<T> {
        match outcome {
            Some(Ok(value)) => return Some(value),
            Some(Err(error)) => self.failed(&StoreError::from(error).to_string()),
            None => self.failed("no answer in time"),
        }
        None
    }

    fn failed(&self, error: &str) {
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + REST);
        // What takes its place may have less.
        self.position.store(0, Ordering::Relaxed);
        if self.show(ReplicaState::Unavailable) != ReplicaState::Unavailable {
            tracing::warn!(error, "the read replica fails: the primary answers in its place");
        }
    }

    fn is_resting(&self) -> bool {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    fn show(&self, state: ReplicaState) -> ReplicaState {
        of(self.state.swap(state as u8, Ordering::Relaxed))
    }
}

fn of(state: u8) -> ReplicaState {
    match state {
        1 => ReplicaState::Behind,
        2 => ReplicaState::Unavailable,
        _ => ReplicaState::Used,
    }
}

impl Store {
    /// For a list: reads that may be those of the replica, which then has every event that the primary has.
    pub(super) async fn read_list(&self) -> Result<Statements, StoreError> {
        let Some(replica) = &self.connections.replica else { return Ok(self.read()) };
        let head = self.event_cursor(ASSIGNED).await?;
        let is_current = replica.has(head).await;
        Ok(if is_current { self.read().first_at(Arc::clone(replica)) } else { self.read() })
    }

    /// What the replica is good for; None: there is none.
    #[must_use]
    pub fn replica(&self) -> Option<ReplicaState> {
        self.connections.replica.as_ref().map(|replica| of(replica.state.load(Ordering::Relaxed)))
    }
}
