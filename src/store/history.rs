//! The history of users. A row is written in the transaction of its change, under the version that the change makes: two
//! changes to one version cannot both be committed.

use chrono::{DateTime, Utc};
use entity::{user, user_history};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::json;
use tracing::instrument;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::history::{Action, Actor};

/// An entry of a user's history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryRecord {
    /// The user's version after the change.
    pub version: i64,
    /// What happened.
    pub action: String,
    /// Who did it.
    pub actor: String,
    /// The verification provider, where it decided.
    pub provider: Option<String>,
    /// A list of the request names of what changed.
    pub fields: serde_json::Value,
    /// The status before, where it changed.
    pub previous_status: Option<String>,
    /// The status after.
    pub status: String,
    /// Why: a list of codes, messages and paths.
    pub reasons: Option<serde_json::Value>,
    /// The verification attempt that it is about, or that it started.
    pub attempt_id: Option<Uuid>,
    /// When it happened.
    pub created_at: DateTime<Utc>,
}

/// An entry to write, of a user that the transaction writes too.
#[derive(Clone, Debug)]
pub(super) struct NewEntry {
    /// What happened, and who did it.
    pub(super) what: (Action, Actor),
    /// The user's version after the change.
    pub(super) version: i64,
    /// The request names of what changed.
    pub(super) fields: Vec<String>,
    /// The status before the change, and after it.
    pub(super) status: (String, String),
    /// The verification attempt that it is about, or that it started.
    pub(super) attempt_id: Option<Uuid>,
}

impl NewEntry {
    pub(super) fn into_row(self, client_id: Uuid, user_id: Uuid, now: DateTime<Utc>) -> user_history::ActiveModel {
        let (action, actor) = self.what;
        let (before, after) = self.status;
        user_history::ActiveModel {
            client_id: Set(client_id),
            user_id: Set(user_id),
            version: Set(self.version),
            action: Set(action.into_str().to_owned()),
            actor: Set(actor.into_str().to_owned()),
            provider: Set(None),
            fields: Set(json!(self.fields)),
            previous_status: Set((before != after).then_some(before)),
            status: Set(after),
            reasons: Set(None),
            attempt_id: Set(self.attempt_id),
            created_at: Set(now),
        }
    }
}

impl Store {
    /// Up to `limit` entries of the history of a user of this client, newest first: those before the version `before`.
    /// None: there is no such user.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn list_history(
        &self,
        client_id: Uuid,
        user_id: Uuid,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Option<Vec<HistoryRecord>>, StoreError> {
        use user_history::Column::{ClientId, UserId, Version};
        let mut entries = user_history::Entity::find().filter(ClientId.eq(client_id)).filter(UserId.eq(user_id));
        if let Some(before) = before {
            entries = entries.filter(Version.lt(before));
        }
        let entries = entries.order_by_desc(Version).limit(limit).all(&self.read()).await?;
        if !entries.is_empty() {
            return Ok(Some(entries.into_iter().map(HistoryRecord::from).collect()));
        }
        let user = user::Entity::find_by_id((client_id, user_id));
        let user = user.select_only().column(user::Column::Id).into_tuple::<Uuid>().one(&self.read()).await?;
        Ok(user.map(|_| Vec::new()))
    }
}

impl From<user_history::Model> for HistoryRecord {
    fn from(row: user_history::Model) -> Self {
        Self {
            version: row.version,
            action: row.action,
            actor: row.actor,
            provider: row.provider,
            fields: row.fields,
            previous_status: row.previous_status,
            status: row.status,
            reasons: row.reasons,
            attempt_id: row.attempt_id,
            created_at: row.created_at,
        }
    }
}
