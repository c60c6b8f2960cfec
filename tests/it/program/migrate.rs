//! `migrate`, and the service before it ran.

use kira_users::store::Engine;
use sea_orm::ConnectionTrait as _;
use tokio::net::TcpStream;

use crate::harness::database::{TestDatabase, engine};
use crate::harness::program::{Setup, wait_until_async};
use crate::harness::requests::minimal;
use crate::harness::service::http_client;

/// An address that no other program on this machine uses: the loopback network is large.
fn own_address(port: u16) -> String {
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.77.{high}.{low}:{port}")
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_prints_what_it_applied_and_then_that_no_migration_was_applied() {
    let setup = Setup::on(TestDatabase::empty().await);
    let first = setup.printed(&["migrate"]);
    assert!(first.lines().count() >= 1 && first.lines().all(|line| line.starts_with("applied m")), "{first}");
    assert_eq!(setup.printed(&["migrate"]), "The schema is current; no migration was applied.\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_on_a_server_keeps_its_listeners_closed_until_the_schema_is_current() {
    if engine() == Engine::Sqlite {
        // The embedded form migrates itself.
        return;
    }
    let mut setup = Setup::on(TestDatabase::empty().await);
    let listeners = [own_address(18_080), own_address(18_051)];
    setup.set("KIRA_HTTP_ADDR", &listeners[0]);
    setup.set("KIRA_GRPC_ADDR", &listeners[1]);
    let program = setup.start();
    let asks_for_migrate = || async {
        let answer = program.readiness().await;
        assert_eq!(answer.status, 503);
        let reason = answer.json()["reason"].as_str().expect("a reason").to_owned();
        reason.contains("run `kira-users migrate`").then_some(())
    };
    wait_until_async(asks_for_migrate, "the reason").await;
    for listener in &listeners {
        assert!(TcpStream::connect(listener).await.is_err(), "{listener} is closed");
    }
    let probe = setup.run(&["healthcheck", "--url", &format!("http://{}/readyz", program.admin())]);
    assert_eq!(probe.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&probe.stderr).contains("run `kira-users migrate`"), "the probe says why");
    setup.printed(&["migrate"]);
    let ready = || async { (program.readiness().await.status == 200).then_some(()) };
    wait_until_async(ready, "readiness, without a restart").await;
    for listener in &listeners {
        assert!(TcpStream::connect(listener).await.is_ok(), "{listener} is open");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_starts_and_serves_on_a_schema_that_a_newer_version_has_migrated() {
    let setup = Setup::on(TestDatabase::migrated().await);
    let connection = setup.database.as_ref().expect("a database").look().await;
    for later in [
        "ALTER TABLE users ADD COLUMN later text",
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_later', 0)",
    ] {
        connection.execute_unprepared(later).await.expect("a migration of the future");
    }
    let client = setup.client();
    let mut program = setup.serve();
    let token = program.token(&client).await;
    let request = http_client().post(format!("http://{}/v1/users", program.rest())).bearer_auth(token);
    let request = request.header("x-api-key", client["api_key"].as_str().expect("an API key"));
    let request = request.header("idempotency-key", uuid::Uuid::new_v4().to_string()).json(&minimal());
    assert_eq!(request.send().await.expect("an answer").status(), 201);
    assert_eq!(setup.printed(&["migrate"]), "The schema is current; no migration was applied.\n");
    program.terminate();
    assert!(program.ended().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_on_a_server_ask_for_migrate_first() {
    if engine() == Engine::Sqlite {
        return;
    }
    let setup = Setup::on(TestDatabase::empty().await);
    let refused = setup.run(&["client", "list"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("run `kira-users migrate` first"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_waits_for_its_schema_can_be_stopped() {
    if engine() == Engine::Sqlite {
        return;
    }
    let setup = Setup::on(TestDatabase::empty().await);
    let mut program = setup.start();
    program.terminate();
    assert!(program.ended().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_keeps_the_service_waiting_and_not_failing() {
    if engine() == Engine::Sqlite {
        return;
    }
    let mut setup = Setup::on(TestDatabase::migrated().await);
    setup.set("KIRA_DATABASE_URL", &format!("postgres://nobody@{}/none", own_address(18_432)));
    let mut program = setup.start();
    let responds = || async {
        let answer = program.readiness().await;
        let is_reason = answer.json()["reason"] == "the database does not answer: the connection is refused";
        is_reason.then_some(answer.status)
    };
    assert_eq!(wait_until_async(responds, "the reason").await, 503);
    program.terminate();
    assert!(program.ended().success());
}
