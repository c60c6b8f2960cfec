//! Where the sealed content of documents lies: a folder, or an object store in the cloud.
//!
//! An object is written, durably, before the row that refers to it is committed. Without a row nobody knows its key, so
//! a crash in between leaves nothing visible; the sweep of orphans removes it. Keys begin with the hour of the upload,
//! so that the sweep lists each hour once.

use std::path::Path as FilePath;
use std::sync::Arc;

use chrono::{DateTime, DurationRound, NaiveDateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;
use uuid::Uuid;

/// The first part of every key: the hour, without minutes.
const HOUR: &str = "%Y-%m-%dT%H";
/// How many deletions are under way at a time.
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

/// The document store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DocumentStore {
    objects: Arc<dyn ObjectStore>,
    /// The folder, where it is one.
    folder: Option<Arc<LocalFileSystem>>,
}

/// The key under which the content of a new document is stored.
#[must_use]
pub fn object_key(uploaded_at: DateTime<Utc>, document_id: Uuid) -> String {
    format!("{}/{document_id}", hour_prefix(uploaded_at))
}

/// The hour in which `at` lies.
#[must_use]
pub fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    // Fails only for times outside the years 1677 to 2262, which no clock shows.
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

fn hour_prefix(at: DateTime<Utc>) -> String {
    at.format(HOUR).to_string()
}

impl DocumentStore {
    /// Opens a folder (a path or `file://…`; made if it is missing) or, in a build with the feature `cloud`, a bucket:
    /// `s3://bucket/prefix`, `gs://…`, `az://…`, with the usual environment variables of each for its credentials.
    ///
    /// # Errors
    /// `Configuration` for a place that cannot be used.
    pub fn open(place: &str) -> Result<Self, DocumentError> {
        match Url::parse(place) {
            Ok(url) if url.scheme() == "file" => {
                let path = url.to_file_path();
                Self::open_folder(&path.map_err(|()| configuration("a file URL must name a local folder"))?)
            }
            // One letter before the colon is a drive, not a scheme.
            Ok(url) if url.scheme().len() > 1 => open_cloud(&url),
            _ => Self::open_folder(FilePath::new(place)),
        }
    }

    fn open_folder(folder: &FilePath) -> Result<Self, DocumentError> {
        std::fs::create_dir_all(folder).map_err(|error| configuration(&format!("{}: {error}", folder.display())))?;
        let folder = LocalFileSystem::new_with_prefix(folder).map_err(|error| configuration(&error.to_string()))?;
        // On disk, file and folder, before a row may refer to it; no empty folder stays for every hour.
        let folder = Arc::new(folder.with_fsync(true).with_automatic_cleanup(true));
        Ok(Self { objects: folder.clone(), folder: Some(folder) })
    }

    /// Stores sealed content; it is durable when this returns. A key holds a new document's id, so nothing is written
    /// over but by a retry of the same upload.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn put(&self, key: &str, sealed: Vec<u8>) -> Result<(), DocumentError> {
        self.objects.put(&Path::from(key), sealed.into()).await?;
        Ok(())
    }

    /// Reads sealed content.
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

    /// The keys of all objects that were uploaded in the hour of `at`.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_hour(&self, at: DateTime<Utc>) -> Result<Vec<String>, DocumentError> {
        let prefix = Path::from(hour_prefix(at));
        Ok(self.objects.list(Some(&prefix)).map_ok(|object| object.location.to_string()).try_collect().await?)
    }

    /// The earliest hour with an object; None: there is none at all.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn oldest_hour(&self) -> Result<Option<DateTime<Utc>>, DocumentError> {
        let listed = self.objects.list_with_delimiter(None).await?;
        let hours = listed.common_prefixes.iter().filter_map(|prefix| parse_hour(prefix.filename()?));
        Ok(hours.min())
    }

    /// Removes what uploads of the hour of `at` that never ended have left. Only a folder has such: its files are
    /// written beside their place (`…#1`) and no listing shows them until they are whole.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn discard_unfinished(&self, at: DateTime<Utc>) -> Result<(), DocumentError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let hour = folder.path_to_filesystem(&Path::from(hour_prefix(at)))?;
        let removed = tokio::task::spawn_blocking(move || remove_staged(&hour)).await;
        let removed = removed.map_err(std::io::Error::other).and_then(|removed| removed);
        Ok(removed.map_err(|error| object_store::Error::Generic { store: "folder", source: error.into() })?)
    }
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

fn parse_hour(text: &str) -> Option<DateTime<Utc>> {
    let hour = NaiveDateTime::parse_from_str(&format!("{text}:00"), "%Y-%m-%dT%H:%M").ok()?;
    Some(hour.and_utc())
}

#[cfg(feature = "cloud")]
fn open_cloud(url: &Url) -> Result<DocumentStore, DocumentError> {
    // Each kind of store picks its own names and leaves the rest alone. They come with a prefix: the driver would take
    // a bare `TOKEN` or `REGION` as well, which may be anybody's.
    let environment = std::env::vars()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| ["aws_", "azure_", "google_"].iter().any(|prefix| name.starts_with(prefix)));
    let (bucket, prefix) =
        object_store::parse_url_opts(url, environment).map_err(|error| configuration(&error.to_string()))?;
    Ok(DocumentStore { objects: Arc::new(object_store::prefix::PrefixStore::new(bucket, prefix)), folder: None })
}

#[cfg(not(feature = "cloud"))]
fn open_cloud(url: &Url) -> Result<DocumentStore, DocumentError> {
    Err(configuration(&format!("{}:// needs a build with the feature `cloud`", url.scheme())))
}

fn configuration(text: &str) -> DocumentError {
    DocumentError::Configuration(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::{Ambient, System};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn a_key_begins_with_the_hour_of_the_upload() {
        let id = Uuid::from_u128(7);
        let key = object_key(at("2026-11-23T08:59:59.999999Z"), id);
        assert_eq!(key, "2026-11-23T08/00000000-0000-0000-0000-000000000007");
        assert_eq!(parse_hour("2026-11-23T08"), Some(at("2026-11-23T08:00:00Z")));
        assert_eq!([parse_hour("lost+found"), parse_hour("2026-11-23")], [None, None]);
    }

    #[tokio::test]
    async fn content_is_stored_read_listed_and_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = Url::from_directory_path(folder.path().join("new/documents")).expect("a folder's URL");
        let documents = DocumentStore::open(url.as_str()).expect("a folder that is made");
        let uploaded_at = at("2026-11-23T08:17:00Z");
        let keys = [(); 2].map(|()| object_key(uploaded_at, System::default().new_id()));
        for key in &keys {
            documents.put(key, key.clone().into_bytes()).await.expect("an upload");
        }
        assert_eq!(documents.get(&keys[0]).await.expect("the content"), keys[0].as_bytes());
        assert_eq!(documents.list_hour(uploaded_at).await.expect("a list").len(), 2);
        assert!(documents.list_hour(at("2026-11-23T09:00:00Z")).await.expect("a list").is_empty());
        assert_eq!(documents.oldest_hour().await.expect("a list"), Some(at("2026-11-23T08:00:00Z")));
        documents.delete_all(keys.to_vec()).await.expect("a deletion");
        documents.delete(&keys[0]).await.expect("gone already");
        assert!(matches!(documents.get(&keys[0]).await, Err(DocumentError::Missing)));
        assert_eq!(documents.oldest_hour().await.expect("a list"), None);
    }

    #[test]
    fn a_place_that_cannot_be_a_folder_is_a_matter_of_configuration() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let outcome = DocumentStore::open(&file.path().display().to_string());
        assert!(matches!(outcome, Err(DocumentError::Configuration(_))), "{outcome:?}");
    }

    #[cfg(not(feature = "cloud"))]
    #[test]
    fn a_bucket_without_the_feature_names_the_feature() {
        for place in ["s3://bucket/users", "gs://bucket", "az://container"] {
            let error = DocumentStore::open(place).expect_err("no cloud").to_string();
            assert!(error.contains("feature `cloud`"), "{error}");
        }
    }
}
