//! Lists sent whole, without ids, at every save.

use serde_json::{Value, json};

use crate::harness::requests::{EXAMPLES, data_uri, example, jpeg, minimal};
use crate::harness::service::{Client, Service};
use crate::updates::support::{created, shown, stored_files, updated};

async fn business(client: &Client) -> String {
    let body = json!({"type": "business", "email": "office@example.com", "business_legal_name": "Reyes Ltd"});
    created(client, &body).await
}

async fn saved(client: &Client, id: &str, list: &str, elements: &Value) -> (Value, Value) {
    let after = updated(client, id, &json!({list: elements})).await;
    (after["updated_fields"].clone(), updated(client, id, &json!({})).await[list].clone())
}

#[tokio::test]
async fn the_same_list_saved_three_times_is_there_once() {
    for masked in ["false", "true"] {
        let service = Service::start_with(&[("KIRA_MASK_NUMBERS", masked)]).await;
        let client = service.client().await;
        for (index, text) in EXAMPLES.iter().enumerate() {
            let body = example(text);
            let id = created(&client, &body).await;
            let (before, files) = (client.get(&format!("/v1/users/{id}")).await, stored_files(&service));
            for _ in 0..3 {
                let mut again = body.clone();
                again.as_object_mut().expect("an object").remove("type");
                let after = updated(&client, &id, &again).await;
                assert_eq!(after["updated_fields"], json!([]), "example {index}");
                assert_eq!(after["verification_triggered"], false);
            }
            let after = client.get(&format!("/v1/users/{id}")).await;
            assert_eq!((after.header("etag"), &after.text), (before.header("etag"), &before.text));
            assert_eq!(stored_files(&service), files);
        }
    }
}

#[tokio::test]
async fn a_list_that_is_added_is_added_once() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = business(&client).await;
    let persons = example(EXAMPLES[2])["associated_persons"].clone();
    let (fields, first) = saved(&client, &id, "associated_persons", &persons).await;
    assert_eq!(fields, json!(["associated_persons.0", "associated_persons.1"]));
    for _ in 0..2 {
        let (fields, again) = saved(&client, &id, "associated_persons", &persons).await;
        assert_eq!((fields, &again), (json!([]), &first));
    }
}

#[tokio::test]
async fn a_person_is_known_by_names_and_birth_date_or_by_e_mail() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = business(&client).await;
    let ana = json!({"first_name": "Ana", "last_name": "Luna", "birth_date": "1980-01-01", "email": "ana@example.com"});
    saved(&client, &id, "associated_persons", &json!([ana])).await;
    let same = [
        (
            json!({"first_name": "ana ", "last_name": "LUNA", "birth_date": "1980-01-01"}),
            vec!["first_name", "last_name"],
        ),
        (
            json!({"first_name": "Anna", "last_name": "Luna-Vega", "email": "ANA@example.com"}),
            vec!["first_name", "last_name", "email"],
        ),
    ];
    for (person, changed) in same {
        let (fields, list) = saved(&client, &id, "associated_persons", &json!([person])).await;
        let expected: Vec<_> = changed.iter().map(|field| format!("associated_persons.0.{field}")).collect();
        assert_eq!((fields, list.as_array().map(Vec::len)), (json!(expected), Some(1)), "{person}");
    }
    let others = json!([
        {"first_name": "Anna", "last_name": "Luna-Vega", "birth_date": "1981-01-01"},
        {"first_name": "Anna", "last_name": "Luna-Vega"},
        {"first_name": "Eva", "last_name": "Luna-Vega", "birth_date": "1980-01-01"},
    ]);
    let (fields, list) = saved(&client, &id, "associated_persons", &others).await;
    assert_eq!(fields, json!(["associated_persons.0", "associated_persons.1", "associated_persons.2"]));
    assert_eq!(list.as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn a_shared_e_mail_does_not_mix_up_two_persons() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = business(&client).await;
    let person = |name: &str| json!({"first_name": name, "last_name": "Luna", "email": "office@example.com"});
    let (_, first) = saved(&client, &id, "associated_persons", &json!([person("Ana")])).await;
    let both = json!([person("Eva"), person("Ana")]);
    let (fields, second) = saved(&client, &id, "associated_persons", &both).await;
    assert_eq!(fields, json!(["associated_persons.0"]));
    assert_eq!(second[0], first[0]);
    assert_eq!(saved(&client, &id, "associated_persons", &both).await, (json!([]), second));
}

#[tokio::test]
async fn an_element_said_twice_is_added_once_and_two_that_differ_are_two() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = business(&client).await;
    let person = |title: &str| json!({"first_name": "Ana", "last_name": "Luna", "title": title});
    let twice = json!([person("CEO"), person("CEO")]);
    let (fields, list) = saved(&client, &id, "associated_persons", &twice).await;
    assert_eq!((fields, list.as_array().map(Vec::len)), (json!(["associated_persons.0"]), Some(1)));
    assert_eq!(saved(&client, &id, "associated_persons", &twice).await.0, json!([]));
    let two = json!([person("CEO"), person("CFO")]);
    let (fields, list) = saved(&client, &id, "associated_persons", &two).await;
    assert_eq!((fields, list.as_array().map(Vec::len)), (json!(["associated_persons.1"]), Some(2)));
    assert_eq!(saved(&client, &id, "associated_persons", &two).await, (json!([]), list));
}

#[tokio::test]
async fn what_is_named_or_deleted_by_its_id_is_not_taken_by_another_element() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = business(&client).await;
    let ana = json!({"first_name": "Ana", "last_name": "Luna"});
    let (_, list) = saved(&client, &id, "associated_persons", &json!([ana])).await;
    let old = &list[0]["id"];
    let (fields, list) = saved(&client, &id, "associated_persons", &json!([ana, {"id": old, "_delete": true}])).await;
    assert_eq!(fields, json!(["associated_persons.0", "associated_persons.1"]));
    assert_eq!(list.as_array().map(Vec::len), Some(1));
    assert_ne!(&list[0]["id"], old);
    let named = json!([{"id": list[0]["id"], "title": "CEO"}, ana]);
    let (fields, list) = saved(&client, &id, "associated_persons", &named).await;
    assert_eq!(fields, json!(["associated_persons.0.title", "associated_persons.1"]));
    assert_eq!(list.as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_number_in_another_way_of_writing_is_the_same_entry_and_starts_no_verification() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let entry = json!([{"type": "ssn", "issuing_country": "USA", "number": "123 45 6789"}]);
    let after = updated(&client, &id, &json!({"identifying_information": entry})).await;
    assert_eq!(after["updated_fields"], json!(["identifying_information.0.number"]));
    assert_eq!((&after["verification_triggered"], &after["metadata"]["ssn"]), (&json!(false), &json!("123 45 6789")));
    let other = json!([{"type": "ssn", "issuing_country": "USA", "number": "123-45-6780"}]);
    let (fields, list) = saved(&client, &id, "identifying_information", &other).await;
    assert_eq!((fields, list.as_array().map(Vec::len)), (json!(["identifying_information.0"]), Some(3)));
}

#[tokio::test]
async fn an_entry_without_a_number_is_known_by_type_and_country() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    let document = json!({"type": "file_proof_of_address", "file": data_uri("image/jpeg", &jpeg("bill"))});
    let entry = |number: Value| json!({"type": "passport", "issuing_country": "MEX", "number": number});
    let bill = json!({"type": "proof_of_address", "issuing_country": "MEX", "documents": [document]});
    let list = json!([bill, entry(json!("G1")), entry(json!(""))]);
    let (fields, first) = saved(&client, &id, "identifying_information", &list).await;
    assert_eq!(fields.as_array().map(Vec::len), Some(3));
    assert_eq!(saved(&client, &id, "identifying_information", &list).await, (json!([]), first));
}

#[tokio::test]
async fn a_document_is_known_by_its_type_and_content() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    let document = |kind: &str, text: &str| json!({"type": kind, "file": data_uri("image/jpeg", &jpeg(text))});
    let list = json!([document("front", "a"), document("back", "a"), document("front", "b"), document("front", "b")]);
    let (fields, first) = saved(&client, &id, "documents", &list).await;
    assert_eq!(fields, json!(["documents.0", "documents.1", "documents.2"]));
    assert_eq!(stored_files(&service), 3);
    assert_eq!(saved(&client, &id, "documents", &list).await, (json!([]), first.clone()));
    assert_eq!(stored_files(&service), 3);
    // By its id, with the file that it has.
    let mut named = document("front", "a");
    named["id"] = first[0]["id"].clone();
    assert_eq!(saved(&client, &id, "documents", &json!([named])).await, (json!([]), first));
    assert_eq!(shown(&client, &id).await["verification_triggered"], false);
}
