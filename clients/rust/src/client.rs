//! How a client is made.

use std::time::Duration;

use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::channel::{Connection, KiraChannel};
use crate::retry::Retries;
use crate::token::{Credentials, Tokens};
use crate::{Code, Error};

/// The service's own limit of a message.
pub(crate) const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Above the time that the service gives a call by default.
const TIMEOUT: Duration = Duration::from_secs(40);
/// How often a silent connection is tried, and for how long.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));

/// A client of kira-users. Clones share its connection and its token.
#[derive(Clone, Debug)]
pub struct Client {
    channel: KiraChannel,
}

/// What a client is made of.
#[derive(Clone, Debug)]
pub struct Builder {
    url: String,
    credentials: Credentials,
    ca_certificate: Option<String>,
    retries: Retries,
    timeout: Duration,
}

impl Client {
    /// A client of the gRPC listener at this URL, such as `https://users.example.com:50051`.
    #[must_use]
    pub fn builder(url: impl Into<String>) -> Builder {
        let credentials = Credentials { client_id: String::new(), password: String::new(), api_key: String::new() };
        let retries = Retries { most: 4, first_delay: Duration::from_millis(250) };
        Builder { url: url.into(), credentials, ca_certificate: None, retries, timeout: TIMEOUT }
    }

    /// What the clients of all services call through.
    #[must_use]
    pub fn channel(&self) -> KiraChannel {
        self.channel.clone()
    }
}

impl Builder {
    /// The credentials of the client.
    #[must_use]
    pub fn credentials(
        mut self,
        client_id: impl Into<String>,
        password: impl Into<String>,
        api_key: impl Into<String>,
    ) -> Self {
        self.credentials =
            Credentials { client_id: client_id.into(), password: password.into(), api_key: api_key.into() };
        self
    }

    /// A certificate authority in PEM that is trusted beside those of the system.
    #[must_use]
    pub fn ca_certificate(mut self, pem: impl Into<String>) -> Self {
        self.ca_certificate = Some(pem.into());
        self
    }

    /// How often a request is repeated whose answer was lost or says to try again; 4 by default. `first_delay`: the longest
    /// wait before the first repetition where the service says none; it doubles at each.
    #[must_use]
    pub fn retries(mut self, most: u32, first_delay: Duration) -> Self {
        self.retries = Retries { most, first_delay };
        self
    }

    /// How long each try of a call may take; 40 seconds by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The client. It connects when it makes its first call, and again after a connection broke.
    ///
    /// # Errors
    /// The URL or the certificate cannot be used.
    pub fn connect(self) -> Result<Client, Error> {
        let channel = Connection::new(self.endpoint().map_err(|error| unusable(&error))?.connect_lazy());
        let tokens = Tokens::new(channel.clone(), self.credentials, self.timeout);
        Ok(Client { channel: KiraChannel::new(channel, tokens, self.retries, self.timeout) })
    }

    fn endpoint(&self) -> Result<Endpoint, tonic::transport::Error> {
        let endpoint = Endpoint::new(self.url.clone())?
            .connect_timeout(Duration::from_secs(10))
            .http2_keep_alive_interval(KEEP_ALIVE.0)
            .keep_alive_timeout(KEEP_ALIVE.1)
            .keep_alive_while_idle(true);
        if !self.url.starts_with("https:") {
            return Ok(endpoint);
        }
        let mut tls = ClientTlsConfig::new().with_native_roots();
        if let Some(pem) = &self.ca_certificate {
            tls = tls.ca_certificate(Certificate::from_pem(pem));
        }
        endpoint.tls_config(tls)
    }
}

fn unusable(error: &dyn std::error::Error) -> Error {
    Error {
        reason: None,
        code: Code::InvalidArgument,
        message: format!("the URL or the certificate cannot be used: {error}"),
        violations: Vec::new(),
        retry_after: None,
        request_id: None,
    }
}
