//! The relay of one sink: it holds the lease, reads events behind the cursor, publishes them, and advances the cursor.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::broker::{Broker, Connector, Failure};
use super::message::Message;
use super::round::{self, CONFIRM_TIMEOUT, Outcome, Refusals};
use crate::env::SharedEnv;
use crate::store::{DeadLetter, SinkStart, Store, StoreError, with_step_timeout};
use crate::telemetry::Metrics;

/// Messages in flight at most.
const BATCH: u64 = 256;
/// How long a process relays alone. When it dies, another one goes on after this time.
const LEASE: TimeDelta = TimeDelta::seconds(10);
/// The lease is extended when less than this is left of it.
const EXTEND_BELOW: TimeDelta = TimeDelta::seconds(8);
/// How often an idle relay looks for events, and whether the lease of another process has ended.
const POLL: Duration = Duration::from_millis(250);
/// How long a relay waits after failures in a row: the first time, doubled each time, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The dependencies of a relay.
pub struct RelayDeps {
    /// The database.
    pub store: Store,
    /// Clock, identifiers, randomness.
    pub env: SharedEnv,
    /// Metrics.
    pub metrics: Metrics,
    /// Where the sink begins when it has never run.
    pub start: SinkStart,
    /// The broker.
    pub connector: Box<dyn Connector>,
}

/// Relays events to one broker. Of those in several processes one works at a time.
pub struct Relay {
    deps: RelayDeps,
    /// What only the round uses that runs.
    work: tokio::sync::Mutex<Work>,
    health: Mutex<SinkHealth>,
}

#[derive(Default)]
struct Work {
    broker: Option<Box<dyn Broker>>,
    refusals: Refusals,
    /// Until when this process holds the lease.
    lease: Option<DateTime<Utc>>,
    is_open: bool,
}

/// The health of a relay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkHealth {
    /// Whether this process relays; else it waits for the lease of another, or has not begun.
    pub relaying: bool,
    /// Whether there is a connection to the broker.
    pub connected: bool,
    /// The position of the last event that the broker has taken or refused for good.
    pub position: i64,
    /// The last failure since the last success.
    pub failure: Option<String>,
}

/// What a round has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// Another process relays.
    Elsewhere,
    /// So many events or dead letters are settled.
    Settled(usize),
}

/// Why a round has failed.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Broker(#[from] Failure),
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("sink", &self.name()).finish_non_exhaustive()
    }
}

impl Relay {
    /// A relay that does nothing by itself before [`Relay::run`].
    #[must_use]
    pub fn new(deps: RelayDeps) -> Arc<Self> {
        Arc::new(Self { deps, work: tokio::sync::Mutex::default(), health: Mutex::default() })
    }

    /// The name of the sink.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.deps.connector.name()
    }

    /// Its health.
    #[must_use]
    pub fn health(&self) -> SinkHealth {
        self.health.lock().clone()
    }

    /// Runs until `stop` is cancelled. What is in flight then is published again.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        while !stop.is_cancelled() {
            let round = tokio::select! {
                () = stop.cancelled() => break,
                round = self.round_or_log() => round,
            };
            let wait = match round {
                Some(Round::Settled(1..)) => Duration::ZERO,
                Some(Round::Settled(0) | Round::Elsewhere) => POLL,
                None => pause,
            };
            pause = if round.is_some() { FIRST_PAUSE } else { Ord::min(pause * 2, LONGEST_PAUSE) };
            if !wait.is_zero() {
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
        self.release().await;
    }

    /// One round. Returns how many events and dead letters are settled; an error is what the broker or the database said.
    ///
    /// # Errors
    /// The text of the failure.
    pub async fn run_once(&self) -> Result<usize, String> {
        match self.round().await {
            Ok(Round::Settled(count)) => Ok(count),
            Ok(Round::Elsewhere) => Ok(0),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn round_or_log(&self) -> Option<Round> {
        match self.round().await {
            Ok(round) => Some(round),
            Err(error) => {
                tracing::warn!(sink = self.name(), %error, "events not published; they are published later");
                None
            }
        }
    }

    async fn round(&self) -> Result<Round, RoundError> {
        let mut work = self.work.lock().await;
        let outcome = self.round_with(&mut work).await;
        let mut health = self.health.lock();
        match &outcome {
            Ok(round) => {
                health.relaying = *round != Round::Elsewhere;
                health.failure = None;
            }
            Err(error) => {
                self.deps.metrics.sink_error(self.name());
                health.failure = Some(error.to_string());
                // A connection after a failure may have messages in it that are still to be sent.
                work.broker = None;
            }
        }
        health.connected = work.broker.is_some();
        outcome
    }

    async fn round_with(&self, work: &mut Work) -> Result<Round, RoundError> {
        let RelayDeps { store, start, .. } = &self.deps;
        if !with_step_timeout(self.hold_lease(work)).await? {
            work.broker = None;
            return Ok(Round::Elsewhere);
        }
        if !work.is_open {
            with_step_timeout(store.open_sink(self.name(), *start)).await?;
            work.is_open = true;
        }
        let (position, letters, events) = with_step_timeout(async {
            let position = store.sink_position(self.name()).await?;
            let letters = store.dead_letters_to_retry(self.name(), BATCH).await?;
            Ok((position, letters, store.events_behind(position, BATCH).await?))
        })
        .await?;
        self.health.lock().position = position;
        if letters.is_empty() && events.is_empty() {
            return Ok(Round::Settled(0));
        }
        if work.broker.is_none() {
            work.broker = Some(self.connect().await?);
        }
        let retried = self.retry(work, letters).await?;
        let messages = events.into_iter().map(Message::of_event).collect();
        Ok(Round::Settled(retried + self.advance(work, position, messages).await?))
    }

    async fn connect(&self) -> Result<Box<dyn Broker>, Failure> {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, self.deps.connector.connect()).await;
        let connected = connected.map_err(|_| Failure::Unavailable(format!("no connection in {CONNECT_TIMEOUT:?}")))?;
        let broker = connected?;
        tracing::info!(sink = self.name(), "connected to the broker");
        Ok(broker)
    }

    /// Publishes events, and advances the cursor behind those that are settled without a gap.
    async fn advance(&self, work: &mut Work, from: i64, messages: Vec<Message>) -> Result<usize, RoundError> {
        let RelayDeps { store, env, metrics, .. } = &self.deps;
        let (outcomes, failure) = self.publish(work, &messages).await;
        let now = env.now();
        let (mut dead, mut count, mut to) = (Vec::new(), 0, from);
        for (message, outcome) in messages.into_iter().zip(outcomes) {
            let position = message.position;
            match outcome {
                Outcome::Open => break,
                Outcome::Published => {}
                Outcome::Dead(reason) => {
                    tracing::error!(sink = self.name(), event = %message.id, reason, "the broker refuses an event");
                    dead.push(message.into_dead_letter(reason, now));
                }
            }
            (count, to) = (count + 1, position);
        }
        if count > 0 {
            let published = count - dead.len();
            if !with_step_timeout(store.advance_sink(self.name(), from, to, dead)).await? {
                work.lease = None;
                return Ok(0);
            }
            metrics.sink_published(self.name(), published as u64);
            self.health.lock().position = to;
        }
        failure.map_or(Ok(count), |failure| Err(failure.into()))
    }

    /// Publishes dead letters again.
    async fn retry(&self, work: &mut Work, letters: Vec<DeadLetter>) -> Result<usize, RoundError> {
        let RelayDeps { store, env, metrics, .. } = &self.deps;
        if letters.is_empty() {
            return Ok(0);
        }
        let messages: Vec<_> = letters.into_iter().map(Message::of_dead_letter).collect();
        let (outcomes, failure) = self.publish(work, &messages).await;
        let (mut taken, mut count) = (Vec::new(), 0);
        for (message, outcome) in messages.iter().zip(outcomes) {
            match outcome {
                Outcome::Open => continue,
                Outcome::Published => taken.push(message.position),
                Outcome::Dead(reason) => {
                    store.refuse_dead_letter(self.name(), message.position, &reason, env.now()).await?;
                }
            }
            count += 1;
        }
        metrics.sink_published(self.name(), taken.len() as u64);
        if !taken.is_empty() {
            store.delete_dead_letters(self.name(), taken).await?;
        }
        failure.map_or(Ok(count), |failure| Err(failure.into()))
    }

    async fn publish(&self, work: &mut Work, messages: &[Message]) -> (Vec<Outcome>, Option<Failure>) {
        let Work { broker: Some(broker), refusals, lease, .. } = work else {
            return (Vec::new(), None);
        };
        // Another process must not begin while messages of this one are in flight.
        let needed = TimeDelta::from_std(CONFIRM_TIMEOUT).unwrap_or(TimeDelta::MAX);
        let goes_on = || lease.is_some_and(|lease| lease - self.deps.env.now() > needed);
        let round::Published { outcomes, failure } = round::publish(broker.as_ref(), messages, refusals, goes_on).await;
        (outcomes, failure)
    }

    /// Takes the lease, or extends it; false: another process has it.
    async fn hold_lease(&self, work: &mut Work) -> Result<bool, StoreError> {
        let RelayDeps { store, env, .. } = &self.deps;
        let (now, job) = (env.now(), self.lease_name());
        let until = now + LEASE;
        let held = match work.lease {
            Some(held) if held - now >= EXTEND_BELOW => return Ok(true),
            Some(held) => store.extend_lease(&job, held, until).await?,
            None => store.take_lease(&job, now, until).await?,
        };
        work.lease = held.then_some(until);
        Ok(held)
    }

    /// Ends the lease, so that another process goes on at once.
    async fn release(&self) {
        let mut work = self.work.lock().await;
        work.broker = None;
        *self.health.lock() = SinkHealth::default();
        let Some(held) = work.lease.take() else { return };
        let job = self.lease_name();
        let ended = self.deps.store.extend_lease(&job, held, self.deps.env.now());
        if let Err(error) = with_step_timeout(ended).await {
            tracing::debug!(sink = self.name(), %error, "the lease of a sink is not released; it ends by itself");
        }
    }

    fn lease_name(&self) -> String {
        format!("relay to {}", self.name())
    }
}
