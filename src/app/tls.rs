//! TLS of the listeners, read from the files at the start.

use std::sync::Arc;

use super::open::AppError;
use crate::config::{ConfigError, ServerConfig, TlsConfig};
use crate::env::SharedEnv;
use crate::server::tls::{Alpn, ListenerTls};
use crate::server::{GrpcProtocol, Protocol as _, RestProtocol};

/// The TLS of both protocols; `None` where a listener has none.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) rest: Option<Arc<ListenerTls>>,
    pub(super) grpc: Option<Arc<ListenerTls>>,
}

impl Tls {
    /// Reads the files of both protocols.
    ///
    /// # Errors
    /// Every problem of every file.
    pub(super) fn open(config: &ServerConfig, env: &SharedEnv) -> Result<Self, AppError> {
        let mut problems = Vec::new();
        let mut open = |files: &Option<TlsConfig>, alpn| {
            let opened = ListenerTls::open(files.clone()?, alpn, env.now());
            opened.map(Arc::new).map_err(|found| problems.extend(found)).ok()
        };
        let grpc_alpn = if config.grpc_web { Alpn::Http } else { Alpn::Http2 };
        let tls = Self { rest: open(&config.http_tls, Alpn::Http), grpc: open(&config.grpc_tls, grpc_alpn) };
        if problems.is_empty() { Ok(tls) } else { Err(AppError::Config(ConfigError { problems })) }
    }

    /// The TLS of the listeners that have it, by protocol.
    pub(super) fn by_protocol(&self) -> Vec<(&'static str, Arc<ListenerTls>)> {
        let all = [(RestProtocol::NAME, &self.rest), (GrpcProtocol::NAME, &self.grpc)];
        all.into_iter().filter_map(|(protocol, tls)| Some((protocol, Arc::clone(tls.as_ref()?)))).collect()
    }
}
