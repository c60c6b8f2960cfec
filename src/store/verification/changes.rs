//! What happens to several users and their attempts in one transaction: decided by the state machine under the users'
//! locks, written grouped, since most of a batch end alike and round trips are what costs.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use entity::{event, review_step, user, verification_attempt};
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::StoreError;
use super::Transaction;
use crate::ambient::Ambient;
use crate::domain::status::Status;
use crate::domain::verification::{AttemptState, Input, Reason, Standing, Transition, transition};
use crate::telemetry;

/// What receivers are told in place of a reviewer's words.
const BY_REVIEWER: &str = "A reviewer has decided; the user's status_reasons say why";

/// After which time a row that could not be read is looked at again.
pub(super) const UNREADABLE_WAIT: TimeDelta = TimeDelta::minutes(5);

/// A user's row, locked, as far as its status is concerned.
#[derive(Clone, Debug)]
pub(in crate::store) struct Row {
    pub(in crate::store) id: Uuid,
    pub(in crate::store) client_id: Uuid,
    pub(in crate::store) kind: String,
    pub(in crate::store) status: Status,
    pub(in crate::store) attempt_id: Option<Uuid>,
    pub(in crate::store) version: i64,
}

/// A user's row, or the id of one that holds what this program does not know.
type Locked = Result<Row, Uuid>;

impl Row {
    /// Locks users in the order of their ids, so that two transactions never wait for each other.
    pub(in crate::store) async fn lock(transaction: &Transaction, ids: &[Uuid]) -> Result<Vec<Self>, StoreError> {
        let rows = Self::lock_any(transaction, ids).await?.into_iter();
        rows.map(|row| row.map_err(|_| StoreError::corrupt("a user's status"))).collect()
    }

    async fn lock_any(transaction: &Transaction, ids: &[Uuid]) -> Result<Vec<Locked>, StoreError> {
        use user::Column::{AttemptId, ClientId, Id, Kind, Status, Version};
        let rows = user::Entity::find()
            .select_only()
            .columns([Id, ClientId, Kind, Status, AttemptId, Version])
            .filter(Id.is_in(ids.iter().copied()))
            .order_by_asc(Id)
            // Rows that refer to the user may be inserted meanwhile.
            .lock(LockType::NoKeyUpdate)
            .into_tuple::<(Uuid, Uuid, String, String, Option<Uuid>, i64)>()
            .all(transaction)
            .await?;
        let row = |(id, client_id, kind, status, attempt_id, version): (_, _, _, String, _, _)| {
            let status = status.parse().map_err(|_| id)?;
            Ok(Self { id, client_id, kind, status, attempt_id, version })
        };
        Ok(rows.into_iter().map(row).collect())
    }
}

/// What a group of users becomes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct UserChange {
    status: Status,
    /// As JSON text, which unlike the value can be compared as a key.
    reasons: Option<String>,
    /// By how much the version rises: one for each event, so that the events of a user have an order.
    rise: i64,
}

/// What a group of attempts becomes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct AttemptChange {
    state: AttemptState,
    assurance: Option<&'static str>,
    reasons: Option<String>,
}

/// Changes under way.
pub(in crate::store) struct Changes<'a> {
    ambient: &'a dyn Ambient,
    now: DateTime<Utc>,
    users: HashMap<Uuid, Row>,
    attempts: HashMap<Uuid, (AttemptState, verification_attempt::Model)>,
    /// Users and attempts that hold what this program does not know. They are in none of the maps: one broken row must
    /// not keep the others of a batch from their outcome.
    unreadable: HashSet<Uuid>,
    /// The reviews that are out of their provider's hands.
    attended: HashSet<Uuid>,
    /// The traces that attempts are verified in, as a `traceparent`; of others it is that of the caller.
    traces: HashMap<Uuid, String>,
    user_changes: HashMap<UserChange, Vec<Uuid>>,
    attempt_changes: HashMap<AttemptChange, Vec<Uuid>>,
    events: Vec<event::ActiveModel>,
}

impl<'a> Changes<'a> {
    /// Locks the users and reads the attempts as they stand under the locks.
    pub(in crate::store) async fn begin(
        ambient: &'a dyn Ambient,
        transaction: &Transaction,
        users: &[Uuid],
        attempts: &[Uuid],
    ) -> Result<Self, StoreError> {
        let mut unreadable = HashSet::new();
        let mut broken = |user: Uuid, attempt: Option<Uuid>| {
            tracing::error!(%user, ?attempt, "a row of a verification cannot be read and is left for later");
            unreadable.insert(attempt.unwrap_or(user));
        };
        let mut readable = HashMap::new();
        for row in Row::lock_any(transaction, users).await? {
            match row {
                Ok(row) => drop(readable.insert(row.id, row)),
                Err(user) => broken(user, None),
            }
        }
        let rows = verification_attempt::Entity::find()
            .filter(verification_attempt::Column::Id.is_in(attempts.iter().copied()))
            .all(transaction)
            .await?;
        let now = ambient.now();
        let attended = attended(transaction, &rows, now).await?;
        let mut attempts = HashMap::new();
        for row in rows {
            match row.state.parse() {
                Ok(state) => drop(attempts.insert(row.id, (state, row))),
                Err(_) => broken(row.user_id, Some(row.id)),
            }
        }
        Ok(Self {
            ambient,
            now,
            attended,
            users: readable,
            attempts,
            unreadable,
            traces: HashMap::new(),
            user_changes: HashMap::new(),
            attempt_changes: HashMap::new(),
            events: Vec::new(),
        })
    }

    /// What happens to this attempt belongs to this trace. For a batch, which has none of its own.
    pub(super) fn within(&mut self, attempt_id: Uuid, trace: Option<String>) {
        self.traces.extend(trace.map(|trace| (attempt_id, trace)));
    }

    /// Whether an attempt is the user's current one and has not ended, so that what is said of it still counts.
    pub(in crate::store) fn is_open(&self, user_id: Uuid, attempt_id: Uuid) -> bool {
        let is_current = self.users.get(&user_id).is_some_and(|user| user.attempt_id == Some(attempt_id));
        is_current && self.attempts.get(&attempt_id).is_some_and(|(state, _)| !state.is_final())
    }

    /// The attempt as it stood at the beginning.
    pub(in crate::store) fn attempt(&self, id: Uuid) -> Option<&verification_attempt::Model> {
        self.attempts.get(&id).map(|(_, attempt)| attempt)
    }

    /// The user, where this is its current attempt and there is no row of it.
    pub(super) fn waiting_for(&self, user_id: Uuid, attempt_id: Uuid) -> Option<&Row> {
        let user = self.users.get(&user_id).filter(|user| user.attempt_id == Some(attempt_id))?;
        let is_there = self.attempts.contains_key(&attempt_id) || self.unreadable.contains(&attempt_id);
        (!is_there).then_some(user)
    }

    /// Takes in an attempt that was inserted under the locks.
    pub(super) fn adopt(&mut self, state: AttemptState, attempt: verification_attempt::Model) {
        self.attempts.insert(attempt.id, (state, attempt));
    }

    /// Whether the user or the attempt holds what this program does not know. Whatever is tried with such a pair has to
    /// wait for [`UNREADABLE_WAIT`]: someone has to mend the row, or a newer version reads it.
    pub(super) fn is_unreadable(&self, user_id: Uuid, attempt_id: Uuid) -> bool {
        self.unreadable.contains(&user_id) || self.unreadable.contains(&attempt_id)
    }

    /// Lets something happen to a user and an attempt. None: it may not; nothing changes.
    pub(in crate::store) fn apply(
        &mut self,
        user_id: Uuid,
        attempt_id: Uuid,
        input: Input<'_>,
    ) -> Result<Option<Transition>, StoreError> {
        let (Some(user), Some((state, _))) = (self.users.get_mut(&user_id), self.attempts.get(&attempt_id)) else {
            return Ok(None);
        };
        let state = *state;
        let current = (user.attempt_id == Some(attempt_id)).then_some(state);
        let attended = self.attended.contains(&attempt_id);
        let standing = Standing { status: user.status, attempt: current, attended };
        let Ok(next) = transition(standing, input) else { return Ok(None) };
        let (reasons, assurance) = match input {
            Input::Decided(outcome) | Input::Reviewed(outcome) => {
                (Some(outcome.reasons.clone()), Some(outcome.assurance.as_str()))
            }
            Input::Overdue => (Some(vec![Reason::overdue()]), None),
            Input::Begun | Input::Started(_) | Input::Withdrawn => (None, None),
        };
        let text = reasons.as_ref().map(|reasons| json!(reasons).to_string());
        if next.status != user.status || text.is_some() {
            // New reasons for the same status are a change too, which no event tells.
            let rise = rise(&next);
            let change = UserChange { status: next.status, reasons: text.clone(), rise };
            self.user_changes.entry(change).or_default().push(user_id);
            let mut told = reasons.unwrap_or_default();
            if matches!(input, Input::Reviewed(_)) {
                // A reviewer's own words are for the client that owns the user, not for every receiver.
                told.iter_mut().for_each(|reason| reason.message = BY_REVIEWER.to_owned());
            }
            let trace = self.traces.get(&attempt_id).cloned().or_else(telemetry::trace_context);
            let events = events(self.ambient, self.now, user, &next, &told, trace);
            self.events.extend(events);
            user.version += rise;
            user.status = next.status;
        }
        if next.attempt != state || text.is_some() {
            let change = AttemptChange { state: next.attempt, assurance, reasons: text };
            self.attempt_changes.entry(change).or_default().push(attempt_id);
        }
        Ok(Some(next))
    }

    /// Writes everything.
    pub(in crate::store) async fn write(self, transaction: &Transaction) -> Result<(), StoreError> {
        for (change, ids) in self.user_changes {
            user::Entity::update_many()
                .set(user::ActiveModel {
                    status: Set(change.status.as_str().to_owned()),
                    status_reasons: Set(change.reasons.as_deref().map(parse)),
                    updated_at: Set(self.now),
                    ..Default::default()
                })
                .col_expr(user::Column::Version, Expr::col(user::Column::Version).add(change.rise))
                .filter(user::Column::Id.is_in(ids))
                .exec(transaction)
                .await?;
        }
        for (change, ids) in self.attempt_changes {
            let mut row = verification_attempt::ActiveModel {
                state: Set(change.state.as_str().to_owned()),
                ..Default::default()
            };
            if let Some(reasons) = &change.reasons {
                row.reasons = Set(parse(reasons));
                row.assurance = Set(change.assurance.map(str::to_owned));
            }
            if change.state.is_final() {
                row.finished_at = Set(Some(self.now));
            }
            let filter = verification_attempt::Column::Id.is_in(ids);
            verification_attempt::Entity::update_many().set(row).filter(filter).exec(transaction).await?;
        }
        if !self.events.is_empty() {
            event::Entity::insert_many(self.events).exec_without_returning(transaction).await?;
        }
        // Else the sweep would find the same rows first, each time.
        let stuck = self.attempts.into_values().filter(|(_, attempt)| attempt.deadline_at <= self.now);
        let stuck: Vec<_> =
            stuck.filter(|(_, row)| self.unreadable.contains(&row.user_id)).map(|(_, row)| row.id).collect();
        if !stuck.is_empty() {
            let row = verification_attempt::ActiveModel {
                deadline_at: Set(self.now + UNREADABLE_WAIT),
                ..Default::default()
            };
            let filter = verification_attempt::Column::Id.is_in(stuck);
            verification_attempt::Entity::update_many().set(row).filter(filter).exec(transaction).await?;
        }
        Ok(())
    }
}

/// Those of the attempts in review that a reviewer has taken a step with, or whose deadline has passed.
async fn attended(
    transaction: &Transaction,
    attempts: &[verification_attempt::Model],
    now: DateTime<Utc>,
) -> Result<HashSet<Uuid>, StoreError> {
    let reviews = attempts.iter().filter(|attempt| attempt.state == AttemptState::Review.as_str());
    let (overdue, waiting): (Vec<_>, Vec<_>) = reviews.partition(|attempt| attempt.deadline_at <= now);
    let mut attended: HashSet<Uuid> = overdue.into_iter().map(|attempt| attempt.id).collect();
    if !waiting.is_empty() {
        let steps = review_step::Entity::find()
            .select_only()
            .column(review_step::Column::AttemptId)
            .filter(review_step::Column::AttemptId.is_in(waiting.iter().map(|attempt| attempt.id)));
        attended.extend(steps.into_tuple::<Uuid>().all(transaction).await?);
    }
    Ok(attended)
}

/// By how much a transition raises the user's version: by one for each event, at least by one.
pub(super) fn rise(next: &Transition) -> i64 {
    i64::try_from(next.events.len()).map_or(i64::MAX, |count| Ord::max(count, 1))
}

/// What receivers are told of a transition (decisions, section 8), which happened in `trace`; nothing personal. The
/// user's row is as before it.
pub(super) fn events(
    ambient: &dyn Ambient,
    now: DateTime<Utc>,
    user: &Row,
    next: &Transition,
    reasons: &[Reason],
    trace: Option<String>,
) -> Vec<event::ActiveModel> {
    let mut payload = json!({
        "type": user.kind,
        "status": next.status.as_str(),
        "verification_status": next.status.verification_status().as_str(),
        "previous_status": user.status.as_str(),
    });
    if !reasons.is_empty() {
        payload["reasons"] = json!(reasons);
    }
    let event = |(sequence, kind): (i64, &crate::domain::verification::EventKind)| event::ActiveModel {
        id: Set(ambient.new_id()),
        client_id: Set(user.client_id),
        user_id: Set(user.id),
        kind: Set(kind.as_str().to_owned()),
        sequence: Set(sequence),
        payload: Set(payload.clone()),
        created_at: Set(now),
        relayed_at: Set(None),
        position: Set(None),
        trace_context: Set(trace.clone()),
    };
    (user.version + 1..).zip(next.events).map(event).collect()
}

/// Text that was made from a value a moment ago.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
