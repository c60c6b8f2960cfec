//! Associated persons, identification entries and documents: changed by id, added without, removed.

use serde_json::{Value, json};

use crate::harness::requests::{EXAMPLES, data_uri, example, jpeg};
use crate::harness::service::{Client, Service};
use crate::updates::support::{created, problem, problems_of, put, shown, stored_files, updated};

/// The Mexican business, and itself as it is shown.
async fn business(client: &Client) -> (String, Value) {
    let id = created(client, &example(EXAMPLES[3])).await;
    let user = shown(client, &id).await;
    (id, user)
}

fn document(text: &str) -> Value {
    json!({"type": "back", "file": data_uri("image/jpeg", &jpeg(text))})
}

#[tokio::test]
async fn an_element_with_a_known_id_changes_that_element_alone() {
    let service = Service::start().await;
    let client = service.client().await;
    let (id, before) = business(&client).await;
    let second = &before["associated_persons"][1];
    let entry = &second["identifying_information"][0];
    let change = json!({"associated_persons": [{"id": second["id"], "title": "CFO", "address_city": "Puebla",
        "identifying_information": [{"id": entry["id"], "number": "G999"}]}]});
    let after = updated(&client, &id, &change).await;
    let fields = [
        "associated_persons.0.title",
        "associated_persons.0.address_city",
        "associated_persons.0.identifying_information.0.number",
    ];
    assert_eq!(after["updated_fields"], json!(fields));
    let mut expected = before["associated_persons"].clone();
    expected[1]["title"] = json!("CFO");
    expected[1]["address_city"] = json!("Puebla");
    expected[1]["identifying_information"][0]["number"] = json!("G999");
    assert_eq!(after["associated_persons"], expected);
}

#[tokio::test]
async fn an_element_without_an_id_is_added() {
    let service = Service::start().await;
    let client = service.client().await;
    let (id, before) = business(&client).await;
    let first = &before["associated_persons"][0];
    let entry = json!({"type": "passport", "issuing_country": "MEX", "number": "G1", "documents": [document("new")]});
    let change = json!({"associated_persons": [
        {"first_name": "Eva", "last_name": "Luna"},
        {"id": first["id"], "identifying_information": [entry]},
    ]});
    let files = stored_files(&service);
    let after = updated(&client, &id, &change).await;
    let fields = ["associated_persons.0", "associated_persons.1.identifying_information.0"];
    assert_eq!(after["updated_fields"], json!(fields));
    assert_eq!(after["associated_persons"][2]["first_name"], "Eva");
    assert!(after["associated_persons"][2]["id"].is_string());
    let added = &after["associated_persons"][0]["identifying_information"][1];
    assert_eq!((&added["number"], added["documents"][0]["id"].is_string()), (&json!("G1"), true));
    assert_eq!(stored_files(&service), files + 1);
    assert_eq!(shown(&client, &id).await["associated_persons"], after["associated_persons"]);
}

#[tokio::test]
async fn a_removed_element_takes_its_documents_and_their_files_with_it() {
    let service = Service::start().await;
    let client = service.client().await;
    let (id, before) = business(&client).await;
    let (files, rows) = (stored_files(&service), service.database.count("documents").await);
    let first = &before["associated_persons"][0];
    let change = json!({"associated_persons": [{"id": first["id"], "_delete": true}]});
    let after = updated(&client, &id, &change).await;
    assert_eq!(after["updated_fields"], json!(["associated_persons.0"]));
    assert_eq!(after["associated_persons"], json!([before["associated_persons"][1]]));
    // The first person's identification has two sides.
    assert_eq!(service.database.count("documents").await, rows - 2);
    assert_eq!((stored_files(&service), service.database.count("objects_to_delete").await), (files - 2, 0));
}

#[tokio::test]
async fn one_document_is_removed_and_another_added_in_one_change() {
    let service = Service::start().await;
    let client = service.client().await;
    let (id, before) = business(&client).await;
    let entry = &before["identifying_information"][0];
    let change = json!({"identifying_information": [{"id": entry["id"], "documents": [
        {"id": entry["documents"][0]["id"], "_delete": true},
        {"type": "file_business_formation", "description": "second", "file": data_uri("image/jpeg", &jpeg("two"))},
    ]}]});
    let files = stored_files(&service);
    let after = updated(&client, &id, &change).await;
    let documents = after["identifying_information"][0]["documents"].as_array().expect("a list");
    assert_eq!((documents.len(), &documents[0]["description"]), (1, &json!("second")));
    assert_eq!(stored_files(&service), files);
}

#[tokio::test]
async fn an_element_that_does_not_exist_is_refused_at_its_place() {
    let service = Service::start().await;
    let client = service.client().await;
    let (id, before) = business(&client).await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    let person = &before["associated_persons"][0]["id"];
    let change = json!({
        "associated_persons": [{"id": unknown, "title": "x"}, {"id": person, "identifying_information": [{"id": unknown}]},
            {"_delete": true}],
        "identifying_information": [{"id": person, "_delete": true}],
    });
    let expected = [
        problem("associated_persons.0.id", "custom"),
        problem("associated_persons.1.identifying_information.0.id", "custom"),
        problem("associated_persons.2.id", "invalid_type"),
        problem("identifying_information.0.id", "custom"),
    ];
    let mut found = problems_of(&put(&client, &id, &change).await);
    found.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_changed_element_is_judged_whole_at_its_place_in_the_request() {
    let service = Service::start().await;
    let client = service.client().await;
    let (id, before) = business(&client).await;
    let second = &before["associated_persons"][1];
    let entry = &second["identifying_information"][0];
    let change = json!({"associated_persons": [
        {"id": second["id"], "first_name": "", "ownership_percentage": 120,
            "identifying_information": [{"type": "visa"}, {"id": entry["id"], "type": "tax_id", "number": ""}]},
        {"last_name": "Luna"},
    ]});
    let expected = [
        problem("associated_persons.0.first_name", "too_small"),
        problem("associated_persons.0.ownership_percentage", "too_big"),
        problem("associated_persons.0.identifying_information.0.issuing_country", "invalid_type"),
        problem("associated_persons.0.identifying_information.1.number", "too_small"),
        problem("associated_persons.1.first_name", "invalid_type"),
    ];
    let mut found = problems_of(&put(&client, &id, &change).await);
    found.sort();
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn the_file_of_a_stored_document_cannot_change_but_its_description_can() {
    let service = Service::start().await;
    let client = service.client().await;
    let (id, before) = business(&client).await;
    let entry = &before["identifying_information"][0];
    let stored = &entry["documents"][0];
    let with = |document: Value| json!({"identifying_information": [{"id": entry["id"], "documents": [document]}]});
    let refused = put(&client, &id, &with(json!({"id": stored["id"], "file": document("x")["file"]}))).await;
    let place = "identifying_information.0.documents.0.file";
    assert_eq!(problems_of(&refused), [problem(place, "custom")]);
    let after = updated(&client, &id, &with(json!({"id": stored["id"], "description": "The deed"}))).await;
    let mut expected = stored.clone();
    expected["description"] = json!("The deed");
    assert_eq!(after["identifying_information"][0]["documents"][0], expected);
    assert_eq!(after["verification_triggered"], false, "a remark proves nothing");
}

#[tokio::test]
async fn the_limits_hold_for_what_is_there_and_what_is_added_together() {
    let service = Service::start().await;
    let client = service.client().await;
    let (id, before) = business(&client).await;
    let person = |number: usize| json!({"first_name": format!("Eva {number}"), "last_name": "Luna"});
    let persons = |count: usize| (0..count).map(person).collect::<Vec<_>>();
    let refused = put(&client, &id, &json!({"associated_persons": persons(99)})).await;
    assert_eq!(problems_of(&refused), [problem("associated_persons", "too_big")]);
    let mut change = persons(99);
    change.push(json!({"id": before["associated_persons"][0]["id"], "_delete": true}));
    let after = updated(&client, &id, &json!({"associated_persons": change})).await;
    assert_eq!(after["associated_persons"].as_array().map(Vec::len), Some(100));
    let documents: Vec<_> = (0..20).map(|number| document(&number.to_string())).collect();
    let entry = json!([{"id": before["identifying_information"][0]["id"], "documents": documents}]);
    let refused = put(&client, &id, &json!({"identifying_information": entry})).await;
    assert_eq!(problems_of(&refused), [problem("identifying_information.0.documents", "too_big")]);
}

#[tokio::test]
async fn a_refused_change_leaves_no_files() {
    let service = Service::start().await;
    let client = service.client().await;
    let (id, before) = business(&client).await;
    let files = stored_files(&service);
    let entry = json!([{"id": before["identifying_information"][0]["id"], "documents": [document("x")]}]);
    put(&client, &id, &json!({"email": "nobody", "identifying_information": entry})).await;
    assert_eq!(stored_files(&service), files);
}

#[tokio::test]
async fn an_individuals_entries_are_shown_by_its_updates_and_changed_by_their_ids() {
    let service = Service::start_with(&[("KIRA_MASK_NUMBERS", "true")]).await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let before = updated(&client, &id, &json!({})).await;
    let ssn = &before["identifying_information"][0];
    assert_eq!((&ssn["type"], &ssn["number"]), (&json!("ssn"), &json!("***-**-6789")));
    assert_eq!(before["identifying_information"][1]["documents"].as_array().map(Vec::len), Some(3));
    let change = json!({"identifying_information": [{"id": ssn["id"], "number": "123-45-0001"}]});
    let after = updated(&client, &id, &change).await;
    assert_eq!(after["identifying_information"][0]["number"], "***-**-0001");
    assert_eq!(after["metadata"]["ssn"], "***-**-0001");
    assert_eq!(shown(&client, &id).await.get("identifying_information"), None);
}
