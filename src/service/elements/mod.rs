//! The elements of a user one at a time: its associated persons, and the entries of its identifying information and
//! theirs. A change of one is an update of the user that brings this one element (decisions, section 9).

mod identifications;
mod persons;

use chrono::{DateTime, Utc};
use kira_gateway::check::SchemaOrder;
use kira_gateway::error::{self, ErrorReason};
use kira_gateway::problem::{Path, Problem, Problems, Step};
use tonic::Status;
use uuid::Uuid;

use super::convert::{shown, status};
use super::documents::locate;
use super::request::{checked_id, optional_id};
use super::updates::{ChangeRequest, Changed};
use super::users::{Users, user_not_found};
use crate::contract::v1;
use crate::contract::v1::update_user_request::User as Change;
use crate::profile::Profile;
use crate::profile::merge::{Merged, ValidChange};
use crate::store::UserRecord;

/// Shows and changes elements of users.
pub struct Elements {
    /// The users service, which merges and writes changes.
    pub users: Users,
}

/// Which part of a user a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// The user as a whole.
    User,
    /// A document, wherever it belongs.
    Document(Uuid),
    /// An associated person; None: a new one.
    Person(Option<Uuid>),
    /// An entry of the identifying information of the user, or of one of its associated persons; without an id a new one.
    Entry {
        /// The associated person.
        person: Option<Uuid>,
        /// The entry.
        id: Option<Uuid>,
    },
}

impl Element {
    /// The place of the element in the change of its user.
    pub(super) const fn place(self) -> &'static str {
        match self {
            Self::User | Self::Document(_) => "",
            Self::Person(_) => "associated_persons.0",
            Self::Entry { person: None, .. } => "identifying_information.0",
            Self::Entry { person: Some(_), .. } => "associated_persons.0.identifying_information.0",
        }
    }

    /// Checks that the user has what the path of the request names.
    ///
    /// # Errors
    /// NOT_FOUND; INVALID_ARGUMENT for the associated persons of an individual.
    pub(super) fn require(self, profile: &Profile) -> Result<(), Status> {
        match self {
            Self::User => Ok(()),
            Self::Document(id) => locate(profile, id).map(drop),
            Self::Person(None) => persons(profile).map(drop),
            Self::Person(Some(id)) => person(profile, id).map(drop),
            Self::Entry { person, id: None } => entries(profile, person).map(drop),
            Self::Entry { person, id: Some(id) } => entry(profile, person, id).map(drop),
        }
    }

    /// Judges the user as the change leaves it; the problems are at the places of this request.
    ///
    /// # Errors
    /// All problems, those already `found` too.
    pub(super) fn judge(
        self,
        merged: Merged,
        now: DateTime<Utc>,
        mut found: Problems,
    ) -> Result<ValidChange, Problems> {
        if matches!(self, Self::User | Self::Document(_)) {
            return merged.judge(now, found);
        }
        match merged.judge(now, Problems::default()) {
            Ok(valid) if found.is_empty() => Ok(valid),
            Ok(_) => Err(found),
            Err(judged) => {
                found.merge(judged.relocated(|problem| Some(self.within(problem))));
                Err(found.relocated(|problem| Some(self.ordered(problem))))
            }
        }
    }

    /// The path of a problem of the user as this request has it: below the element, or that of the body for a list that is
    /// too long.
    fn within(self, Problem { path, .. }: &Problem) -> Path {
        let (place, text) = (self.place(), path.to_string());
        match text.strip_prefix(place) {
            Some(rest) if rest.is_empty() || rest.starts_with('.') => {
                Path(path.0.iter().skip(place.split('.').count()).cloned().collect())
            }
            _ if place.strip_suffix(".0") == Some(&text) => Path::default(),
            _ => path.clone(),
        }
    }

    fn ordered(self, problem: &Problem) -> Path {
        let order: fn(&mut [Step]) = match self {
            Self::User | Self::Document(_) => |_| (),
            Self::Person(_) => <v1::AssociatedPerson as SchemaOrder>::order,
            Self::Entry { .. } => <v1::Identification as SchemaOrder>::order,
        };
        let mut path = problem.path.clone();
        order(&mut path.0);
        path
    }
}

/// The associated persons of a user.
fn persons(profile: &Profile) -> Result<&[v1::AssociatedPerson], Status> {
    match profile {
        Profile::Business(user) => Ok(&user.associated_persons),
        Profile::Individual(_) => {
            let mut problems = Problems::default();
            problems.push(Path::key(0, "user_id"), "custom", "An individual has no associated persons");
            Err(error::invalid_request(problems))
        }
    }
}

fn person(profile: &Profile, id: Uuid) -> Result<&v1::AssociatedPerson, Status> {
    let found = persons(profile)?.iter().find(|person| is(&person.id, id));
    found.ok_or_else(|| error::status(ErrorReason::NotFound, format!("Associated person with ID {id} not found")))
}

/// The entries of the identifying information of a user, or of one of its associated persons.
fn entries(profile: &Profile, of: Option<Uuid>) -> Result<&[v1::Identification], Status> {
    match (of, profile) {
        (Some(id), _) => Ok(&person(profile, id)?.identifying_information),
        (None, Profile::Individual(user)) => Ok(&user.identifying_information),
        (None, Profile::Business(user)) => Ok(&user.identifying_information),
    }
}

fn entry(profile: &Profile, of: Option<Uuid>, id: Uuid) -> Result<&v1::Identification, Status> {
    let found = entries(profile, of)?.iter().find(|entry| is(&entry.id, id));
    found.ok_or_else(|| error::status(ErrorReason::NotFound, format!("Identification with ID {id} not found")))
}

/// Whether a stored identifier is this one.
fn is(stored: &str, id: Uuid) -> bool {
    Uuid::try_parse(stored) == Ok(id)
}

/// The parts of a request that changes an element.
struct Call {
    client_id: Uuid,
    user_id: Option<String>,
    operation: &'static str,
    if_match: Option<String>,
    idempotency_key: Option<String>,
    element: Element,
    /// What reading the body found.
    problems: Problems,
}

impl Elements {
    /// Makes the change that `change` says for the stored user.
    async fn change(&self, call: Call, change: impl FnOnce(&UserRecord) -> Change) -> Result<Changed, Status> {
        let Call { client_id, user_id, operation, if_match, idempotency_key, element, problems } = call;
        let row = self.users.find_row(client_id, checked_id(user_id)?).await?;
        let (change, key) = (change(&row), optional_id(idempotency_key)?);
        let if_match = if_match.filter(|condition| !condition.is_empty());
        let request = ChangeRequest::new((operation, key), if_match, element, change, problems);
        let mut changed = self.users.change(row, request).await?;
        changed.profile = shown(changed.profile, self.users.numbers);
        Ok(changed)
    }

    /// A user's profile as answers show it, and the user's version.
    async fn profile(&self, client_id: Uuid, user_id: Option<String>) -> Result<(Profile, i64), Status> {
        let id = checked_id(user_id)?;
        let (_, profile, version) = self.users.open(client_id, id).await?.ok_or_else(|| user_not_found(id))?;
        Ok((shown(profile, self.users.numbers), version))
    }
}

/// What a change of an element did to its user.
fn outcome(element: Element, changed: &Changed) -> Option<v1::ElementOutcome> {
    let place = element.place();
    let within = |path: &String| path.strip_prefix(place)?.strip_prefix('.').map(str::to_owned);
    let person_id = match element {
        Element::Entry { person, .. } => person.map(|id| id.to_string()),
        Element::Person(_) | Element::User | Element::Document(_) => None,
    };
    Some(v1::ElementOutcome {
        user_id: changed.record.id.to_string(),
        person_id,
        user_status: status(changed.record.status).into(),
        updated_fields: changed.applied.updated_fields.iter().filter_map(within).collect(),
        requires_reverification: changed.applied.requires_reverification,
        verification_triggered: changed.applied.verification_triggered,
    })
}

/// What the body of a change says of the element itself: it may repeat the id of the path, and cannot delete.
fn check_named(problems: &mut Problems, id: &mut Option<String>, path: Uuid, delete: &mut Option<bool>) {
    let given = id.replace(path.to_string()).filter(|given| !given.is_empty());
    if given.is_some_and(|given| !is(&given, path)) {
        problems.push(Path::key(Step::UNKNOWN, "id"), "custom", "Must be the same as in the path");
    }
    if delete.take() == Some(true) {
        problems.push(Path::key(Step::UNKNOWN, "_delete"), "custom", "Use the method DELETE");
    }
}
