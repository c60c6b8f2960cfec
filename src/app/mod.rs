//! Puts the parts together: the only place that knows all of them.

mod banner;
mod events;
mod housekeeping;
mod keys;
mod open;
mod queues;
mod services;
mod tasks;
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

pub use self::open::{AppError, Opened, open};
pub use self::services::review_desk;
pub use self::verification::work;
pub use self::webhooks::webhook_desk;

use self::services::{Health, Services};
use self::tasks::Tasks;
use self::tls::Tls;
use crate::ambient::{SharedAmbient, System};
use crate::auth::{Authenticator, StoreDirectory};
use crate::config::Config;
use crate::server::admin::Readiness;
use crate::server::listener::Listener;
use crate::server::{self, Places, RateLimits, Shared, admin, listener};
use crate::telemetry::Metrics;
use crate::verification::Worker;
use crate::webhook::Sender;

/// How long a stop waits at least for the background work to end and its leases to be handed back, also where requests
/// have used the whole time up.
const HAND_BACK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a stop waits, at most, for the database to end what the stop has cut off, and for the last metrics to leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a database that is not there yet, or has an old schema, is asked again.
const WAIT_INTERVAL: Duration = Duration::from_secs(1);

/// Serves until the process is told to stop (SIGTERM or SIGINT), then lets accepted requests finish.
///
/// # Errors
/// The service cannot start.
pub async fn serve(config: Config) -> Result<(), AppError> {
    let ambient: SharedAmbient = Arc::new(System::default());
    // One for the whole life: once a process listens for a signal, one that nobody waits for is lost.
    let mut signals = Signals::listen().map_err(AppError::start)?;
    let running = tokio::select! {
        started = start(&config, ambient) => started?,
        () = signals.told_to_stop() => return Ok(()),
    };
    banner::show(&config, &running).await?;
    signals.told_to_stop().await;
    let (delay, timeout) = (config.server.shutdown_delay, config.server.shutdown_timeout);
    tracing::info!(?delay, "stopping: accepted requests are answered first");
    let stop = async {
        running.part(delay).await;
        running.stop(timeout.saturating_sub(delay)).await;
    };
    tokio::select! {
        () = stop => {}
        () = signals.told_to_stop() => tracing::warn!("told to stop twice: requests under way are dropped"),
    }
    Ok(())
}

/// A service that runs in this process.
pub struct Running {
    /// Where the REST door listens.
    pub http_addr: SocketAddr,
    /// Where the gRPC door listens.
    pub grpc_addr: SocketAddr,
    /// Where health and readiness are asked.
    pub admin_addr: SocketAddr,
    /// The database, the key ring and the clock.
    pub opened: Opened,
    /// Verifies users; it runs unless the configuration leaves that to other processes.
    pub worker: Arc<Worker>,
    /// Sends webhooks; it runs where the worker does.
    pub sender: Arc<Sender>,
    readiness: Readiness,
    health: Health,
    parting: CancellationToken,
    doors: Tasks,
    background: Tasks,
    admin: Tasks,
}

/// Starts the service: waits for the database and its schema, opens both doors, begins the background work.
///
/// # Errors
/// The configuration cannot work: an address is taken, a master key is missing, a folder cannot be made.
pub async fn start(config: &Config, ambient: SharedAmbient) -> Result<Running, AppError> {
    let tls = Tls::open(&config.server, &ambient)?;
    let admin = Tasks::default();
    let readiness = Readiness::waiting("starting");
    let admin_listener = bind(config.server.admin_addr).await?;
    let admin_addr = address(&admin_listener)?;
    tracing::info!(admin = %admin_addr, "starting");
    let metrics = Metrics::new(&config.telemetry).map_err(AppError::start)?;
    let admin_service = admin::service(readiness.clone(), metrics.clone());
    admin.spawn(|stop| listener::serve(admin_listener, admin_service, stop));

    let opened = open::ready(config, ambient, metrics, &readiness).await?;
    keys::check(&opened).await?;
    let directory = Arc::new(StoreDirectory::new(opened.store.clone(), opened.vault.clone()));
    let authenticator = Authenticator::open(&config.auth, directory, Arc::clone(&opened.ambient)).await;
    let authenticator = Arc::new(authenticator.map_err(AppError::start)?);
    let wanted = Arc::new(Notify::new());
    let services = Services::open(config, &opened, Arc::clone(&authenticator), Arc::clone(&wanted)).await?;
    let documents = services.documents().clone();
    let feed = Arc::clone(services.feed());
    let worker = verification::worker(config, &opened, documents.clone(), wanted)?;
    let sender = webhooks::sender(config, &opened)?;

    let shared = Shared {
        ambient: Arc::clone(&opened.ambient),
        metrics: opened.metrics.clone(),
        trust_rest_traces: config.telemetry.trust_rest,
        authenticator: Arc::clone(&authenticator),
        rate_limits: config
            .server
            .rate_limit_per_second
            .map(|rate| Arc::new(RateLimits::new(rate, Arc::clone(&opened.ambient)))),
        cors: server::cors(&config.server.cors_origins),
        places: Arc::new(Places::new(config.server.max_concurrent_requests)),
        max_body_bytes: config.server.max_body_bytes,
        request_timeout: config.server.request_timeout,
    };
    let doors = Tasks::default();
    let (rest, grpc, health) = services.doors(config, &opened.ambient, doors.token()).await?;

    let http_listener = bind(config.server.http_addr).await?;
    let grpc_listener = bind(config.server.grpc_addr).await?;
    let (http_addr, grpc_addr) = (address(&http_listener)?, address(&grpc_listener)?);
    let max_connections = config.server.max_connections;
    let http_listener = Listener { socket: http_listener, tls: tls.rest.clone(), max_connections };
    let grpc_listener = Listener { socket: grpc_listener, tls: tls.grpc.clone(), max_connections };
    let parting = CancellationToken::new();
    let rest = server::parting(server::service(rest, &shared), parting.clone());
    let grpc = server::parting(server::service(grpc, &shared), parting.clone());
    doors.spawn(|stop| listener::serve(http_listener, rest, stop));
    doors.spawn(|stop| listener::serve(grpc_listener, grpc, stop));

    let background = Tasks::default();
    housekeeping::run(&opened, documents, authenticator, &background);
    housekeeping::reconnect(&opened.store, &background);
    events::run(&feed, &background);
    tls.run(&background, &opened);
    webhooks::forget(config, &opened, &background);
    if config.verification.worker {
        verification::run(&worker, &opened.metrics, &background, &readiness);
        webhooks::run(&sender, &background, &readiness);
    } else {
        verification::show(&worker, &readiness);
        webhooks::show(&sender, &readiness);
    }
    queues::measure(&opened, &background);
    readiness.ready(opened.store.clone());
    housekeeping::report(&readiness, Some(&health), &opened.metrics, &background);
    Ok(Running {
        http_addr,
        grpc_addr,
        admin_addr,
        opened,
        worker,
        sender,
        readiness,
        health,
        parting,
        doors,
        background,
        admin,
    })
}

impl Running {
    /// Says that it is not ready any more, asks those who keep a connection to make the next one elsewhere, and goes on
    /// for as long as `delay`: whoever shares requests out needs a while to notice.
    pub async fn part(&self, delay: Duration) {
        if !self.parting.is_cancelled() {
            self.readiness.wait("stopping");
            self.health.report(false).await;
            self.opened.metrics.ready(false);
            self.parting.cancel();
        }
        tokio::time::sleep(delay).await;
    }

    /// Stops: first readiness drops, then the doors take nothing new and answer what they have, for as long as
    /// `timeout`; then the workers hand back what they have not done, and the database is closed, without waiting long
    /// for what it is still doing.
    pub async fn stop(self, timeout: Duration) {
        self.part(Duration::ZERO).await;
        let end = tokio::time::Instant::now() + timeout;
        self.doors.stop();
        if tokio::time::timeout_at(end, self.doors.ended()).await.is_err() {
            tracing::warn!(?timeout, "some requests took too long and are dropped");
        }
        // Last, since it is what gives the events of the last requests their places and streams what they tell.
        self.background.stop();
        let end = end.max(tokio::time::Instant::now() + HAND_BACK_TIMEOUT);
        if tokio::time::timeout_at(end, self.background.ended()).await.is_err() {
            tracing::warn!("work under way is dropped; its leases end by themselves");
        }
        let Opened { store, metrics, .. } = self.opened;
        let (closed, ()) = tokio::join!(tokio::time::timeout(CLOSE_TIMEOUT, store.close()), last_metrics(metrics));
        if closed.is_err() {
            tracing::warn!("the database is left before it has ended what it was doing");
        }
        self.admin.stop();
    }
}

/// Sends the last metrics, where they are sent.
async fn last_metrics(metrics: Metrics) {
    let sending = tokio::task::spawn_blocking(move || metrics.shut_down(CLOSE_TIMEOUT));
    // The SDK has its own idea of a timeout where the collector is silent.
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

    async fn told_to_stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
