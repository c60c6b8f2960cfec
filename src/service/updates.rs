//! Changes of a user (decisions, section 9): read, merge, judge, and write if nobody else has written meanwhile.

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use kira_gateway::problem::{Path, Problems};
use kira_gateway::{Late, Unrecognized, off_thread, other_kind};
use serde_json::json;
use tonic::{Request, Response, Status};

use super::failure::{corrupt, of_store};
use super::request::{caller, checked_id, note_user};
use super::response::{Record, parts_of_individual, to_user};
use super::users::{MAX_DOCUMENTS, Users, kind, open_profile, record, user_not_found};
use super::{discarded, etag};
use crate::contract::v1;
use crate::contract::v1::update_user_request::User as Change;
use crate::domain::changes::{Before, Effect, Weight, effect, weight};
use crate::domain::requirements::report as judge;
use crate::domain::status::Status as UserStatus;
use crate::domain::verification::{AttemptState, EventKind, Trigger};
use crate::profile;
use crate::profile::Profile;
use crate::profile::merge::{Changed, Prepared};
use crate::profile::subject::subject;
use crate::store::{NewDocument, NewEvent, Update, UserRecord, UserUpdate, VerificationChange};
use crate::vault::{Place, SEAL_OVERHEAD};

/// How often a change is worked out again because another came between. Of several at once one always gets through.
const ROUNDS: usize = 32;
/// Seconds after which a crowded user may be changed again.
const RETRY_AFTER: u32 = 1;
/// The states in which an attempt has its outcome.
const FINISHED: [&str; 3] =
    [AttemptState::Verified.as_str(), AttemptState::Rejected.as_str(), AttemptState::Superseded.as_str()];

/// A change on its way to the database.
struct Pending {
    prepared: Prepared,
    problems: Problems,
    /// The new files, once they are stored.
    uploaded: Option<Vec<NewDocument>>,
}

impl Users {
    /// Changes a user of the calling client.
    pub(super) async fn update(
        &self,
        mut request: Request<v1::UpdateUserRequest>,
    ) -> Result<Response<v1::UpdateUserResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let late = Late::of(&mut request);
        let v1::UpdateUserRequest { user, user_id, if_match } = request.into_inner();
        let id = checked_id(user_id)?;
        note_user(id);
        let mut row = self.store.find_user(client_id, id).await.map_err(of_store)?.ok_or_else(|| user_not_found(id))?;
        let (change, problems, unrecognized) = read(late, user, &row).await?;
        let prepared = Prepared::new(change, self.ambient.as_ref());
        if prepared.documents() > MAX_DOCUMENTS {
            let message = format!("A request must contain at most {MAX_DOCUMENTS} documents");
            return Err(error::invalid("too_big", message));
        }
        let mut pending = Pending { prepared, problems, uploaded: None };
        for _ in 0..ROUNDS {
            let written = match etag::require(if_match.as_deref(), row.version) {
                Ok(()) => self.write(&mut row, &mut pending).await,
                Err(status) => Err(status),
            };
            match written {
                Ok(Some((user, version))) => {
                    let mut response = etag::tagged(v1::UpdateUserResponse { user: Some(user) }, version);
                    response.extensions_mut().insert(unrecognized);
                    return Ok(response);
                }
                Ok(None) => {}
                Err(status) => {
                    if is_refusal(&status) {
                        self.discard(pending).await;
                    }
                    return Err(status);
                }
            }
            row = self.store.find_user(client_id, id).await.map_err(of_store)?.ok_or_else(|| user_not_found(id))?;
        }
        self.discard(pending).await;
        Err(error::status_with_retry(ErrorReason::Unavailable, RETRY_AFTER))
    }

    /// Works the change out from `row` and writes it; None where the user has changed since. The user as it is now, and
    /// its version.
    async fn write(&self, row: &mut UserRecord, pending: &mut Pending) -> Result<Option<(v1::User, i64)>, Status> {
        let now = self.ambient.now();
        let (data_key, stored) = open_profile(&self.vault, row)?;
        let was_complete = judge(&subject(&stored), []).triggers_verification();
        let merged = pending.prepared.clone().merge(stored).map_err(|_| corrupt("the kind of a stored user"))?;
        let accepted = merged.judge(now, pending.problems.clone()).map_err(error::invalid_request)?;
        let Changed { profile, updated, documents, removed } =
            off_thread(pending.prepared.bytes(), move || accepted.finish(now)).await?;
        let status: UserStatus = row.status.parse().map_err(|_| corrupt("a stored status"))?;
        if updated.is_empty() {
            let record = record(row, status)?;
            return Ok(Some((self.outcome(&record, profile, updated, None), row.version)));
        }
        let uploaded = match pending.uploaded.clone() {
            Some(uploaded) => uploaded,
            None => pending.uploaded.insert(self.upload(&data_key, documents).await?).clone(),
        };
        let report = judge(&subject(&profile), self.catalogue.codes());
        let open = matches!(status, UserStatus::Created | UserStatus::Verifying | UserStatus::Review);
        let before = Before { status, attempt_open: open && row.attempt_id.is_some(), complete: was_complete };
        let weight = updated.iter().map(|path| weight(path)).max().unwrap_or(Weight::Remark);
        let effect = effect(before, weight, report.triggers_verification());
        let plaintext = profile::encode(&profile, SEAL_OVERHEAD);
        let update = UserUpdate {
            category: Some(subject(&profile).residence.as_str()),
            missing: report.missing().map(|(target, fields)| (target.to_owned(), json!(fields))).collect(),
            profile: data_key.seal(&Place::UserProfile, plaintext),
            updated_at: now,
            documents: uploaded,
            removed,
            verification: effect.abandons.then(|| VerificationChange {
                status: effect.status.as_str(),
                abandoned: AttemptState::Superseded.as_str(),
                finished: &FINISHED,
                started: effect.starts.then(|| self.new_verification(Trigger::Update)),
            }),
            events: self.events(kind(&profile), status, effect.status),
        };
        match self.store.update_user(row, update).await.map_err(of_store)? {
            Update::Conflict => Ok(None),
            Update::Written { version, objects } => {
                if effect.starts {
                    self.verification_wanted.notify_one();
                }
                if let Err(error) = discarded::delete(&self.store, &self.documents, objects).await {
                    tracing::warn!(%error, "files of removed documents wait for the sweep");
                }
                let mut record = Record { updated_at: now, ..record(row, effect.status)? };
                if effect.abandons {
                    record.reasons.clear();
                }
                Ok(Some((self.outcome(&record, profile, updated, Some(effect)), version)))
            }
        }
    }

    /// The user as an update answers it.
    fn outcome(&self, record: &Record, profile: Profile, updated: Vec<String>, effect: Option<Effect>) -> v1::User {
        let (identifying_information, documents) = parts_of_individual(&profile, self.numbers);
        let mut user = to_user(record, profile, &self.catalogue, self.numbers);
        user.verification_triggered = effect.is_some_and(|effect| effect.starts);
        user.outcome = Some(v1::UpdateOutcome {
            updated_fields: updated,
            requires_reverification: effect.is_some_and(|effect| effect.requires_reverification),
            identifying_information,
            documents,
        });
        user
    }

    /// What receivers are told.
    fn events(&self, kind: &'static str, before: UserStatus, after: UserStatus) -> Vec<NewEvent> {
        let mut payload = json!({
            "type": kind,
            "status": after.as_str(),
            "verification_status": after.verification_status().as_str(),
        });
        let event = |kind, payload| NewEvent { id: self.ambient.new_id(), kind, payload };
        let mut events = vec![event("user.updated", payload.clone())];
        if before != after {
            payload["previous_status"] = json!(before.as_str());
            events.push(event(EventKind::StatusChanged.as_str(), payload));
        }
        events
    }

    /// Drops the files of a change that was not written.
    async fn discard(&self, pending: Pending) {
        let objects = pending.uploaded.into_iter().flatten().map(|document| document.object_key).collect();
        if let Err(error) = self.documents.delete_all(objects).await {
            tracing::warn!(%error, "files of a refused change wait for the sweep");
        }
    }
}

/// Whether the change was certainly not written. Any other error leaves that open, so that its files stay: the sweep
/// knows later.
fn is_refusal(status: &Status) -> bool {
    let reason = error::details(status).map(|details| details.reason);
    matches!(reason, Some(ErrorReason::InvalidRequest | ErrorReason::PreconditionFailed))
}

/// The change as one of the stored kind, with the problems of reading it and the keys that nobody knows.
async fn read(late: Late, sent: Option<Change>, row: &UserRecord) -> Result<(Change, Problems, Unrecognized), Status> {
    let individual = v1::UserType::Individual.json_name();
    let is_individual = row.kind == individual;
    let tag = if is_individual { individual } else { v1::UserType::Business.json_name() };
    let (sent, mut problems, unrecognized) = match late.read::<v1::UpdateUserRequest>(tag).await? {
        None => (sent, Problems::default(), Unrecognized::default()),
        Some(read) => {
            let mut problems = read.problems;
            if read.message.user_id.is_some() {
                problems.push(Path::key(0, "user_id"), "custom", "Must be given once");
            }
            (read.message.user, problems, read.unrecognized)
        }
    };
    let fits = match &sent {
        None => true,
        Some(Change::Individual(_)) => is_individual,
        Some(Change::Business(_)) => !is_individual,
    };
    if !fits {
        problems.merge(other_kind("type", tag));
    }
    match sent {
        _ if !fits => Err(error::invalid_request(problems)),
        // A body that could not be read at all.
        None if !problems.is_empty() => Err(error::invalid_request(problems)),
        None if is_individual => Ok((Change::Individual(v1::IndividualChange::default()), problems, unrecognized)),
        None => Ok((Change::Business(v1::BusinessChange::default()), problems, unrecognized)),
        Some(change) => Ok((change, problems, unrecognized)),
    }
}
