//! What an embedded service says when it starts for the first time: a client to try it with, and the first call.

use std::io::Write;

use super::Running;
use super::open::AppError;
use crate::auth::{ClientAdmin, Credentials, Role, StoreDirectory};
use crate::config::{Config, IpRange};

/// The name of the client that an embedded service makes for the first try.
const DEMO_CLIENT: &str = "demo";

/// Tells where the service listens; at the first embedded start, makes a demo client and shows how to use it.
pub(super) async fn show(config: &Config, running: &Running) -> Result<(), AppError> {
    let Running { http_addr, grpc_addr, admin_addr, opened, .. } = running;
    tracing::info!(rest = %http_addr, grpc = %grpc_addr, admin = %admin_addr, "ready");
    if !config.is_embedded() {
        return Ok(());
    }
    let directory = StoreDirectory::new(opened.store.clone(), opened.vault.clone());
    let clients = ClientAdmin::open(opened.store.clone(), &directory, opened.ambient.clone()).await;
    let clients = clients.map_err(AppError::start)?;
    if !clients.list().await.map_err(AppError::start)?.is_empty() {
        return Ok(());
    }
    let credentials = clients.create(DEMO_CLIENT, Role::Client).await.map_err(AppError::start)?;
    let text = text(config, running, &credentials);
    let mut out = std::io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    printed.map_err(|source| AppError::DemoClientNotShown { client_id: credentials.client_id, source })
}

fn text(config: &Config, running: &Running, credentials: &Credentials) -> String {
    let Running { http_addr, grpc_addr, admin_addr, opened, .. } = running;
    let Credentials { client_id, password, api_key } = credentials;
    let idempotency_key = opened.ambient.new_id();
    let data_dir = config.data_dir.display();
    let webhooks = webhooks(&config.webhook.allow);
    format!(
        r#"
  kira-users is ready.

    REST   http://{http_addr}      gRPC   {grpc_addr}      health  http://{admin_addr}/readyz
    data   {data_dir} (SQLite; personal data is sealed under {data_dir}/master.keys: back that file up){webhooks}

  A demo client was made. Its credentials are shown this once:

    client_id  {client_id}
    password   {password}
    api_key    {api_key}

  Copy this to authenticate and create a user; run it again and the same user is replayed (200 instead of 201):

TOKEN=$(curl -s http://{http_addr}/auth -H 'x-api-key: {api_key}' -H 'content-type: application/json' \
  -d '{{"client_id":"{client_id}","password":"{password}"}}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -si http://{http_addr}/v1/users -H "authorization: Bearer $TOKEN" -H 'x-api-key: {api_key}' \
  -H 'content-type: application/json' -H 'idempotency-key: {idempotency_key}' \
  -d '{{"type":"individual","email":"john@example.com","first_name":"John","last_name":"Doe","address_country":"USA"}}'

"#
    )
}

/// Where webhooks may go beyond the public internet.
fn webhooks(allow: &[IpRange]) -> String {
    if allow.is_empty() {
        return String::new();
    }
    let ranges: Vec<_> = allow.iter().map(ToString::to_string).collect();
    format!("\n    hooks  may also go to {}, without TLS (KIRA_WEBHOOK_ALLOW=none forbids it)", ranges.join(" and "))
}
