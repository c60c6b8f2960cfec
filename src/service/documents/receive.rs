//! Receiving files: each is judged, hashed, sealed and stored as its bytes arrive.

use std::borrow::Cow;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use kira_gateway::check::{Check as _, broken_rules};
use kira_gateway::error;
use kira_gateway::problem::{Path, Problems, Step};
use kira_gateway::rest::numbered;
use ring::digest;
use tonic::Status;
use uuid::Uuid;

use super::place::{self, Owner};
use crate::contract::rules::content_matches_media_type;
use crate::contract::v1;
use crate::contract::v1::update_user_request::User as Change;
use crate::profile::Profile;
use crate::profile::merge::ReceivedFile;
use crate::service::failure::of_documents;
use crate::service::request::optional_id;
use crate::service::updates::ReceivedDocument;
use crate::service::users::Users;
use crate::vault::{AeadContext, DataKey, FileWriter};

/// The most files of one request.
const MAX_FILES: usize = 20;
/// The most bytes of a file, as the contract has it (`File.content`).
const MAX_BYTES: usize = 10 * 1024 * 1024;
/// The bytes that say what a file is.
const SIGNATURE: usize = 8;

/// What a request says of a file before its bytes.
pub(super) struct Head {
    /// The document that gets it in place of its own; none: a new document.
    replaces: Option<Uuid>,
    owner: Owner,
    kind: Option<i32>,
    description: Option<String>,
    media_type: i32,
    size: Option<u32>,
    sha256: Option<String>,
    /// The path of the file in the request.
    path: Path,
}

impl Head {
    /// That of a new document, the one with this number in the request.
    ///
    /// # Errors
    /// INVALID_REQUEST with all that is wrong with it.
    pub(super) fn of_upload(
        mut head: v1::DocumentUpload,
        number: usize,
        profile: &Profile,
        now: DateTime<Utc>,
    ) -> Result<Self, Status> {
        if number >= MAX_FILES {
            return Err(error::invalid("too_big", format!("A request must contain at most {MAX_FILES} files")));
        }
        head.drop_empty();
        let mut problems = broken_rules(&head, now);
        let owner = owner(&head, profile, &mut problems);
        if !problems.is_empty() {
            let within = |problem: &kira_gateway::problem::Problem| {
                let mut path = problem.path.clone();
                path.0.insert(0, Step::Key { slot: 0, name: Cow::Borrowed("document") });
                Some(path)
            };
            return Err(error::invalid_request(numbered(problems.relocated(within), number)));
        }
        let v1::DocumentUpload { r#type, media_type, description, size, sha256, .. } = head;
        let mut path = Path::key(0, "document");
        path.0.extend([Step::Index(number), Step::Key { slot: 0, name: Cow::Borrowed("file") }]);
        let media_type = media_type.unwrap_or_default();
        Ok(Self { replaces: None, owner, kind: r#type, description, media_type, size, sha256, path })
    }

    /// That of another file of a stored document.
    pub(super) fn of_replacement(id: Uuid, owner: Owner, first: &v1::ReplaceDocumentRequest) -> Self {
        Self {
            replaces: Some(id),
            owner,
            kind: None,
            description: None,
            media_type: first.media_type.unwrap_or_default(),
            size: first.size,
            sha256: first.sha256.clone(),
            path: Path::key(0, "content"),
        }
    }

    fn problem(&self, code: &'static str, message: impl Into<Cow<'static, str>>) -> Status {
        let mut problems = Problems::default();
        problems.push(self.path.clone(), code, message.into());
        error::invalid_request(problems)
    }
}

/// What a new document belongs to.
fn owner(head: &v1::DocumentUpload, profile: &Profile, problems: &mut Problems) -> Owner {
    let ids = (optional_id(head.person_id.clone()), optional_id(head.identification_id.clone()));
    // Ids of the wrong form are problems already.
    let (Ok(person), Ok(entry)) = ids else { return Owner::User };
    let (owner, path) = match (person, entry) {
        (None, None) => return Owner::User,
        (Some(_), None) => {
            problems.push(Path::key(0, "identification_id"), "invalid_type", "Required");
            return Owner::User;
        }
        (person, Some(entry)) => (Owner::Entry { person, entry }, "identification_id"),
    };
    if !place::has(profile, owner) {
        problems.push(Path::key(0, path), "custom", "The user has no such identification");
    }
    owner
}

/// A file that arrives.
struct Arriving {
    head: Head,
    id: Uuid,
    object_key: String,
    uploaded_at: DateTime<Utc>,
    writer: FileWriter,
    digest: digest::Context,
    size: usize,
    /// Its first bytes, until they say what it is.
    signature: Vec<u8>,
    is_judged: bool,
}

impl Arriving {
    /// Judges what the first bytes say.
    fn judge(&mut self, now: DateTime<Utc>) -> Result<(), Status> {
        self.is_judged = true;
        let content = Bytes::from(std::mem::take(&mut self.signature));
        let file = v1::File { media_type: self.head.media_type, content };
        if content_matches_media_type(&file, now) {
            return Ok(());
        }
        Err(self.head.problem("custom", "The file's content is not of the declared media type"))
    }
}

/// A file that has arrived.
pub(super) struct Arrived {
    head: Head,
    id: Uuid,
    object_key: String,
    file: ReceivedFile,
}

impl Arrived {
    /// Adds its document to the change of its user.
    pub(super) fn into_change(self, change: &mut Change) -> ReceivedDocument {
        let Self { head, id, object_key, file } = self;
        let document = v1::DocumentChange {
            id: Some(id.to_string()),
            r#type: head.kind,
            file: Some(v1::File { media_type: head.media_type, content: Bytes::new() }),
            description: head.description,
            ..v1::DocumentChange::default()
        };
        let place = place::of_user(change, head.owner, document);
        ReceivedDocument { id, object_key, file, place }
    }
}

/// Receives the files of one request.
pub(super) struct Receiver<'a> {
    users: &'a Users,
    data_key: DataKey,
    arriving: Option<Arriving>,
    arrived: Vec<Arrived>,
    /// How many files have begun.
    count: usize,
}

impl<'a> Receiver<'a> {
    pub(super) const fn new(users: &'a Users, data_key: DataKey) -> Self {
        Self { users, data_key, arriving: None, arrived: Vec::new(), count: 0 }
    }

    /// How many files have begun.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.users.env.now()
    }

    /// Begins a file.
    pub(super) fn begin(&mut self, head: Head) {
        self.count += 1;
        let (env, documents) = (&self.users.env, &self.users.documents);
        let uploaded_at = env.now();
        let id = head.replaces.unwrap_or_else(|| env.new_id());
        let object_key = match head.replaces {
            Some(id) => documents.replacing_key(uploaded_at, id, env.new_id()),
            None => documents.object_key(uploaded_at, id),
        };
        let place = AeadContext::DocumentContent { id, uploaded_at };
        let writer = FileWriter::begin(documents, &object_key, &self.data_key, &place);
        let digest = digest::Context::new(&digest::SHA256);
        let (size, signature, is_judged) = (0, Vec::new(), false);
        self.arriving =
            Some(Arriving { head, id, object_key, uploaded_at, writer, digest, size, signature, is_judged });
    }

    /// Takes bytes of the file that has begun.
    ///
    /// # Errors
    /// INVALID_REQUEST without a file that they are of, for a file that is too large or of another media type than was said;
    /// UNAVAILABLE without the document store.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Status> {
        let now = self.now();
        let Some(file) = &mut self.arriving else {
            let mut problems = Problems::default();
            problems.push(Path::key(0, "document"), "invalid_type", "Required");
            return Err(error::invalid_request(problems));
        };
        if file.size + bytes.len() > MAX_BYTES {
            return Err(file.head.problem("too_big", format!("Must contain at most {MAX_BYTES} byte(s)")));
        }
        file.size += bytes.len();
        if !file.is_judged {
            let missing = SIGNATURE.saturating_sub(file.signature.len()).min(bytes.len());
            file.signature.extend_from_slice(&bytes[..missing]);
            if file.signature.len() >= SIGNATURE {
                file.judge(now)?;
            }
        }
        file.digest.update(bytes);
        file.writer.write(bytes).await.map_err(of_documents)
    }

    /// Ends the file that has begun, if there is one.
    ///
    /// # Errors
    /// INVALID_REQUEST for an empty file, and one that is not what was said of it; UNAVAILABLE without the document store.
    pub(super) async fn finish(&mut self) -> Result<(), Status> {
        let now = self.now();
        let Some(file) = &mut self.arriving else { return Ok(()) };
        if file.size == 0 {
            return Err(file.head.problem("too_small", "Must contain at least 1 byte(s)"));
        }
        if !file.is_judged {
            file.judge(now)?;
        }
        let sha256 = hex::encode(file.digest.clone().finish());
        if file.head.size.is_some_and(|size| size as usize != file.size) {
            return Err(file.head.problem("custom", format!("The file has {} byte(s)", file.size)));
        }
        if file.head.sha256.as_ref().is_some_and(|said| !said.eq_ignore_ascii_case(&sha256)) {
            return Err(file.head.problem("custom", "The file has another SHA-256"));
        }
        // It is there, by the lines above.
        let Some(Arriving { head, id, object_key, uploaded_at, writer, size, .. }) = self.arriving.take() else {
            return Ok(());
        };
        // A file has at most 10 MiB.
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let file = ReceivedFile { size, sha256, uploaded_at, replaces: head.replaces.is_some() };
        // Noted first: where the store does not say whether it has the file, it is deleted with the others.
        self.arrived.push(Arrived { head, id, object_key, file });
        writer.finish().await.map_err(of_documents)?;
        self.drop_repeated().await;
        Ok(())
    }

    /// Forgets the last file if the request has brought it before.
    async fn drop_repeated(&mut self) {
        let Some((last, earlier)) = self.arrived.split_last() else { return };
        let is_same = |one: &Arrived| {
            one.file.sha256 == last.file.sha256 && one.head.kind == last.head.kind && one.head.owner == last.head.owner
        };
        if earlier.iter().any(is_same)
            && let Some(repeated) = self.arrived.pop()
        {
            self.users.delete_files(vec![repeated.object_key]).await;
        }
    }

    /// Deletes what has arrived.
    pub(super) async fn discard(self) {
        if let Some(file) = self.arriving {
            file.writer.abort().await;
        }
        self.users.delete_files(self.arrived.into_iter().map(|file| file.object_key).collect()).await;
    }

    /// The files, in the order of the request.
    pub(super) fn into_received(self) -> impl Iterator<Item = Arrived> {
        self.arrived.into_iter()
    }
}
