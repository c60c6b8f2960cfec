//! An event as its client is shown it.

use kira_gateway::json::JsonEnum as _;
use serde::Deserialize;
use tonic::Status;

use crate::contract::v1;
use crate::domain::status::Status as UserStatus;
use crate::domain::verification::Reason;
use crate::service::failure::corrupt;
use crate::service::response::{status, status_reason, verification_status, whole_seconds};
use crate::store::EventRecord;

/// What is stored of an event. The status says what the deprecated `verification_status` is.
#[derive(Deserialize)]
struct Payload {
    r#type: String,
    status: String,
    previous_status: Option<String>,
    #[serde(default)]
    reasons: Vec<Reason>,
}

/// The event as clients see it.
pub(super) fn event(record: EventRecord) -> Result<v1::Event, Status> {
    let unreadable = || corrupt("a stored event");
    let payload: Payload = serde_json::from_value(record.payload).map_err(|_| unreadable())?;
    let now: UserStatus = payload.status.parse().map_err(|_| unreadable())?;
    let before = payload.previous_status.map(|text| text.parse().map_err(|_| unreadable())).transpose()?;
    let user_type = [v1::UserType::Individual, v1::UserType::Business];
    let user_type = user_type.into_iter().find(|known| known.json_name() == payload.r#type);
    let kind = v1::EventType::VALUES.iter().find(|(_, name)| *name == record.kind);
    Ok(v1::Event {
        event: kind.ok_or_else(unreadable)?.0,
        data: Some(v1::EventData {
            event_id: record.id.to_string(),
            user_id: record.user_id.to_string(),
            r#type: user_type.ok_or_else(unreadable)?.into(),
            status: status(now).into(),
            verification_status: verification_status(now.verification_status()).into(),
            previous_status: before.map(|before| status(before).into()),
            reasons: payload.reasons.into_iter().map(status_reason).collect(),
            sequence: u32::try_from(record.sequence).map_err(|_| unreadable())?,
            created_at: Some(whole_seconds(record.created_at)),
        }),
    })
}
