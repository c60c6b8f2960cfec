//! Applying a change to a stored profile: what is not sent stays as it is (decisions, section 9).
//!
//! A change is prepared once and merged as often as the stored profile turns out to have changed meanwhile: what it adds
//! has the same identifiers every time, so that its files are stored once.

mod fields;
mod recorder;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use kira_gateway::check::{Check, broken_rules};
use kira_gateway::problem::{Path, Problem, Problems};
use uuid::Uuid;

use super::{Part, PlannedDocument, Profile, drop_default, drop_empty_groups, take_content, timestamp, visit};
use crate::ambient::Ambient;
use crate::contract::v1;
use crate::contract::v1::update_user_request::User as Change;
use crate::contract::v1::validate_user_request::User as Checked;
use recorder::{Places, Recorder};

/// A change in which everything that is to be added has an identifier.
#[derive(Clone)]
pub struct Prepared {
    change: Change,
    added: HashSet<String>,
    documents: usize,
    bytes: usize,
}

/// A stored profile with a change applied to it, not judged yet.
pub struct Merged {
    profile: Profile,
    updated: Vec<String>,
    removed: Vec<Uuid>,
    problems: Problems,
    places: Places,
}

/// A user as a change leaves it, ready to be stored.
pub struct Changed {
    /// What to seal.
    pub profile: Profile,
    /// The request names of all that is another now, by the indices of the request.
    pub updated: Vec<String>,
    /// The files to seal, new to the user.
    pub documents: Vec<PlannedDocument>,
    /// The documents that are no longer the user's.
    pub removed: Vec<Uuid>,
}

/// A change of another kind of user than the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the change is of another kind of user")]
pub struct OtherKind;

impl Prepared {
    /// Names everything that the change adds.
    #[must_use]
    pub fn new(mut change: Change, ambient: &dyn Ambient) -> Self {
        let (mut added, mut documents, mut bytes) = (HashSet::new(), 0, 0);
        let mut name = |id: &mut Option<String>, delete: Option<bool>| {
            if id.is_none() && delete != Some(true) {
                let new = ambient.new_id().to_string();
                added.insert(new.clone());
                *id = Some(new);
            }
        };
        let mut of_document = |document: &mut v1::DocumentChange| {
            name(&mut document.id, document.delete);
            documents += 1;
            bytes += document.file.as_ref().map_or(0, |file| file.content.len());
        };
        each_document(&mut change, &mut of_document);
        each_entry(&mut change, &mut |entry| name(&mut entry.id, entry.delete));
        if let Change::Business(change) = &mut change {
            change.associated_persons.iter_mut().for_each(|person| name(&mut person.id, person.delete));
        }
        Self { change, added, documents, bytes }
    }

    /// How many documents it speaks of.
    #[must_use]
    pub const fn documents(&self) -> usize {
        self.documents
    }

    /// The bytes of all its files together.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Applies the change to a stored profile.
    ///
    /// # Errors
    /// The change is of another kind of user.
    pub fn merge(self, mut profile: Profile) -> Result<Merged, OtherKind> {
        let mut recorder = Recorder::new(self.added);
        let places = match (&mut profile, self.change) {
            (Profile::Individual(stored), Change::Individual(change)) => {
                fields::individual(&mut recorder, stored, change)
            }
            (Profile::Business(stored), Change::Business(change)) => fields::business(&mut recorder, stored, change),
            _ => return Err(OtherKind),
        };
        let Recorder { updated, removed, problems, .. } = recorder;
        Ok(Merged { profile, updated, removed, problems, places })
    }
}

impl Merged {
    /// Judges the user as a create would, every rule at the place where the request speaks of it; what the request does
    /// not touch is not judged again. `found` are the problems that are known already.
    ///
    /// # Errors
    /// All problems.
    pub fn judge(self, now: DateTime<Utc>, mut found: Problems) -> Result<Accepted, Problems> {
        let Self { profile, updated, removed, problems, places } = self;
        found.merge(problems);
        // The request of the dry run has the members of a user and no others.
        let request = v1::ValidateUserRequest {
            user: Some(match profile {
                Profile::Individual(user) => Checked::Individual(user),
                Profile::Business(user) => Checked::Business(user),
            }),
        };
        let place = |problem: &Problem| places.locate(&problem.path.0).map(Path);
        found.merge(broken_rules(&request, now).relocated(place));
        match request.user {
            Some(user) if found.is_empty() => {
                let profile = match user {
                    Checked::Individual(user) => Profile::Individual(user),
                    Checked::Business(user) => Profile::Business(user),
                };
                Ok(Accepted { profile, updated, removed })
            }
            _ => Err(found),
        }
    }
}

/// A change that keeps every rule.
pub struct Accepted {
    profile: Profile,
    updated: Vec<String>,
    removed: Vec<Uuid>,
}

impl Accepted {
    /// Takes the files out of what is new, and what counts as absent out of the rest. The SHA-256 of every new file is
    /// computed here: a large file takes milliseconds.
    #[must_use]
    pub fn finish(self, now: DateTime<Utc>) -> Changed {
        let Self { mut profile, updated, removed } = self;
        match &mut profile {
            Profile::Individual(user) => user.drop_empty(),
            Profile::Business(user) => user.drop_empty(),
        }
        let mut documents = Vec::new();
        visit(&mut profile, &mut |part| match part {
            Part::Document(document) => documents.extend(take_file(document, now)),
            Part::Person(person) => drop_default(&mut person.address),
            Part::Identification(_) => {}
        });
        drop_empty_groups(&mut profile);
        Changed { profile, updated, documents, removed }
    }
}

/// The file of a new document; a stored one has none.
fn take_file(document: &mut v1::Document, now: DateTime<Utc>) -> Option<PlannedDocument> {
    document.file.as_ref()?;
    let text = std::mem::take(&mut document.id);
    let content: Bytes = take_content(document)?;
    let id = Uuid::try_parse(&text).ok()?;
    document.id = text;
    document.uploaded_at = Some(timestamp(now));
    Some(PlannedDocument { id, media_type: document.media_type(), content })
}

/// Shows every identification entry of a change to `see`.
fn each_entry(change: &mut Change, see: &mut dyn FnMut(&mut v1::IdentificationChange)) {
    match change {
        Change::Individual(user) => user.identifying_information.iter_mut().for_each(see),
        Change::Business(user) => {
            let persons = user.associated_persons.iter_mut().flat_map(|person| &mut person.identifying_information);
            persons.chain(&mut user.identifying_information).for_each(see);
        }
    }
}

/// Shows every document of a change to `see`.
fn each_document(change: &mut Change, see: &mut dyn FnMut(&mut v1::DocumentChange)) {
    each_entry(change, &mut |entry| entry.documents.iter_mut().for_each(&mut *see));
    match change {
        Change::Individual(user) => user.documents.iter_mut().for_each(see),
        Change::Business(user) => user.documents.iter_mut().for_each(see),
    }
}
