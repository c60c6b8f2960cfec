//! Personal data is not visible outside the service.

use chrono::TimeDelta;
use kira_users::contract::v1;
use kira_users::env::Env as _;
use kira_users::vault::documents::DocumentStore;
use kira_users::vault::{AeadContext, FileReader, KeyRing, Owner, Vault, VaultError};
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::database::TestDatabase;
use crate::harness::requests::{EXAMPLES, data_uri, example, jpeg, message, with};
use crate::harness::service::{Client, Service};
use crate::promises::log;
use crate::promises::support::{files, id, objects};

/// Part of every text, number and file that is planted.
const MARK: &str = "zqjxkvwyq";
/// Part of every telephone number that is planted.
const DIGITS: &str = "52157391";

/// Keys whose values are in clear by design: what kind of user it is, from where, and the choices of closed lists.
const CLOSED: [&str; 15] = [
    "type",
    "gender",
    "nationality",
    "issuing_country",
    "address_country",
    "source_of_funds",
    "account_purpose",
    "employment_status",
    "expected_monthly_payments",
    "business_type",
    "business_industry",
    "birth_date",
    "expiration",
    "formation_date",
    "representative_birth_date",
];

/// The body with a planted value, never the same, in place of every free text and every JPEG.
fn planted(body: Value, count: &mut usize) -> Value {
    fn plant(key: &str, value: Value, count: &mut usize) -> Value {
        match value {
            Value::Object(members) => {
                members.into_iter().map(|(key, value)| (key.clone(), plant(&key, value, count))).collect()
            }
            Value::Array(items) => items.into_iter().map(|item| plant(key, item, count)).collect(),
            Value::String(_) if CLOSED.contains(&key) => value,
            Value::String(text) => {
                *count += 1;
                let mark = format!("{MARK}{count}");
                match key {
                    "email" => json!(format!("{mark}@example.com")),
                    "business_website" => json!(format!("https://{mark}.example.com/")),
                    "phone" => json!(format!("+{DIGITS}{count:05}")),
                    "file" if text.starts_with("data:image/jpeg") => data_uri("image/jpeg", &jpeg(&mark)),
                    "file" => json!(text),
                    _ => json!(mark),
                }
            }
            other => other,
        }
    }
    plant("", body, count)
}

/// What a secret looks like as text, in hexadecimal, and in base64 wherever it begins.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let encoded = (0..3).map(|shift| {
        let text = [&[0; 2][..shift.min(2)], secret.as_bytes()].concat();
        let encoded = base64_simd::STANDARD_NO_PAD.encode_to_string(text);
        // The first and the last characters depend on their neighbours.
        encoded.as_bytes()[(shift * 8).div_ceil(6)..encoded.len() - 2].to_vec()
    });
    [secret.as_bytes().to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()].into_iter().chain(encoded).collect()
}

/// The secrets that `haystack` contains in any form.
fn found<'a>(haystack: &[u8], secrets: &[&'a str]) -> Vec<&'a str> {
    let mut found = secrets.to_vec();
    found.retain(|secret| forms(secret).iter().any(|form| contains(haystack, form)));
    found
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Everything that is in the database, as bytes.
async fn stored(database: &TestDatabase) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(folder) = database.folder() {
        let mut paths = Vec::new();
        files(folder, &mut paths);
        assert!(paths.iter().any(|path| path.to_string_lossy().ends_with("-wal")), "the write-ahead log is read too");
        paths.iter().for_each(|path| all.extend(std::fs::read(path).expect("a file")));
        return all;
    }
    let connection = database.look().await;
    let text = |sql: String| {
        let connection = &connection;
        async move {
            let rows = connection.query_all_raw(Statement::from_string(DatabaseBackend::Postgres, sql)).await;
            let rows = rows.expect("rows").into_iter();
            rows.map(|row| row.try_get_by_index::<String>(0).expect("a text")).collect::<Vec<_>>()
        }
    };
    let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
    let tables = text(tables.to_owned()).await;
    assert!(tables.len() >= 10, "all tables are read");
    for table in tables {
        all.extend(text(format!("SELECT t::text FROM \"{table}\" t")).await.concat().into_bytes());
    }
    all
}

/// Calls that fail, each with planted values.
async fn fail(client: &Client, key: Uuid, body: &Value, count: &mut usize) {
    // 409, over both protocols.
    let changed = planted(body.clone(), count);
    assert_eq!(client.create_with(key, &changed).await.status, 409);
    assert!(client.grpc_create(key, message(&changed)).await.is_err());
    // 400: wrong values, unknown keys, broken JSON, a wrong path, a wrong query.
    let mut wrong = planted(body.clone(), count);
    wrong["email"] = json!(format!("{MARK}-no-address"));
    wrong["gender"] = json!(format!("{MARK}-no-gender"));
    wrong[format!("{MARK}-key")] = json!(format!("{MARK}-unknown"));
    assert_eq!(client.create(&wrong).await.status, 400);
    let mut no_email = message(body);
    match &mut no_email {
        v1::create_user_request::User::Individual(user) => user.email = Some(format!("{MARK}-no-address")),
        v1::create_user_request::User::Business(user) => user.email = Some(format!("{MARK}-no-address")),
    }
    assert!(client.grpc_create(Uuid::nil(), no_email).await.is_err());
    let broken = format!("{{\"first_name\": \"{MARK}-broken\" \"");
    assert_eq!(client.create_raw(&[("idempotency-key", &key.to_string())], broken).await.status, 400);
    assert_eq!(client.get(&format!("/v1/users/{MARK}-path")).await.status, 400);
    // 401.
    let other_client = Client { token: format!("{MARK}-token"), ..client.clone() };
    assert_eq!(other_client.create(&changed).await.status, 401);
    let password = format!("{MARK}-password");
    assert_eq!(client.authenticate(&password).await.status, 401);
}

#[tokio::test]
async fn no_personal_data_is_visible_in_the_database_the_documents_or_the_log() {
    let name = "promises::sealing::no_personal_data_is_visible_in_the_database_the_documents_or_the_log";
    if !log::capture_alone(name) {
        return;
    }
    let service = Service::start().await;
    let client = service.client().await;
    let mut count = 0;
    for text in EXAMPLES {
        let (key, body) = (Uuid::new_v4(), planted(example(text), &mut count));
        let first = client.create_with(key, &body).await;
        assert_eq!(first.status, 201, "{}", first.text);
        assert_eq!(client.create_with(key, &body).await.status, 200);
        let shown = client.get(&format!("/v1/users/{}", id(&first))).await;
        assert!(shown.text.contains(MARK) && shown.text.contains(DIGITS), "its client sees what it sent");
        let over_grpc = planted(example(text), &mut count);
        client.grpc_create(Uuid::new_v4(), message(&over_grpc)).await.expect("a user");
        fail(&client, key, &body, &mut count).await;
    }
    assert!(count > 300, "many values were planted");
    let secrets = [MARK, DIGITS, &client.password, &client.api_key, &client.token];

    let database = stored(&service.database).await;
    assert_eq!(found(&database, &["user.created"]), ["user.created"], "the search finds what is in clear");
    assert_eq!(found(&database, &secrets), [""; 0], "in the database");
    let documents = objects(&service);
    assert_eq!(documents.len(), 2 * (3 + 3 + 4 + 5), "every file is there");
    let documents = documents.iter().flat_map(|path| std::fs::read(path).expect("a file")).collect::<Vec<_>>();
    assert_eq!(found(&documents, &secrets), [""; 0], "in the documents");
    let log = log::text();
    assert_eq!(
        found(&log, &["request completed", "CreateUser"]),
        ["request completed", "CreateUser"],
        "the log was kept"
    );
    assert_eq!(found(&log, &secrets), [""; 0], "in the log");
}

#[test]
fn the_search_finds_a_secret_in_any_form() {
    for shift in 0..3 {
        let text = format!("{}{MARK} and more", "x".repeat(shift));
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let base64 = base64_simd::STANDARD.encode_to_string(&text);
        for form in [text, hex.to_uppercase(), hex, base64] {
            assert_eq!(found(form.as_bytes(), &[MARK, "absent"]), [MARK], "{form}");
        }
    }
}

#[tokio::test]
async fn a_document_opens_with_the_key_of_its_own_user_alone() {
    let service = Service::start().await;
    let client = service.client().await;
    let body = with(example(EXAMPLES[0]), "/identifying_information/1/documents/0/file", {
        data_uri("image/jpeg", &jpeg(MARK))
    });
    let user: Uuid = id(&client.create(&body).await).parse().expect("an id");
    let other: Uuid = id(&client.create(&body).await).parse().expect("an id");
    let resources = &service.running.resources;
    let row = resources.store.find_user(client.id, user).await.expect("a read").expect("the user");
    let owner = Owner { client_id: client.id, user_id: user };
    let key = resources.vault.open_data_key(owner, &row.wrapped_key).expect("its key");

    let mut own = 0;
    for path in objects(&service) {
        let document: Uuid = path.file_name().and_then(|name| name.to_str()).expect("a name").parse().expect("an id");
        let folder = path.parent().expect("a folder").display().to_string();
        let store = DocumentStore::open(&folder, Uuid::nil()).expect("the folder");
        let name = document.to_string();
        // The files are of one chunk: a header of 33 bytes before them, and a tag of 16 behind.
        let size = std::fs::metadata(&path).expect("a file").len() - 49;
        let open = async |place: AeadContext| {
            FileReader::open(&store, &name, (&key, &place), size, 0..size).await.expect("a file").read_all().await
        };
        let uploaded_at = service.clock.now();
        if let Ok(content) = open(AeadContext::DocumentContent { id: document, uploaded_at }).await {
            own += 1;
            assert!(content.starts_with(&[0xff, 0xd8]) || content.starts_with(b"\x89PNG"), "the file that was sent");
            let later = uploaded_at + TimeDelta::nanoseconds(1);
            let elsewhere = [
                AeadContext::DocumentContent { id: other, uploaded_at },
                AeadContext::DocumentContent { id: document, uploaded_at: later },
                AeadContext::ReviewNote(document),
                AeadContext::UserProfile,
            ];
            for place in elsewhere {
                assert!(open(place).await.is_err(), "in another place");
            }
        }
    }
    assert_eq!(own, 3, "of the six files of both users");

    let ring = "test:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
    let thief = Vault::new(KeyRing::parse(ring).expect("a ring"), resources.env.clone());
    assert_eq!(thief.open_data_key(owner, &row.wrapped_key).err(), Some(VaultError::DoesNotOpen));
}
