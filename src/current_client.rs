//! The client on whose behalf a request runs: set once its caller is known, read where a share of something is for each
//! client. Work that no client has asked for, and a task that a request has spawned, has none.

use uuid::Uuid;

tokio::task_local! {
    static CLIENT: Uuid;
}

/// Runs `request` on behalf of a client.
pub async fn run_as<F: Future>(client_id: Uuid, request: F) -> F::Output {
    CLIENT.scope(client_id, request).await
}

/// The client of the request that runs; none outside of one.
#[must_use]
pub fn current() -> Option<Uuid> {
    CLIENT.try_with(|client_id| *client_id).ok()
}
