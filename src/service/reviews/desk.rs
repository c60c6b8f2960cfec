//! Reviewing, whoever asks: the contract's calls and the command line.

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tonic::Status;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::show;
use crate::contract::v1;
use crate::domain::review::{self, Action, Effect, Moment, Refusal};
use crate::domain::verification::{Assurance, Outcome, Reason};
use crate::service::etag;
use crate::service::failure::{corrupt, of_store, of_vault};
use crate::service::users::Users;
use crate::store::{ReviewPage, ReviewRecord, ReviewStepRecord, ReviewView, Reviewed};
use crate::vault::{DataKey, Owner, Place};

/// The code of a rejection by a reviewer, among the reasons that the client sees.
const REJECTED: &str = "rejected_by_reviewer";
/// The code of an approval.
const APPROVED: &str = "approved_by_reviewer";

/// Where reviews are decided.
#[derive(Clone)]
pub struct ReviewDesk {
    /// Shows the users, and holds what they are kept in.
    pub users: Users,
    /// Whether a decision needs two reviewers who agree.
    pub four_eyes: bool,
}

/// Who decides.
#[derive(Clone, Debug)]
pub struct Reviewer {
    /// The reviewer's client; none for an operator at the command line.
    pub id: Option<Uuid>,
    /// For people; of an operator it is all there is.
    pub name: String,
}

impl Reviewer {
    /// What tells one reviewer from another.
    fn key(id: Option<Uuid>, name: &str) -> String {
        id.map_or_else(|| format!("operator:{name}"), |id| id.to_string())
    }
}

/// What a reviewer does.
pub struct Act {
    /// What.
    pub action: Action,
    /// What the client is told.
    pub reason: Option<String>,
    /// For reviewers alone.
    pub note: Option<String>,
    /// The version of the user that the reviewer looked at, as an `ETag`; none: whatever it is.
    pub if_match: Option<String>,
}

impl Act {
    /// An action that is not explained.
    #[must_use]
    pub const fn plain(action: Action) -> Self {
        Self { action, reason: None, note: None, if_match: None }
    }
}

/// Why a step cannot be taken.
enum Refused {
    NotYours(Refusal),
    Precondition(Status),
    Corrupt,
}

impl ReviewDesk {
    /// The reviews that wait, oldest first, and how many there are.
    ///
    /// # Errors
    /// UNAVAILABLE without the database.
    pub async fn list(&self, page: ReviewPage) -> Result<(Vec<v1::Review>, u64), Status> {
        let (records, total) = self.users.store.waiting_reviews(page).await.map_err(of_store)?;
        let now = self.users.ambient.now();
        // Notes stay sealed in lists: each would cost the opening of its user's key.
        let reviews = records.iter().map(|record| show::review(record, now, None)).collect::<Result<_, _>>()?;
        Ok((reviews, total))
    }

    /// One review, its user, and the user's version.
    ///
    /// # Errors
    /// NOT_FOUND, or UNAVAILABLE without the database.
    pub async fn get(&self, id: Uuid) -> Result<(v1::Review, v1::User, i64), Status> {
        let record = self.find(id).await?;
        let review = self.show(&record).await?;
        let user = self.users.find(record.client_id, record.user_id).await?;
        let (user, version) = user.ok_or_else(|| corrupt("a review without its user"))?;
        Ok((review, user, version))
    }

    /// Takes a step; the review as it is after it.
    ///
    /// # Errors
    /// NOT_FOUND; `REVIEW_CLOSED` where it is decided or the user has another attempt by now; `REVIEW_NOT_YOURS` where
    /// it is another's turn; UNAVAILABLE without the database.
    pub async fn act(&self, id: Uuid, reviewer: Reviewer, act: Act) -> Result<v1::Review, Status> {
        let Users { store, ambient, .. } = &self.users;
        let record = self.find(id).await?;
        let now = ambient.now();
        let step_id = ambient.new_id();
        let sealed_note = match act.note.as_ref().filter(|note| !note.is_empty()) {
            Some(note) => {
                let key = self.data_key(&record).await?;
                Some(key.seal(&Place::ReviewNote(step_id), note.clone().into_bytes()))
            }
            None => None,
        };
        let reason = act.reason.clone().filter(|reason| !reason.is_empty());
        let step = ReviewStepRecord {
            id: step_id,
            reviewer_id: reviewer.id,
            reviewer: reviewer.name.clone(),
            action: act.action.as_str().to_owned(),
            reason: reason.clone(),
            sealed_note,
            created_at: now,
        };
        let actor = Reviewer::key(reviewer.id, &reviewer.name);
        let judge = |view: &ReviewView| {
            etag::require(act.if_match.as_deref(), view.user_version).map_err(Refused::Precondition)?;
            let steps = steps(&view.steps).ok_or(Refused::Corrupt)?;
            let moment = Moment { now, changed_at: view.user_updated_at };
            let effect =
                review::judge(&steps, &actor, act.action, moment, self.four_eyes).map_err(Refused::NotYours)?;
            Ok((effect == Effect::Decided).then(|| outcome(act.action, reason.as_deref())))
        };
        match store.take_review_step(ambient.as_ref(), &record, step, judge).await.map_err(of_store)? {
            Reviewed::Taken => {
                tracing::info!(review_id = %id, user_id = %record.user_id, action = act.action.as_str(), "review");
                self.show(&self.find(id).await?).await
            }
            Reviewed::Refused(Refused::NotYours(refusal)) => {
                Err(error::status(ErrorReason::ReviewNotYours, refusal.to_string()))
            }
            Reviewed::Refused(Refused::Precondition(status)) => Err(status),
            Reviewed::Refused(Refused::Corrupt) => Err(corrupt("a stored review")),
            Reviewed::Closed => Err(error::because(ErrorReason::ReviewClosed)),
        }
    }

    async fn find(&self, id: Uuid) -> Result<ReviewRecord, Status> {
        let found = self.users.store.find_review(id).await.map_err(of_store)?;
        found.ok_or_else(|| not_found(id))
    }

    /// A review with its notes.
    async fn show(&self, record: &ReviewRecord) -> Result<v1::Review, Status> {
        let noted = record.steps.iter().any(|step| step.sealed_note.is_some());
        let key = if noted { Some(self.data_key(record).await?) } else { None };
        let open = |step: &ReviewStepRecord| -> Result<Option<String>, Status> {
            let (Some(key), Some(sealed)) = (&key, &step.sealed_note) else { return Ok(None) };
            let text = Zeroizing::new(key.open(&Place::ReviewNote(step.id), sealed.clone()).map_err(of_vault)?);
            Ok(Some(String::from_utf8_lossy(&text).into_owned()))
        };
        show::review(record, self.users.ambient.now(), Some(&open))
    }

    async fn data_key(&self, record: &ReviewRecord) -> Result<DataKey, Status> {
        let ReviewRecord { client_id, user_id, .. } = *record;
        let user = self.users.store.find_user(client_id, user_id).await.map_err(of_store)?;
        let user = user.ok_or_else(|| corrupt("a review without its user"))?;
        self.users.vault.open_data_key(Owner { client_id, user_id }, &user.wrapped_key).map_err(of_vault)
    }
}

/// The steps as the rules see them; none where one of them is not as this program writes it.
pub(super) fn steps(records: &[ReviewStepRecord]) -> Option<Vec<review::Step>> {
    let step = |record: &ReviewStepRecord| {
        let actor = Reviewer::key(record.reviewer_id, &record.reviewer);
        Some(review::Step { actor, action: record.action.parse().ok()?, at: record.created_at })
    };
    records.iter().map(step).collect()
}

fn outcome(action: Action, reason: Option<&str>) -> Outcome {
    match action {
        Action::Reject => {
            let text = reason.unwrap_or("The user was rejected by a reviewer");
            Outcome::rejected(Assurance::ManualReview, Reason::new(REJECTED, text))
        }
        Action::Approve | Action::Claim | Action::Release => Outcome {
            reasons: reason.map(|text| Reason::new(APPROVED, text)).into_iter().collect(),
            ..Outcome::verified(Assurance::ManualReview)
        },
    }
}

fn not_found(id: Uuid) -> Status {
    error::status(ErrorReason::NotFound, format!("Review with ID {id} not found"))
}
