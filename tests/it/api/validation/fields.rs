//! The tables, field by field.

use serde_json::{Value, json};

use super::table::{Field, Kind, Table, tables};
use super::values::values;
use crate::api::support::bodies::{with, without};
use crate::api::support::stored::stored;
use crate::api::support::{
    Detail, assert_created, assert_refused, details_of, grpc_create, message_of, short, violations_of,
};
use crate::harness::service::{Client, Service};

/// A value of each JSON type.
fn of_every_type() -> [(&'static str, Value); 6] {
    [
        ("null", Value::Null),
        ("boolean", json!(true)),
        ("number", json!(1.5)),
        ("string", json!("x")),
        ("array", json!(["x"])),
        ("object", json!({"x": 1})),
    ]
}

impl Table {
    fn path(&self, field: &Field) -> String {
        format!("{}{}", self.prefix, field.name)
    }

    /// The body with another value of a field.
    fn with(&self, field: &Field, value: Value) -> Value {
        with(&self.body, &self.path(field), value)
    }
}

fn at(path: &str, code: &str, message: impl Into<String>) -> Vec<Detail> {
    vec![(path.to_owned(), message.into(), code.to_owned())]
}

/// The refusal over REST, and where protobuf can say the same request, the same refusal over gRPC.
async fn assert_refused_over_both(client: &Client, body: &Value, expected: &[Detail]) {
    assert_refused(client, body, expected).await;
    if let Some(message) = message_of(body) {
        let status = grpc_create(client, message).await.expect_err("a refusal");
        assert_eq!(violations_of(&status), expected, "over gRPC for {}", short(body));
    }
}

#[tokio::test]
async fn a_value_of_another_json_type_is_refused_by_name() {
    let service = Service::start().await;
    let client = service.client().await;
    let before = stored(&service).await;
    for table in tables() {
        for field in &table.fields {
            let (right, expected) = field.kind.json_type();
            for (name, value) in of_every_type().into_iter().filter(|(name, _)| *name != right) {
                let path = table.path(field);
                let details = at(&path, "invalid_type", format!("Expected {expected}, received {name}"));
                assert_refused(&client, &table.with(field, value), &details).await;
            }
        }
    }
    assert_eq!(stored(&service).await, before, "a refusal stores nothing");
}

#[tokio::test]
async fn a_required_field_must_be_there_and_not_empty() {
    let service = Service::start().await;
    let client = service.client().await;
    let before = stored(&service).await;
    for table in tables() {
        for field in table.fields.iter().filter(|field| field.required) {
            let path = table.path(field);
            assert_refused_over_both(&client, &without(&table.body, &path), &at(&path, "invalid_type", "Required"))
                .await;
            if field.kind.is_text() {
                let details = at(&path, "too_small", "String must contain at least 1 character(s)");
                assert_refused_over_both(&client, &table.with(field, json!("")), &details).await;
            }
        }
    }
    assert_eq!(stored(&service).await, before, "a refusal stores nothing");
}

#[tokio::test]
async fn an_optional_text_may_be_empty_and_then_counts_as_absent() {
    let service = Service::start().await;
    let client = service.client().await;
    for table in tables() {
        let mut plain = assert_created(&client, &table.body).await;
        let mut body = table.body.clone();
        for field in table.fields.iter().filter(|field| !field.required && field.kind.is_text()) {
            body = with(&body, &table.path(field), json!(""));
        }
        let mut emptied = assert_created(&client, &body).await;
        crate::api::support::hide_ids(&mut plain);
        crate::api::support::hide_ids(&mut emptied);
        assert_eq!(emptied, plain, "for {}", short(&body));
    }
}

#[tokio::test]
async fn a_text_may_be_as_long_as_its_limit_and_no_longer() {
    let service = Service::start().await;
    let client = service.client().await;
    for table in tables() {
        let mut longest = table.body.clone();
        for field in &table.fields {
            let Some(limit) = field.kind.longest() else { continue };
            let path = table.path(field);
            longest = with(&longest, &path, json!(field.kind.text_of(limit)));
            let details = at(&path, "too_big", format!("String must contain at most {limit} character(s)"));
            let body = table.with(field, json!(field.kind.text_of(limit + 1)));
            assert_refused_over_both(&client, &body, &details).await;
        }
        assert_created(&client, &longest).await;
    }
}

#[tokio::test]
async fn a_value_of_the_right_type_that_will_not_do_is_refused_in_one_sentence() {
    let service = Service::start().await;
    let client = service.client().await;
    let before = stored(&service).await;
    for table in tables() {
        for field in &table.fields {
            for (value, code, message) in field.kind.bad_values() {
                let details = at(&table.path(field), code, message);
                assert_refused_over_both(&client, &table.with(field, value), &details).await;
            }
        }
    }
    assert_eq!(stored(&service).await, before, "a refusal stores nothing");
}

#[tokio::test]
async fn a_nul_character_is_refused_in_every_text() {
    let service = Service::start().await;
    let client = service.client().await;
    for table in tables() {
        for field in table.fields.iter().filter(|field| field.kind.is_text()) {
            let path = table.path(field);
            let body = table.with(field, json!("a\u{0}b"));
            let found = details_of(&client.create(&body).await);
            // A text with a form of its own does not have that either.
            assert!(found.iter().all(|(place, _, _)| *place == path), "{found:?}");
            assert_eq!(found[0], at(&path, "custom", "Must not contain NUL characters")[0]);
            let message = message_of(&body).expect("protobuf has NUL");
            assert_eq!(violations_of(&grpc_create(&client, message).await.expect_err("a refusal")), found);
        }
    }
}

#[tokio::test]
async fn every_value_of_every_list_is_taken() {
    let service = Service::start().await;
    let client = service.client().await;
    for table in tables() {
        for field in &table.fields {
            let Kind::OneOf(list) = field.kind else { continue };
            for value in values(list) {
                let mut body = table.with(field, json!(value));
                if field.name == "type" && super::values::TAX_IDS.split_whitespace().any(|tax_id| tax_id == value) {
                    body = with(&body, &table.path(&Field { name: "number", ..*field }), json!("1"));
                }
                assert_created(&client, &body).await;
            }
        }
    }
}

#[tokio::test]
async fn the_ends_of_a_percentage_are_taken() {
    let service = Service::start().await;
    let client = service.client().await;
    let body = tables().into_iter().find(|table| table.prefix == "associated_persons.0.").expect("the table").body;
    for value in [json!(0), json!(-0.0), json!(33.333), json!(100), json!(100.0)] {
        assert_created(&client, &with(&body, "associated_persons.0.ownership_percentage", value)).await;
    }
}
