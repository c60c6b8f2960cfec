//! The one table of settings: the parser, `--help` and the README's reference are made from it.

use std::fmt::Write as _;

/// One setting: its two names, what it means and what it is when nobody sets it.
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
    /// Secrets are never shown, and have a twin that names a file to read them from: `…_FILE`, `…_file`.
    pub secret: bool,
}

const fn setting(env: &'static str, path: &'static str, default: &'static str, description: &'static str) -> Setting {
    Setting { env, path, description, default, secret: false }
}

const fn secret(env: &'static str, path: &'static str, default: &'static str, description: &'static str) -> Setting {
    Setting { env, path, description, default, secret: true }
}

/// Every setting of one value, in the order of the reference. (The list `[[products]]` is a matter of the file alone.)
pub const SETTINGS: &[Setting] = &[
    setting("KIRA_DATA_DIR", "data_dir", "./data", "Folder of the embedded database, its key file and documents"),
    setting(
        "KIRA_DEMO_CLIENT",
        "demo_client",
        "true",
        "Whether the first start on SQLite makes a client to try it with, and prints its credentials",
    ),
    setting("KIRA_HTTP_ADDR", "server.http_addr", "127.0.0.1:8080", "Address of the REST door"),
    setting("KIRA_GRPC_ADDR", "server.grpc_addr", "127.0.0.1:50051", "Address of the gRPC door"),
    setting("KIRA_ADMIN_ADDR", "server.admin_addr", "127.0.0.1:9090", "Address of health and /metrics"),
    setting(
        "KIRA_HTTP_TLS_CERT",
        "server.http_tls_cert",
        "off",
        "TLS of the REST door: its certificate and those that lead to the root, a PEM file that is read again when it changes",
    ),
    setting("KIRA_HTTP_TLS_KEY", "server.http_tls_key", "off", "The private key of that certificate, a PEM file"),
    setting(
        "KIRA_HTTP_TLS_CLIENT_CA",
        "server.http_tls_client_ca",
        "off",
        "Mutual TLS: clients must show a certificate of one of these roots, a PEM file",
    ),
    setting("KIRA_GRPC_TLS_CERT", "server.grpc_tls_cert", "off", "TLS of the gRPC door, in the same way"),
    setting("KIRA_GRPC_TLS_KEY", "server.grpc_tls_key", "off", "The private key of that certificate"),
    setting("KIRA_GRPC_TLS_CLIENT_CA", "server.grpc_tls_client_ca", "off", "Mutual TLS of the gRPC door"),
    setting(
        "KIRA_CORS_ORIGINS",
        "server.cors_origins",
        "off",
        "Whose pages may call the REST door from browsers: origins such as https://app.example.com,http://localhost:3000, or *",
    ),
    setting(
        "KIRA_MAX_CONNECTIONS",
        "server.max_connections",
        "10000",
        "Most connections of each door; those beyond wait",
    ),
    setting(
        "KIRA_MAX_CONCURRENT_REQUESTS",
        "server.max_concurrent_requests",
        "512",
        "Most requests that are worked at, over both doors; those beyond are refused with 503 or UNAVAILABLE",
    ),
    setting("KIRA_MAX_BODY_BYTES", "server.max_body_bytes", "64MiB", "Largest request, over both doors"),
    setting(
        "KIRA_REQUEST_TIMEOUT",
        "server.request_timeout",
        "30s",
        "A request is answered or given up within this; at most 10m",
    ),
    setting(
        "KIRA_SHUTDOWN_DELAY",
        "server.shutdown_delay",
        "(0s with SQLite, else 5s)",
        "How long a stop goes on taking requests, no longer ready, until balancers have noticed",
    ),
    setting(
        "KIRA_SHUTDOWN_TIMEOUT",
        "server.shutdown_timeout",
        "25s",
        "How long a stop waits for accepted requests, the delay included",
    ),
    setting("KIRA_RATE_LIMIT_PER_SECOND", "server.rate_limit_per_second", "off", "Requests per second of one client"),
    setting(
        "KIRA_EVENT_STREAMS_PER_CLIENT",
        "server.event_streams_per_client",
        "10",
        "Event streams that one client may have open at a time, in each process",
    ),
    secret(
        "KIRA_DATABASE_URL",
        "database.url",
        "(sqlite in the data folder)",
        "sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME",
    ),
    setting("KIRA_DATABASE_MAX_CONNECTIONS", "database.max_connections", "16", "Most connections to the database"),
    setting(
        "KIRA_DOCUMENTS_URL",
        "documents.url",
        "(documents in the data folder)",
        "Folder for documents, or s3://, gs://, az:// in builds with cloud stores; must be given with PostgreSQL",
    ),
    secret(
        "KIRA_MASTER_KEYS",
        "vault.master_keys",
        "(a key file made in the data folder)",
        "Key ring that seals personal data; must be given with PostgreSQL",
    ),
    setting("KIRA_TOKEN_LIFETIME", "auth.token_lifetime", "3600s", "How long an access token of POST /auth is good"),
    setting("KIRA_TOKEN_ISSUER", "auth.token_issuer", "kira-users", "The `iss` of our own access tokens"),
    setting("KIRA_JWKS_URL", "auth.jwks_url", "off", "Keys of an outside token issuer; https, or http on this machine"),
    setting("KIRA_JWT_ISSUER", "auth.jwt_issuer", "(none)", "The `iss` of the outside issuer's tokens"),
    setting("KIRA_JWT_AUDIENCE", "auth.jwt_audience", "(none)", "The `aud` that the outside issuer's tokens must name"),
    setting(
        "KIRA_JWT_CLIENT_ID_CLAIM",
        "auth.jwt_client_id_claim",
        "client_id",
        "Claim of outside tokens that holds the client id; dots descend into objects",
    ),
    setting("KIRA_MASK_NUMBERS", "responses.mask_numbers", "false", "Show sensitive numbers by their last four only"),
    setting("KIRA_REVIEW_FOUR_EYES", "review.four_eyes", "false", "A review's decision needs two reviewers who agree"),
    setting(
        "KIRA_VERIFICATION_PROVIDER",
        "verification.provider",
        "sandbox",
        "Who verifies users: sandbox, rules or http; must be given with PostgreSQL",
    ),
    setting(
        "KIRA_RULES_AUTO_APPROVE",
        "verification.rules_auto_approve",
        "false",
        "The provider rules verifies users of whom nothing speaks against, without a person",
    ),
    setting(
        "KIRA_VENDOR_URL",
        "verification.vendor_url",
        "off",
        "The provider http: where it takes requests; https, or http on this machine",
    ),
    secret(
        "KIRA_VENDOR_SECRET",
        "verification.vendor_secret",
        "(none)",
        "The provider http: signs requests and callbacks; whsec_ and base64, or a text of 24 bytes or more",
    ),
    setting(
        "KIRA_VENDOR_TIMEOUT",
        "verification.vendor_timeout",
        "30s",
        "The provider http: how long one answer may take",
    ),
    setting("KIRA_SANDBOX_DELAY", "verification.sandbox_delay", "1s", "After which time the sandbox decides"),
    setting(
        "KIRA_VERIFICATION_DEADLINE",
        "verification.deadline",
        "24h",
        "A verification without an outcome becomes REVIEW after this",
    ),
    setting(
        "KIRA_WORKER",
        "verification.worker",
        "true",
        "Whether the server process verifies and sends webhooks too; else run `kira-users worker`",
    ),
    setting(
        "KIRA_WEBHOOK_ALLOW",
        "webhook.allow",
        "(loopback with SQLite, else none)",
        "Ranges beyond the public internet that webhooks may go to, also by http, such as 10.1.0.0/16,fd00::/8; or none",
    ),
    setting(
        "KIRA_WEBHOOK_SCHEDULE",
        "webhook.schedule",
        "0s,5s,5m,30m,2h,5h,10h,14h,20h,24h",
        "How long before each attempt to deliver a webhook; after the last it is given up",
    ),
    setting(
        "KIRA_WEBHOOK_TIMEOUT",
        "webhook.timeout",
        "15s",
        "How long an endpoint may take to answer a webhook; at most 60s",
    ),
    setting(
        "KIRA_WEBHOOK_RETENTION",
        "webhook.retention",
        "30d",
        "How long the record of a webhook is kept once it is delivered or given up, from 1h to 3650d, or off: for ever",
    ),
    setting(
        "KIRA_LOG",
        "telemetry.log",
        "info",
        "What is logged: a level, or a filter such as `info,kira_users=debug`",
    ),
    setting(
        "KIRA_LOG_FORMAT",
        "telemetry.log_format",
        "(pretty on a terminal, else json)",
        "Form of the log: pretty or json",
    ),
    setting(
        "KIRA_OTLP_ENDPOINT",
        "telemetry.otlp_endpoint",
        "off",
        "Where traces go by OTLP, such as http://collector:4317; https too",
    ),
    setting(
        "KIRA_OTLP_PROTOCOL",
        "telemetry.otlp_protocol",
        "grpc",
        "How: grpc, or http (protobuf, as a rule port 4318)",
    ),
    setting("KIRA_OTLP_METRICS", "telemetry.otlp_metrics", "false", "Whether metrics go there too, every minute"),
    setting(
        "KIRA_TRACE_SAMPLE_RATIO",
        "telemetry.trace_sample_ratio",
        "1",
        "Part of the traces that is kept, 0 to 1, where the caller has not decided",
    ),
    setting(
        "KIRA_TRACE_TRUST_REST",
        "telemetry.trace_trust_rest",
        "true",
        "Whether traces of REST callers are continued, with their decision to keep them; else only linked to",
    ),
    setting("KIRA_METRICS", "telemetry.metrics", "true", "Whether anything is measured and shown at /metrics"),
];

/// The environment variable that names the configuration file; `--config` wins over it.
pub const CONFIG_FILE_ENV: &str = "KIRA_CONFIG";

/// The settings as a markdown table, for the README.
#[must_use]
pub fn reference_table() -> String {
    let mut table = String::from("| Environment | TOML | Default | Meaning |\n|---|---|---|---|\n");
    for Setting { env, path, description, default, secret } in SETTINGS {
        let twin = if *secret { format!(", `{env}_FILE`") } else { String::new() };
        let default = if default.starts_with('(') { (*default).to_owned() } else { format!("`{default}`") };
        writeln!(table, "| `{env}`{twin} | `{path}` | {default} | {description} |").expect("a String takes any text");
    }
    table
}

/// The settings as plain text, for `--help`.
#[must_use]
pub fn help_table() -> String {
    let mut text = String::new();
    for Setting { env, path, description, default, secret } in SETTINGS {
        let twin = if *secret { format!(" or {env}_FILE") } else { String::new() };
        writeln!(text, "  {env}{twin}  [file: {path}] [default: {default}]\n          {description}")
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
    fn the_reference_names_the_file_twin_of_a_secret() {
        assert!(reference_table().contains("| `KIRA_MASTER_KEYS`, `KIRA_MASTER_KEYS_FILE` | `vault.master_keys` |"));
    }

    #[test]
    fn the_readme_lists_every_setting_as_it_is() {
        let readme = include_str!("../../README.md");
        let below = readme.split_once("checked by a test -->\n").expect("the README has a table of settings").1;
        let table = below.split_once("<!-- /settings -->").expect("the table ends").0;
        assert_eq!(table, reference_table(), "copy the right-hand side into the README");
    }

    #[test]
    fn the_reference_has_a_row_for_every_setting() {
        assert_eq!(reference_table().lines().count(), SETTINGS.len() + 2);
    }
}
