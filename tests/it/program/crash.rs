//! `kill -9` while users are created: what was acknowledged is there, and nothing is there twice or by halves.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kira_users::contract::v1;
use kira_users::contract::v1::users_service_client::UsersServiceClient;
use kira_users::env::{Env as _, SystemEnv};
use kira_users::service::orphans::sweep;
use kira_users::vault::documents::DocumentStore;
use parking_lot::RwLock;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;
use tonic::Code;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::harness::database::{ALL_EVENTS, TestDatabase};
use crate::harness::program::{Program, Setup, wait_until_async};
use crate::harness::requests::{message, with_files};
use crate::harness::service::{Answer, http_client};

/// Callers at the same time, every other one over gRPC.
const CALLERS: usize = 8;
/// How often the service is killed.
const KILLS: usize = 5;
/// Users that are acknowledged between two kills.
const BETWEEN: usize = 12;

/// What the callers share with the test.
struct Shared {
    /// Where the listeners are now.
    listeners: RwLock<[String; 2]>,
    token: String,
    api_key: String,
    acknowledged: AtomicUsize,
    enough: AtomicBool,
    http: reqwest::Client,
}

impl Shared {
    fn listener(&self, number: usize) -> String {
        self.listeners.read()[number].clone()
    }

    fn moved_to(&self, program: &Program) {
        *self.listeners.write() = [program.rest(), program.grpc()];
    }

    /// Creates a user over REST; None where there was no answer, or one that asks for a retry.
    async fn over_rest(&self, key: Uuid, body: &Value) -> Option<String> {
        let request = self.http.post(format!("http://{}/v1/users", self.listener(0))).bearer_auth(&self.token);
        let request = request.header("x-api-key", &self.api_key).header("idempotency-key", key.to_string());
        let response = request.json(body).send().await.ok()?;
        let status = response.status().as_u16();
        // A connection may break within an answer as well.
        let answer: Value = serde_json::from_str(&response.text().await.ok()?).ok()?;
        match status {
            200 | 201 => answer["id"].as_str().map(str::to_owned),
            503 => None,
            _ => panic!("{status}: {answer}"),
        }
    }

    /// The same over gRPC.
    async fn over_grpc(&self, key: Uuid, body: &Value) -> Option<String> {
        let channel =
            Channel::from_shared(format!("http://{}", self.listener(1))).expect("a URL").connect().await.ok()?;
        let user = Some(message(body));
        let mut request = tonic::Request::new(v1::CreateUserRequest { idempotency_key: Some(key.to_string()), user });
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().expect("metadata"));
        request.metadata_mut().insert("x-api-key", self.api_key.parse().expect("metadata"));
        match UsersServiceClient::new(channel).create_user(request).await {
            Ok(answer) => answer.into_inner().user.map(|user| user.id),
            // What a broken connection is called depends on where it broke.
            Err(status) if matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled) => None,
            Err(status) => panic!("{status}"),
        }
    }

    /// Creates users one after another, each until it is answered, and gives their ids.
    async fn create_users(self: Arc<Self>, number: usize) -> Vec<String> {
        let (body, mut ids) = (with_files(), Vec::new());
        while !self.enough.load(Ordering::Relaxed) {
            let key = Uuid::from_u128(ids.len() as u128 * 1_000 + number as u128 + 1);
            let attempt = || async {
                if number.is_multiple_of(2) {
                    self.over_rest(key, &body).await
                } else {
                    self.over_grpc(key, &body).await
                }
            };
            ids.push(wait_until_async(attempt, "an answer").await);
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        ids
    }
}

async fn count(database: &TestDatabase, sql: &str) -> i64 {
    let connection = database.look().await;
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.expect("a count").expect("a row");
    row.try_get_by_index(0).expect("a number")
}

async fn object_keys(database: &TestDatabase) -> Vec<String> {
    let connection = database.look().await;
    let sql = "SELECT object_key FROM documents";
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.expect("rows").into_iter();
    rows.map(|row| row.try_get_by_index(0).expect("a key")).collect()
}

fn files(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed_again_and_again_keeps_what_it_acknowledged_once_and_whole() {
    let mut setup = Setup::on(TestDatabase::migrated().await);
    // What is counted in the end is what the creates wrote.
    setup.set("KIRA_WORKER", "false");
    let client = setup.client();
    let mut program = setup.serve();
    let shared = Arc::new(Shared {
        listeners: RwLock::new([program.rest(), program.grpc()]),
        token: program.token(&client).await,
        api_key: client["api_key"].as_str().expect("an API key").to_owned(),
        acknowledged: AtomicUsize::new(0),
        enough: AtomicBool::new(false),
        http: http_client(),
    });
    let callers: Vec<_> = (0..CALLERS).map(|number| tokio::spawn(Arc::clone(&shared).create_users(number))).collect();
    for _ in 0..KILLS {
        let target = shared.acknowledged.load(Ordering::Relaxed) + BETWEEN;
        let reached = || async { (shared.acknowledged.load(Ordering::Relaxed) >= target).then_some(()) };
        wait_until_async(reached, "more users").await;
        program.kill();
        program = setup.serve();
        shared.moved_to(&program);
    }
    shared.enough.store(true, Ordering::Relaxed);
    let mut users = Vec::new();
    for caller in callers {
        users.extend(caller.await.expect("a caller does not panic"));
    }

    assert!(users.len() >= KILLS * BETWEEN);
    assert_eq!(users.iter().collect::<HashSet<_>>().len(), users.len(), "each key has a user of its own");
    for user in &users {
        let request = shared.http.get(format!("http://{}/v1/users/{user}", program.rest())).bearer_auth(&shared.token);
        let answer = request.header("x-api-key", &shared.api_key).send().await.expect("an answer");
        let answer = Answer::of(answer).await;
        assert_eq!(answer.status, 200, "{user} was acknowledged");
        assert_eq!(answer.json()["id"], **user);
    }
    program.terminate();
    assert!(program.ended().success());
    assert_whole(&setup, i64::try_from(users.len()).expect("a small number")).await;
}

/// Checks the rows and the files of this number of users; the next sweep deletes the files that the kills left.
async fn assert_whole(setup: &Setup, users: i64) {
    let database = setup.database.as_ref().expect("a database");
    for (table, each) in [("users", 1), ("idempotency_keys", 1), (ALL_EVENTS, 1), ("jobs", 1), ("documents", 3)] {
        assert_eq!(database.count(table).await, users * each, "{table}");
    }
    for table in ["idempotency_keys", ALL_EVENTS, "jobs", "documents"] {
        let without_user = format!("SELECT count(*) FROM {table} WHERE user_id NOT IN (SELECT id FROM users)");
        assert_eq!(count(database, &without_user).await, 0, "{table} of no user");
    }
    let whole = "SELECT count(*) FROM (SELECT user_id FROM documents GROUP BY user_id HAVING count(*) = 3) AS whole";
    assert_eq!(count(database, whole).await, users, "each user has all of its documents");
    let folder = setup.data().join("documents");
    let keys = object_keys(database).await;
    // The installation is the first part of every key.
    let installation = keys[0].split('/').next().and_then(|id| id.parse().ok()).expect("an installation");
    let documents = DocumentStore::open(&folder.display().to_string(), installation).expect("the folder");
    let store = database.store().await;
    let system = SystemEnv::default();
    // An upload that was never committed, for sure.
    let orphan = documents.object_key(system.now(), system.new_id());
    documents.put(&orphan, b"sealed".to_vec()).await.expect("an upload");
    assert!(files(&folder) > usize::try_from(3 * users).expect("a small number"));
    let later = system.now() + chrono::TimeDelta::hours(3);
    assert!(sweep(&store, &documents, later).await.expect("a sweep").orphans >= 1);
    assert_eq!(i64::try_from(files(&folder)).expect("a small number"), 3 * users, "as many files as rows");
    for key in keys {
        assert!(documents.get(&key).await.is_ok_and(|content| !content.is_empty()), "the file of a row is there");
    }
}
