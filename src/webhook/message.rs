//! What receivers are told (decisions, section 8): ids, statuses and public reasons. The client's own reference of the user
//! is the one thing that is sealed at rest, so bodies are.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ENDPOINT_DISABLED, TEST};
use crate::domain::status::Status;
use crate::store::{EndpointRecord, OutboxEvent};

/// The body of an event of a user. `external_id` is the client's own reference of the user.
#[must_use]
pub fn of_event(event: &OutboxEvent, external_id: Option<&str>) -> Vec<u8> {
    let told = |key: &str| event.payload.get(key).cloned();
    let status = told("status").unwrap_or_default();
    // The event of a create does not say it: it is derived from the status.
    let derived = || {
        let status = Status::ALL.into_iter().find(|known| status == known.as_str())?;
        Some(json!(status.verification_status().as_str()))
    };
    let mut data = json!({
        "event_id": event.id,
        "user_id": event.user_id,
        "type": told("type"),
        "status": status.clone(),
        "verification_status": told("verification_status").or_else(derived),
        "sequence": event.sequence,
        "created_at": stamp(event.created_at),
    });
    let optional = [
        ("external_id", external_id.map(Value::from)),
        ("previous_status", told("previous_status")),
        ("reasons", told("reasons")),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            data[key] = value;
        }
    }
    body(&event.kind, &data)
}

/// The body of a test.
#[must_use]
pub fn of_test(event_id: Uuid, endpoint_id: Uuid, now: DateTime<Utc>) -> Vec<u8> {
    body(TEST, &json!({"event_id": event_id, "endpoint_id": endpoint_id, "created_at": stamp(now)}))
}

/// The body that tells of an endpoint that is disabled.
#[must_use]
pub fn of_disabled(event_id: Uuid, endpoint: &EndpointRecord, now: DateTime<Utc>) -> Vec<u8> {
    let reason = endpoint.disabled.as_ref().map(|(_, reason)| reason);
    let data = json!({"event_id": event_id, "endpoint_id": endpoint.id, "reason": reason, "created_at": stamp(now)});
    body(ENDPOINT_DISABLED, &data)
}

fn body(kind: &str, data: &Value) -> Vec<u8> {
    json!({"event": kind, "data": data}).to_string().into_bytes()
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
