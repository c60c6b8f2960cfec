//! The rate limits of clients, of this process alone or shared through the database.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tonic::async_trait;
use uuid::Uuid;

use super::Resources;
use crate::config::{RateLimitStore, ServerConfig};
use crate::server::{RateLimits, SharedRate};
use crate::store::Store;

/// The rate limits that the configuration asks for.
pub(super) fn limits(config: &ServerConfig, resources: &Resources) -> Option<Arc<RateLimits>> {
    let limits = RateLimits::new(config.rate_limit_per_second?, Arc::clone(&resources.env));
    Some(Arc::new(match config.rate_limit_store {
        RateLimitStore::Local => limits,
        RateLimitStore::Database => {
            limits.shared(Arc::new(InDatabase(resources.store.clone())), resources.metrics.clone())
        }
    }))
}

struct InDatabase(Store);

#[async_trait]
impl SharedRate for InDatabase {
    async fn take(&self, client_id: Uuid, now: DateTime<Utc>, span: TimeDelta, burst: TimeDelta) -> Option<bool> {
        let taken = self.0.take_rate(client_id, now, span, burst).await;
        taken.inspect_err(|error| tracing::debug!(%error, "the shared rate limit does not answer")).ok()
    }
}
