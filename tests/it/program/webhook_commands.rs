//! Endpoints managed by an operator, at the console.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::database::TestDatabase;
use crate::harness::program::Setup;

const URL: &str = "https://example.com/hook";

/// An installation with a client, and the client's id.
async fn setup() -> (Setup, String) {
    let mut setup = Setup::on(TestDatabase::migrated().await);
    setup.set("KIRA_WEBHOOK_ALLOW", "127.0.0.0/8");
    let client = setup.client()["client_id"].as_str().expect("an id").to_owned();
    (setup, client)
}

fn json_of(setup: &Setup, arguments: &[&str]) -> Value {
    serde_json::from_str(&setup.printed(&[&["webhook"], arguments, &["--json"]].concat())).expect("JSON")
}

/// Makes an endpoint; its id.
fn endpoint(setup: &Setup, client: &str, url: &str) -> String {
    let made = json_of(setup, &["create", "--client", client, "--url", url]);
    made["endpoint"]["id"].as_str().expect("an id").to_owned()
}

/// What a command says that fails.
fn complaint(setup: &Setup, arguments: &[&str]) -> String {
    let output = setup.run(&[&["webhook"], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_an_operator_makes_shows_its_secret_once() {
    let (setup, client) = setup().await;
    let made = setup.printed(&["webhook", "create", "--client", &client, "--url", URL, "--event", "user.created"]);
    assert!(made.contains("whsec_") && made.contains("shown this once") && made.contains("user.created"), "{made}");
    let listed = json_of(&setup, &["list"]);
    assert_eq!((&listed[0]["url"], &listed[0]["events"]), (&json!("https://example.com/…"), &json!(["user.created"])));
    assert_eq!(listed[0]["client_id"], json!(client));
    assert!(!listed.to_string().contains("whsec_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_operator_brings_is_not_repeated() {
    let (setup, client) = setup().await;
    let file = setup.folder.path().join("secret");
    std::fs::write(&file, "a secret of the client's own making\n").expect("a file");
    let file = file.display().to_string();
    let made = json_of(&setup, &["create", "--client", &client, "--url", URL, "--secret-file", &file]);
    assert!(made["endpoint"]["id"].is_string() && made.get("secret").is_none(), "{made}");
    let missing = complaint(&setup, &["create", "--client", &client, "--url", URL, "--secret-file", "nowhere"]);
    assert!(missing.contains("cannot read nowhere"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_refuses_is_refused_in_its_words() {
    let (setup, client) = setup().await;
    let file = setup.folder.path().join("secret");
    std::fs::write(&file, "short").expect("a file");
    let file = file.display().to_string();
    let create = |more: &[&str]| complaint(&setup, &[&["create", "--client", &client], more].concat());
    let reported = create(&["--url", "nonsense", "--secret-file", &file]);
    assert!(
        reported.contains("Invalid request data\n  url: Invalid url\n  secret: String must contain at least 24"),
        "{reported}"
    );
    let reported = create(&["--url", "https://10.0.0.1/"]);
    assert!(reported.contains("url: The URL's host is not on the public internet"), "{reported}");
    let id = endpoint(&setup, &client, URL);
    assert!(create(&["--url", URL]).contains("url: An endpoint with this URL exists already"));
    let reported = complaint(&setup, &["rotate", &id, "--client", &client, "--overlap", "31d"]);
    assert!(reported.contains("overlap_seconds: Number must be less than or equal to 2592000"), "{reported}");
    let unknown = uuid::Uuid::nil().to_string();
    let reported = complaint(&setup, &["delete", &unknown, "--client", &client]);
    assert!(reported.contains(&format!("Webhook endpoint with ID {unknown} not found")), "{reported}");
    let reported = complaint(&setup, &["replay", "--delivery", &unknown]);
    assert!(reported.contains(&format!("Webhook delivery with ID {unknown} not found")), "{reported}");
    let reported = complaint(&setup, &["replay", "--endpoint", &unknown]);
    assert!(reported.contains(&format!("Webhook endpoint with ID {unknown} not found")), "{reported}");
    assert!(complaint(&setup, &["test", &id, "--client", &unknown]).contains("there is no client"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_of_another_client_is_not_found() {
    let (setup, client) = setup().await;
    let id = endpoint(&setup, &client, URL);
    let other = setup.client()["client_id"].as_str().expect("an id").to_owned();
    let reported = complaint(&setup, &["update", &id, "--client", &other, "--disable"]);
    assert!(reported.contains("not found"), "{reported}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewer_has_no_endpoints() {
    let (setup, _) = setup().await;
    let reviewer = setup.printed(&["client", "create", "--name", "Ann", "--role", "reviewer", "--json"]);
    let reviewer: Value = serde_json::from_str(&reviewer).expect("JSON");
    let id = reviewer["client_id"].as_str().expect("an id");
    let reported = complaint(&setup, &["create", "--client", id, "--url", URL]);
    assert!(reported.contains("error: "), "{reported}");
    assert_eq!(json_of(&setup, &["list"]), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_changes_what_is_given_and_nothing_else() {
    let (setup, client) = setup().await;
    let id = endpoint(&setup, &client, URL);
    let update = |more: &[&str]| json_of(&setup, &[&["update", id.as_str(), "--client", &client], more].concat());
    let changed = update(&["--event", "user.updated", "--event", "user.created", "--ordered", "true"]);
    assert_eq!((&changed["events"], &changed["ordered"]), (&json!(["user.updated", "user.created"]), &json!(true)));
    let changed = update(&["--disable", "--url", "https://example.com/other"]);
    assert_eq!((&changed["enabled"], &changed["disabled_reason"]), (&json!(false), &json!("by_owner")));
    assert_eq!((&changed["url"], &changed["ordered"]), (&json!("https://example.com/other"), &json!(true)));
    let reported = complaint(&setup, &["test", &id, "--client", &client]);
    assert!(reported.contains("The endpoint is disabled"), "{reported}");
    let changed = update(&["--enable", "--all-events"]);
    assert_eq!((&changed["enabled"], &changed["events"]), (&json!(true), &json!([])));
    let nothing = setup.run(&["webhook", "update", &id, "--client", &client]);
    assert_eq!(nothing.status.code(), Some(2), "nothing to change is a wrong command line");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_has_the_one_before_beside_it() {
    let (setup, client) = setup().await;
    let id = endpoint(&setup, &client, URL);
    let rotated = json_of(&setup, &["rotate", &id, "--client", &client, "--overlap", "1h"]);
    assert!(rotated["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")));
    assert!(rotated["endpoint"]["previous_secret_until"].is_string(), "{rotated}");
    let at_once = json_of(&setup, &["rotate", &id, "--client", &client, "--overlap", "0s"]);
    assert!(at_once["endpoint"].get("previous_secret_until").is_none(), "{at_once}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_from_the_console_arrives_until_the_endpoint_is_deleted() {
    let (setup, client) = setup().await;
    let mut listening = setup
        .command(&["webhook", "listen", "--addr", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(listening.stdout.take().expect("its output")).lines();
    let first = lines.next().expect("a line").expect("a text");
    let url = first.strip_prefix("Listening on ").and_then(|rest| rest.split(';').next()).expect("the address");
    let _server = setup.serve();
    let id = endpoint(&setup, &client, url);
    let sent = json_of(&setup, &["test", &id, "--client", &client]);
    lines.next().expect("a line").expect("a text");
    let body: Value = serde_json::from_str(&lines.next().expect("a line").expect("a text")).expect("JSON");
    assert_eq!((&body["event"], &body["data"]["event_id"]), (&json!("webhook.test"), &sent["event_id"]));
    let reported = setup.printed(&["webhook", "delete", &id, "--client", &client]);
    assert!(reported.contains(&id) && json_of(&setup, &["list"]) == json!([]), "{reported}");
    listening.kill().expect("it runs");
    listening.wait().expect("it ends");
}

#[test]
fn an_empty_secret_is_refused_before_anything_listens() {
    let setup = Setup::embedded();
    for arguments in [&["listen", "--secret", ""][..], &["listen", "--secret", "whsec_no base64"]] {
        assert!(complaint(&setup, arguments).contains("secret"));
    }
}
