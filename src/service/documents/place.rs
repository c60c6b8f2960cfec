//! Where the documents of a user are: its own, those of its identifications, and those of its associated persons'.

use chrono::{DateTime, Utc};
use kira_gateway::error::{self, ErrorReason};
use tonic::Status;
use uuid::Uuid;

use super::stored_id;
use crate::contract::v1;
use crate::contract::v1::update_user_request::User as Change;
use crate::domain::user_type::UserType;
use crate::profile::{self, Profile};
use crate::service::convert::whole_seconds;
use crate::service::failure::corrupt;
use crate::store::UserRecord;

/// What a document belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The user itself.
    User,
    /// An identification of the user, or of one of its associated persons.
    Entry {
        /// The associated person.
        person: Option<Uuid>,
        /// The identification.
        entry: Uuid,
    },
}

impl Owner {
    /// The path of it in the user, by ids.
    fn path(self) -> String {
        match self {
            Self::User => String::new(),
            Self::Entry { person: None, entry } => format!("identifying_information.{entry}"),
            Self::Entry { person: Some(person), entry } => {
                format!("associated_persons.{person}.identifying_information.{entry}")
            }
        }
    }
}

/// A document with a file, and where it belongs.
pub(in crate::service) struct Located<'a> {
    pub(super) id: Uuid,
    pub(super) owner: Owner,
    pub(super) document: &'a v1::Document,
    pub(super) uploaded_at: DateTime<Utc>,
}

impl Located<'_> {
    /// As answers show it.
    pub(super) fn shown(&self) -> v1::StoredDocument {
        let (person, entry) = match self.owner {
            Owner::User => (None, None),
            Owner::Entry { person, entry } => (person, Some(entry)),
        };
        let v1::Document { r#type, description, media_type, size, sha256, .. } = self.document;
        v1::StoredDocument {
            id: self.id.to_string(),
            r#type: r#type.unwrap_or_default(),
            description: description.clone(),
            media_type: *media_type,
            size: *size,
            sha256: sha256.clone(),
            uploaded_at: Some(whole_seconds(self.uploaded_at)),
            subject: self.owner.path(),
            identification_id: entry.map(|id| id.to_string()),
            person_id: person.map(|id| id.to_string()),
        }
    }
}

/// The documents of a user that have a file.
pub(super) fn located(profile: &Profile) -> Result<Vec<Located<'_>>, Status> {
    let mut found = Vec::new();
    let (own, entries, persons): (_, _, &[v1::AssociatedPerson]) = match profile {
        Profile::Individual(user) => (&user.documents, &user.identifying_information, &[]),
        Profile::Business(user) => (&user.documents, &user.identifying_information, &user.associated_persons),
    };
    add(&mut found, Owner::User, own)?;
    for entry in entries {
        add(&mut found, Owner::Entry { person: None, entry: stored_id(&entry.id)? }, &entry.documents)?;
    }
    for person in persons {
        let id = Some(stored_id(&person.id)?);
        for entry in &person.identifying_information {
            add(&mut found, Owner::Entry { person: id, entry: stored_id(&entry.id)? }, &entry.documents)?;
        }
    }
    Ok(found)
}

fn add<'a>(found: &mut Vec<Located<'a>>, owner: Owner, documents: &'a [v1::Document]) -> Result<(), Status> {
    // Only a document that brought a file has a hash.
    for document in documents.iter().filter(|document| !document.sha256.is_empty()) {
        let (id, uploaded_at) = profile::file_of(document).ok_or_else(|| corrupt("a stored document"))?;
        found.push(Located { id, owner, document, uploaded_at });
    }
    Ok(())
}

/// The document of a user with this id.
///
/// # Errors
/// NOT_FOUND.
pub(in crate::service) fn locate(profile: &Profile, id: Uuid) -> Result<Located<'_>, Status> {
    let found = located(profile)?.into_iter().find(|document| document.id == id);
    found.ok_or_else(|| error::status(ErrorReason::NotFound, format!("Document with ID {id} not found")))
}

/// Whether a user has something that documents can belong to.
pub(super) fn has(profile: &Profile, owner: Owner) -> bool {
    let Owner::Entry { person, entry } = owner else { return true };
    let is = |text: &str, id: Uuid| Uuid::try_parse(text) == Ok(id);
    let entries = match (person, profile) {
        (None, Profile::Individual(user)) => &user.identifying_information,
        (None, Profile::Business(user)) => &user.identifying_information,
        (Some(_), Profile::Individual(_)) => return false,
        (Some(id), Profile::Business(user)) => {
            let Some(person) = user.associated_persons.iter().find(|person| is(&person.id, id)) else { return false };
            &person.identifying_information
        }
    };
    entries.iter().any(|found| is(&found.id, entry))
}

/// A change of the stored kind that changes nothing.
pub(super) fn empty(row: &UserRecord) -> Change {
    match row.kind == UserType::Individual.into_str() {
        true => Change::Individual(v1::IndividualChange::default()),
        false => Change::Business(v1::BusinessChange::default()),
    }
}

/// Adds what changes of a document to the change of its user. Returns its place there.
pub(super) fn of_user(change: &mut Change, owner: Owner, document: v1::DocumentChange) -> String {
    let (own, entries) = match change {
        Change::Individual(user) => (&mut user.documents, &mut user.identifying_information),
        Change::Business(user) => match owner {
            Owner::Entry { person: Some(id), .. } => {
                let persons = &mut user.associated_persons;
                let index = position(persons, |person| &mut person.id, id);
                let entries = &mut persons[index].identifying_information;
                return of_entry(entries, &format!("associated_persons.{index}."), owner, document);
            }
            _ => (&mut user.documents, &mut user.identifying_information),
        },
    };
    match owner {
        Owner::User => push(own, "", document),
        Owner::Entry { .. } => of_entry(entries, "", owner, document),
    }
}

fn of_entry(
    entries: &mut Vec<v1::IdentificationChange>,
    prefix: &str,
    owner: Owner,
    document: v1::DocumentChange,
) -> String {
    let Owner::Entry { entry, .. } = owner else { return String::new() };
    let index = position(entries, |found| &mut found.id, entry);
    push(&mut entries[index].documents, &format!("{prefix}identifying_information.{index}."), document)
}

/// Where the element with this id is; one is added if there is none.
fn position<T: Default>(elements: &mut Vec<T>, id_of: fn(&mut T) -> &mut Option<String>, id: Uuid) -> usize {
    let id = Some(id.to_string());
    match elements.iter_mut().position(|element| *id_of(element) == id) {
        Some(index) => index,
        None => {
            let mut element = T::default();
            *id_of(&mut element) = id;
            elements.push(element);
            elements.len() - 1
        }
    }
}

fn push(documents: &mut Vec<v1::DocumentChange>, prefix: &str, document: v1::DocumentChange) -> String {
    documents.push(document);
    format!("{prefix}documents.{}", documents.len() - 1)
}
