//! What a list asks for, read from the request.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use kira_gateway::error;
use kira_gateway::problem::{Path, Problems};
use tonic::Status;
use uuid::Uuid;

use super::cursor;
use crate::contract::v1;
use crate::domain::lookup::{self, Purpose};
use crate::domain::status::{Status as UserStatus, VerificationStatus};
use crate::domain::user_type::UserType;
use crate::profile::{self, Profile, specified};
use crate::service::convert;
use crate::store::{IdRange, MOST_COUNTED, UserFilter, first_id_at};
use crate::vault::BlindIndex;
use strum::VariantArray as _;

/// How many users a list shows where the caller does not say.
const DEFAULT_LIMIT: u32 = 10;
/// How many users a search skips at most: each of them is opened.
const MOST_SKIPPED: u64 = 1_000;

/// What a list asks for.
pub(super) struct Search {
    /// What is in clear in the database.
    pub(super) filter: UserFilter,
    /// Created then or later.
    pub(super) from: Option<DateTime<Utc>>,
    /// Created before.
    pub(super) before: Option<DateTime<Utc>>,
    /// Behind this user.
    pub(super) position: Option<Uuid>,
    /// Values that the user must have.
    pub(super) values: BTreeSet<(Purpose, String)>,
    /// Words that must begin one of its names each.
    pub(super) words: Vec<String>,
    /// The idempotency key of its create.
    pub(super) key: Option<Uuid>,
    pub(super) limit: u32,
    pub(super) offset: u32,
}

impl Search {
    /// Reads a request whose rules have been checked.
    ///
    /// # Errors
    /// `INVALID_REQUEST` with all problems.
    pub(super) fn read(index: &BlindIndex, client_id: Uuid, query: &v1::ListUsersRequest) -> Result<Self, Status> {
        let mut problems = Reader::default();
        let mut values = BTreeSet::new();
        for (slot, name, purpose, text, form) in [
            (8, "email", Purpose::Email, &query.email, lookup::email as fn(&str) -> String),
            (9, "phone", Purpose::Phone, &query.phone, lookup::phone),
            (10, "external_id", Purpose::ExternalId, &query.external_id, lookup::external_id),
            (11, "number", Purpose::Number, &query.number, lookup::number),
        ] {
            values.extend(problems.value(slot, name, text, form).map(|value| (purpose, value)));
        }
        let words = problems.value(12, "q", &query.q, |text| lookup::words(text).join(" "));
        let (from, before) = problems.times(query);
        let position = problems.position(index, client_id, query);
        let is_search = !values.is_empty() || words.is_some();
        let offset = problems.offset(query, if is_search { MOST_SKIPPED } else { MOST_COUNTED });
        problems.end()?;
        Ok(Self {
            filter: filter(query),
            from,
            before,
            position,
            values,
            words: words.iter().flat_map(|words| words.split(' ')).map(str::to_owned).collect(),
            key: query.idempotency_key.as_deref().and_then(|key| Uuid::try_parse(key).ok()),
            limit: query.limit.unwrap_or(DEFAULT_LIMIT),
            offset,
        })
    }

    /// The digests that lead to the users.
    pub(super) fn digests(&self, index: &BlindIndex, client_id: Uuid) -> Vec<Uuid> {
        let values = self.values.iter().map(|(purpose, value)| (*purpose, value.clone()));
        let words = self.words.iter().filter_map(|word| lookup::lookup_of(word)).map(|value| (Purpose::Name, value));
        let entries: BTreeSet<_> = values.chain(words).collect();
        entries.iter().map(|(purpose, value)| index.digest(client_id, purpose.label(), value.as_bytes())).collect()
    }

    /// Whether a user that a digest has led to has all values and words.
    pub(super) fn matches(&self, profile: &Profile) -> bool {
        let has_values = self.values.is_empty() || profile::lookup::entries(profile).is_superset(&self.values);
        has_values && (self.words.is_empty() || lookup::has_words(&profile::lookup::words(profile), &self.words))
    }

    /// The ids of users that were created in the times that are asked for.
    pub(super) fn ids(&self) -> IdRange {
        IdRange { from: self.from.map(first_id_at), before: self.before.map(first_id_at) }
    }

    /// Of those, the ones behind a user.
    pub(super) fn ids_behind(&self, position: Option<Uuid>) -> IdRange {
        let before = [self.ids().before, position].into_iter().flatten().min();
        IdRange { before, ..self.ids() }
    }
}

/// The statuses and kinds that are asked for.
fn filter(query: &v1::ListUsersRequest) -> UserFilter {
    let status: Option<v1::UserStatus> = specified(query.status);
    let verification: Option<v1::VerificationStatus> = specified(query.verification_status);
    let kind: Option<v1::UserType> = specified(query.r#type);
    let has_status = |of: &&UserStatus| status.is_none_or(|status| convert::status(**of) == status);
    let has_verification = |of: &&UserStatus| {
        let of: VerificationStatus = of.verification_status();
        verification.is_none_or(|verification| convert::verification_status(of) == verification)
    };
    let statuses = match (status, verification) {
        (None, None) => Vec::new(),
        // Nothing is both: no user has this status.
        _ => match UserStatus::VARIANTS.iter().filter(has_status).filter(has_verification).collect::<Vec<_>>() {
            none if none.is_empty() => vec![""],
            some => some.into_iter().map(|status| status.into_str()).collect(),
        },
    };
    let kinds = kind.map(|kind| match kind {
        v1::UserType::Business => UserType::Business.into_str(),
        _ => UserType::Individual.into_str(),
    });
    UserFilter { statuses, kinds: kinds.into_iter().collect() }
}

/// The problems of a request, found one after the other.
#[derive(Default)]
struct Reader {
    problems: Problems,
}

impl Reader {
    fn note(&mut self, slot: u32, name: &'static str, code: &'static str, message: impl Into<String>) {
        self.problems.push(Path::key(slot, name), code, message.into());
    }

    /// A value in the form in which it is compared.
    fn value(
        &mut self,
        slot: u32,
        name: &'static str,
        text: &Option<String>,
        form: impl Fn(&str) -> String,
    ) -> Option<String> {
        let value = form(text.as_deref()?);
        if value.is_empty() {
            self.note(slot, name, "invalid_string", "Must contain a letter or a digit");
        }
        Some(value)
    }

    fn times(&mut self, query: &v1::ListUsersRequest) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        let time = |time: &prost_types::Timestamp| {
            DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).unwrap_or_default())
        };
        let from = query.created_after.as_ref().and_then(time);
        let before = query.created_before.as_ref().and_then(time);
        if from.zip(before).is_some_and(|(from, before)| before <= from) {
            self.note(7, "created_before", "custom", "Must be later than created_after");
        }
        (from, before)
    }

    fn position(&mut self, index: &BlindIndex, client_id: Uuid, query: &v1::ListUsersRequest) -> Option<Uuid> {
        let text = query.cursor.as_deref()?;
        let position = cursor::read(index, client_id, query, text);
        if position.is_none() {
            self.note(2, "cursor", "custom", "Must be the next_cursor of an answer to the same filters");
        }
        position
    }

    fn offset(&mut self, query: &v1::ListUsersRequest, most: u64) -> u32 {
        let offset = query.offset.unwrap_or_default();
        if offset > 0 && query.cursor.is_some() {
            self.note(1, "offset", "custom", "Must not be given together with cursor");
        } else if u64::from(offset) > most {
            self.note(1, "offset", "too_big", format!("Number must be less than or equal to {most}"));
        }
        offset
    }

    fn end(self) -> Result<(), Status> {
        if self.problems.is_empty() { Ok(()) } else { Err(error::invalid_request(self.problems)) }
    }
}
