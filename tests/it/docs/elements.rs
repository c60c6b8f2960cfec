//! The recorded calls of what a user consists of: persons, identifications, history; and of many users at once.

use serde_json::{Value, json};

use crate::docs::examples::{MINIMAL, key, text};
use crate::docs::recorder::Recorder;
use crate::harness::service::Client;

/// The calls of one business, whose create answered `business`.
pub(crate) async fn elements(r: &mut Recorder, client: &Client, business: &Value) {
    let user_id = text(business, "/id").to_owned();
    persons(r, client, &user_id).await;
    identifications(r, client, &user_id).await;
    person_identifications(r, client, &user_id, text(business, "/associated_persons/0/id")).await;
    let page = [("user_id", user_id.as_str()), ("limit", "2")];
    let call = ["ListUserHistory", "newest", "The two newest changes of a user"];
    r.call(client, call, "GET /v1/users/{user_id}/history", &page, None).await;
}

async fn persons(r: &mut Recorder, client: &Client, user_id: &str) {
    let (all, one) = ("/v1/users/{user_id}/associated_persons", "/v1/users/{user_id}/associated_persons/{person_id}");
    let user = [("user_id", user_id)];
    let call = ["ListAssociatedPersons", "all", "The associated persons of a business"];
    r.call(client, call, &format!("GET {all}"), &user, None).await;
    let (number, call) = (key(20), ["AddAssociatedPerson", "owner", "Another owner"]);
    let add = [user[0], ("idempotency-key", number.as_str())];
    let body = r#"{"first_name":"Luis","last_name":"Ortega","birth_date":"1979-04-02","title":"Owner","has_ownership":true,"ownership_percentage":20}"#;
    let added = r.call(client, call, &format!("POST {all}"), &add, Some(body)).await;
    let person = [user[0], ("person_id", text(&added, "/id"))];
    r.call(client, ["GetAssociatedPerson", "one", "One of them"], &format!("GET {one}"), &person, None).await;
    let number = key(21);
    let update = [person[0], person[1], ("idempotency-key", number.as_str())];
    let call = ["UpdateAssociatedPerson", "share", "A smaller share"];
    r.call(client, call, &format!("PUT {one}"), &update, Some(r#"{"ownership_percentage":15}"#)).await;
    let call = ["RemoveAssociatedPerson", "remove", "No longer an owner"];
    r.call(client, call, &format!("DELETE {one}"), &person, None).await;
}

async fn identifications(r: &mut Recorder, client: &Client, user_id: &str) {
    let (all, one) = (
        "/v1/users/{user_id}/identifying_information",
        "/v1/users/{user_id}/identifying_information/{identification_id}",
    );
    let user = [("user_id", user_id)];
    let call = ["ListIdentifications", "all", "The identifications of a user"];
    r.call(client, call, &format!("GET {all}"), &user, None).await;
    let (number, call) = (key(22), ["AddIdentification", "tax_id", "A tax ID"]);
    let add = [user[0], ("idempotency-key", number.as_str())];
    let body = r#"{"type":"tax_id","issuing_country":"MEX","number":"TAV150601XXX"}"#;
    let added = r.call(client, call, &format!("POST {all}"), &add, Some(body)).await;
    let entry = [user[0], ("identification_id", text(&added, "/id"))];
    r.call(client, ["GetIdentification", "one", "One of them"], &format!("GET {one}"), &entry, None).await;
    let number = key(23);
    let update = [entry[0], entry[1], ("idempotency-key", number.as_str())];
    let call = ["UpdateIdentification", "description", "With a description"];
    r.call(client, call, &format!("PUT {one}"), &update, Some(r#"{"description":"RFC"}"#)).await;
    let call = ["RemoveIdentification", "remove", "Without it"];
    r.call(client, call, &format!("DELETE {one}"), &entry, None).await;
}

async fn person_identifications(r: &mut Recorder, client: &Client, user_id: &str, person_id: &str) {
    let all = "/v1/users/{user_id}/associated_persons/{person_id}/identifying_information";
    let one = &format!("{all}/{{identification_id}}");
    let person = [("user_id", user_id), ("person_id", person_id)];
    let call = ["ListPersonIdentifications", "all", "The identifications of an associated person"];
    r.call(client, call, &format!("GET {all}"), &person, None).await;
    let (number, call) = (key(24), ["AddPersonIdentification", "passport", "A passport; its files can follow"]);
    let add = [person[0], person[1], ("idempotency-key", number.as_str())];
    let body = r#"{"type":"passport","issuing_country":"MEX","number":"G87654321","expiration":"2031-05-20"}"#;
    let added = r.call(client, call, &format!("POST {all}"), &add, Some(body)).await;
    let entry = [person[0], person[1], ("identification_id", text(&added, "/id"))];
    r.call(client, ["GetPersonIdentification", "one", "One of them"], &format!("GET {one}"), &entry, None).await;
    let number = key(25);
    let update = [entry[0], entry[1], entry[2], ("idempotency-key", number.as_str())];
    let call = ["UpdatePersonIdentification", "expiration", "A renewed passport"];
    r.call(client, call, &format!("PUT {one}"), &update, Some(r#"{"expiration":"2036-05-20"}"#)).await;
    let call = ["RemovePersonIdentification", "remove", "Without it"];
    r.call(client, call, &format!("DELETE {one}"), &entry, None).await;
}

/// Two users in one request, of which one is refused.
pub(crate) async fn batch(r: &mut Recorder, client: &Client) {
    let mut users: Vec<Value> = vec![serde_json::from_str(MINIMAL).expect("JSON"); 2];
    for (number, user) in users.iter_mut().enumerate() {
        // The key of the first create that was recorded, of another user.
        user["idempotency_key"] = json!(key([30, 0][number]));
        user["email"] = json!(["grace@example.com", "joan@example.com"][number]);
    }
    let call = ["BatchCreateUsers", "two", "One user is created, the other has the key of an earlier request"];
    let body = json!({"users": users}).to_string();
    r.call(client, call, "POST /v1/users:batchCreate", &[], Some(&body)).await;
}
