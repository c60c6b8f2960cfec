//! What `/readyz` shows of the database.

use serde_json::json;

use crate::health::Readiness;
use crate::store::{Engine, Store};

/// Shows how PostgreSQL is reached, which does not affect the readiness.
pub(super) fn add_detail(store: &Store, readiness: &Readiness) {
    if store.engine() == Engine::Sqlite {
        return;
    }
    let store = store.clone();
    readiness.add_detail("database", move || match store.replica() {
        None => json!({"pooler": store.known_pooler().as_str()}),
        Some(replica) => json!({"pooler": store.known_pooler().as_str(), "replica": replica.as_str()}),
    });
}
