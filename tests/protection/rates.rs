//! What answers tell of the rate.

use kira_users::contract::v1;
use reqwest::Method;
use uuid::Uuid;

use crate::harness::service::{Answer, Service};

const TWO: (&str, &str) = ("KIRA_RATE_LIMIT_PER_SECOND", "2");

fn told(answer: &Answer) -> (Option<&str>, Option<&str>) {
    (answer.header("ratelimit-policy"), answer.header("ratelimit"))
}

#[tokio::test]
async fn every_answer_tells_the_rate_and_what_is_left() {
    let service = Service::start_with(&[TWO]).await;
    let client = service.client().await;
    let policy = Some(r#""default";q=2;w=1"#);
    let path = format!("/v1/users/{}", Uuid::nil());
    let answer = client.get(&path).await;
    assert_eq!((answer.status, told(&answer)), (404, (policy, Some(r#""default";r=1;t=1"#))));
    let answer = client.get(&path).await;
    assert_eq!((answer.status, told(&answer)), (404, (policy, Some(r#""default";r=0;t=1"#))));
    let answer = client.get(&path).await;
    assert_eq!((answer.status, told(&answer)), (429, (policy, Some(r#""default";r=0;t=1"#))));
    assert_eq!(answer.header("retry-after"), Some("1"));

    // Where it is not known who asks, there is nothing to be left.
    for path in ["/nowhere", path.as_str()] {
        let request = service.http.request(Method::GET, format!("{}{path}", service.url()));
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        assert_eq!(told(&answer), (policy, None), "{path}");
    }
}

#[tokio::test]
async fn grpc_answers_tell_it_in_their_metadata() {
    let service = Service::start_with(&[TWO]).await;
    let client = service.client().await;
    let told = |metadata: &tonic::metadata::MetadataMap| {
        ["ratelimit-policy", "ratelimit"].map(|name| metadata.get(name).map(|v| v.to_str().expect("text").to_owned()))
    };
    let policy = Some(r#""default";q=2;w=1"#.to_owned());
    let request = || client.call(v1::ListEventsRequest::default());
    let mut events = v1::events_service_client::EventsServiceClient::new(client.channel.clone());
    let answer = events.list_events(request()).await.expect("a page");
    assert_eq!(told(answer.metadata()), [policy.clone(), Some(r#""default";r=1;t=1"#.to_owned())]);
    events.list_events(request()).await.expect("a page");
    let status = events.list_events(request()).await.expect_err("too many");
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert_eq!(told(status.metadata()), [policy, Some(r#""default";r=0;t=1"#.to_owned())]);
}

#[tokio::test]
async fn nothing_is_told_where_there_is_no_rate() {
    let service = Service::start().await;
    let client = service.client().await;
    assert_eq!(told(&client.get(&format!("/v1/users/{}", Uuid::nil())).await), (None, None));
}
