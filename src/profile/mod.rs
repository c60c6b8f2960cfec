//! What is stored of a request: the request itself without the content of its files, every part with an identifier.

#[cfg(test)]
pub(crate) mod examples;
pub mod merge;
pub mod subject;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use prost::Message;
use ring::digest;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::ambient::Ambient;
use crate::contract::v1::create_user_request::User as Request;
use crate::contract::{storage, v1};

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
/// door they came through. The files' content stands beside it.
#[derive(Clone, PartialEq)]
pub struct Draft {
    profile: Profile,
    contents: Vec<Bytes>,
}

/// A user about to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// What to seal.
    pub profile: Profile,
    /// The files to seal, in the order in which the profile names them.
    pub documents: Vec<PlannedDocument>,
}

/// A file about to be stored.
#[derive(Clone, PartialEq)]
pub struct PlannedDocument {
    /// The identifier that the profile names it by.
    pub id: Uuid,
    /// What the content is.
    pub media_type: v1::MediaType,
    /// The file: a slice of the request's buffer, not a copy.
    pub content: Bytes,
}

impl fmt::Debug for PlannedDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannedDocument")
            .field("id", &self.id)
            .field("size", &self.content.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl Draft {
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
        visit(&mut profile, &mut |part| match part {
            Part::Document(document) => contents.extend(take_content(document)),
            Part::Identification(entry) => entry.id.clear(),
            Part::Person(person) => {
                person.id.clear();
                drop_default(&mut person.address);
            }
        });
        drop_empty_groups(&mut profile);
        Self { profile, contents }
    }

    /// The request without its files: what the requirements are asked about before anything is stored.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The fingerprint that tells whether two requests with one idempotency key say the same (decisions, section 7):
    /// `keyed_hash` over the canonical form, in which each file stands as its media type, size and SHA-256.
    #[must_use]
    pub fn fingerprint(&self, keyed_hash: impl FnOnce(&[u8]) -> [u8; 32]) -> [u8; 32] {
        keyed_hash(&Zeroizing::new(encode(&self.profile, 0)))
    }

    /// Gives every identification, associated person and document an identifier, and every document its upload time.
    #[must_use]
    pub fn plan(self, ambient: &dyn Ambient) -> Planned {
        let Self { mut profile, contents } = self;
        let uploaded_at = timestamp(ambient.now());
        let mut contents = contents.into_iter();
        let mut documents = Vec::with_capacity(contents.len());
        visit(&mut profile, &mut |part| {
            let id = ambient.new_id();
            match part {
                Part::Identification(entry) => entry.id = id.to_string(),
                Part::Person(person) => person.id = id.to_string(),
                Part::Document(document) => {
                    document.id = id.to_string();
                    document.uploaded_at = Some(uploaded_at);
                    // Only a document that brought a file has a hash.
                    if !document.sha256.is_empty() {
                        let media_type = document.media_type();
                        documents.extend(contents.next().map(|content| PlannedDocument { id, media_type, content }));
                    }
                }
            }
        });
        Planned { profile, documents }
    }
}

/// A part of a profile that has an identifier.
enum Part<'a> {
    Person(&'a mut v1::AssociatedPerson),
    Identification(&'a mut v1::Identification),
    Document(&'a mut v1::Document),
}

/// Shows every part to `see`, each time in the same order.
fn visit(profile: &mut Profile, see: &mut dyn FnMut(Part<'_>)) {
    match profile {
        Profile::Individual(individual) => {
            visit_identifications(&mut individual.identifying_information, see);
            individual.documents.iter_mut().for_each(|document| see(Part::Document(document)));
        }
        Profile::Business(business) => {
            for person in &mut business.associated_persons {
                visit_identifications(&mut person.identifying_information, see);
                see(Part::Person(person));
            }
            visit_identifications(&mut business.identifying_information, see);
            business.documents.iter_mut().for_each(|document| see(Part::Document(document)));
        }
    }
}

fn visit_identifications(entries: &mut [v1::Identification], see: &mut dyn FnMut(Part<'_>)) {
    for entry in entries {
        entry.documents.iter_mut().for_each(|document| see(Part::Document(document)));
        see(Part::Identification(entry));
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
    document.sha256 = hexadecimal(digest::digest(&digest::SHA256, &file.content).as_ref());
    Some(file.content)
}

/// A group in which nothing was given is the same as no group. JSON, where the groups' keys stand in the enclosing
/// object, cannot even tell the two apart.
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

/// Lower-case hexadecimal.
fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// The documents of a stored user that have a file, in the order of the profile.
#[must_use]
pub fn documents(profile: &Profile) -> Vec<&v1::Document> {
    let (persons, entries, documents) = match profile {
        Profile::Individual(user) => (&[][..], &user.identifying_information, &user.documents),
        Profile::Business(user) => (&user.associated_persons[..], &user.identifying_information, &user.documents),
    };
    let of_persons = persons.iter().flat_map(|person| &person.identifying_information);
    let all = of_persons.chain(entries).flat_map(|entry| &entry.documents).chain(documents);
    // Only a document that brought a file has a hash.
    all.filter(|document| !document.sha256.is_empty()).collect()
}

/// A text that is there: an empty one counts as absent (decisions, section 2).
pub(crate) fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// A value of a list that is there: a number that is no value of the list, or its zero, counts as absent.
pub(crate) fn chosen<E: TryFrom<i32>>(number: Option<i32>) -> Option<E> {
    number.filter(|number| *number != 0).and_then(|number| E::try_from(number).ok())
}
