//! An event as a CloudEvent 1.0 in structured mode: the same JSON at every broker.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::status::Status;
use crate::store::{DeadLetter, SinkEvent};

/// The media type of a message, where a broker has a place for it.
#[cfg(any(feature = "sink-amqp", feature = "sink-nats"))]
pub(super) const CONTENT_TYPE: &str = "application/cloudevents+json";

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The position of the event.
    pub position: i64,
    /// The event's id, by which receivers recognise a message that they have.
    pub id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user it is about: messages of one user are published in their order.
    pub user_id: Uuid,
    /// What happened.
    pub kind: String,
    /// The CloudEvent.
    pub event: Value,
}

impl Message {
    /// The message of an event.
    #[must_use]
    pub fn of_event(SinkEvent { client_id, event, trace_context }: SinkEvent) -> Self {
        // The type, the status, the previous one and the reasons.
        let mut data = event.payload;
        let status = data["status"].as_str().and_then(|text| text.parse::<Status>().ok());
        data["event_id"] = json!(event.id);
        data["user_id"] = json!(event.user_id);
        data["verification_status"] = json!(status.map(|status| status.verification_status().into_str()));
        data["sequence"] = json!(event.sequence);
        data["created_at"] = json!(event.created_at.to_rfc3339_opts(SecondsFormat::Secs, true));
        let mut cloud_event = json!({
            "specversion": "1.0",
            "id": event.id,
            "source": format!("/clients/{client_id}"),
            "type": event.kind,
            "subject": event.user_id,
            "time": event.created_at.to_rfc3339_opts(SecondsFormat::Micros, true),
            "datacontenttype": "application/json",
            "partitionkey": event.user_id,
            // Integers of CloudEvents have 32 bits, and a sequence is a text that is ordered as such.
            "sequence": format!("{:010}", event.sequence),
            "position": event.position.to_string(),
            "data": data,
        });
        if let Some(trace) = trace_context {
            cloud_event["traceparent"] = trace.into();
        }
        Self {
            position: event.position,
            id: event.id,
            client_id,
            user_id: event.user_id,
            kind: event.kind,
            event: cloud_event,
        }
    }

    /// The message of a dead letter.
    #[must_use]
    pub fn of_dead_letter(letter: DeadLetter) -> Self {
        let DeadLetter { position, event_id, client_id, user_id, kind, message, .. } = letter;
        Self { position, id: event_id, client_id, user_id, kind, event: message }
    }

    /// The dead letter of this message.
    #[must_use]
    pub fn into_dead_letter(self, reason: String, now: DateTime<Utc>) -> DeadLetter {
        let Self { position, id, client_id, user_id, kind, event } = self;
        DeadLetter {
            position,
            event_id: id,
            client_id,
            user_id,
            kind,
            message: event,
            reason,
            is_retried: false,
            refused_at: now,
        }
    }

    /// The bytes to publish.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.event.to_string().into()
    }

    /// The client and the user, as parts of a subject or a routing key: all messages of a user have the same.
    #[must_use]
    pub fn route(&self) -> String {
        format!("{}.{}", self.client_id, self.user_id)
    }
}
