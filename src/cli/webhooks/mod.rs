//! `webhook list|deliveries|replay|create|update|rotate|test|delete|listen|verify`.

mod arguments;
mod captured;
mod listen;
mod manage;

use std::path::Path;

use kira_gateway::json::to_vec;
use serde_json::{Value, json};

pub(super) use self::arguments::{Trial, WebhookCommand};

use self::arguments::Secret;
use self::captured::Captured;
use super::output::{say, table, time};
use super::{Failure, failure};
use crate::ambient::{Ambient as _, System};
use crate::contract::v1;
use crate::service::webhooks::WebhookDesk;
use crate::store::{DeliveryPage, EndpointRecord, Replay};
use crate::webhook::signature::EndpointSecret;

pub(super) async fn execute(command: WebhookCommand, desk: WebhookDesk) -> Result<(), Failure> {
    match command {
        WebhookCommand::List { client, format } => {
            let endpoints = desk.endpoints(client).await.map_err(failure)?;
            say(if format.json { endpoints_json(&endpoints).to_string() } else { endpoints_text(&endpoints) })?;
        }
        WebhookCommand::Deliveries { client, endpoint, status, limit, format } => {
            let state = status.map(|status| status.as_str().to_owned());
            let page = DeliveryPage { client_id: client, endpoint_id: endpoint, state, limit, offset: 0 };
            let (deliveries, total) = desk.deliveries(page).await.map_err(failure)?;
            say(if format.json {
                deliveries_json(&deliveries)?.to_string()
            } else {
                deliveries_text(&deliveries, total)
            })?;
        }
        WebhookCommand::Replay { delivery, endpoint, since, until, delivered_too } => {
            let replay = Replay {
                client_id: None,
                delivery_id: delivery,
                endpoint_id: endpoint,
                since,
                until,
                failed_only: delivery.is_none() && !delivered_too,
            };
            let replayed = desk.replay(&replay).await.map_err(failure)?;
            say(match (delivery, replayed) {
                (Some(_), 0) => "The delivery is on its way already.".to_owned(),
                (_, 1) => "1 delivery is sent again.".to_owned(),
                (_, count) => format!("{count} deliveries are sent again."),
            })?;
        }
        WebhookCommand::Manage(command) => manage::execute(command, desk).await?,
        WebhookCommand::Trial(trial) => try_out(trial).await?,
    }
    Ok(())
}

/// What needs no installation, only the secret.
pub(super) async fn try_out(trial: Trial) -> Result<(), Failure> {
    match trial {
        Trial::Listen { address, secret } => listen::listen(address, secret.read()?).await,
        Trial::Verify { file, secret } => {
            let secret = secret.read()?.ok_or("the secret is needed: --secret-file or --secret")?;
            let read = std::fs::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
            let captured = Captured::parse(&read)?;
            let verdict = captured.judge(&secret, System::default().now());
            say(&verdict)?;
            if verdict.is_good() { Ok(()) } else { Err("the request is not to be believed".into()) }
        }
    }
}

impl Secret {
    fn read(self) -> Result<Option<EndpointSecret>, Failure> {
        match (self.secret, self.secret_file) {
            (Some(secret), _) => Ok(Some(EndpointSecret::new(secret))),
            (None, Some(file)) => Ok(Some(EndpointSecret::new(read_secret(&file)?))),
            (None, None) => Ok(None),
        }
    }
}

/// The secret in a file; the line's end behind it is none of it.
fn read_secret(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(text.trim_end().to_owned())
}

fn endpoints_json(endpoints: &[EndpointRecord]) -> Value {
    let endpoint = |endpoint: &EndpointRecord| {
        json!({
            "id": endpoint.id,
            "client_id": endpoint.client_id,
            "url": endpoint.url,
            "events": endpoint.events,
            "ordered": endpoint.ordered,
            "failing_since": endpoint.failing_since.map(time),
            "disabled_at": endpoint.disabled.as_ref().map(|(at, _)| time(*at)),
            "disabled_reason": endpoint.disabled.as_ref().map(|(_, reason)| reason),
        })
    };
    endpoints.iter().map(endpoint).collect()
}

fn endpoints_text(endpoints: &[EndpointRecord]) -> String {
    if endpoints.is_empty() {
        return "No webhook endpoint is registered.".to_owned();
    }
    let mut rows = vec![["ENDPOINT ID", "CLIENT ID", "STATE", "URL"].map(str::to_owned).to_vec()];
    rows.extend(endpoints.iter().map(|endpoint| {
        let state = match (&endpoint.disabled, endpoint.failing_since) {
            (Some((_, reason)), _) => format!("disabled: {reason}"),
            (None, Some(since)) => format!("failing since {}", time(since)),
            (None, None) => "enabled".to_owned(),
        };
        vec![endpoint.id.to_string(), endpoint.client_id.to_string(), state, endpoint.url.clone()]
    }));
    table(&rows)
}

fn deliveries_json(deliveries: &[v1::WebhookDelivery]) -> Result<Value, serde_json::Error> {
    deliveries.iter().map(|delivery| serde_json::from_slice::<Value>(&to_vec(delivery))).collect()
}

fn deliveries_text(deliveries: &[v1::WebhookDelivery], total: u64) -> String {
    if deliveries.is_empty() {
        return "There is no such delivery.".to_owned();
    }
    let heads = ["DELIVERY ID", "MADE", "STATUS", "ATTEMPTS", "LAST", "EVENT", "ENDPOINT ID"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(deliveries.iter().map(|delivery| {
        let last = delivery.attempts.last().map(|attempt| match (attempt.status_code, &attempt.error) {
            (Some(status), _) => format!("{status} in {} ms", attempt.duration_ms),
            (None, error) => error.clone().unwrap_or_default(),
        });
        let made = delivery.created_at.as_ref().and_then(|at| chrono::DateTime::from_timestamp(at.seconds, 0));
        vec![
            delivery.id.clone(),
            made.map_or_else(|| "-".to_owned(), time),
            delivery.status().json_name().to_owned(),
            delivery.attempts.len().to_string(),
            last.unwrap_or_else(|| "-".to_owned()),
            delivery.event.clone(),
            delivery.endpoint_id.clone(),
        ]
    }));
    let more = total - deliveries.len() as u64;
    let rest = if more > 0 { format!("\n… and {more} more") } else { String::new() };
    format!("{}{rest}", table(&rows))
}
