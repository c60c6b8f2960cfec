//! `client create|list|rotate|disable`, and what they do to a running service.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::database::TestDatabase;
use crate::harness::program::{Program, Setup, wait_until_async};
use crate::harness::service::{Answer, http_client};

async fn setup() -> Setup {
    Setup::on(TestDatabase::migrated().await)
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

async fn authenticate(program: &Program, client: &Value) -> Answer {
    let request = http_client().post(format!("http://{}/auth", program.rest()));
    let request = request.header("x-api-key", client["api_key"].as_str().expect("an API key"));
    let body = json!({"client_id": client["client_id"], "password": client["password"]});
    Answer::of(request.json(&body).send().await.expect("an answer")).await
}

async fn call(program: &Program, client: &Value, token: &str) -> u16 {
    let request = http_client().get(format!("http://{}/v1/users/{}", program.rest(), Uuid::nil()));
    let request = request.bearer_auth(token).header("x-api-key", client["api_key"].as_str().expect("an API key"));
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_client_is_shown_once_as_json_for_programs() {
    let setup = setup().await;
    let printed = setup.printed(&["client", "create", "--name", "Acme", "--json"]);
    assert_eq!(printed.lines().count(), 1);
    let client = parse(&printed);
    assert_eq!(keys(&client), ["api_key", "client_id", "password"]);
    assert!(printed.starts_with("{\"client_id\":\""), "in the documented order");
    assert!(client["client_id"].as_str().and_then(|id| Uuid::try_parse(id).ok()).is_some());
    let listed = setup.printed(&["client", "list"]);
    assert!(listed.contains("Acme") && listed.contains(client["client_id"].as_str().expect("an id")));
    for secret in ["password", "api_key"] {
        assert!(!listed.contains(client[secret].as_str().expect("a secret")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_made_beside_a_running_service_can_call_at_once() {
    let setup = setup().await;
    let program = setup.serve();
    let client = setup.client();
    let token = program.token(&client).await;
    assert_eq!(call(&program, &client, &token).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_as_json_tells_who_is_disabled() {
    let setup = setup().await;
    let (one, two) = (setup.client(), setup.client());
    setup.printed(&["client", "disable", two["client_id"].as_str().expect("an id")]);
    let list = parse(&setup.printed(&["client", "list", "--json"]));
    let list = list.as_array().expect("a list");
    assert_eq!(list.len(), 2);
    for client in list {
        assert_eq!(keys(client), ["client_id", "created_at", "disabled_at", "name", "role"]);
        assert!(client["created_at"].as_str().is_some_and(|time| time.parse::<DateTime<Utc>>().is_ok()));
        assert_eq!(client["disabled_at"].is_null(), client["client_id"] == one["client_id"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_gives_new_credentials_and_keeps_the_old_for_the_overlap() {
    let setup = setup().await;
    let program = setup.serve();
    let old = setup.client();
    let id = old["client_id"].as_str().expect("an id");
    let new = parse(&setup.printed(&["client", "rotate", id, "--overlap", "1h", "--json"]));
    assert_eq!(keys(&new), ["api_key", "client_id", "password", "previous_expire_at"]);
    assert_eq!(new["client_id"], old["client_id"]);
    for client in [&old, &new] {
        assert_eq!(authenticate(&program, client).await.status, 200);
    }
    let newest = parse(&setup.printed(&["client", "rotate", id, "--overlap", "0s", "--json"]));
    let statuses = [authenticate(&program, &old).await.status, authenticate(&program, &new).await.status];
    assert_eq!(statuses, [401, 401]);
    assert_eq!(authenticate(&program, &newest).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_client_is_refused_by_a_running_service_within_five_seconds() {
    let setup = setup().await;
    let program = setup.serve();
    let client = setup.client();
    let token = program.token(&client).await;
    assert_eq!(call(&program, &client, &token).await, 404);
    setup.printed(&["client", "disable", client["client_id"].as_str().expect("an id")]);
    let disabled = std::time::Instant::now();
    let refused = || async { (call(&program, &client, &token).await == 401).then_some(()) };
    wait_until_async(refused, "the refusal").await;
    // The machine may be slow to ask, but not by minutes; the promise itself is kept by the test with a clock.
    assert!(disabled.elapsed().as_secs() < 30);
    assert_eq!(authenticate(&program, &client).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_not_there_is_named() {
    let setup = setup().await;
    let id = Uuid::nil().to_string();
    for command in ["rotate", "disable"] {
        let refused = setup.run(&["client", command, &id]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{command}");
        assert!(said.contains(&id), "{command}: {said}");
    }
}

/// The file of an import of one client, with a password and an API key that end so.
fn client_file(setup: &Setup, id: Uuid, ending: &str) -> (String, Value) {
    let secret = |kind: &str| format!("{kind}-{}-{ending}", "x".repeat(32));
    let client = json!({"client_id": id, "name": "Acme", "password": secret("password"), "api_key": secret("key")});
    let file = setup.folder.path().join("clients.json");
    std::fs::write(&file, json!([client]).to_string()).expect("is written");
    (file.display().to_string(), client)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_a_file_calls_with_the_credentials_of_the_file() {
    let setup = setup().await;
    let program = setup.serve();
    let (file, client) = client_file(&setup, Uuid::from_u128(1), "one");
    let printed = setup.printed(&["client", "import", "--file", &file]);
    assert_eq!(printed.trim(), format!("The client {} is created.", Uuid::from_u128(1)));
    let token = program.token(&client).await;
    assert_eq!(call(&program, &client, &token).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_comes_twice_changes_nothing() {
    let setup = setup().await;
    let (file, _) = client_file(&setup, Uuid::from_u128(1), "one");
    setup.printed(&["client", "import", "--file", &file]);
    assert!(setup.printed(&["client", "import", "--file", &file]).contains("is unchanged"));
    assert_eq!(parse(&setup.printed(&["client", "list", "--json"])).as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn new_credentials_of_the_file_replace_the_old_after_the_overlap() {
    let setup = setup().await;
    let program = setup.serve();
    let (file, old) = client_file(&setup, Uuid::from_u128(1), "old");
    setup.printed(&["client", "import", "--file", &file]);
    let (file, new) = client_file(&setup, Uuid::from_u128(1), "new");
    assert!(setup.printed(&["client", "import", "--file", &file]).contains("has new credentials"));
    assert_eq!(authenticate(&program, &old).await.status, 200);
    assert_eq!(authenticate(&program, &new).await.status, 200);
    let (file, newest) = client_file(&setup, Uuid::from_u128(1), "newest");
    setup.printed(&["client", "import", "--file", &file, "--overlap", "0s"]);
    let refused = async || (authenticate(&program, &old).await.status == 401).then_some(());
    wait_until_async(refused, "the refusal of the old credentials").await;
    assert_eq!(authenticate(&program, &newest).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_were_replaced_do_not_come_back() {
    let setup = setup().await;
    for ending in ["old", "new"] {
        setup.printed(&["client", "import", "--file", &client_file(&setup, Uuid::from_u128(1), ending).0]);
    }
    // Nor do they keep what imports them at each start from starting.
    let said = setup.printed(&["client", "import", "--file", &client_file(&setup, Uuid::from_u128(1), "old").0]);
    assert!(said.contains("keeps its newer credentials"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_client_of_a_file_stays_disabled() {
    let setup = setup().await;
    let (file, client) = client_file(&setup, Uuid::from_u128(1), "one");
    setup.printed(&["client", "import", "--file", &file]);
    setup.printed(&["client", "disable", client["client_id"].as_str().expect("an id")]);
    assert!(setup.printed(&["client", "import", "--file", &file]).contains("is disabled and stays disabled"));
}

/// The entry of a client file, changed in one field.
fn changed(entry: &Value, field: &str, value: &str) -> Value {
    let mut entry = entry.clone();
    entry[field] = json!(value);
    entry
}

fn write_client_file(setup: &Setup, entry: &Value) -> String {
    let file = setup.folder.path().join("clients.json");
    std::fs::write(&file, json!([entry]).to_string()).expect("is written");
    file.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_of_the_file_is_taken_beside_the_same_api_key() {
    let setup = setup().await;
    let program = setup.serve();
    let (file, old) = client_file(&setup, Uuid::from_u128(1), "one");
    setup.printed(&["client", "import", "--file", &file]);
    let new = changed(&old, "password", &"n".repeat(40));
    let file = write_client_file(&setup, &new);
    let said = setup.printed(&["client", "import", "--file", &file]);
    assert!(said.contains("has a new password and the same API key"), "{said}");
    assert_eq!(authenticate(&program, &new).await.status, 200);
    assert_eq!(authenticate(&program, &old).await.status, 200, "it stays good for the overlap");
    assert!(setup.printed(&["client", "import", "--file", &file]).contains("is unchanged"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overlap_of_zero_ends_the_password_before_at_once() {
    let setup = setup().await;
    let (file, old) = client_file(&setup, Uuid::from_u128(1), "one");
    setup.printed(&["client", "import", "--file", &file]);
    let new = changed(&old, "password", &"n".repeat(40));
    setup.printed(&["client", "import", "--overlap", "0s", "--file", &write_client_file(&setup, &new)]);
    let program = setup.serve();
    assert_eq!(authenticate(&program, &old).await.status, 401);
    assert_eq!(authenticate(&program, &new).await.status, 200);
    assert_eq!(authenticate(&program, &changed(&new, "api_key", &"k".repeat(40))).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_beside_an_api_key_that_was_rotated_away_is_refused_for_the_true_reason() {
    let setup = setup().await;
    let (file, old) = client_file(&setup, Uuid::from_u128(1), "one");
    setup.printed(&["client", "import", "--file", &file]);
    setup.printed(&["client", "rotate", &Uuid::from_u128(1).to_string()]);
    let file = write_client_file(&setup, &changed(&old, "password", &"n".repeat(40)));
    let said = setup.printed(&["client", "import", "--file", &file]);
    assert!(said.contains("the API key of the file was replaced by a rotation"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_of_the_file_is_taken_and_a_new_role_is_refused_in_words() {
    let setup = setup().await;
    let (file, entry) = client_file(&setup, Uuid::from_u128(1), "one");
    setup.printed(&["client", "import", "--file", &file]);
    let entry = changed(&changed(&entry, "name", "Umbrella"), "role", "reviewer");
    let said = setup.printed(&["client", "import", "--file", &write_client_file(&setup, &entry)]);
    assert!(said.contains("it has a new name"), "{said}");
    assert!(said.contains("it keeps the role client"), "{said}");
    let listed = parse(&setup.printed(&["client", "list", "--json"]));
    assert_eq!((&listed[0]["name"], &listed[0]["role"]), (&json!("Umbrella"), &json!("client")));
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_import_the_same_file_at_once_all_succeed() {
    let setup = setup().await;
    // The secret behind the digests of API keys is made at the first use.
    setup.printed(&["client", "list"]);
    let (file, _) = client_file(&setup, Uuid::from_u128(1), "one");
    let mut running: Vec<_> = (0..4)
        .map(|_| setup.command(&["client", "import", "--file", &file]).spawn().expect("the program runs"))
        .collect();
    assert!(running.iter_mut().all(|process| process.wait().expect("its end").success()));
    assert_eq!(parse(&setup.printed(&["client", "list", "--json"])).as_array().map(Vec::len), Some(1));
}
