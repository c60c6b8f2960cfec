//! What finds a user, and what does not.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::requests::{EXAMPLES, example, minimal, with};
use crate::harness::service::{Client, Service};
use crate::lookup::support::{created, found, list, listed, named};
use crate::promises::support::{execute, problems, violations};
use crate::updates::support::{put, send};

/// The one user that a filter finds, over both protocols.
async fn one(client: &Client, query: &[(&str, &str)]) -> String {
    let (ids, total) = found(client, query).await;
    assert_eq!((ids.len(), total), (1, 1), "{query:?}");
    ids[0].clone()
}

async fn none(client: &Client, query: &[(&str, &str)]) {
    assert_eq!(found(client, query).await, (Vec::new(), 0), "{query:?}");
}

#[tokio::test]
async fn the_users_of_the_examples_are_found_by_every_identifier_however_it_is_written() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut ids = Vec::new();
    for text in EXAMPLES {
        ids.push(created(&service, &client, &example(text)).await);
    }
    for (position, text) in EXAMPLES.into_iter().enumerate() {
        let (body, id) = (example(text), &ids[position]);
        let value = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let (email, phone) = (value("email"), value("phone"));
        assert_eq!(&one(&client, &[("email", &email)]).await, id);
        assert_eq!(&one(&client, &[("email", &email.to_uppercase())]).await, id);
        if !phone.is_empty() {
            let spaced = format!("00 {}-{}", &phone[1..4], &phone[4..]);
            for phone in [&phone, &spaced] {
                let (ids, _) = found(&client, &[("phone", phone)]).await;
                assert!(ids.contains(id), "{phone}");
            }
        }
        for entry in body["identifying_information"].as_array().into_iter().flatten() {
            let Some(number) = entry["number"].as_str() else { continue };
            let spread: String = number.chars().flat_map(|c| [c, '\u{200B}', ' ']).collect();
            for number in [number, &spread, &number.to_lowercase()] {
                let (ids, _) = found(&client, &[("number", number)]).await;
                assert!(ids.contains(id), "{number}");
            }
        }
        let name = ["last_name", "business_legal_name"].map(value).concat();
        for query in [name.to_uppercase(), name.chars().take(4).collect()] {
            let (ids, _) = found(&client, &[("q", &query)]).await;
            assert!(ids.contains(id), "{query}");
        }
    }
}

#[tokio::test]
async fn a_listed_user_is_shown_as_a_get_shows_it() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&service, &client, &example(EXAMPLES[2])).await;
    let answer = listed(&client, &[]).await;
    assert_eq!(answer["data"][0], client.get(&format!("/v1/users/{id}")).await.json());
    let pagination = json!({"total": 1, "limit": 10, "offset": 0, "has_more": false});
    assert_eq!(answer["pagination"], pagination);
}

#[tokio::test]
async fn the_filters_in_clear_select_and_go_together_with_each_other_and_with_values() {
    let service = Service::start().await;
    let client = service.client().await;
    let individual = created(&service, &client, &minimal()).await;
    let business = json!({"type": "business", "email": "ada@example.com", "business_legal_name": "Ada Works"});
    let business = created(&service, &client, &business).await;
    let review = created(&service, &client, &named("Grace", "Hopper")).await;
    execute(&service.database, "UPDATE users SET status = 'VERIFIED' WHERE kind = 'business'").await;
    let every = [review.clone(), business.clone(), individual.clone()].to_vec();
    assert_eq!(found(&client, &[]).await.0, every, "newest first");
    for (query, expected) in [
        (vec![("type", "business")], vec![&business]),
        (vec![("type", "individual")], vec![&review, &individual]),
        (vec![("status", "VERIFIED")], vec![&business]),
        (vec![("status", "CREATED")], vec![&review, &individual]),
        (vec![("status", "REJECTED")], vec![]),
        (vec![("verification_status", "unverified")], vec![&review, &individual]),
        (vec![("verification_status", "verified")], vec![&business]),
        (vec![("verification_status", "verified"), ("status", "CREATED")], vec![]),
        (vec![("type", "individual"), ("status", "CREATED")], vec![&review, &individual]),
        (vec![("email", "ada@example.com")], vec![&business, &individual]),
        (vec![("email", "ada@example.com"), ("type", "individual")], vec![&individual]),
        (vec![("email", "ada@example.com"), ("status", "VERIFIED")], vec![&business]),
        (vec![("email", "ada@example.com"), ("q", "works")], vec![&business]),
        (vec![("email", "ada@example.com"), ("q", "hopper")], vec![]),
        (vec![("created_after", "2026-11-23T10:00:02Z")], vec![&review, &business]),
        (vec![("created_before", "2026-11-23T10:00:02Z")], vec![&individual]),
        (
            vec![("created_after", "2026-11-23T10:00:02Z"), ("created_before", "2026-11-23T10:00:02.001Z")],
            vec![&business],
        ),
        (vec![("created_after", "2026-11-23T10:00:02Z"), ("email", "ada@example.com")], vec![&business]),
        (vec![("created_after", "2027-01-01T00:00:00Z")], vec![]),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(found(&client, &query).await.0, expected, "{query:?}");
    }
}

#[tokio::test]
async fn a_word_of_three_letters_finds_what_begins_with_it_and_all_words_must_be_there() {
    let service = Service::start().await;
    let client = service.client().await;
    let muñoz = created(&service, &client, &named("María José", "Muñoz O'Connor")).await;
    let li = created(&service, &client, &named("Li", "Fernández")).await;
    let linda = created(&service, &client, &named("Linda", "Fernando")).await;
    let wang = created(&service, &client, &named("小明", "王")).await;
    for (query, expected) in [
        ("munoz", vec![&muñoz]),
        ("MUÑ", vec![&muñoz]),
        ("jose maria", vec![&muñoz]),
        ("oconnor", vec![&muñoz]),
        ("o’connor mari", vec![&muñoz]),
        ("fern", vec![&linda, &li]),
        ("fernand", vec![&linda, &li]),
        ("fernande", vec![&li]),
        ("li", vec![&li]),
        ("lin", vec![&linda]),
        ("li fer", vec![&li]),
        ("王", vec![&wang]),
        ("小明 王", vec![&wang]),
        ("mu", vec![]),
        ("munozz", vec![]),
        ("munoz linda", vec![]),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        let total = expected.len() as u64;
        assert_eq!(found(&client, &[("q", query)]).await, (expected, total), "{query}");
    }
}

#[tokio::test]
async fn a_business_is_found_by_the_names_and_numbers_of_its_persons() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut business = json!({"type": "business", "email": "info@acme.example", "business_legal_name": "Acme Inc"});
    business["associated_persons"] = json!([{"first_name": "Grace", "last_name": "Hopper", "ssn": "987-65-4321"}]);
    let id = created(&service, &client, &business).await;
    assert_eq!(one(&client, &[("q", "hopper")]).await, id);
    assert_eq!(one(&client, &[("number", "987654321")]).await, id);
}

#[tokio::test]
async fn the_key_of_a_create_finds_what_it_made() {
    let service = Service::start().await;
    let (client, other) = (service.client().await, service.client().await);
    let key = Uuid::new_v4();
    let answer = client.create_with(key, &minimal()).await;
    let (id, key) = (answer.json()["id"].as_str().expect("an id").to_owned(), key.to_string());
    assert_eq!(one(&client, &[("idempotency_key", &key)]).await, id);
    assert_eq!(one(&client, &[("idempotency_key", &key), ("q", "love")]).await, id);
    none(&client, &[("idempotency_key", &key), ("status", "VERIFIED")]).await;
    none(&client, &[("idempotency_key", &Uuid::new_v4().to_string())]).await;
    none(&other, &[("idempotency_key", &key)]).await;
}

#[tokio::test]
async fn another_clients_users_are_not_found_by_anything() {
    let service = Service::start().await;
    let (owner, other) = (service.client().await, service.client().await);
    let body = example(EXAMPLES[0]);
    created(&service, &owner, &body).await;
    let (email, number) = (body["email"].as_str(), body["identifying_information"][0]["number"].as_str());
    none(&other, &[]).await;
    none(&other, &[("email", email.expect("an address"))]).await;
    none(&other, &[("number", number.expect("a number"))]).await;
    none(&other, &[("q", body["last_name"].as_str().expect("a name"))]).await;
}

#[tokio::test]
async fn an_update_moves_the_entries_of_what_it_changes_and_of_nothing_else() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut body = named("Ada", "Lovelace");
    body["external_id"] = json!("first");
    let id = created(&service, &client, &body).await;
    let rows = service.database.count("user_index").await;
    let change = json!({"email": "new@example.com", "last_name": "Byron", "external_id": "second"});
    assert_eq!(put(&client, &id, &change).await.status, 200);
    for query in [[("email", "new@example.com")], [("q", "byron")], [("q", "ada")], [("external_id", "second")]] {
        assert_eq!(one(&client, &query).await, id);
    }
    for query in [[("email", "someone@example.com")], [("q", "lovelace")], [("external_id", "first")]] {
        none(&client, &query).await;
    }
    assert_eq!(service.database.count("user_index").await, rows, "as many values as before");
    assert_eq!(put(&client, &id, &json!({"external_id": ""})).await.status, 200);
    assert_eq!(service.database.count("user_index").await, rows - 1);
}

#[tokio::test]
async fn an_entry_that_leads_to_a_user_without_the_value_shows_nothing() {
    let service = Service::start().await;
    let client = service.client().await;
    let (ada, bob) =
        (created(&service, &client, &minimal()).await, created(&service, &client, &named("Bob", "Ng")).await);
    // As if two digests met: all that leads to the one leads to the other as well.
    let id = |id: &str| match crate::harness::database::engine() {
        kira_users::store::Engine::Postgres => format!("'{id}'"),
        kira_users::store::Engine::Sqlite => format!("X'{}'", id.replace('-', "")),
    };
    let sql = format!(
        "INSERT INTO user_index SELECT client_id, version, digest, {} FROM user_index WHERE user_id = {}",
        id(&bob),
        id(&ada)
    );
    execute(&service.database, &sql).await;
    assert_eq!(one(&client, &[("email", "ada@example.com")]).await, ada);
    assert_eq!(one(&client, &[("q", "lovelace ada")]).await, ada);
}

#[tokio::test]
async fn what_is_wrong_with_a_list_is_said_all_at_once() {
    let service = Service::start().await;
    let client = service.client().await;
    let text = |texts: [&str; 3]| texts.map(str::to_owned);
    for (query, expected) in [
        (vec![("limit", "0")], vec![["limit", "Number must be greater than or equal to 1", "too_small"]]),
        (vec![("limit", "101")], vec![["limit", "Number must be less than or equal to 100", "too_big"]]),
        (vec![("offset", "10001")], vec![["offset", "Number must be less than or equal to 10000", "too_big"]]),
        (
            vec![("offset", "1001"), ("q", "ada")],
            vec![["offset", "Number must be less than or equal to 1000", "too_big"]],
        ),
        (
            vec![("phone", "+-"), ("q", "..."), ("cursor", "nonsense"), ("offset", "1")],
            vec![
                ["offset", "Must not be given together with cursor", "custom"],
                ["cursor", "Must be the next_cursor of an answer to the same filters", "custom"],
                ["phone", "Must contain a letter or a digit", "invalid_string"],
                ["q", "Must contain a letter or a digit", "invalid_string"],
            ],
        ),
        (
            vec![("created_after", "2026-11-23T10:00:00Z"), ("created_before", "2026-11-23T10:00:00Z")],
            vec![["created_before", "Must be later than created_after", "custom"]],
        ),
        (vec![("idempotency_key", "7")], vec![["idempotency_key", "Invalid uuid", "invalid_string"]]),
        (vec![("email", "")], vec![["email", "String must contain at least 1 character(s)", "too_small"]]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(text).collect();
        assert_eq!(problems(&list(&client, &query).await), expected, "{query:?}");
        let refused = crate::lookup::support::grpc_list(&client, &query).await.expect_err("the same over gRPC");
        assert_eq!(violations(&refused), expected, "{query:?}");
    }
    // What has no form over gRPC.
    for (query, path) in [("status=DONE", "status"), ("type=person", "type"), ("limit=ten", "limit")] {
        let answer = client.get(&format!("/v1/users?{query}")).await;
        assert_eq!(problems(&answer)[0][0], path, "{query}");
    }
    let answer = client.get("/v1/users?created_after=yesterday").await;
    assert_eq!(problems(&answer)[0][0], "created_after");
    let answer = send(&client, Method::DELETE, "/v1/users", &[], &Value::Null).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, POST")));
}

#[tokio::test]
async fn masked_numbers_are_found_by_the_whole_number() {
    let service = Service::start_with(&[("KIRA_MASK_NUMBERS", "true")]).await;
    let client = service.client().await;
    let id = created(&service, &client, &with(example(EXAMPLES[0]), "/email", json!("m@example.com"))).await;
    let number = example(EXAMPLES[0])["identifying_information"][0]["number"].as_str().expect("a number").to_owned();
    assert_eq!(one(&client, &[("number", &number)]).await, id);
    assert!(!listed(&client, &[("number", &number)]).await["data"].to_string().contains(&number));
}
