//! The events that clients are notified of, by webhook and in the event feed (decisions, section 8).

#![allow(missing_docs, reason = "strum derives `into_str` without documentation")]

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::status::Status;
use super::user_type::UserType;
use super::verification::{Reason, Stimulus, Transition};

/// The message of a reviewer's reason in events: the text that the reviewer wrote is for the client that owns the user,
/// not for every receiver.
const REVIEWER_DECIDED: &str = "A reviewer has decided; the user's status_reasons say why";

/// Every kind of event. The texts are those of the contract and of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(const_into_str)]
pub enum EventKind {
    /// A user was created.
    #[strum(serialize = "user.created")]
    UserCreated,
    /// A user's data changed.
    #[strum(serialize = "user.updated")]
    UserUpdated,
    /// A user's status changed.
    #[strum(serialize = "user.status_changed")]
    UserStatusChanged,
    /// A user became VERIFIED.
    #[strum(serialize = "user.verification.accepted")]
    VerificationAccepted,
    /// A user became REJECTED.
    #[strum(serialize = "user.verification.failed")]
    VerificationFailed,
    /// A user was erased.
    #[strum(serialize = "user.erased")]
    UserErased,
    /// A webhook endpoint of the client was disabled. Sent to its other endpoints.
    #[strum(serialize = "webhook.endpoint.disabled")]
    EndpointDisabled,
    /// A client tests one of its webhook endpoints.
    #[strum(serialize = "webhook.test")]
    WebhookTest,
}

/// The stored payload of an event of a user. It holds no personal data. `verification_status` is not in it: it follows
/// from the status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPayload {
    /// The type of the user.
    pub r#type: UserType,
    /// The status after the event.
    pub status: Status,
    /// The status before the event, where the event changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_status: Option<Status>,
    /// Why the status is as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
}

impl EventPayload {
    /// The payload of an event that changed no status.
    #[must_use]
    pub const fn new(user_type: UserType, status: Status) -> Self {
        Self { r#type: user_type, status, previous_status: None, reasons: Vec::new() }
    }

    /// The payload of the events of a transition. `previous` is the user's status before it.
    #[must_use]
    pub fn of_transition(user_type: UserType, previous: Status, stimulus: Stimulus<'_>, next: &Transition) -> Self {
        let mut reasons = stimulus.reasons().unwrap_or_default();
        if matches!(stimulus, Stimulus::Reviewed(_)) {
            reasons.iter_mut().for_each(|reason| reason.message = REVIEWER_DECIDED.to_owned());
        }
        Self { previous_status: Some(previous), reasons, ..Self::new(user_type, next.status) }
    }

    /// The payload as the database stores it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!(self)
    }

    /// Reads a stored payload.
    ///
    /// # Errors
    /// The payload is not one that this version wrote.
    pub fn from_json(stored: Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verification::{Assurance, AttemptState, Outcome};

    #[test]
    fn every_kind_is_read_back_from_its_text() {
        for kind in EventKind::VARIANTS {
            assert_eq!(kind.to_string().parse(), Ok(*kind));
        }
        assert!("user.deleted".parse::<EventKind>().is_err());
    }

    #[test]
    fn a_payload_without_a_change_of_the_status_has_no_empty_members() {
        let payload = EventPayload::new(UserType::Business, Status::Created);
        assert_eq!(payload.to_json(), json!({"type": "business", "status": "CREATED"}));
        assert_eq!(EventPayload::from_json(payload.to_json()).expect("a payload"), payload);
    }

    #[test]
    fn a_reviewers_own_words_are_in_no_event() {
        let outcome = Outcome::rejected(Assurance::ManualReview, Reason::new("fraud", "I know this man"));
        let next = Transition { status: Status::Rejected, attempt: AttemptState::Rejected, events: &[] };
        let payload = |stimulus| EventPayload::of_transition(UserType::Individual, Status::Review, stimulus, &next);
        let expected = [Reason::new("fraud", REVIEWER_DECIDED)];
        assert_eq!(payload(Stimulus::Reviewed(&outcome)).reasons, expected);
        assert_eq!(payload(Stimulus::Decided(&outcome)).reasons, outcome.reasons);
    }
}
