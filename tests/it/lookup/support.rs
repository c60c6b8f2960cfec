//! Lists over both protocols.

use chrono::TimeDelta;
use kira_gateway::problem::Problems;
use kira_gateway::text::SetField as _;
use kira_users::contract::v1;
use kira_users::service::lookup::rebuild::Rebuild;
use kira_users::vault::BlindIndex;
use serde_json::{Value, json};
use url::Url;

use crate::harness::service::{Answer, Client, Service};

/// A list over REST.
pub(crate) async fn list(client: &Client, query: &[(&str, &str)]) -> Answer {
    let url = Url::parse_with_params("http://any/v1/users", query).expect("a URL");
    client.get(&url[url::Position::BeforePath..]).await
}

/// A list over REST that succeeds.
pub(crate) async fn listed(client: &Client, query: &[(&str, &str)]) -> Value {
    let answer = list(client, query).await;
    assert_eq!(answer.status, 200, "{} for {query:?}", answer.text);
    answer.json()
}

/// The request of a query over gRPC. What cannot be read is left out.
pub(crate) fn request(query: &[(&str, &str)]) -> v1::ListUsersRequest {
    let (mut request, mut problems) = (v1::ListUsersRequest::default(), Problems::default());
    for (name, value) in query {
        assert!(request.set_field(name, value, &mut problems), "{name} is no parameter");
    }
    request
}

/// A list over gRPC.
pub(crate) async fn grpc_list(client: &Client, query: &[(&str, &str)]) -> Result<v1::ListUsersResponse, tonic::Status> {
    let response = client.grpc().list_users(client.call(request(query))).await?;
    Ok(response.into_inner())
}

/// The ids and the total of a list, the same over both protocols.
pub(crate) async fn found(client: &Client, query: &[(&str, &str)]) -> (Vec<String>, u64) {
    let answer = listed(client, query).await;
    let ids = ids(&answer);
    let total = answer["pagination"]["total"].as_u64().expect("a total");
    let over_grpc = grpc_list(client, query).await.expect("a list");
    let grpc_ids: Vec<_> = over_grpc.data.iter().map(|user| user.id.clone()).collect();
    assert_eq!(grpc_ids, ids, "{query:?}");
    assert_eq!(u64::from(over_grpc.pagination.expect("a pagination").total), total, "{query:?}");
    (ids, total)
}

/// The ids in an answer.
pub(crate) fn ids(answer: &Value) -> Vec<String> {
    let data = answer["data"].as_array().expect("a list");
    data.iter().map(|user| user["id"].as_str().expect("an id").to_owned()).collect()
}

/// Creates a user a second after the one before; its id.
pub(crate) async fn created(service: &Service, client: &Client, body: &Value) -> String {
    service.clock.advance(TimeDelta::seconds(1));
    let answer = client.create(body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// An individual with these names.
pub(crate) fn named(first: &str, last: &str) -> Value {
    json!({"type": "individual", "email": "someone@example.com", "first_name": first, "last_name": last})
}

/// What indexes the users of a service.
pub(crate) async fn rebuild(service: &Service) -> Rebuild {
    let resources = &service.running.resources;
    let sealed = resources.store.find_secret("blind-index").await.expect("a read").expect("the secret");
    let secret = resources.vault.open_secret("blind-index", &sealed).expect("its name");
    Rebuild { store: resources.store.clone(), vault: resources.vault.clone(), index: BlindIndex::new(&secret) }
}
