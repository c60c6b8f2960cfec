//! Rows to start from.

use chrono::{DateTime, TimeDelta};
use kira_users::domain::event::{EventKind, EventPayload};
use kira_users::domain::status::Status;
use kira_users::domain::user_type::UserType;
use kira_users::env::{Env, MockClock};
use kira_users::store::{
    ClientRecord, CredentialRecord, IdempotencyScope, NewClaim, NewDocument, NewEntries, NewEvent, NewUser,
    NewVerification, SigningKeyRecord, Store,
};
use serde_json::json;
use uuid::Uuid;

/// The operation of all sample claims.
pub(crate) const OPERATION: &str = "users.create";

/// A clock at a moment with microseconds, which both engines must keep.
pub(crate) fn clock() -> MockClock {
    MockClock::at(DateTime::from_timestamp_micros(1_790_000_000_123_456).expect("a time"))
}

/// A client and its credential, not stored.
pub(crate) fn client(clock: &MockClock) -> (ClientRecord, CredentialRecord) {
    let client = ClientRecord {
        id: clock.new_id(),
        name: "Acme".to_owned(),
        role: "client".to_owned(),
        created_at: clock.now(),
        disabled_at: None,
    };
    let credential = credential(clock, client.id);
    (client, credential)
}

/// A credential with a random API key.
pub(crate) fn credential(clock: &MockClock, client_id: Uuid) -> CredentialRecord {
    let mut api_key_digest = [0; 32];
    clock.fill_random(&mut api_key_digest);
    CredentialRecord {
        id: clock.new_id(),
        client_id,
        password_hash: "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA".to_owned(),
        api_key_digest,
        created_at: clock.now(),
        expires_at: None,
    }
}

/// A stored client.
pub(crate) async fn stored_client(store: &Store, clock: &MockClock) -> Uuid {
    let (client, credential) = client(clock);
    store.insert_client(&client, &credential).await.expect("a new client");
    client.id
}

/// A user with two documents, a job and a key of its own.
pub(crate) fn user(clock: &MockClock, client_id: Uuid) -> NewUser {
    let now = clock.now();
    let document = || {
        let id = clock.new_id();
        NewDocument { id, object_key: format!("sample/{id}") }
    };
    NewUser {
        id: clock.new_id(),
        client_id,
        kind: "individual",
        category: Some("usa"),
        status: "CREATED",
        verification: Some(NewVerification {
            attempt_id: clock.new_id(),
            trigger: "create",
            state: "pending",
            deadline_at: now + TimeDelta::hours(24),
            job_id: clock.new_id(),
            run_at: now + TimeDelta::seconds(1),
            trace_context: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        }),
        missing: json!({"verification": ["occupation"], "payout": []}),
        wrapped_key: vec![1; 60],
        profile: vec![2; 2000],
        created_at: now,
        documents: vec![document(), document()],
        claim: NewClaim { operation: OPERATION, key: clock.new_id(), fingerprint: [3; 64], outcome: None },
        fields: vec!["email".to_owned()],
        event: NewEvent {
            id: clock.new_id(),
            kind: EventKind::UserCreated,
            payload: EventPayload::new(UserType::Individual, Status::Created),
        },
        index: NewEntries::default(),
    }
}

/// Where a user's key is claimed.
pub(crate) fn scope_of(user: &NewUser) -> IdempotencyScope {
    IdempotencyScope { client_id: user.client_id, operation: user.claim.operation, key: user.claim.key }
}

/// A signing key.
pub(crate) fn signing_key(clock: &MockClock, kid: &str) -> SigningKeyRecord {
    SigningKeyRecord {
        kid: kid.to_owned(),
        public_key: vec![4; 32],
        sealed_private_key: vec![5; 80],
        created_at: clock.now(),
        signs_from: clock.now(),
        retires_at: None,
    }
}
