//! Brokers and relays that break in the middle.

use std::time::Duration;

use chrono::TimeDelta;

use crate::events::support::users;
use crate::harness::requests::with_files;
use crate::harness::service::{Answer, Service};
use crate::sinks::support::{Kind, Peer, assert_whole, drain, relay, stored};

async fn what_breaks_in_the_middle_loses_nothing(kind: Kind) {
    let Some(peer) = Peer::new(kind).await else { return };
    let (mut proxy, url) = peer.proxy().await;
    let service = Service::start_with(&[&peer.settings(&url)[..], &[("KIRA_SANDBOX_DELAY", "0s")]].concat()).await;
    let client = service.client().await;
    let relay = relay(&service);
    for turn in 0..12_u64 {
        users(&client, 3).await;
        for _ in 0..2 {
            assert_eq!(client.create(&with_files()).await.status, 201);
        }
        service.running.worker.drain().await.expect("the database answers");
        // Dropping the round is what a crash leaves; a cut is what a broker leaves that dies.
        let round = relay.run_once();
        if turn % 2 == 0 {
            let _ = tokio::time::timeout(Duration::from_millis(turn), round).await;
            // It may have taken the lease without knowing it, which then ends by itself.
            service.clock.advance(TimeDelta::seconds(11));
        } else {
            let cut = async {
                tokio::time::sleep(Duration::from_millis(turn)).await;
                proxy.cut().await;
            };
            let _ = tokio::join!(round, cut);
            assert_eq!(client.get("/v1/users").await.status, 200, "requests do not wait for a broker");
            if turn % 4 == 1 {
                users(&client, 1).await;
                let failure = relay.run_once().await.expect_err("the broker is not there");
                assert_eq!(relay.health().failure, Some(failure));
            }
            proxy.mend();
        }
    }
    drain(&relay).await;
    let stored = stored(&client).await;
    assert_eq!(stored.len(), 12 * (3 + 2 * 4) + 3);
    assert_whole(&peer.deduplicated().await, &stored);
    assert_eq!(relay.health().failure, None);
    peer.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_in_the_middle_loses_nothing_at_nats() {
    what_breaks_in_the_middle_loses_nothing(Kind::Nats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_in_the_middle_loses_nothing_at_rabbitmq() {
    what_breaks_in_the_middle_loses_nothing(Kind::Amqp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_in_the_middle_loses_nothing_at_redis() {
    what_breaks_in_the_middle_loses_nothing(Kind::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_the_credentials_is_shown_without_them_and_the_service_is_ready() {
    for (kind, user) in [(Kind::Amqp, "guest"), (Kind::Redis, "stranger")] {
        let Some(peer) = Peer::new(kind).await else { continue };
        let mut url = url::Url::parse(&peer.url).expect("a URL");
        url.set_username(user).expect("a name");
        url.set_password(Some("hunter2-of-the-broker")).expect("a password");
        let service = Service::start_with(&peer.settings(url.as_str())).await;
        let client = service.client().await;
        users(&client, 1).await;
        let failure = relay(&service).run_once().await.expect_err("the broker refuses");
        assert!(!failure.contains("hunter2") && !failure.is_empty(), "{failure}");
        let ready = service.http.get(format!("{}/readyz", service.admin_url())).header("accept", "application/json");
        let ready = Answer::of(ready.send().await.expect("an answer")).await;
        assert_eq!(ready.status, 200);
        assert!(ready.text.contains(&failure[..20]) && !ready.text.contains("hunter2"), "{}", ready.text);
        peer.remove().await;
    }
}
