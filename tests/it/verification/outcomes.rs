//! The sandbox's outcomes, from the create on.

use chrono::TimeDelta;

use crate::harness::requests::{EXAMPLES, example, with};
use crate::verification::support::World;

#[tokio::test]
async fn a_triggered_create_is_verified_and_gets_its_products() {
    let world = World::new().await;
    let id = world.individual("Doe").await;
    assert_eq!(world.drain().await, 1);
    let user = world.user(&id).await;
    assert_eq!((&user["status"], &user["verification_status"]), (&"VERIFIED".into(), &"verified".into()));
    assert_eq!(user["verification_triggered"], true);
    assert!(user.get("status_reasons").is_none(), "there is nothing to explain");
    let payout = user["eligible_products"].as_array().expect("products").last().expect("a product");
    assert_eq!((&payout["product_code"], &payout["eligible"]), (&"payout".into(), &true.into()));
    assert_eq!(
        world.events().await,
        ["user.created", "user.status_changed", "user.status_changed", "user.verification.accepted"]
    );
}

#[tokio::test]
async fn a_user_without_what_verification_needs_stays_created() {
    let world = World::new().await;
    let answer = world.client.create(&crate::harness::requests::minimal()).await;
    assert_eq!(world.drain().await, 0);
    assert_eq!(world.status(answer.json()["id"].as_str().expect("an id")).await, "CREATED");
}

#[tokio::test]
async fn before_the_delay_has_passed_the_user_is_verifying() {
    let world = World::with(&[("KIRA_SANDBOX_DELAY", "2s")]).await;
    let id = world.individual("Doe").await;
    world.drain().await;
    assert_eq!(world.status(&id).await, "VERIFYING");
    world.advance(TimeDelta::milliseconds(1_999));
    assert_eq!(world.drain().await, 0);
    world.advance(TimeDelta::milliseconds(1));
    assert_eq!(world.drain().await, 1);
    assert_eq!(world.status(&id).await, "VERIFIED");
}

#[tokio::test]
async fn a_rejected_user_is_told_why_on_get() {
    let world = World::new().await;
    let id = world.individual("Doe Reject").await;
    world.drain().await;
    let user = world.user(&id).await;
    assert_eq!((&user["status"], &user["verification_status"]), (&"REJECTED".into(), &"rejected".into()));
    assert_eq!(user["status_reasons"][0]["code"], "sandbox_rejected");
    assert!(world.events().await.ends_with(&["user.status_changed".into(), "user.verification.failed".into()]));
}

#[tokio::test]
async fn a_review_waits_for_a_person() {
    let world = World::new().await;
    let id = world.individual("Doe REVIEW").await;
    world.drain().await;
    world.advance(TimeDelta::minutes(30));
    assert_eq!(world.drain().await, 0);
    let user = world.user(&id).await;
    assert_eq!((&user["status"], &user["verification_status"]), (&"REVIEW".into(), &"unverified".into()));
    assert_eq!(user["status_reasons"][0]["code"], "sandbox_review");
}

#[tokio::test]
async fn a_review_of_the_sandboxs_own_is_decided_after_another_delay() {
    let world = World::with(&[("KIRA_SANDBOX_DELAY", "2s")]).await;
    let approved = world.individual("review-approve").await;
    let rejected = world.individual("Doe REVIEW-REJECT").await;
    for expected in [["VERIFYING"; 2], ["REVIEW"; 2], ["VERIFIED", "REJECTED"]] {
        world.drain().await;
        assert_eq!([world.status(&approved).await, world.status(&rejected).await], expected);
        world.advance(TimeDelta::seconds(2));
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_becomes_review_at_the_deadline() {
    let world = World::with(&[("KIRA_SANDBOX_DELAY", "0s"), ("KIRA_VERIFICATION_DEADLINE", "30m")]).await;
    let id = world.individual("Timeout").await;
    world.drain().await;
    world.advance(TimeDelta::minutes(29));
    world.drain().await;
    assert_eq!(world.status(&id).await, "VERIFYING");
    world.advance(TimeDelta::minutes(1));
    world.drain().await;
    let user = world.user(&id).await;
    assert_eq!(user["status"], "REVIEW");
    assert_eq!(user["status_reasons"][0]["code"], "verification_timeout");
    world.advance(TimeDelta::minutes(20));
    world.drain().await;
    assert_eq!(world.service.database.count("jobs").await, 0);
}

#[tokio::test]
async fn a_business_gets_the_outcome_of_its_name_or_its_ein() {
    let world = World::new().await;
    let mexican = example(EXAMPLES[3]);
    for (pointer, value, expected) in
        [("/business_legal_name", "Acme", "VERIFIED"), ("/business_legal_name", "Acme Reject", "REJECTED")]
    {
        let id = world.create(&with(mexican.clone(), pointer, value.into())).await;
        world.drain().await;
        assert_eq!(world.status(&id).await, expected, "{value}");
    }
    let mut business = mexican;
    business["ein"] = "111111111".into();
    let id = world.create(&business).await;
    world.drain().await;
    assert_eq!(world.status(&id).await, "REJECTED");
}
