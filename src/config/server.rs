//! `[server]`: the listeners and what they allow.

use std::net::SocketAddr;
use std::time::Duration;

use super::cors::CorsOrigins;
use super::reader::Reader;
use super::storage::DatabaseConfig;
use super::tls::{TlsConfig, TlsSettings};
use super::value::{ByteSize, OrOff};

/// Listeners and limits.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The REST door.
    pub http_addr: SocketAddr,
    /// The gRPC door.
    pub grpc_addr: SocketAddr,
    /// Health and readiness.
    pub admin_addr: SocketAddr,
    /// TLS of the REST door.
    pub http_tls: Option<TlsConfig>,
    /// TLS of the gRPC door.
    pub grpc_tls: Option<TlsConfig>,
    /// Whose pages may call the REST door from a browser.
    pub cors_origins: CorsOrigins,
    /// Connections of each door at a time; those beyond wait until one ends.
    pub max_connections: u32,
    /// Requests of both doors that are worked at, at a time; those beyond are refused.
    pub max_concurrent_requests: u32,
    /// The largest request, over both doors (decisions, section 1).
    pub max_body_bytes: u64,
    /// Within this a request is answered or given up (decisions, section 1: never a hang).
    pub request_timeout: Duration,
    /// How long a service that is told to stop still takes requests, although it is not ready any more: until
    /// everybody who sends it some has noticed.
    pub shutdown_delay: Duration,
    /// How long a stop may take, the delay included, before requests are dropped.
    pub shutdown_timeout: Duration,
    /// Requests per second of one client; `None` is no limit.
    pub rate_limit_per_second: Option<u32>,
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
            cors_origins: reader.required("server.cors_origins"),
            max_connections: reader.bounded("server.max_connections", 1, 1_000_000),
            max_concurrent_requests: reader.bounded("server.max_concurrent_requests", 1, 1_000_000),
            max_body_bytes: reader.bounded("server.max_body_bytes", ByteSize(1 << 10), ByteSize(1 << 30)).0,
            request_timeout: reader.bounded("server.request_timeout", Duration::from_millis(1), LONGEST_REQUEST),
            shutdown_delay: shutdown_delay(reader, database, shutdown_timeout),
            shutdown_timeout,
            rate_limit_per_second: rate_limit(reader),
            event_streams_per_client: reader.bounded("server.event_streams_per_client", 1, 10_000),
        };
        config.check_addresses(reader);
        config
    }

    /// Two listeners cannot share an address; port 0 asks the system for any free port, so it never collides.
    fn check_addresses(&self, reader: &mut Reader) {
        let doors = [
            ("server.http_addr", self.http_addr),
            ("server.grpc_addr", self.grpc_addr),
            ("server.admin_addr", self.admin_addr),
        ];
        for (i, (path, addr)) in doors.iter().enumerate() {
            let clash = doors[..i].iter().find(|(_, earlier)| addr.port() != 0 && overlap(*earlier, *addr));
            if let Some((earlier, _)) = clash {
                let problem = format!("{addr} is taken by {}; every listener needs its own", reader.key(earlier));
                reader.refuse(path, problem);
            }
        }
    }
}

/// Where there is a server for a database there may be other replicas, and somebody who shares requests out.
fn shutdown_delay(reader: &mut Reader, database: &DatabaseConfig, timeout: Duration) -> Duration {
    let path = "server.shutdown_delay";
    match reader.optional(path) {
        None if database.is_sqlite() => Duration::ZERO,
        None => Ord::min(DELAY_OF_A_REPLICA, timeout),
        Some(delay) => {
            if delay > timeout {
                let whole = reader.key("server.shutdown_timeout");
                reader.refuse(path, format!("{delay:?} is longer than the whole stop, {whole}: {timeout:?}"));
            }
            delay
        }
    }
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
/// What Kubernetes and most balancers need until nobody sends requests to a pod that ends; well below the 30 seconds
/// after which Kubernetes kills it.
const DELAY_OF_A_REPLICA: Duration = Duration::from_secs(5);
/// More than one process answers; above it there is no limit, which has a name of its own.
const MOST_PER_SECOND: u32 = 1_000_000;
const HOUR: Duration = Duration::from_secs(3_600);
/// Far below the hour after which the sweep of documents takes an upload without a row for one of a request that failed.
const LONGEST_REQUEST: Duration = Duration::from_secs(600);
