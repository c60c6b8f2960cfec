//! `webhook create|update|rotate|test|delete`: the calls of the API, made for a client by an operator.

use std::sync::Arc;

use kira_gateway::error::{self, ErrorReason};
use kira_gateway::json::to_vec;
use kira_gateway::{Checked, Clock};
use serde_json::Value;
use tonic::Request;
use uuid::Uuid;

use super::super::clients::unknown;
use super::super::output::{print_line, time};
use super::arguments::{Manage, OwnSecret};
use super::{Failure, failure, read_secret};
use crate::auth::{Caller, Role};
use crate::contract::v1;
use crate::contract::v1::webhooks_service_server::WebhooksService as _;
use crate::service::webhooks::{WebhookAdmin, Webhooks};

pub(super) async fn execute(command: Manage, admin: WebhookAdmin) -> Result<(), Failure> {
    match command {
        Manage::Create { owner, url, secret, events, ordered, format } => {
            let calls = Calls::of(admin, owner.client).await?;
            let given = secret.read()?;
            let is_made = given.is_none();
            let request = v1::CreateWebhookEndpointRequest {
                url: Some(url),
                secret: given,
                events: Some(v1::WebhookEventFilter { types: events }),
                ordered: Some(ordered),
                enabled: None,
                idempotency_key: None,
            };
            let answer = calls.service.create_webhook_endpoint(calls.request(request)).await.map_err(failure)?;
            let answer = answer.into_inner();
            let secret = is_made.then_some(answer.secret.as_str());
            print_line(if format.json {
                with_secret(&to_vec(&answer), secret)?
            } else {
                format!("The endpoint is made.\n\n{}", text(answer.endpoint.as_ref(), secret))
            })?;
        }
        Manage::Update { id, owner, url, events, all_events, ordered, enable, disable, format } => {
            let calls = Calls::of(admin, owner.client).await?;
            let request = v1::UpdateWebhookEndpointRequest {
                endpoint_id: Some(id.to_string()),
                url,
                events: (all_events || !events.is_empty()).then_some(v1::WebhookEventFilter { types: events }),
                ordered,
                enabled: (enable || disable).then_some(enable),
                idempotency_key: None,
            };
            let answer = calls.service.update_webhook_endpoint(calls.request(request)).await.map_err(failure)?;
            let endpoint = answer.into_inner().endpoint;
            print_line(match &endpoint {
                Some(endpoint) if format.json => String::from_utf8(to_vec(endpoint))?,
                _ => format!("The endpoint is changed.\n\n{}", text(endpoint.as_ref(), None)),
            })?;
        }
        Manage::Rotate { id, owner, secret, overlap, format } => {
            let calls = Calls::of(admin, owner.client).await?;
            let given = secret.read()?;
            let is_made = given.is_none();
            let request = v1::RotateWebhookSecretRequest {
                endpoint_id: Some(id.to_string()),
                secret: given,
                overlap_seconds: Some(u32::try_from(overlap.as_secs()).unwrap_or(u32::MAX)),
                idempotency_key: None,
            };
            let answer = calls.service.rotate_webhook_secret(calls.request(request)).await.map_err(failure)?;
            let answer = answer.into_inner();
            let secret = is_made.then_some(answer.secret.as_str());
            print_line(if format.json {
                with_secret(&to_vec(&answer), secret)?
            } else {
                format!("The endpoint has another secret.\n\n{}", text(answer.endpoint.as_ref(), secret))
            })?;
        }
        Manage::Test { id, owner, format } => {
            let calls = Calls::of(admin, owner.client).await?;
            let request = v1::SendTestWebhookRequest { endpoint_id: Some(id.to_string()), idempotency_key: None };
            let answer = calls.service.send_test_webhook(calls.request(request)).await.map_err(failure)?.into_inner();
            print_line(if format.json {
                String::from_utf8(to_vec(&answer))?
            } else {
                format!(
                    "The test is queued as the delivery {}.\n`kira-users webhook deliveries --endpoint {id}` shows \
                     its result.",
                    answer.delivery_id
                )
            })?;
        }
        Manage::Delete { id, owner } => {
            let calls = Calls::of(admin, owner.client).await?;
            let request = v1::DeleteWebhookEndpointRequest { endpoint_id: Some(id.to_string()), idempotency_key: None };
            calls.service.delete_webhook_endpoint(calls.request(request)).await.map_err(failure)?;
            print_line(format_args!("The endpoint {id} is deleted."))?;
        }
    }
    Ok(())
}

/// The service as a client calls it, with the validation of the contract: the API and this command reject the same, with
/// the same texts.
struct Calls {
    service: Checked<Webhooks>,
    caller: Caller,
}

impl Calls {
    async fn of(admin: WebhookAdmin, client_id: Uuid) -> Result<Self, Failure> {
        let client = admin.store.find_client(client_id).await?.ok_or_else(|| unknown(client_id))?;
        let role: Role = client.role.parse()?;
        if !role.may("webhooks:write") {
            return Err(failure(error::with_reason(ErrorReason::Forbidden)));
        }
        let env = Arc::clone(&admin.env);
        let clock: Clock = Arc::new(move || env.now());
        Ok(Self { service: Checked::new(Webhooks { admin }, clock), caller: Caller { client_id, role } })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.extensions_mut().insert(self.caller);
        request
    }
}

impl OwnSecret {
    fn read(self) -> Result<Option<String>, Failure> {
        self.secret_file.map(|file| read_secret(&file)).transpose()
    }
}

/// The response of the API; a secret that the operator gave is not repeated.
fn with_secret(answer: &[u8], secret: Option<&str>) -> Result<String, serde_json::Error> {
    let mut answer: Value = serde_json::from_slice(answer)?;
    if let (Value::Object(members), None) = (&mut answer, secret) {
        members.remove("secret");
    }
    Ok(answer.to_string())
}

fn text(endpoint: Option<&v1::WebhookEndpoint>, secret: Option<&str>) -> String {
    let Some(endpoint) = endpoint else { return String::new() };
    let types: Vec<&str> =
        endpoint.events.iter().flat_map(v1::WebhookEventFilter::types).map(|kind| kind.json_name()).collect();
    let events = if types.is_empty() { "all".to_owned() } else { types.join(", ") };
    let state = match &endpoint.disabled_reason {
        Some(_) if !endpoint.enabled => format!("disabled: {}", endpoint.disabled_reason().json_name()),
        _ if endpoint.enabled => "enabled".to_owned(),
        _ => "disabled".to_owned(),
    };
    let order = if endpoint.ordered { "events of a user one at a time" } else { "any" };
    let mut text = format!(
        "  endpoint_id  {}\n  url          {}\n  events       {events}\n  order        {order}\n  state        {state}",
        endpoint.id, endpoint.url
    );
    let until = endpoint.previous_secret_until.as_ref().and_then(|at| chrono::DateTime::from_timestamp(at.seconds, 0));
    if let Some(until) = until {
        text.push_str(&format!("\n\nThe previous secret remains valid until {}.", time(until)));
    }
    if let Some(secret) = secret {
        text.push_str(&format!(
            "\n\n  secret       {secret}\n\nKeep it now: it is shown this once and cannot be read again."
        ));
    }
    text
}
