//! Identifications of a user, and of an associated person.

use kira_users::contract::v1;
use kira_users::contract::v1::identifications_service_client::IdentificationsServiceClient;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::Code;

use super::support::{Scene, code, element, text};
use crate::harness::requests::{EXAMPLES, data_uri, example, jpeg};
use crate::harness::service::Service;
use crate::updates::support::{created, problem, problems_of, shown, stored_files, updated};

fn passport(number: &str) -> Value {
    json!({"type": "passport", "issuing_country": "MEX", "number": number,
        "documents": [{"type": "front", "file": data_uri("image/jpeg", &jpeg(number))}]})
}

/// Adds, changes, shows, and removes an entry of the list at `path`.
async fn life(scene: &Scene, path: &str, list: impl AsyncFn() -> Value) {
    let (before, files) = (list().await, stored_files(&scene.service));
    assert_eq!(scene.client.get(path).await.json(), json!({"data": before}));
    let added = scene.send(Method::POST, path, passport("G1")).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let one = format!("{path}/{}", text(&added.json()["id"]));
    assert_eq!(added.header("location"), Some(one.as_str()));
    assert_eq!(added.json()["verification_triggered"], true);
    assert_eq!(stored_files(&scene.service), files + 1);
    // The same entry is that entry.
    let again = scene.send(Method::POST, path, passport("G1")).await;
    assert_eq!((element(&again), again.header("etag")), (element(&added), added.header("etag")));
    let changed = scene.send(Method::PATCH, &one, json!({"number": "G2", "description": "renewed"})).await;
    assert_eq!(changed.json()["updated_fields"], json!(["number", "description"]), "{}", changed.text);
    let entry = scene.client.get(&one).await;
    assert_eq!((entry.json(), entry.header("etag")), (element(&changed), changed.header("etag")));
    assert_eq!(list().await.as_array().and_then(|list| list.last().cloned()), Some(entry.json()));
    let document = &entry.json()["documents"][0];
    let refused = json!({"type": "tax_id", "number": "", "documents": [
        {"id": document["id"], "file": data_uri("image/jpeg", &jpeg("x"))}]});
    let expected = [problem("number", "too_small"), problem("documents.0.file", "custom")];
    assert_eq!(problems_of(&scene.send(Method::PUT, &one, refused).await), expected);
    let removed = scene.delete(&one, &[]).await;
    assert_eq!((removed.status, stored_files(&scene.service)), (200, files));
    assert_eq!((list().await, code(&scene.delete(&one, &[]).await)), (before, (404, json!("not_found"))));
    assert_eq!(code(&scene.client.get(&one).await), (404, json!("not_found")));
    assert_eq!(code(&scene.send(Method::PATCH, &one, json!({})).await), (404, json!("not_found")));
    let incomplete = scene.send(Method::POST, path, json!({"type": "ssn"})).await;
    let expected = [problem("issuing_country", "invalid_type"), problem("number", "invalid_type")];
    assert_eq!(problems_of(&incomplete), expected);
}

#[tokio::test]
async fn an_entry_of_a_business_lives() {
    let scene = Scene::new().await;
    let list = async || scene.shown().await["identifying_information"].clone();
    life(&scene, &scene.path("identifying_information"), list).await;
}

#[tokio::test]
async fn an_entry_of_an_associated_person_lives() {
    let scene = Scene::new().await;
    let list = async || scene.persons().await[1]["identifying_information"].clone();
    let path = format!("{}/identifying_information", scene.person(1));
    life(&scene, &path, list).await;
    let added = scene.send(Method::POST, &path, passport("G3")).await.json();
    assert_eq!(added["person_id"], scene.before["associated_persons"][1]["id"]);
    // It is not an entry of the other person, nor of the user.
    for place in [format!("{}/identifying_information", scene.person(0)), scene.path("identifying_information")] {
        let one = format!("{place}/{}", text(&added["id"]));
        assert_eq!(code(&scene.client.get(&one).await), (404, json!("not_found")));
        assert_eq!(code(&scene.delete(&one, &[]).await), (404, json!("not_found")));
    }
    let nobody = scene.path("associated_persons/00000000-0000-4000-8000-000000000000/identifying_information");
    assert_eq!(code(&scene.send(Method::POST, &nobody, passport("G4")).await), (404, json!("not_found")));
}

#[tokio::test]
async fn the_entries_of_an_individual_are_shown_and_masked_where_the_operator_asks_for_it() {
    let service = Service::start_with(&[("KIRA_MASK_NUMBERS", "true")]).await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let path = format!("/v1/users/{id}/identifying_information");
    let list = client.get(&path).await.json();
    assert_eq!(list["data"], updated(&client, &id, &json!({})).await["identifying_information"]);
    let ssn = &list["data"][0];
    assert_eq!(ssn["number"], "***-**-6789");
    let one = format!("{path}/{}", text(&ssn["id"]));
    let back = crate::updates::support::send(&client, Method::PUT, &one, &[], ssn).await;
    assert_eq!((&back.json()["updated_fields"], &back.json()["number"]), (&json!([]), &ssn["number"]));
    let removed = super::support::delete(&client, &one, &[]).await.json();
    assert_eq!((&removed["user_status"], &removed["verification_triggered"]), (&json!("CREATED"), &json!(false)));
    let missing = shown(&client, &id).await["missing_fields"]["verification"].clone();
    assert_eq!(missing, json!(["identifying_information:ssn"]));
}

#[tokio::test]
async fn fifty_entries_are_the_most() {
    let scene = Scene::new().await;
    let entry = |number: usize| json!({"type": "tax_id", "issuing_country": "MEX", "number": format!("T{number}")});
    let there = scene.before["identifying_information"].as_array().map_or(0, Vec::len);
    let list: Vec<_> = (there..50).map(entry).collect();
    let user = format!("/v1/users/{}", scene.id);
    assert_eq!(scene.send(Method::PUT, &user, json!({"identifying_information": list})).await.status, 200);
    let refused = scene.send(Method::POST, &scene.path("identifying_information"), entry(50)).await;
    assert_eq!(problems_of(&refused), [problem("", "too_big")]);
}

#[tokio::test]
async fn the_calls_are_the_same_over_grpc() {
    let scene = Scene::new().await;
    let mut grpc = IdentificationsServiceClient::new(scene.client.channel.clone());
    let user_id = || Some(scene.id.clone());
    let person_id = || Some(text(&scene.before["associated_persons"][0]["id"]).to_owned());
    let entry = v1::Identification {
        r#type: Some(v1::IdentificationType::TaxId.into()),
        issuing_country: Some("MEX".to_owned()),
        number: Some("T1".to_owned()),
        ..v1::Identification::default()
    };
    let add = v1::AddIdentificationRequest {
        user_id: user_id(),
        identification: Some(entry.clone()),
        ..v1::AddIdentificationRequest::default()
    };
    let added = grpc.add_identification(scene.client.call(add)).await.expect("an entry").into_inner();
    let id = added.identification.expect("the entry").id;
    let get = v1::GetIdentificationRequest { user_id: user_id(), identification_id: Some(id.clone()) };
    let got = grpc.get_identification(scene.client.call(get)).await.expect("the entry").into_inner();
    assert_eq!(got.identification.expect("the entry").number.as_deref(), Some("T1"));
    let change = v1::IdentificationChange { number: Some("T2".to_owned()), ..Default::default() };
    let update = v1::UpdateIdentificationRequest {
        user_id: user_id(),
        identification_id: Some(id.clone()),
        identification: Some(change),
        ..Default::default()
    };
    let changed = grpc.update_identification(scene.client.call(update)).await.expect("a change").into_inner();
    assert_eq!(changed.outcome.expect("an outcome").updated_fields, ["number"]);
    let remove =
        v1::RemoveIdentificationRequest { user_id: user_id(), identification_id: Some(id), ..Default::default() };
    grpc.remove_identification(scene.client.call(remove.clone())).await.expect("a removal");
    let gone = grpc.remove_identification(scene.client.call(remove)).await.expect_err("nothing");
    assert_eq!(gone.code(), Code::NotFound);
    let add = v1::AddPersonIdentificationRequest {
        user_id: user_id(),
        person_id: person_id(),
        identification: Some(entry),
        ..Default::default()
    };
    let added = grpc.add_person_identification(scene.client.call(add)).await.expect("an entry").into_inner();
    assert_eq!(added.outcome.expect("an outcome").person_id, person_id());
    let list = v1::ListPersonIdentificationsRequest { user_id: user_id(), person_id: person_id() };
    let list = grpc.list_person_identifications(scene.client.call(list)).await.expect("a list").into_inner();
    assert_eq!(list.data.last(), added.identification.as_ref());
}
