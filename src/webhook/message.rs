//! The bodies of webhooks (decisions, section 8): ids, statuses and public reasons. The client's own reference of the user
//! is personal data, so bodies are sealed at rest.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::event::EventKind;
use crate::domain::status::Status;
use crate::store::{EndpointRecord, RelayedEvent};

/// A body, in the order in which it is documented.
#[derive(Serialize)]
struct Message<'a, D> {
    event: &'a str,
    data: D,
}

#[derive(Serialize)]
struct EventData<'a> {
    event_id: Uuid,
    user_id: Uuid,
    r#type: Option<&'a Value>,
    status: Option<&'a Value>,
    verification_status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_status: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<&'a Value>,
    sequence: i64,
    created_at: String,
}

/// The data of an event about an endpoint.
#[derive(Serialize)]
struct EndpointData {
    event_id: Uuid,
    endpoint_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    created_at: String,
}

/// The body of an event of a user. `external_id` is the client's own reference of the user.
#[must_use]
pub fn of_event(event: &RelayedEvent, external_id: Option<&str>) -> Vec<u8> {
    let payload = |key: &str| event.payload.get(key);
    let status = payload("status");
    let known = status.and_then(Value::as_str).and_then(|text| text.parse::<Status>().ok());
    let data = EventData {
        event_id: event.id,
        user_id: event.user_id,
        r#type: payload("type"),
        status,
        verification_status: known.map(|status| status.verification_status().into_str()),
        external_id,
        previous_status: payload("previous_status"),
        reasons: payload("reasons"),
        sequence: event.sequence,
        created_at: stamp(event.created_at),
    };
    body(&event.kind, data)
}

/// The body of a test.
#[must_use]
pub fn of_test(event_id: Uuid, endpoint_id: Uuid, now: DateTime<Utc>) -> Vec<u8> {
    body(
        EventKind::WebhookTest.into_str(),
        EndpointData { event_id, endpoint_id, reason: None, created_at: stamp(now) },
    )
}

/// The body for an endpoint that was disabled.
#[must_use]
pub fn of_disabled(event_id: Uuid, endpoint: &EndpointRecord, now: DateTime<Utc>) -> Vec<u8> {
    let reason = endpoint.disabled.as_ref().map(|(_, reason)| reason.code());
    let data = EndpointData { event_id, endpoint_id: endpoint.id, reason, created_at: stamp(now) };
    body(EventKind::EndpointDisabled.into_str(), data)
}

fn body(event: &str, data: impl Serialize) -> Vec<u8> {
    // Serialisation fails only for maps with keys that are not texts, and for writers that fail.
    serde_json::to_vec(&Message { event, data }).expect("ids, numbers and texts are JSON")
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
