//! Assembles the parts: the only module that uses all others.

mod admin;
mod banner;
mod database;
mod keys;
mod open;
mod rates;
mod services;
mod sinks;
mod tls;
mod verification;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use self::open::{AppError, Resources, await_database, open, open_existing};
pub use self::services::{archiver, eraser, exporter, review_admin, users_api};
pub use self::verification::work;
pub use self::webhooks::webhook_admin;

use self::services::Services;
use self::tls::Tls;
use crate::auth::{Authenticator, StoreDirectory};
use crate::config::Config;
use crate::env::{SharedEnv, SystemEnv};
use crate::health::{GrpcHealth, Readiness};
use crate::jobs::{self, QueueDeps, ServerDeps, TaskGroup};
use crate::server::listener::Listener;
use crate::server::{self, ConcurrencyLimits, Shared, listener};
use crate::service::lookup::rebuild::Rebuild;
use crate::sink::Relay;
use crate::telemetry::Metrics;
use crate::verification::Worker;
use crate::webhook::Sender;

/// How long a stop waits at least for the background jobs to hand back their leases, also when the requests have used
/// the whole shutdown timeout.
const HAND_BACK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a stop waits for the database to close, and for the last metrics to be sent.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a database that is unreachable, or has an old schema, is checked again.
const WAIT_INTERVAL: Duration = Duration::from_secs(1);
/// How long the search for the reason of an unreachable database may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// Serves until SIGTERM or SIGINT, then lets accepted requests finish.
///
/// # Errors
/// The service cannot start.
pub async fn serve(config: Config) -> Result<(), AppError> {
    let env: SharedEnv = Arc::new(SystemEnv::default());
    // One for the whole run: once a process listens for a signal, a signal that no task awaits is lost.
    let mut signals = Signals::listen().map_err(AppError::start)?;
    let running = tokio::select! {
        started = start(&config, env) => started?,
        () = signals.stop_requested() => return Ok(()),
    };
    banner::show(&config, &running).await?;
    signals.stop_requested().await;
    let (delay, timeout) = (config.server.shutdown_delay, config.server.shutdown_timeout);
    tracing::info!(?delay, "stopping: accepted requests finish first");
    let stop = async {
        running.begin_drain(delay).await;
        running.stop(timeout.saturating_sub(delay)).await;
    };
    tokio::select! {
        () = stop => {}
        () = signals.stop_requested() => tracing::warn!("second stop signal: requests in flight are dropped"),
    }
    Ok(())
}

/// A service that runs in this process.
pub struct Running {
    /// The address of the REST listener.
    pub http_addr: SocketAddr,
    /// The address of the gRPC listener.
    pub grpc_addr: SocketAddr,
    /// The address of the admin listener.
    pub admin_addr: SocketAddr,
    /// The database, the key ring and the clock.
    pub resources: Resources,
    /// Verifies users; it runs unless the configuration leaves verification to other processes.
    pub worker: Arc<Worker>,
    /// Sends webhooks; it runs where the worker does.
    pub sender: Arc<Sender>,
    /// Publish events to brokers; they run where the worker does.
    pub relays: Vec<Arc<Relay>>,
    readiness: Readiness,
    grpc_health: GrpcHealth,
    draining: CancellationToken,
    listeners: TaskGroup,
    background: TaskGroup,
    admin: TaskGroup,
}

/// Starts the service: waits for the database and its schema, opens both listeners, starts the background jobs.
///
/// # Errors
/// The configuration cannot be used: an address is taken, a master key is missing, a folder cannot be created.
pub async fn start(config: &Config, env: SharedEnv) -> Result<Running, AppError> {
    let tls = Tls::open(&config.server, &env)?;
    let admin = TaskGroup::default();
    let readiness = Readiness::not_ready("starting");
    let metrics = Metrics::new(&config.telemetry).map_err(AppError::start)?;
    let admin_addr = admin::serve(config.server.admin_addr, &readiness, &metrics, &admin)?;
    tracing::info!(admin = %admin_addr, "starting");

    let resources = open::ready(config, env, metrics, &readiness).await?;
    keys::check(&resources).await?;
    let directory = Arc::new(StoreDirectory::new(resources.store.clone(), resources.vault.clone()));
    let authenticator = Authenticator::open(&config.auth, directory, Arc::clone(&resources.env)).await;
    let authenticator = Arc::new(authenticator.map_err(AppError::start)?);
    let wake = Arc::new(Notify::new());
    let services = Services::open(config, &resources, Arc::clone(&authenticator), Arc::clone(&wake)).await?;
    let documents = services.documents().clone();
    let feed = Arc::clone(services.feed());
    let eraser = services.background_eraser();
    let worker = verification::worker(config, &resources, documents.clone(), wake)?;
    let sender = webhooks::sender(config, &resources)?;
    let relays = sinks::relays(config, &resources)?;

    let listeners = TaskGroup::default();
    let shared = Shared {
        env: Arc::clone(&resources.env),
        metrics: resources.metrics.clone(),
        trust_rest_traces: config.telemetry.trust_rest,
        authenticator: Arc::clone(&authenticator),
        rate_limits: rates::limits(&config.server, &resources),
        cors: server::cors(&config.server.cors_origins),
        grpc_web: config.server.grpc_web,
        concurrency: Arc::new(ConcurrencyLimits::new(
            config.server.max_concurrent_requests,
            config.server.max_body_bytes_in_flight,
            config.server.max_body_bytes,
            config.server.refusals_per_second,
        )),
        max_body_bytes: config.server.max_body_bytes,
        request_timeout: config.server.request_timeout,
        stop: listeners.token().clone(),
    };
    let (rest, grpc, grpc_health) = services.listeners(config, &resources.env, listeners.token()).await?;

    let http_listener = bind(config.server.http_addr).await?;
    let grpc_listener = bind(config.server.grpc_addr).await?;
    let (http_addr, grpc_addr) = (address(&http_listener)?, address(&grpc_listener)?);
    let max_connections = config.server.max_connections;
    let listener =
        |socket, tls| Listener { socket, tls, max_connections, trusted_proxies: config.server.trusted_proxies.clone() };
    let (http_listener, grpc_listener) =
        (listener(http_listener, tls.rest.clone()), listener(grpc_listener, tls.grpc.clone()));
    let draining = CancellationToken::new();
    let rest = server::draining(server::service(rest, &shared), draining.clone());
    let grpc = server::draining(server::service(grpc, &shared), draining.clone());
    listeners.spawn(|stop| listener::serve(http_listener, rest, stop));
    listeners.spawn(|stop| listener::serve(grpc_listener, grpc, stop));

    database::add_detail(&resources.store, &readiness);
    verification::add_detail(&worker, &readiness);
    webhooks::add_detail(&sender, &readiness);
    sinks::add_detail(&relays, &readiness);
    readiness.set_ready(resources.store.clone());
    let background = TaskGroup::default();
    let deps = resources.job_deps(documents, &readiness, feed);
    let server = ServerDeps {
        authenticator,
        grpc_health: grpc_health.clone(),
        certificates: tls.by_protocol(),
        webhook_retention: config.webhook.retention,
        index: Rebuild {
            store: resources.store.background(),
            vault: resources.vault.clone(),
            index: keys::index(&resources).await?,
        },
        eraser,
    };
    let queues = config.verification.worker.then(|| QueueDeps {
        worker: Arc::clone(&worker),
        sender: Arc::clone(&sender),
        sinks: relays.clone(),
    });
    jobs::start(&deps, Some(&server), queues.as_ref(), &background);
    Ok(Running {
        http_addr,
        grpc_addr,
        admin_addr,
        resources,
        worker,
        sender,
        relays,
        readiness,
        grpc_health,
        draining,
        listeners,
        background,
        admin,
    })
}

impl Running {
    /// Begins the drain: reports not ready, ends HTTP/1 connections with their next response, and waits for `delay`,
    /// which a load balancer needs to notice.
    pub async fn begin_drain(&self, delay: Duration) {
        if !self.draining.is_cancelled() {
            self.readiness.set_not_ready("stopping");
            self.grpc_health.report(false).await;
            self.resources.metrics.ready(false);
            self.draining.cancel();
        }
        tokio::time::sleep(delay).await;
    }

    /// Stops: reports not ready, closes the listeners, and lets accepted requests finish within `timeout`. Then the jobs
    /// hand back their leases, and the database is closed.
    pub async fn stop(self, timeout: Duration) {
        self.begin_drain(Duration::ZERO).await;
        let end = tokio::time::Instant::now() + timeout;
        self.listeners.stop();
        if tokio::time::timeout_at(end, self.listeners.ended()).await.is_err() {
            tracing::warn!(?timeout, "shutdown timeout: requests in flight are dropped");
        }
        // Last: a job gives the events of the last requests their sequence numbers.
        self.background.stop();
        let end = end.max(tokio::time::Instant::now() + HAND_BACK_TIMEOUT);
        if tokio::time::timeout_at(end, self.background.ended()).await.is_err() {
            tracing::warn!("jobs in flight are dropped; their leases expire");
        }
        let Resources { store, metrics, .. } = self.resources;
        let (closed, ()) = tokio::join!(tokio::time::timeout(CLOSE_TIMEOUT, store.close()), flush_metrics(metrics));
        if closed.is_err() {
            tracing::warn!("the database did not close in time");
        }
        self.admin.stop();
    }
}

/// Sends the last metrics by OTLP, where that is configured.
async fn flush_metrics(metrics: Metrics) {
    let sending = tokio::task::spawn_blocking(move || metrics.shut_down(CLOSE_TIMEOUT));
    // The SDK does not keep its own timeout when the collector does not answer.
    if tokio::time::timeout(CLOSE_TIMEOUT, sending).await.is_err() {
        tracing::warn!("the last metrics were not sent in time");
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address).await.map_err(|source| AppError::Address { address, source })
}

fn address(listener: &TcpListener) -> Result<SocketAddr, AppError> {
    listener.local_addr().map_err(AppError::start)
}

/// The signals that end the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn stop_requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
