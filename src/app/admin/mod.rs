//! The admin listener. It has its own thread and runtime, so that it answers while all other threads are busy.

mod routes;

use std::net::{SocketAddr, TcpListener};

use tokio::runtime::Handle;

use super::open::AppError;
use crate::health::Readiness;
use crate::jobs::{TaskGroup, heartbeat};
use crate::server::listener;
use crate::telemetry::Metrics;

/// The name of the thread.
const THREAD: &str = "admin";

/// Serves health and metrics at `address` until `tasks` end. Returns the bound address. The database is asked in the
/// runtime of the caller.
///
/// # Errors
/// The address is taken, or the thread cannot be started.
pub(super) fn serve(
    address: SocketAddr,
    readiness: &Readiness,
    metrics: &Metrics,
    tasks: &TaskGroup,
) -> Result<SocketAddr, AppError> {
    let socket = TcpListener::bind(address).map_err(|source| AppError::Address { address, source })?;
    socket.set_nonblocking(true).map_err(AppError::start)?;
    let bound = socket.local_addr().map_err(AppError::start)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AppError::start)?;
    let service = routes::service(readiness.clone(), metrics.clone(), Handle::current());
    let stop = tasks.token().clone();
    let run = move || {
        runtime.block_on(async {
            match tokio::net::TcpListener::from_std(socket) {
                Ok(socket) => listener::serve(socket, service, stop).await,
                Err(error) => tracing::error!(%error, "the admin listener failed to start"),
            }
        });
    };
    std::thread::Builder::new().name(THREAD.to_owned()).spawn(run).map_err(AppError::start)?;
    heartbeat::start(readiness, tasks);
    Ok(bound)
}
