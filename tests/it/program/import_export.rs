//! `import` and `export`: a file of users goes into a service or its database, and comes out again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::database::TestDatabase;
use crate::harness::program::{Program, Setup, wait_until, wait_until_async};
use crate::harness::requests::{EXAMPLES, data_uri, example, jpeg, minimal, with, with_files};
use crate::harness::service::{Answer, http_client};

async fn setup() -> Setup {
    let mut setup = Setup::on(TestDatabase::migrated().await);
    // Imported users stay as they are made.
    setup.set("KIRA_WORKER", "false");
    setup
}

/// Writes a file beside the program.
fn write(setup: &Setup, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = setup.folder.path().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, content).expect("a file");
    path.display().to_string()
}

/// Lines of JSON.
fn lines<'a>(bodies: impl IntoIterator<Item = &'a Value>) -> String {
    bodies.into_iter().map(|body| format!("{body}\n")).collect()
}

fn person(number: usize) -> Value {
    json!({"type": "individual", "email": format!("user{number}@example.com"), "first_name": "Ada",
        "last_name": format!("Lovelace {number}"), "external_id": format!("reference-{number}")})
}

fn id(client: &Value) -> &str {
    client["client_id"].as_str().expect("an id")
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

fn report(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a report");
    let mut entries: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    entries.sort_by_key(|entry| entry["line"].as_u64());
    entries
}

/// Imports into the database.
fn into_database(setup: &Setup, client: &Value, arguments: &[&str]) -> Output {
    setup.run(&[&["import", "--client", id(client)], arguments].concat())
}

/// Imports over a running service.
fn over(setup: &Setup, program: &Program, client: &Value, arguments: &[&str]) -> Command {
    let credentials = write(setup, "credentials.json", client.to_string());
    let url = format!("http://{}", program.rest());
    setup.command(&[&["import", "--url", &url, "--credentials", &credentials], arguments].concat())
}

async fn users(setup: &Setup) -> i64 {
    setup.database.as_ref().expect("a database").count("users").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_lines_are_created_and_a_broken_one_in_the_middle_is_told_by_its_number() {
    let setup = setup().await;
    let client = setup.client();
    let mut bodies: Vec<String> = (1..=1_000).map(|number| person(number).to_string()).collect();
    bodies[499] = "{\"type\":\"individual\", secret".to_owned();
    bodies[699] = with(person(700), "/email", json!("very secret")).to_string();
    bodies[799] = "[1]".to_owned();
    bodies.insert(800, "  ".to_owned());
    let file = write(&setup, "users.jsonl", bodies.join("\n"));
    let to = setup.folder.path().join("report.jsonl").display().to_string();
    let output = into_database(&setup, &client, &[&file, "--report", &to]);
    assert_eq!(printed(&output), "Lines: 1000. Created: 997. Already there: 0. Refused: 3.");
    assert_eq!(output.status.code(), Some(1), "the exit code tells that some were refused");
    let of = |path: &str, code: &str| json!([{"path": path, "code": code}]);
    assert_eq!(
        report(&to),
        [
            json!({"line": 500, "code": "invalid_json", "details": of("", "invalid_json")}),
            json!({"line": 700, "status": 400, "code": "invalid_request", "details": of("email", "invalid_string")}),
            json!({"line": 800, "code": "invalid_type", "details": of("", "invalid_type")}),
        ]
    );
    let said = [output.stderr, fs::read(&to).expect("a report")].concat();
    assert!(!String::from_utf8_lossy(&said).contains("secret"), "no value of a line is told");
    assert_eq!(fs::metadata(&to).expect("a report").permissions().mode() & 0o777, 0o600);
    assert_eq!(users(&setup).await, 997);

    let again = into_database(&setup, &client, &[&file, "--report", &to]);
    assert_eq!(printed(&again), "Lines: 1000. Created: 0. Already there: 997. Refused: 3.");
    assert_eq!(users(&setup).await, 997);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_goes_on_when_it_is_run_again_by_either_way() {
    let setup = setup().await;
    let client = setup.client();
    let program = setup.serve();
    let bodies: Vec<Value> = (1..=1_000).map(person).collect();
    let file = write(&setup, "users.jsonl", lines(&bodies));
    let mut import = over(&setup, &program, &client, &[&file, "--concurrency", "2"]).spawn().expect("the program runs");
    let some = || async { (users(&setup).await > 20).then_some(()) };
    wait_until_async(some, "the first users").await;
    import.kill().expect("it runs");
    import.wait().expect("it ends");
    let left = users(&setup).await;
    assert!((20..1_000).contains(&left), "{left}");

    let output = over(&setup, &program, &client, &[&file]).output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(users(&setup).await, 1_000);
    let there = printed(&output);
    let there = there.split("Already there: ").nth(1).and_then(|rest| rest.split('.').next()).map(str::to_owned);
    assert!(there.and_then(|count| count.parse::<i64>().ok()).is_some_and(|count| count >= left));
    assert_eq!(output.stderr, b"", "it is quiet where nobody watches");

    let again = into_database(&setup, &client, &[&file]);
    assert_eq!(printed(&again), "Lines: 1000. Created: 0. Already there: 1000. Refused: 0.");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_waits_as_long_as_the_service_asks_it_to() {
    let mut setup = setup().await;
    setup.set("KIRA_RATE_LIMIT_PER_SECOND", "20");
    let client = setup.client();
    let program = setup.serve();
    let bodies: Vec<Value> = (1..=50).map(person).collect();
    let file = write(&setup, "users.jsonl", lines(&bodies));
    let output = over(&setup, &program, &client, &[&file]).output().expect("the program runs");
    assert_eq!(printed(&output), "Lines: 50. Created: 50. Already there: 0. Refused: 0.");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_waits_for_a_service_that_is_away_and_goes_on_when_it_is_back() {
    let mut setup = setup().await;
    let client = setup.client();
    let program = setup.serve();
    setup.set("KIRA_HTTP_ADDR", &program.rest());
    let bodies: Vec<Value> = (1..=300).map(person).collect();
    let file = write(&setup, "users.jsonl", lines(&bodies));
    let mut import = over(&setup, &program, &client, &[&file, "--concurrency", "1"]).spawn().expect("the program runs");
    let some = || async { (users(&setup).await > 5).then_some(()) };
    wait_until_async(some, "the first users").await;
    program.kill();
    let program = setup.serve();
    wait_until(|| import.try_wait().expect("a child"), || "the end".to_owned());
    let output = import.wait_with_output().expect("it ended");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(users(&setup).await, 300);
    drop(program);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_credentials_or_the_client_ends_the_import() {
    let setup = setup().await;
    let mut client = setup.client();
    let program = setup.serve();
    let file = write(&setup, "users.jsonl", lines([&minimal()]));
    client["password"] = json!("wrong");
    let refused = over(&setup, &program, &client, &[&file]).output().expect("the program runs");
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("the service refuses the client's credentials") && !said.contains("wrong"), "{said}");

    let nobody = json!({"client_id": Uuid::nil()});
    for command in ["import", "export"] {
        let refused = setup.run(&[command, "--client", id(&nobody), &file]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no client"), "{command}");
    }
    assert_eq!(users(&setup).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_standard_input_may_name_files_of_the_current_folder_and_no_others() {
    let setup = setup().await;
    let client = setup.client();
    write(&setup, "pictures/front.jpg", jpeg("front"));
    let document = |file: &str| {
        json!({"type": "individual", "email": "a@example.com", "first_name": "A", "last_name": "B",
            "identifying_information": [{"type": "passport", "issuing_country": "USA",
                "documents": [{"type": "front", "file": file}]}]})
    };
    let text = lines([&document("@pictures/front.jpg"), &document("@/etc/hostname"), &document("@none.jpg")]);
    let file = write(&setup, "lines", text);
    let mut import = setup.command(&["import", "--client", id(&client), "-"]);
    let output = import.stdin(fs::File::open(file).expect("a file")).output().expect("the program runs");
    assert_eq!(printed(&output), "Lines: 3. Created: 1. Already there: 0. Refused: 2.");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let place = r#""details":[{"path":"identifying_information.0.documents.0.file","code":"#;
    for code in ["file_outside", "file_unreadable"] {
        assert!(said.contains(&format!("{place}\"{code}\"}}]")), "{said}");
    }
    assert_eq!(setup.database.as_ref().expect("a database").count("documents").await, 1);
}

/// The lines of an export by external id, each without what differs from installation to installation.
fn exported(folder: &Path) -> BTreeMap<String, Value> {
    let text = fs::read_to_string(folder.join("users.jsonl")).expect("users");
    let read = |line: &str| {
        let mut user: Value = serde_json::from_str(line).expect("JSON");
        let object = user.as_object_mut().expect("an object");
        let record = object.remove("_exported").expect("a record");
        let key = object.remove("idempotency_key").expect("a key");
        assert_eq!(record["id"], key);
        name_by_content(&mut user, folder);
        (user["external_id"].as_str().unwrap_or_default().to_owned(), user)
    };
    text.lines().map(read).collect()
}

/// Replaces the path of each file by its content.
fn name_by_content(value: &mut Value, folder: &Path) {
    match value {
        Value::Object(entries) => entries.values_mut().for_each(|value| name_by_content(value, folder)),
        Value::Array(values) => values.iter_mut().for_each(|value| name_by_content(value, folder)),
        Value::String(text) => {
            if let Some(path) = text.strip_prefix("@documents/") {
                let content = fs::read(folder.join("documents").join(path)).expect("a file");
                *value = data_uri("of", &content);
            }
        }
        _ => {}
    }
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

fn private_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files_below(folder, &mut found);
    for path in &found {
        assert_eq!(fs::metadata(path).expect("a file").permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_are_exported_and_imported_elsewhere_are_the_same_users() {
    let (one, two) = (setup().await, setup().await);
    let (client, other) = (one.client(), one.client());
    let mut bodies: Vec<Value> = EXAMPLES.iter().map(|text| example(text)).collect();
    bodies[0]["metadata"] =
        json!({"documents": [{"file": "@home"}], "n": 0.1, "nested": {"a": [1, null, "é\u{1F600}"]}});
    bodies.push(person(1));
    let file = write(&one, "users.jsonl", lines(&bodies));
    let imported = into_database(&one, &client, &[&file]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    into_database(&one, &other, &[&write(&one, "other.jsonl", lines([&minimal()]))]);

    let folder = one.folder.path().join("out");
    let printed_by_export = one.printed(&["export", "--client", id(&client), &folder.display().to_string()]);
    assert!(printed_by_export.starts_with("5 user(s) and "), "{printed_by_export}");
    let found = private_files(&folder);
    assert!(!found.iter().any(|path| path.to_string_lossy().ends_with(".part")), "{found:?}");
    let checked = Command::new("sha256sum").args(["-c", "--quiet", "SHA256SUMS"]).current_dir(&folder).output();
    let checked = checked.expect("sha256sum runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).expect("sums");
    assert_eq!(sums.lines().count(), found.len() - 1, "every file but the list itself");

    let there = two.client();
    let users_file = folder.join("users.jsonl").display().to_string();
    let imported = into_database(&two, &there, &[&users_file, "--strict"]);
    assert_eq!(printed(&imported), "Lines: 5. Created: 5. Already there: 0. Refused: 0.");
    let again = two.folder.path().join("out");
    two.printed(&["export", "--client", id(&there), &again.display().to_string()]);
    assert_eq!(exported(&folder), exported(&again));

    let once_more = into_database(&two, &there, &[&users_file]);
    assert_eq!(printed(&once_more), "Lines: 5. Created: 0. Already there: 5. Refused: 0.");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_alone_is_exported_and_no_user_of_another_client() {
    let setup = setup().await;
    let (client, other) = (setup.client(), setup.client());
    let program = setup.serve();
    let token = program.token(&client).await;
    let create = http_client().post(format!("http://{}/v1/users", program.rest())).bearer_auth(token);
    let create = create.header("x-api-key", client["api_key"].as_str().expect("a key"));
    let create = create.header("idempotency-key", Uuid::new_v4().to_string()).json(&with_files());
    let created = Answer::of(create.send().await.expect("an answer")).await.json();
    into_database(&setup, &client, &[&write(&setup, "more.jsonl", lines([&minimal()]))]);
    let user = created["id"].as_str().expect("an id");
    let folder = setup.folder.path().join("one");
    let to = folder.display().to_string();
    assert!(
        setup.printed(&["export", "--client", id(&client), "--user", user, &to]).starts_with("1 user(s) and 3 file(s)")
    );
    let line: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("users.jsonl")).expect("users")).expect("JSON");
    let record = &line["_exported"];
    for key in ["id", "status", "created_at", "updated_at"] {
        assert_eq!(record[key], created[key], "{key}");
    }
    let second = setup.run(&["export", "--client", id(&client), "--user", user, &to]);
    assert!(String::from_utf8_lossy(&second.stderr).contains("is not empty"));

    let none = setup.folder.path().join("none").display().to_string();
    let refused = setup.run(&["export", "--client", id(&other), "--user", user, &none]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the client has no user"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_killed_goes_on_where_it_was() {
    let setup = setup().await;
    let client = setup.client();
    // Files of their own, so that an export takes a while.
    let bodies: Vec<Value> = (1..=450)
        .map(|number| {
            let mut body = person(number);
            let file = data_uri("image/jpeg", &jpeg(&number.to_string()));
            body["documents"] = json!([{"type": "selfie", "file": file}]);
            body
        })
        .collect();
    assert!(into_database(&setup, &client, &[&write(&setup, "users.jsonl", lines(&bodies))]).status.success());
    let folder = setup.folder.path().join("out");
    let to = folder.display().to_string();
    let arguments = ["export", "--client", id(&client), &to];
    let progress = || {
        let text = fs::read(folder.join("export.progress")).ok()?;
        serde_json::from_slice::<Value>(&text).ok()?["users"].as_u64()
    };
    let mut export = setup.command(&arguments).spawn().expect("the program runs");
    wait_until(|| progress().filter(|users| *users > 0), || "the first page".to_owned());
    export.kill().expect("it runs");
    export.wait().expect("it ends");
    let before = progress();
    assert!(before.is_some_and(|users| users < 450), "it was stopped in the middle: {before:?}");
    assert!(!folder.join("users.jsonl").exists(), "only a whole export has this name");

    assert!(setup.printed(&arguments).starts_with("450 user(s) and 450 file(s)"));
    assert_eq!(exported(&folder).len(), 450);
    let checked = Command::new("sha256sum").args(["-c", "--quiet", "SHA256SUMS"]).current_dir(&folder).output();
    assert!(checked.expect("sha256sum runs").status.success());
    assert_eq!(private_files(&folder).len(), 452);
}
