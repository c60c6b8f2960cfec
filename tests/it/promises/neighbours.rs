//! What slow statements of one client leave of the database to another.

use futures_util::future::join_all;
use kira_users::store::Engine;
use sea_orm::ConnectionTrait as _;

use crate::harness::database::engine;
use crate::harness::requests::minimal;
use crate::harness::service::Service;
use crate::promises::support::id;

/// Calls of each client.
const CALLS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_lists_that_hang_leave_connections_to_another_client() {
    if engine() == Engine::Sqlite {
        // No statement waits for another there; the shares of its readers have tests of their own.
        return;
    }
    let service = Service::start().await;
    let (slow, neighbour) = (service.client().await, service.client().await);
    let path = format!("/v1/users/{}", id(&neighbour.create(&minimal()).await));
    let lock = service.database.look().await;
    let lists = "BEGIN; LOCK TABLE webhook_deliveries IN ACCESS EXCLUSIVE MODE";
    lock.execute_unprepared(lists).await.expect("the lock");
    let hanging: Vec<_> = (0..CALLS)
        .map(|_| {
            let slow = slow.clone();
            tokio::spawn(async move { slow.get("/v1/webhooks/deliveries").await.status })
        })
        .collect();
    let waiting = "pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    // All that one client gets while no other wants any: three quarters of the twelve for requests.
    while service.database.count(waiting).await < 9 {
        tokio::task::yield_now().await;
    }
    let answers = join_all((0..CALLS).map(|_| neighbour.get(&path))).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(good, CALLS, "of {CALLS} calls of the neighbour");
    assert_eq!(service.database.count(waiting).await, 9, "the lists still hang");
    lock.execute_unprepared("COMMIT").await.expect("the end of the lock");
    for hanging in hanging {
        assert!([200, 503].contains(&hanging.await.expect("no panic")));
    }
}
