//! Listing: what a page shows, and how pages follow each other.

use std::collections::HashSet;

use kira_users::contract::v1;
use serde_json::json;
use uuid::Uuid;

use crate::events::support::{event_id, grpc, page, refused, text, users, users_of};
use crate::harness::service::Service;

#[tokio::test]
async fn an_event_has_the_documented_shape_and_nothing_personal() {
    let service = Service::start().await;
    let client = service.client().await;
    let user_id = users(&client, 1).await.remove(0);
    let page = page(&client, "").await;
    let event = &page["data"][0];
    let expected = json!({"event": "user.created", "data": {
        "event_id": text(event, "/data/event_id"), "user_id": user_id, "type": "individual", "status": "CREATED",
        "verification_status": "unverified", "sequence": 1, "created_at": "2026-11-23T10:00:00Z",
    }});
    assert_eq!(event, &expected);
    assert_eq!((&page["next_cursor"], &page["has_more"]), (&event["data"]["event_id"], &json!(false)));
}

#[tokio::test]
async fn a_refusal_is_told_with_what_was_before_and_why() {
    let service = Service::start().await;
    let client = service.client().await;
    let user_id = refused(&service, &client).await;
    let page = page(&client, &format!("user_id={user_id}&type=user.verification.failed")).await;
    assert_eq!(page["data"].as_array().map(Vec::len), Some(1));
    let data = &page["data"][0]["data"];
    assert_eq!((&data["status"], &data["verification_status"]), (&json!("REJECTED"), &json!("rejected")));
    assert!(data["previous_status"].is_string());
    assert_eq!(data["reasons"], json!([{"code": "planned", "message": "A test wants it so"}]));
}

#[tokio::test]
async fn the_events_of_a_user_come_in_the_order_of_their_sequence() {
    let service = Service::start().await;
    let client = service.client().await;
    let user_id = refused(&service, &client).await;
    let page = page(&client, &format!("user_id={user_id}")).await;
    let events = page["data"].as_array().expect("a list");
    let sequences: Vec<_> = events.iter().filter_map(|event| event["data"]["sequence"].as_u64()).collect();
    assert_eq!(sequences, [1, 2, 3]);
    let kinds: Vec<_> = events.iter().map(|event| text(event, "/event")).collect();
    assert_eq!(kinds, ["user.created", "user.status_changed", "user.verification.failed"]);
}

#[tokio::test]
async fn pages_follow_each_other_and_the_last_says_so() {
    let service = Service::start().await;
    let client = service.client().await;
    let made = users(&client, 5).await;
    let (mut seen, mut cursor) = (Vec::new(), Uuid::nil().to_string());
    for (length, more) in [(2, true), (2, true), (1, false), (0, false)] {
        let page = page(&client, &format!("limit=2&cursor={cursor}")).await;
        assert_eq!((users_of(&page).len(), page["has_more"].as_bool()), (length, Some(more)));
        seen.extend(users_of(&page));
        cursor = text(&page, "/next_cursor");
    }
    assert_eq!(seen, made);
}

#[tokio::test]
async fn a_list_without_events_gives_the_cursor_back() {
    let service = Service::start().await;
    let client = service.client().await;
    let nil = Uuid::nil().to_string();
    assert_eq!(page(&client, "").await, json!({"data": [], "next_cursor": nil, "has_more": false}));
    users(&client, 1).await;
    let last = text(&page(&client, "").await, "/next_cursor");
    assert_eq!(text(&page(&client, &format!("cursor={last}")).await, "/next_cursor"), last);
}

#[tokio::test]
async fn every_event_is_listed_once_while_users_are_made() {
    let service = Service::start().await;
    let client = service.client().await;
    let makers: Vec<_> =
        (0..4).map(|_| client.clone()).map(|client| tokio::spawn(async move { users(&client, 25).await })).collect();
    let (mut seen, mut cursor) = (Vec::new(), Uuid::nil().to_string());
    loop {
        let all_made = makers.iter().all(tokio::task::JoinHandle::is_finished);
        let page = page(&client, &format!("limit=7&cursor={cursor}")).await;
        seen.extend(users_of(&page));
        cursor = text(&page, "/next_cursor");
        if all_made && page["has_more"] == json!(false) {
            break;
        }
    }
    let mut made = HashSet::new();
    for maker in makers {
        made.extend(maker.await.expect("no panic"));
    }
    assert_eq!((seen.len(), made.len()), (100, 100), "none twice");
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), made, "none lost");
}

#[tokio::test]
async fn a_client_sees_its_own_events_only() {
    let service = Service::start().await;
    let (client, other) = (service.client().await, service.client().await);
    let made = users(&client, 1).await;
    let theirs = users(&other, 1).await;
    assert_eq!(users_of(&page(&client, "").await), made);
    assert_eq!(users_of(&page(&client, &format!("user_id={}", theirs[0])).await), [""; 0]);
}

#[tokio::test]
async fn both_protocols_list_the_same() {
    let service = Service::start().await;
    let client = service.client().await;
    users(&client, 3).await;
    let rest = page(&client, "limit=2").await;
    let request = v1::ListEventsRequest { limit: Some(2), ..Default::default() };
    let answer = grpc(&client).list_events(client.call(request)).await.expect("a page").into_inner();
    assert_eq!((answer.data.len(), answer.has_more), (2, true));
    assert_eq!(answer.next_cursor, text(&rest, "/next_cursor"));
    assert_eq!(event_id(&answer.data[0]), text(&rest, "/data/0/data/event_id"));
}

#[tokio::test]
async fn wrong_parameters_are_refused_where_they_stand() {
    let service = Service::start().await;
    let (client, other) = (service.client().await, service.client().await);
    users(&other, 1).await;
    let foreign = text(&page(&other, "").await, "/next_cursor");
    for (query, path, code) in [
        ("cursor=now".to_owned(), "cursor", "invalid_string"),
        (format!("cursor={}", Uuid::new_v4()), "cursor", "custom"),
        (format!("cursor={foreign}"), "cursor", "custom"),
        ("limit=0".to_owned(), "limit", "too_small"),
        ("limit=1001".to_owned(), "limit", "too_big"),
        ("user_id=1".to_owned(), "user_id", "invalid_string"),
        ("type=user.gone".to_owned(), "type", "invalid_enum_value"),
    ] {
        let answer = client.get(&format!("/v1/events?{query}")).await;
        let detail = &answer.json()["details"][0];
        assert_eq!((answer.status, &detail["path"], &detail["code"]), (400, &json!(path), &json!(code)), "{query}");
    }
}

#[tokio::test]
async fn a_reviewer_has_no_events() {
    let service = Service::start().await;
    let reviewer = service.reviewer("Ann").await;
    assert_eq!(reviewer.get("/v1/events").await.status, 403);
}
