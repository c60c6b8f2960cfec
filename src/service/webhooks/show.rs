//! Endpoints and deliveries as their client is shown them.

use chrono::{DateTime, Utc};
use tonic::Status;

use crate::contract::v1;
use crate::service::failure::{corrupt, of_vault};
use crate::service::response::whole_seconds;
use crate::store::{AttemptReport, DEAD, DELIVERED, DeliveryRecord, EndpointRecord, PENDING};
use crate::vault::Vault;
use crate::webhook::sealing;

/// Every kind of event.
const KINDS: [v1::WebhookEventType; 7] = [
    v1::WebhookEventType::UserCreated,
    v1::WebhookEventType::UserUpdated,
    v1::WebhookEventType::UserStatusChanged,
    v1::WebhookEventType::UserVerificationAccepted,
    v1::WebhookEventType::UserVerificationFailed,
    v1::WebhookEventType::WebhookEndpointDisabled,
    v1::WebhookEventType::WebhookTest,
];

pub(super) fn endpoint(record: &EndpointRecord, now: DateTime<Utc>) -> v1::WebhookEndpoint {
    let kind = |text: &String| KINDS.into_iter().find(|kind| kind.json_name() == text);
    let types = record.events.iter().filter_map(kind).map(Into::into).collect();
    let still = |until: &DateTime<Utc>| *until > now;
    v1::WebhookEndpoint {
        id: record.id.to_string(),
        url: record.url.clone(),
        events: Some(v1::WebhookEventFilter { types }),
        ordered: record.ordered,
        enabled: record.disabled.is_none(),
        disabled_reason: record.disabled.as_ref().map(|(_, reason)| reason.clone()),
        disabled_at: record.disabled.as_ref().map(|(at, _)| whole_seconds(*at)),
        failing_since: record.failing_since.map(whole_seconds),
        paused_until: record.paused_until.filter(still).map(whole_seconds),
        previous_secret_until: record.previous.as_ref().map(|(_, until)| *until).filter(still).map(whole_seconds),
        created_at: Some(whole_seconds(record.created_at)),
        updated_at: Some(whole_seconds(record.updated_at)),
    }
}

pub(super) fn delivery(vault: &Vault, record: DeliveryRecord) -> Result<v1::WebhookDelivery, Status> {
    let status = match record.state.as_str() {
        PENDING => v1::WebhookDeliveryStatus::Pending,
        DELIVERED => v1::WebhookDeliveryStatus::Delivered,
        DEAD => v1::WebhookDeliveryStatus::Failed,
        _ => return Err(corrupt("the stored state of a delivery")),
    };
    let attempt = |report: AttemptReport| -> Result<v1::WebhookAttempt, Status> {
        let answer = report.sealed_answer.map(|sealed| sealing::open_answer(vault, record.id, &sealed));
        Ok(v1::WebhookAttempt {
            number: report.number,
            started_at: Some(whole_seconds(report.started_at)),
            duration_ms: u32::try_from(report.duration.num_milliseconds()).unwrap_or(u32::MAX),
            status_code: report.status_code.map(u32::from),
            error: report.error,
            answer: answer.transpose().map_err(of_vault)?,
        })
    };
    Ok(v1::WebhookDelivery {
        id: record.id.to_string(),
        endpoint_id: record.endpoint_id.to_string(),
        event_id: record.event_id.to_string(),
        event: record.kind,
        user_id: record.user_id.map(|id| id.to_string()),
        sequence: record
            .user_id
            .map(|_| u32::try_from(record.sequence))
            .transpose()
            .map_err(|_| corrupt("a stored sequence"))?,
        status: status.into(),
        created_at: Some(whole_seconds(record.created_at)),
        delivered_at: record.delivered_at.map(whole_seconds),
        next_attempt_at: (status == v1::WebhookDeliveryStatus::Pending).then(|| whole_seconds(record.next_at)),
        attempts: record.attempts.into_iter().map(attempt).collect::<Result<_, _>>()?,
    })
}
