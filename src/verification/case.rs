//! One user to be verified, as a provider sees it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::contract::v1;
use crate::profile::{self, Profile};
use crate::store::{ClaimedVerification, Store};
use crate::vault::documents::{DocumentError, DocumentStore};
use crate::vault::{DataKey, Owner, Place, Vault};

/// What is to be verified cannot be read. The cause is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The profile does not open, or is of a newer version.
    #[error("the profile cannot be read")]
    Profile,
    /// A document is not there, or does not open.
    #[error("a document cannot be read")]
    Document,
    /// What keeps the documents does not answer; they may be as they should.
    #[error("the documents cannot be reached now")]
    NotNow,
}

/// One user to be verified. The profile is open; the content of documents is opened where a provider asks for it.
pub struct Case {
    /// The attempt: the same whenever the provider is asked again.
    pub attempt_id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// When this provider first took the attempt up.
    pub started_at: DateTime<Utc>,
    /// The time of asking.
    pub now: DateTime<Utc>,
    /// What this provider calls the attempt, where it has answered before and given it a name.
    pub reference: Option<String>,
    /// Whether an answer of this provider has made the attempt REVIEW.
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
    ) -> Result<Self, Unreadable> {
        let (user, attempt) = (&claimed.user, &claimed.attempt);
        let owner = Owner { client_id: user.client_id, user_id: user.id };
        let opened = vault.open_data_key(owner, &user.wrapped_key).and_then(|key| {
            let plaintext = key.open(&Place::UserProfile, user.profile.clone())?;
            Ok((key, zeroize::Zeroizing::new(plaintext)))
        });
        let (data_key, plaintext) = opened.map_err(|error| {
            tracing::error!(%error, user = %user.id, "a profile does not open");
            Unreadable::Profile
        })?;
        let profile = profile::decode(&plaintext).map_err(|error| {
            tracing::error!(%error, user = %user.id, "a profile cannot be read");
            Unreadable::Profile
        })?;
        Ok(Self {
            attempt_id: attempt.id,
            client_id: user.client_id,
            user_id: user.id,
            started_at: attempt.started_at.unwrap_or(now),
            now,
            reference: attempt.reference.clone(),
            in_review: user.status == crate::domain::status::Status::Review.as_str(),
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
    /// `Document` where it is missing or does not open, `NotNow` where its store or the database does not answer.
    pub async fn content(&self, document: &v1::Document) -> Result<Vec<u8>, Unreadable> {
        let because = |found: Unreadable, cause: &dyn std::fmt::Display| {
            tracing::warn!(%cause, user = %self.user_id, "a document cannot be read");
            found
        };
        let lost = |cause: &dyn std::fmt::Display| because(Unreadable::Document, cause);
        let id = Uuid::try_parse(&document.id).map_err(|error| lost(&error))?;
        let key = self.store.find_object_key(self.client_id, self.user_id, id).await;
        let key = key.map_err(|error| because(Unreadable::NotNow, &error))?;
        let key = key.ok_or_else(|| lost(&"there is no such document"))?;
        let sealed = self.documents.get(&key).await.map_err(|error| match error {
            DocumentError::Missing => lost(&error),
            error => because(Unreadable::NotNow, &error),
        })?;
        self.data_key.open(&Place::DocumentContent(id), sealed).map_err(|error| lost(&error))
    }

    /// Seals a provider's raw answer for its place beside the attempt.
    pub(super) fn seal_answer(&self, raw: Vec<u8>) -> Vec<u8> {
        self.data_key.seal(&Place::ProviderAnswer(self.attempt_id), raw)
    }
}
