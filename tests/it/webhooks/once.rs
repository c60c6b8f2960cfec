//! An event goes to an endpoint once, whatever the day.

use chrono::TimeDelta;
use sea_orm::ConnectionTrait as _;
use serde_json::json;

use crate::harness::receiver::Receiver;
use crate::webhooks::support::World;

#[tokio::test]
async fn an_event_that_is_relayed_again_on_another_day_makes_no_second_delivery() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    world.advance(TimeDelta::days(2));
    world.user().await;
    let look = world.service.database.look().await;
    let back = "UPDATE event_cursors SET position = 0 WHERE name = 'webhooks'";
    look.execute_unprepared(back).await.expect("as a restored cursor would be");
    world.drain().await;
    assert_eq!(receiver.count(), 2);
    assert_eq!(world.service.database.count("webhook_deliveries").await, 2);
    look.execute_unprepared(back).await.expect("once more");
    world.drain().await;
    assert_eq!((receiver.count(), world.service.database.count("webhook_deliveries").await), (2, 2));
}
