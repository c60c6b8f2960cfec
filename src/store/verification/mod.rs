//! Verification attempts and the jobs that carry them out.
//!
//! A job is a row with a lease: a worker claims it with a token, works with no transaction open, and settles it only
//! while the token is still there. A claimed job is due again when its lease ends (`run_at`), so that the same query finds
//! new jobs and those of a crashed worker; a job that is done is deleted.
//!
//! Locks, in this order: jobs, then users by id. A change of an attempt holds its user's row. A request, a callback and a
//! reviewer lock the user alone and leave the job, which the next claim removes.

mod changes;
mod claim;
mod history;
mod settle;
mod start;

use chrono::{DateTime, Utc};
use entity::verification_attempt;
use uuid::Uuid;

pub use claim::ClaimedVerification;
pub use settle::{JobResult, ProviderAnswer, VerificationResult};
pub use start::Start;

use super::{StoreError, Transaction};
pub(in crate::store) use changes::Row;
pub(super) use changes::{Changes, Subject};

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
    /// Its state.
    pub state: String,
    /// The provider; None before a worker claimed it.
    pub provider: Option<String>,
    /// What the outcome proves.
    pub assurance: Option<String>,
    /// A list of codes, messages and paths.
    pub reasons: serde_json::Value,
    /// What the provider calls it, sealed under the user's data key.
    pub sealed_reference: Option<Vec<u8>>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When a worker first claimed it.
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
            sealed_reference: row.sealed_reference,
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
