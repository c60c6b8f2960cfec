//! What the measurements are compared with: the same rows, written statement by statement without this service; and the
//! client that owns the rows of both.

#![allow(dead_code, reason = "each bench uses a part of it")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use kira_users::env::{Env, SystemEnv};
use kira_users::store::{ClientRecord, CredentialRecord, Store};
use rusqlite::{Connection, params};
use url::Url;
use uuid::Uuid;

/// Creates that run at the same time.
pub(crate) const TASKS: u32 = 32;
/// Clock ticks a second in `/proc`, the same on every Linux.
const TICKS: f64 = 100.0;
/// How long one measurement takes.
pub(crate) const ROUND: Duration = Duration::from_secs(4);

/// Writes the pgbench script for a client into `folder`.
pub(crate) fn script(folder: &Path, client: Uuid) -> PathBuf {
    let script = folder.join("create.sql");
    std::fs::write(&script, SCRIPT.replace("CLIENT", &client.to_string())).expect("a script");
    script
}

/// Transactions a second; None without pgbench.
pub(crate) fn pgbench(url: &Url, script: &Path) -> Option<f64> {
    let (tasks, seconds) = (TASKS.to_string(), ROUND.as_secs().to_string());
    let output = Command::new("pgbench")
        .args(["-n", "-M", "prepared", "-c", &tasks, "-j", "1", "-T", &seconds, "-f"])
        .args([script.as_os_str(), url.as_str().as_ref()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
}

/// The rows of a create without files, one statement each.
const SCRIPT: &str = "\
\\set a random(0, 9000000000000000000)
\\set b random(0, 9000000000000000000)
BEGIN;
INSERT INTO users VALUES ('CLIENT', md5(:a::text || :b::text)::uuid, 'individual', 'usa', 'CREATED', NULL,
 md5(:b::text)::uuid, true, '{\"verification\":[\"occupation\"]}', decode(repeat('01', 80), 'hex'), decode(repeat('02', 2000), 'hex'), 1, 1, now(), now());
INSERT INTO user_index SELECT 'CLIENT', 1, md5(:a::text || :b::text || n)::uuid, md5(:a::text || :b::text)::uuid
 FROM generate_series(1, 10) AS n;
INSERT INTO user_count_changes VALUES ('CLIENT', md5(:a::text || :b::text)::uuid, 0, 'individual', NULL, 'CREATED', 1);
INSERT INTO jobs VALUES ('CLIENT', md5(:b::text || 'j')::uuid, 'verification', md5(:a::text || :b::text)::uuid,
 md5(:b::text)::uuid, now(), 0, NULL, NULL, NULL, now());
INSERT INTO outbox (client_id, id, user_id, kind, sequence, payload, created_at) VALUES ('CLIENT',
 md5(:b::text || 'e')::uuid, md5(:a::text || :b::text)::uuid, 'user.created', 1, '{\"status\":\"CREATED\"}', now());
INSERT INTO idempotency_keys VALUES ('CLIENT', md5(:b::text || 'k')::uuid, decode(repeat('03', 64), 'hex'),
 md5(:a::text || :b::text)::uuid, NULL, NULL, now());
COMMIT;
";

/// Transactions a second of one connection to a SQLite file of its own in `folder`: write-ahead log, synchronous FULL,
/// prepared statements, the rows of a create.
pub(crate) fn rusqlite(folder: &Path) -> f64 {
    let file = folder.join("alone.db");
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("alone.db{ending}")));
    }
    let mut connection = Connection::open(file).expect("a database file");
    connection.execute_batch(TABLES).expect("tables");
    let system = SystemEnv::default();
    let client = system.new_id();
    let now = system.now().to_rfc3339();
    let start = Instant::now();
    let mut count = 0_u32;
    while start.elapsed() < ROUND {
        let [user, attempt, job, event, key] = std::array::from_fn(|_| system.new_id());
        let write = connection.transaction().expect("a transaction");
        for (statement, id) in [(USER, user), (JOB, job), (EVENT, event), (CLAIM, key)] {
            let mut statement = write.prepare_cached(statement).expect("a statement");
            let (sealed, wrapped, digest) = ([2_u8; 2000], [1_u8; 80], [3_u8; 32]);
            match statement.parameter_count() {
                9 => {
                    statement.execute(params![id, client, "individual", "CREATED", attempt, wrapped, sealed, now, now])
                }
                6 => statement.execute(params![id, client, user, attempt, "queued", now]),
                5 => statement.execute(params![id, client, user, "user.created", now]),
                _ => statement.execute(params![client, id, digest, user]),
            }
            .expect("a row");
        }
        for _ in 0..10 {
            let mut statement = write.prepare_cached(ENTRY).expect("a statement");
            statement.execute(params![client, random_id(&system), user]).expect("a row");
        }
        write.commit().expect("a commit");
        count += 1;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

/// An identifier at random, as digests are.
pub(crate) fn random_id(system: &SystemEnv) -> Uuid {
    let mut bytes = [0; 16];
    system.fill_random(&mut bytes);
    Uuid::from_bytes(bytes)
}

/// CPU time in milliseconds of writing 10 MiB to a new file and on to the disk: what the kernel takes for it.
pub(crate) fn plain_write(folder: &Path, files: u32) -> f64 {
    let content = vec![7; 10 * 1024 * 1024];
    let (user, system) = cpu_times(std::process::id());
    for number in 0..files {
        let mut file = std::fs::File::create(folder.join(format!("plain-{number}"))).expect("a file");
        file.write_all(&content).expect("room on the disk");
        file.sync_all().expect("room on the disk");
    }
    let (user_after, system_after) = cpu_times(std::process::id());
    (user_after + system_after - user - system) * 1e3 / f64::from(files)
}

/// CPU time of a process so far, in seconds: its own, and the kernel's for it.
pub(crate) fn cpu_times(process: u32) -> (f64, f64) {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    // The name of the program, in brackets, may hold anything; behind it every field is a number.
    let fields: Vec<&str> = text.rsplit(") ").next().expect("fields").split(' ').collect();
    let seconds = |index: usize| fields[index].parse::<f64>().expect("a number") / TICKS;
    (seconds(11), seconds(12))
}

const TABLES: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
CREATE TABLE users (id BLOB PRIMARY KEY, client BLOB, kind TEXT, status TEXT, attempt BLOB, wrapped BLOB, profile BLOB,
  created_at TEXT, updated_at TEXT);
CREATE INDEX users_by_client ON users (client, created_at, id);
CREATE TABLE jobs (id BLOB PRIMARY KEY, client BLOB, user BLOB REFERENCES users, attempt BLOB, state TEXT, run_at TEXT);
CREATE INDEX jobs_due ON jobs (state, run_at);
CREATE TABLE events (id BLOB PRIMARY KEY, client BLOB, user BLOB REFERENCES users, kind TEXT, created_at TEXT);
CREATE TABLE claims (client BLOB, key BLOB, fingerprint BLOB, user BLOB REFERENCES users, PRIMARY KEY (client, key));
CREATE TABLE entries (client BLOB, digest BLOB, user BLOB, PRIMARY KEY (client, digest, user)) WITHOUT ROWID;
";
const USER: &str = "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
const JOB: &str = "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?)";
const EVENT: &str = "INSERT INTO events VALUES (?, ?, ?, ?, ?)";
const ENTRY: &str = "INSERT INTO entries VALUES (?, ?, ?)";
const CLAIM: &str = "INSERT INTO claims VALUES (?, ?, ?, ?)";

/// A client that owns users; it has no credentials.
pub(crate) async fn client(store: &Store, env: &dyn Env) -> Uuid {
    let client = ClientRecord {
        id: env.new_id(),
        name: "bench".to_owned(),
        role: "client".to_owned(),
        created_at: env.now(),
        disabled_at: None,
    };
    let credential = CredentialRecord {
        id: env.new_id(),
        client_id: client.id,
        password_hash: String::new(),
        api_key_digest: [0; 32],
        created_at: env.now(),
        expires_at: None,
    };
    store.insert_client(&client, &credential).await.expect("a client");
    client.id
}
