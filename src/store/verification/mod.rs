//! Verification attempts and the jobs that carry them out.
//!
//! A job is a row with a lease: whoever claims it stamps a token, works with no transaction open, and settles it only
//! while the token is still there. A claimed job is due again when its lease ends (`run_at`), so that a crashed worker's
//! job is found by the same query as a new one; a job that is done is deleted.
//!
//! Locks, in this order: jobs, then users by id. Whoever changes an attempt holds its user's row; what has only the user
//! (a request, a callback, a reviewer) leaves the job alone, and the next claim finds that it has nothing left to do.

mod changes;
mod claim;
mod history;
mod settle;
mod start;

use chrono::{DateTime, Utc};
use entity::verification_attempt;
use sea_orm::DatabaseTransaction;
use uuid::Uuid;

pub use claim::ClaimedVerification;
pub use settle::{Found, ProviderAnswer, Settlement};
pub use start::Start;

use super::StoreError;
pub(super) use changes::Changes;
use changes::Row;

/// An attempt as it is stored, without the provider's raw answer.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRecord {
    /// Identifier.
    pub id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user it verifies.
    pub user_id: Uuid,
    /// What started it.
    pub trigger: String,
    /// Where it stands.
    pub state: String,
    /// Who verifies; None before a worker took it up.
    pub provider: Option<String>,
    /// What the outcome proves.
    pub assurance: Option<String>,
    /// A list of codes, messages and paths.
    pub reasons: serde_json::Value,
    /// What the provider calls it.
    pub reference: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When a worker first took it up.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it becomes REVIEW without an outcome.
    pub deadline_at: DateTime<Utc>,
}

impl From<verification_attempt::Model> for AttemptRecord {
    fn from(row: verification_attempt::Model) -> Self {
        Self {
            id: row.id,
            client_id: row.client_id,
            user_id: row.user_id,
            trigger: row.trigger,
            state: row.state,
            provider: row.provider,
            assurance: row.assurance,
            reasons: row.reasons,
            reference: row.reference,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            deadline_at: row.deadline_at,
        }
    }
}

/// Reads a word that this program has written.
fn word<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::corrupt(what))
}

type Transaction = DatabaseTransaction;
