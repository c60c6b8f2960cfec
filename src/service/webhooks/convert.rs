//! Conversion of endpoints and deliveries to the contract.

use chrono::{DateTime, Utc};
use kira_gateway::json::JsonEnum;
use tonic::Status;

use crate::contract::v1;
use crate::service::convert::whole_seconds;
use crate::service::failure::{corrupt, of_vault};
use crate::store::{
    AttemptReport, DeliveryRecord, DeliveryState, DisabledReason, EndpointRecord, ReplayRecord, ReplayState,
};
use crate::vault::Vault;
use crate::webhook::sealing;

/// The number of a stored name of the enum `E`; `what` is the column, for the log.
fn number<E: JsonEnum>(name: &str, what: &'static str) -> Result<i32, Status> {
    E::number_of(name).ok_or_else(|| corrupt(what))
}

/// `pending` is the number of deliveries that wait for it.
pub(super) fn endpoint(
    vault: &Vault,
    record: &EndpointRecord,
    pending: u32,
    now: DateTime<Utc>,
) -> Result<v1::WebhookEndpoint, Status> {
    let types = record.events.iter().filter_map(|name| v1::EventType::number_of(name)).collect();
    let reason = record.disabled.map(|(_, reason)| match reason {
        DisabledReason::ByOwner => v1::WebhookDisabledReason::ByOwner,
        DisabledReason::Failing => v1::WebhookDisabledReason::Failing,
        DisabledReason::Gone => v1::WebhookDisabledReason::Gone,
    });
    let still = |until: &DateTime<Utc>| *until > now;
    let url = sealing::open_url(vault, record).map_err(of_vault)?;
    Ok(v1::WebhookEndpoint {
        id: record.id.to_string(),
        url: url.to_string(),
        events: Some(v1::WebhookEventFilter { types }),
        ordered: record.ordered,
        enabled: record.disabled.is_none(),
        disabled_reason: reason.map(Into::into),
        disabled_at: record.disabled.as_ref().map(|(at, _)| whole_seconds(*at)),
        failing_since: record.failing_since.map(whole_seconds),
        paused_until: record.paused_until.filter(still).map(whole_seconds),
        previous_secret_until: record.previous.as_ref().map(|(_, until)| *until).filter(still).map(whole_seconds),
        created_at: Some(whole_seconds(record.created_at)),
        updated_at: Some(whole_seconds(record.updated_at)),
        failures: record.failures,
        pending_deliveries: pending,
    })
}

pub(super) fn delivery(vault: &Vault, record: DeliveryRecord) -> Result<v1::WebhookDelivery, Status> {
    let status = match record.state {
        DeliveryState::Pending => v1::WebhookDeliveryStatus::Pending,
        DeliveryState::Delivered => v1::WebhookDeliveryStatus::Delivered,
        DeliveryState::Dead => v1::WebhookDeliveryStatus::Failed,
    };
    let attempt = |report: AttemptReport| -> Result<v1::WebhookAttempt, Status> {
        let answer = report.sealed_answer.map(|sealed| sealing::open_answer(vault, record.id, &sealed));
        let error =
            report.error.map(|error| number::<v1::WebhookAttemptError>(&error, "the stored error of an attempt"));
        Ok(v1::WebhookAttempt {
            number: report.number,
            started_at: Some(whole_seconds(report.started_at)),
            duration_ms: u32::try_from(report.duration.num_milliseconds()).unwrap_or(u32::MAX),
            status_code: report.status_code.map(u32::from),
            error: error.transpose()?,
            answer: answer.transpose().map_err(of_vault)?,
        })
    };
    Ok(v1::WebhookDelivery {
        id: record.id.to_string(),
        endpoint_id: record.endpoint_id.to_string(),
        event_id: record.event_id.to_string(),
        event: number::<v1::EventType>(&record.kind, "the stored type of an event")?,
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

pub(super) fn replay(record: &ReplayRecord) -> v1::WebhookReplay {
    let status = match record.state {
        ReplayState::Running => v1::WebhookReplayStatus::Running,
        ReplayState::Done => v1::WebhookReplayStatus::Done,
        ReplayState::Cancelled => v1::WebhookReplayStatus::Cancelled,
    };
    v1::WebhookReplay {
        id: record.id.to_string(),
        endpoint_id: record.endpoint_id.to_string(),
        status: status.into(),
        since: record.since.map(whole_seconds),
        until: Some(whole_seconds(record.until)),
        delivered_too: record.delivered_too,
        replayed: u32::try_from(record.replayed).unwrap_or(u32::MAX),
        created_at: Some(whole_seconds(record.created_at)),
        finished_at: record.finished_at.map(whole_seconds),
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;
    use crate::domain::event::EventKind;

    #[test]
    fn the_contract_and_the_domain_have_the_same_kinds_of_event() {
        let contract: Vec<_> = v1::EventType::VALUES.iter().map(|(_, name)| *name).collect();
        let domain: Vec<_> = EventKind::VARIANTS.iter().map(|kind| kind.into_str()).collect();
        assert_eq!(contract, domain);
    }
}
