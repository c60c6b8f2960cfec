//! The associated persons of a business.

use kira_users::contract::v1;
use kira_users::contract::v1::associated_persons_service_client::AssociatedPersonsServiceClient;
use reqwest::Method;
use serde_json::json;
use tonic::Code;

use super::support::{Scene, code, element, eva, text};
use crate::harness::requests::{data_uri, jpeg, minimal};
use crate::updates::support::{created, problem, problems_of, stored_files, violations_of};

#[tokio::test]
async fn a_person_is_listed_and_shown_as_in_the_user() {
    let scene = Scene::new().await;
    let etag = scene.client.get(&format!("/v1/users/{}", scene.id)).await.header("etag").map(str::to_owned);
    let list = scene.client.get(&scene.path("associated_persons")).await;
    assert_eq!(list.json(), json!({"data": scene.before["associated_persons"]}));
    let one = scene.client.get(&scene.person(1)).await;
    assert_eq!(one.json(), scene.before["associated_persons"][1]);
    assert_eq!((list.header("etag"), one.header("etag")), (etag.as_deref(), etag.as_deref()));
}

#[tokio::test]
async fn an_added_person_is_created_at_its_location_and_starts_a_verification() {
    let scene = Scene::new().await;
    let (rows, events) = (scene.service.database.count("verification_attempts").await, events(&scene).await);
    let entry = json!({"type": "passport", "issuing_country": "MEX", "number": "G1",
        "documents": [{"type": "front", "file": data_uri("image/jpeg", &jpeg("eva"))}]});
    let mut person = eva();
    person["identifying_information"] = json!([entry]);
    let files = stored_files(&scene.service);
    let added = scene.send(Method::POST, &scene.path("associated_persons"), person).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let answer = added.json();
    let location = scene.path(&format!("associated_persons/{}", text(&answer["id"])));
    assert_eq!(added.header("location"), Some(location.as_str()));
    assert_eq!(answer["user_id"], json!(scene.id));
    assert_eq!((&answer["user_status"], &answer["verification_triggered"]), (&json!("VERIFYING"), &json!(true)));
    assert_eq!(answer["updated_fields"], json!([]));
    let shown = scene.client.get(&location).await;
    assert_eq!(shown.json(), element(&added));
    assert_eq!(shown.json()["identifying_information"][0]["documents"][0]["media_type"], "image/jpeg");
    assert_eq!((shown.header("etag"), scene.persons().await[2].clone()), (added.header("etag"), element(&added)));
    assert_eq!(stored_files(&scene.service), files + 1);
    // As an update of the user: its event, that of the status, and the attempt.
    assert_eq!(scene.service.database.count("verification_attempts").await, rows + 1);
    assert_eq!(events_since(&scene, events).await, ["user.updated", "user.status_changed"]);
}

async fn events(scene: &Scene) -> usize {
    kinds(scene).await.len()
}

async fn kinds(scene: &Scene) -> Vec<String> {
    let sql = format!("SELECT kind FROM {} ORDER BY sequence", crate::harness::database::ALL_EVENTS);
    crate::updates::support::texts(&scene.service, &sql).await
}

async fn events_since(scene: &Scene, count: usize) -> Vec<String> {
    kinds(scene).await.split_off(count)
}

#[tokio::test]
async fn a_person_that_is_stored_already_is_not_added_again() {
    let scene = Scene::new().await;
    let path = scene.path("associated_persons");
    let first = scene.send(Method::POST, &path, eva()).await;
    let again = scene.send(Method::POST, &path, eva()).await;
    assert_eq!((again.status, &again.json()["id"]), (201, &first.json()["id"]));
    assert_eq!((again.header("etag"), again.header("location")), (first.header("etag"), first.header("location")));
    let mut promoted = eva();
    promoted["title"] = json!("CEO");
    let third = scene.send(Method::POST, &path, promoted).await.json();
    assert_eq!((&third["id"], &third["updated_fields"]), (&first.json()["id"], &json!(["title"])));
    assert_eq!(scene.persons().await.as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn a_change_names_what_changed_and_leaves_the_rest() {
    let scene = Scene::new().await;
    for (method, title) in [(Method::PATCH, "CFO"), (Method::PUT, "COO")] {
        let changed = scene.send(method, &scene.person(1), json!({"title": title, "address_city": "Puebla"})).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        assert!(text(&changed.json()["updated_fields"][0]) == "title");
        let mut expected = scene.before["associated_persons"][1].clone();
        (expected["title"], expected["address_city"]) = (json!(title), json!("Puebla"));
        assert_eq!((element(&changed), scene.persons().await[1].clone()), (expected.clone(), expected));
    }
    // An answer can be sent back; an empty text deletes.
    let shown = scene.client.get(&scene.person(1)).await.json();
    let same = scene.send(Method::PUT, &scene.person(1), shown.clone()).await;
    assert_eq!((same.json()["updated_fields"].clone(), element(&same)), (json!([]), shown));
    let without = scene.send(Method::PATCH, &scene.person(1), json!({"title": ""})).await;
    assert_eq!((without.json().get("title"), &without.json()["updated_fields"]), (None, &json!(["title"])));
}

#[tokio::test]
async fn a_removed_person_is_gone_with_its_files() {
    let scene = Scene::new().await;
    let (files, rows) = (stored_files(&scene.service), scene.service.database.count("documents").await);
    let removed = scene.delete(&scene.person(0), &[]).await;
    assert_eq!(removed.status, 200, "{}", removed.text);
    assert_eq!(removed.json()["user_id"], json!(scene.id));
    assert_eq!(scene.persons().await, json!([scene.before["associated_persons"][1]]));
    assert_eq!(scene.service.database.count("documents").await, rows - 2);
    assert_eq!(stored_files(&scene.service), files - 2);
    for answer in [scene.delete(&scene.person(0), &[]).await, scene.client.get(&scene.person(0)).await] {
        assert_eq!(code(&answer), (404, json!("not_found")));
    }
}

#[tokio::test]
async fn all_problems_are_told_at_once_at_the_places_of_the_request() {
    let scene = Scene::new().await;
    let added = scene.send(Method::POST, &scene.path("associated_persons"), json!({"last_name": "", "ssn": 7})).await;
    let expected =
        [problem("first_name", "invalid_type"), problem("last_name", "too_small"), problem("ssn", "invalid_type")];
    assert_eq!(problems_of(&added), expected);
    let entry = &scene.before["associated_persons"][1]["identifying_information"][0];
    let change = json!({"first_name": "", "title": 7, "ownership_percentage": 120,
        "identifying_information": [{"type": "visa"}, {"id": entry["id"], "issuing_country": "ZZZ"}]});
    let expected = [
        problem("first_name", "too_small"),
        problem("title", "invalid_type"),
        problem("ownership_percentage", "too_big"),
        problem("identifying_information.0.issuing_country", "invalid_type"),
        problem("identifying_information.1.issuing_country", "custom"),
    ];
    assert_eq!(problems_of(&scene.send(Method::PATCH, &scene.person(1), change).await), expected);
    let named = json!({"id": scene.before["associated_persons"][0]["id"], "_delete": true});
    let expected = [problem("id", "custom"), problem("_delete", "custom")];
    let mut found = problems_of(&scene.send(Method::PATCH, &scene.person(1), named).await);
    found.sort_by_key(|(path, _)| path != "id");
    assert_eq!(found, expected);
    assert_eq!(scene.persons().await, scene.before["associated_persons"]);
}

#[tokio::test]
async fn unknown_keys_are_warnings_and_with_strict_handling_problems() {
    let scene = Scene::new().await;
    let body = json!({"title": "CFO", "shoe_size": 43});
    let warned = scene.send(Method::PATCH, &scene.person(1), body.clone()).await;
    assert_eq!(warned.json()["warnings"][0]["path"], "shoe_size");
    let strict = scene.send_with(Method::PATCH, &scene.person(1), &[("prefer", "handling=strict")], body).await;
    assert_eq!(problems_of(&strict), [problem("shoe_size", "unrecognized_keys")]);
    let mut named = eva();
    named["id"] = json!("mine");
    let added = scene.send(Method::POST, &scene.path("associated_persons"), named).await;
    assert_eq!((added.status, &added.json()["warnings"][0]["path"]), (201, &json!("id")));
}

#[tokio::test]
async fn the_limits_of_the_user_hold() {
    let scene = Scene::new().await;
    let person = |number: usize| json!({"first_name": format!("Eva {number}"), "last_name": "Luna"});
    let list: Vec<_> = (0..98).map(person).collect();
    let filled = scene.send(Method::PUT, &format!("/v1/users/{}", scene.id), json!({"associated_persons": list})).await;
    assert_eq!(filled.status, 200);
    let refused = scene.send(Method::POST, &scene.path("associated_persons"), person(98)).await;
    assert_eq!(problems_of(&refused), [problem("", "too_big")]);
}

#[tokio::test]
async fn an_individual_has_no_associated_persons() {
    let scene = Scene::new().await;
    let id = created(&scene.client, &minimal()).await;
    let path = format!("/v1/users/{id}/associated_persons");
    let one = format!("{path}/{}", text(&scene.before["associated_persons"][0]["id"]));
    for answer in [
        scene.client.get(&path).await,
        scene.client.get(&one).await,
        scene.send(Method::POST, &path, eva()).await,
        scene.send(Method::PATCH, &one, json!({})).await,
        scene.delete(&one, &[]).await,
    ] {
        assert_eq!(problems_of(&answer), [problem("user_id", "custom")]);
        assert_eq!(answer.json()["details"][0]["message"], "An individual has no associated persons");
    }
}

#[tokio::test]
async fn the_calls_are_the_same_over_grpc() {
    let scene = Scene::new().await;
    let mut grpc = AssociatedPersonsServiceClient::new(scene.client.channel.clone());
    let user_id = || Some(scene.id.clone());
    let list = v1::ListAssociatedPersonsRequest { user_id: user_id() };
    let list = grpc.list_associated_persons(scene.client.call(list)).await.expect("a list").into_inner();
    assert_eq!(list.data.len(), 2);
    let eva = v1::AssociatedPerson {
        first_name: Some("Eva".to_owned()),
        last_name: Some("Luna".to_owned()),
        ..v1::AssociatedPerson::default()
    };
    let add = |associated_person| v1::AddAssociatedPersonRequest {
        user_id: user_id(),
        associated_person,
        ..v1::AddAssociatedPersonRequest::default()
    };
    let refused = grpc.add_associated_person(scene.client.call(add(None))).await.expect_err("nobody");
    let missing = [problem("first_name", "invalid_type"), problem("last_name", "invalid_type")];
    assert_eq!(violations_of(&refused), missing);
    let added = grpc.add_associated_person(scene.client.call(add(Some(eva)))).await.expect("a person");
    let etag = added.metadata().get("etag").expect("a tag").to_str().expect("ASCII").to_owned();
    let added = added.into_inner();
    let person_id = Some(added.associated_person.expect("the person").id);
    assert_eq!(added.outcome.expect("an outcome").user_id, scene.id);
    let change = v1::AssociatedPersonChange { first_name: Some(String::new()), ..Default::default() };
    let update = |change, if_match| v1::UpdateAssociatedPersonRequest {
        user_id: user_id(),
        person_id: person_id.clone(),
        associated_person: Some(change),
        if_match,
        ..Default::default()
    };
    let call = scene.client.call(update(change, None));
    let refused = grpc.update_associated_person(call).await.expect_err("a person without a name");
    assert_eq!(violations_of(&refused), [problem("first_name", "too_small")]);
    let change = v1::AssociatedPersonChange { title: Some("CFO".to_owned()), ..Default::default() };
    let call = scene.client.call(update(change.clone(), Some(etag.clone())));
    let changed = grpc.update_associated_person(call).await.expect("a change").into_inner();
    assert_eq!(changed.outcome.expect("an outcome").updated_fields, ["title"]);
    let call = scene.client.call(update(change, Some(etag)));
    let stale = grpc.update_associated_person(call).await.expect_err("an old version");
    assert_eq!(stale.code(), Code::Aborted);
    let remove = v1::RemoveAssociatedPersonRequest { user_id: user_id(), person_id, ..Default::default() };
    grpc.remove_associated_person(scene.client.call(remove.clone())).await.expect("a removal");
    let gone = grpc.remove_associated_person(scene.client.call(remove)).await.expect_err("nobody");
    assert_eq!(gone.code(), Code::NotFound);
}
