//! The one table of settings: the parser, `--help` and the reference in `docs/configuration.md` are made from it.

use std::fmt::Write as _;

/// One setting: its two names, its meaning and its default.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable.
    pub env: &'static str,
    /// The path in the TOML file, `section.key`.
    pub path: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// The default as it would be written, or a word such as `off` in parentheses.
    pub default: &'static str,
    /// Secrets are never shown, and have a variant that names a file to read them from: `…_FILE`, `…_file`.
    pub secret: bool,
}

const fn setting(env: &'static str, path: &'static str, default: &'static str, description: &'static str) -> Setting {
    Setting { env, path, description, default, secret: false }
}

const fn secret(env: &'static str, path: &'static str, default: &'static str, description: &'static str) -> Setting {
    Setting { env, path, description, default, secret: true }
}

/// Every setting of one value, in the order of the reference. (The list `[[products]]` is set in the file only.)
pub const SETTINGS: &[Setting] = &[
    setting("KIRA_DATA_DIR", "data_dir", "./data", "Directory of the embedded database, its key file and documents"),
    setting(
        "KIRA_DEMO_CLIENT",
        "demo_client",
        "true",
        "Whether the first start on SQLite creates a demo client and prints its credentials",
    ),
    setting("KIRA_HTTP_ADDR", "server.http_addr", "127.0.0.1:8080", "Address of the REST API"),
    setting("KIRA_GRPC_ADDR", "server.grpc_addr", "127.0.0.1:50051", "Address of the gRPC API"),
    setting("KIRA_ADMIN_ADDR", "server.admin_addr", "127.0.0.1:9090", "Address of health and /metrics"),
    setting(
        "KIRA_HTTP_TLS_CERT",
        "server.http_tls_cert",
        "off",
        "TLS of the REST API: certificate chain, a PEM file that is reloaded when it changes",
    ),
    setting("KIRA_HTTP_TLS_KEY", "server.http_tls_key", "off", "Private key of that certificate, a PEM file"),
    setting(
        "KIRA_HTTP_TLS_CLIENT_CA",
        "server.http_tls_client_ca",
        "off",
        "Mutual TLS of the REST API: clients must present a certificate of one of these authorities, a PEM file",
    ),
    setting(
        "KIRA_GRPC_TLS_CERT",
        "server.grpc_tls_cert",
        "off",
        "TLS of the gRPC API: certificate chain, a PEM file that is reloaded when it changes",
    ),
    setting("KIRA_GRPC_TLS_KEY", "server.grpc_tls_key", "off", "Private key of that certificate, a PEM file"),
    setting(
        "KIRA_GRPC_TLS_CLIENT_CA",
        "server.grpc_tls_client_ca",
        "off",
        "Mutual TLS of the gRPC API: clients must present a certificate of one of these authorities, a PEM file",
    ),
    setting(
        "KIRA_DOCS",
        "server.docs",
        "true",
        "Whether the REST API shows its documents, to callers without credentials too, such as /docs and /openapi.json",
    ),
    setting(
        "KIRA_GRPC_WEB",
        "server.grpc_web",
        "true",
        "Whether the gRPC API speaks gRPC-Web too, over HTTP/1.1 and HTTP/2; pages need KIRA_CORS_ORIGINS as well",
    ),
    setting(
        "KIRA_CORS_ORIGINS",
        "server.cors_origins",
        "off",
        "Origins that may call the REST API, and the gRPC API by gRPC-Web, from a browser, such as https://app.example.com,http://localhost:3000, or *",
    ),
    setting(
        "KIRA_MAX_CONNECTIONS",
        "server.max_connections",
        "10000",
        "Maximum open connections of each listener; those beyond wait",
    ),
    setting(
        "KIRA_MAX_CONCURRENT_REQUESTS",
        "server.max_concurrent_requests",
        "512",
        "Maximum requests in flight, gRPC and REST together; those beyond are rejected with 503 or UNAVAILABLE",
    ),
    setting("KIRA_MAX_BODY_BYTES", "server.max_body_bytes", "64MiB", "Maximum size of a request, over gRPC and REST"),
    setting(
        "KIRA_MAX_BODY_BYTES_IN_FLIGHT",
        "server.max_body_bytes_in_flight",
        "256MiB",
        "Maximum bytes of request bodies in memory, at most half of them of one client; requests beyond are rejected with 503 or UNAVAILABLE",
    ),
    setting(
        "KIRA_TRUSTED_PROXIES",
        "server.trusted_proxies",
        "none",
        "Ranges of proxies whose X-Forwarded-For is trusted for the caller's address (limits of callers without credentials count by address), such as 10.0.0.0/8; or none",
    ),
    setting("KIRA_REQUEST_TIMEOUT", "server.request_timeout", "30s", "Maximum duration of a request; at most 10m"),
    setting(
        "KIRA_SHUTDOWN_DELAY",
        "server.shutdown_delay",
        "(0s with SQLite, else 5s)",
        "How long a stopping process that is no longer ready still accepts requests, until load balancers have noticed",
    ),
    setting(
        "KIRA_SHUTDOWN_TIMEOUT",
        "server.shutdown_timeout",
        "25s",
        "Maximum duration of a shutdown, the delay included; open requests are then dropped",
    ),
    setting("KIRA_RATE_LIMIT_PER_SECOND", "server.rate_limit_per_second", "off", "Requests per second of one client"),
    setting(
        "KIRA_RATE_LIMIT_STORE",
        "server.rate_limit_store",
        "local",
        "Where the rate of a client is counted: local, by each server for itself, or database, by all together",
    ),
    setting(
        "KIRA_REFUSALS_PER_SECOND",
        "server.refusals_per_second",
        "100",
        "Rejections per second of one address (IPv6: /64) without valid credentials, and ten times as many of all addresses; those beyond are delayed",
    ),
    setting(
        "KIRA_EVENT_STREAMS_PER_CLIENT",
        "server.event_streams_per_client",
        "10",
        "Maximum open event streams of one client, in each process",
    ),
    secret(
        "KIRA_DATABASE_URL",
        "database.url",
        "(sqlite in the data directory)",
        "sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME",
    ),
    setting("KIRA_DATABASE_MAX_CONNECTIONS", "database.max_connections", "16", "Maximum connections to the database"),
    secret(
        "KIRA_DATABASE_LISTEN_URL",
        "database.listen_url",
        "(the URL of the database)",
        "Where to listen for new events with PostgreSQL, past a pooler in transaction mode; off: poll every second",
    ),
    secret(
        "KIRA_DATABASE_READ_URL",
        "database.read_url",
        "off",
        "A read replica with PostgreSQL: lists and events are read there while it has all that the primary has",
    ),
    setting(
        "KIRA_DATABASE_PROFILE",
        "database.profile",
        "standard",
        "Which features of PostgreSQL are used: standard, or distributed: those that distributed databases share",
    ),
    setting(
        "KIRA_DOCUMENTS_URL",
        "documents.url",
        "(documents in the data directory)",
        "Directory of documents, or s3://, gs://, az:// in builds with cloud stores; required with PostgreSQL",
    ),
    secret(
        "KIRA_MASTER_KEYS",
        "vault.master_keys",
        "(a key file created in the data directory)",
        "Key ring that encrypts personal data; required with PostgreSQL",
    ),
    setting("KIRA_TOKEN_LIFETIME", "auth.token_lifetime", "3600s", "Lifetime of an access token from POST /auth"),
    setting("KIRA_TOKEN_ISSUER", "auth.token_issuer", "kira-users", "`iss` of access tokens from POST /auth"),
    setting("KIRA_JWKS_URL", "auth.jwks_url", "off", "JWKS of an outside token issuer; https, or http on this machine"),
    setting("KIRA_JWT_ISSUER", "auth.jwt_issuer", "(none)", "`iss` of the outside issuer's tokens"),
    setting("KIRA_JWT_AUDIENCE", "auth.jwt_audience", "(none)", "`aud` that the outside issuer's tokens must have"),
    setting(
        "KIRA_JWT_CLIENT_ID_CLAIM",
        "auth.jwt_client_id_claim",
        "client_id",
        "Claim of outside tokens that has the client id; dots descend into objects",
    ),
    setting(
        "KIRA_EXTERNAL_ID_UNIQUE",
        "users.external_id_unique",
        "false",
        "Whether an external_id belongs to one user of a client alone; a create or update with one that another user has is rejected with 409",
    ),
    setting(
        "KIRA_MASK_NUMBERS",
        "responses.mask_numbers",
        "false",
        "Whether responses show only the last four characters of sensitive numbers",
    ),
    setting(
        "KIRA_REVIEW_FOUR_EYES",
        "review.four_eyes",
        "false",
        "Whether the decision of a review needs two reviewers who agree",
    ),
    setting(
        "KIRA_VERIFICATION_PROVIDER",
        "verification.provider",
        "sandbox",
        "Verification provider: sandbox, rules or http; required with PostgreSQL",
    ),
    setting(
        "KIRA_RULES_AUTO_APPROVE",
        "verification.rules_auto_approve",
        "false",
        "Provider rules: whether users without findings are verified without a review",
    ),
    setting(
        "KIRA_VENDOR_URL",
        "verification.vendor_url",
        "off",
        "Provider http: URL of the vendor; https, or http on this machine",
    ),
    secret(
        "KIRA_VENDOR_SECRET",
        "verification.vendor_secret",
        "(none)",
        "Provider http: secret that signs requests and callbacks; whsec_ and base64, or a text of 24 bytes or more",
    ),
    setting(
        "KIRA_VENDOR_TIMEOUT",
        "verification.vendor_timeout",
        "30s",
        "Provider http: maximum duration of one request",
    ),
    setting("KIRA_SANDBOX_DELAY", "verification.sandbox_delay", "1s", "Provider sandbox: delay before the result"),
    setting(
        "KIRA_VERIFICATION_DEADLINE",
        "verification.deadline",
        "24h",
        "Maximum duration of a verification; one without an outcome then becomes REVIEW",
    ),
    setting(
        "KIRA_WORKER",
        "verification.worker",
        "true",
        "Whether the server process also runs verification and webhook delivery; if false, run `kira-users worker`",
    ),
    setting(
        "KIRA_EVENTS_RETENTION",
        "events.retention",
        "off",
        "Age from which on `kira-users archive` moves events to the archive, from 1d to 36500d, or off: it is told each time",
    ),
    secret(
        "KIRA_SINK_NATS_URL",
        "sinks.nats_url",
        "off",
        "Events to NATS JetStream: servers, such as nats://user:password@nats:4222 or tls://nats:4222, or several with commas",
    ),
    secret(
        "KIRA_SINK_NATS_CREDENTIALS",
        "sinks.nats_credentials",
        "off",
        "The text of a NATS credentials file (JWT and seed), instead of a user in the URL",
    ),
    setting(
        "KIRA_SINK_NATS_SUBJECT",
        "sinks.nats_subject",
        "kira.events",
        "What the subjects begin with; the ids of the client and the user follow",
    ),
    secret(
        "KIRA_SINK_AMQP_URL",
        "sinks.amqp_url",
        "off",
        "Events to RabbitMQ: the server and the virtual host, such as amqps://user:password@rabbitmq:5671/%2f",
    ),
    setting("KIRA_SINK_AMQP_EXCHANGE", "sinks.amqp_exchange", "kira.events", "The exchange; it must be there"),
    secret(
        "KIRA_SINK_REDIS_URL",
        "sinks.redis_url",
        "off",
        "Events to Redis Streams: the server and the database, such as rediss://user:password@redis:6379/0",
    ),
    setting("KIRA_SINK_REDIS_STREAM", "sinks.redis_stream", "kira:events", "The key of the stream"),
    setting(
        "KIRA_SINK_START",
        "sinks.start",
        "oldest",
        "Where a sink begins that has never run: at the oldest stored event, or now: behind the newest one",
    ),
    setting(
        "KIRA_SINK_CA",
        "sinks.ca",
        "off",
        "Authorities of the certificates of brokers, a PEM file; off: those of the system",
    ),
    setting(
        "KIRA_RETENTION_MINIMUM",
        "retention.minimum",
        "off",
        "How long a user must be kept after its last change once a verification was started, from 1d to 36500d, or off",
    ),
    setting(
        "KIRA_RETENTION_CREATED",
        "retention.created",
        "off",
        "How long after its last change a user who is CREATED is erased, from 1d to 36500d, or off: never",
    ),
    setting(
        "KIRA_RETENTION_REJECTED",
        "retention.rejected",
        "off",
        "How long after its last change a user who is REJECTED is erased, from 1d to 36500d, or off: never",
    ),
    setting(
        "KIRA_WEBHOOK_ALLOW",
        "webhook.allow",
        "(loopback with SQLite, else none)",
        "Ranges outside the public internet that webhooks may go to, also over http, such as 10.1.0.0/16,fd00::/8; or none",
    ),
    setting(
        "KIRA_WEBHOOK_SCHEDULE",
        "webhook.schedule",
        "0s,5s,5m,30m,2h,5h,10h,14h,20h,24h",
        "Delay before each attempt to deliver a webhook; after the last attempt it has failed",
    ),
    setting(
        "KIRA_WEBHOOK_TIMEOUT",
        "webhook.timeout",
        "15s",
        "Maximum time for an endpoint to respond to a webhook; at most 60s",
    ),
    setting(
        "KIRA_WEBHOOK_RETENTION",
        "webhook.retention",
        "30d",
        "How long a webhook delivery is kept once it is delivered or has failed, from 1h to 3650d, or off: without limit",
    ),
    setting("KIRA_LOG", "telemetry.log", "info", "Log level, or a filter such as `info,kira_users=debug`"),
    setting(
        "KIRA_LOG_FORMAT",
        "telemetry.log_format",
        "(pretty on a terminal, else json)",
        "Log format: pretty or json",
    ),
    setting(
        "KIRA_OTLP_ENDPOINT",
        "telemetry.otlp_endpoint",
        "off",
        "OTLP endpoint for traces, such as http://collector:4317; http or https",
    ),
    setting(
        "KIRA_OTLP_PROTOCOL",
        "telemetry.otlp_protocol",
        "grpc",
        "OTLP protocol: grpc, or http (protobuf, usually port 4318)",
    ),
    setting(
        "KIRA_OTLP_METRICS",
        "telemetry.otlp_metrics",
        "false",
        "Whether metrics are exported by OTLP too, every minute",
    ),
    setting(
        "KIRA_TRACE_SAMPLE_RATIO",
        "telemetry.trace_sample_ratio",
        "1",
        "Fraction of traces that are sampled, 0 to 1, unless the caller has decided",
    ),
    setting(
        "KIRA_TRACE_TRUST_REST",
        "telemetry.trace_trust_rest",
        "true",
        "Whether traces of callers over REST and gRPC-Web are continued, with their sampling decision; if false, they are only linked",
    ),
    setting("KIRA_METRICS", "telemetry.metrics", "true", "Whether metrics are recorded and served at /metrics"),
];

/// The environment variable that names the configuration file; `--config` wins over it.
pub const CONFIG_FILE_ENV: &str = "KIRA_CONFIG";

/// The settings as a Markdown table, for `docs/configuration.md`.
#[must_use]
pub fn reference_table() -> String {
    let mut table = String::from("| Environment | TOML | Default | Meaning |\n|---|---|---|---|\n");
    for Setting { env, path, description, default, secret } in SETTINGS {
        let file = if *secret { format!(", `{env}_FILE`") } else { String::new() };
        let default = if default.starts_with('(') { (*default).to_owned() } else { format!("`{default}`") };
        writeln!(table, "| `{env}`{file} | `{path}` | {default} | {description} |").expect("a String takes any text");
    }
    table
}

/// The settings as plain text, for `--help`.
#[must_use]
pub fn help_table() -> String {
    let mut text = String::new();
    for Setting { env, path, description, default, secret } in SETTINGS {
        let file = if *secret { format!(" or {env}_FILE") } else { String::new() };
        writeln!(text, "  {env}{file}  [file: {path}] [default: {default}]\n          {description}")
            .expect("a String takes any text");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_in_the_table_once() {
        let names: BTreeSet<&str> = SETTINGS.iter().map(|setting| setting.env).collect();
        let paths: BTreeSet<&str> = SETTINGS.iter().map(|setting| setting.path).collect();
        assert_eq!((names.len(), paths.len()), (SETTINGS.len(), SETTINGS.len()));
    }

    #[test]
    fn the_reference_names_the_file_variant_of_a_secret() {
        assert!(reference_table().contains("| `KIRA_MASTER_KEYS`, `KIRA_MASTER_KEYS_FILE` | `vault.master_keys` |"));
    }

    /// `UPDATE_DOCS=1 cargo test --lib config::table` writes the table.
    #[test]
    fn the_table_of_the_documents_is_that_of_the_program() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
        let committed = std::fs::read_to_string(&file).expect("docs/configuration.md");
        let (begin, end) = ("<!-- settings: generated -->\n", "<!-- /settings -->");
        let (before, rest) = committed.split_once(begin).expect("the document has a table of settings");
        let (_, after) = rest.split_once(end).expect("the table ends");
        let current = format!("{before}{begin}{}{end}{after}", reference_table());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&file, current).expect("docs/configuration.md can be written");
            return;
        }
        assert!(committed == current, "docs/configuration.md is stale: UPDATE_DOCS=1 cargo test --lib config::table");
    }

    #[test]
    fn the_reference_has_a_row_for_every_setting() {
        assert_eq!(reference_table().lines().count(), SETTINGS.len() + 2);
    }
}
