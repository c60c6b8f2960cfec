//! What is stored of a request: the request itself without the content of its files, every part with an identifier.

#[cfg(test)]
pub(crate) mod examples;
pub mod impact;
pub mod lookup;
pub mod mask;
pub mod merge;
pub mod metadata;
pub mod requirement;
pub mod subject;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use kira_gateway::fields::Fields as _;
use prost::Message;
use ring::digest;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::contract::v1::create_user_request::User as Request;
use crate::contract::v1::{AnyElement, AnyElementMut};
use crate::contract::{storage, v1};
use crate::env::Env;

/// The personal data of a user, as it is sealed: a request of either kind. See `kira/users/storage/v1/profile.proto`.
pub use crate::contract::storage::profile::User as Profile;

/// Stored bytes that are no profile: they were written by a newer version, or are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored profile cannot be read")]
pub struct UnreadableProfile;

/// The bytes to seal, in a buffer with room for `spare` more: sealed in place, they leave no copy in clear behind.
#[must_use]
pub fn encode(profile: &Profile, spare: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(profile.encoded_len() + spare);
    profile.encode(&mut bytes);
    bytes
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// Where the bytes are no profile. The error says nothing about them.
pub fn decode(bytes: &[u8]) -> Result<Profile, UnreadableProfile> {
    storage::Profile::decode(bytes).ok().and_then(|profile| profile.user).ok_or(UnreadableProfile)
}

/// An accepted request to create a user, in its canonical form: equal for two requests that say the same, whichever
/// protocol they came through. The files' content is kept apart from it.
#[derive(Clone, PartialEq)]
pub struct CanonicalRequest {
    profile: Profile,
    contents: Vec<Bytes>,
}

/// A user about to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewProfile {
    /// What to seal.
    pub profile: Profile,
    /// The files to seal, in the order in which the profile names them.
    pub documents: Vec<FileToSeal>,
}

/// A file about to be stored.
#[derive(Clone, PartialEq)]
pub struct FileToSeal {
    /// The identifier that the profile names it by.
    pub id: Uuid,
    /// What the content is.
    pub media_type: v1::MediaType,
    /// The time that the profile names beside it.
    pub uploaded_at: DateTime<Utc>,
    /// The file: a slice of the request's buffer, not a copy.
    pub content: Bytes,
}

impl fmt::Debug for FileToSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileToSeal").field("id", &self.id).field("size", &self.content.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for CanonicalRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CanonicalRequest").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl CanonicalRequest {
    /// Takes the files' content out of a request that has been accepted (its rules checked, its empty texts dropped).
    ///
    /// The SHA-256 of every file is computed here and only here: a large file takes milliseconds.
    #[must_use]
    pub fn new(request: Request) -> Self {
        let mut profile = match request {
            Request::Individual(individual) => Profile::Individual(individual),
            Request::Business(business) => Profile::Business(business),
        };
        let mut contents = Vec::new();
        each_element_mut(&mut profile, &mut |element| match element {
            AnyElementMut::Document(document) => contents.extend(take_content(document)),
            AnyElementMut::Identification(entry) => entry.id.clear(),
            AnyElementMut::AssociatedPerson(person) => {
                person.id.clear();
                drop_default(&mut person.address);
            }
        });
        drop_empty_groups(&mut profile);
        drop_copied_pairs(&mut profile);
        Self { profile, contents }
    }

    /// The request without its files: what the requirements are asked about before anything is stored.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The fingerprint that shows whether two requests with one idempotency key are the same (decisions, section 7):
    /// `keyed_hash` over the canonical form, in which each file is replaced by its media type, size and SHA-256.
    #[must_use]
    pub fn fingerprint(&self, keyed_hash: impl FnOnce(&[u8]) -> [u8; 32]) -> [u8; 32] {
        keyed_hash(&Zeroizing::new(encode(&self.profile, 0)))
    }

    /// Gives every identification, associated person and document an identifier, and every document its upload time.
    #[must_use]
    pub fn plan(self, env: &dyn Env) -> NewProfile {
        let Self { mut profile, contents } = self;
        let now = env.now();
        let mut contents = contents.into_iter();
        let mut documents = Vec::with_capacity(contents.len());
        each_element_mut(&mut profile, &mut |element| {
            let id = env.new_id();
            match element {
                AnyElementMut::Identification(entry) => entry.id = id.to_string(),
                AnyElementMut::AssociatedPerson(person) => person.id = id.to_string(),
                AnyElementMut::Document(document) => {
                    document.id = id.to_string();
                    document.uploaded_at = Some(timestamp(now));
                    // Only a document that brought a file has a hash.
                    if !document.sha256.is_empty() {
                        let media_type = document.media_type();
                        let file = |content| FileToSeal { id, media_type, uploaded_at: now, content };
                        documents.extend(contents.next().map(file));
                    }
                }
            }
        });
        NewProfile { profile, documents }
    }
}

/// Shows every person, identification and document of a profile to `see`, each time in the same order.
fn each_element_mut(profile: &mut Profile, see: &mut dyn FnMut(AnyElementMut<'_>)) {
    match profile {
        Profile::Individual(user) => user.each_element_mut(see),
        Profile::Business(user) => user.each_element_mut(see),
    }
}

/// Leaves the facts about the file in the document, and nothing that is not the client's to say.
fn take_content(document: &mut v1::Document) -> Option<Bytes> {
    document.id.clear();
    document.media_type = v1::MediaType::Unspecified.into();
    document.size = 0;
    document.sha256.clear();
    document.uploaded_at = None;
    let file = document.file.take()?;
    document.media_type = file.media_type;
    // A file has at most 10 MiB.
    document.size = u32::try_from(file.content.len()).unwrap_or(u32::MAX);
    document.sha256 = hex::encode(digest::digest(&digest::SHA256, &file.content));
    Some(file.content)
}

/// A group in which nothing was given is the same as no group. In JSON, where the groups' keys are keys of the
/// enclosing object, there is no difference.
fn drop_empty_groups(profile: &mut Profile) {
    match profile {
        Profile::Individual(individual) => {
            individual.residential_address = None;
            drop_default(&mut individual.address);
            drop_default(&mut individual.primary_document);
            if let Some(compliance) = &mut individual.compliance {
                drop_default(&mut compliance.additional_info);
            }
            drop_default(&mut individual.compliance);
            drop_default(&mut individual.metadata);
        }
        Profile::Business(business) => {
            business.registered_address = None;
            drop_default(&mut business.address);
            drop_default(&mut business.primary_document);
            drop_default(&mut business.representative);
            if let Some(compliance) = &mut business.compliance {
                drop_default(&mut compliance.additional_info);
            }
            drop_default(&mut business.compliance);
            drop_default(&mut business.metadata);
        }
    }
}

/// A body that was copied from an answer has in its metadata what the service adds there: kept as a pair of the client's
/// own, it would come up again when the field that it was made from is deleted.
fn drop_copied_pairs(profile: &mut Profile) {
    let Some(mut pairs) = own_pairs(profile).take() else { return };
    metadata::added(profile).delete_copies(&mut pairs);
    let own = own_pairs(profile);
    *own = Some(pairs);
    drop_default(own);
}

/// The client's own metadata.
fn own_pairs(profile: &mut Profile) -> &mut Option<prost_types::Struct> {
    match profile {
        Profile::Individual(user) => &mut user.metadata,
        Profile::Business(user) => &mut user.metadata,
    }
}

fn drop_default<T: Default + PartialEq>(group: &mut Option<T>) {
    if group.as_ref().is_some_and(|group| *group == T::default()) {
        *group = None;
    }
}

/// The time in the contract's form.
fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    // Nanoseconds of a second are below two thousand million, leap seconds included.
    prost_types::Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos() as i32 }
}

/// The request names of what a profile brings: of its fields, of its lists, and `metadata`.
#[must_use]
pub fn given_names(profile: &Profile) -> Vec<String> {
    let mut names = Vec::new();
    let mut see = |name: &'static str| names.push(name.to_owned());
    let (persons, entries, documents, own) = match profile {
        Profile::Individual(user) => {
            user.each_given(&mut see);
            (0, user.identifying_information.len(), user.documents.len(), &user.metadata)
        }
        Profile::Business(user) => {
            user.each_given(&mut see);
            let persons = user.associated_persons.len();
            (persons, user.identifying_information.len(), user.documents.len(), &user.metadata)
        }
    };
    let lists = [
        ("associated_persons", persons > 0),
        ("identifying_information", entries > 0),
        ("documents", documents > 0),
        ("metadata", own.is_some()),
    ];
    names.extend(lists.into_iter().filter(|(_, given)| *given).map(|(name, _)| name.to_owned()));
    names
}

/// The documents of a stored user that have a file, in the order of the profile.
#[must_use]
pub fn documents(profile: &Profile) -> Vec<&v1::Document> {
    let mut documents = Vec::new();
    let mut see = |element| match element {
        // Only a document that brought a file has a hash.
        AnyElement::Document(document) if !document.sha256.is_empty() => documents.push(document),
        _ => {}
    };
    match profile {
        Profile::Individual(user) => user.each_element(&mut see),
        Profile::Business(user) => user.each_element(&mut see),
    }
    documents
}

/// What tells the file of a stored document from every other: the document, and the time of its upload.
#[must_use]
pub fn file_of(document: &v1::Document) -> Option<(Uuid, DateTime<Utc>)> {
    let time = document.uploaded_at.as_ref()?;
    let uploaded_at = DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).ok()?)?;
    Some((Uuid::try_parse(&document.id).ok()?, uploaded_at))
}

/// A text, unless it is empty: an empty one counts as absent (decisions, section 2).
pub(crate) fn non_empty(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// A value of an enum, unless it is unspecified or unknown: both count as absent.
pub(crate) fn specified<E: TryFrom<i32>>(number: Option<i32>) -> Option<E> {
    number.filter(|number| *number != 0).and_then(|number| E::try_from(number).ok())
}
