//! Webhooks of the program as it runs, and its commands for receivers.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use kira_users::env::{Env as _, SystemEnv};
use kira_users::webhook::signature::EndpointSecret;
use serde_json::json;

use crate::harness::database::TestDatabase;
use crate::harness::program::Setup;
use crate::harness::service::http_client;

const SECRET: &str = "a secret of the client's own making";

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_at_a_server_arrives_verified_at_a_listening_command() {
    let mut setup = Setup::on(TestDatabase::migrated().await);
    setup.set("KIRA_WEBHOOK_ALLOW", "127.0.0.0/8");
    let client = setup.client();
    let mut listening = setup
        .command(&["webhook", "listen", "--addr", "127.0.0.1:0", "--secret", SECRET])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(listening.stdout.take().expect("its output")).lines();
    let first = lines.next().expect("a line").expect("a text");
    let url = first.strip_prefix("Listening on ").expect("the address");

    let server = setup.serve();
    let token = server.token(&client).await;
    let post = |path: &str, body: serde_json::Value| {
        let request = http_client().post(format!("http://{}{path}", server.rest())).bearer_auth(&token);
        let key = client["api_key"].as_str().expect("an API key");
        request.header("x-api-key", key).header("idempotency-key", uuid::Uuid::new_v4().to_string()).json(&body)
    };
    let endpoint = post("/v1/webhooks/endpoints", json!({"url": url, "secret": SECRET}));
    assert_eq!(endpoint.send().await.expect("an answer").status(), 201);
    let user = json!({"type": "individual", "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"});
    assert_eq!(post("/v1/users", user).send().await.expect("an answer").status(), 201);

    let verdict = lines.next().expect("a line").expect("a text");
    assert!(verdict.contains("webhook-signature: good; x-signature-sha256: good; sent"), "{verdict}");
    let body: serde_json::Value = serde_json::from_str(&lines.next().expect("a line").expect("a text")).expect("JSON");
    assert_eq!(body["event"], "user.created");
    let listed = setup.printed(&["webhook", "list"]);
    let shown = url.rsplit_once('/').map_or(url, |(origin, _)| origin);
    assert!(listed.contains(shown) && listed.contains("enabled"), "{listed}");
    let deliveries = setup.printed(&["webhook", "deliveries", "--json"]);
    assert!(deliveries.contains("user.created"), "{deliveries}");
    listening.kill().expect("it runs");
    listening.wait().expect("it ends");
}

#[test]
fn a_captured_request_is_verified_without_an_installation() {
    let setup = Setup::embedded();
    let now = SystemEnv::default().now();
    let body = br#"{"event":"webhook.test"}"#;
    let secret = EndpointSecret::new(SECRET);
    let head = format!(
        "webhook-id: 7\nwebhook-timestamp: {}\nwebhook-signature: {}\nx-signature-sha256: {}\n\n",
        now.timestamp(),
        secret.sign("7", now, body),
        secret.sign_body(body)
    );
    let file = setup.folder.path().join("request");
    std::fs::write(&file, [head.as_bytes(), body].concat()).expect("a file");
    let file = file.display().to_string();
    let good = setup.run(&["webhook", "verify", &file, "--secret", SECRET]);
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
    let bad = setup.run(&["webhook", "verify", &file, "--secret", "another secret, which is as long"]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&bad.stdout).contains("the signature does not match"));
    assert!(!setup.data().exists(), "nothing is made");
}
