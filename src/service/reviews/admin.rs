//! Reviewing, for the contract's calls and the command line.

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tonic::Status;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::convert;
use crate::contract::v1;
use crate::domain::review::{self, Action, ActionOutcome, Moment, ReviewError};
use crate::domain::verification::{Assurance, Outcome, Reason};
use crate::service::etag;
use crate::service::failure::{corrupt, of_store, of_vault};
use crate::service::idempotency;
use crate::service::users::Users;
use crate::store::{IdempotencyScope, NewClaim, ReviewPage, ReviewRecord, ReviewStepRecord, ReviewView, Reviewed};
use crate::vault::{AeadContext, DataKey, Owner};

/// The code of a rejection by a reviewer, among the reasons that the client sees.
const REJECTED: &str = "rejected_by_reviewer";
/// The code of an approval.
const APPROVED: &str = "approved_by_reviewer";

/// The administration of reviews.
#[derive(Clone)]
pub struct ReviewAdmin {
    /// The users service, with the database.
    pub users: Users,
    /// Whether a decision needs two reviewers who agree.
    pub four_eyes: bool,
}

/// The reviewer.
#[derive(Clone, Debug)]
pub struct Reviewer {
    /// The reviewer's client; none for an operator at the command line.
    pub id: Option<Uuid>,
    /// The display name; an operator has only this.
    pub name: String,
}

impl Reviewer {
    /// The identity of the reviewer.
    fn key(id: Option<Uuid>, name: &str) -> String {
        id.map_or_else(|| format!("operator:{name}"), |id| id.to_string())
    }
}

/// An action of a reviewer.
pub struct Act {
    /// The action.
    pub action: Action,
    /// The reason that the client sees.
    pub reason: Option<String>,
    /// The note, visible to reviewers only.
    pub note: Option<String>,
    /// The version of the user that the reviewer looked at, as an `ETag`; none: whatever it is.
    pub if_match: Option<String>,
    /// The idempotency key of the request.
    pub key: Option<Uuid>,
}

impl Act {
    /// An action without a reason or note.
    #[must_use]
    pub const fn plain(action: Action) -> Self {
        Self { action, reason: None, note: None, if_match: None, key: None }
    }
}

/// Why an action is not possible.
enum Refused {
    NotYours(ReviewError),
    Precondition(Status),
    Corrupt,
}

impl ReviewAdmin {
    /// The open reviews, oldest first, and their number.
    ///
    /// # Errors
    /// UNAVAILABLE without the database.
    pub async fn list(&self, page: ReviewPage) -> Result<(Vec<v1::Review>, u64), Status> {
        let (records, total) = self.users.store.waiting_reviews(page).await.map_err(of_store)?;
        let now = self.users.env.now();
        // Notes stay sealed in lists: each would cost the opening of its user's key.
        let reviews = records.iter().map(|record| convert::review(record, now, None)).collect::<Result<_, _>>()?;
        Ok((reviews, total))
    }

    /// One review, its whole user, and the user's version.
    ///
    /// # Errors
    /// NOT_FOUND, or UNAVAILABLE without the database.
    pub async fn get(&self, id: Uuid) -> Result<(v1::Review, v1::User, i64), Status> {
        let record = self.find(id).await?;
        let review = self.show(&record).await?;
        let user = self.users.find_whole(record.client_id, record.user_id).await?;
        let (user, version) = user.ok_or_else(|| corrupt("a review without its user"))?;
        Ok((review, user, version))
    }

    /// Takes an action. Returns the review as it is now, and whether an earlier request with the same key took the
    /// action.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_REUSED` where the key was used for another action;
    /// NOT_FOUND; `REVIEW_CLOSED` where it is decided or the user has another attempt by now; `REVIEW_NOT_YOURS` where
    /// it is another's turn; UNAVAILABLE without the database.
    pub async fn act(&self, id: Uuid, reviewer: Reviewer, act: Act) -> Result<(v1::Review, bool), Status> {
        let Users { store, env, .. } = &self.users;
        let record = self.find(id).await?;
        let claim = self.claim(&record, &reviewer, &act)?;
        if self.was_taken(claim.as_ref()).await? {
            return Ok((self.show(&record).await?, true));
        }
        let now = env.now();
        let step_id = env.new_id();
        let sealed_note = match act.note.as_ref().filter(|note| !note.is_empty()) {
            Some(note) => {
                let key = self.data_key(&record).await?;
                Some(key.seal(&AeadContext::ReviewNote(step_id), note.clone().into_bytes()))
            }
            None => None,
        };
        let reason = act.reason.clone().filter(|reason| !reason.is_empty());
        let step = ReviewStepRecord {
            id: step_id,
            reviewer_id: reviewer.id,
            reviewer: reviewer.name.clone(),
            action: act.action.into_str().to_owned(),
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
            Ok((effect == ActionOutcome::Decided).then(|| outcome(act.action, reason.as_deref())))
        };
        let reviewed = store.take_review_step(env.as_ref(), &record, step, claim.clone(), judge);
        let reviewed = reviewed.await.map_err(of_store)?;
        // Of two requests with one key, the second finds what the first has done.
        if !matches!(reviewed, Reviewed::Taken) && self.was_taken(claim.as_ref()).await? {
            return Ok((self.show(&self.find(id).await?).await?, true));
        }
        match reviewed {
            Reviewed::Taken => {
                tracing::info!(review_id = %id, user_id = %record.user_id, action = act.action.into_str(), "review");
                Ok((self.show(&self.find(id).await?).await?, false))
            }
            Reviewed::Refused(Refused::NotYours(refusal)) => {
                Err(error::status(ErrorReason::ReviewNotYours, refusal.to_string()))
            }
            Reviewed::Refused(Refused::Precondition(status)) => Err(status),
            Reviewed::Refused(Refused::Corrupt) => Err(corrupt("a stored review")),
            Reviewed::Closed => Err(error::with_reason(ErrorReason::ReviewClosed)),
        }
    }

    /// The claim of a step on its idempotency key, and whose it is.
    fn claim(&self, review: &ReviewRecord, reviewer: &Reviewer, act: &Act) -> Result<Option<(Uuid, NewClaim)>, Status> {
        let (Some(client_id), Some(key)) = (reviewer.id, act.key) else { return Ok(None) };
        let said = serde_json::to_vec(&(review.attempt_id, &act.reason, &act.note))
            .map_err(|_| corrupt("a step of a review"))?;
        let hash = &self.users.fingerprints;
        let request = hash.digest(&Zeroizing::new(said));
        let scope = IdempotencyScope { client_id, operation: operation(act.action), key };
        let fingerprint = idempotency::fingerprint(hash, &scope, request, review.user_id, Some(review.attempt_id));
        Ok(Some((client_id, NewClaim { operation: scope.operation, key, fingerprint, outcome: None })))
    }

    /// Whether a request with this key has taken this step.
    async fn was_taken(&self, claim: Option<&(Uuid, NewClaim)>) -> Result<bool, Status> {
        let Some((client_id, claim)) = claim else { return Ok(false) };
        let scope = IdempotencyScope { client_id: *client_id, operation: claim.operation, key: claim.key };
        match self.users.store.find_claim(&scope).await.map_err(of_store)? {
            Some(known) if known.fingerprint == claim.fingerprint => Ok(true),
            Some(_) => Err(error::with_reason(ErrorReason::IdempotencyKeyReused)),
            None => Ok(false),
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
            let text = Zeroizing::new(key.open(&AeadContext::ReviewNote(step.id), sealed.clone()).map_err(of_vault)?);
            Ok(Some(String::from_utf8_lossy(&text).into_owned()))
        };
        convert::review(record, self.users.env.now(), Some(&open))
    }

    async fn data_key(&self, record: &ReviewRecord) -> Result<DataKey, Status> {
        let ReviewRecord { client_id, user_id, .. } = *record;
        let user = self.users.store.find_user(client_id, user_id).await.map_err(of_store)?;
        let user = user.ok_or_else(|| corrupt("a review without its user"))?;
        self.users.vault.open_data_key(Owner { client_id, user_id }, &user.wrapped_key).map_err(of_vault)
    }
}

/// What idempotency keys of a step are scoped to.
const fn operation(action: Action) -> &'static str {
    match action {
        Action::Claim => "claim_review",
        Action::Release => "release_review",
        Action::Approve => "approve_review",
        Action::Reject => "reject_review",
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
