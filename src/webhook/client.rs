//! The HTTP client for webhooks. It checks every resolved address with the guard at each connection, follows no redirect
//! and uses no proxy.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use url::Url;

use super::guard::{AddressGuard, Refused};

/// Maximum time to connect to an endpoint.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum bytes of a response that are read.
const MOST_READ: usize = 64 * 1024;
/// Maximum bytes of a response that are kept.
const MOST_KEPT: usize = 1024;

/// The future addresses of a name.
pub type ResolvedAddresses = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of names.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of `name`, now.
    fn lookup(&self, name: &str) -> ResolvedAddresses;
}

/// The resolver of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: &str) -> ResolvedAddresses {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Checks all addresses of a name: one rejected address rejects the name.
struct GuardedResolver {
    guard: AddressGuard,
    lookup: Arc<dyn Lookup>,
    is_https: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.lookup.lookup(name.as_str());
        let (guard, is_https) = (self.guard.clone(), self.is_https);
        Box::pin(async move {
            let addresses = found.await?;
            for address in &addresses {
                guard.check(*address, is_https)?;
            }
            // The port is that of the URL.
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// Sends to endpoints. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    guard: AddressGuard,
    /// None on a machine without certificate authorities.
    https: Option<reqwest::Client>,
    http: reqwest::Client,
    timeout: Duration,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// The response of an endpoint.
#[derive(Debug, Default)]
pub struct Reply {
    /// The status; none without a response.
    pub status: Option<u16>,
    /// Why there was no response, as a code.
    pub error: Option<&'static str>,
    /// The `Retry-After` header.
    pub retry_after: Option<String>,
    /// The beginning of the response body.
    pub body: Vec<u8>,
    /// From the start to the response headers, or to the failure.
    pub duration: Duration,
}

impl Client {
    /// Connects to no endpoint yet. On a machine without certificate authorities, each https attempt fails with
    /// `no_certificates`.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(guard: AddressGuard, lookup: Arc<dyn Lookup>, timeout: Duration) -> Result<Self, reqwest::Error> {
        // The first of several clients in the process installs the crypto provider; it is the same for all.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = |is_https| {
            let resolver = GuardedResolver { guard: guard.clone(), lookup: Arc::clone(&lookup), is_https };
            reqwest::Client::builder()
                .connect_timeout(CONNECT_TIMEOUT.min(timeout))
                .dns_resolver(resolver)
                .no_proxy()
                .redirect(Policy::none())
                .referer(false)
                .tcp_nodelay(true)
                .user_agent(concat!("kira-users/", env!("CARGO_PKG_VERSION")))
        };
        let https = client(true).build();
        if let Err(error) = &https {
            tracing::warn!(%error, "cannot send webhooks over https");
        }
        // Without TLS there are no certificates to check.
        let (https, http) = (https.ok(), client(false).tls_certs_only([]).build()?);
        Ok(Self { guard, https, http, timeout })
    }

    /// Maximum duration of one request: the response, and then its body.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.timeout * 2
    }

    /// Posts `body`; failures are part of the reply.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: Vec<u8>) -> Reply {
        let begun = Instant::now();
        let failed = |error| Reply { error: Some(error), duration: begun.elapsed(), ..Reply::default() };
        let Ok(url) = Url::parse(url) else { return failed("invalid_url") };
        // An address in the URL is not resolved.
        if let Err(refused) = self.guard.check_url(&url) {
            return failed(code_of(refused));
        }
        let client = if url.scheme() == "https" { self.https.as_ref() } else { Some(&self.http) };
        let Some(client) = client else { return failed("no_certificates") };
        let request = client.post(url).headers(headers).body(body).send();
        let mut response = match tokio::time::timeout(self.timeout, request).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return failed(code(&error)),
            Err(_) => return failed("timeout"),
        };
        let mut reply = Reply {
            status: Some(response.status().as_u16()),
            retry_after: response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned),
            duration: begun.elapsed(),
            ..Reply::default()
        };
        let body = &mut reply.body;
        // The status decides; a body that never ends, or breaks off, does not matter.
        let reading = async move {
            let mut read = 0;
            while let Ok(Some(piece)) = response.chunk().await {
                let room = MOST_KEPT - body.len();
                body.extend_from_slice(&piece[..piece.len().min(room)]);
                read += piece.len();
                if read >= MOST_READ {
                    break;
                }
            }
        };
        // Dropping an unread body closes the connection.
        let _ = tokio::time::timeout(self.timeout, reading).await;
        reply
    }
}

fn code(error: &reqwest::Error) -> &'static str {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return code_of(*refused);
        }
        cause = error.source();
    }
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "unreachable"
    } else {
        "connection_broken"
    }
}

fn code_of(refused: Refused) -> &'static str {
    match refused {
        Refused::NotHttps => "not_https",
        Refused::Address => "address_refused",
        Refused::NoHost | Refused::Credentials => "invalid_url",
    }
}
