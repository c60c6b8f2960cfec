//! Callers without valid credentials: what they cost, and how fast they are answered.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::harness::requests::minimal;
use crate::harness::service::{Answer, Service};

async fn refused(service: &Service) -> Answer {
    let request = service.http.request(Method::GET, format!("{}/v1/events", service.url())).bearer_auth("wrong");
    Answer::of(request.send().await.expect("an answer")).await
}

/// The samples of `/metrics` that begin with a name.
async fn metric(service: &Service, name: &str) -> f64 {
    let url = format!("{}/metrics", service.admin_url());
    let page = service.http.get(url).send().await.expect("an answer").text().await.expect("a text");
    page.lines()
        .filter(|line| line.starts_with(name))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// Two refusals at once and two a second, of one network.
const TWO: [(&str, &str); 1] = [("KIRA_REFUSALS_PER_SECOND", "2")];
const DELAYED: &str = "kira_requests_delayed_total{protocol=\"rest\"";

#[tokio::test]
async fn refusals_beyond_a_rate_are_held_back_and_clients_are_served_meanwhile() {
    let service = Service::start_with(&TWO).await;
    let client = service.client().await;
    let mut unauthenticated = std::pin::pin!(join_all((0..12).map(|_| refused(&service))));
    let clients = async {
        while metric(&service, DELAYED).await < 10.0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..10 {
            assert_eq!(client.create(&minimal()).await.status, 201);
        }
        let keys = format!("{}/.well-known/jwks.json", service.url());
        assert_eq!(service.http.get(keys).send().await.expect("an answer").status(), 200);
    };
    let begin = Instant::now();
    let (refusals, ()) = tokio::join!(&mut unauthenticated, clients);
    assert!(refusals.iter().all(|answer| answer.status == 401 && answer.json()["code"] == json!("unauthorized")));
    // Never fewer, however busy the machine is: ten of them wait in line, half a second each.
    assert!(begin.elapsed() >= Duration::from_secs(4));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_answers_that_are_held_back() {
    let service = Service::start_with(&TWO).await;
    let (http, url) = (service.http.clone(), format!("{}/nowhere", service.url()));
    let asked = tokio::spawn(join_all((0..30).map(move |_| http.get(&url).send())));
    while metric(&service, DELAYED).await < 28.0 {
        tokio::task::yield_now().await;
    }
    // The last of them would wait for ten seconds and more.
    service.running.stop(Duration::from_secs(5)).await;
    let answers = asked.await.expect("no panic");
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status() == 404)));
}

#[tokio::test]
async fn one_network_does_not_hold_back_the_answers_of_another() {
    let service = Service::start_with(&TWO).await;
    let other = reqwest::Client::builder().no_proxy().local_address("127.0.0.2".parse::<std::net::IpAddr>().ok());
    let other = other.build().expect("a client");
    let url = format!("{}/nowhere", service.url());
    let mut unauthenticated = std::pin::pin!(join_all((0..19).map(|_| service.http.get(&url).send())));
    let own = async {
        while metric(&service, DELAYED).await < 17.0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(other.get(&url).send().await.expect("an answer").status(), 404);
        assert!(metric(&service, DELAYED).await < 18.0, "it was not held back");
    };
    tokio::select! {
        _ = &mut unauthenticated => panic!("the last of them waits for eight seconds"),
        () = own => {}
    }
}
