//! The list of deliveries, page by page.

use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

use crate::harness::receiver::Receiver;
use crate::webhooks::support::World;

#[tokio::test]
async fn pages_of_deliveries_follow_each_other_while_new_ones_are_made() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    world.endpoint(&receiver, json!({})).await;
    for _ in 0..5 {
        world.user().await;
    }
    world.drain().await;
    let all: Vec<_> = world.deliveries("").await.iter().map(|delivery| delivery["id"].clone()).collect();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for (length, more) in [(2, true), (2, true), (1, false)] {
        let page = world.client.get(&format!("/v1/webhooks/deliveries?limit=2{cursor}")).await.json();
        let data = page["data"].as_array().expect("a list");
        let next = &page["pagination"];
        assert_eq!((data.len(), &next["has_more"], next.get("next_cursor").is_some()), (length, &json!(more), more));
        seen.extend(data.iter().map(|delivery| delivery["id"].clone()));
        cursor = format!("&cursor={}", next["next_cursor"].as_str().unwrap_or_default());
        // Newer than the first page.
        world.advance(TimeDelta::seconds(1));
        world.user().await;
        world.drain().await;
    }
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_cursor_that_names_no_delivery_of_the_client_is_refused() {
    let world = World::new().await;
    for cursor in ["1".to_owned(), Uuid::new_v4().to_string()] {
        let refused = world.client.get(&format!("/v1/webhooks/deliveries?cursor={cursor}")).await;
        assert_eq!((refused.status, refused.json()["details"][0]["path"].clone()), (400, json!("cursor")));
    }
}
