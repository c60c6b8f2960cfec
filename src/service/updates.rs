//! Changes of a user (decisions, section 9): read, merge, validate, and write if the user has not changed meanwhile.

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use kira_gateway::problem::{Path, Problems, Step};
use kira_gateway::{Late, Unrecognized, off_thread, other_kind};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tonic::{Request, Response, Status};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::convert::{Record, record_of_individual, to_user};
use super::elements::Element;
use super::failure::{corrupt, of_store};
use super::lookup::external_id_taken;
use super::request::{caller, checked_id, note_user, optional_id, replayed};
use super::users::{MAX_DOCUMENTS, Users, open_profile, record, user_not_found, user_type};
use super::{discarded, etag, idempotency};
use crate::contract::v1;
use crate::contract::v1::update_user_request::User as Change;
use crate::domain::change_impact::{Before, Impact, assess};
use crate::domain::event::{EventKind, EventPayload};
use crate::domain::requirements::report;
use crate::domain::status::Status as UserStatus;
use crate::domain::user_type::UserType;
use crate::domain::verification::{AttemptState, Trigger};
use crate::profile;
use crate::profile::Profile;
use crate::profile::impact::impact;
use crate::profile::lookup::external_id;
use crate::profile::merge::{AppliedChange, PreparedChange, ReceivedFile, size};
use crate::profile::subject::subject;
use crate::store::{
    IdempotencyScope, NewClaim, NewDocument, NewEvent, Update, UserRecord, UserUpdate, VerificationChange,
};
use crate::vault::{AeadContext, SEAL_OVERHEAD};

/// How often a change is recomputed because another process changed the user. Of concurrent changes one always succeeds.
const ROUNDS: usize = 32;
/// Seconds to wait after too many conflicts.
const RETRY_AFTER: u32 = 1;
/// The final states of an attempt.
const FINISHED: [&str; 3] =
    [AttemptState::Verified.into_str(), AttemptState::Rejected.into_str(), AttemptState::Superseded.into_str()];

/// The operation that idempotency keys of changes are scoped to (decisions, section 7).
const UPDATE_USER: &str = "update_user";

/// A change of a user that a call asks for.
pub(super) struct ChangeRequest {
    /// What idempotency keys of the call are scoped to.
    pub(super) operation: &'static str,
    /// The idempotency key, where the request has one.
    pub(super) key: Option<Uuid>,
    /// The condition, where the request has one.
    pub(super) if_match: Option<String>,
    /// What the call is about.
    pub(super) element: Element,
    /// What changes.
    pub(super) change: Change,
    /// The problems that are known already, as the request has its paths.
    pub(super) problems: Problems,
    /// What the request says, for its fingerprint; none: what changes.
    pub(super) said: Option<Vec<u8>>,
    /// The files that are stored already, for documents that the change adds or gives another file.
    pub(super) received: Vec<ReceivedDocument>,
}

/// A file that is stored before the change that makes it visible.
#[derive(Clone, Debug)]
pub(super) struct ReceivedDocument {
    pub(super) id: Uuid,
    pub(super) object_key: String,
    pub(super) file: ReceivedFile,
    /// The place of its document in the change.
    pub(super) place: String,
}

impl ChangeRequest {
    /// A change that brings its files with it.
    pub(super) fn new(
        (operation, key): (&'static str, Option<Uuid>),
        if_match: Option<String>,
        element: Element,
        change: Change,
        problems: Problems,
    ) -> Self {
        Self { operation, key, if_match, element, change, problems, said: None, received: Vec::new() }
    }
}

impl UpdateInProgress {
    /// The received files that documents have now.
    fn used_files(&self) -> impl Iterator<Item = NewDocument> {
        let used = self.received.iter().filter(|document| self.used.contains(&document.id));
        used.map(|document| NewDocument { id: document.id, object_key: document.object_key.clone() })
    }
}

/// A user as a change has left it.
pub(super) struct Changed {
    pub(super) record: Record,
    pub(super) profile: Profile,
    pub(super) version: i64,
    /// What the change did, or the earlier one with its key.
    pub(super) applied: Applied,
    /// Whether an earlier request with the same key made the change.
    pub(super) replayed: bool,
}

impl Changed {
    /// The response of a call that answers with `message`.
    pub(super) fn answer<T>(&self, message: T) -> Response<T> {
        answer(message, self.version, self.replayed)
    }
}

fn answer<T>(message: T, version: i64, was_replayed: bool) -> Response<T> {
    let response = etag::tagged(message, version);
    if was_replayed { replayed(response) } else { response }
}

/// A change that is not yet written.
struct UpdateInProgress {
    element: Element,
    prepared: PreparedChange,
    bytes: usize,
    problems: Problems,
    /// The new files, once they are stored.
    uploaded: Option<Vec<NewDocument>>,
    /// The files that were stored before.
    received: Vec<ReceivedDocument>,
    /// Those of their documents that have them now.
    used: Vec<Uuid>,
    /// The idempotency key, where the request has one.
    claim: Option<NewClaim>,
}

impl Users {
    /// Changes a user of the calling client.
    pub(super) async fn update(
        &self,
        mut request: Request<v1::UpdateUserRequest>,
    ) -> Result<Response<v1::UpdateUserResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let late = Late::of(&mut request);
        let v1::UpdateUserRequest { user, user_id, if_match, idempotency_key } = request.into_inner();
        let row = self.find_row(client_id, checked_id(user_id)?).await?;
        let key = optional_id(idempotency_key)?;
        let (change, problems, unrecognized) = read(late, user, &row).await?;
        let element = Element::User;
        let request = ChangeRequest::new((UPDATE_USER, key), if_match, element, change, problems);
        let Changed { record, profile, version, applied, replayed } = self.change(row, request).await?;
        let user = self.outcome(&record, profile, applied);
        let mut response = answer(v1::UpdateUserResponse { user: Some(user) }, version, replayed);
        response.extensions_mut().insert(unrecognized);
        Ok(response)
    }

    /// The row of a user of this client.
    ///
    /// # Errors
    /// NOT_FOUND, or UNAVAILABLE without the database.
    pub(super) async fn find_row(&self, client_id: Uuid, id: Uuid) -> Result<UserRecord, Status> {
        note_user(id);
        self.store.find_user(client_id, id).await.map_err(of_store)?.ok_or_else(|| user_not_found(id))
    }

    /// Changes the user of `row`, or finds what an earlier request with the same key has made of it.
    pub(super) async fn change(&self, mut row: UserRecord, request: ChangeRequest) -> Result<Changed, Status> {
        let (client_id, id) = (row.client_id, row.id);
        let if_match = request.if_match.clone();
        let mut pending = self.prepare(client_id, id, request).await?;
        let turn = self.turns.of(id).await;
        for round in 0..ROUNDS {
            if round > 0 || turn.waited {
                row = match self.find_row(client_id, id).await {
                    Ok(row) => row,
                    Err(status) => return Err(self.refused(pending, status).await),
                };
            }
            let written = match self.replay_update(client_id, id, &pending).await {
                Ok(Some(changed)) => {
                    self.delete_uploads(pending).await;
                    return Ok(changed);
                }
                Ok(None) => match etag::require(if_match.as_deref(), row.version) {
                    Ok(()) => self.write(&mut row, &mut pending).await,
                    Err(status) => Err(status),
                },
                Err(status) => Err(status),
            };
            match written {
                Ok(Some(changed)) => {
                    self.delete_unused_files(pending).await;
                    return Ok(changed);
                }
                Ok(None) => {}
                Err(status) => return Err(self.refused(pending, status).await),
            }
        }
        self.delete_uploads(pending).await;
        Err(error::status_with_retry(ErrorReason::Unavailable, RETRY_AFTER))
    }

    /// Deletes the files of a change that ends with `status`, if it was certainly not written.
    async fn refused(&self, pending: UpdateInProgress, status: Status) -> Status {
        if is_refusal(&status) {
            self.delete_uploads(pending).await;
        }
        status
    }

    /// Assigns ids to what the change adds, and computes the digests of its files and, under a key, of itself.
    async fn prepare(&self, client_id: Uuid, id: Uuid, request: ChangeRequest) -> Result<UpdateInProgress, Status> {
        let ChangeRequest { operation, key, element, change, problems, said, received, .. } = request;
        let (documents, bytes) = size(&change);
        if documents > MAX_DOCUMENTS {
            let message = format!("A request must contain at most {MAX_DOCUMENTS} documents");
            return Err(error::invalid("too_big", message));
        }
        let env = self.env.clone();
        let prepared = off_thread(bytes, move || PreparedChange::new(change, env.as_ref())).await?;
        let files = received.iter().map(|document| (document.id.to_string(), document.file.clone()));
        let prepared = prepared.with_received(files.collect());
        let of_user = |canonical: &[u8]| {
            let bytes = Zeroizing::new([id.as_bytes(), canonical].concat());
            self.fingerprints.digest(&bytes)
        };
        let claim = key.map(|key| {
            let scope = IdempotencyScope { client_id, operation, key };
            let request = match &said {
                Some(said) => of_user(said),
                None => prepared.fingerprint(of_user),
            };
            let fingerprint = idempotency::fingerprint(&self.fingerprints, &scope, request, id, None);
            NewClaim { operation, key, fingerprint, outcome: None }
        });
        Ok(UpdateInProgress { element, prepared, bytes, problems, uploaded: None, received, used: Vec::new(), claim })
    }

    /// Answers a repeated request: the user as it is now, and what the first one did to it. None: it is the first.
    async fn replay_update(
        &self,
        client_id: Uuid,
        id: Uuid,
        pending: &UpdateInProgress,
    ) -> Result<Option<Changed>, Status> {
        // A request that breaks a rule is refused, whatever its key was used for.
        let Some(claim) = pending.claim.as_ref().filter(|_| pending.problems.is_empty()) else { return Ok(None) };
        let scope = IdempotencyScope { client_id, operation: claim.operation, key: claim.key };
        let Some(known) = self.store.find_claim(&scope).await.map_err(of_store)? else { return Ok(None) };
        // Proves that the row is as it was written.
        idempotency::request_of(&self.fingerprints, &scope, &known)?;
        if known.fingerprint != claim.fingerprint {
            return Err(error::with_reason(ErrorReason::IdempotencyKeyReused));
        }
        let applied: Applied = known
            .outcome
            .and_then(|outcome| serde_json::from_value(outcome).ok())
            .ok_or_else(|| corrupt("a claim without its outcome"))?;
        let (record, profile, version) = self.open(client_id, id).await?.ok_or_else(|| user_not_found(id))?;
        Ok(Some(Changed { record, profile, version, applied, replayed: true }))
    }

    /// Computes the change from `row` and writes it. None if the user has changed since, or the key was used.
    async fn write(&self, row: &mut UserRecord, pending: &mut UpdateInProgress) -> Result<Option<Changed>, Status> {
        let now = self.env.now();
        let (data_key, stored) = open_profile(&self.vault, row)?;
        pending.element.require(&stored)?;
        let was_complete = report(&subject(&stored), []).triggers_verification();
        let earlier = stored.clone();
        let merged = pending.prepared.clone().merge(stored).map_err(|_| corrupt("the kind of a stored user"))?;
        let judged = pending.element.judge(merged, now, pending.problems.clone());
        let accepted = judged.map_err(error::invalid_request)?;
        let change = off_thread(pending.bytes, move || accepted.finish(now)).await?;
        let (fields, element) = (change.named_by_ids(), change.id_at(pending.element.place()));
        let stored_as = |received: &ReceivedDocument| change.id_at(&received.place);
        let stored: Vec<Uuid> = pending.received.iter().filter_map(stored_as).collect();
        pending.used.clone_from(&change.received);
        let AppliedChange { profile, updated, respelled, documents, removed, .. } = change;
        let status: UserStatus = row.status.parse().map_err(|_| corrupt("a stored status"))?;
        let claim = |applied: &Applied| {
            pending.claim.clone().map(|claim| NewClaim { outcome: serde_json::to_value(applied).ok(), ..claim })
        };
        if updated.is_empty() {
            let applied = Applied { element, documents: stored, ..Applied::default() };
            let unclaimed = match claim(&applied) {
                Some(claim) => self.store.claim_key(row.client_id, row.id, claim, now).await.map_err(of_store)?,
                None => true,
            };
            let record = record(row, status)?;
            return Ok(unclaimed.then(|| Changed { record, profile, version: row.version, applied, replayed: false }));
        }
        let report = report(&subject(&profile), self.catalogue.codes());
        let open = matches!(status, UserStatus::Created | UserStatus::Verifying | UserStatus::Review);
        let before = Before { status, attempt_open: open && row.attempt_id.is_some(), complete: was_complete };
        let said = updated.iter().filter(|path| !respelled.contains(*path));
        let impact = said.map(|path| impact(&profile, path)).max().unwrap_or(Impact::None);
        let outcome = assess(before, impact, report.triggers_verification());
        let applied = Applied {
            updated_fields: updated,
            requires_reverification: outcome.requires_reverification,
            verification_triggered: outcome.starts,
            element,
            documents: stored,
        };
        let claim = claim(&applied);
        let index = self.index_change(row, &earlier, &profile);
        if index.unique_external_id.is_some() {
            let owner = self.owner_of_external_id(row.client_id, Some(row.id), external_id(&profile)).await?;
            owner.map_or(Ok(()), |owner| Err(external_id_taken(owner)))?;
        }
        let uploaded = match pending.uploaded.clone() {
            Some(uploaded) => uploaded,
            None => pending.uploaded.insert(self.upload(&data_key, documents).await?).clone(),
        };
        let plaintext = profile::encode(&profile, SEAL_OVERHEAD);
        let update = UserUpdate {
            category: Some(subject(&profile).residence.category().into_str()),
            missing: report.missing().map(|(target, fields)| (target.to_owned(), json!(fields))).collect(),
            profile: data_key.seal(&AeadContext::UserProfile, plaintext),
            updated_at: now,
            documents: uploaded.into_iter().chain(pending.used_files()).collect(),
            removed,
            verification: outcome.abandons.then(|| VerificationChange {
                status: outcome.status.into_str(),
                abandoned: AttemptState::Superseded.into_str(),
                finished: &FINISHED,
                started: outcome.starts.then(|| self.new_verification(Trigger::Update)),
            }),
            events: self.events(user_type(&profile), status, outcome.status),
            fields,
            claim,
            index,
        };
        match self.store.update_user(row, update).await.map_err(of_store)? {
            Update::Conflict => Ok(None),
            Update::ExternalIdTaken(owner) => Err(external_id_taken(owner)),
            Update::Written { version, objects } => {
                if outcome.starts {
                    self.verification_wanted.notify_one();
                }
                if let Err(error) = discarded::delete(&self.store, &self.documents, objects).await {
                    tracing::warn!(%error, "files of removed documents wait for the sweep");
                }
                let mut record = Record { updated_at: now, ..record(row, outcome.status)? };
                if outcome.abandons {
                    record.reasons.clear();
                }
                Ok(Some(Changed { record, profile, version, applied, replayed: false }))
            }
        }
    }

    /// The response of an update.
    fn outcome(&self, record: &Record, profile: Profile, applied: Applied) -> v1::User {
        let parts = record_of_individual(&profile, self.numbers, false);
        let mut user = to_user(record, profile, &self.catalogue, self.numbers);
        user.verification_triggered = applied.verification_triggered;
        user.record = parts;
        user.outcome = Some(v1::UpdateOutcome {
            updated_fields: applied.updated_fields,
            requires_reverification: applied.requires_reverification,
        });
        user
    }

    /// The events of the change.
    fn events(&self, user_type: UserType, before: UserStatus, after: UserStatus) -> Vec<NewEvent> {
        let payload = EventPayload::new(user_type, after);
        let event = |kind, payload| NewEvent { id: self.env.new_id(), kind, payload };
        let mut events = vec![event(EventKind::UserUpdated, payload.clone())];
        if before != after {
            let payload = EventPayload { previous_status: Some(before), ..payload };
            events.push(event(EventKind::UserStatusChanged, payload));
        }
        events
    }

    /// Deletes the received files that no document has.
    async fn delete_unused_files(&self, pending: UpdateInProgress) {
        let UpdateInProgress { received, used, .. } = pending;
        let unused = received.into_iter().filter(|document| !used.contains(&document.id));
        self.delete_files(unused.map(|document| document.object_key).collect()).await;
    }

    /// Deletes the files of a change that was not written.
    async fn delete_uploads(&self, pending: UpdateInProgress) {
        let received = pending.received.into_iter().map(|document| document.object_key);
        let uploaded = pending.uploaded.into_iter().flatten().map(|document| document.object_key);
        self.delete_files(uploaded.chain(received).collect()).await;
    }

    /// Deletes files that no row refers to.
    pub(super) async fn delete_files(&self, objects: Vec<String>) {
        if objects.is_empty() {
            return;
        }
        if let Err(error) = self.documents.delete_all(objects).await {
            tracing::warn!(%error, "files of a refused change wait for the sweep");
        }
    }
}

/// The outcome of an update, stored with its idempotency key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Applied {
    pub(super) updated_fields: Vec<String>,
    pub(super) requires_reverification: bool,
    pub(super) verification_triggered: bool,
    /// The element that the call was about, if it was about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) element: Option<Uuid>,
    /// The documents whose files the call brought, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) documents: Vec<Uuid>,
}

/// Whether the change was certainly not written. Any other error leaves that open, so that its files stay: the sweep
/// knows later.
fn is_refusal(status: &Status) -> bool {
    let reason = error::details(status).map(|details| details.reason);
    use ErrorReason::{ExternalIdTaken, IdempotencyKeyReused, InvalidRequest, NotFound, PreconditionFailed};
    matches!(reason, Some(InvalidRequest | NotFound | PreconditionFailed | IdempotencyKeyReused | ExternalIdTaken))
}

/// The change as one of the stored kind, with the problems of reading it and the unknown keys.
async fn read(late: Late, sent: Option<Change>, row: &UserRecord) -> Result<(Change, Problems, Unrecognized), Status> {
    let individual = v1::UserType::Individual.json_name();
    let is_individual = row.kind == individual;
    let tag = if is_individual { individual } else { v1::UserType::Business.json_name() };
    let (sent, mut problems, unrecognized) = match late.read::<v1::UpdateUserRequest>(tag).await? {
        None => (sent, Problems::default(), Unrecognized::default()),
        Some(read) => {
            let mut problems = read.problems;
            let given = read.message.user_id.as_deref().filter(|given| !given.is_empty());
            if given.is_some_and(|given| Uuid::try_parse(given) != Ok(row.id)) {
                problems.push(Path::key(Step::UNKNOWN, "user_id"), "custom", "Must be the same as in the path");
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
