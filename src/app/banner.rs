//! What an embedded service prints at its first start: the credentials of a demo client, and a first call.

use std::io::Write;

use chrono::TimeDelta;

use super::Running;
use super::open::AppError;
use crate::auth::{ClientAdmin, Credentials, Role, StoreDirectory};
use crate::config::{Config, TlsConfig};
use crate::store::Store;

/// The name of the demo client.
const DEMO_CLIENT: &str = "demo";
/// The watermarks of its creation and of the display of its credentials.
const CREATED: &str = "demo_client_made";
const SHOWN: &str = "demo_client_shown";
/// How long the earlier credentials stay valid: the process may have ended right after it printed them.
const ROTATION_OVERLAP: TimeDelta = TimeDelta::hours(24);

/// Logs where the service listens. At the first embedded start, creates a demo client and prints how to use it.
pub(super) async fn show(config: &Config, running: &Running) -> Result<(), AppError> {
    let Running { http_addr, grpc_addr, admin_addr, resources, .. } = running;
    let (rest_tls, grpc_tls) = (tls_mode(&config.server.http_tls), tls_mode(&config.server.grpc_tls));
    tracing::info!(rest = %http_addr, rest_tls, grpc = %grpc_addr, grpc_tls, admin = %admin_addr, "ready");
    if !config.is_embedded() || !config.demo_client {
        return Ok(());
    }
    let directory = StoreDirectory::new(resources.store.clone(), resources.vault.clone());
    let clients = ClientAdmin::open(resources.store.clone(), &directory, resources.env.clone()).await;
    let clients = clients.map_err(AppError::start)?;
    let Some(credentials) = demo_credentials(&clients, &resources.store).await? else { return Ok(()) };
    print(&text(config, running, &credentials))
        .map_err(|source| AppError::DemoClientNotShown { client_id: credentials.client_id, source })?;
    Ok(resources.store.advance_watermark(SHOWN, resources.env.now()).await?)
}

fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Credentials of the demo client that were not printed yet: of a new client if there is none at all, or rotated ones if
/// the process that created it ended before it printed them.
async fn demo_credentials(clients: &ClientAdmin, store: &Store) -> Result<Option<Credentials>, AppError> {
    match clients.list().await.map_err(AppError::start)?.as_slice() {
        [] => clients.create_first(DEMO_CLIENT, Role::Client, CREATED).await.map_err(AppError::start),
        [only] if store.watermark(CREATED).await?.is_some() && store.watermark(SHOWN).await?.is_none() => {
            clients.rotate(only.id, ROTATION_OVERLAP).await.map_err(AppError::start)
        }
        _ => Ok(None),
    }
}

fn text(config: &Config, running: &Running, credentials: &Credentials) -> String {
    let Running { http_addr, grpc_addr, admin_addr, resources, .. } = running;
    let Credentials { client_id, password, api_key } = credentials;
    let idempotency_key = resources.env.new_id();
    let data_dir = config.data_dir.display();
    let webhooks = webhooks(&config.webhook.allow);
    let tls = &config.server.http_tls;
    let (scheme, trust) = (if tls.is_some() { "https" } else { "http" }, curl_options(tls));
    let grpc_tls = match tls_mode(&config.server.grpc_tls) {
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

/// Whether a listener has TLS, and whether clients must present certificates.
fn tls_mode(tls: &Option<TlsConfig>) -> &'static str {
    match tls {
        None => "off",
        Some(TlsConfig { client_ca: None, .. }) => "server",
        Some(TlsConfig { client_ca: Some(_), .. }) => "mutual",
    }
}

/// The options that `curl` needs to reach the listener on this machine.
fn curl_options(tls: &Option<TlsConfig>) -> String {
    let Some(TlsConfig { cert, client_ca, .. }) = tls else { return String::new() };
    let shown = if client_ca.is_some() { " --cert CLIENT.crt --key CLIENT.key" } else { "" };
    format!(" --cacert '{}'{shown}", cert.path.display())
}

/// The ranges that webhooks may be sent to besides the public internet.
fn webhooks(allow: &[ipnet::IpNet]) -> String {
    if allow.is_empty() {
        return String::new();
    }
    let ranges: Vec<_> = allow.iter().map(ToString::to_string).collect();
    format!("\n    hooks  may also go to {}, without TLS (KIRA_WEBHOOK_ALLOW=none forbids it)", ranges.join(" and "))
}
