//! What is stored of a client's users, as create bodies that can be imported again, and their files.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use tonic::Status;
use uuid::Uuid;

use super::convert;
use super::failure::{corrupt, of_file, of_store};
use super::users::open_profile;
use crate::contract::v1;
use crate::profile::{self, Profile};
use crate::store::{Store, UserRecord};
use crate::vault::documents::{DocumentError, DocumentStore};
use crate::vault::{AeadContext, DataKey, FileError, FileReader, Vault};

/// Users of one page: their profiles are in memory together, their files are not.
const PAGE: u64 = 100;
/// The lists of a profile whose elements have ids.
const LISTS: [&str; 3] = ["associated_persons", "identifying_information", "documents"];
/// What the service knows of a document and no request brings.
const OF_SERVICE: [&str; 5] = ["id", "media_type", "size", "sha256", "uploaded_at"];

/// Opens stored users. It is for operators: nothing is masked.
#[derive(Clone)]
pub struct Exporter {
    /// The database.
    pub store: Store,
    /// Opens what is sealed.
    pub vault: Vault,
    /// Keeps the files.
    pub documents: DocumentStore,
}

/// A stored user.
pub struct ExportedUser {
    /// Its id.
    pub id: Uuid,
    /// The body of a create that makes the same user, without an idempotency key. The `file` of a document is
    /// `@documents/USER/DOCUMENT.EXTENSION`.
    pub body: Map<String, Value>,
    /// What is no part of a create: id, status and times.
    pub record: Value,
    /// The user's files.
    pub files: Vec<ExportedFile>,
    client_id: Uuid,
    data_key: DataKey,
}

/// A file of a stored user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFile {
    /// The document's id.
    pub id: Uuid,
    /// Where it belongs: `documents/USER/DOCUMENT.EXTENSION`.
    pub path: String,
    /// Bytes.
    pub size: u32,
    /// Of the content, in lower-case hexadecimal.
    pub sha256: String,
    /// When it was uploaded.
    pub uploaded_at: DateTime<Utc>,
}

impl Exporter {
    /// The next users of a client in the order of their ids: those after `after`, or the first. Empty at the end.
    ///
    /// # Errors
    /// UNAVAILABLE without the database; INTERNAL for a user that does not open.
    pub async fn page(&self, client_id: Uuid, after: Option<Uuid>) -> Result<Vec<ExportedUser>, Status> {
        let rows = self.store.users_after(client_id, after, PAGE).await.map_err(of_store)?;
        rows.into_iter().map(|row| self.open(row)).collect()
    }

    /// One user of a client.
    ///
    /// # Errors
    /// As [`Exporter::page`].
    pub async fn find(&self, client_id: Uuid, id: Uuid) -> Result<Option<ExportedUser>, Status> {
        let row = self.store.find_user(client_id, id).await.map_err(of_store)?;
        row.map(|row| self.open(row)).transpose()
    }

    /// The content of a file; none where it was removed or replaced since the user was read.
    ///
    /// # Errors
    /// UNAVAILABLE without the database or the document store; INTERNAL for a file that is lost, or does not open.
    pub async fn content(&self, user: &ExportedUser, file: &ExportedFile) -> Result<Option<Vec<u8>>, Status> {
        let find = || self.store.find_object_key(user.client_id, user.id, file.id);
        let Some(key) = find().await.map_err(of_store)? else { return Ok(None) };
        let place = AeadContext::DocumentContent { id: file.id, uploaded_at: file.uploaded_at };
        let (size, sealed_for) = (u64::from(file.size), (&user.data_key, &place));
        match FileReader::open(&self.documents, &key, sealed_for, size, 0..size).await {
            Err(FileError::Store(DocumentError::Missing)) if find().await.map_err(of_store)?.is_none() => Ok(None),
            Err(error) => self.replaced(user, file, error).await,
            Ok(reader) => match reader.read_all().await {
                Ok(content) => Ok(Some(content)),
                Err(error) => self.replaced(user, file, error).await,
            },
        }
    }

    /// What a file comes to that does not open: none where the document has another by now, else the error; the log has its
    /// id.
    async fn replaced(
        &self,
        user: &ExportedUser,
        file: &ExportedFile,
        error: FileError,
    ) -> Result<Option<Vec<u8>>, Status> {
        let now = self.find(user.client_id, user.id).await?;
        if now.is_none_or(|now| !now.files.contains(file)) {
            return Ok(None);
        }
        tracing::error!(document = %file.id, user = %user.id, "a document cannot be read");
        Err(of_file(error))
    }

    fn open(&self, mut row: UserRecord) -> Result<ExportedUser, Status> {
        let (data_key, profile) = open_profile(&self.vault, &mut row)?;
        let files = profile::documents(&profile).into_iter().map(|document| file(row.id, document));
        let files = files.collect::<Result<Vec<_>, Status>>()?;
        Ok(ExportedUser {
            id: row.id,
            body: body(&profile, &files)?,
            record: record(&row)?,
            files,
            client_id: row.client_id,
            data_key,
        })
    }
}

fn file(user_id: Uuid, document: &v1::Document) -> Result<ExportedFile, Status> {
    let (id, uploaded_at) = profile::file_of(document).ok_or_else(|| corrupt("a stored document"))?;
    let extension = match document.media_type() {
        v1::MediaType::Jpeg => "jpg",
        v1::MediaType::Png => "png",
        v1::MediaType::Pdf => "pdf",
        v1::MediaType::Unspecified => "bin",
    };
    let path = format!("documents/{user_id}/{id}.{extension}");
    Ok(ExportedFile { id, path, size: document.size, sha256: document.sha256.clone(), uploaded_at })
}

/// What is no part of a create, in the words of the API.
fn record(row: &UserRecord) -> Result<Value, Status> {
    let status = row.status.parse().map_err(|_| corrupt("a stored status"))?;
    let time = |time: DateTime<Utc>| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    Ok(json!({
        "id": row.id,
        "status": convert::status(status).json_name(),
        "verification_triggered": row.verification_triggered,
        "version": row.version,
        "created_at": time(row.created_at),
        "updated_at": time(row.updated_at),
    }))
}

/// The body of a create that makes this user.
fn body(profile: &Profile, files: &[ExportedFile]) -> Result<Map<String, Value>, Status> {
    let (kind, text) = match profile {
        Profile::Individual(user) => (v1::UserType::Individual, kira_gateway::json::to_vec_whole(user)),
        Profile::Business(user) => (v1::UserType::Business, kira_gateway::json::to_vec_whole(user)),
    };
    let text = zeroize::Zeroizing::new(text);
    let mut body: Map<String, Value> = serde_json::from_slice(&text).map_err(|_| corrupt("a stored profile"))?;
    body.insert("type".to_owned(), json!(kind.json_name()));
    for list in LISTS {
        tidy(body.get_mut(list), files);
    }
    Ok(body)
}

/// Takes out of the elements of a list what only the service sets, and names the files of documents.
fn tidy(list: Option<&mut Value>, files: &[ExportedFile]) {
    for element in list.and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(element) = element.as_object_mut() else { continue };
        let id = element.get("id").and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
        if let Some(file) = files.iter().find(|file| Some(file.id) == id) {
            element.insert("file".to_owned(), json!(format!("@{}", file.path)));
        }
        element.retain(|key, _| !OF_SERVICE.contains(&key.as_str()));
        for inner in LISTS {
            tidy(element.get_mut(inner), files);
        }
    }
}
