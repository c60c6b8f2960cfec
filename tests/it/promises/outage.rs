//! The database goes away and comes back (decisions, section 1).

use std::time::Duration;

use kira_gateway::error::{ErrorReason, details};
use kira_users::app;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::json;
use tonic::Code;
use uuid::Uuid;

use crate::harness::proxy::Proxy;
use crate::harness::requests::{message, minimal};
use crate::harness::service::{Answer, Client, Service, config};
use crate::promises::support::{refusal, rows};

/// A service whose database can be taken away.
struct Setup {
    service: Service,
    client: Client,
    away: Away,
}

enum Away {
    /// SQLite: another process holds the file.
    Held(DatabaseConnection),
    /// PostgreSQL: the network is cut.
    Cut(Box<Proxy>),
}

impl Setup {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(settings: &[(&str, &str)]) -> Self {
        let service = Service::start().await;
        let client = service.client().await;
        if service.database.folder().is_some() {
            let away = Away::Held(service.database.look().await);
            return Self { service, client, away };
        }
        // A replica that reaches the same database through a network that the test can cut.
        let (proxy, url) = Proxy::to_server(service.database.url()).await;
        let settings = [settings, &[("KIRA_DATABASE_URL", url.as_str())]].concat();
        let config = config(&service.database, &service.folder, &settings);
        let running = app::start(&config, service.clock.clone()).await.expect("a replica starts");
        let client = client.at(&running).await;
        let service = Service { running, ..service };
        Self { service, client, away: Away::Cut(Box::new(proxy)) }
    }

    async fn take_away(&mut self) {
        match &mut self.away {
            Away::Held(connection) => {
                connection.execute_unprepared("BEGIN EXCLUSIVE").await.expect("the lock");
            }
            Away::Cut(proxy) => proxy.cut().await,
        }
    }

    async fn bring_back(&mut self) {
        match &mut self.away {
            Away::Held(connection) => {
                connection.execute_unprepared("ROLLBACK").await.expect("the lock is given back");
            }
            Away::Cut(proxy) => proxy.mend(),
        }
    }

    /// The answer once the database is back. A connection that broke while it was idle costs one more rejection.
    async fn recovered<F: Future<Output = Answer>>(&self, mut ask: impl FnMut() -> F) -> Answer {
        let asking = async {
            loop {
                let answer = ask().await;
                if answer.status != 503 {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), asking).await.expect("the service recovers by itself")
    }

    async fn readiness(&self) -> Answer {
        let url = format!("{}/readyz", self.service.admin_url());
        Answer::of(self.service.http.get(url).send().await.expect("an answer")).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_every_listener_says_unavailable_and_afterwards_the_retries_succeed() {
    let mut setup = Setup::new().await;
    let (client, rest_key, grpc_key) = (setup.client.clone(), Uuid::new_v4(), Uuid::new_v4());
    let before = rows(&setup.service.database).await;
    setup.take_away().await;
    let body = minimal();
    let (rest, grpc, readiness) = tokio::join!(
        client.create_with(rest_key, &body),
        client.grpc_create(grpc_key, message(&body)),
        setup.readiness(),
    );
    let message_of = "The service is temporarily unavailable";
    assert_eq!((rest.status, rest.json()), (503, json!({"code": "unavailable", "message": message_of})));
    assert_eq!(rest.header("retry-after"), Some("1"));
    let status = grpc.expect_err("no database");
    assert_eq!(refusal(&status), (Code::Unavailable, ErrorReason::Unavailable, message_of.to_owned()));
    assert_eq!(details(&status).expect("details").retry_after, Some(1));
    assert_eq!(readiness.status, 503);
    assert_eq!(readiness.json()["status"], "not ready");
    assert!(readiness.json()["reason"].as_str().is_some_and(|reason| reason.contains("the database does not answer")));
    let alive = setup.service.http.get(format!("{}/healthz", setup.service.admin_url())).send().await;
    assert_eq!(alive.expect("an answer").status(), 200, "the process is alive all the same");

    setup.bring_back().await;
    assert_eq!(setup.recovered(|| setup.readiness()).await.status, 200);
    let created = setup.recovered(|| client.create_with(rest_key, &body)).await;
    assert_eq!(created.status, 201, "nothing was left behind");
    // The key that failed over gRPC: the listeners share it.
    let created = setup.recovered(|| client.create_with(grpc_key, &body)).await;
    assert_eq!(created.status, 201, "nor there");
    assert_eq!(rows(&setup.service.database).await[0], before[0] + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_issued_and_no_client_is_called_unknown_without_the_database() {
    let mut setup = Setup::new().await;
    let Away::Cut(_) = setup.away else {
        // A SQLite file that another process writes can still be read.
        return;
    };
    setup.take_away().await;
    let unknown = Client { api_key: "kira_unknown".to_owned(), ..setup.client.clone() };
    let (auth, call) = tokio::join!(setup.client.authenticate(&setup.client.password), unknown.get("/v1/users/x"));
    assert_eq!((auth.status, call.status), (503, 503));
    setup.bring_back().await;
    assert_eq!(setup.recovered(|| setup.client.authenticate(&setup.client.password)).await.status, 200);
    assert_eq!(setup.recovered(|| unknown.get("/v1/users/x")).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stalls_is_our_fault_and_not_that_of_a_caller_whose_request_has_arrived() {
    let setup = Setup::with(&[("KIRA_REQUEST_TIMEOUT", "2s")]).await;
    let Away::Cut(proxy) = &setup.away else { return };
    let client = &setup.client;
    let id = client.create(&minimal()).await.json()["id"].as_str().expect("an id").to_owned();
    // Nothing that was read before answers for the database.
    let other_client = Client { api_key: "kira_unknown".to_owned(), ..client.clone() };
    proxy.stand_still();
    let (path, body) = (format!("/v1/users/{id}"), minimal());
    let (created, read, unread) = tokio::join!(client.create(&body), client.get(&path), other_client.create(&body));
    proxy.go_on();
    for answer in [created, read, unread] {
        assert!(matches!(answer.status, 503 | 504), "{}: {}", answer.status, answer.text);
        assert_eq!(answer.header("retry-after"), Some("1"), "{}", answer.text);
    }
}

/// Twice the time in which half-open connections are detected.
const FOUND_AGAIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn half_open_database_connections_are_replaced_without_a_restart() {
    let mut setup = Setup::with(&[("KIRA_DATABASE_MAX_CONNECTIONS", "2")]).await;
    let Away::Cut(proxy) = &mut setup.away else { return };
    assert_eq!(setup.client.create(&minimal()).await.status, 201);
    proxy.lose();
    let client = &setup.client;
    let is_answered =
        |expected: bool| async move { while (client.create(&minimal()).await.status == 201) != expected {} };
    let lost_and_found = async {
        is_answered(false).await;
        is_answered(true).await;
    };
    tokio::time::timeout(FOUND_AGAIN, lost_and_found).await.expect("the database is found again");
}
