//! `webhook list|deliveries|replay|create|update|rotate|test|delete|listen|verify`.

mod arguments;
mod captured;
mod listen;
mod manage;

use std::path::Path;

use kira_gateway::json::to_vec;
use serde_json::{Value, json};
use url::Url;

pub(super) use self::arguments::{LocalCommand, WebhookCommand};

use self::arguments::Secret;
use self::captured::Captured;
use super::output::{print_line, table, time};
use super::{Failure, failure};
use crate::contract::{rules, v1};
use crate::env::{Env as _, SystemEnv};
use crate::service::webhooks::WebhookAdmin;
use crate::store::{DeliveryPage, EndpointRecord, Replay};
use crate::webhook::signature::EndpointSecret;

pub(super) async fn execute(command: WebhookCommand, admin: WebhookAdmin) -> Result<(), Failure> {
    match command {
        WebhookCommand::List { client, format } => {
            let endpoints = admin.endpoints(client).await.map_err(failure)?;
            let listed = endpoints.into_iter().map(|endpoint| {
                let shown = admin.shown(&endpoint, 0).map_err(failure)?;
                Ok((endpoint, origin(&shown.url)))
            });
            let listed = listed.collect::<Result<Vec<_>, Failure>>()?;
            print_line(if format.json { endpoints_json(&listed).to_string() } else { endpoints_text(&listed) })?;
        }
        WebhookCommand::Deliveries { client, endpoint, status, limit, format } => {
            let state = status.map(|status| status.state());
            let page = DeliveryPage { client_id: client, endpoint_id: endpoint, state, limit, offset: 0, behind: None };
            let (deliveries, total) = admin.deliveries(page).await.map_err(failure)?;
            print_line(if format.json {
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
            let replayed = admin.replay(&replay).await.map_err(failure)?;
            print_line(match (delivery, replayed) {
                (Some(_), 0) => "The delivery is already queued.".to_owned(),
                (_, 1) => "1 delivery is queued again.".to_owned(),
                (_, count) => format!("{count} deliveries are queued again."),
            })?;
        }
        WebhookCommand::Manage(command) => manage::execute(command, admin).await?,
        WebhookCommand::Local(command) => execute_local(command).await?,
    }
    Ok(())
}

/// Commands that need only the secret.
pub(super) async fn execute_local(command: LocalCommand) -> Result<(), Failure> {
    match command {
        LocalCommand::Listen { address, secret } => listen::listen(address, secret.read()?).await,
        LocalCommand::Verify { file, secret } => {
            let secret = secret.read()?.ok_or("the secret is needed: --secret-file or --secret")?;
            let read = std::fs::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
            let captured = Captured::parse(&read)?;
            let verdict = captured.judge(&secret, SystemEnv::default().now());
            print_line(&verdict)?;
            if verdict.is_good() { Ok(()) } else { Err("the signatures are not valid".into()) }
        }
    }
}

impl Secret {
    fn read(self) -> Result<Option<EndpointSecret>, Failure> {
        match (self.secret, self.secret_file) {
            (Some(secret), _) => usable(secret).map(Some),
            (None, Some(file)) => usable(read_secret(&file)?).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// Checks a secret by the rule of the API.
fn usable(secret: String) -> Result<EndpointSecret, Failure> {
    if secret.is_empty() {
        return Err("the secret must not be empty".into());
    }
    if !rules::webhook_secret(&secret) {
        return Err("a secret that begins with whsec_ must continue with the base64 of 24 to 64 bytes".into());
    }
    Ok(EndpointSecret::new(secret))
}

/// Reads a secret from a file, without the line break at its end.
fn read_secret(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(text.trim_end().to_owned())
}

/// The origin of a URL, for operators. Path and query belong to the client and often have a token.
fn origin(url: &str) -> String {
    match Url::parse(url) {
        Ok(url) if url.path() == "/" && url.query().is_none() => url.origin().ascii_serialization(),
        Ok(url) => format!("{}/…", url.origin().ascii_serialization()),
        Err(_) => "…".to_owned(),
    }
}

fn endpoints_json(endpoints: &[(EndpointRecord, String)]) -> Value {
    let endpoint = |(endpoint, url): &(EndpointRecord, String)| {
        json!({
            "id": endpoint.id,
            "client_id": endpoint.client_id,
            "url": url,
            "events": endpoint.events,
            "ordered": endpoint.ordered,
            "failing_since": endpoint.failing_since.map(time),
            "disabled_at": endpoint.disabled.as_ref().map(|(at, _)| time(*at)),
            "disabled_reason": endpoint.disabled.as_ref().map(|(_, reason)| reason.code()),
        })
    };
    endpoints.iter().map(endpoint).collect()
}

fn endpoints_text(endpoints: &[(EndpointRecord, String)]) -> String {
    if endpoints.is_empty() {
        return "No webhook endpoint is registered.".to_owned();
    }
    let mut rows = vec![["ENDPOINT ID", "CLIENT ID", "STATE", "URL"].map(str::to_owned).to_vec()];
    rows.extend(endpoints.iter().map(|(endpoint, url)| {
        let state = match (&endpoint.disabled, endpoint.failing_since) {
            (Some((_, reason)), _) => format!("disabled: {}", reason.code()),
            (None, Some(since)) => format!("failing since {}", time(since)),
            (None, None) => "enabled".to_owned(),
        };
        vec![endpoint.id.to_string(), endpoint.client_id.to_string(), state, url.clone()]
    }));
    table(&rows)
}

fn deliveries_json(deliveries: &[v1::WebhookDelivery]) -> Result<Value, serde_json::Error> {
    deliveries.iter().map(|delivery| serde_json::from_slice::<Value>(&to_vec(delivery))).collect()
}

fn deliveries_text(deliveries: &[v1::WebhookDelivery], total: u64) -> String {
    if deliveries.is_empty() {
        return "No delivery matches.".to_owned();
    }
    let heads = ["DELIVERY ID", "MADE", "STATUS", "ATTEMPTS", "LAST", "EVENT", "ENDPOINT ID"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(deliveries.iter().map(|delivery| {
        let last = delivery.attempts.last().map(|attempt| match attempt.status_code {
            Some(status) => format!("{status} in {} ms", attempt.duration_ms),
            None => attempt.error().json_name().to_owned(),
        });
        let made = delivery.created_at.as_ref().and_then(|at| chrono::DateTime::from_timestamp(at.seconds, 0));
        vec![
            delivery.id.clone(),
            made.map_or_else(|| "-".to_owned(), time),
            delivery.status().json_name().to_owned(),
            delivery.attempts.len().to_string(),
            last.unwrap_or_else(|| "-".to_owned()),
            delivery.event().json_name().to_owned(),
            delivery.endpoint_id.clone(),
        ]
    }));
    let more = total - deliveries.len() as u64;
    let rest = if more > 0 { format!("\n… and {more} more") } else { String::new() };
    format!("{}{rest}", table(&rows))
}
