//! Transitions of several users and their attempts in one transaction: decided by the state machine under the users'
//! locks, and written in groups, since most of a batch end alike and round trips are what costs.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use entity::{outbox, review_step, user, user_count_change, user_history, verification_attempt};
use sea_orm::ActiveValue::NotSet;
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::StoreError;
use super::super::history::NewEntry;
use super::super::rows::with_keys;
use super::super::user_counts::CountChange;
use super::Transaction;
use crate::domain::event::{EventKind, EventPayload};
use crate::domain::history::{Action, Actor};
use crate::domain::status::Status;
use crate::domain::user_type::UserType;
use crate::domain::verification::{Assurance, AttemptState, Reason, State, Stimulus, Transition, transition};
use crate::env::Env;
use crate::telemetry;

/// After which time a row that could not be read is looked at again.
pub(super) const UNREADABLE_WAIT: TimeDelta = TimeDelta::minutes(5);

/// A user's row, locked, as far as its status is concerned.
#[derive(Clone, Debug)]
pub(in crate::store) struct Row {
    pub(in crate::store) id: Uuid,
    pub(in crate::store) client_id: Uuid,
    pub(in crate::store) kind: UserType,
    pub(in crate::store) status: Status,
    pub(in crate::store) attempt_id: Option<Uuid>,
    pub(in crate::store) version: i64,
}

/// A user's row, or the id of one with a value that this program does not know.
type Locked = Result<Row, Uuid>;

impl Row {
    /// Locks a user of this client.
    pub(in crate::store) async fn lock(
        transaction: &Transaction,
        client_id: Uuid,
        id: Uuid,
    ) -> Result<Option<Self>, StoreError> {
        let row = Self::lock_all(transaction, [(client_id, id)]).await?.pop();
        row.transpose().map_err(|_| StoreError::corrupt("a user's status"))
    }

    /// Locks users, each of a client and an id, in the order of their ids, so that two transactions never wait for each
    /// other.
    async fn lock_all(
        transaction: &Transaction,
        keys: impl IntoIterator<Item = (Uuid, Uuid)>,
    ) -> Result<Vec<Locked>, StoreError> {
        use user::Column::{AttemptId, ClientId, Id, Kind, Status, Version};
        let rows = user::Entity::find()
            .select_only()
            .columns([Id, ClientId, Kind, Status, AttemptId, Version])
            .filter(with_keys(ClientId, Id, keys))
            .order_by_asc(Id)
            // Rows that refer to the user may be inserted meanwhile.
            .lock(LockType::NoKeyUpdate)
            .into_tuple::<(Uuid, Uuid, String, String, Option<Uuid>, i64)>()
            .all(transaction)
            .await?;
        let row = |(id, client_id, kind, status, attempt_id, version): (_, _, String, String, _, _)| {
            let (kind, status) = (kind.parse().map_err(|_| id)?, status.parse().map_err(|_| id)?);
            Ok(Self { id, client_id, kind, status, attempt_id, version })
        };
        Ok(rows.into_iter().map(row).collect())
    }
}

/// A user and one of its attempts, by their identifiers.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Subject {
    pub(in crate::store) client_id: Uuid,
    pub(in crate::store) user_id: Uuid,
    pub(in crate::store) attempt_id: Uuid,
}

/// The change of a group of users.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct UserChange {
    status: Status,
    /// As JSON text, which unlike the value can be compared as a key.
    reasons: Option<String>,
    /// By how much the version rises: one for each event, so that the events of a user have an order.
    increment: i64,
}

/// The change of a group of attempts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct AttemptChange {
    state: AttemptState,
    assurance: Option<Assurance>,
    reasons: Option<String>,
}

/// Changes that are not written yet.
pub(in crate::store) struct Changes<'a> {
    env: &'a dyn Env,
    now: DateTime<Utc>,
    users: HashMap<Uuid, Row>,
    attempts: HashMap<Uuid, (AttemptState, verification_attempt::Model)>,
    /// Users and attempts with a value that this program does not know. They are in none of the maps: one broken row must
    /// not keep the others of a batch from their outcome.
    unreadable: HashSet<Uuid>,
    /// The reviews that their provider can no longer revise.
    in_human_hands: HashSet<Uuid>,
    /// The traces that attempts are verified in, as a `traceparent`; of others it is that of the caller.
    traces: HashMap<Uuid, String>,
    user_changes: HashMap<UserChange, Vec<(Uuid, Uuid)>>,
    attempt_changes: HashMap<AttemptChange, Vec<(Uuid, Uuid)>>,
    /// How many users come from one status to another.
    counts: BTreeMap<CountChange, i64>,
    events: Vec<outbox::ActiveModel>,
    history: Vec<user_history::ActiveModel>,
}

impl<'a> Changes<'a> {
    /// Locks the users, then reads the attempts.
    pub(in crate::store) async fn begin(
        env: &'a dyn Env,
        transaction: &Transaction,
        subjects: &[Subject],
    ) -> Result<Self, StoreError> {
        let mut unreadable = HashSet::new();
        let mut broken = |user: Uuid, attempt: Option<Uuid>| {
            tracing::error!(%user, ?attempt, "a row of a verification cannot be read and is left for later");
            unreadable.insert(attempt.unwrap_or(user));
        };
        let mut readable = HashMap::new();
        let users = subjects.iter().map(|subject| (subject.client_id, subject.user_id));
        for row in Row::lock_all(transaction, users).await? {
            match row {
                Ok(row) => drop(readable.insert(row.id, row)),
                Err(user) => broken(user, None),
            }
        }
        let rows = verification_attempt::Entity::find()
            .filter(with_keys(
                verification_attempt::Column::ClientId,
                verification_attempt::Column::Id,
                subjects.iter().map(|subject| (subject.client_id, subject.attempt_id)),
            ))
            .all(transaction)
            .await?;
        let now = env.now();
        let in_human_hands = in_human_hands(transaction, &rows, now).await?;
        let mut attempts = HashMap::new();
        for row in rows {
            match row.state.parse() {
                Ok(state) => drop(attempts.insert(row.id, (state, row))),
                Err(_) => broken(row.user_id, Some(row.id)),
            }
        }
        Ok(Self {
            env,
            now,
            in_human_hands,
            users: readable,
            attempts,
            unreadable,
            traces: HashMap::new(),
            user_changes: HashMap::new(),
            attempt_changes: HashMap::new(),
            counts: BTreeMap::new(),
            events: Vec::new(),
            history: Vec::new(),
        })
    }

    /// The events of this attempt belong to this trace. For a batch, which has none of its own.
    pub(super) fn within(&mut self, attempt_id: Uuid, trace: Option<String>) {
        self.traces.extend(trace.map(|trace| (attempt_id, trace)));
    }

    /// Whether an attempt is the user's current one and has not ended.
    pub(in crate::store) fn is_open(&self, user_id: Uuid, attempt_id: Uuid) -> bool {
        let is_current = self.users.get(&user_id).is_some_and(|user| user.attempt_id == Some(attempt_id));
        is_current && self.attempts.get(&attempt_id).is_some_and(|(state, _)| !state.is_final())
    }

    /// The attempt as it was at the beginning.
    pub(in crate::store) fn attempt(&self, id: Uuid) -> Option<&verification_attempt::Model> {
        self.attempts.get(&id).map(|(_, attempt)| attempt)
    }

    /// Whether the user or the attempt has a value that this program does not know. Every job of such a pair waits for [`UNREADABLE_WAIT`]: an operator repairs the row, or a newer version reads it.
    pub(super) fn is_unreadable(&self, user_id: Uuid, attempt_id: Uuid) -> bool {
        self.unreadable.contains(&user_id) || self.unreadable.contains(&attempt_id)
    }

    /// Applies a stimulus to a user and an attempt. None: their state does not allow it, and nothing changes.
    pub(in crate::store) fn apply(
        &mut self,
        user_id: Uuid,
        attempt_id: Uuid,
        stimulus: Stimulus<'_>,
    ) -> Result<Option<Transition>, StoreError> {
        let (Some(user), Some((state, attempt))) = (self.users.get_mut(&user_id), self.attempts.get(&attempt_id))
        else {
            return Ok(None);
        };
        let (state, found) = (*state, &attempt.reasons);
        let current = (user.attempt_id == Some(attempt_id)).then_some(state);
        let in_human_hands = self.in_human_hands.contains(&attempt_id);
        let before = State { status: user.status, attempt: current, in_human_hands };
        let Ok(next) = transition(before, stimulus) else { return Ok(None) };
        let reasons = stimulus.reasons();
        let text = reasons.as_ref().map(|reasons| json!(reasons).to_string());
        if next.status != user.status || text.is_some() {
            // New reasons for the same status are a change too, though without an event.
            let increment = next.version_increment();
            let change = UserChange { status: next.status, reasons: text.clone(), increment };
            self.user_changes.entry(change).or_default().push((user.client_id, user_id));
            let trace = self.traces.get(&attempt_id).cloned().or_else(telemetry::trace_context);
            self.events.extend(events(self.env, self.now, user, stimulus, &next, trace));
            if next.status != user.status {
                let (before, after) = (Some(user.status.into_str()), next.status.into_str());
                let change = CountChange::of((user.client_id, user_id), user.kind.into_str(), before, after);
                *self.counts.entry(change).or_default() += 1;
            }
            user.version += increment;
            self.history.push(entry(self.now, user, attempt, stimulus, next.status, reasons.as_deref()));
            user.status = next.status;
        }
        if next.attempt != state || text.is_some() {
            // The reasons of a review stay in the history of the attempt, after those of the decision.
            let reasons = reasons.map(|decided| match current {
                Some(AttemptState::Review) if next.attempt.is_final() => {
                    let earlier = serde_json::from_value(found.clone()).unwrap_or_default();
                    json!(Reason::with_earlier(decided, earlier)).to_string()
                }
                _ => json!(decided).to_string(),
            });
            let assurance = stimulus.assurance();
            let change = AttemptChange { state: next.attempt, assurance, reasons };
            self.attempt_changes.entry(change).or_default().push((user.client_id, attempt_id));
        }
        Ok(Some(next))
    }

    /// Writes everything.
    pub(in crate::store) async fn write(self, transaction: &Transaction) -> Result<(), StoreError> {
        for (change, ids) in self.user_changes {
            user::Entity::update_many()
                .set(user::ActiveModel {
                    status: Set(change.status.into_str().to_owned()),
                    status_reasons: Set(change.reasons.as_deref().map(parse)),
                    updated_at: Set(self.now),
                    ..Default::default()
                })
                .col_expr(user::Column::Version, Expr::col(user::Column::Version).add(change.increment))
                .filter(with_keys(user::Column::ClientId, user::Column::Id, ids))
                .exec(transaction)
                .await?;
        }
        for (change, ids) in self.attempt_changes {
            let mut row = verification_attempt::ActiveModel {
                state: Set(change.state.into_str().to_owned()),
                ..Default::default()
            };
            if let Some(reasons) = &change.reasons {
                row.reasons = Set(parse(reasons));
                row.assurance = Set(change.assurance.map(|assurance| assurance.into_str().to_owned()));
            }
            if change.state.is_final() {
                row.finished_at = Set(Some(self.now));
            }
            let filter = with_keys(verification_attempt::Column::ClientId, verification_attempt::Column::Id, ids);
            verification_attempt::Entity::update_many().set(row).filter(filter).exec(transaction).await?;
        }
        if !self.counts.is_empty() {
            let rows = self.counts.into_iter().map(|(change, users)| change.into_row(self.env.new_id(), users));
            user_count_change::Entity::insert_many(rows).exec_without_returning(transaction).await?;
        }
        if !self.events.is_empty() {
            outbox::Entity::insert_many(self.events).exec_without_returning(transaction).await?;
        }
        if !self.history.is_empty() {
            user_history::Entity::insert_many(self.history).exec_without_returning(transaction).await?;
        }
        // Else the next search for overdue attempts would find the same rows first.
        let stuck = self.attempts.into_values().filter(|(_, attempt)| attempt.deadline_at <= self.now);
        let stuck: Vec<_> = stuck
            .filter(|(_, row)| self.unreadable.contains(&row.user_id))
            .map(|(_, row)| (row.client_id, row.id))
            .collect();
        if !stuck.is_empty() {
            let row = verification_attempt::ActiveModel {
                deadline_at: Set(self.now + UNREADABLE_WAIT),
                ..Default::default()
            };
            let filter = with_keys(verification_attempt::Column::ClientId, verification_attempt::Column::Id, stuck);
            verification_attempt::Entity::update_many().set(row).filter(filter).exec(transaction).await?;
        }
        Ok(())
    }
}

/// Those of the attempts in review that a reviewer has taken a step with, or whose deadline has passed.
async fn in_human_hands(
    transaction: &Transaction,
    attempts: &[verification_attempt::Model],
    now: DateTime<Utc>,
) -> Result<HashSet<Uuid>, StoreError> {
    let reviews = attempts.iter().filter(|attempt| attempt.state == AttemptState::Review.into_str());
    let (overdue, waiting): (Vec<_>, Vec<_>) = reviews.partition(|attempt| attempt.deadline_at <= now);
    let mut in_human_hands: HashSet<Uuid> = overdue.into_iter().map(|attempt| attempt.id).collect();
    if !waiting.is_empty() {
        let steps = review_step::Entity::find().select_only().column(review_step::Column::AttemptId).filter(with_keys(
            review_step::Column::ClientId,
            review_step::Column::AttemptId,
            waiting.iter().map(|attempt| (attempt.client_id, attempt.id)),
        ));
        in_human_hands.extend(steps.into_tuple::<Uuid>().all(transaction).await?);
    }
    Ok(in_human_hands)
}

/// The events of a transition, which happened in `trace`. The user's row is as before it.
pub(super) fn events(
    env: &dyn Env,
    now: DateTime<Utc>,
    user: &Row,
    stimulus: Stimulus<'_>,
    next: &Transition,
    trace: Option<String>,
) -> Vec<outbox::ActiveModel> {
    let payload = EventPayload::of_transition(user.kind, user.status, stimulus, next).to_json();
    let event = |(sequence, kind): (i64, &EventKind)| outbox::ActiveModel {
        number: NotSet,
        id: Set(env.new_id()),
        client_id: Set(user.client_id),
        user_id: Set(user.id),
        kind: Set(kind.into_str().to_owned()),
        sequence: Set(sequence),
        payload: Set(payload.clone()),
        created_at: Set(now),
        trace_context: Set(trace.clone()),
    };
    (user.version + 1..).zip(next.events).map(event).collect()
}

/// The entry of a transition in the user's history. The user's row has the version after it, and the status before it.
fn entry(
    now: DateTime<Utc>,
    user: &Row,
    attempt: &verification_attempt::Model,
    stimulus: Stimulus<'_>,
    status: Status,
    reasons: Option<&[Reason]>,
) -> user_history::ActiveModel {
    let what = Action::of(stimulus);
    let entry = NewEntry {
        what,
        version: user.version,
        fields: Vec::new(),
        status: (user.status.into_str().to_owned(), status.into_str().to_owned()),
        attempt_id: Some(attempt.id),
    };
    user_history::ActiveModel {
        provider: Set(attempt.provider.clone().filter(|_| what.1 == Actor::Provider)),
        reasons: Set(reasons.map(|reasons| json!(reasons))),
        ..entry.into_row(user.client_id, user.id, now)
    }
}

/// Parses text that this program has just written.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
