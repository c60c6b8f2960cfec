//! Rows of many users, by SQL.

use kira_users::store::Engine;
use sea_orm::ConnectionTrait as _;
use uuid::Uuid;

use crate::harness::database::{TestDatabase, engine};

/// Clients; the first has half of the users.
pub(crate) const CLIENTS: u64 = 20;
/// Endpoints of each client.
pub(crate) const ENDPOINTS: u64 = 2;
/// Rows that one statement inserts.
const ROWS: u64 = 100_000;

/// The tables, as the first part of the ids of their rows.
#[derive(Clone, Copy)]
pub(crate) enum Of {
    Client = 1,
    User,
    Attempt,
    Document,
    Key,
    Job,
    Event,
    Waiting,
    Endpoint,
    Delivery,
    Step,
    Credential,
    Value,
}

/// The id of a row: they rise with the number, as those of version 7 do with time.
pub(crate) fn id(of: Of, number: u64) -> Uuid {
    Uuid::parse_str(&format!("{:08x}-0000-7000-8000-{number:012x}", of as u32)).expect("a UUID")
}

/// The number of the client that owns a user.
pub(crate) const fn client_of(user: u64) -> u64 {
    if user.is_multiple_of(2) { 0 } else { user % CLIENTS }
}

fn sql_text(of: Of, number: &str) -> String {
    let head = format!("{:08x}-0000-7000-8000-", of as u32);
    match engine() {
        Engine::Postgres => format!("('{head}' || lpad(to_hex({number}), 12, '0'))"),
        Engine::Sqlite => format!("('{head}' || printf('%012x', {number}))"),
    }
}

fn sql_id(of: Of, number: &str) -> String {
    match engine() {
        Engine::Postgres => format!("{}::uuid", sql_text(of, number)),
        Engine::Sqlite => format!("unhex('{:08x}000070008000' || printf('%012x', {number}))", of as u32),
    }
}

fn sql_time(seconds: &str) -> String {
    match engine() {
        Engine::Postgres => format!("(timestamptz '2026-01-01 00:00:00+00' + ({seconds}) * interval '1 second')"),
        Engine::Sqlite => {
            format!("(strftime('%Y-%m-%dT%H:%M:%f', 1767225600 + ({seconds}), 'unixepoch') || '+00:00')")
        }
    }
}

fn sql_bytes(length: usize) -> String {
    match engine() {
        Engine::Postgres => format!("decode(repeat('5a', {length}), 'hex')"),
        Engine::Sqlite => format!("zeroblob({length})"),
    }
}

fn sql_numbers(from: u64, to: u64) -> String {
    match engine() {
        Engine::Postgres => format!("generate_series({from}::bigint, {to}::bigint) AS s(n)"),
        Engine::Sqlite => format!(
            "(WITH RECURSIVE s(n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM s WHERE n < {to}) SELECT n FROM s) AS s"
        ),
    }
}

/// A table with a value for each of its columns, in terms of the number `n` of the user.
struct Table {
    name: &'static str,
    columns: &'static str,
    values: String,
    condition: &'static str,
}

fn tables(users: u64) -> Vec<Table> {
    let client = sql_id(Of::Client, &format!("(CASE WHEN n % 2 = 0 THEN 0 ELSE n % {CLIENTS} END)"));
    let user = sql_id(Of::User, "n");
    let attempt = sql_id(Of::Attempt, "n");
    let at = sql_time("n");
    let far = sql_time("n + 1000000000");
    let event = |name, position: &str, kind: &str, sequence: u32| Table {
        name,
        columns: "client_id, position, id, user_id, kind, sequence, payload, created_at",
        values: format!(
            r#"{client}, {position}, {}, {user}, {kind}, {sequence}, '{{"type":"individual","status":"VERIFIED"}}', {at}"#,
            sql_id(Of::Event, position)
        ),
        condition: "true",
    };
    let history = |version: u32, action: &str, status: &str| Table {
        name: "user_history",
        columns: "client_id, user_id, version, action, actor, fields, status, created_at",
        values: format!(r#"{client}, {user}, {version}, '{action}', 'client', '["email"]', '{status}', {at}"#),
        condition: "true",
    };
    let entry = |value: u64, condition| Table {
        name: "user_index",
        columns: "client_id, version, digest, user_id",
        values: format!("{client}, 1, {}, {user}", sql_id(Of::Value, &value.to_string())),
        condition,
    };
    let endpoint = sql_id(
        Of::Endpoint,
        &format!("((CASE WHEN n % 2 = 0 THEN 0 ELSE n % {CLIENTS} END) * {ENDPOINTS} + (n / 2) % {ENDPOINTS})"),
    );
    let delivery = sql_id(Of::Delivery, "n");
    vec![
        Table {
            name: "users",
            columns: "client_id, id, kind, category, status, attempt_id, verification_triggered, missing, wrapped_key, \
                      profile, index_version, version, created_at, updated_at",
            values: format!(
                "{client}, {user}, 'individual', 'usa', CASE WHEN n % 10 = 0 THEN 'REVIEW' WHEN n % 1000 = 1 THEN \
                 'CREATED' ELSE 'VERIFIED' END, {attempt}, true, '{{}}', {}, {}, 1, 4, {at}, {at}",
                sql_bytes(60),
                sql_bytes(300)
            ),
            condition: "true",
        },
        entry(1, "true"),
        entry(2, "n % 10 < 2"),
        entry(3, "n % 1000 < 2"),
        Table {
            name: "user_index",
            columns: "client_id, version, digest, user_id",
            values: format!("{client}, 0, {}, {user}", sql_id(Of::Value, "n % 7")),
            condition: "n % 100 < 2",
        },
        Table {
            name: "user_counts",
            columns: "client_id, span, start, kind, status, users",
            values: format!("{client}, 3600, n * 3600, 'individual', 'VERIFIED', 7"),
            condition: "n % 20 < 2 AND n < 40000",
        },
        Table {
            name: "user_counts",
            columns: "client_id, span, start, kind, status, users",
            values: format!("{client}, 86400, n * 86400, 'individual', 'VERIFIED', 170"),
            condition: "n % 200 < 2 AND n < 40000",
        },
        Table {
            name: "user_count_changes",
            columns: "client_id, id, hour, kind, after, users",
            values: format!("{client}, {user}, n / 3600 * 3600, 'individual', 'CREATED', 1"),
            condition: "n % 5000 = 0",
        },
        Table {
            name: "documents",
            columns: "client_id, user_id, id, object_key, created_at",
            values: format!(
                "{client}, {user}, {}, 'installation/2026-01-01T00/' || {}, {at}",
                sql_id(Of::Document, "n"),
                sql_text(Of::Document, "n")
            ),
            condition: "true",
        },
        Table {
            name: "idempotency_keys",
            columns: "client_id, digest, fingerprint, user_id, created_at",
            values: format!("{client}, {}, {}, {user}, {at}", sql_id(Of::Key, "n"), sql_bytes(64)),
            condition: "true",
        },
        Table {
            name: "verification_attempts",
            columns: "client_id, id, user_id, trigger, state, provider, reasons, created_at, deadline_at",
            values: format!(
                "{client}, {attempt}, {user}, 'create', CASE WHEN n % 10 = 0 THEN 'review' WHEN n % 1000 = 1 THEN \
                 'pending' ELSE 'verified' END, 'simulated', '[]', {at}, CASE WHEN n % 2000 = 1 THEN {at} ELSE {far} END"
            ),
            condition: "true",
        },
        Table {
            name: "jobs",
            columns: "client_id, id, kind, user_id, attempt_id, run_at, attempts, created_at",
            values: format!(
                "{client}, {}, 'verification', {user}, {attempt}, CASE WHEN n % 3000 = 1 THEN {far} ELSE {at} END, 0, {at}",
                sql_id(Of::Job, "n")
            ),
            condition: "n % 1000 = 1",
        },
        Table {
            name: "review_steps",
            columns: "client_id, attempt_id, id, user_id, reviewer, action, created_at",
            values: format!("{client}, {attempt}, {}, {user}, 'Ann', 'claim', {at}", sql_id(Of::Step, "n")),
            condition: "n % 100 = 0",
        },
        history(1, "created", "CREATED"),
        history(4, "updated", "VERIFIED"),
        event("events", "n", "'user.created'", 1),
        event("events", &format!("({users} + n)"), "'user.status_changed'", 2),
        event(
            "events",
            &format!("({users} * 2 + n)"),
            "CASE WHEN n % 10000 = 0 THEN 'user.verification.failed' ELSE 'user.verification.accepted' END",
            3,
        ),
        Table {
            name: "outbox",
            columns: "client_id, id, user_id, kind, sequence, payload, created_at",
            values: format!("{client}, {}, {user}, 'user.updated', 4, '{{}}', {at}", sql_id(Of::Waiting, "n")),
            condition: "n % 10 = 0",
        },
        Table {
            name: "webhook_deliveries",
            columns: "client_id, id, event_id, endpoint_id, user_id, kind, sequence, sealed_body, state, attempts, \
                      schedule_step, next_at, created_at, delivered_at",
            values: format!(
                "{client}, {delivery}, {}, {endpoint}, {user}, 'user.created', 1, {}, CASE WHEN n % 20 = 0 THEN 'pending' \
                 WHEN n % 500 = 3 THEN 'dead' ELSE 'delivered' END, 1, 0, CASE WHEN n % 40 = 0 THEN {far} ELSE {at} END, \
                 {at}, NULL",
                sql_id(Of::Event, "n"),
                sql_bytes(100)
            ),
            condition: "true",
        },
        Table {
            name: "webhook_attempts",
            columns: "client_id, delivery_id, number, started_at, duration_ms, status_code",
            values: format!("{client}, {delivery}, 1, {at}, 5, 200"),
            condition: "n % 20 <> 0",
        },
        Table {
            name: "objects_to_delete",
            columns: "object_key, requested_at",
            values: format!("'installation/2025-01-01T00/' || {}, {at}", sql_text(Of::Document, "n")),
            condition: "n % 100 = 0",
        },
    ]
}

/// Makes the partitions of what is filled in: each day, and blocks of the history of which several are full.
async fn make_partitions(database: &TestDatabase, users: u64) {
    let (store, connection) = (database.store().await, database.look().await);
    connection.execute_unprepared("DROP TABLE events_1_1000000").await.expect("an empty block");
    for block in 0..8 {
        let (first, last) = (block * users / 2 + 1, (block + 1) * users / 2);
        let sql = format!(
            "CREATE TABLE events_{first}_{last} PARTITION OF events FOR VALUES FROM ({first}) TO ({})",
            last + 1
        );
        connection.execute_unprepared(&sql).await.expect("a block");
    }
    for day in 0..=users / 86_400 {
        let day = chrono::DateTime::from_timestamp(1_767_225_600 + i64::try_from(day * 86_400).expect("a day"), 0);
        store.make_partitions(day.expect("a day")).await.expect("partitions");
    }
    // The day of the tour.
    let tour = chrono::DateTime::from_timestamp(super::tour::NOW, 0).expect("a time");
    store.make_partitions(tour).await.expect("partitions");
    store.close().await;
}

/// Fills the database.
pub(crate) async fn fill(database: &TestDatabase, users: u64) {
    if engine() == Engine::Postgres {
        make_partitions(database, users).await;
    }
    let connection = database.look().await;
    let run = async |sql: String| {
        connection.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    };
    let at = sql_time("n");
    let numbers = sql_numbers(0, CLIENTS - 1);
    let client = sql_id(Of::Client, "n");
    run(format!("INSERT INTO clients SELECT {client}, 'client', 'client', {at}, NULL FROM {numbers}")).await;
    let credential = sql_id(Of::Credential, "n");
    let digest = match engine() {
        Engine::Postgres => "decode(lpad(to_hex(n), 64, '0'), 'hex')".to_owned(),
        Engine::Sqlite => "unhex(printf('%064x', n))".to_owned(),
    };
    run(format!(
        "INSERT INTO client_credentials SELECT {client}, {credential}, 'hash', {digest}, {at}, NULL FROM {numbers}"
    ))
    .await;
    let owner = sql_id(Of::Client, &format!("(n / {ENDPOINTS})"));
    let bytes = sql_bytes(40);
    run(format!(
        "INSERT INTO webhook_endpoints (client_id, id, sealed_url, sealed_secret, events, ordered, failures, failing_since, \
         created_at, updated_at) SELECT {owner}, {}, {bytes}, {bytes}, '[]', n % 2 = 0, 0, \
         CASE WHEN n % 10 = 1 THEN {at} END, {at}, {at} FROM {}",
        sql_id(Of::Endpoint, "n"),
        sql_numbers(0, CLIENTS * ENDPOINTS - 1)
    ))
    .await;
    for Table { name, columns, values, condition } in tables(users) {
        for from in (1..=users).step_by(usize::try_from(ROWS).expect("a number of rows")) {
            let numbers = sql_numbers(from, Ord::min(from + ROWS - 1, users));
            run(format!("INSERT INTO {name} ({columns}) SELECT {values} FROM {numbers} WHERE {condition}")).await;
        }
    }
    run(format!("UPDATE event_cursors SET position = {} WHERE name = 'assigned'", users * 3)).await;
    run(format!("UPDATE event_cursors SET position = {} WHERE name = 'webhooks'", users * 2)).await;
    if engine() == Engine::Postgres {
        // As the server does by itself, a little later.
        run("VACUUM ANALYZE".to_owned()).await;
    }
}
