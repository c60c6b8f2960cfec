//! The files of users: listed, sent and received as bytes. A change of one is an update of its user (decisions, section 9).

mod download;
mod place;
mod receive;

use std::pin::Pin;

use futures_util::Stream;
use kira_gateway::error;
use kira_gateway::problem::{Path, Problems};
use kira_gateway::upload::First;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use self::place::{Located, Owner, located, of_user};
use self::receive::{Head, Receiver};
use super::convert::status;
use super::elements::Element;
use super::etag;
use super::failure::corrupt;
use super::request::{caller, checked_id, optional_id};
use super::updates::{ChangeRequest, Changed, ReceivedDocument};
use super::users::{Users, open_profile, user_not_found};
use crate::contract::v1;
use crate::contract::v1::documents_service_server::DocumentsService;
use crate::contract::v1::update_user_request::User as Change;
use crate::profile::Profile;
use crate::store::UserRecord;

pub(super) use self::place::locate;

/// The largest message of an upload over gRPC, in bytes: 1 MiB of content, and what a first message has beside it.
pub const MAX_MESSAGE: usize = (1024 + 64) * 1024;
/// How many documents a list shows where the caller does not say.
const DEFAULT_LIMIT: u32 = 10;

/// Shows, sends, receives and removes the files of users.
pub struct Documents {
    /// The users service, which merges and writes changes.
    pub users: Users,
}

#[tonic::async_trait]
impl DocumentsService for Documents {
    async fn list_documents(
        &self,
        request: Request<v1::ListDocumentsRequest>,
    ) -> Result<Response<v1::ListDocumentsResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::ListDocumentsRequest { user_id, limit, cursor } = request.into_inner();
        let id = checked_id(user_id)?;
        let (_, profile, version) = self.users.open(client_id, id).await?.ok_or_else(|| user_not_found(id))?;
        let before = optional_id(cursor)?;
        let mut found = located(&profile)?;
        found.retain(|document| before.is_none_or(|before| document.id < before));
        found.sort_by_key(|document| std::cmp::Reverse(document.id));
        let shown = usize::try_from(limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(usize::MAX);
        let has_more = found.len() > shown;
        found.truncate(shown);
        let next_cursor = found.last().filter(|_| has_more).map(|document| document.id.to_string());
        let data = found.iter().map(Located::shown).collect();
        Ok(etag::tagged(v1::ListDocumentsResponse { data, next_cursor, has_more }, version))
    }

    async fn get_document(
        &self,
        request: Request<v1::GetDocumentRequest>,
    ) -> Result<Response<v1::GetDocumentResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::GetDocumentRequest { user_id, document_id } = request.into_inner();
        let id = checked_id(user_id)?;
        let (_, profile, version) = self.users.open(client_id, id).await?.ok_or_else(|| user_not_found(id))?;
        let document = Some(locate(&profile, checked_id(document_id)?)?.shown());
        Ok(etag::tagged(v1::GetDocumentResponse { document }, version))
    }

    type DownloadDocumentStream = Pin<Box<dyn Stream<Item = Result<v1::DownloadDocumentResponse, Status>> + Send>>;

    async fn download_document(
        &self,
        request: Request<v1::DownloadDocumentRequest>,
    ) -> Result<Response<Self::DownloadDocumentStream>, Status> {
        let client_id = caller(&request)?.client_id;
        self.download(client_id, request.into_inner()).await
    }

    async fn upload_documents(
        &self,
        mut request: Request<Streaming<v1::UploadDocumentsRequest>>,
    ) -> Result<Response<v1::UploadDocumentsResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let first = First::of(&mut request);
        let (if_match, key) = (condition(first.if_match.clone()), optional_id(first.idempotency_key.clone())?);
        let row = self.begin(client_id, first.user_id.clone(), if_match.as_deref(), key).await?;
        let (mut receiver, profile) = self.receiver(&row)?;
        let mut messages = request.into_inner();
        if let Err(status) = receive_all(&mut receiver, &profile, first, &mut messages).await {
            receiver.discard().await;
            return Err(status);
        }
        let mut change = place::empty(&row);
        let received: Vec<_> = receiver.into_received().map(|file| file.into_change(&mut change)).collect();
        if received.is_empty() {
            let mut problems = Problems::default();
            problems.push(Path::key(0, "document"), "invalid_type", "Required");
            return Err(error::invalid_request(problems));
        }
        let operation = ("upload_documents", key);
        let request = ChangeRequest::new(operation, if_match, Element::User, change, Problems::default());
        let changed = self.users.change(row, ChangeRequest { received, ..request }).await?;
        let stored = located(&changed.profile)?;
        let stored_as = |id: &Uuid| stored.iter().find(|document| document.id == *id).map(Located::shown);
        // One that was removed since an earlier request with the key is not shown.
        let data = changed.applied.documents.iter().filter_map(stored_as).collect();
        Ok(changed.answer(v1::UploadDocumentsResponse { data, outcome: Some(outcome(&changed, Vec::new())) }))
    }

    async fn replace_document(
        &self,
        mut request: Request<Streaming<v1::ReplaceDocumentRequest>>,
    ) -> Result<Response<v1::ReplaceDocumentResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let first = First::of(&mut request);
        let id = checked_id(first.document_id.clone())?;
        let (if_match, key) = (condition(first.if_match.clone()), optional_id(first.idempotency_key.clone())?);
        let row = self.begin(client_id, first.user_id.clone(), if_match.as_deref(), key).await?;
        let (mut receiver, profile) = self.receiver(&row)?;
        let owner = owner_of(&profile, id, key)?;
        let mut messages = request.into_inner();
        if let Err(status) = receive_one(&mut receiver, (id, owner), first, &mut messages).await {
            receiver.discard().await;
            return Err(status);
        }
        let mut change = place::empty(&row);
        let received: Vec<_> = receiver.into_received().map(|file| file.into_change(&mut change)).collect();
        let said = received.iter().map(|document| format!("{id} {}", document.file.sha256).into_bytes()).next();
        let request = ("replace_document", key, if_match, id);
        let changed = self.change_one(row, request, change, said, received).await?;
        let names = if changed.applied.updated_fields.is_empty() { Vec::new() } else { vec!["content".to_owned()] };
        let document = locate(&changed.profile, id)?.shown();
        let outcome = Some(outcome(&changed, names));
        Ok(changed.answer(v1::ReplaceDocumentResponse { document: Some(document), outcome }))
    }

    async fn remove_document(
        &self,
        request: Request<v1::RemoveDocumentRequest>,
    ) -> Result<Response<v1::RemoveDocumentResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::RemoveDocumentRequest { user_id, document_id, if_match, idempotency_key } = request.into_inner();
        let (id, key) = (checked_id(document_id)?, optional_id(idempotency_key)?);
        let row = self.users.find_row(client_id, checked_id(user_id)?).await?;
        let (_, profile) = open_profile(&self.users.vault, &mut row.clone())?;
        let owner = owner_of(&profile, id, key)?;
        let mut change = place::empty(&row);
        let removed =
            v1::DocumentChange { id: Some(id.to_string()), delete: Some(true), ..v1::DocumentChange::default() };
        of_user(&mut change, owner, removed);
        let request = ("remove_document", key, condition(if_match), id);
        let said = Some(id.to_string().into_bytes());
        let changed = self.change_one(row, request, change, said, Vec::new()).await?;
        let outcome = Some(outcome(&changed, Vec::new()));
        Ok(changed.answer(v1::RemoveDocumentResponse { outcome }))
    }
}

impl Documents {
    /// The row of the user that files are received for. Without a key nothing can be repeated, so that a condition that does
    /// not hold ends the call before any file is received.
    async fn begin(
        &self,
        client_id: Uuid,
        user_id: Option<String>,
        if_match: Option<&str>,
        key: Option<Uuid>,
    ) -> Result<UserRecord, Status> {
        let row = self.users.find_row(client_id, checked_id(user_id)?).await?;
        if key.is_none() {
            etag::require(if_match, row.version)?;
        }
        Ok(row)
    }

    /// What receives the files of a user, and the user as it is.
    fn receiver(&self, row: &UserRecord) -> Result<(Receiver<'_>, Profile), Status> {
        let (data_key, profile) = open_profile(&self.users.vault, &mut row.clone())?;
        Ok((Receiver::new(&self.users, data_key), profile))
    }

    /// Changes one document. `said` is what the request says of it, for its fingerprint.
    async fn change_one(
        &self,
        row: UserRecord,
        (operation, key, if_match, id): (&'static str, Option<Uuid>, Option<String>, Uuid),
        change: Change,
        said: Option<Vec<u8>>,
        received: Vec<ReceivedDocument>,
    ) -> Result<Changed, Status> {
        let element = Element::Document(id);
        let request = ChangeRequest::new((operation, key), if_match, element, change, Problems::default());
        self.users.change(row, ChangeRequest { said, received, ..request }).await
    }
}

/// A condition, unless it is empty.
fn condition(if_match: Option<String>) -> Option<String> {
    if_match.filter(|condition| !condition.is_empty())
}

/// Where a document belongs. Under a key it may be gone: an earlier request has removed it, which is found out later.
fn owner_of(profile: &Profile, id: Uuid, key: Option<Uuid>) -> Result<Owner, Status> {
    match locate(profile, id) {
        Ok(document) => Ok(document.owner),
        Err(_) if key.is_some() => Ok(Owner::User),
        Err(status) => Err(status),
    }
}

/// Receives the files of a form, or of the messages of a call.
async fn receive_all(
    receiver: &mut Receiver<'_>,
    profile: &Profile,
    first: v1::UploadDocumentsRequest,
    messages: &mut Streaming<v1::UploadDocumentsRequest>,
) -> Result<(), Status> {
    let mut next = Some(first);
    let mut is_first = true;
    while let Some(message) = next {
        let names = [&message.user_id, &message.if_match, &message.idempotency_key];
        later(is_first, names.iter().any(|name| name.is_some()))?;
        is_first = false;
        if let Some(head) = message.document {
            receiver.finish().await?;
            receiver.begin(Head::of_upload(head, receiver.count(), profile, receiver.now())?);
        }
        if !message.content.is_empty() {
            receiver.write(&message.content).await?;
        }
        next = messages.message().await?;
    }
    receiver.finish().await
}

/// Receives the other file of a document.
async fn receive_one(
    receiver: &mut Receiver<'_>,
    (id, owner): (Uuid, Owner),
    first: v1::ReplaceDocumentRequest,
    messages: &mut Streaming<v1::ReplaceDocumentRequest>,
) -> Result<(), Status> {
    receiver.begin(Head::of_replacement(id, owner, &first));
    let mut next = Some(first);
    let mut is_first = true;
    while let Some(message) = next {
        let v1::ReplaceDocumentRequest { user_id, document_id, if_match, idempotency_key, sha256, .. } = &message;
        let names = [user_id, document_id, if_match, idempotency_key, sha256];
        let describes = message.size.is_some() || message.media_type.is_some();
        later(is_first, describes || names.iter().any(|name| name.is_some()))?;
        is_first = false;
        receiver.write(&message.content).await?;
        next = messages.message().await?;
    }
    receiver.finish().await
}

/// Refuses a later message that has what only the first may have.
fn later(is_first: bool, has_head: bool) -> Result<(), Status> {
    if is_first || !has_head {
        return Ok(());
    }
    Err(error::invalid("custom", "Only the first message names the user, the document, the condition and the key"))
}

/// What a change of documents did to the user.
fn outcome(changed: &Changed, updated_fields: Vec<String>) -> v1::ElementOutcome {
    v1::ElementOutcome {
        user_id: changed.record.id.to_string(),
        person_id: None,
        user_status: status(changed.record.status).into(),
        updated_fields,
        requires_reverification: changed.applied.requires_reverification,
        verification_triggered: changed.applied.verification_triggered,
    }
}

/// The name of the type of a file at the end of its name.
const fn extension(media_type: v1::MediaType) -> &'static str {
    match media_type {
        v1::MediaType::Jpeg => "jpg",
        v1::MediaType::Png => "png",
        v1::MediaType::Pdf => "pdf",
        v1::MediaType::Unspecified => "bin",
    }
}

/// A stored identifier.
fn stored_id(text: &str) -> Result<Uuid, Status> {
    Uuid::try_parse(text).map_err(|_| corrupt("a stored identifier"))
}
