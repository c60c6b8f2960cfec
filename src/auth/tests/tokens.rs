//! `POST /auth`.

use chrono::TimeDelta;
use uuid::Uuid;

use super::*;

#[tokio::test]
async fn a_token_is_issued_for_good_credentials() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let id = client.client_id.to_string();
    let issued = setup.replica.issue_token(Some(&client.api_key), &id, &client.password).await.expect("is issued");
    assert_eq!(issued.expires_in, 3_600);
    assert!(!format!("{issued:?}").contains(&issued.access_token));
    let caller = setup.call(&issued.access_token, &client).await;
    assert_eq!(caller, Ok(Caller { client_id: client.client_id, role: Role::Client }));
}

#[tokio::test]
async fn whatever_part_is_wrong_the_refusal_is_the_same() {
    let setup = Setup::new().await;
    let (client, other) = (setup.client().await, setup.client().await);
    let (id, unknown_client) = (client.client_id.to_string(), Uuid::from_u128(1).to_string());
    for (api_key, client_id, password) in [
        (Some(client.api_key.as_str()), id.as_str(), other.password.as_str()),
        (Some(&client.api_key), &id, ""),
        (Some(&other.api_key), &id, &client.password),
        (Some("kira_unknown"), &id, &client.password),
        (None, &id, &client.password),
        (Some(&client.api_key), &unknown_client, &client.password),
        (Some(&client.api_key), "not a uuid", &client.password),
    ] {
        let refused = setup.replica.issue_token(api_key, client_id, password).await;
        assert_eq!(refused.err(), Some(AuthError::InvalidCredentials), "{api_key:?} {client_id}");
    }
}

#[tokio::test]
async fn a_disabled_client_gets_no_token() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    setup.rows.tables().disabled.push(client.client_id);
    assert_eq!(setup.issue(&client).await, Err(AuthError::InvalidCredentials));
}

#[tokio::test]
async fn rotated_credentials_are_good_until_the_overlap_ends() {
    let setup = Setup::new().await;
    let old = setup.client().await;
    let overlap_ends = setup.clock.now() + TimeDelta::hours(24);
    let new = setup.credentials_for(old.client_id, Some(overlap_ends)).await;
    for credentials in [&old, &new] {
        assert!(setup.issue(credentials).await.is_ok());
    }
    setup.advance(TimeDelta::hours(24));
    assert_eq!(setup.issue(&old).await, Err(AuthError::InvalidCredentials));
    assert!(setup.issue(&new).await.is_ok());
}

#[tokio::test]
async fn during_the_overlap_old_and_new_may_be_mixed() {
    let setup = Setup::new().await;
    let old = setup.client().await;
    let new = setup.credentials_for(old.client_id, Some(setup.clock.now() + TimeDelta::hours(1))).await;
    let id = old.client_id.to_string();
    assert!(setup.replica.issue_token(Some(&old.api_key), &id, &new.password).await.is_ok());
    setup.advance(TimeDelta::hours(1));
    let refused = setup.replica.issue_token(Some(&new.api_key), &id, &old.password).await;
    assert_eq!(refused.err(), Some(AuthError::InvalidCredentials));
}

#[tokio::test]
async fn while_the_store_is_down_no_token_can_be_had() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    setup.rows.down.store(true, Ordering::Relaxed);
    assert_eq!(setup.issue(&client).await, Err(AuthError::Unavailable));
}
