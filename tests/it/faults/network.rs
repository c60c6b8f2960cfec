//! The network to PostgreSQL breaks while changes are committed.

use std::time::Duration;

use kira_users::env::{Env as _, SystemEnv};
use kira_users::store::Engine;
use sea_orm::ConnectionTrait as _;

use crate::faults::history::History;
use crate::faults::steps;
use crate::harness::database::{TestDatabase, engine};
use crate::harness::program::Setup;
use crate::harness::proxy::Proxy;
use crate::harness::receiver::Receiver;
use crate::harness::requests::{minimal, with_files};

/// Makes everything due that was taken up and not settled.
pub(crate) const LEASES_END: [&str; 2] = [
    "UPDATE jobs SET run_at = created_at",
    "UPDATE webhook_deliveries SET next_at = created_at WHERE state = 'pending'",
];
/// How long after a request begins the network breaks, at most.
const LATEST: u64 = 12;

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_breaks_in_the_middle_of_changes_loses_and_doubles_nothing() {
    if engine() != Engine::Postgres {
        return;
    }
    let database = TestDatabase::migrated().await;
    let (mut proxy, url) = Proxy::to_server(database.url()).await;
    let mut setup = Setup::on(database);
    setup.set("KIRA_DATABASE_URL", &url);
    setup.set("KIRA_SANDBOX_DELAY", "0s");
    setup.set("KIRA_WEBHOOK_ALLOW", "127.0.0.0/8");
    let client = setup.client();
    let mut program = setup.serve();
    let mut history = History::new(&program, &client).await;
    let receiver = Receiver::new().await;
    assert!(history.register(&receiver.url()).await);
    for round in 0..6 * steps() {
        let mut chance = [0; 8];
        SystemEnv::default().fill_random(&mut chance);
        let moment = Duration::from_micros(u64::from_ne_bytes(chance) % (LATEST * 1_000));
        let change = async {
            match round % 4 {
                0 => history.create(&minimal()).await,
                1 => history.create(&with_files()).await,
                2 => history.update().await,
                _ => history.register(&format!("{}/{round}", receiver.url())).await,
            }
        };
        let fault = async {
            tokio::time::sleep(moment).await;
            proxy.cut().await;
            proxy.mend();
        };
        tokio::join!(change, fault);
    }
    history.settle().await;
    for is_kill in [true, false] {
        if is_kill {
            program.kill();
        } else {
            program.terminate();
            assert!(program.ended().success());
        }
        let connection = setup.database.as_ref().expect("a database").look().await;
        for due in LEASES_END {
            connection.execute_unprepared(due).await.expect("a statement");
        }
        program = setup.serve();
        history.moved_to(&program);
        history.check().await;
    }
    history.check_verified().await;
    history.check_events(&receiver).await;
    let database = setup.database.as_ref().expect("a database");
    assert_eq!(database.count("users").await, history.count(), "a key makes one user");
    assert_eq!(database.count("idempotency_keys").await, history.count());
}
