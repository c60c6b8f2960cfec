//! The log of the program at its finest level, that of its libraries too.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::harness::database::TestDatabase;
use crate::harness::program::{Program, Setup};
use crate::harness::requests::{data_uri, jpeg, message, minimal, with, with_files};
use crate::harness::service::http_client;

/// Part of every value that is sent.
const MARK: &str = "zqjxkvwyq";

async fn call(program: &Program, headers: &[(&str, &str)], body: String) -> u16 {
    let mut request = http_client().request(Method::POST, format!("http://{}/v1/users", program.rest()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).send().await.expect("an answer").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_finest_level_the_log_holds_no_personal_value_and_no_secret() {
    let mut setup = Setup::on(TestDatabase::migrated().await);
    setup.set("KIRA_LOG", "trace");
    let client = setup.client();
    let mut program = setup.serve();
    let (token, key) = (program.token(&client).await, Uuid::new_v4().to_string());
    let secret = |name: &str| client[name].as_str().expect("a text").to_owned();
    let (authorization, api_key) = (format!("Bearer {token}"), secret("api_key"));
    let file = data_uri("image/jpeg", &jpeg(MARK));
    let body = with(with(with_files(), "/first_name", json!(MARK)), "/identifying_information/0/number", json!(MARK));
    let body = with(body, "/identifying_information/1/documents/0/file", file.clone());
    let headers = [
        ("authorization", authorization.as_str()),
        ("x-api-key", api_key.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", key.as_str()),
    ];
    assert_eq!(call(&program, &headers, body.to_string()).await, 201);
    assert_eq!(call(&program, &headers, body.to_string()).await, 200);
    assert_eq!(call(&program, &headers, with(minimal(), "/last_name", json!(MARK)).to_string()).await, 409);
    assert_eq!(call(&program, &headers, format!("{{\"{MARK}\": \"{MARK}\" {MARK}")).await, 400);
    assert_eq!(call(&program, &headers[1..], body.to_string()).await, 401);
    let message = kira_users::contract::v1::CreateUserRequest { idempotency_key: None, user: Some(message(&body)) };
    let mut request = tonic::Request::new(message);
    for (name, value) in [headers[0], headers[1]] {
        request.metadata_mut().insert(name, value.parse().expect("metadata"));
    }
    request.metadata_mut().insert("idempotency-key", Uuid::new_v4().to_string().parse().expect("metadata"));
    let mut grpc = kira_users::contract::v1::users_service_client::UsersServiceClient::new(program.channel().await);
    grpc.create_user(request).await.expect("a user");

    program.terminate();
    assert!(program.ended().success());
    let log = program.log.text();
    assert!(log.contains("\"TRACE\"") && log.contains("request completed"), "the log is as fine as it gets");
    let file = file.as_str().and_then(|uri| uri.split_once(',')).expect("a data URI").1.to_owned();
    // The part of the encoded file that has the mark in it.
    let file = file[8..24].to_owned();
    let bytes = format!("{:?}", MARK.as_bytes());
    let master_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".to_owned();
    for planted in [MARK.to_owned(), file, bytes, secret("password"), api_key.clone(), token, master_key] {
        let line = log.lines().find(|line| line.contains(&planted));
        assert!(line.is_none(), "{planted} in {}", line.unwrap_or_default());
    }
}
