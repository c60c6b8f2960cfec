//! Unreadable rows must not keep the others from being verified.

use chrono::TimeDelta;

use crate::store::verification::{World, verified};

/// After which time a row that could not be read is looked at again.
const LATER: TimeDelta = TimeDelta::minutes(5);

const BREAK_USER: &str = "UPDATE users SET status = 'PAUSED' WHERE id = $1";
const MEND_USER: &str = "UPDATE users SET status = 'CREATED' WHERE id = $1";
const BREAK_ATTEMPT: &str = "UPDATE verification_attempts SET state = 'paused' WHERE user_id = $1";
const MEND_ATTEMPT: &str = "UPDATE verification_attempts SET state = 'pending' WHERE user_id = $1";

#[tokio::test]
async fn a_row_that_cannot_be_read_keeps_no_other_from_being_claimed_and_waits_to_be_mended() {
    for (break_it, mend_it) in [(BREAK_USER, MEND_USER), (BREAK_ATTEMPT, MEND_ATTEMPT)] {
        let world = World::new().await;
        let (broken, good) = (world.user().await, world.user().await);
        world.execute(break_it, broken).await;
        let claimed = world.claim().await;
        assert_eq!(claimed.iter().map(|claimed| claimed.user.id).collect::<Vec<_>>(), [good]);
        world.settle(&claimed[0], verified()).await;
        assert!(world.claim().await.is_empty(), "it is not looked at again at once");
        world.execute(mend_it, broken).await;
        world.clock.advance(LATER);
        assert_eq!(world.claim().await[0].user.id, broken);
    }
}

#[tokio::test]
async fn a_result_for_a_row_that_cannot_be_read_waits_and_the_others_count() {
    let world = World::new().await;
    let (broken, good) = (world.user().await, world.user().await);
    let claimed = world.claim().await;
    world.execute(BREAK_USER, broken).await;
    for claimed in &claimed {
        assert_eq!(world.settle(claimed, verified()).await, 1);
    }
    assert_eq!(world.status(good).await, "VERIFIED");
    world.execute("UPDATE users SET status = 'VERIFYING' WHERE id = $1", broken).await;
    world.clock.advance(LATER);
    assert_eq!(world.claim().await[0].user.id, broken, "the job is still there");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_keeps_no_other_from_its_deadline() {
    let world = World::new().await;
    let (broken, good) = (world.user().await, world.user().await);
    world.execute(BREAK_USER, broken).await;
    world.clock.advance(TimeDelta::hours(24));
    // One at a time: the broken one comes first, and must not always come first.
    let mut moved = 0;
    for _ in 0..2 {
        moved += world.store.review_overdue_verifications(&world.clock, 1).await.expect("a sweep");
    }
    assert_eq!((moved, world.status(good).await.as_str()), (1, "REVIEW"));
    world.execute(MEND_USER, broken).await;
    world.clock.advance(LATER);
    assert_eq!(world.store.review_overdue_verifications(&world.clock, 1).await.expect("a sweep"), 1);
}
