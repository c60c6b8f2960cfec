use std::ffi::OsString;
use std::time::Duration;

use super::{Config, ConfigError, LogFormat, SETTINGS};

/// Master keys of the right form.
const KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn load(toml: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), toml).expect("writes the file");
    Config::from_parts(Some(file.path()), environment(variables))
}

fn problems(toml: &str, variables: &[(&str, &str)]) -> Vec<String> {
    load(toml, variables).expect_err("is refused").problems.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_given_is_the_embedded_default() {
    let config = Config::from_parts(None, []).expect("the defaults are valid");
    assert!(config.is_embedded());
    assert_eq!(config.database.url.expose(), "sqlite://./data/kira-users.db");
    assert_eq!(config.documents.url, "./data/documents");
    assert_eq!(config.server.http_addr.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.max_body_bytes, 64 << 20);
    assert_eq!(config.auth.token_lifetime, Duration::from_secs(3_600));
    assert!(config.auth.outside_issuer.is_none() && !config.mask_numbers);
    let codes: Vec<&str> = config.products.iter().map(|product| product.code.as_str()).collect();
    assert_eq!(codes, ["usa-virtual-accounts", "virtual_account", "payout"]);
}

#[test]
fn a_shutdown_is_delayed_where_there_may_be_other_replicas_and_never_beyond_its_timeout() {
    let server = [
        ("KIRA_DATABASE_URL", "postgres://h/x"),
        ("KIRA_DOCUMENTS_URL", "/documents"),
        ("KIRA_MASTER_KEYS", "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("KIRA_VERIFICATION_PROVIDER", "rules"),
    ];
    let delay = |variables: &[(&str, &str)]| load("", variables).expect("is valid").server.shutdown_delay;
    assert_eq!(delay(&[]), Duration::ZERO);
    assert_eq!(delay(&server), Duration::from_secs(5));
    assert_eq!(delay(&[&server[..], &[("KIRA_SHUTDOWN_TIMEOUT", "2s")]].concat()), Duration::from_secs(2));
    assert_eq!(delay(&[("KIRA_SHUTDOWN_DELAY", "7s")]), Duration::from_secs(7));
    assert_eq!(
        problems("", &[("KIRA_SHUTDOWN_DELAY", "30s")]),
        ["KIRA_SHUTDOWN_DELAY: 30s is longer than the whole shutdown, KIRA_SHUTDOWN_TIMEOUT: 25s"]
    );
}

#[test]
fn the_environment_wins_over_the_file() {
    let toml = "[server]\nhttp_addr = \"127.0.0.1:1\"\ngrpc_addr = \"127.0.0.1:2\"";
    let config = load(toml, &[("KIRA_HTTP_ADDR", "127.0.0.1:3")]).expect("is valid");
    assert_eq!((config.server.http_addr.port(), config.server.grpc_addr.port()), (3, 2));
}

#[test]
fn numbers_and_truth_values_of_the_file_need_no_quotes() {
    let toml = "[database]\nmax_connections = 4\n[responses]\nmask_numbers = true\n[telemetry]\nlog_format = \"json\"";
    let config = load(toml, &[]).expect("is valid");
    assert_eq!((config.database.max_connections, config.mask_numbers), (4, true));
    assert_eq!(config.telemetry.log_format, LogFormat::Json);
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    assert_eq!(
        problems("[server]\nhtp_addr = \"x\"", &[("KIRA_GRCP_ADDR", "y"), ("KIRA_ZEBRA", "z")]),
        [
            "server.htp_addr: is not a setting; did you mean server.http_addr?",
            "KIRA_GRCP_ADDR: is not a setting; did you mean KIRA_GRPC_ADDR?",
            "KIRA_ZEBRA: is not a setting",
        ]
    );
}

#[test]
fn all_wrong_values_are_reported_at_once() {
    let found = problems(
        "[server]\nrequest_timeout = 30",
        &[("KIRA_HTTP_ADDR", "everywhere"), ("KIRA_DATABASE_MAX_CONNECTIONS", "0"), ("KIRA_LOG_FORMAT", "xml")],
    );
    assert_eq!(
        found,
        [
            "KIRA_DATABASE_MAX_CONNECTIONS: 0 is out of range; accepted: 1 to 10000",
            "KIRA_HTTP_ADDR: \"everywhere\" is not an address; accepted: an IP address and a port, such as \
             127.0.0.1:8080 or [::]:8080",
            "server.request_timeout: \"30\" has no unit; accepted: a number with a unit of ms, s, m, h or d, such as \
             500ms, 30s or 1h30m",
            "KIRA_LOG_FORMAT: \"xml\" is neither; accepted: pretty or json",
        ]
    );
}

#[test]
fn the_value_of_a_secret_is_in_no_problem() {
    let found = problems("", &[("KIRA_DATABASE_URL", "mysql://kira:hunter2@db/kira")]).join("\n");
    assert!(found.contains("KIRA_DATABASE_URL: is of no known kind") && !found.contains("hunter2"), "{found}");
}

#[test]
fn a_line_of_broken_toml_is_not_quoted() {
    let found = problems("[database]\nurl = \"postgres://kira:hunter2@db\nnext = 1", &[]).join("\n");
    assert!(found.contains("is not valid TOML near line 2") && !found.contains("hunter2"), "{found}");
}

#[test]
fn a_secret_can_be_read_from_a_file() {
    let secret = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(secret.path(), "postgres://kira:hunter2@db/kira\n").expect("writes the file");
    let path = secret.path().to_str().expect("a UTF-8 path");
    let variables = [
        ("KIRA_DATABASE_URL_FILE", path),
        ("KIRA_MASTER_KEYS", KEYS),
        ("KIRA_DOCUMENTS_URL", "/srv"),
        ("KIRA_VERIFICATION_PROVIDER", "rules"),
    ];
    let config = load("", &variables).expect("is valid");
    assert_eq!(config.database.url.expose(), "postgres://kira:hunter2@db/kira");
    assert!(!config.is_embedded());
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_secret_and_its_file_together_are_refused() {
    let secret = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(secret.path(), KEYS).expect("writes the file");
    let path = secret.path().to_str().expect("a UTF-8 path");
    let found = problems("", &[("KIRA_MASTER_KEYS", KEYS), ("KIRA_MASTER_KEYS_FILE", path)]);
    assert_eq!(found, ["KIRA_MASTER_KEYS_FILE: is given together with KIRA_MASTER_KEYS; give one of them"]);
}

#[test]
fn a_setting_that_is_no_secret_has_no_file_variant() {
    let found = problems("", &[("KIRA_HTTP_ADDR_FILE", "addr.txt")]);
    assert_eq!(found, ["KIRA_HTTP_ADDR_FILE: is not a setting; did you mean KIRA_HTTP_ADDR?"]);
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let config = load("", &[("KIRA_OTLP_ENDPOINT", ""), ("KIRA_HTTP_ADDR", " ")]).expect("is valid");
    assert_eq!(config.server.http_addr.port(), 8080);
}

#[test]
fn variables_of_tests_of_kubernetes_and_of_others_are_left_alone() {
    let others = [
        ("KIRA_TEST_POSTGRES_URL", "x"),
        ("KIRA_USERS_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("HOME", "/"),
        ("KIRA_CONFIG", "x"),
    ];
    assert!(load("", &others).is_ok());
}

#[test]
fn two_listeners_on_one_address_are_refused() {
    let found = problems("", &[("KIRA_HTTP_ADDR", "0.0.0.0:9090")]);
    assert_eq!(found, ["KIRA_ADMIN_ADDR: 127.0.0.1:9090 is taken by KIRA_HTTP_ADDR; every listener needs its own"]);
}

#[test]
fn port_zero_may_be_asked_for_by_every_listener() {
    let any = "127.0.0.1:0";
    assert!(load("", &[("KIRA_HTTP_ADDR", any), ("KIRA_GRPC_ADDR", any), ("KIRA_ADMIN_ADDR", any)]).is_ok());
}

#[test]
fn postgresql_needs_what_replicas_share_and_a_provider_of_the_operators_choice() {
    let found = problems("", &[("KIRA_DATABASE_URL", "postgres://db/kira")]);
    assert_eq!(
        found,
        [
            "KIRA_DOCUMENTS_URL: must be given with PostgreSQL: a folder or a bucket that all replicas share",
            "KIRA_MASTER_KEYS: must be given with PostgreSQL (or KIRA_MASTER_KEYS_FILE)",
            "KIRA_VERIFICATION_PROVIDER: must be given with PostgreSQL: sandbox, rules or http",
        ]
    );
}

#[test]
fn a_request_ends_long_before_the_orphan_job_takes_its_files() {
    assert!(load("", &[("KIRA_REQUEST_TIMEOUT", "10m")]).is_ok());
    assert_eq!(
        problems("", &[("KIRA_REQUEST_TIMEOUT", "601s")]),
        ["KIRA_REQUEST_TIMEOUT: 601s is out of range; accepted: 1ms to 600s"]
    );
}

#[test]
fn a_rate_limit_is_one_that_a_process_can_reach() {
    assert!(load("", &[("KIRA_RATE_LIMIT_PER_SECOND", "1000000")]).is_ok());
    assert_eq!(
        problems("", &[("KIRA_RATE_LIMIT_PER_SECOND", "1000001")]),
        ["KIRA_RATE_LIMIT_PER_SECOND: 1000001 is out of range; accepted: 1 to 1000000, or off"]
    );
}

#[test]
fn webhook_deliveries_are_kept_for_a_retention_period_or_without_limit() {
    let kept = |text: &str| load("", &[("KIRA_WEBHOOK_RETENTION", text)]).expect("is valid").webhook.retention;
    assert_eq!(kept(""), Some(Duration::from_secs(30 * 86_400)));
    assert_eq!((kept("1h"), kept("off")), (Some(Duration::from_secs(3_600)), None));
    for text in ["59m", "3651d"] {
        let found = problems("", &[("KIRA_WEBHOOK_RETENTION", text)]);
        assert!(found[0].ends_with("is out of range; accepted: 1h to 3650d, or off"), "{found:?}");
    }
}

#[test]
fn an_outside_issuer_needs_its_name_and_an_audience() {
    let found = problems("", &[("KIRA_JWKS_URL", "https://id.example.com/keys")]);
    assert_eq!(
        found,
        ["KIRA_JWT_ISSUER: must be given with KIRA_JWKS_URL", "KIRA_JWT_AUDIENCE: must be given with KIRA_JWKS_URL"]
    );
}

#[test]
fn keys_of_an_outside_issuer_come_by_https_or_from_this_machine() {
    let with = |url: &'static str| {
        [("KIRA_JWKS_URL", url), ("KIRA_JWT_ISSUER", "https://id.example.com"), ("KIRA_JWT_AUDIENCE", "kira")]
    };
    assert!(load("", &with("http://127.0.0.1:8000/keys")).is_ok());
    let found = problems("", &with("http://id.example.com/keys"));
    assert_eq!(found, ["KIRA_JWKS_URL: must be https; http is accepted from this machine alone"]);
}

#[test]
fn the_outside_issuer_cannot_have_our_own_name() {
    let variables = [
        ("KIRA_JWKS_URL", "https://id.example.com/keys"),
        ("KIRA_JWT_ISSUER", "kira-users"),
        ("KIRA_JWT_AUDIENCE", "kira"),
    ];
    let found = problems("", &variables);
    assert_eq!(found, ["KIRA_JWT_ISSUER: must differ from KIRA_TOKEN_ISSUER, the issuer of our own tokens"]);
}

#[test]
fn a_token_lives_whole_seconds() {
    assert!(load("", &[("KIRA_TOKEN_LIFETIME", "2s")]).is_ok());
    assert_eq!(
        problems("", &[("KIRA_TOKEN_LIFETIME", "1500ms")]),
        ["KIRA_TOKEN_LIFETIME: 1.5s is not a number of whole seconds"]
    );
}

#[test]
fn the_catalogue_of_the_file_replaces_the_default() {
    let toml = "[[products]]\nid = \"4d1a6f16-2842-408d-973c-0492e5a59686\"\ncode = \"payout\"\nname = \"Payouts\"";
    let config = load(toml, &[]).expect("is valid");
    assert_eq!(config.products.len(), 1);
    assert_eq!(config.products[0].name, "Payouts");
}

#[test]
fn a_product_is_checked_field_by_field() {
    let found = problems("[[products]]\nid = \"1\"\ncode = \"payuot\"\nnmae = \"Payout\"", &[]);
    assert_eq!(
        found,
        [
            "products.0.nmae: is not a setting; did you mean name?",
            "products.0.name: must be given, as a text",
            "products.0.id: \"1\" is not a UUID",
            "products.0.code: \"payuot\" is not a known product; accepted: usa-virtual-accounts, virtual_account, \
             payout, usa-virtual-accounts-act",
        ]
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::from_parts(Some(std::path::Path::new("no-such.toml")), []).expect_err("is refused");
    assert!(error.to_string().contains("no-such.toml: cannot be read"), "{error}");
}

#[test]
fn every_default_of_the_table_can_be_written_as_it_stands() {
    let written: Vec<_> = SETTINGS
        .iter()
        .filter(|setting| !setting.default.starts_with('('))
        .map(|setting| (setting.env.into(), setting.default.into()))
        .collect();
    assert!(Config::from_parts(None, written).is_ok());
}

#[test]
fn tls_is_off_or_a_certificate_with_its_key() {
    assert_eq!(load("", &[]).expect("is valid").server.http_tls, None);
    let file = "[server]\ngrpc_tls_cert = \"c.pem\"\ngrpc_tls_key = \"k.pem\"\ngrpc_tls_client_ca = \"ca.pem\"";
    let server = load(file, &[("KIRA_HTTP_TLS_CERT", "off")]).expect("is valid").server;
    assert_eq!(server.http_tls, None);
    let tls = server.grpc_tls.expect("all is given");
    assert_eq!((tls.cert.setting.as_str(), tls.cert.path.to_str()), ("server.grpc_tls_cert", Some("c.pem")));
    assert!(tls.client_ca.is_some_and(|ca| ca.path.ends_with("ca.pem")));

    let found = problems(
        "",
        &[("KIRA_HTTP_TLS_CERT", "c.pem"), ("KIRA_GRPC_TLS_CLIENT_CA", "ca.pem"), ("KIRA_CORS_ORIGINS", "example.com")],
    );
    assert_eq!(
        found,
        [
            "KIRA_HTTP_TLS_KEY: must be given with KIRA_HTTP_TLS_CERT",
            "KIRA_GRPC_TLS_CLIENT_CA: needs KIRA_GRPC_TLS_CERT and KIRA_GRPC_TLS_KEY: without TLS no client can show a \
             certificate",
            "KIRA_CORS_ORIGINS: \"example.com\" has \"example.com\", which is not an origin; accepted: off, * or origins such \
             as https://app.example.com,http://localhost:3000",
        ]
    );
    assert_eq!(
        problems("", &[("KIRA_GRPC_TLS_KEY", "k.pem")]),
        ["KIRA_GRPC_TLS_CERT: must be given with KIRA_GRPC_TLS_KEY"]
    );
}
