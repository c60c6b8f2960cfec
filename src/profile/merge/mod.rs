//! Applying a change to a stored profile: what is not sent stays as it is (decisions, section 9).
//!
//! A change is prepared once and merged as often as the stored profile turns out to have changed meanwhile: what it adds
//! has the same identifiers every time, so that its files are stored once.

#[cfg(test)]
mod field_tests;
mod identity;
mod naming;
mod recorder;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use kira_gateway::change::Apply;
use kira_gateway::check::{Check, SchemaOrder, broken_rules};
use kira_gateway::problem::{Path, Problem, Problems};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    FileToSeal, Profile, drop_default, drop_empty_groups, each_element_mut, metadata, own_pairs, take_content,
    timestamp,
};
use crate::contract::v1;
use crate::contract::v1::update_user_request::User as Change;
use crate::contract::v1::validate_user_request::User as Checked;
use crate::contract::v1::{AnyElementChange, AnyElementMut};
use crate::env::Env;
use identity::Digests;
use recorder::{Origins, Recorder};

/// A change in which everything that is to be added has an identifier.
#[derive(Clone)]
pub struct PreparedChange {
    change: Change,
    added: HashSet<String>,
    digests: Digests,
    received: Received,
}

/// A file that is in the document store already, of a document that a change adds or gives another file. The change has an
/// empty file in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedFile {
    /// Bytes.
    pub size: u32,
    /// Of the content, in lower-case hexadecimal.
    pub sha256: String,
    /// The time that it is sealed with.
    pub uploaded_at: DateTime<Utc>,
    /// Whether the document is stored and this is another file of it; else the document is new.
    pub replaces: bool,
}

/// The files that were received before the change, by the ids of their documents.
pub type Received = HashMap<String, ReceivedFile>;

/// A stored profile with a change applied to it, not judged yet.
pub struct Merged {
    profile: Profile,
    updated: Vec<String>,
    respelled: HashSet<String>,
    removed: Vec<Uuid>,
    problems: Problems,
    origins: Origins,
    ids: HashMap<String, String>,
    received: Received,
}

/// A user as a change leaves it, ready to be stored.
pub struct AppliedChange {
    /// What to seal.
    pub profile: Profile,
    /// The request names of all that is another now, by the indices of the request.
    pub updated: Vec<String>,
    /// Those of them that say the same number in another way of writing.
    pub respelled: HashSet<String>,
    /// The files to seal, new to the user.
    pub documents: Vec<FileToSeal>,
    /// The documents whose files were received before, and are the user's now.
    pub received: Vec<Uuid>,
    /// The documents that are no longer the user's, and those that have another file.
    pub removed: Vec<Uuid>,
    /// The ids of the elements that the request speaks of, by their places in it.
    ids: HashMap<String, String>,
}

impl AppliedChange {
    /// The id of the element at this place of the request, such as `associated_persons.0`.
    #[must_use]
    pub fn id_at(&self, place: &str) -> Option<Uuid> {
        self.ids.get(place).and_then(|id| Uuid::try_parse(id).ok())
    }

    /// What is another now, with the id of each element in place of its index, so that the names do not depend on the
    /// request.
    #[must_use]
    pub fn named_by_ids(&self) -> Vec<String> {
        self.updated.iter().map(|path| named_by_ids(path, &self.ids)).collect()
    }
}

fn named_by_ids(path: &str, ids: &HashMap<String, String>) -> String {
    let mut end = 0;
    let parts = path.split('.').map(|part| {
        end += part.len();
        let shown = ids.get(&path[..end]).map_or(part, String::as_str);
        // The dot.
        end += 1;
        shown
    });
    parts.collect::<Vec<_>>().join(".")
}

/// A change of another kind of user than the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the change is of another kind of user")]
pub struct OtherKind;

impl PreparedChange {
    /// Names everything that the change adds. The SHA-256 of every file is computed here: a large file takes
    /// milliseconds.
    #[must_use]
    pub fn new(mut change: Change, env: &dyn Env) -> Self {
        let (added, digests) = naming::name(&mut change, env);
        Self { change, added, digests, received: Received::default() }
    }

    /// The same change with files that were received before it.
    #[must_use]
    pub fn with_received(mut self, received: Received) -> Self {
        for (id, file) in &received {
            self.digests.insert(id.clone(), file.sha256.clone());
            if !file.replaces {
                self.added.insert(id.clone());
            }
        }
        self.received = received;
        self
    }

    /// The fingerprint that says whether two changes with one idempotency key say the same: `keyed_hash` over the
    /// canonical form, in which each file is replaced by its media type and SHA-256.
    #[must_use]
    pub fn fingerprint(&self, keyed_hash: impl FnOnce(&[u8]) -> [u8; 32]) -> [u8; 32] {
        keyed_hash(&Zeroizing::new(naming::canonical_form(self.change.clone(), &self.added, &self.digests)))
    }

    /// Applies the change to a stored profile.
    ///
    /// # Errors
    /// The change is of another kind of user.
    pub fn merge(self, mut profile: Profile) -> Result<Merged, OtherKind> {
        let mut recorder = Recorder::new(self.added, self.digests, self.received);
        let before = metadata::added(&profile);
        match (&mut profile, self.change) {
            (Profile::Individual(stored), Change::Individual(change)) => change.apply(stored, &mut recorder),
            (Profile::Business(stored), Change::Business(change)) => change.apply(stored, &mut recorder),
            _ => return Err(OtherKind),
        }
        let after = metadata::added(&profile);
        recorder.merge_metadata(own_pairs(&mut profile), (&before, &after));
        let origins = recorder.take_origins();
        let Recorder { updated, respelled, removed, problems, ids, received, .. } = recorder;
        Ok(Merged { profile, updated, respelled, removed, problems, origins, ids, received })
    }
}

impl Merged {
    /// Judges the user as a create would, every rule at the place where the request speaks of it; what the request does
    /// not touch is not judged again. `found` are the problems that are known already.
    ///
    /// # Errors
    /// All problems.
    pub fn judge(self, now: DateTime<Utc>, mut found: Problems) -> Result<ValidChange, Problems> {
        let Self { profile, updated, respelled, removed, problems, origins, ids, received } = self;
        let order = match &profile {
            Profile::Individual(_) => <v1::Individual as SchemaOrder>::order,
            Profile::Business(_) => <v1::Business as SchemaOrder>::order,
        };
        found.merge(problems);
        // The request of the dry run has the members of a user and no others.
        let request = v1::ValidateUserRequest {
            user: Some(match profile {
                Profile::Individual(user) => Checked::Individual(user),
                Profile::Business(user) => Checked::Business(user),
            }),
        };
        let place = |problem: &Problem| origins.locate(&problem.path.0).map(Path);
        found.merge(broken_rules(&request, now).relocated(place));
        match request.user {
            Some(user) if found.is_empty() => {
                let profile = match user {
                    Checked::Individual(user) => Profile::Individual(user),
                    Checked::Business(user) => Profile::Business(user),
                };
                Ok(ValidChange { profile, updated, respelled, removed, ids, received })
            }
            // What reading the body found has the origins of the change's own schema.
            _ => Err(found.relocated(|problem| {
                let mut path = problem.path.clone();
                order(&mut path.0);
                Some(path)
            })),
        }
    }
}

/// A change that keeps every rule.
pub struct ValidChange {
    profile: Profile,
    updated: Vec<String>,
    respelled: HashSet<String>,
    removed: Vec<Uuid>,
    ids: HashMap<String, String>,
    received: Received,
}

impl ValidChange {
    /// Takes the files out of what is new, and what counts as absent out of the rest. The SHA-256 of every new file is
    /// computed here: a large file takes milliseconds.
    #[must_use]
    pub fn finish(self, now: DateTime<Utc>) -> AppliedChange {
        let Self { mut profile, updated, respelled, mut removed, ids, received: files } = self;
        match &mut profile {
            Profile::Individual(user) => user.drop_empty(),
            Profile::Business(user) => user.drop_empty(),
        }
        let (mut documents, mut received) = (Vec::new(), Vec::new());
        each_element_mut(&mut profile, &mut |element| match element {
            AnyElementMut::Document(document) => match files.get(&document.id) {
                Some(file) if document.file.is_some() => {
                    let id = note_file(document, file);
                    removed.extend(id.filter(|_| file.replaces));
                    received.extend(id);
                }
                _ => documents.extend(take_file(document, now)),
            },
            AnyElementMut::AssociatedPerson(person) => drop_default(&mut person.address),
            AnyElementMut::Identification(_) => {}
        });
        drop_empty_groups(&mut profile);
        AppliedChange { profile, updated, respelled, documents, received, removed, ids }
    }
}

/// Leaves the facts about a file that was received before in its document.
fn note_file(document: &mut v1::Document, file: &ReceivedFile) -> Option<Uuid> {
    document.media_type = document.file.take()?.media_type;
    document.size = file.size;
    document.sha256.clone_from(&file.sha256);
    document.uploaded_at = Some(timestamp(file.uploaded_at));
    Uuid::try_parse(&document.id).ok()
}

/// The file of a new document; a stored one has none.
fn take_file(document: &mut v1::Document, now: DateTime<Utc>) -> Option<FileToSeal> {
    document.file.as_ref()?;
    let text = std::mem::take(&mut document.id);
    let content: Bytes = take_content(document)?;
    let id = Uuid::try_parse(&text).ok()?;
    document.id = text;
    document.uploaded_at = Some(timestamp(now));
    Some(FileToSeal { id, media_type: document.media_type(), uploaded_at: now, content })
}

/// How many documents a change speaks of, and the bytes of all its files together.
#[must_use]
pub fn size(change: &Change) -> (usize, usize) {
    let (mut count, mut bytes) = (0, 0);
    let mut see = |element: AnyElementChange<'_>| {
        if let AnyElementChange::DocumentChange(document) = element {
            count += 1;
            bytes += document.file.as_ref().map_or(0, |file| file.content.len());
        }
    };
    match change {
        Change::Individual(user) => user.each_element(&mut see),
        Change::Business(user) => user.each_element(&mut see),
    }
    (count, bytes)
}
