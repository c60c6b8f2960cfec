//! One user to be verified, as a provider sees it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::contract::v1;
use crate::profile::{self, Profile};
use crate::store::{ClaimedVerification, Store};
use crate::vault::documents::{DocumentError, DocumentStore};
use crate::vault::{AeadContext, DataKey, FileError, FileReader, Owner, Vault};

/// Why a case cannot be read. The cause is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    /// The profile does not open, or is of a newer version.
    #[error("the profile cannot be read")]
    Profile,
    /// A document is not there, or does not open.
    #[error("a document cannot be read")]
    Document,
    /// The document store or the database is unavailable.
    #[error("the documents cannot be reached now")]
    Unavailable,
}

/// One user to be verified. The profile is open; the content of documents is opened where a provider asks for it.
pub struct Case {
    /// The attempt: the same whenever the provider is asked again.
    pub attempt_id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// When this provider first received the attempt.
    pub started_at: DateTime<Utc>,
    /// The time of the call.
    pub now: DateTime<Utc>,
    /// The provider's reference of the attempt, if an earlier response had one.
    pub reference: Option<String>,
    /// Whether a response of this provider has made the attempt REVIEW.
    pub in_review: bool,
    /// What is known of the user.
    pub profile: Profile,
    data_key: DataKey,
    store: Store,
    documents: DocumentStore,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("attempt_id", &self.attempt_id).finish_non_exhaustive()
    }
}

impl Case {
    /// Opens the profile of a claimed job.
    pub(super) fn open(
        claimed: &ClaimedVerification,
        store: &Store,
        vault: &Vault,
        documents: &DocumentStore,
        now: DateTime<Utc>,
    ) -> Result<Self, CaseError> {
        let (user, attempt) = (&claimed.user, &claimed.attempt);
        let owner = Owner { client_id: user.client_id, user_id: user.id };
        let opened = vault.open_data_key(owner, &user.wrapped_key).and_then(|key| {
            let plaintext = key.open(&AeadContext::UserProfile, user.profile.clone())?;
            Ok((key, zeroize::Zeroizing::new(plaintext)))
        });
        let (data_key, plaintext) = opened.map_err(|error| {
            tracing::error!(%error, user = %user.id, "a profile does not open");
            CaseError::Profile
        })?;
        let profile = profile::decode(&plaintext).map_err(|error| {
            tracing::error!(%error, user = %user.id, "a profile cannot be read");
            CaseError::Profile
        })?;
        let reference = attempt.sealed_reference.clone().and_then(|sealed| {
            let opened = data_key.open(&AeadContext::ProviderReference(attempt.id), sealed);
            let text = opened.map_err(|error| error.to_string());
            let text = text.and_then(|bytes| String::from_utf8(bytes).map_err(|error| error.utf8_error().to_string()));
            // Without it the provider is asked as if for the first time, which it must bear.
            text.inspect_err(|error| tracing::error!(error, attempt = %attempt.id, "a reference does not open")).ok()
        });
        Ok(Self {
            attempt_id: attempt.id,
            client_id: user.client_id,
            user_id: user.id,
            started_at: attempt.started_at.unwrap_or(now),
            now,
            reference,
            in_review: user.status == crate::domain::status::Status::Review.into_str(),
            profile,
            data_key,
            store: store.clone(),
            documents: documents.clone(),
        })
    }

    /// The sizes of all files, in bytes.
    pub fn file_sizes(&self) -> impl Iterator<Item = u64> {
        profile::documents(&self.profile).into_iter().map(|document| u64::from(document.size))
    }

    /// The size of all files together, in bytes.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.file_sizes().sum()
    }

    /// The content of one of the profile's documents, which may be large: drop it soon.
    ///
    /// # Errors
    /// `Document` where it is missing or does not open, `Unavailable` where its store or the database is unavailable.
    pub async fn content(&self, document: &v1::Document) -> Result<Vec<u8>, CaseError> {
        let because = |found: CaseError, cause: &dyn std::fmt::Display| {
            tracing::warn!(%cause, user = %self.user_id, "a document cannot be read");
            found
        };
        let lost = |cause: &dyn std::fmt::Display| because(CaseError::Document, cause);
        let (id, uploaded_at) = profile::file_of(document).ok_or_else(|| lost(&"it has no id or no time"))?;
        let key = self.store.find_object_key(self.client_id, self.user_id, id).await;
        let key = key.map_err(|error| because(CaseError::Unavailable, &error))?;
        let key = key.ok_or_else(|| lost(&"there is no such document"))?;
        let place = AeadContext::DocumentContent { id, uploaded_at };
        let (size, sealed_for) = (u64::from(document.size), (&self.data_key, &place));
        let read = async || FileReader::open(&self.documents, &key, sealed_for, size, 0..size).await?.read_all().await;
        read().await.map_err(|error| match error {
            FileError::Store(DocumentError::Unavailable(_)) => because(CaseError::Unavailable, &error),
            error => lost(&error),
        })
    }

    /// Seals a provider's reference of the attempt.
    pub(super) fn seal_reference(&self, reference: String) -> Vec<u8> {
        self.data_key.seal(&AeadContext::ProviderReference(self.attempt_id), reference.into_bytes())
    }

    /// Seals a provider's raw response.
    pub(super) fn seal_answer(&self, raw: Vec<u8>) -> Vec<u8> {
        self.data_key.seal(&AeadContext::ProviderAnswer(self.attempt_id), raw)
    }
}
