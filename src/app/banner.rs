//! What an embedded service says when it starts for the first time: a client to try it with, and the first call.

use std::io::Write;

use super::Running;
use super::open::AppError;
use crate::auth::{ClientAdmin, Credentials, Role, StoreDirectory};
use crate::config::{Config, IpRange, TlsConfig};

/// The name of the client that an embedded service makes for the first try.
const DEMO_CLIENT: &str = "demo";

/// Tells where the service listens; at the first embedded start, makes a demo client and shows how to use it.
pub(super) async fn show(config: &Config, running: &Running) -> Result<(), AppError> {
    let Running { http_addr, grpc_addr, admin_addr, opened, .. } = running;
    let (rest_tls, grpc_tls) = (spoken(&config.server.http_tls), spoken(&config.server.grpc_tls));
    tracing::info!(rest = %http_addr, rest_tls, grpc = %grpc_addr, grpc_tls, admin = %admin_addr, "ready");
    if !config.is_embedded() || !config.demo_client {
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
    let tls = &config.server.http_tls;
    let (scheme, trust) = (if tls.is_some() { "https" } else { "http" }, trust(tls));
    let grpc_tls = match spoken(&config.server.grpc_tls) {
        "off" => "",
        "mutual" => " (mutual TLS)",
        _ => " (TLS)",
    };
    format!(
        r#"
  kira-users is ready.

    REST   {scheme}://{http_addr}      gRPC   {grpc_addr}{grpc_tls}      health  http://{admin_addr}/readyz
    data   {data_dir} (SQLite; personal data is sealed under {data_dir}/master.keys: back that file up){webhooks}

  A demo client was made. Its credentials are shown this once:

    client_id  {client_id}
    password   {password}
    api_key    {api_key}

  Copy this to authenticate and create a user; run it again and the same user is replayed (200 instead of 201):

TOKEN=$(curl -s{trust} {scheme}://{http_addr}/auth -H 'x-api-key: {api_key}' -H 'content-type: application/json' \
  -d '{{"client_id":"{client_id}","password":"{password}"}}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -si{trust} {scheme}://{http_addr}/v1/users -H "authorization: Bearer $TOKEN" -H 'x-api-key: {api_key}' \
  -H 'content-type: application/json' -H 'idempotency-key: {idempotency_key}' \
  -d '{{"type":"individual","email":"john@example.com","first_name":"John","last_name":"Doe","address_country":"USA"}}'

"#
    )
}

/// Whether a door has TLS, and whether clients must show certificates.
fn spoken(tls: &Option<TlsConfig>) -> &'static str {
    match tls {
        None => "off",
        Some(TlsConfig { client_ca: None, .. }) => "server",
        Some(TlsConfig { client_ca: Some(_), .. }) => "mutual",
    }
}

/// What `curl` needs to reach the door on this machine.
fn trust(tls: &Option<TlsConfig>) -> String {
    let Some(TlsConfig { cert, client_ca, .. }) = tls else { return String::new() };
    let shown = if client_ca.is_some() { " --cert CLIENT.crt --key CLIENT.key" } else { "" };
    format!(" --cacert '{}'{shown}", cert.path.display())
}

/// Where webhooks may go beyond the public internet.
fn webhooks(allow: &[IpRange]) -> String {
    if allow.is_empty() {
        return String::new();
    }
    let ranges: Vec<_> = allow.iter().map(ToString::to_string).collect();
    format!("\n    hooks  may also go to {}, without TLS (KIRA_WEBHOOK_ALLOW=none forbids it)", ranges.join(" and "))
}
