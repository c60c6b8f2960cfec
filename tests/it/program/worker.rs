//! The worker as a process of its own.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::database::TestDatabase;
use crate::harness::program::{Program, Setup, wait_until_async};
use crate::harness::requests::with_files;
use crate::harness::service::{Answer, http_client};

async fn user(program: &Program, client: &Value, token: &str, id: Option<&str>) -> Value {
    let url = format!("http://{}/v1/users", program.rest());
    let request = match id {
        None => http_client().post(url).header("idempotency-key", Uuid::new_v4().to_string()).json(&with_files()),
        Some(id) => http_client().get(format!("{url}/{id}")),
    };
    let request = request.bearer_auth(token).header("x-api-key", client["api_key"].as_str().expect("an API key"));
    Answer::of(request.send().await.expect("an answer")).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_worker_leaves_the_work_to_the_command_worker() {
    let mut setup = Setup::on(TestDatabase::migrated().await);
    setup.set("KIRA_WORKER", "false");
    setup.set("KIRA_SANDBOX_DELAY", "0s");
    let client = setup.client();
    let server = setup.serve();
    let token = server.token(&client).await;
    let created = user(&server, &client, &token, None).await;
    let id = created["id"].as_str();
    assert_eq!((&created["verification_triggered"], &created["status"]), (&json!(true), &json!("CREATED")));

    let mut worker = setup.work();
    let readiness = worker.readiness().await.json();
    assert_eq!(readiness["status"], "ready");
    let verification = json!({"provider": "sandbox", "worker": true, "circuit": "closed"});
    assert_eq!((&readiness["verification"], &readiness["webhooks"]["sender"]), (&verification, &json!(true)));
    let verified = || async { (user(&server, &client, &token, id).await["status"] == "VERIFIED").then_some(()) };
    wait_until_async(verified, "the outcome").await;
    worker.terminate();
    assert!(worker.ended().success());
}

#[test]
fn an_outside_provider_needs_its_address_and_its_secret() {
    let mut setup = Setup::embedded();
    setup.set("KIRA_VERIFICATION_PROVIDER", "http");
    let output = setup.run(&[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("KIRA_VENDOR_URL: must be given") && said.contains("KIRA_VENDOR_SECRET: must be given"));
}
