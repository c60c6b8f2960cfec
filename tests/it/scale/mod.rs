//! What the service reads at a size: no statement reads or sorts more than it returns.
//!
//! Fills a database with `KIRA_SCALE_USERS` users by SQL, calls every method of the store, and runs each statement that it
//! sent once more under the eyes of the engine. `.ci/run` takes 100,000 users: PostgreSQL rightly scans a small table. A
//! million take minutes:
//!
//! ```sh
//! KIRA_SCALE_USERS=1000000 cargo test --test it scale:: -- --ignored --nocapture
//! KIRA_SCALE_USERS=1000000 KIRA_TEST_DATABASE_URL=postgres://… cargo test --test it scale:: -- --ignored --nocapture
//! ```

#![expect(clippy::print_stderr, reason = "shows how far a run of minutes is")]

mod fill;
mod measure;
mod sinks;
mod tour;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use kira_users::store::{Engine, StatementObserver, StoreOptions};
use sea_orm::Statement;

use crate::harness::database::{TestDatabase, engine};

/// The steps about deliveries that are pending: they read the partition of those alone.
const PENDING: [&str; 4] = ["queues, with a backlog", "claim of deliveries", "settlement of deliveries", "endpoints"];

/// The number of users, without the variable.
const USERS: u64 = 100_000;

fn users() -> u64 {
    std::env::var("KIRA_SCALE_USERS").map_or(USERS, |text| text.parse().expect("a number of users"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "fills a database; the step `scale` of .ci/run runs it on both engines"]
async fn no_statement_reads_or_sorts_more_than_it_returns() {
    let users = users();
    let database = TestDatabase::migrated().await;
    let begun = Instant::now();
    fill::fill(&database, users).await;
    eprintln!("{users} users are stored after {:.0?}", begun.elapsed());

    let sent: Arc<Mutex<Vec<Statement>>> = Arc::default();
    let log = Arc::clone(&sent);
    let observe = move |statement: &Statement| log.lock().expect("no panic").push(statement.clone());
    let observer = StatementObserver(Arc::new(observe));
    let options = StoreOptions { statement_observer: Some(observer), ..StoreOptions::default() };
    let store = database.store_with(options).await;
    store.optimize().await.expect("statistics");
    sent.lock().expect("no panic").clear();
    let mut steps = tour::Steps { sent: Arc::clone(&sent), begun: Instant::now(), all: Vec::new() };
    tour::run(&store, users, &mut steps).await;
    store.close().await;

    let mut findings = Vec::new();
    let mut count = 0;
    for (step, statements) in steps.all {
        for statement in statements.into_iter().filter(measure::reads) {
            count += 1;
            if engine() == Engine::Postgres && PENDING.contains(&step) {
                findings.extend(measure::reads_days(&database, &statement).await.map(|day| format!("{step}: {day}")));
            }
            findings.extend(measure::judge(&database, &statement).await.map(|finding| format!("{step}: {finding}")));
        }
    }
    eprintln!("{count} statements read");
    assert!(count > 60, "the tour sends what the service sends: {count}");
    assert!(findings.is_empty(), "{} statements read too much:\n{}", findings.len(), findings.join("\n\n"));
}
