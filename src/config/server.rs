//! `[server]`: the listeners and what they allow.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::cors::CorsOrigins;
use super::reader::Reader;
use super::storage::DatabaseConfig;
use super::tls::{TlsConfig, TlsSettings};
use super::value::{ByteSize, OrOff, Value};
use super::webhook::Ranges;

/// Listeners and limits.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The REST API.
    pub http_addr: SocketAddr,
    /// The gRPC API.
    pub grpc_addr: SocketAddr,
    /// Health and readiness.
    pub admin_addr: SocketAddr,
    /// TLS of the REST API.
    pub http_tls: Option<TlsConfig>,
    /// TLS of the gRPC API.
    pub grpc_tls: Option<TlsConfig>,
    /// Whether the REST API shows its documents.
    pub docs: bool,
    /// Whether the gRPC API speaks gRPC-Web too.
    pub grpc_web: bool,
    /// Origins that may call the APIs from a browser.
    pub cors_origins: CorsOrigins,
    /// Open connections of each listener; those beyond wait until one closes.
    pub max_connections: u32,
    /// Requests in flight over both protocols; those beyond are rejected.
    pub max_concurrent_requests: u32,
    /// The largest request, over both protocols (decisions, section 1).
    pub max_body_bytes: u64,
    /// Bytes of request bodies in memory, over both listeners; requests beyond are rejected.
    pub max_body_bytes_in_flight: u64,
    /// Proxies whose `x-forwarded-for` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// A request is answered or times out within this (decisions, section 1).
    pub request_timeout: Duration,
    /// How long a stopping service that is no longer ready still accepts requests, until load balancers have stopped
    /// sending them.
    pub shutdown_delay: Duration,
    /// How long a shutdown may take, the delay included, before open requests are dropped.
    pub shutdown_timeout: Duration,
    /// Requests per second of one client; `None` is no limit.
    pub rate_limit_per_second: Option<u32>,
    /// Where the rate of a client is counted.
    pub rate_limit_store: RateLimitStore,
    /// Rejections per second of one network without valid credentials; those beyond are delayed.
    pub refusals_per_second: u32,
    /// Event streams of one client at a time, in one process.
    pub event_streams_per_client: u32,
}

impl ServerConfig {
    pub(super) fn read(reader: &mut Reader, database: &DatabaseConfig) -> Self {
        let shutdown_timeout = reader.bounded("server.shutdown_timeout", Duration::ZERO, HOUR);
        let config = Self {
            http_addr: reader.required("server.http_addr"),
            grpc_addr: reader.required("server.grpc_addr"),
            admin_addr: reader.required("server.admin_addr"),
            http_tls: TlsConfig::read(reader, &HTTP_TLS),
            grpc_tls: TlsConfig::read(reader, &GRPC_TLS),
            docs: reader.required("server.docs"),
            grpc_web: reader.required("server.grpc_web"),
            cors_origins: reader.required("server.cors_origins"),
            max_connections: reader.bounded("server.max_connections", 1, 1_000_000),
            max_concurrent_requests: reader.bounded("server.max_concurrent_requests", 1, 1_000_000),
            max_body_bytes: reader.bounded("server.max_body_bytes", ByteSize(1 << 10), ByteSize(1 << 30)).0,
            max_body_bytes_in_flight: reader
                .bounded("server.max_body_bytes_in_flight", ByteSize(1 << 10), ByteSize(1 << 40))
                .0,
            trusted_proxies: reader.required::<Ranges>("server.trusted_proxies").0,
            request_timeout: reader.bounded("server.request_timeout", Duration::from_millis(1), LONGEST_REQUEST),
            shutdown_delay: shutdown_delay(reader, database, shutdown_timeout),
            shutdown_timeout,
            rate_limit_per_second: rate_limit(reader),
            rate_limit_store: rate_limit_store(reader, database),
            refusals_per_second: reader.bounded("server.refusals_per_second", 1, 1_000_000),
            event_streams_per_client: reader.bounded("server.event_streams_per_client", 1, 10_000),
        };
        config.check_addresses(reader);
        config
    }

    /// Two listeners cannot share an address; port 0 asks the system for any free port, so it never collides.
    fn check_addresses(&self, reader: &mut Reader) {
        let listeners = [
            ("server.http_addr", self.http_addr),
            ("server.grpc_addr", self.grpc_addr),
            ("server.admin_addr", self.admin_addr),
        ];
        for (i, (path, addr)) in listeners.iter().enumerate() {
            let clash = listeners[..i].iter().find(|(_, earlier)| addr.port() != 0 && overlap(*earlier, *addr));
            if let Some((earlier, _)) = clash {
                let problem = format!("{addr} is taken by {}; every listener needs its own", reader.key(earlier));
                reader.refuse(path, problem);
            }
        }
    }
}

/// With a database server there may be other replicas, and a load balancer that routes requests.
fn shutdown_delay(reader: &mut Reader, database: &DatabaseConfig, timeout: Duration) -> Duration {
    let path = "server.shutdown_delay";
    match reader.optional(path) {
        None if database.is_sqlite() => Duration::ZERO,
        None => Ord::min(DELAY_OF_A_REPLICA, timeout),
        Some(delay) => {
            if delay > timeout {
                let whole = reader.key("server.shutdown_timeout");
                reader.refuse(path, format!("{delay:?} is longer than the whole shutdown, {whole}: {timeout:?}"));
            }
            delay
        }
    }
}

/// Where the rate of a client is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimitStore {
    /// In each process for itself.
    Local,
    /// In the database, for all processes together.
    Database,
}

impl Value for RateLimitStore {
    const ACCEPTED: &'static str = "local or database";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "local" => Ok(Self::Local),
            "database" => Ok(Self::Database),
            _ => Err("is no store of rate limits".to_owned()),
        }
    }
}

fn rate_limit_store(reader: &mut Reader, database: &DatabaseConfig) -> RateLimitStore {
    let store = reader.required("server.rate_limit_store");
    if store == RateLimitStore::Database && database.is_sqlite() {
        reader.refuse(
            "server.rate_limit_store",
            "database needs PostgreSQL; SQLite has one server, which counts by itself",
        );
    }
    store
}

fn rate_limit(reader: &mut Reader) -> Option<u32> {
    let path = "server.rate_limit_per_second";
    let rate = reader.required::<OrOff<u32>>(path).0;
    if let Some(rate) = rate.filter(|rate| *rate > MOST_PER_SECOND) {
        reader.refuse(path, format!("{rate} is out of range; accepted: 1 to {MOST_PER_SECOND}, or off"));
    }
    rate
}

fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

const HTTP_TLS: TlsSettings =
    TlsSettings { cert: "server.http_tls_cert", key: "server.http_tls_key", client_ca: "server.http_tls_client_ca" };
const GRPC_TLS: TlsSettings =
    TlsSettings { cert: "server.grpc_tls_cert", key: "server.grpc_tls_key", client_ca: "server.grpc_tls_client_ca" };
/// Kubernetes and most load balancers stop routing to a terminating pod within this; well below the 30 seconds after
/// which Kubernetes kills it.
const DELAY_OF_A_REPLICA: Duration = Duration::from_secs(5);
/// More than one process can answer; `off` is the name of no limit.
const MOST_PER_SECOND: u32 = 1_000_000;
const HOUR: Duration = Duration::from_secs(3_600);
/// Far below the hour after which the job that deletes orphaned documents takes an upload without a row.
const LONGEST_REQUEST: Duration = Duration::from_secs(600);
