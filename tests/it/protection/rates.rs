//! The rate limit headers of responses.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use kira_users::app;
use kira_users::contract::v1;
use kira_users::store::Engine;
use reqwest::Method;
use uuid::Uuid;

use crate::harness::database::engine;
use crate::harness::service::{Answer, Service, config};

const TWO: (&str, &str) = ("KIRA_RATE_LIMIT_PER_SECOND", "2");

fn announced(answer: &Answer) -> (Option<&str>, Option<&str>) {
    (answer.header("ratelimit-policy"), answer.header("ratelimit"))
}

#[tokio::test]
async fn every_answer_tells_the_rate_and_what_is_left() {
    let service = Service::start_with(&[TWO]).await;
    let client = service.client().await;
    let policy = Some(r#""default";q=2;w=1"#);
    let path = format!("/v1/users/{}", Uuid::nil());
    let answer = client.get(&path).await;
    assert_eq!((answer.status, announced(&answer)), (404, (policy, Some(r#""default";r=1;t=1"#))));
    let answer = client.get(&path).await;
    assert_eq!((answer.status, announced(&answer)), (404, (policy, Some(r#""default";r=0;t=1"#))));
    let answer = client.get(&path).await;
    assert_eq!((answer.status, announced(&answer)), (429, (policy, Some(r#""default";r=0;t=1"#))));
    assert_eq!(answer.header("retry-after"), Some("1"));

    // Where it is not known who asks, there is nothing to be left.
    for path in ["/nowhere", path.as_str()] {
        let request = service.http.request(Method::GET, format!("{}{path}", service.url()));
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        assert_eq!(announced(&answer), (policy, None), "{path}");
    }
}

#[tokio::test]
async fn grpc_answers_tell_it_in_their_metadata() {
    let service = Service::start_with(&[TWO]).await;
    let client = service.client().await;
    let announced = |metadata: &tonic::metadata::MetadataMap| {
        ["ratelimit-policy", "ratelimit"].map(|name| metadata.get(name).map(|v| v.to_str().expect("text").to_owned()))
    };
    let policy = Some(r#""default";q=2;w=1"#.to_owned());
    let request = || client.call(v1::ListEventsRequest::default());
    let mut events = v1::events_service_client::EventsServiceClient::new(client.channel.clone());
    let answer = events.list_events(request()).await.expect("a page");
    assert_eq!(announced(answer.metadata()), [policy.clone(), Some(r#""default";r=1;t=1"#.to_owned())]);
    events.list_events(request()).await.expect("a page");
    let status = events.list_events(request()).await.expect_err("too many");
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert_eq!(announced(status.metadata()), [policy, Some(r#""default";r=0;t=1"#.to_owned())]);
}

#[tokio::test]
async fn two_servers_that_share_a_rate_allow_it_once() {
    if engine() == Engine::Sqlite {
        return;
    }
    let settings = [("KIRA_RATE_LIMIT_PER_SECOND", "20"), ("KIRA_RATE_LIMIT_STORE", "database")];
    let service = Service::start_with(&settings).await;
    let client = service.client().await;
    let config = config(&service.database, &service.folder, &settings);
    let second = app::start(&config, Arc::clone(&service.clock) as _).await.expect("a second server");
    let servers = [client.clone(), client.at(&second).await];
    let path = format!("/v1/users/{}", Uuid::nil());
    for _ in 0..2 {
        let mut allowed = 0;
        for number in 0..60 {
            let answer = servers[number % 2].get(&path).await;
            assert!(matches!(answer.status, 404 | 429), "{}", answer.text);
            allowed += i32::from(answer.status == 404);
        }
        assert_eq!(allowed, 20);
        service.clock.advance(TimeDelta::seconds(1));
    }
    second.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn nothing_is_told_where_there_is_no_rate() {
    let service = Service::start().await;
    let client = service.client().await;
    assert_eq!(announced(&client.get(&format!("/v1/users/{}", Uuid::nil())).await), (None, None));
}
