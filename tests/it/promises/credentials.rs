//! Getting a token, and losing the right to.

use chrono::TimeDelta;
use kira_gateway::error::ErrorReason;
use kira_users::app;
use kira_users::contract::v1;
use serde_json::json;
use tonic::Code;
use uuid::Uuid;

use crate::harness::requests::minimal;
use crate::harness::service::{Answer, Client, Service, config};
use crate::promises::support::refusal;

/// `POST /auth` and CreateToken with these credentials; both must answer the same. None: refused.
async fn token(service: &Service, client: &Client, id: &str, password: &str, api_key: Option<&str>) -> Option<String> {
    let mut rest = service.http.post(format!("{}/auth", service.url()));
    let message =
        v1::CreateTokenRequest { api_key: None, client_id: Some(id.to_owned()), password: Some(password.to_owned()) };
    let mut grpc = tonic::Request::new(message);
    if let Some(api_key) = api_key {
        rest = rest.header("x-api-key", api_key);
        grpc.metadata_mut().insert("x-api-key", api_key.parse().expect("metadata"));
    }
    let rest = rest.json(&json!({"client_id": id, "password": password})).send().await.expect("an answer");
    let (rest, grpc) = (Answer::of(rest).await, client.grpc_auth().create_token(grpc).await);
    match grpc {
        Ok(answer) => {
            let (answer, json) = (answer.into_inner(), rest.json());
            let data = answer.data.expect("a token");
            assert_eq!((rest.status, answer.message.as_str(), data.expires_in), (200, "Auth token", 3600));
            assert_eq!(
                (json["message"].as_str(), json["data"]["expires_in"].as_u64()),
                (Some("Auth token"), Some(3600))
            );
            assert_eq!((json["data"]["token_type"].as_str(), data.token_type.as_str()), (Some("Bearer"), "Bearer"));
            Some(data.access_token)
        }
        Err(status) => {
            let expected = (Code::Unauthenticated, ErrorReason::Unauthorized, "Invalid credentials".to_owned());
            assert_eq!(refusal(&status), expected);
            assert_eq!(rest.status, 401);
            assert_eq!(rest.json(), json!({"code": "unauthorized", "message": "Invalid credentials"}));
            None
        }
    }
}

async fn works(client: &Client) -> bool {
    let answer = client.get(&format!("/v1/users/{}", client.id)).await;
    assert!(matches!(answer.status, 401 | 404), "{}", answer.status);
    let over_rest = answer.status == 404;
    let request = client.call(v1::GetUserRequest { user_id: Some(client.id.to_string()) });
    let refused = client.grpc().get_user(request).await.expect_err("no such user");
    assert_eq!(refused.code() == Code::NotFound, over_rest, "the listeners agree");
    if !over_rest {
        assert_eq!(answer.json(), json!({"code": "unauthorized", "message": "Invalid API key"}));
    }
    over_rest
}

#[tokio::test]
async fn nothing_tells_which_part_of_wrong_credentials_was_wrong() {
    let service = Service::start().await;
    let (client, other) = (service.client().await, service.client().await);
    let (id, password, api_key) = (client.id.to_string(), client.password.as_str(), Some(client.api_key.as_str()));
    assert!(token(&service, &client, &id, password, api_key).await.is_some());
    assert!(token(&service, &client, &id.to_uppercase(), password, api_key).await.is_some());
    for (why, id, password, api_key) in [
        ("an unknown client", Uuid::nil().to_string(), password, api_key),
        ("another client", other.id.to_string(), password, api_key),
        ("a wrong password", id.clone(), "wrong", api_key),
        ("another client's password", id.clone(), other.password.as_str(), api_key),
        ("no API key", id.clone(), password, None),
        ("an unknown API key", id.clone(), password, Some("kira_unknown")),
        ("another client's API key", id.clone(), password, Some(other.api_key.as_str())),
        ("all wrong", Uuid::nil().to_string(), "wrong", Some("wrong")),
    ] {
        assert!(token(&service, &client, &id, password, api_key).await.is_none(), "{why}");
    }
}

#[tokio::test]
async fn a_token_made_over_either_protocol_is_good_over_both() {
    let service = Service::start().await;
    let mut client = service.client().await;
    assert!(works(&client).await, "made over REST");
    let id = client.id.to_string();
    client.token = token(&service, &client, &id, &client.password, Some(&client.api_key)).await.expect("a token");
    assert!(works(&client).await, "made over gRPC");
}

#[tokio::test]
async fn over_grpc_the_api_key_of_create_token_may_be_a_field() {
    let service = Service::start().await;
    let client = service.client().await;
    let request = v1::CreateTokenRequest {
        api_key: Some(client.api_key.clone()),
        client_id: Some(client.id.to_string()),
        password: Some(client.password.clone()),
    };
    assert!(client.grpc_auth().create_token(request).await.is_ok());
}

#[tokio::test]
async fn a_disabled_client_is_refused_by_every_replica_within_five_seconds() {
    let service = Service::start().await;
    let client = service.client().await;
    let config = config(&service.database, &service.folder, &[]);
    let replica = app::start(&config, service.clock.clone()).await.expect("a second replica starts");
    let elsewhere = client.at(&replica).await;
    assert!(works(&client).await && works(&elsewhere).await, "both replicas know the client");
    assert_eq!(client.create(&minimal()).await.status, 201);
    assert!(service.clients().await.disable(client.id).await.expect("a change"));
    service.clock.advance(TimeDelta::seconds(5));
    assert!(!works(&client).await && !works(&elsewhere).await, "no replica takes its token");
    for replica in [&client, &elsewhere] {
        let refused = replica.authenticate(&client.password).await;
        assert_eq!((refused.status, refused.json()["message"].as_str()), (401, Some("Invalid credentials")));
    }
}

#[tokio::test]
async fn after_a_rotation_both_credentials_work_for_the_overlap_and_then_the_new_ones_alone() {
    let service = Service::start().await;
    let old = service.client().await;
    let rotated = service.clients().await.rotate(old.id, TimeDelta::minutes(10)).await.expect("a rotation");
    let new = service.client_of(&rotated.expect("the client is there")).await;
    assert_ne!((&old.password, &old.api_key), (&new.password, &new.api_key));
    assert!(works(&old).await && works(&new).await, "both");
    assert_eq!(old.authenticate(&old.password).await.status, 200);
    service.clock.advance(TimeDelta::minutes(10));
    assert!(!works(&old).await && works(&new).await, "the new ones alone");
    assert_eq!(old.authenticate(&old.password).await.status, 401);
    assert_eq!(new.authenticate(&old.password).await.status, 401, "the old password is dead too");
    assert_eq!(new.authenticate(&new.password).await.status, 200);
}

#[tokio::test]
async fn a_rotation_without_overlap_ends_the_old_credentials_within_five_seconds() {
    let service = Service::start().await;
    let old = service.client().await;
    assert!(works(&old).await);
    let rotated = service.clients().await.rotate(old.id, TimeDelta::zero()).await.expect("a rotation");
    service.clock.advance(TimeDelta::seconds(5));
    assert!(!works(&old).await);
    assert!(works(&service.client_of(&rotated.expect("the client is there")).await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_with_the_key_of_one_client_cost_no_other_client_its_logins() {
    let service = Service::start().await;
    let (flooding, other) = (service.client().await, service.client().await);
    let flood = (0..100).map(|number| {
        let client = flooding.clone();
        tokio::spawn(async move {
            let status = client.authenticate(&format!("wrong {number}")).await.status;
            assert!(matches!(status, 401 | 503), "{status}");
            status
        })
    });
    let flood: Vec<_> = flood.collect();
    for _ in 0..5 {
        assert_eq!(other.authenticate(&other.password).await.status, 200);
        let mut request = tonic::Request::new(v1::CreateTokenRequest {
            api_key: None,
            client_id: Some(other.id.to_string()),
            password: Some(other.password.clone()),
        });
        request.metadata_mut().insert("x-api-key", other.api_key.parse().expect("metadata"));
        assert!(other.grpc_auth().create_token(request).await.is_ok());
    }
    let flood = futures_util::future::join_all(flood).await;
    assert!(flood.into_iter().any(|status| status.expect("no panic") == 401), "the flood itself is answered");
}
