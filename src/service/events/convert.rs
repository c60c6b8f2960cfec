//! Conversion of events to the contract.

use kira_gateway::json::JsonEnum as _;
use tonic::Status;

use crate::contract::v1;
use crate::domain::event::EventPayload;
use crate::domain::user_type::UserType;
use crate::service::convert::{status, status_reason, verification_status, whole_seconds};
use crate::service::failure::corrupt;
use crate::store::EventRecord;

/// Converts an event.
pub(super) fn event(record: EventRecord) -> Result<v1::Event, Status> {
    let unreadable = || corrupt("a stored event");
    let payload = EventPayload::from_json(record.payload).map_err(|_| unreadable())?;
    let user_type = match payload.r#type {
        UserType::Individual => v1::UserType::Individual,
        UserType::Business => v1::UserType::Business,
    };
    let kind = v1::EventType::number_of(&record.kind);
    Ok(v1::Event {
        event: kind.ok_or_else(unreadable)?,
        data: Some(v1::EventData {
            event_id: record.id.to_string(),
            user_id: record.user_id.to_string(),
            r#type: user_type.into(),
            status: status(payload.status).into(),
            verification_status: verification_status(payload.status.verification_status()).into(),
            previous_status: payload.previous_status.map(|previous| status(previous).into()),
            reasons: payload.reasons.into_iter().map(status_reason).collect(),
            sequence: u32::try_from(record.sequence).map_err(|_| unreadable())?,
            created_at: Some(whole_seconds(record.created_at)),
        }),
    })
}
