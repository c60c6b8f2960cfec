//! A disk that is full for a while.

use crate::faults::disk::{ALWAYS, Calls, EIO, ENOSPC};
use crate::faults::steps::Embedded;
use crate::harness::database::engine;
use crate::harness::program::wait_until_async;
use crate::harness::requests::minimal;
use kira_users::store::Engine;

async fn wait_for_readiness(embedded: &Embedded, status: u16) -> String {
    let look = || async {
        let answer = embedded.program.readiness().await;
        (answer.status == status).then_some(answer.text)
    };
    wait_until_async(look, "another readiness").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_not_ready_and_says_why_and_when_there_is_room_again_nothing_is_missing() {
    if engine() != Engine::Sqlite {
        return;
    }
    let mut embedded = Embedded::start().await;
    assert!(embedded.history.create(&minimal()).await);
    embedded.disk.fail(Calls::GROWTH, ENOSPC, 0, ALWAYS);
    // Without any request: load balancers must know before requests fail.
    let reason = wait_for_readiness(&embedded, 503).await;
    // Which of them is found first depends on what is written at the moment.
    let reasons =
        ["the folder of the database takes no files: No space left", "the database takes no writes: its disk is full"];
    assert!(reasons.iter().any(|known| reason.contains(known)), "{reason}");
    for _ in 0..5 {
        assert!(!embedded.history.create(&minimal()).await, "nothing can be kept");
    }
    let reason = wait_for_readiness(&embedded, 503).await;
    assert!(reason.contains("the database takes no writes: its disk is full"), "{reason}");
    embedded.disk.heal();
    wait_for_readiness(&embedded, 200).await;
    for _ in 0..5 {
        assert!(embedded.history.create(&minimal()).await);
    }
    embedded.history.settle().await;
    let log = embedded.program.log.clone();
    assert!(log.find("the database takes no writes: its disk is full").is_some(), "{}", log.text());
    assert!(log.find("the database takes writes again").is_some(), "{}", log.text());
    for is_kill in [true, false] {
        embedded = embedded.restart(is_kill);
        embedded.history.check().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_write_that_fails_is_said_until_another_one_succeeds() {
    if engine() != Engine::Sqlite {
        return;
    }
    let mut embedded = Embedded::start().await;
    embedded.disk.fail(Calls::GROWTH, EIO, 0, ALWAYS);
    embedded.history.create(&minimal()).await;
    let reason = wait_for_readiness(&embedded, 503).await;
    assert!(reason.contains("its disk fails") || reason.contains("takes no files"), "{reason}");
    embedded.disk.heal();
    wait_for_readiness(&embedded, 200).await;
    assert!(embedded.history.create(&minimal()).await);
}
