//! The verifications service: a user's attempts, and starting one by request (decisions, section 9).

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use kira_gateway::error::{self, ErrorReason};
use kira_gateway::problem::{Path, Problems};
use prost_types::Timestamp;
use tokio::sync::Notify;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::convert::{status_reason, whole_seconds};
use super::failure::{corrupt, of_store};
use super::idempotency;
use super::request::{caller, checked_id, note_user, replayed};
use super::users::{new_verification, open_profile, user_not_found};
use crate::contract::v1;
use crate::contract::v1::verifications_service_server::VerificationsService;
use crate::domain::requirements::report;
use crate::domain::status::Status as UserStatus;
use crate::domain::verification::{Assurance, AttemptState, Reason, Trigger};
use crate::env::SharedEnv;
use crate::profile::subject::subject;
use crate::store::{AttemptRecord, IdempotencyRecord, IdempotencyScope, NewClaim, Start, Store};
use crate::vault::{KeyedHash, Vault};

/// The operation that idempotency keys of these requests are scoped to (decisions, section 7).
const CREATE_VERIFICATION: &str = "create_verification";
/// Attempts that a list shows at most.
const LISTED: u64 = 100;
/// How often a request re-reads a user that keeps changing before it fails.
const READS: usize = 3;

/// Shows and starts verifications.
pub struct Verifications {
    /// The database.
    pub store: Store,
    /// Opens profiles.
    pub vault: Vault,
    /// Clock, identifiers, randomness.
    pub env: SharedEnv,
    /// The keyed hash of idempotency fingerprints.
    pub fingerprints: KeyedHash,
    /// How long an attempt may take before it goes to review.
    pub verification_deadline: TimeDelta,
    /// Notified when a verification is requested.
    pub verification_wanted: Arc<Notify>,
}

#[tonic::async_trait]
impl VerificationsService for Verifications {
    async fn list_verifications(
        &self,
        request: Request<v1::ListVerificationsRequest>,
    ) -> Result<Response<v1::ListVerificationsResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let user_id = checked_id(request.into_inner().user_id)?;
        note_user(user_id);
        let attempts = self.store.list_attempts(client_id, user_id, LISTED).await.map_err(of_store)?;
        let attempts = attempts.ok_or_else(|| user_not_found(user_id))?;
        let data = attempts.into_iter().map(verification).collect::<Result<_, _>>()?;
        Ok(Response::new(v1::ListVerificationsResponse { data }))
    }

    async fn create_verification(
        &self,
        request: Request<v1::CreateVerificationRequest>,
    ) -> Result<Response<v1::CreateVerificationResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let request = request.into_inner();
        if request.r#type() == v1::VerificationType::EmbeddedLink {
            let mut problems = Problems::default();
            problems.push(Path::key(0, "type"), "custom", "The verification provider has no hosted links; use 'api'");
            return Err(error::invalid_request(problems));
        }
        let (key, user_id) = (checked_id(request.idempotency_key)?, checked_id(request.user_id)?);
        note_user(user_id);
        let scope = IdempotencyScope { client_id, operation: CREATE_VERIFICATION, key };
        let fingerprint = self.fingerprints.digest(&[b"api".as_slice(), user_id.as_bytes()].concat());
        if let Some(claim) = self.store.find_claim(&scope).await.map_err(of_store)? {
            return self.replay(&scope, claim, fingerprint).await;
        }
        for _ in 0..READS {
            match self.start(scope, user_id, fingerprint).await? {
                Start::Started(attempt) => {
                    self.verification_wanted.notify_one();
                    return Ok(Response::new(answer(attempt)?));
                }
                Start::Claimed(claim) => return self.replay(&scope, claim, fingerprint).await,
                Start::NotAllowed(status) => return Err(not_allowed(status)),
                Start::NoUser => return Err(user_not_found(user_id)),
                Start::Changed => {}
            }
        }
        Err(error::status_with_retry(ErrorReason::Unavailable, 1))
    }
}

impl Verifications {
    /// Starts an attempt for the user as it is read here.
    async fn start(&self, scope: IdempotencyScope, user_id: Uuid, fingerprint: [u8; 32]) -> Result<Start, Status> {
        let user = self.store.find_user(scope.client_id, user_id).await.map_err(of_store)?;
        let Some(mut user) = user else { return Ok(Start::NoUser) };
        let version = user.version;
        let status: UserStatus = user.status.parse().map_err(|_| corrupt("a stored status"))?;
        if !matches!(status, UserStatus::Created | UserStatus::Rejected) {
            return Ok(Start::NotAllowed(status));
        }
        let (_, profile) = open_profile(&self.vault, &mut user)?;
        let report = report(&subject(&profile), []);
        if !report.triggers_verification() {
            let mut problems = Problems::default();
            for (slot, token) in (0..).zip(&report.verification().missing) {
                problems.push(Path::key(slot, token.to_string()), "invalid_type", "Required");
            }
            return Err(error::invalid_request(problems));
        }
        let new = new_verification(self.env.as_ref(), Trigger::Request, self.verification_deadline);
        let fingerprint =
            idempotency::fingerprint(&self.fingerprints, &scope, fingerprint, user_id, Some(new.attempt_id));
        let claim = NewClaim { operation: scope.operation, key: scope.key, fingerprint, outcome: None };
        let env = self.env.as_ref();
        let start = self.store.start_verification(env, scope.client_id, user_id, version, new, claim);
        start.await.map_err(of_store)
    }

    /// Answers a repeated request: the attempt as it is now.
    async fn replay(
        &self,
        scope: &IdempotencyScope,
        claim: IdempotencyRecord,
        fingerprint: [u8; 32],
    ) -> Result<Response<v1::CreateVerificationResponse>, Status> {
        if idempotency::request_of(&self.fingerprints, scope, &claim)? != fingerprint {
            return Err(error::with_reason(ErrorReason::IdempotencyKeyReused));
        }
        let attempt_id = claim.resource_id.ok_or_else(|| corrupt("a claim without its attempt"))?;
        let attempt = self.store.find_attempt(scope.client_id, attempt_id).await.map_err(of_store)?;
        let attempt = attempt.ok_or_else(|| corrupt("a claim without its attempt"))?;
        Ok(replayed(Response::new(answer(attempt)?)))
    }
}

fn not_allowed(status: UserStatus) -> Status {
    let message = match status {
        UserStatus::Verified => "The user is VERIFIED already",
        UserStatus::Review => "The user is in REVIEW: a person decides",
        UserStatus::Created | UserStatus::Verifying | UserStatus::Rejected => "A verification is already in progress",
    };
    error::status(ErrorReason::InvalidState, message)
}

fn answer(attempt: AttemptRecord) -> Result<v1::CreateVerificationResponse, Status> {
    Ok(v1::CreateVerificationResponse { verification: Some(verification(attempt)?) })
}

/// Converts an attempt to the contract.
fn verification(attempt: AttemptRecord) -> Result<v1::Verification, Status> {
    let reasons: Vec<Reason> =
        serde_json::from_value(attempt.reasons).map_err(|_| corrupt("the stored reasons of an attempt"))?;
    let assurance = attempt.assurance.map(|text| text.parse().map_err(|_| corrupt("a stored assurance")));
    let seconds = |time: Option<DateTime<Utc>>| -> Option<Timestamp> { time.map(whole_seconds) };
    Ok(v1::Verification {
        id: attempt.id.to_string(),
        user_id: attempt.user_id.to_string(),
        r#type: v1::VerificationType::Api.into(),
        status: state(attempt.state.parse().map_err(|_| corrupt("a stored attempt's state"))?).into(),
        provider: attempt.provider,
        assurance: assurance.transpose()?.map(|known| self::assurance(known).into()),
        trigger: trigger(attempt.trigger.parse().map_err(|_| corrupt("a stored trigger"))?).into(),
        reasons: reasons.into_iter().map(status_reason).collect(),
        created_at: seconds(Some(attempt.created_at)),
        started_at: seconds(attempt.started_at),
        finished_at: seconds(attempt.finished_at),
    })
}

fn state(state: AttemptState) -> v1::VerificationState {
    match state {
        AttemptState::Pending => v1::VerificationState::Pending,
        AttemptState::Running => v1::VerificationState::Running,
        AttemptState::Review => v1::VerificationState::Review,
        AttemptState::Verified => v1::VerificationState::Verified,
        AttemptState::Rejected => v1::VerificationState::Rejected,
        AttemptState::Superseded => v1::VerificationState::Superseded,
    }
}

fn trigger(trigger: Trigger) -> v1::VerificationTrigger {
    match trigger {
        Trigger::Create => v1::VerificationTrigger::Create,
        Trigger::Update => v1::VerificationTrigger::Update,
        Trigger::Request => v1::VerificationTrigger::Request,
    }
}

fn assurance(assurance: Assurance) -> v1::VerificationAssurance {
    match assurance {
        Assurance::Simulated => v1::VerificationAssurance::Simulated,
        Assurance::DataConsistency => v1::VerificationAssurance::DataConsistency,
        Assurance::Identity => v1::VerificationAssurance::Identity,
        Assurance::ManualReview => v1::VerificationAssurance::ManualReview,
    }
}
