//! Where the sealed content of documents lies: a folder, or an object store in the cloud.
//!
//! An object is written, durably, before the row that refers to it is committed. Without a row its key is unknown, so
//! a crash in between leaves nothing visible; the sweep of orphans removes it. Keys begin with the installation, so that
//! databases that share a place leave each other's objects alone, and the hour of the upload, so that the sweep lists
//! each hour once.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt};
use url::Url;
use uuid::Uuid;

/// The second part of every key: the hour, without minutes.
const HOUR: &str = "%Y-%m-%dT%H";
/// The bytes of one part of an object in a folder.
const FOLDER_PART: usize = 256 * 1024;
/// The same in a bucket: S3 takes no smaller parts but the last.
const BUCKET_PART: usize = 5 * 1024 * 1024;
/// How many deletions are in flight at a time.
const DELETIONS: usize = 8;

/// Why the document store did not do what it should. Object keys hold nothing personal.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The place cannot be used; an operator has to change it.
    #[error("the document store is not configured rightly: {0}")]
    Configuration(String),
    /// There is no such object.
    #[error("the document's content is missing")]
    Missing,
    /// The store cannot be reached or refuses: the same call may succeed later (503).
    #[error("the document store is unavailable")]
    Unavailable(#[source] object_store::Error),
}

impl From<object_store::Error> for DocumentError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            error => Self::Unavailable(error),
        }
    }
}

/// The document store of one installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DocumentStore {
    /// Whose objects these are; others may lie beside them.
    installation: Uuid,
    objects: Arc<dyn ObjectStore>,
    /// The folder, where it is one.
    folder: Option<Arc<LocalFileSystem>>,
}

/// The hour in which `at` lies.
#[must_use]
pub fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    // Fails only for times outside the years 1677 to 2262, which no clock shows.
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

impl DocumentStore {
    /// Opens a folder (a path or `file://…`; made if it is missing) or, in a build with the feature `cloud`, a bucket:
    /// `s3://bucket/prefix`, `gs://…`, `az://…`, with the usual environment variables of each for its credentials.
    /// New objects are those of `installation`, the id of the database that refers to them.
    ///
    /// # Errors
    /// `Configuration` for a place that cannot be used.
    pub fn open(place: &str, installation: Uuid) -> Result<Self, DocumentError> {
        match Url::parse(place) {
            Ok(url) if url.scheme() == "file" => {
                let path = url.to_file_path();
                let path = path.map_err(|()| configuration("a file URL must name a local folder"))?;
                Self::open_folder(&path, installation)
            }
            // One letter before the colon is a drive, not a scheme.
            Ok(url) if url.scheme().len() > 1 => open_cloud(&url, installation),
            _ => Self::open_folder(FilePath::new(place), installation),
        }
    }

    fn open_folder(folder: &FilePath, installation: Uuid) -> Result<Self, DocumentError> {
        std::fs::create_dir_all(folder).map_err(|error| configuration(&format!("{}: {error}", folder.display())))?;
        let folder = LocalFileSystem::new_with_prefix(folder).map_err(|error| configuration(&error.to_string()))?;
        // On disk, file and folder, before a row may refer to it; no empty folder stays for every hour.
        let folder = Arc::new(folder.with_fsync(true).with_automatic_cleanup(true));
        Ok(Self { installation, objects: folder.clone(), folder: Some(folder) })
    }

    /// The folder, where it is one.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        self.folder.as_ref().and_then(|folder| folder.path_to_filesystem(&Path::default()).ok())
    }

    /// The key under which the content of a new document is stored; its row holds it.
    #[must_use]
    pub fn object_key(&self, uploaded_at: DateTime<Utc>, document_id: Uuid) -> String {
        format!("{}/{document_id}", self.hour_prefix(uploaded_at))
    }

    fn hour_prefix(&self, at: DateTime<Utc>) -> String {
        format!("{}/{}", self.installation, at.format(HOUR))
    }

    /// What the keys of this installation's archive begin with. Nothing of it is swept.
    #[must_use]
    pub fn archive(&self) -> String {
        format!("{}/archive", self.installation)
    }

    /// What the keys of this installation's certificates of erasures begin with. Nothing of it is swept.
    #[must_use]
    pub fn erasures(&self) -> String {
        format!("{}/erasures", self.installation)
    }

    /// The keys of all objects below a prefix.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn list_below(&self, prefix: &str) -> impl Stream<Item = Result<String, DocumentError>> + Send + use<> {
        let objects = self.objects.list(Some(&Path::from(prefix)));
        objects.map_ok(|object| object.location.to_string()).map_err(DocumentError::from)
    }

    /// The key under which another content of a document is stored; `unique` tells it from all others.
    #[must_use]
    pub fn replacing_key(&self, uploaded_at: DateTime<Utc>, document_id: Uuid, unique: Uuid) -> String {
        format!("{}.{}", self.object_key(uploaded_at, document_id), unique.simple())
    }

    /// Begins an object.
    pub(super) fn upload(&self, key: &str) -> Upload {
        // A bucket takes no smaller parts but the last.
        let part_size = if self.folder.is_some() { FOLDER_PART } else { BUCKET_PART };
        Upload { objects: Arc::clone(&self.objects), path: Path::from(key), part: Vec::new(), part_size, parts: None }
    }

    /// The first `header` bytes of an object, and its bytes `range`, which lie behind them, as they are read.
    ///
    /// # Errors
    /// `Missing` without the object, else `Unavailable`.
    pub(super) async fn read(
        &self,
        key: &str,
        header: usize,
        range: Range<u64>,
    ) -> Result<(Vec<u8>, Source), DocumentError> {
        let path = Path::from(key);
        let is_start = range.start == header as u64;
        if self.folder.is_some() || is_start {
            let mut source = Source::of(self.objects.get(&path).await?);
            let first = source.read(header).await?;
            source.skip(range.start - header as u64).await?;
            return Ok((first, source));
        }
        let first = self.objects.get_range(&path, 0..header as u64).await?.to_vec();
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        Ok((first, Source::of(self.objects.get_opts(&path, options).await?)))
    }

    /// Stores an object in one piece; it is durable when this returns.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn put(&self, key: &str, sealed: Vec<u8>) -> Result<(), DocumentError> {
        self.objects.put(&Path::from(key), sealed.into()).await?;
        Ok(())
    }

    /// Reads an object in one piece.
    ///
    /// # Errors
    /// `Missing` without the object, else `Unavailable`.
    pub async fn get(&self, key: &str) -> Result<Vec<u8>, DocumentError> {
        // The buffer is ours alone, so that it becomes a vector without a copy.
        Ok(self.objects.get(&Path::from(key)).await?.bytes().await?.into())
    }

    /// Deletes an object; one that is gone already is no error.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn delete(&self, key: &str) -> Result<(), DocumentError> {
        match self.objects.delete(&Path::from(key)).await {
            Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes objects, several at a time.
    ///
    /// # Errors
    /// `Unavailable`; some may be deleted then.
    pub async fn delete_all(&self, keys: Vec<String>) -> Result<(), DocumentError> {
        let deletions = stream::iter(keys).map(|key| async move { self.delete(&key).await });
        deletions.buffer_unordered(DELETIONS).try_collect().await
    }

    /// The keys of this installation's objects that were uploaded in the hour of `at`.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn list_hour(&self, at: DateTime<Utc>) -> impl Stream<Item = Result<String, DocumentError>> + Send + use<> {
        let prefix = Path::from(self.hour_prefix(at));
        let objects = self.objects.list(Some(&prefix));
        objects.map_ok(|object| object.location.to_string()).map_err(DocumentError::from)
    }

    /// Removes what uploads of the hour of `at` that never ended have left. Only a folder has such: its files are
    /// written beside their place (`…#1`) and no listing shows them until they are whole.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn discard_unfinished(&self, at: DateTime<Utc>) -> Result<(), DocumentError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let hour = folder.path_to_filesystem(&Path::from(self.hour_prefix(at)))?;
        let removed = tokio::task::spawn_blocking(move || remove_staged(&hour)).await;
        of_folder(removed)
    }
}

/// An object on its way into the store: nothing is there before it is finished.
pub(super) struct Upload {
    objects: Arc<dyn ObjectStore>,
    path: Path,
    /// What is not handed over yet.
    part: Vec<u8>,
    part_size: usize,
    /// Once there is more than one part.
    parts: Option<Box<dyn MultipartUpload>>,
}

impl Upload {
    /// The first bytes, which are few.
    pub(super) fn begin(&mut self, header: &[u8]) {
        self.part.extend_from_slice(header);
    }

    /// Adds bytes.
    pub(super) async fn write(&mut self, data: &[u8]) -> Result<(), DocumentError> {
        if self.parts.is_some() {
            // Exactly what a part takes: it would else grow to twice its size.
            self.part.reserve_exact(self.part_size.saturating_sub(self.part.len()) + data.len());
        }
        self.part.extend_from_slice(data);
        if self.part.len() < self.part_size {
            return Ok(());
        }
        let part = std::mem::take(&mut self.part);
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => self.parts.insert(self.objects.put_multipart(&self.path).await?),
        };
        Ok(parts.put_part(part.into()).await?)
    }

    /// Ends the object; it is durable when this returns.
    pub(super) async fn finish(mut self) -> Result<(), DocumentError> {
        let rest = std::mem::take(&mut self.part);
        let Some(mut parts) = self.parts.take() else {
            self.objects.put(&self.path, rest.into()).await?;
            return Ok(());
        };
        if !rest.is_empty() {
            parts.put_part(rest.into()).await?;
        }
        parts.complete().await?;
        Ok(())
    }

    /// Gives the object up. A bucket that cannot be reached keeps the parts until its own rule for them removes them.
    pub(super) async fn abort(mut self) {
        if let Some(mut parts) = self.parts.take()
            && let Err(error) = parts.abort().await
        {
            tracing::warn!(%error, "the parts of an upload that was given up stay");
        }
    }
}

/// The bytes of an object as they are read.
pub(super) enum Source {
    /// None while a read is at work.
    File(Option<File>),
    Stream(BoxStream<'static, object_store::Result<bytes::Bytes>>, BytesMut),
}

impl Source {
    fn of(result: GetResult) -> Self {
        match result.payload {
            GetResultPayload::File(file, _) => Self::File(Some(file)),
            GetResultPayload::Stream(stream) => Self::Stream(stream, BytesMut::new()),
        }
    }

    /// The next `length` bytes; fewer at the end.
    pub(super) async fn read(&mut self, length: usize) -> Result<Vec<u8>, DocumentError> {
        match self {
            Self::File(file) => {
                let mut open = file.take().ok_or(DocumentError::Missing)?;
                let read = tokio::task::spawn_blocking(move || {
                    let mut data = Vec::with_capacity(length);
                    let read = open.by_ref().take(length as u64).read_to_end(&mut data);
                    read.map(|_| (open, data))
                });
                let (open, data) = of_folder(read.await)?;
                *file = Some(open);
                Ok(data)
            }
            Self::Stream(stream, rest) => {
                while rest.len() < length {
                    let Some(more) = stream.try_next().await? else { break };
                    rest.extend_from_slice(&more);
                }
                Ok(rest.split_to(length.min(rest.len())).into())
            }
        }
    }

    /// Passes over bytes of a file.
    async fn skip(&mut self, length: u64) -> Result<(), DocumentError> {
        let Self::File(file) = self else { return Ok(()) };
        let mut open = file.take().ok_or(DocumentError::Missing)?;
        let moved = tokio::task::spawn_blocking(move || {
            let moved = open.seek(SeekFrom::Current(i64::try_from(length).unwrap_or(i64::MAX)));
            moved.map(|_| open)
        });
        *file = Some(of_folder(moved.await)?);
        Ok(())
    }
}

/// What a task at a file of the folder came to.
fn of_folder<T>(done: Result<std::io::Result<T>, tokio::task::JoinError>) -> Result<T, DocumentError> {
    let done = done.map_err(std::io::Error::other).and_then(|done| done);
    Ok(done.map_err(|error| object_store::Error::Generic { store: "folder", source: error.into() })?)
}

fn remove_staged(hour: &FilePath) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(hour) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains('#') {
            std::fs::remove_file(entry.path())?;
        }
    }
    // The folder goes too if that was all; it does not if an object is left.
    let _ = std::fs::remove_dir(hour);
    Ok(())
}

#[cfg(feature = "cloud")]
fn open_cloud(url: &Url, installation: Uuid) -> Result<DocumentStore, DocumentError> {
    // Each kind of store picks its own names and leaves the rest alone. They come with a prefix: the driver would take
    // a bare `TOKEN` or `REGION` as well, which may be anybody's.
    let environment = std::env::vars()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| ["aws_", "azure_", "google_"].iter().any(|prefix| name.starts_with(prefix)));
    // Its HTTP client is built without a choice of cryptography; when another part of the process made the choice before,
    // this one is not needed.
    drop(rustls::crypto::ring::default_provider().install_default());
    let (bucket, prefix) =
        object_store::parse_url_opts(url, environment).map_err(|error| configuration(&error.to_string()))?;
    let objects = Arc::new(object_store::prefix::PrefixStore::new(bucket, prefix));
    Ok(DocumentStore { installation, objects, folder: None })
}

#[cfg(not(feature = "cloud"))]
fn open_cloud(url: &Url, _: Uuid) -> Result<DocumentStore, DocumentError> {
    Err(configuration(&format!("{}:// needs a build with the feature `cloud`", url.scheme())))
}

fn configuration(text: &str) -> DocumentError {
    DocumentError::Configuration(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{Env, SystemEnv};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn a_key_begins_with_the_installation_and_the_hour_of_the_upload() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().display().to_string();
        let documents = DocumentStore::open(&place, Uuid::from_u128(6)).expect("a folder");
        let key = documents.object_key(at("2026-11-23T08:59:59.999999Z"), Uuid::from_u128(7));
        let expected = "00000000-0000-0000-0000-000000000006/2026-11-23T08/00000000-0000-0000-0000-000000000007";
        assert_eq!(key, expected);
    }

    #[tokio::test]
    async fn content_is_stored_read_listed_and_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = Url::from_directory_path(folder.path().join("new/documents")).expect("a folder's URL");
        let documents = DocumentStore::open(url.as_str(), Uuid::from_u128(6)).expect("a folder that is made");
        let uploaded_at = at("2026-11-23T08:17:00Z");
        let keys = [(); 2].map(|()| documents.object_key(uploaded_at, SystemEnv::default().new_id()));
        for key in &keys {
            documents.put(key, key.clone().into_bytes()).await.expect("an upload");
        }
        assert_eq!(documents.get(&keys[0]).await.expect("the content"), keys[0].as_bytes());
        let listed = async |at| documents.list_hour(at).try_collect::<Vec<_>>().await.expect("a list").len();
        assert_eq!(listed(uploaded_at).await, 2);
        assert_eq!(listed(at("2026-11-23T09:00:00Z")).await, 0);
        documents.delete_all(keys.to_vec()).await.expect("a deletion");
        documents.delete(&keys[0]).await.expect("gone already");
        assert!(matches!(documents.get(&keys[0]).await, Err(DocumentError::Missing)));
    }

    #[test]
    fn a_place_that_cannot_be_a_folder_is_a_matter_of_configuration() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let outcome = DocumentStore::open(&file.path().display().to_string(), Uuid::from_u128(6));
        assert!(matches!(outcome, Err(DocumentError::Configuration(_))), "{outcome:?}");
    }

    #[cfg(not(feature = "cloud"))]
    #[test]
    fn a_bucket_without_the_feature_names_the_feature() {
        for place in ["s3://bucket/users", "gs://bucket", "az://container"] {
            let error = DocumentStore::open(place, Uuid::from_u128(6)).expect_err("no cloud").to_string();
            assert!(error.contains("feature `cloud`"), "{error}");
        }
    }
}
